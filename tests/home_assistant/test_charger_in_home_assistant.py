"""An independent charger in a real Home Assistant: it appears, is followed, and obeys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.home_assistant.home import Home
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Running


def garage(house: Running, version: str) -> AbstractAsyncContextManager[Any]:
    """A charger whose id tells its version, so that each has a device of its own."""
    return independent_charger(house.chargers, version, f"garage{version.replace('.', '')}")


def name(kind: str, version: str, key: str) -> str:
    return f"{kind}.garage{version.replace('.', '')}_{key}"


@pytest.mark.parametrize("version", CHARGERS)
async def test_a_charger_appears_by_itself_and_is_followed(house: Running, home: Home, version: str) -> None:
    async with garage(house, version) as charger:
        await home.until(name("sensor", version, "status"), "available")
        await charger.tell_status(PLUGGED[version])
        await home.until(name("binary_sensor", version, "plugged_in"), "on")
        await charger.begin()
        await home.until(name("sensor", version, "status"), "charging")
        charger.meter.register += 1500
        await charger.tell_meter()
        await home.until(name("sensor", version, "power"), lambda state: float(state) == 11040)
        await home.until(name("sensor", version, "session_energy"), lambda state: float(state) == 1.5)
        await home.until(name("sensor", version, "energy"), lambda state: float(state) == 251.5)
        for line in (1, 2, 3):
            await home.until(name("sensor", version, f"current_l{line}"), lambda state: float(state) == 16)
            await home.until(name("sensor", version, f"voltage_l{line}"), lambda state: float(state) == 230)
        await charger.end()
        await home.until(name("switch", version, "charging"), "off")
        await home.until(name("event", version, "session_event"), lambda state: state not in ("unknown", "unavailable"))
    await home.until(name("binary_sensor", version, "connected"), "off")


def is_amps(amps: float) -> Callable[[str], bool]:
    return lambda state: float(state) == amps


@pytest.mark.parametrize("version", CHARGERS)
async def test_the_switch_stops_and_starts_and_the_number_limits(house: Running, home: Home, version: str) -> None:
    switch, number = name("switch", version, "charging"), name("number", version, "current_limit")
    async with garage(house, version) as charger:
        await charger.tell_status(PLUGGED[version])
        await charger.begin()
        await home.until(switch, "on")
        for wanted, becomes in ((10.3, 10.3), (5.9, 0), (10, 10)):
            await home.call("number.set_value", number, value=wanted)
            await home.until(number, is_amps(becomes))
            assert charger.meter.offered == becomes
        await home.call("switch.turn_off", switch)
        await home.until(switch, "off")
        assert charger.transaction is None
        await home.call("switch.turn_on", switch)
        await home.until(switch, "on")
        assert charger.transaction is not None


@pytest.mark.parametrize("version", CHARGERS)
async def test_a_faulted_connector_stays_to_be_seen(house: Running, home: Home, version: str) -> None:
    async with garage(house, version) as charger:
        await charger.tell_status("Available")
        await home.until(name("binary_sensor", version, "problem"), "off")
        await charger.tell_status("Faulted")
        await home.until(name("binary_sensor", version, "problem"), "on")
        assert (await home.until(name("sensor", version, "status"), "faulted"))["state"] == "faulted"
        assert home.states[name("switch", version, "charging")]["state"] != "unavailable"


async def test_the_energy_dashboard_takes_the_energy_sensor(house: Running, home: Home) -> None:
    energy = name("sensor", "1.6", "energy")
    async with garage(house, "1.6") as charger:
        await charger.tell_meter()
        await home.until(energy, lambda state: state not in ("unknown", "unavailable"))
        await home.ask("energy/save_prefs", device_consumption=[{"stat_consumption": energy}])
        found = (await home.ask("energy/validate"))["device_consumption"]
        # Statistics are compiled every five minutes; until then that alone is missing.
        wrong = [issue for issues in found for issue in issues if issue["type"] != "statistics_not_defined"]
        assert wrong == []


async def test_a_charger_that_is_forgotten_leaves_home_assistant(house: Running, home: Home) -> None:
    async with independent_charger(house.chargers, "1.6", "passing") as charger:
        await charger.tell_status("Available")
        await home.until("sensor.passing_status", "available")
    await house.app.hub.forget("passing")
    await home.until_gone("sensor.passing_status")


async def test_a_second_connector_gives_each_a_device_of_its_own(house: Running, home: Home) -> None:
    async with independent_charger(house.chargers, "1.6", "twin") as charger:
        await charger.tell_status("Available")
        await home.until("sensor.twin_status", "available")
        await charger.tell_status("Preparing", connector_id=2)
        await home.until("sensor.twin_connector_2_status", "preparing")
        await charger.tell_status("Available")
        devices = {device["name"] for device in await home.ask("config/device_registry/list")}
        assert {"twin", "twin connector 1", "twin connector 2"} <= devices
        entities = {e["unique_id"]: e["entity_id"] for e in await home.ask("config/entity_registry/list")}
        (first,) = [entity for unique, entity in entities.items() if unique.endswith("twin--c1_status")]
        await home.until(first, "available")


async def test_home_assistant_has_nothing_to_complain_of(house: Running, home: Home) -> None:
    """The last in this file: by now everything above has passed through its log."""
    async with garage(house, "1.6") as charger:
        await charger.tell_status("Available")
        await home.until(name("sensor", "1.6", "status"), "available")
    assert await home.complaints("ocpp", "garage", "passing", "twin", "discovery message") == []
