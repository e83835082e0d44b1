"""The simulated charger at the service: a car comes, charges as it is told to, and is accounted to the watt-hour."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.simulator.box import Box
from ocpp_mqtt_proxy.simulator.console import Console
from ocpp_mqtt_proxy.simulator.station import Pace, Station
from tests.program import program
from tests.running import PATIENCE, Running, Watcher

VERSIONS = [str(version) for version in DIALECTS]
QUICK = Pace(speed=120, tick=0.05, retry=0.05)
CONNECTOR = "charger/SIM1/connector/1"


@dataclass
class Driver:
    """Somebody at the simulated charger."""

    station: Station
    console: Console

    @property
    def box(self) -> Box:
        return self.station.box

    async def does(self, *lines: str) -> None:
        for line in lines:
            await self.console.do(line)


@contextlib.asynccontextmanager
async def driver_at(service: Running, version: str) -> AsyncIterator[Driver]:
    station = Station(Box(), DIALECTS[Version(version)], service.chargers, "SIM1", pace=QUICK)
    running = asyncio.create_task(station.run())
    try:
        await asyncio.wait_for(station.online.wait(), PATIENCE)
        yield Driver(station, Console(station, lambda _: None))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def driver(proxy: Running, watcher: Watcher, version: str) -> AsyncIterator[Driver]:
    async with driver_at(proxy, version) as somebody:
        await watcher.value(f"{CONNECTOR}/status", "available")
        yield somebody


async def sessions(service: Running) -> list[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=service.http) as client:
        return list((await client.get("/sessions")).json()["sessions"])


both = pytest.mark.parametrize("version", VERSIONS)


@both
async def test_a_car_charges_and_every_watt_hour_is_accounted(proxy: Running, watcher: Watcher, driver: Driver) -> None:
    before = round(driver.box.register)
    await driver.does("plug 40", "tap")
    await watcher.value(f"{CONNECTOR}/status", "charging")
    await watcher.value(f"{CONNECTOR}/power", "11040")
    await watcher.value(f"{CONNECTOR}/session_energy", lambda kwh: float(kwh) > 0.1)
    await driver.does("stop", "unplug")
    await watcher.document("charger/SIM1/event/transaction_ended")
    await watcher.value(f"{CONNECTOR}/status", "available")
    charged = round(driver.box.register) - before
    (session,) = await sessions(proxy)
    assert session["energy_kwh"] == charged / 1000
    assert (session["id_tag"], session["reason"]) == ("04A1B2C3", "local")


@both
async def test_the_owner_limits_pauses_and_stops_it(watcher: Watcher, driver: Driver) -> None:
    await driver.does("plug 40", "tap")
    await watcher.value(f"{CONNECTOR}/charging", "ON")
    await watcher.set("charger/SIM1/current_limit", 8)
    await watcher.value(f"{CONNECTOR}/power", str(8 * 3 * 230))
    assert driver.box.offered == 8
    await watcher.set("charger/SIM1/current_limit", 0)
    await watcher.value(f"{CONNECTOR}/status", "suspended_evse")
    assert driver.box.power == 0
    await watcher.set("charger/SIM1/current_limit", 16)
    await watcher.value(f"{CONNECTOR}/status", "charging")
    assert (await watcher.ask("charger/SIM1/request/stop"))["status"] == "ok"
    ended = await watcher.document("charger/SIM1/event/transaction_ended")
    assert ended["reason"] == "remote"


@both
async def test_the_owner_starts_it_with_a_limit(watcher: Watcher, driver: Driver) -> None:
    await driver.does("plug 40")
    await watcher.value(f"{CONNECTOR}/status", lambda status: status != "available")
    assert (await watcher.ask("charger/SIM1/request/start", limit_amps=7))["status"] == "ok"
    await watcher.value(f"{CONNECTOR}/power", str(7 * 3 * 230))


@both
async def test_what_it_charges_offline_is_accounted_when_it_comes_back(
    proxy: Running, watcher: Watcher, driver: Driver
) -> None:
    before = round(driver.box.register)
    await driver.does("plug 40", "tap")
    await watcher.value(f"{CONNECTOR}/charging", "ON")
    await driver.does("offline 0.5")
    await watcher.value("charger/SIM1/availability", "offline")
    driver.box.register += 1500
    await driver.does("stop", "unplug", "plug 10")
    await watcher.value("charger/SIM1/availability", "online")
    await watcher.document("charger/SIM1/event/transaction_ended")
    (session,) = await sessions(proxy)
    assert session["energy_kwh"] == pytest.approx((round(driver.box.register) - before) / 1000, abs=0.001)


@both
async def test_a_fault_shows_and_its_end_too(watcher: Watcher, driver: Driver) -> None:
    await driver.does("fault GroundFailure")
    await watcher.value(f"{CONNECTOR}/status", "faulted")
    await driver.does("clear")
    await watcher.value(f"{CONNECTOR}/status", "available")


@both
async def test_a_reset_brings_it_back(watcher: Watcher, driver: Driver) -> None:
    boots = len(watcher.all[f"{watcher.base}/charger/SIM1/event/boot"])
    assert (await watcher.ask("charger/SIM1/request/reset", type="hard"))["status"] == "ok"
    await watcher.until(lambda: len(watcher.all[f"{watcher.base}/charger/SIM1/event/boot"]) > boots)
    await watcher.value("charger/SIM1/availability", "online")


@both
async def test_a_show_runs_unattended_until_it_is_told_to_end(proxy: Running, watcher: Watcher, version: str) -> None:
    arguments = ["--url", proxy.chargers, "--version", version, "--speed", "600", "--show"]
    async with program("simulate", *arguments) as process:
        assert process.stdin is not None
        process.stdin.close()
        await watcher.value(f"{CONNECTOR}/charging", "ON")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            output, errors = await process.communicate()
    assert (process.returncode, output) == (0, b"")
    assert b"Traceback" not in errors
