"""Provisioning: boots, resets and what they mean for transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import Charger, wh
from tests.conformance.house import Home, House

pytestmark = pytest.mark.asyncio(loop_scope="module")


@case("TC_B_01_CSMS")
async def test_a_boot_is_answered_with_the_time_and_an_interval(house: House, version: str, charger_id: str) -> None:
    async with Charger.at(house.chargers, version, charger_id) as charger:
        answer = await charger.boot()
        assert (answer["status"], answer["interval"]) == ("Accepted", 300)
        told = datetime.fromisoformat(answer["currentTime"])
        assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)
        await charger.tell_status("Available")
        assert "currentTime" in await charger.say("Heartbeat")


async def test_a_charger_that_comes_without_a_boot_is_heard_and_asked_for_one(
    house: House, home: Home, version: str, charger_id: str
) -> None:
    async with Charger.at(house.chargers, version, charger_id) as charger:
        await charger.tell_status("Available")
        await home.shows("status", "available")
        assert await charger.until("TriggerMessage") == {"requestedMessage": "BootNotification"}
        assert (await charger.boot("Triggered"))["status"] == "Accepted"
        await home.hears("boot", reason="triggered")


@case("TC_B_20_CSMS")
async def test_an_idle_charger_restarts_when_it_is_asked_and_is_taken_back(charger: Charger, home: Home) -> None:
    await home.does("reset", type="soft")
    assert charger.asked("Reset") == [{"type": "OnIdle"}]
    assert (await charger.boot("RemoteReset"))["status"] == "Accepted"
    await charger.tell_status("Available")
    assert (await home.hears("boot", reason="remote_reset"))["vendor"] == "Acme"


@case("TC_B_21_CSMS")
async def test_a_restart_that_is_put_off_lets_the_transaction_end_first(charger: Charger, home: Home) -> None:
    charger.answers["Reset"] = {"status": "Scheduled"}
    await charger.charge()
    result = await home.does("reset", type="soft")
    assert (charger.asked("Reset"), result["charger_status"]) == ([{"type": "OnIdle"}], "Scheduled")
    await home.shows("charging", "ON")
    await charger.event("Updated", "StopAuthorized", info={"chargingState": "EVConnected"})
    await charger.unplug(register=3000)
    assert (await home.hears("transaction_ended"))["energy_kwh"] == 2.0
    assert (await charger.boot("ScheduledReset"))["status"] == "Accepted"
    await home.hears("boot", reason="scheduled_reset")


@case("TC_B_22_CSMS")
async def test_a_restart_at_once_ends_the_transaction_and_then_boots(charger: Charger, home: Home) -> None:
    await charger.charge()
    await home.does("reset", type="hard")
    assert charger.asked("Reset") == [{"type": "Immediate"}]
    info = {"chargingState": "EVConnected", "stoppedReason": "ImmediateReset"}
    await charger.event("Ended", "ResetCommand", info=info, meterValue=wh(2000))
    ended = await home.hears("transaction_ended")
    assert (ended["energy_kwh"], ended["reason"]) == (1.0, "immediate_reset")
    assert (await charger.boot("RemoteReset"))["status"] == "Accepted"
    await charger.tell_status("Occupied")
    await home.shows("status", "finishing")
    assert home.heard("transaction_ended") == 1
