"""The proxy is killed: chargers whose clocks go on fall back to the safe current, whoever made them."""

from __future__ import annotations

from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from tests.brokers import Broker
from tests.journeys.limits import KINDS, Charger, Shifted, charger_at, options
from tests.program import service
from tests.running import Watcher

ALL = {f"CP{number}": kind for number, kind in enumerate(KINDS, 1)}


@asynccontextmanager
async def a_street(folder: Path, broker: Broker, clock: Shifted) -> AsyncIterator[tuple[Process, list[Charger]]]:
    """A charger of each kind, that charges at 20 A as its owner wants it, and the proxy's process."""
    async with AsyncExitStack() as stack:
        given = options(chargers=[{"id": one} for one in ALL])
        process, wanted = await stack.enter_async_context(service(folder, broker, **given))
        trees = (wanted["mqtt"]["base_topic"], wanted["mqtt"]["discovery_prefix"])
        owner = await stack.enter_async_context(Watcher.at(broker, *trees))
        url = f"ws://127.0.0.1:{wanted['http']['port']}/charger"
        there = [await stack.enter_async_context(charger_at(url, *kind, clock, one)) for one, kind in ALL.items()]
        for one, charger in zip(ALL, there, strict=True):
            await charges_at_20(charger, owner, one)
        yield process, there


async def charges_at_20(charger: Charger, owner: Watcher, charger_id: str) -> None:
    """It charges, and is limited by the owner."""
    await charger.begin()
    await owner.value(f"charger/{charger_id}/connector/1/charging", "ON")
    await owner.set(f"charger/{charger_id}/current_limit", 20)
    await owner.value(f"charger/{charger_id}/current_limit", "20")


async def test_chargers_fall_back_to_the_safe_current_once_the_proxy_is_dead(tmp_path: Path, broker: Broker) -> None:
    clock = Shifted()
    async with a_street(tmp_path, broker, clock) as (process, chargers):
        process.kill()
        await process.wait()
        for minutes, amps in ((14, 20), (2, 6)):
            clock.ahead += timedelta(minutes=minutes)
            for charger in chargers:
                await charger.gives(amps)
