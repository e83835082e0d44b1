"""In service or not, as each service wants it (G03, 1.6 §5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import ChangeAvailability, done
from ocpp_mqtt_proxy.core.model import Status, Version
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.services import states
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.core.yard import start, status
from tests.fakes import FakeLedger
from tests.services.obedience import EACH, V16, call, changes, refuses_everything, served

MANAGER = (ControlClass.MANAGEMENT,)


async def put(out: Outstation, *, operative: bool = False, connector: int = 1) -> str:
    """A service puts a connector (0: the charger) into or out of service."""
    word = "Operative" if operative else "Inoperative"
    if out.version is V16:
        return str((await call(out, "ChangeAvailability", connectorId=connector, type=word))["status"])
    where: dict[str, Any] = {"evse": {"id": connector}} if connector else {}
    return str((await call(out, "ChangeAvailability", operationalStatus=word, **where))["status"])


def shown(out: Outstation) -> Status | None:
    return states.seen(out, out.station.connector(1))


def available(out: Outstation) -> None:
    """The charger's connector is free."""
    out.hub.hear("CP1", status(Status.AVAILABLE))


@pytest.mark.parametrize("charger", EACH)
@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("connector", [0, 1])
async def test_what_a_service_takes_out_of_service_is_so_for_it_alone(
    service: Version, charger: Version, connector: int
) -> None:
    out = served(service, charger)
    available(out)
    assert await put(out, connector=connector) == "Accepted"
    assert shown(out) is Status.UNAVAILABLE
    assert out.station.connector(1).status is Status.AVAILABLE
    assert changes(out) == []


@pytest.mark.parametrize("service", EACH)
async def test_it_is_put_back(service: Version) -> None:
    out = served(service)
    available(out)
    await put(out)
    assert await put(out, operative=True) == "Accepted"
    assert shown(out) is Status.AVAILABLE


async def test_the_whole_charger_back_in_service_has_its_connectors_back() -> None:
    out = served()
    await put(out, connector=1)
    await put(out, connector=0)
    await put(out, operative=True, connector=0)
    assert out.virtual.inoperative == set()


async def test_where_it_is_so_already_it_is_accepted() -> None:
    out = served()
    assert [await put(out), await put(out)] == ["Accepted", "Accepted"]
    assert await put(out, operative=True) == "Accepted"


@pytest.mark.parametrize("service", EACH)
async def test_a_connector_that_there_is_not_is_rejected(service: Version) -> None:
    out = served(service)
    assert await put(out, connector=9) == "Rejected"
    assert out.virtual.inoperative == set()


@pytest.mark.parametrize("service", EACH)
async def test_while_a_transaction_runs_it_is_scheduled(service: Version) -> None:
    out = served(service)
    out.hub.hear("CP1", status(Status.CHARGING))
    out.hub.hear("CP1", start(0))
    assert await put(out) == "Scheduled"
    assert shown(out) is Status.CHARGING


async def test_its_states_are_told_anew_and_it_is_written_down() -> None:
    out = served()
    out.unsettled.clear()
    await put(out)
    assert out.unsettled.is_set()
    assert isinstance(out.hub.ledger, FakeLedger)
    assert out.virtual in out.hub.ledger.noted


@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("charger", EACH)
async def test_with_management_the_charger_goes_out_of_service(service: Version, charger: Version) -> None:
    out = served(service, charger, roles=MANAGER)
    assert await put(out, connector=0) == "Accepted"
    (order,) = changes(out)
    assert isinstance(order, ChangeAvailability)
    assert (order.at.connector, order.operative) == (0, False)


async def test_with_management_the_charger_s_promise_is_passed_on() -> None:
    out = served(roles=MANAGER, answer=lambda _: done(charger_status="Scheduled"))
    assert await put(out) == "Scheduled"


async def test_with_management_the_charger_may_refuse() -> None:
    out = served(roles=MANAGER, answer=refuses_everything)
    assert await put(out) == "Rejected"
    assert out.virtual.inoperative == set()


async def test_a_manager_that_is_switched_off_is_rejected() -> None:
    out = served(roles=MANAGER)
    out.arbitration.house.disabled.add("billing")
    assert await put(out) == "Rejected"
    assert changes(out) == []


@pytest.mark.parametrize("service", EACH)
@pytest.mark.parametrize("connector", [0, 1])
async def test_where_a_service_wants_nothing_to_start_it_starts_nothing(service: Version, connector: int) -> None:
    out = served(service)
    available(out)
    await put(out, connector=connector)
    action = "RemoteStartTransaction" if service is V16 else "RequestStartTransaction"
    card: dict[str, Any] = {"idTag": "CARD", "connectorId": 1}
    if service is not V16:
        card = {"idToken": {"idToken": "CARD", "type": "ISO14443"}, "remoteStartId": 7, "evseId": 1}
    assert (await call(out, action, **card))["status"] == "Rejected"
    assert changes(out) == []
    await put(out, operative=True, connector=connector)
    assert (await call(out, action, **card))["status"] == "Accepted"


@pytest.mark.parametrize("service", EACH)
async def test_where_a_service_wants_nothing_to_start_it_reserves_nothing(service: Version) -> None:
    out = served(service)
    available(out)
    await put(out)
    asked: dict[str, Any] = {
        "connectorId": 1,
        "expiryDate": "2026-03-14T18:00:00Z",
        "idTag": "CARD",
        "reservationId": 5,
    }
    if service is not V16:
        card = {"idToken": "CARD", "type": "ISO14443"}
        asked = {"id": 5, "expiryDateTime": "2026-03-14T18:00:00Z", "idToken": card, "evseId": 1}
    assert (await call(out, "ReserveNow", **asked))["status"] == "Unavailable"
