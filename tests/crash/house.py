"""A house under test: the program's lives, chargers that go on through all of them, and an ear for its events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiomqtt

from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.brokers import Broker
from tests.crash.audit import Audit, Hearer
from tests.crash.chargers import Charger, charger
from tests.crash.csms import Csms, two_services
from tests.crash.lives import Lives, Zygote
from tests.running import PATIENCE, options


@dataclass
class House:
    """Everything there is. `random` decides whatever is left to chance."""

    lives: Lives
    chargers: list[Charger]
    audit: Audit
    hearer: Hearer
    random: Random
    http: str
    base: str
    driving: list[asyncio.Task[None]]
    services: list[Csms]
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def deviations(self) -> list[str]:
        heard = [deviation for one in self.services for deviation in one.deviations]
        return self.audit.deviations + self.hearer.deviations + heard

    async def connected(self) -> None:
        """Wait until the program lives so far that a charger is connected."""
        await _until(lambda: any(one.connected for one in self.chargers))

    async def charged(self, times: int) -> None:
        """Wait until every charger has charged so many cars more, and that is confirmed."""
        before = {one.id: one.confirmed for one in self.chargers}
        await _until(lambda: all(one.confirmed >= before[one.id] + times for one in self.chargers))

    async def refused(self, times: int) -> None:
        """Wait until every charger has been answered by so many errors."""
        await _until(lambda: all(one.errors >= times for one in self.chargers))

    async def drain(self) -> None:
        """No more cars come; what is under way ends, and all that happened is confirmed."""
        for task in self.driving:
            task.cancel()
        await asyncio.gather(*self.driving, return_exceptions=True)
        for one in self.chargers:
            if one.current is not None:
                one.end()
        await _until(lambda: all(one.idle for one in self.chargers))
        await _until(lambda: all(one.is_up_to_date(self.chargers) for one in self.services))

    def look(self) -> None:
        """Nothing waits any more: compare all that was with what is on disk, and with what services heard."""
        self.audit.at_the_end()
        for one in self.services:
            one.at_the_end(self.chargers)


async def _until(condition: Callable[[], bool]) -> None:
    """Wait for what shows only in how chargers are."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (they tell nobody)
            await asyncio.sleep(0.002)


def configure(folder: Path, broker: Broker, **given: Any) -> tuple[Path, dict[str, Any]]:
    wanted = options(folder, broker, log={"level": "warning"}, **given)
    file = folder / "house.json"
    file.write_text(json.dumps(wanted))
    return file, wanted


@contextlib.asynccontextmanager
async def house(
    zygote: Zygote, folder: Path, seed: int, broker: Broker, *, per_version: int = 1, haste: float = 0.02
) -> AsyncIterator[House]:
    """A house with chargers of every version we speak, and two services; the program does not live yet."""
    random = Random(seed)
    async with contextlib.AsyncExitStack() as doors:
        services = two_services(random)
        for one in services:
            await doors.enter_async_context(one.open())
        async with _inhabited(zygote, folder, broker, random, services, per_version, haste) as home:
            yield home


@contextlib.asynccontextmanager
async def _inhabited(
    zygote: Zygote,
    folder: Path,
    broker: Broker,
    random: Random,
    services: list[Csms],
    per_version: int,
    haste: float,
) -> AsyncIterator[House]:
    known = {"unknown_id_tag": "accept", "ocpp_services": [one.configuration() for one in services]}
    config, wanted = configure(folder, broker, **known)
    chargers = [
        charger(version, number, Random(random.random()), haste)
        for version in DIALECTS
        for number in range(per_version)
    ]
    address = f"127.0.0.1:{wanted['http']['port']}"
    hearer = Hearer()
    lives = Lives(zygote, config)
    async with asyncio.TaskGroup() as tasks:
        serving = [tasks.create_task(one.serve(f"ws://{address}/charger")) for one in chargers]
        driving = [tasks.create_task(one.charge()) for one in chargers]
        ready = asyncio.Event()
        serving.append(tasks.create_task(_listen(broker, wanted["mqtt"]["base_topic"], hearer, ready)))
        await ready.wait()
        try:
            audit = Audit(Path(wanted["database"]["path"]), chargers)
            base = wanted["mqtt"]["base_topic"]
            yield House(lives, chargers, audit, hearer, random, f"http://{address}", base, driving, services)
        finally:
            await lives.kill()
            for task in (*serving, *driving):
                task.cancel()


async def _listen(broker: Broker, base: str, hearer: Hearer, ready: asyncio.Event) -> None:
    async with aiomqtt.Client(broker.host, broker.port) as client:
        await client.subscribe(f"{base}/charger/+/event/+", qos=1)
        ready.set()
        async for message in client.messages:
            hearer.take(message.topic.value, bytes(message.payload))
