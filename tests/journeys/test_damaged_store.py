"""The store is damaged, at the start or while cars charge: chargers notice nothing, and the house hears of it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.brokers import Broker
from tests.independent import CHARGERS, independent_charger
from tests.running import Running, Watcher, running


async def sessions(proxy: Running) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{proxy.http}/sessions")
    found: list[dict[str, Any]] = answer.json()["sessions"]
    return found


async def health(proxy: Running) -> tuple[int, list[str]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{proxy.http}/health")
    return answer.status_code, list(answer.json()["reasons"])


def destroy(file: Path) -> None:
    file.write_bytes(b"\x00\xff" * 5000)


def damage(file: Path) -> None:
    """From now on SQLite finds no sessions where they should be."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'session'")
        connection.execute("PRAGMA schema_version=1000")
        connection.commit()


@pytest.mark.parametrize("version", CHARGERS)
async def test_a_store_damaged_in_mid_session_costs_the_session_nothing(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    async with (
        running(tmp_path, broker) as proxy,
        Watcher.on(proxy) as watcher,
        independent_charger(proxy.chargers, version, "CP1") as charger,
    ):
        transaction = await charger.begin()
        charger.meter.register += 1500
        damage(tmp_path / "sessions.db")
        await charger.end()
        event = await watcher.document("bridge/event", lambda event: event["event"] == "store_replaced")
        await watcher.document("bridge/health", lambda told: any("set aside" in fault for fault in told["faults"]))
        (session,) = await sessions(proxy)
        status, reasons = await health(proxy)
    assert "set aside as sessions.db.damaged-" in event["message"]
    assert (session["transaction_id"], session["energy_kwh"]) == (str(transaction), 1.5)
    assert (status, reasons) == (503, [f"store: {event['message']}"])


async def test_all_that_was_going_on_is_in_the_store_that_took_the_place(tmp_path: Path, broker: Broker) -> None:
    async with (
        running(tmp_path, broker) as proxy,
        Watcher.on(proxy) as watcher,
        independent_charger(proxy.chargers, "1.6", "CP1") as first,
        independent_charger(proxy.chargers, "1.6", "CP2") as second,
    ):
        running_on = await first.begin()
        damage(tmp_path / "sessions.db")
        await second.begin()
        await watcher.document("bridge/event", lambda event: event["event"] == "store_replaced")
        first.meter.register += 700
    async with (
        running(tmp_path, broker) as proxy,
        independent_charger(proxy.chargers, "1.6", "CP1", boot=False) as charger,
    ):
        charger.meter, charger.transaction = first.meter, running_on
        await charger.end()
        found = {s["charger"]: s for s in await sessions(proxy)}
        assert found["CP1"]["energy_kwh"] == 0.7
        assert found["CP2"]["ended_at"] is None
        assert await health(proxy) == (200, [])


async def test_a_program_that_starts_with_a_damaged_store_serves_chargers_and_says_so(
    tmp_path: Path, broker: Broker
) -> None:
    destroy(tmp_path / "sessions.db")
    mqtt = {"base_topic": "damaged", "discovery_prefix": "damaged_ha"}
    async with (
        Watcher.at(broker, *mqtt.values()) as watcher,
        running(tmp_path, broker, mqtt=mqtt) as proxy,
        independent_charger(proxy.chargers, "1.6", "CP1") as charger,
    ):
        await charger.begin()
        event = await watcher.document("bridge/event", lambda event: event["event"] == "store_replaced")
        told = await watcher.document("bridge/health")
        assert told["faults"] == [f"store: {event['message']}"]
        assert len(await sessions(proxy)) == 1
