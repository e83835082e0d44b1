"""Availability: a service's CSMS hears of states, and takes us out of service.

With `management` it takes the charger itself out of service; without, what it sees of it.
"""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Desk, Served
from tests.conformance.charger import Charger, Payload, token

MANAGING, ELSE = ("transactions", "smart_charging", "management"), ("transactions", "smart_charging")

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize(
        "served",
        [pytest.param((version, roles), id=f"{version}-{len(roles)}") for version in V2 for roles in (MANAGING, ELSE)],
        indirect=True,
        scope="module",
    ),
]

EVSE = {"evse": {"id": 1}}


@pytest.fixture
def manages(served: Served) -> bool:
    """Whether the CSMS may manage the charger."""
    return "management" in served.roles


async def change(desk: Desk, word: str, where: Payload) -> str:
    return str((await desk.ask("ChangeAvailability", operationalStatus=word, **where))["status"])


async def obey(box: Charger, word: str, *, manages: bool) -> None:
    """The charger does as it was told, if it was."""
    if manages:
        await box.tell_status(word)


def reached(box: Charger, *, manages: bool) -> bool:
    """Whether the charger was asked exactly when it may be."""
    return bool(box.asked("ChangeAvailability")) is manages


@case("TC_G_01_CS", "TC_G_02_CS")
async def test_a_cable_that_comes_and_goes_is_told(box: Charger, desk: Desk) -> None:
    before = len(desk.told("StatusNotification"))
    await box.tell_status("Occupied")
    told = await desk.status("Occupied")
    assert (told["evseId"], told["connectorId"]) == (1, 1)
    await box.tell_status("Available")
    await desk.status("Available")
    assert len(desk.told("StatusNotification")) == before + 2


@pytest.mark.parametrize("where", [EVSE, {}], ids=["evse", "station"])
@case("TC_G_03_CS", "TC_G_05_CS")
async def test_what_is_free_goes_out_of_service(box: Charger, desk: Desk, manages: bool, where: Payload) -> None:
    assert await change(desk, "Inoperative", where) == "Accepted"
    assert reached(box, manages=manages)
    await obey(box, "Unavailable", manages=manages)
    told = await desk.status("Unavailable")
    assert (told["evseId"], told["connectorId"]) == (1, 1)


@case("TC_G_03_CS")
async def test_nothing_starts_where_it_is_out_of_service_until_it_is_back(
    box: Charger, desk: Desk, manages: bool
) -> None:
    await change(desk, "Inoperative", EVSE)
    await obey(box, "Unavailable", manages=manages)
    await desk.status("Unavailable")
    start = {"idToken": token(), "remoteStartId": 5, "evseId": 1}
    assert (await desk.ask("RequestStartTransaction", **start))["status"] == "Rejected"
    assert box.asked("RequestStartTransaction") == []
    assert await change(desk, "Operative", EVSE) == "Accepted"
    await obey(box, "Available", manages=manages)
    await desk.status("Available")
    assert (await desk.ask("RequestStartTransaction", **start))["status"] == "Accepted"


@case("TC_G_09_CS")
async def test_what_is_in_service_already_may_be_put_into_service(box: Charger, desk: Desk, manages: bool) -> None:
    assert await change(desk, "Operative", EVSE) == "Accepted"
    assert reached(box, manages=manages)
    await desk.status("Available")


@pytest.mark.parametrize("where", [EVSE, {}], ids=["evse", "station"])
@case("TC_G_11_CS", "TC_G_14_CS")
async def test_what_charges_goes_out_of_service_once_it_has_charged(
    box: Charger, desk: Desk, manages: bool, where: Payload
) -> None:
    box.answers["ChangeAvailability"] = {"status": "Scheduled"}
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    assert await change(desk, "Inoperative", where) == "Scheduled"
    assert reached(box, manages=manages)
    await desk.status("Occupied")
    info = {"chargingState": "Idle", "stoppedReason": "EVDisconnected"}
    await box.event("Ended", "EVCommunicationLost", info=info)
    await box.tell_status("Unavailable" if manages else "Available")
    await desk.event("Ended")
    await desk.status("Unavailable")


@case("TC_G_18_CS")
async def test_what_is_out_of_service_is_so_after_a_boot(box: Charger, desk: Desk, manages: bool) -> None:
    await change(desk, "Inoperative", EVSE)
    await obey(box, "Unavailable", manages=manages)
    await desk.status("Unavailable")
    desk.calls.clear()
    await box.boot("RemoteReset")
    await box.tell_status("Unavailable" if manages else "Available")
    assert (await desk.until("BootNotification"))["reason"] == "RemoteReset"
    assert (await desk.status("Unavailable"))["evseId"] == 1
    assert {told["connectorStatus"] for told in desk.told("StatusNotification")} == {"Unavailable"}
