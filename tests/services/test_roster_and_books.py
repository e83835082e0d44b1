"""What services know of us, in books that lost it or that cannot hold all of it."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.peer import Peer, PeerTransaction
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.services.conversation import Ways
from ocpp_mqtt_proxy.services.courier import Courier
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.roster import Services
from tests.fakes import FakeLedger
from tests.services.fakes import FakeDial, an_outstation


def restored(*peers: Peer) -> Services:
    """Services that go on with what was written down."""
    out = an_outstation()
    services = Services(out.arbitration, [out.plan], out.outbox, Ways(FakeDial(), obey, Courier))
    services.restore(peers, [Virtual("billing", "CP1")])
    out.hub.mirror = services
    return services


def a_peer() -> Peer:
    """A service that knows one session which is over and one that runs."""
    over = PeerTransaction("s1", "17", over=True)
    return Peer("billing", "CP1", transactions={"s1": over, "s2": PeerTransaction("s2", "18")})


def test_what_services_know_is_written_into_books_that_were_lost() -> None:
    services = restored(a_peer())
    known: list[Change] = services.arbitration.hub.everything()
    assert a_peer() in known
    assert Virtual("billing", "CP1") in known


def test_a_session_that_will_never_be_told_to_its_end_is_remembered_no_longer() -> None:
    peer = a_peer()
    services = restored(peer)
    services.lose("billing", "CP1", {"s1", "s2", "unknown"})
    assert list(peer.transactions) == ["s2"]
    ledger = services.arbitration.hub.ledger
    assert isinstance(ledger, FakeLedger)
    assert ledger.noted[-1] is peer


def test_a_loss_of_a_service_that_is_no_more_is_nobody_s() -> None:
    peer = a_peer()
    restored(peer).lose("gone", "CP1", {"s1"})
    assert peer == a_peer()
