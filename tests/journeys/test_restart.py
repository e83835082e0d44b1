"""A session goes on over a stop and over a kill, and nothing of it is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.brokers import Broker
from tests.independent import CHARGERS, independent_charger
from tests.program import service
from tests.running import Watcher, running

pytestmark = pytest.mark.parametrize("version", CHARGERS)


def take_over(charger: Any, before: Any) -> None:
    """The same charger on a new socket: its meter and its transaction go on."""
    charger.meter, charger.transaction = before.meter, before.transaction
    if hasattr(before, "sequence"):
        charger.sequence = before.sequence


def trees(version: str) -> dict[str, str]:
    name = version.replace(".", "")
    return {"base_topic": f"restart{name}", "discovery_prefix": f"restart_ha{name}"}


def numbers(watcher: Watcher) -> list[int]:
    """The numbers of all events that were told, in order."""
    events = (json.loads(text) for topic, texts in watcher.all.items() if "/event/" in topic for text in texts)
    return sorted({event["seq"] for event in events if "seq" in event})


async def sessions(http: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{http}/sessions")
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found


async def test_a_session_goes_on_over_a_restart_to_the_watt_hour(tmp_path: Path, broker: Broker, version: str) -> None:
    mqtt = trees(version)
    async with Watcher.at(broker, mqtt["base_topic"], mqtt["discovery_prefix"]) as watcher:
        async with (
            running(tmp_path, broker, mqtt=mqtt) as proxy,
            independent_charger(proxy.chargers, version, "CP1") as before,
        ):
            transaction = await before.begin()
            before.meter.register += 1234
            await before.tell_meter()
            await watcher.value("charger/CP1/connector/1/session_energy", "1.234")
            (first,) = await sessions(proxy.http)
        before.meter.register += 500
        async with (
            running(tmp_path, broker, mqtt=mqtt) as proxy,
            independent_charger(proxy.chargers, version, "CP1", boot=False) as charger,
        ):
            await watcher.value("charger/CP1/availability", "online")
            take_over(charger, before)
            await charger.boot()
            await charger.tell_meter()
            await watcher.value("charger/CP1/connector/1/session_energy", "1.734")
            charger.meter.register += 22
            await charger.end()
            (session,) = await sessions(proxy.http)
            await watcher.document("charger/CP1/event/transaction_ended")
        await watcher.value("bridge/state", "offline")
        told = numbers(watcher)
    assert session["session_id"] == first["session_id"]
    assert session["transaction_id"] == first["transaction_id"] == str(transaction)
    assert (session["energy_kwh"], session["meter_stop"] - session["meter_start"]) == (1.756, 1756)
    assert session["started_at"] == first["started_at"]
    assert told == list(range(1, len(told) + 1))


async def test_a_session_goes_on_though_the_program_was_killed(tmp_path: Path, broker: Broker, version: str) -> None:
    async with service(tmp_path, broker) as (process, given):
        chargers = f"ws://127.0.0.1:{given['http']['port']}/charger"
        async with independent_charger(chargers, version, "CP1") as before:
            transaction = await before.begin()
            process.kill()
            await process.wait()
    before.meter.register += 2000
    async with service(tmp_path, broker) as (_, given):
        http = f"127.0.0.1:{given['http']['port']}"
        async with independent_charger(f"ws://{http}/charger", version, "CP1", boot=False) as charger:
            take_over(charger, before)
            await charger.boot()
            await charger.end()
        (session,) = await sessions(f"http://{http}")
    assert session["transaction_id"] == str(transaction)
    assert (session["energy_kwh"], session["id_tag"]) == (2.0, "04A1B2C3")
    assert session["ended_at"] is not None
