"""What arrives at the broker: each frame's event, and the last retained reading of each charger."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from ocpp_mqtt_proxy.demo.broker import Started

PAYLOAD = b"x" * 1200
"""About a reading's size, for the bare publish."""

REGISTER = "Energy.Active.Import.Register"


def client(broker: Started) -> aiomqtt.Client:
    """A client, as the proxy's own."""
    protocol = aiomqtt.ProtocolVersion.V5 if broker.speaks_mqtt5 else aiomqtt.ProtocolVersion.V311
    return aiomqtt.Client("127.0.0.1", broker.port, protocol=protocol)


@dataclass
class Listener:
    """Hears the meter events and tells how long each was under way. Frames are told apart by their register."""

    sent: dict[tuple[str, int], float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def note(self, charger: str, register: int) -> None:
        """A frame is about to be sent."""
        self.sent[charger, register] = time.perf_counter()

    def hear(self, event: dict[str, Any]) -> None:
        """An event came in."""
        register = next(r["value"] for r in event["readings"] if r["measurand"] == REGISTER)
        began = self.sent.pop((event["charger"], int(register)), None)
        if began is not None:
            self.seconds.append(time.perf_counter() - began)

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, broker: Started, base: str) -> AsyncIterator[Listener]:
        """Listen to a proxy's meter events."""
        listener = cls()
        async with client(broker) as mqtt:
            await mqtt.subscribe(f"{base}/charger/+/event/meter")

            async def hear() -> None:
                async for message in mqtt.messages:
                    listener.hear(json.loads(message.payload))

            task = asyncio.create_task(hear())
            try:
                yield listener
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def last_readings(broker: Started, base: str, count: int) -> dict[str, int]:
    """The retained register of each charger, as a client sees it that comes now."""
    found: dict[str, int] = {}
    async with client(broker) as mqtt, asyncio.timeout(10):
        await mqtt.subscribe(f"{base}/charger/+/connector/1/meter")
        async for message in mqtt.messages:
            document = json.loads(message.payload)
            found[message.topic.value.split("/")[2]] = int(document[REGISTER]["total"])
            if len(found) == count:
                break
    return found


async def bare(broker: Started, per_second: float, count: int) -> list[float]:
    """Seconds from a bare publish to its arrival, sorted."""
    seconds: list[float] = []
    async with client(broker) as publisher, client(broker) as subscriber:
        await subscriber.subscribe("bench/bare")

        async def hear() -> None:
            async for message in subscriber.messages:
                seconds.append(time.perf_counter() - float(message.payload.partition(b" ")[0]))
                if len(seconds) == count:
                    return

        task = asyncio.create_task(hear())
        for _ in range(count):
            await publisher.publish("bench/bare", b"%.9f " % time.perf_counter() + PAYLOAD, qos=1)
            await asyncio.sleep(1 / per_second)
        async with asyncio.timeout(10):
            await task
    return sorted(seconds)
