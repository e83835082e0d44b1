"""Transactions told to a service's CSMS: how they begin and how they end, with ids and numbers that are whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Desk
from tests.conformance.charger import BEGIN, CARD, END, Charger, token, wh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

THEIRS = 4711
"""The CSMS's id of a start from afar."""


async def authorized(box: Charger) -> None:
    answer = await box.say("Authorize", idToken=token())
    assert answer["idTokenInfo"]["status"] == "Accepted"


async def plugged(box: Charger) -> None:
    """A transaction begins with the cable."""
    await box.tell_status("Occupied")
    await box.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"}, meterValue=wh(1000, BEGIN))


async def flows(box: Charger) -> None:
    await box.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})


async def is_told_as(desk: Desk, *said: tuple[str, str]) -> list[dict[str, Any]]:
    """The CSMS has heard these events, in this order, of one transaction, numbered without a gap."""
    await desk.event(*said[-1])
    events = desk.told("TransactionEvent")
    assert [(told["eventType"], told["triggerReason"]) for told in events] == list(said)
    assert len({told["transactionInfo"]["transactionId"] for told in events}) == 1
    assert [told["seqNo"] for told in events] == list(range(len(said)))
    return events


async def ends(box: Charger, desk: Desk, trigger: str, reason: str, **more: Any) -> dict[str, Any]:
    """The transaction ends, and the CSMS hears of it as it was, with the register."""
    info = {"chargingState": more.pop("state", "Idle"), "stoppedReason": reason}
    await box.event("Ended", trigger, info=info, meterValue=wh(3000, END), **more)
    told = await desk.event("Ended", trigger)
    assert told["transactionInfo"].get("stoppedReason", "Local") == reason
    sample = told["meterValue"][-1]["sampledValue"][0]
    assert (sample["value"], sample["context"]) == (3000, END)
    return told


# How they begin


@case("TC_E_03_CS", "TC_E_09_CS")
async def test_what_begins_with_the_cable_is_told_from_there(box: Charger, desk: Desk) -> None:
    await plugged(box)
    await authorized(box)
    await box.event("Updated", "Authorized", idToken=token(), info={"chargingState": "EVConnected"})
    await flows(box)
    started, shown, charging = await is_told_as(
        desk, ("Started", "CablePluggedIn"), ("Updated", "Authorized"), ("Updated", "ChargingStateChanged")
    )
    assert started["transactionInfo"]["chargingState"] == "EVConnected"
    assert "idToken" not in started
    assert started["evse"] == {"id": 1, "connectorId": 1}
    assert started["meterValue"][0]["sampledValue"][0]["context"] == BEGIN
    assert shown["idToken"] == token()
    assert charging["transactionInfo"]["chargingState"] == "Charging"
    assert desk.told("Authorize") == [{"idToken": token()}]


@case("TC_E_04_CS", "TC_E_10_CS")
async def test_what_begins_with_the_card_is_told_from_there(box: Charger, desk: Desk) -> None:
    await authorized(box)
    await box.event("Started", "Authorized", idToken=token(), info={"chargingState": "Idle"})
    await box.tell_status("Occupied")
    await box.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await flows(box)
    started, *_ = await is_told_as(
        desk, ("Started", "Authorized"), ("Updated", "CablePluggedIn"), ("Updated", "ChargingStateChanged")
    )
    assert started["idToken"] == token()
    assert desk.order.index("Authorize") < desk.order.index("TransactionEvent")
    await desk.status("Occupied")


@case("TC_E_13_CS")
async def test_what_begins_from_afar_is_told_from_there(box: Charger, desk: Desk) -> None:
    start = {"idToken": token(), "remoteStartId": THEIRS, "evseId": 1}
    assert await desk.ask("RequestStartTransaction", **start) == {"status": "Accepted"}
    asked = await box.until("RequestStartTransaction")
    info = {"chargingState": "Idle", "remoteStartId": asked["remoteStartId"]}
    await box.event("Started", "RemoteStart", idToken=token(), info=info)
    await box.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    started, _ = await is_told_as(desk, ("Started", "RemoteStart"), ("Updated", "CablePluggedIn"))
    assert started["transactionInfo"]["remoteStartId"] == THEIRS
    assert started["idToken"] == token()


# How they end


@case("TC_E_05_CS", "TC_E_39_CS")
async def test_a_card_that_no_cable_follows_is_told_to_end_by_time(box: Charger, desk: Desk) -> None:
    await authorized(box)
    await box.event("Started", "Authorized", idToken=token(), info={"chargingState": "Idle"})
    await box.event("Ended", "EVConnectTimeout", info={"stoppedReason": "Timeout"})
    _, ended = await is_told_as(desk, ("Started", "Authorized"), ("Ended", "EVConnectTimeout"))
    assert ended["transactionInfo"]["stoppedReason"] == "Timeout"


@case("TC_E_14_CS")
async def test_the_end_by_the_cable_is_told(box: Charger, desk: Desk) -> None:
    await box.charge()
    await ends(box, desk, "EVCommunicationLost", "EVDisconnected")
    await box.tell_status("Available")
    await desk.status("Available")


