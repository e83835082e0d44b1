"""Metering: readings by the clock and by the interval, in transactions and outside them."""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import BEGIN, END, Charger, wh
from tests.conformance.house import Home

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOCK = "Sample.Clock"


@case("TC_J_01_CSMS")
async def test_readings_by_the_clock_are_taken_while_nothing_charges(charger: Charger, home: Home) -> None:
    for register in (1000, 1001, 1002):
        for evse in (0, 1):
            assert await charger.say("MeterValues", evseId=evse, meterValue=wh(register, CLOCK)) == {}
    await home.shows("energy", "1.002")
    assert (await home.hears("meter", connector=1))["context"] == CLOCK
    assert home.heard("transaction_started") == 0


@case("TC_J_02_CSMS")
async def test_readings_by_the_clock_are_taken_in_a_transaction(charger: Charger, home: Home) -> None:
    await charger.charge(register=1000)
    for register in (1200, 1400, 1600):
        assert await charger.say("MeterValues", evseId=0, meterValue=wh(register, CLOCK)) == {}
        info = {"chargingState": "Charging"}
        await charger.event("Updated", "MeterValueClock", info=info, meterValue=wh(register, CLOCK))
    await home.shows("session_energy", "0.6")


@case("TC_J_07_CSMS")
async def test_a_transaction_begins_at_the_register_that_it_tells(charger: Charger, home: Home) -> None:
    await charger.tell_status("Occupied")
    info = {"chargingState": "EVConnected"}
    await charger.event("Started", "CablePluggedIn", info=info, meterValue=wh(12_345, BEGIN))
    assert (await home.hears("transaction_started"))["meter_start"] == 12_345


@case("TC_J_09_CSMS")
async def test_readings_at_intervals_are_shown_as_the_session_s_energy(charger: Charger, home: Home) -> None:
    await charger.charge(register=1000)
    for register, shown in ((1100, "0.1"), (1250, "0.25"), (1500, "0.5")):
        await charger.event("Updated", "MeterValuePeriodic", meterValue=wh(register))
        await home.shows("session_energy", shown)
        await home.shows("energy", str(register / 1000))


@case("TC_J_10_CSMS")
async def test_the_last_of_the_readings_at_the_end_is_the_end(charger: Charger, home: Home) -> None:
    await charger.charge(register=1000)
    readings = [*wh(1000, BEGIN), *wh(1800), *wh(2600), *wh(3000, END)]
    info = {"chargingState": "Idle", "stoppedReason": "EVDisconnected"}
    await charger.event("Ended", "EVCommunicationLost", info=info, meterValue=readings)
    ended = await home.hears("transaction_ended")
    assert (ended["meter_stop"], ended["energy_kwh"]) == (3000, 2.0)
