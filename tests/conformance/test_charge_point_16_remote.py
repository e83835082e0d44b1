"""Remote control of us, as a 1.6 charge point: start, stop, availability and triggers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.central import Desk, Served
from tests.conformance.charger import CARD, Charger, Payload, now

MANAGING, ELSE = ("transactions", "smart_charging", "management"), ("transactions", "smart_charging")

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize(
        "served", [("1.6", MANAGING), ("1.6", ELSE)], ids=["managing", "else"], indirect=True, scope="module"
    ),
]

UNHELD = {"FirmwareStatusNotification", "DiagnosticsStatusNotification"}


@pytest.fixture
def manages(served: Served) -> bool:
    """Whether the CSMS may manage the charger."""
    return "management" in served.roles


async def status_of(desk: Desk, action: str, **payload: Any) -> str:
    return str((await desk.ask(action, **payload))["status"])


# Start and stop


@pytest.mark.parametrize("where", [{"connectorId": 1}, {}], ids=["connector", "any"])
@case("16_CP_REMOTE_START")
async def test_a_start_from_afar_goes_to_the_charger(box: Charger, desk: Desk, where: Payload) -> None:
    assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, **where) == "Accepted"
    assert await box.until("RemoteStartTransaction") == {"idTag": CARD, "connectorId": 1}
    await box.start()
    told = await desk.until("StartTransaction")
    assert (told["idTag"], told["connectorId"]) == (CARD, 1)


@case("16_CP_REMOTE_START")
async def test_nothing_starts_where_a_transaction_runs(box: Charger, desk: Desk) -> None:
    await box.start()
    await desk.status("Charging")
    for where in ({"connectorId": 1}, {}):
        assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, **where) == "Rejected"
    assert box.asked("RemoteStartTransaction") == []


@pytest.mark.parametrize("word", ["Unavailable", "Faulted"])
@case("16_CP_REMOTE_START")
async def test_nothing_starts_where_nothing_can(box: Charger, desk: Desk, word: str) -> None:
    await box.tell_status(word)
    await desk.status(word)
    assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"
    assert box.asked("RemoteStartTransaction") == []


@case("16_CP_REMOTE_START")
async def test_what_is_reserved_starts_for_its_card_as_the_charger_has_it(box: Charger, desk: Desk) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    reserve = {"connectorId": 1, "expiryDate": until, "idTag": CARD, "reservationId": 9}
    assert await status_of(desk, "ReserveNow", **reserve) == "Accepted"
    await box.tell_status("Reserved")
    await desk.status("Reserved")
    box.answers["RemoteStartTransaction"] = lambda asked: {
        "status": "Accepted" if asked["idTag"] == CARD else "Rejected"
    }
    assert await status_of(desk, "RemoteStartTransaction", idTag="SOMEBODY", connectorId=1) == "Rejected"
    assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
    ours = box.asked("ReserveNow")[0]["reservationId"]
    await box.start(reservationId=ours)
    assert (await desk.until("StartTransaction"))["reservationId"] == 9


@case("16_CP_REMOTE_STOP")
async def test_only_its_own_number_stops_a_transaction(box: Charger, desk: Desk) -> None:
    ours = int(await box.start())
    await desk.status("Charging")
    theirs = desk.central.first + 1
    for number in (ours, theirs + 1, -1):
        assert await status_of(desk, "RemoteStopTransaction", transactionId=number) == "Rejected"
    assert box.asked("RemoteStopTransaction") == []
    assert await status_of(desk, "RemoteStopTransaction", transactionId=theirs) == "Accepted"
    assert box.asked("RemoteStopTransaction") == [{"transactionId": ours}]
    await box.stop(reason="Remote")
    told = await desk.until("StopTransaction")
    assert (told["transactionId"], told["reason"]) == (theirs, "Remote")


# Availability


@pytest.mark.parametrize("connector", [0, 1])
@case("16_CP_AVAILABILITY")
async def test_what_is_out_of_service_starts_nothing_and_is_so_after_a_boot(
    box: Charger, desk: Desk, manages: bool, connector: int
) -> None:
    where = {"connectorId": connector}
    assert await status_of(desk, "ChangeAvailability", type="Inoperative", **where) == "Accepted"
    assert bool(box.asked("ChangeAvailability")) is manages
    actual = "Unavailable" if manages else "Available"
    await box.tell_status(actual)
    await desk.status("Unavailable")
    assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, connectorId=1) == "Rejected"
    desk.calls.clear()
    await box.boot()
    await box.tell_status(actual)
    await desk.status("Unavailable")
    assert "Available" not in [one["status"] for one in desk.told("StatusNotification") if one["connectorId"] == 1]
    assert await status_of(desk, "ChangeAvailability", type="Operative", **where) == "Accepted"
    await box.tell_status("Available")
    await desk.status("Available")
    assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"


@pytest.mark.parametrize("connector", [0, 1])
@case("16_CP_AVAILABILITY")
async def test_what_charges_goes_out_of_service_once_it_has_charged(
    box: Charger, desk: Desk, manages: bool, connector: int
) -> None:
    box.answers["ChangeAvailability"] = {"status": "Scheduled"}
    await box.start()
    await desk.status("Charging")
    assert await status_of(desk, "ChangeAvailability", type="Inoperative", connectorId=connector) == "Scheduled"
    told = {"transactionId": int(box.transaction), "meterStop": 3000, "timestamp": now()}
    await box.say("StopTransaction", **told)
    await box.tell_status("Unavailable" if manages else "Available")
    await desk.until("StopTransaction")
    await desk.status("Unavailable")


# Triggers


@pytest.mark.parametrize(
    "message",
    [
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StatusNotification",
    ],
)
@case("16_CP_TRIGGER")
async def test_what_it_wants_to_hear_comes_after_the_answer(box: Charger, desk: Desk, message: str) -> None:
    value = [{"timestamp": now(), "sampledValue": [{"value": "1000"}]}]
    await box.say("MeterValues", connectorId=1, meterValue=value)
    await desk.until("MeterValues")
    box.answers["TriggerMessage"] = {"status": "Rejected"}  # it has said all it has to say
    before, heard = len(desk.order), len(desk.told(message))
    assert await status_of(desk, "TriggerMessage", requestedMessage=message) == "Accepted"
    told = await desk.until(message, number=heard + 1)
    assert desk.order[before:][:2] == ["answer to TriggerMessage", message]
    assert message not in UNHELD or told == {"status": "Idle"}


@case("16_CP_TRIGGER")
async def test_a_message_that_is_not_ours_to_send_is_not_implemented(box: Charger, desk: Desk) -> None:
    wanted = {"requestedMessage": "SignChargePointCertificate"}
    assert await status_of(desk, "ExtendedTriggerMessage", **wanted) == "NotImplemented"
    assert box.asked("ExtendedTriggerMessage") == []


@case("16_CP_TRIGGER")
async def test_a_connector_that_is_none_has_nothing_to_tell(box: Charger, desk: Desk) -> None:
    wanted = {"requestedMessage": "StatusNotification", "connectorId": 9}
    assert await status_of(desk, "TriggerMessage", **wanted) == "Rejected"
