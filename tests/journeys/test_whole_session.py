"""A day at an independent charger of each version: by card and by remote, limited, paused, stopped, broken, mended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Running, Watcher

AT = "charger/CP1/connector/1"


@dataclass
class Garage:
    """A charger, what is seen of it, and what it is asked."""

    charger: Any
    watcher: Watcher
    service: Running
    version: str

    async def shows(self, metric: str, value: str) -> None:
        await self.watcher.value(f"{AT}/{metric}", value)

    async def does(self, verb: str, **arguments: Any) -> None:
        answer = await self.watcher.ask(f"charger/CP1/request/{verb}", **arguments)
        assert answer["status"] == "ok", answer

    async def charges(self, watt_hours: float) -> None:
        self.charger.meter.register += watt_hours
        await self.charger.tell_meter()

    async def ended(self, reason: str) -> None:
        await self.watcher.document("charger/CP1/event/transaction_ended", lambda event: event["reason"] == reason)

    async def sessions(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.service.http) as client:
            return list((await client.get("/sessions")).json()["sessions"])


@pytest.fixture(params=CHARGERS)
async def garage(request: pytest.FixtureRequest, proxy: Running, watcher: Watcher) -> AsyncIterator[Garage]:
    version = str(request.param)
    async with independent_charger(proxy.chargers, version, "CP1") as charger:
        yield Garage(charger, watcher, proxy, version)


async def test_a_day_at_a_charger(garage: Garage) -> None:
    await garage.watcher.document("charger/CP1/info", lambda info: info["ocpp_version"] == garage.version)
    await garage.shows("status", "available")

    await garage.charger.tell_status(PLUGGED[garage.version])
    await garage.shows("status", "preparing")
    await garage.charger.begin("04A1B2C3")
    await garage.shows("id_tag", "***C3")
    await garage.charges(1500)
    await garage.shows("power", "11040")
    await garage.shows("session_energy", "1.5")
    await garage.charger.end("Local")
    await garage.ended("local")

    await garage.does("start", id_tag="04A1B2C3", limit_amps=10)
    await garage.shows("status", "charging")
    await garage.charges(250)
    await garage.shows("power", "6900")
    await garage.does("limit", amps=8)
    await garage.charges(250)
    await garage.shows("power", "5520")
    await garage.does("pause")
    await garage.charges(0)
    await garage.shows("power", "0")
    await garage.does("resume")
    await garage.charges(500)
    await garage.shows("power", "5520")
    await garage.does("stop")
    await garage.ended("remote")

    await garage.charger.tell_status("Faulted", *(["GroundFailure"] if garage.version == "1.6" else []))
    await garage.shows("status", "faulted")
    await garage.watcher.document("charger/CP1/event/fault", lambda event: not event["cleared"])
    await garage.charger.tell_status("Available")
    await garage.shows("status", "available")

    by_remote, by_card = await garage.sessions()
    assert (by_card["energy_kwh"], by_card["reason"]) == (1.5, "local")
    assert (by_remote["energy_kwh"], by_remote["reason"]) == (1.0, "remote")


async def test_all_that_a_charger_of_21_tells_of_itself_is_told(proxy: Running, watcher: Watcher) -> None:
    async with independent_charger(proxy.chargers, "2.1", "CP1") as charger:
        battery = [{"evseId": 1, "serialNumber": "B7", "soC": 80.0, "soH": 97.0}]
        card = {"idToken": "04A1B2C3", "type": "ISO14443"}
        await charger.call(
            charger.asks.BatterySwap(battery_data=battery, event_type="BatteryIn", id_token=card, request_id=7),
            suppress=False,
        )
        told = await watcher.document("charger/CP1/event/notice")
        assert (told["action"], told["ocpp_version"]) == ("BatterySwap", "2.1")
        assert told["payload"]["batteryData"] == battery
        assert told["payload"]["idToken"]["idToken"] == "***C3"