@case("TC_E_15_CS")
async def test_the_end_by_the_card_is_told_with_the_card(box: Charger, desk: Desk) -> None:
    await box.charge()
    told = await ends(box, desk, "StopAuthorized", "Local", state="EVConnected", idToken=token())
    assert told["idToken"] == token()
    assert desk.told("Authorize") == [{"idToken": token()}]


@case("TC_E_16_CS", "TC_C_16_CS")
async def test_a_card_that_is_refused_when_it_charges_charges_no_more(box: Charger, desk: Desk) -> None:
    """The charger knew the card; the CSMS, hearing of the transaction, wants it no more (StopTxOnInvalidId)."""
    desk.answers["TransactionEvent"] = lambda told: (
        {"idTokenInfo": {"status": "Invalid"}} if told.get("idToken") else {}
    )
    await box.charge()
    asked = await box.until("RequestStopTransaction")
    assert asked == {"transactionId": box.transaction}
    await ends(box, desk, "Deauthorized", "DeAuthorized", state="EVConnected")


@case("TC_E_21_CS")
async def test_the_end_from_afar_is_told(box: Charger, desk: Desk) -> None:
    await box.charge()
    charging = await desk.event("Updated", "ChargingStateChanged")
    theirs = charging["transactionInfo"]["transactionId"]
    assert await desk.ask("RequestStopTransaction", transactionId=theirs) == {"status": "Accepted"}
    await box.until("RequestStopTransaction")
    told = await ends(box, desk, "RemoteStop", "Remote", state="EVConnected")
    assert told["transactionInfo"]["transactionId"] == theirs


# How they are


async def status(desk: Desk, **which: str) -> dict[str, Any]:
    return await desk.ask("GetTransactionStatus", **which)


async def charges(box: Charger, desk: Desk) -> str:
    """A transaction runs and everything of it is told; its id there."""
    await box.charge()
    charging = await desk.event("Updated", "ChargingStateChanged")
    return str(charging["transactionInfo"]["transactionId"])


async def keeps_waiting(desk: Desk, kind: str, trigger: str = "") -> None:
    """The next event comes to the CSMS, which does not answer it yet."""
    await desk.event(kind, trigger)
    assert desk.kept_waiting


@case("TC_E_28_CS")
async def test_a_transaction_that_is_none_neither_runs_nor_waits(box: Charger, desk: Desk) -> None:
    await charges(box, desk)
    desk.answers["TransactionEvent"] = None
    await box.event("Updated", "MeterValuePeriodic", info={"chargingState": "Charging"}, meterValue=wh(1500))
    await keeps_waiting(desk, "Updated", "MeterValuePeriodic")
    answer = await status(desk, transactionId="nobody's")
    assert answer == {"ongoingIndicator": False, "messagesInQueue": False}
    await desk.answer()


@case("TC_E_29_CS", "TC_E_33_CS", "TC_E_34_CS")
async def test_a_transaction_that_runs_is_told_to_run_and_whether_anything_waits(box: Charger, desk: Desk) -> None:
    theirs = await charges(box, desk)
    desk.answers["TransactionEvent"] = None
    await box.event("Updated", "MeterValuePeriodic", info={"chargingState": "Charging"}, meterValue=wh(1500))
    await keeps_waiting(desk, "Updated", "MeterValuePeriodic")
    assert await status(desk, transactionId=theirs) == {"ongoingIndicator": True, "messagesInQueue": True}
    assert await status(desk) == {"messagesInQueue": True}
    await desk.answer()
    await box.event("Updated", "MeterValuePeriodic", info={"chargingState": "Charging"}, meterValue=wh(1600))
    await desk.event("Updated", "MeterValuePeriodic", number=2)
    await box.say("Heartbeat")
    assert await status(desk, transactionId=theirs) == {"ongoingIndicator": True, "messagesInQueue": False}
    assert await status(desk) == {"messagesInQueue": False}


@case("TC_E_31_CS")
async def test_a_transaction_whose_end_waits_runs_no_more(box: Charger, desk: Desk) -> None:
    theirs = await charges(box, desk)
    desk.answers["TransactionEvent"] = None
    await box.unplug()
    await keeps_waiting(desk, "Ended")
    assert await status(desk, transactionId=theirs) == {"ongoingIndicator": False, "messagesInQueue": True}
    await desk.answer()


@case("TC_E_29_CS")
async def test_what_waits_of_one_transaction_does_not_wait_of_another(box: Charger, desk: Desk) -> None:
    before = await charges(box, desk)
    await box.unplug()
    await desk.status("Available")
    desk.answers["TransactionEvent"] = None
    await box.event("Started", "Authorized", idToken=token(CARD), info={"chargingState": "Idle"})
    await desk.event("Started", number=2)
    assert await status(desk, transactionId=before) == {"ongoingIndicator": False, "messagesInQueue": False}
    await desk.answer()
