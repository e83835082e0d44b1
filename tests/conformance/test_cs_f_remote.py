"""Remote control by a service's CSMS: start, stop, unlock and triggers, as if we were the charger."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Desk
from tests.conformance.charger import BEGIN, PLACE, Charger, token, wh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

THEIRS = 4711
"""The CSMS's id of a start from afar."""


async def start(desk: Desk) -> None:
    answer = await desk.ask("RequestStartTransaction", idToken=token(), remoteStartId=THEIRS, evseId=1)
    assert answer == {"status": "Accepted"}


async def follow(box: Charger, kind: str, **more: Any) -> None:
    """The charger begins, or takes up, what it was asked for from afar."""
    asked = await box.until("RequestStartTransaction")
    assert (asked["idToken"], asked["evseId"]) == (token(), 1)
    info = {"chargingState": more.pop("state", "EVConnected"), "remoteStartId": asked["remoteStartId"]}
    await box.event(kind, "RemoteStart", idToken=asked["idToken"], info=info, **more)


def is_of_the_start(told: dict[str, Any]) -> None:
    """An event says which start from afar it follows, by the CSMS's own id (F01.FR.25, F02.FR.01)."""
    assert told["triggerReason"] == "RemoteStart"
    assert told["transactionInfo"]["remoteStartId"] == THEIRS
    assert told["idToken"] == token()


@case("TC_F_01_CS")
async def test_a_plugged_car_charges_when_it_is_started_from_afar(box: Charger, desk: Desk) -> None:
    await box.tell_status("Occupied")
    await box.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"}, meterValue=wh(1000, BEGIN))
    first = await desk.event("Started", "CablePluggedIn")
    await start(desk)
    await follow(box, "Updated")
    taken_up = await desk.event("Updated", "RemoteStart")
    is_of_the_start(taken_up)
    await box.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    charging = await desk.event("Updated", "ChargingStateChanged")
    assert charging["transactionInfo"]["chargingState"] == "Charging"
    assert {one["transactionInfo"]["transactionId"] for one in desk.told("TransactionEvent")} == {
        first["transactionInfo"]["transactionId"]
    }


@case("TC_F_02_CS")
async def test_a_charger_that_asks_about_the_card_of_a_start_is_answered_by_the_start(box: Charger, desk: Desk) -> None:
    """The CSMS is told that it is not asked again: AuthorizeRemoteStart is false for it, whatever the charger does."""
    asked = {"component": {"name": "AuthCtrlr"}, "variable": {"name": "AuthorizeRemoteStart"}}
    (told,) = (await desk.ask("GetVariables", getVariableData=[asked]))["getVariableResult"]
    assert told["attributeValue"] == "false"
    await start(desk)
    await box.until("RequestStartTransaction")
    shown = await box.say("Authorize", idToken=token())
    assert shown["idTokenInfo"]["status"] == "Accepted"
    await follow(box, "Started", state="Idle")
    is_of_the_start(await desk.event("Started"))
    await plug_in(box, desk)
    assert desk.told("Authorize") == []


@case("TC_F_03_CS")
async def test_a_start_before_the_cable_needs_no_more_cards(box: Charger, desk: Desk) -> None:
    await start(desk)
    await follow(box, "Started", state="Idle")
    is_of_the_start(await desk.event("Started"))
    await plug_in(box, desk)


async def plug_in(box: Charger, desk: Desk) -> None:
    """Energy flows once there is a cable."""
    await box.tell_status("Occupied")
    await desk.status("Occupied")
    await box.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await desk.event("Updated", "CablePluggedIn")
    await box.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    assert (await desk.event("Updated", "ChargingStateChanged"))["transactionInfo"]["chargingState"] == "Charging"


@case("TC_F_04_CS")
async def test_a_start_that_no_cable_follows_ends_by_time(box: Charger, desk: Desk) -> None:
    await start(desk)
    await follow(box, "Started", state="Idle")
    await box.event("Ended", "EVConnectTimeout", info={"stoppedReason": "Timeout"})
    ended = await desk.event("Ended")
    assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("EVConnectTimeout", "Timeout")
    assert ended["seqNo"] == 1


@case("TC_F_05_CS")
async def test_a_cable_is_not_released_while_a_transaction_runs(box: Charger, desk: Desk) -> None:
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    answer = await desk.ask("UnlockConnector", evseId=1, connectorId=1)
    assert answer["status"] == "OngoingAuthorizedTransaction"
    assert box.asked("UnlockConnector") == []


