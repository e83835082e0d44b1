"""The proxy is killed: chargers whose clocks go on fall back to the safe current, whoever made them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

from tests.brokers import Broker
from tests.journeys.limits import KINDS, Charger, Shifted, charger_at, options
from tests.program import service
from tests.running import Watcher


async def charges_at_20(charger: Charger, owner: Watcher, charger_id: str) -> None:
    """It charges, and is limited by the owner."""
    await charger.begin()
    await owner.value(f"charger/{charger_id}/connector/1/charging", "ON")
    await owner.set(f"charger/{charger_id}/current_limit", 20)
    await owner.value(f"charger/{charger_id}/current_limit", "20")


async def test_chargers_fall_back_to_the_safe_current_once_the_proxy_is_dead(tmp_path: Path, broker: Broker) -> None:
    clock = Shifted()
    ids = [f"CP{number}" for number, _ in enumerate(KINDS, 1)]
    async with AsyncExitStack() as stack:
        process, wanted = await stack.enter_async_context(
            service(tmp_path, broker, **options(chargers=[{"id": one} for one in ids]))
        )
        trees = (wanted["mqtt"]["base_topic"], wanted["mqtt"]["discovery_prefix"])
        owner = await stack.enter_async_context(Watcher.at(broker, *trees))
        url = f"ws://127.0.0.1:{wanted['http']['port']}/charger"
        there = [
            await stack.enter_async_context(charger_at(url, kind, version, clock, one))
            for one, (kind, version) in zip(ids, KINDS, strict=True)
        ]
        for one, charger in zip(ids, there, strict=True):
            await charges_at_20(charger, owner, one)
        process.kill()
        await process.wait()
        clock.ahead += timedelta(minutes=14)
        for charger in there:
            await charger.gives(20)
        clock.ahead += timedelta(minutes=2)
        for charger in there:
            await charger.gives(6)
