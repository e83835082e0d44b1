"""Boots towards a service's CSMS: accepted, put off, rejected, after a reset, and after an outage."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ocpp_mqtt_proxy.services.redial import FIRST, MOST, SPREAD, Redial
from tests.conformance.cases import case
from tests.conformance.central import V2, Desk, Served, boots
from tests.conformance.charger import END, Charger, Unable, now, token, wh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

THRESHOLD = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}
START = {"idToken": token(), "remoteStartId": 7, "evseId": 1}


async def comes(box: Charger) -> None:
    """A charger of two EVSEs."""
    await box.boot()
    await box.tell_status("Available")
    second = {"evseId": 2, "connectorId": 1, "connectorStatus": "Available"}
    await box.say("StatusNotification", timestamp=now(), **second)


def evses(desk: Desk) -> set[int]:
    """Those whose states were told."""
    return {int(told["evseId"]) for told in desk.told("StatusNotification")} - {0}


@case("TC_B_01_CS")
async def test_once_accepted_we_tell_every_state_and_beat_as_it_said(
    served: Served, early: Desk, charger_id: str
) -> None:
    early.answers["BootNotification"] = boots(("Accepted", 1))
    async with Charger.at(served.chargers, served.central.version, charger_id) as box:
        await comes(box)
        await early.wait(lambda: evses(early) == {1, 2})
        told = early.told("BootNotification")[0]
        assert (told["reason"], told["chargingStation"]["vendorName"]) == ("PowerUp", "Acme")
        assert early.order[0] == "BootNotification"
        assert {one["connectorStatus"] for one in early.told("StatusNotification")} == {"Available"}
        await early.until("Heartbeat")


@case("TC_B_02_CS")
async def test_while_it_has_us_wait_it_may_look_and_set_and_start_nothing(
    served: Served, early: Desk, charger_id: str
) -> None:
    early.answers["BootNotification"] = boots(("Pending", 300))
    async with Charger.at(served.chargers, served.central.version, charger_id) as box:
        await comes(box)
        await early.until("BootNotification")
        await looks_and_sets(early)
        assert (await early.ask("RequestStartTransaction", **START))["status"] == "Rejected"
        assert box.asked("RequestStartTransaction") == []
        assert {action for action, _ in early.calls} == {"BootNotification", "NotifyReport"}
        early.answers["BootNotification"] = boots(("Accepted", 300))
        assert (await early.ask("TriggerMessage", requestedMessage="BootNotification"))["status"] == "Accepted"
        await early.wait(lambda: evses(early) == {1, 2})
        assert [told["reason"] for told in early.told("BootNotification")] == ["PowerUp", "Triggered"]


async def looks_and_sets(desk: Desk) -> None:
    """It sets a variable, reads it, and has the whole device model."""
    (became,) = (await desk.ask("SetVariables", setVariableData=[{**THRESHOLD, "attributeValue": "300"}]))[
        "setVariableResult"
    ]
    (read,) = (await desk.ask("GetVariables", getVariableData=[THRESHOLD]))["getVariableResult"]
    assert (became["attributeStatus"], read["attributeStatus"]) == ("Accepted", "Accepted")
    assert read["attributeValue"] == "300"
    assert (await desk.ask("GetBaseReport", requestId=9, reportBase="FullInventory"))["status"] == "Accepted"
    last = await desk.until("NotifyReport", lambda told: not told.get("tbc"))
    parts = desk.told("NotifyReport")
    assert [part["seqNo"] for part in parts] == list(range(len(parts)))
    assert last["requestId"] == 9


@case("TC_B_03_CS", "TC_B_30_CS")
async def test_one_that_rejects_us_hears_and_may_do_nothing_for_as_long_as_it_says(
    served: Served, early: Desk, charger_id: str
) -> None:
    early.answers["BootNotification"] = boots(("Rejected", 1), ("Accepted", 300))
    async with Charger.at(served.chargers, served.central.version, charger_id) as box:
        await comes(box)
        await early.until("BootNotification")
        report = {"requestId": 9, "reportBase": "FullInventory"}
        assert await early.demand("GetBaseReport", report) == Unable("SecurityError")
        assert [action for action, _ in early.calls] == ["BootNotification"]
        await early.wait(lambda: evses(early) == {1, 2})
        assert [action for action, _ in early.calls][:2] == ["BootNotification", "BootNotification"]


# Resets


@case("TC_B_20_CS")
async def test_an_idle_charger_is_reset_and_boots_for_that_reason(box: Charger, desk: Desk) -> None:
    assert (await desk.ask("Reset", type="OnIdle"))["status"] == "Accepted"
    assert box.asked("Reset") == [{"type": "OnIdle"}]
    await reboots(box, desk)


async def reboots(box: Charger, desk: Desk) -> None:
    """The charger boots because of a reset, and the CSMS hears of it and then of states."""
    before = len(desk.order)
    await box.boot("RemoteReset")
    await box.tell_status("Available")
    told = await desk.until("BootNotification", lambda told: told["reason"] == "RemoteReset")
    assert told["chargingStation"]["model"] == "Box"
    await desk.wait(
        lambda: "StatusNotification" in desk.order[before:][desk.order[before:].index("BootNotification") :]
    )
    await desk.status("Available")


@case("TC_B_21_CS")
async def test_a_reset_waits_for_the_end_of_a_transaction(box: Charger, desk: Desk) -> None:
    box.answers["Reset"] = {"status": "Scheduled"}
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    assert (await desk.ask("Reset", type="OnIdle"))["status"] == "Scheduled"
    await box.unplug()
    await desk.event("Ended", "EVCommunicationLost")
    await reboots(box, desk)


@case("TC_B_22_CS")
async def test_a_reset_at_once_ends_a_transaction(box: Charger, desk: Desk) -> None:
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    assert (await desk.ask("Reset", type="Immediate"))["status"] == "Accepted"
    assert box.asked("Reset") == [{"type": "Immediate"}]
    info = {"chargingState": "EVConnected", "stoppedReason": "ImmediateReset"}
    await box.event("Ended", "ResetCommand", info=info, meterValue=wh(2000, END))
    told = await desk.event("Ended")
    assert (told["triggerReason"], told["transactionInfo"]["stoppedReason"]) == ("ResetCommand", "ImmediateReset")
    await reboots(box, desk)


# Outages


@case("TC_B_51_CS", "TC_B_57_CS")
async def test_after_an_outage_we_are_back_and_tell_every_state(served: Served, early: Desk, charger_id: str) -> None:
    async with Charger.at(served.chargers, served.central.version, charger_id) as box:
        await comes(box)
        await early.wait(lambda: evses(early) == {1, 2})
        await served.central.close()
        await box.tell_status("Occupied")
        early.calls.clear()
        await served.central.open()
        await early.wait(lambda: evses(early) == {1, 2})
        assert (await early.status("Occupied"))["evseId"] == 1
        assert early.calls[0][0] == "BootNotification"


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
@case("TC_B_57_CS")
async def test_it_is_dialled_again_after_waits_that_double_up_to_a_bound(served: Served, chance: float) -> None:
    """As it is told by RetryBackOffWaitMinimum, RetryBackOffRepeatTimes and RetryBackOffRandomRange (Part 4 §5.3)."""
    redial = Redial(lambda: chance)
    waits = [redial.wait() for _ in range(12)]
    assert FIRST <= waits[0] <= FIRST * (1 + SPREAD)
    assert all(later == pytest.approx(2 * earlier) for earlier, later in pairwise(waits[:6]))
    assert waits == sorted(waits)
    assert max(waits) <= MOST