@case("TC_F_08_CS")
async def test_a_transaction_is_stopped_from_afar_by_its_own_id(box: Charger, desk: Desk) -> None:
    await start(desk)
    await follow(box, "Started", state="Charging", meterValue=wh(1000, BEGIN))
    started = (await desk.event("Started"))["transactionInfo"]["transactionId"]
    assert await desk.ask("RequestStopTransaction", transactionId=started) == {"status": "Accepted"}
    assert box.asked("RequestStopTransaction") == [{"transactionId": box.transaction}]
    await box.event("Ended", "RemoteStop", info={"stoppedReason": "Remote"}, meterValue=wh(2500))
    ended = await desk.event("Ended", "RemoteStop")
    assert ended["transactionInfo"]["stoppedReason"] == "Remote"
    assert ended["transactionInfo"]["transactionId"] == started


@case("TC_F_09_CS")
async def test_a_stop_of_an_id_that_is_none_is_rejected(box: Charger, desk: Desk) -> None:
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    answer = await desk.ask("RequestStopTransaction", transactionId="nobody's")
    assert answer["status"] == "Rejected"
    assert box.asked("RequestStopTransaction") == []


async def trigger(desk: Desk, message: str, evse: int = 0) -> dict[str, Any]:
    """What comes after the answer."""
    before, heard = len(desk.order), len(desk.calls)
    where = {"evse": {"id": evse}} if evse else {}
    assert await desk.ask("TriggerMessage", requestedMessage=message, **where) == {"status": "Accepted"}
    await desk.wait(lambda: any(action == message for action, _ in desk.calls[heard:]))
    assert desk.order[before:][:2] == ["answer to TriggerMessage", message]
    return desk.told(message)[-1]


@case("TC_F_11_CS")
async def test_readings_of_an_evse_are_told_when_they_are_asked_for(box: Charger, desk: Desk) -> None:
    await box.say("MeterValues", evseId=1, meterValue=wh(1234))
    await desk.until("MeterValues")
    told = await trigger(desk, "MeterValues", evse=1)
    assert told["evseId"] == 1
    sample = told["meterValue"][0]["sampledValue"][0]
    assert (sample["context"], sample["value"]) == ("Trigger", 1234)


@case("TC_F_13_CS")
async def test_the_transaction_of_an_evse_is_told_when_it_is_asked_for(box: Charger, desk: Desk) -> None:
    await box.charge()
    await box.event("Updated", "MeterValuePeriodic", info={"chargingState": "Charging"}, meterValue=wh(1500))
    await desk.event("Updated", "MeterValuePeriodic")
    told = await trigger(desk, "TransactionEvent", evse=1)
    assert (told["triggerReason"], told["eventType"]) == ("Trigger", "Updated")
    assert told["transactionInfo"]["chargingState"] == "Charging"
    assert told["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"
    assert told.get("evse", PLACE)["id"] == 1


@case("TC_F_20_CS")
async def test_a_heartbeat_is_sent_when_it_is_asked_for(box: Charger, desk: Desk) -> None:
    assert await trigger(desk, "Heartbeat") == {}


@case("TC_F_23_CS")
async def test_the_state_of_an_evse_is_told_when_it_is_asked_for(box: Charger, desk: Desk) -> None:
    asked = {"requestedMessage": "StatusNotification", "evse": {"id": 1, "connectorId": 1}}
    told = len(desk.told("StatusNotification"))
    assert await desk.ask("TriggerMessage", **asked) == {"status": "Accepted"}
    again = await desk.until("StatusNotification", number=told + 1)
    assert (again["evseId"], again["connectorId"], again["connectorStatus"]) == (1, 1, "Available")


@case("TC_F_26_CS")
async def test_a_boot_is_not_sent_again_to_a_csms_that_has_accepted_us(box: Charger, desk: Desk) -> None:
    answer = await desk.ask("TriggerMessage", requestedMessage="BootNotification")
    assert answer["status"] == "Rejected"
    assert len(desk.told("BootNotification")) == 1


@case("TC_F_27_CS")
async def test_a_message_that_is_not_ours_to_send_is_not_implemented(box: Charger, desk: Desk) -> None:
    answer = await desk.ask("TriggerMessage", requestedMessage="SignV2GCertificate")
    assert answer["status"] == "NotImplemented"
    assert "SignV2GCertificate" not in [asked["requestedMessage"] for asked in box.asked("TriggerMessage")]
