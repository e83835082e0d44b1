"""What services know of us, in books that lost it or that cannot hold all of it."""

from __future__ import annotations

import asyncio

import pytest

from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.peer import Peer, PeerTransaction
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.services.conversation import Ways
from ocpp_mqtt_proxy.services.courier import Courier
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.roster import Services
from tests.fakes import FakeLedger
from tests.running import PATIENCE
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


async def test_a_charger_whose_boot_a_crash_took_from_us_is_told_of_all_the_same() -> None:
    """It has charged, so it has connectors; it was answered, so it boots no second time."""
    out = an_outstation()
    out.station.memory.accepted = False
    dial = FakeDial()
    services = Services(out.arbitration, [out.plan], out.outbox, Ways(dial, obey, Courier))
    running = asyncio.create_task(services.run())
    async with asyncio.timeout(PATIENCE):
        await dial.times(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [charger for _, charger in dial.dialled] == ["CP1"]
