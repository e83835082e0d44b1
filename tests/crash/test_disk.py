"""The disk takes nothing while chargers charge: all are answered, and when it is well again everything is on it."""

from __future__ import annotations

import asyncio
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest
import pytest_asyncio

from tests.brokers import Broker
from tests.crash.house import House, house
from tests.crash.lives import Zygote
from tests.running import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zygote() -> AsyncIterator[Zygote]:
    async with Zygote.loaded() as loaded:
        yield loaded


def let_files_grow(home: House, most: int) -> None:
    """Have no file of the program grow beyond a size: a write that would fails, as on a disk that is full."""
    assert home.lives.pid is not None
    resource.prlimit(home.lives.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


async def health(home: House) -> tuple[int, list[str]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{home.http}/health")
    reasons: list[str] = answer.json()["reasons"]
    return answer.status_code, reasons


async def bridge_event(home: House, broker: Broker, kind: str) -> dict[str, Any]:
    """The next event of this kind that the proxy tells of itself."""
    async with asyncio.timeout(PATIENCE), aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(f"{home.base}/bridge/event", qos=1)
        home.ready.set()
        async for message in client.messages:
            document: dict[str, Any] = json.loads(bytes(message.payload))
            if document["event"] == kind:
                return document
    raise AssertionError


async def test_a_disk_that_is_full_costs_errors_and_nothing_else(
    zygote: Zygote, tmp_path: Path, broker: Broker
) -> None:
    async with house(zygote, tmp_path, 5, broker) as home:
        await home.lives.begin()
        await home.charged(3)
        failed = asyncio.create_task(bridge_event(home, broker, "store_failed"))
        await home.ready.wait()
        let_files_grow(home, 0)
        assert (await failed)["message"]
        await home.refused(3)
        status, reasons = await health(home)
        assert (status, [reason.startswith("store: ") for reason in reasons]) == (503, [True])
        let_files_grow(home, resource.RLIM_INFINITY)
        await home.charged(3)
        assert await health(home) == (200, [])
        await home.drain()
        assert await home.lives.stop() == 0
        home.look()
        assert home.deviations == []
