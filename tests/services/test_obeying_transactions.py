"""Start, stop, unlock and reserve, asked by a service of any version, of a charger of any version."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    Order,
    Outcome,
    Reason,
    Reserve,
    StartCharging,
    StopCharging,
    Unlock,
    refused,
)
from ocpp_mqtt_proxy.core.control import Reservation
from ocpp_mqtt_proxy.core.model import OWNER, IdToken, Place, Status, TokenKind, Version
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.reports import Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.fakes import NOON, FakeClock
from tests.services.fakes import a_known_charger, charger_of
from tests.services.obedience import call, served

V16, V201, V21 = Version
PAIRS = [pytest.param(service, charger, id=f"{service}-to-{charger}") for service in Version for charger in Version]
each_pair = pytest.mark.parametrize(("service", "charger"), PAIRS)
UNTIL = "2026-03-14T18:00:00Z"


def token(tag: str, kind: str = "ISO14443") -> dict[str, str]:
    return {"idToken": tag, "type": kind}


async def start(out: Outstation, tag: str = "CARD", at: int | None = 1, number: int = 7, **more: Any) -> str:
    """A service starts charging; what it is answered."""
    if out.version is V16:
        where = {} if at is None else {"connectorId": at}
        return str((await call(out, "RemoteStartTransaction", idTag=tag, **where, **more))["status"])
    where = {} if at is None else {"evseId": at}
    asked = {"idToken": token(tag), "remoteStartId": number, **where, **more}
    return str((await call(out, "RequestStartTransaction", **asked))["status"])


async def stop(out: Outstation, their_id: str) -> str:
    if out.version is V16:
        return str((await call(out, "RemoteStopTransaction", transactionId=int(their_id)))["status"])
    return str((await call(out, "RequestStopTransaction", transactionId=their_id))["status"])


async def unlock(out: Outstation, at: int = 1) -> str:
    where = {"connectorId": at} if out.version is V16 else {"evseId": at, "connectorId": 1}
    return str((await call(out, "UnlockConnector", **where))["status"])


async def reserve(out: Outstation, number: int = 5, tag: str = "CARD", until: str = UNTIL) -> str:
    if out.version is V16:
        asked: dict[str, Any] = {"connectorId": 1, "expiryDate": until, "idTag": tag, "reservationId": number}
    else:
        asked = {"id": number, "expiryDateTime": until, "idToken": token(tag), "evseId": 1}
    return str((await call(out, "ReserveNow", **asked))["status"])


def runs(out: Outstation, tag: str = "CARD", *, theirs: str | None = "901") -> Session:
    """A transaction runs; the service knows it by an id of its own, if by any."""
    ours = None if out.station.version is V16 else "tx-of-the-charger"
    out.hub.hear(out.charger_id, TransactionReported(Phase.STARTED, ours, NOON, Place(1, 1), IdToken(tag), seq_no=0))
    (session,) = out.station.sessions()
    if theirs is not None:
        known = PeerTransaction(session.session_id, session.transaction_id, theirs, 1)
        out.peer.transactions[known.key] = known
    return session


def ended(out: Outstation, session: Session) -> None:
    out.hub.hear(out.charger_id, TransactionReported(Phase.ENDED, session.transaction_id, NOON, seq_no=1))


def asked(out: Outstation, kind: type) -> list[Any]:
    """What the charger was asked of one kind."""
    return [order for order in charger_of(out).asked if isinstance(order, kind)]


# Starting


@each_pair
async def test_a_service_starts_a_session_of_its_own(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await start(out) == "Accepted"
    (order,) = asked(out, StartCharging)
    assert (order.at.place, order.id_tag, order.provider) == (Place(1, 1), "CARD", out.id)
    assert runs(out).provider == out.id


@each_pair
async def test_its_id_of_a_start_never_reaches_the_charger_and_is_known_again(
    service: Version, charger: Version
) -> None:
    out = served(service, charger)
    await start(out, number=7)
    (order,) = asked(out, StartCharging)
    assert order.remote_start_id != 7
    assert out.peer.remote_starts == ({} if service is V16 else {order.remote_start_id: 7})
    if charger is V16:  # which does not say it itself
        assert runs(out).remote_start_id == order.remote_start_id


@pytest.mark.parametrize("charger", Version)
async def test_a_refused_start_leaves_no_id(charger: Version) -> None:
    out = served(V201, charger, answer=lambda _: refused(Reason.CHARGER_REJECTED))
    assert await start(out) == "Rejected"
    assert out.peer.remote_starts == {}


@each_pair
async def test_where_a_transaction_runs_no_other_starts(service: Version, charger: Version) -> None:
    out = served(service, charger)
    runs(out)
    assert [await start(out), await start(out, at=None)] == ["Rejected", "Rejected"]
    assert asked(out, StartCharging) == []


@each_pair
async def test_a_service_without_the_role_starts_nothing(service: Version, charger: Version) -> None:
    out = served(service, charger, roles=())
    assert await start(out) == "Rejected"
    assert charger_of(out).asked == []


@each_pair
async def test_an_unknown_connector_starts_nothing(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await start(out, at=9) == "Rejected"


async def test_without_a_connector_one_with_a_car_is_chosen() -> None:
    out = served(V16, V16)
    for number, status in ((1, Status.AVAILABLE), (2, Status.PREPARING)):
        out.hub.hear(out.charger_id, StatusReported(Place(number, 1), status, NOON))
    assert await start(out, at=None) == "Accepted"
    assert asked(out, StartCharging)[0].at.connector == 2


async def test_the_kind_of_a_card_goes_on_to_a_charger_that_knows_kinds() -> None:
    out = served(V201, V201)
    await start(out)
    assert asked(out, StartCharging)[0].kind is TokenKind.ISO14443


async def test_a_short_tag_of_ours_means_the_long_one_that_it_stands_for() -> None:
    out = served(V16, V201)
    out.peer.tags["short"] = "a-tag-of-more-than-twenty-characters"
    await start(out, "SHORT")
    assert asked(out, StartCharging)[0].id_tag == "a-tag-of-more-than-twenty-characters"


@pytest.mark.parametrize("service", Version)
async def test_a_profile_for_others_too_starts_nothing(service: Version) -> None:
    out = served(service, service)
    period = {"startPeriod": 0, "limit": 10.0}
    plan = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    if service is V16:
        del plan["id"]
    profile = {
        "chargingProfileId" if service is V16 else "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": plan if service is V16 else [plan],
    }
    assert await start(out, chargingProfile=profile) == "Rejected"
    assert charger_of(out).asked == []


@pytest.mark.parametrize("service", Version)
@pytest.mark.parametrize("charger", [V201, V21])
async def test_an_evse_in_use_starts_no_other_transaction_on_another_connector(
    service: Version, charger: Version
) -> None:
    out = served(service, charger)
    out.hub.hear(out.charger_id, StatusReported(Place(1, 2), Status.AVAILABLE, NOON))
    runs(out)
    assert await start(out, at=2 if service is V16 else 1) == "Rejected"
    assert asked(out, StartCharging) == []


# Stopping


@each_pair
async def test_a_service_stops_its_transaction_by_its_own_id(service: Version, charger: Version) -> None:
    out = served(service, charger)
    await start(out)
    session = runs(out)
    assert await stop(out, "901") == "Accepted"
    assert asked(out, StopCharging) == [StopCharging(session.transaction_id)]


@each_pair
async def test_an_id_that_is_not_the_service_s_stops_nothing(service: Version, charger: Version) -> None:
    out = served(service, charger)
    await start(out)
    session = runs(out)
    ours = session.transaction_id if session.transaction_id.isdecimal() or service is not V16 else "1"
    assert await stop(out, ours) == "Rejected"
    assert asked(out, StopCharging) == []


@each_pair
async def test_another_s_transaction_is_not_stopped(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert runs(out).provider == OWNER
    assert await stop(out, "901") == "Rejected"
    assert asked(out, StopCharging) == []


@pytest.mark.parametrize("service", [V201, V21])
@pytest.mark.parametrize("charger", Version)
async def test_the_status_of_a_transaction_is_ours_to_tell(service: Version, charger: Version) -> None:
    out = served(service, charger)
    session = runs(out)
    assert await call(out, "GetTransactionStatus", transactionId="901") == {
        "ongoingIndicator": True,
        "messagesInQueue": False,
    }
    ended(out, session)
    assert (await call(out, "GetTransactionStatus", transactionId="901"))["ongoingIndicator"] is False
    assert (await call(out, "GetTransactionStatus", transactionId="none"))["ongoingIndicator"] is False
    assert await call(out, "GetTransactionStatus") == {"messagesInQueue": False}
    assert charger_of(out).asked == []


@each_pair
async def test_what_was_taken_away_from_a_service_has_ended_for_it(service: Version, charger: Version) -> None:
    out = served(service, charger)
    await start(out)
    out.peer.transactions[runs(out).session_id].over = True
    assert await stop(out, "901") == "Rejected"
    assert asked(out, StopCharging) == []
    if service is not V16:
        assert (await call(out, "GetTransactionStatus", transactionId="901"))["ongoingIndicator"] is False


# The cable


@each_pair
async def test_a_free_cable_is_released(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await unlock(out) == "Unlocked"
    assert [order.at.place for order in asked(out, Unlock)] == [Place(1, 1)]


@pytest.mark.parametrize("service", [V201, V21])
@pytest.mark.parametrize("charger", Version)
async def test_2x_does_not_release_a_cable_in_use(service: Version, charger: Version) -> None:
    out = served(service, charger)
    await start(out)
    runs(out)
    assert await unlock(out) == "OngoingAuthorizedTransaction"
    assert asked(out, Unlock) == []


@pytest.mark.parametrize("charger", Version)
async def test_16_stops_its_own_transaction_and_releases_the_cable(charger: Version) -> None:
    out = served(V16, charger)
    await start(out)
    session = runs(out)
    link, clock = charger_of(out), out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.pass_(minutes=1)  # it asks no more often than it may
    agrees = link.answer

    def stops(order: Order) -> Outcome:
        if isinstance(order, StopCharging):
            ended(out, session)
        return agrees(order)

    link.answer = stops
    assert await unlock(out) == "Unlocked"
    kinds = [type(order) for order in link.asked if isinstance(order, StopCharging | Unlock)]
    assert kinds == ([Unlock] if charger is V16 else [StopCharging, Unlock])  # a 1.6 charger stops by itself


@pytest.mark.parametrize("charger", Version)
async def test_nothing_stops_for_a_cable_that_the_rules_keep(charger: Version) -> None:
    out = served(V16, charger)
    await start(out)
    runs(out)
    assert await unlock(out) == "UnlockFailed"  # it asks again too soon
    assert asked(out, StopCharging) == asked(out, Unlock) == []


@pytest.mark.parametrize("charger", Version)
async def test_the_cable_of_another_s_session_stays(charger: Version) -> None:
    out = served(V16, charger)
    runs(out)
    assert await unlock(out) == "UnlockFailed"
    assert asked(out, Unlock) == asked(out, StopCharging) == []


@each_pair
async def test_an_unknown_cable_is_said_to_be_unknown(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await unlock(out, 9) == ("NotSupported" if service is V16 else "UnknownConnector")


# Reservations


@each_pair
async def test_a_reservation_has_a_number_of_ours_in_the_charger(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await reserve(out, 5) == "Accepted"
    (order,) = asked(out, Reserve)
    assert order.reservation_id != 5
    assert out.peer.reservations == {5: order.reservation_id}
    assert out.station.control.reservations[order.reservation_id].provider == out.id
    assert (await call(out, "CancelReservation", reservationId=5)) == {"status": "Accepted"}
    assert asked(out, CancelReservation) == [CancelReservation(order.reservation_id)]
    assert out.peer.reservations == {}


async def test_the_same_reservation_again_replaces_the_first() -> None:
    out = served(V201, V201)
    await reserve(out, 5)
    assert isinstance(out.hub.clock, FakeClock)
    out.hub.clock.pass_(minutes=1)
    await reserve(out, 5, tag="OTHER")
    first, second = asked(out, Reserve)
    assert first.reservation_id == second.reservation_id


@each_pair
@pytest.mark.parametrize("word", ["Occupied", "Faulted", "Unavailable"])
async def test_why_the_charger_reserves_nothing_is_told_on(service: Version, charger: Version, word: str) -> None:
    out = served(service, charger, answer=lambda _: refused(Reason.CHARGER_REJECTED, charger_status=word))
    assert await reserve(out) == word
    assert out.peer.reservations == {}


@each_pair
async def test_where_a_transaction_runs_nothing_is_reserved(service: Version, charger: Version) -> None:
    out = served(service, charger)
    runs(out)
    assert await reserve(out) == "Occupied"


@each_pair
async def test_what_has_expired_already_is_not_reserved(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await reserve(out, until="2026-03-14T11:00:00Z") == "Rejected"
    assert charger_of(out).asked == []


@each_pair
async def test_another_s_reservation_is_not_cancelled(service: Version, charger: Version) -> None:
    out = served(service, charger)
    out.station.control.reservations[5] = Reservation("rival", NOON.replace(hour=18))
    assert await call(out, "CancelReservation", reservationId=5) == {"status": "Rejected"}
    assert charger_of(out).asked == []


@pytest.mark.parametrize("service", [V201, V21])
async def test_a_reservation_of_any_connector_of_a_type_is_refused(service: Version) -> None:
    out = served(service, service)
    given = {"id": 5, "expiryDateTime": UNTIL, "idToken": token("CARD"), "connectorType": "cType2"}
    assert await call(out, "ReserveNow", **given) == {"status": "Rejected"}
    assert charger_of(out).asked == []


# Places


async def test_a_16_service_sees_a_2x_charger_s_connectors_by_our_numbers() -> None:
    out = served(V16, V201)
    out.station.connectors.clear()
    for place in (Place(1, 1), Place(1, 2), Place(2, 1)):
        out.hub.hear(out.charger_id, StatusReported(place, Status.AVAILABLE, NOON))
    numbers = {connector.place: connector.number for connector in out.station.ordered()}
    await unlock(out, numbers[Place(1, 2)])
    assert asked(out, Unlock)[0].at.place == Place(1, 2)


async def test_two_services_ids_never_meet() -> None:
    out = served(V201, V201)
    a_known_charger(out.hub, V201, "CP2")
    await start(out, number=7)
    assert 7 not in {order.remote_start_id for order in asked(out, StartCharging)}
