"""Services added, changed and taken out while everything runs: the others notice nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.independent import independent_charger
from tests.independent_csms import Csms, csms_of
from tests.journeys.billing import greeted, over, service
from tests.running import Running, Watcher, running


@dataclass
class House:
    """A proxy with one service, beside a CSMS that is none yet; its configuration is a file."""

    proxy: Running
    watcher: Watcher
    charger: Any
    first: Csms
    second: Csms
    file: Path

    async def reload(self, *services: dict[str, Any], **keys: Any) -> dict[str, Any]:
        """Write other services into the configuration, and have it read again."""
        options = json.loads(self.file.read_text()) | {"ocpp_services": list(services)} | keys
        self.file.write_text(json.dumps(options))
        return await self.watcher.ask("bridge/request/reload_services")

    async def state(self, name: str, state: str) -> None:
        await self.watcher.value(f"service/{name}/state", state)


@pytest.fixture
async def house(tmp_path: Path, broker: Broker) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(csms_of(version)) for version in ("1.6", "2.0.1")]
        services = [service(first, id="first")]
        proxy = await stack.enter_async_context(running(tmp_path, broker, ocpp_services=services))
        watcher = await stack.enter_async_context(Watcher.on(proxy))
        charger = await stack.enter_async_context(independent_charger(proxy.chargers, "1.6", "CP1"))
        await greeted(first)
        yield House(proxy, watcher, charger, first, second, tmp_path / "options.json")


async def test_one_is_added_and_hears_of_the_session_under_way(house: House) -> None:
    await house.charger.begin()
    answer = await house.reload(service(house.first, id="first"), service(house.second, id="second"))
    assert (answer["status"], answer["result"]["added"]) == ("ok", ["second"])
    await house.state("second", "online")
    house.charger.meter.register += 500
    await house.charger.end()
    await over(house.first)
    await over(house.second)
    assert (house.first.visits, house.first.faults, house.second.faults) == (1, [], [])


async def test_one_is_taken_out_with_its_topics(house: House) -> None:
    await house.reload(service(house.first, id="first"), service(house.second, id="second"))
    await house.state("second", "online")
    assert (await house.reload(service(house.first, id="first")))["result"]["removed"] == ["second"]
    gone = f"{house.proxy.base}/service/second/state"
    await house.watcher.until(lambda: gone not in house.watcher.last)
    assert house.first.visits == 1


async def test_one_that_moves_is_dialled_where_it_is_now(house: House) -> None:
    answer = await house.reload(service(house.second, id="first"))
    assert answer["result"]["changed"] == ["first"]
    await greeted(house.second)
    await house.state("first", "online")


async def test_its_rules_change_without_another_link(house: House) -> None:
    rules = [{"id": "first", "roles": ["transactions", "management"]}]
    answer = await house.reload(service(house.first, id="first"), providers=rules)
    assert answer["result"]["changed"] == ["first"]
    assert (answer["message"], house.first.visits) == ("changed: first", 1)


async def test_a_configuration_with_a_fault_changes_nothing_and_is_told(house: House) -> None:
    answer = await house.reload({"id": "second", "url": "http://nowhere"})
    assert (answer["status"], answer["reason"]) == ("error", "invalid")
    assert "ocpp_services" in answer["message"]
    await house.state("first", "online")
    assert house.first.visits == 1
