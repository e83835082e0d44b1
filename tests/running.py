"""The whole service inside a test, and an MQTT client that watches it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiomqtt

from ocpp_mqtt_proxy import config_file
from ocpp_mqtt_proxy.adapters.chargers.link import Timing
from ocpp_mqtt_proxy.app import App
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.demo.broker import free_port
from ocpp_mqtt_proxy.ports import Clock
from tests.brokers import Broker

PATIENCE = 20.0
"""Seconds after which something that should come has not; nothing that works waits for it."""

QUICK = Timing(boot_grace=0.2, boot_patience=0.2, calm=0.0, call=2.0)
"""Timing for tests: a real charger gets more."""

_numbers = itertools.count(1)


@dataclass
class Running:
    """The service while it runs. Its MQTT trees are its own, so that tests share a broker."""

    app: App
    config: Config
    broker: Broker | None

    @property
    def base(self) -> str:
        return self.config.mqtt.base_topic

    @property
    def prefix(self) -> str:
        return self.config.mqtt.discovery_prefix

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.app.port}"

    @property
    def chargers(self) -> str:
        """Where chargers connect; their id is appended."""
        return f"ws://127.0.0.1:{self.app.port}/charger"


def options(folder: Path, broker: Broker | None, **given: Any) -> dict[str, Any]:
    """A configuration for a test: trees, port and store of its own. `mqtt` is merged, the rest replaced."""
    number = next(_numbers)
    mqtt: dict[str, Any] = {
        "base_topic": f"ocpp{number}",
        "discovery_prefix": f"ha{number}",
        "status_topic": f"ha{number}/status",
    }
    if broker is not None:
        mqtt |= {"host": broker.host, "port": broker.port, "protocol": "auto" if broker.speaks_mqtt5 else "3.1.1"}
    return {
        "http": {"host": "127.0.0.1", "port": free_port()},
        "database": {"path": str(folder / "sessions.db")},
        "accept_unknown_chargers": True,
        **given,
        "mqtt": mqtt | given.get("mqtt", {}),
    }


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    broker: Broker | None,
    timing: Timing = QUICK,
    supervisor: Any = None,
    budget: Budget | None = None,
    clock: Clock | None = None,
    **given: Any,
) -> AsyncIterator[Running]:
    """The service, running; `given` are configuration keys."""
    file = folder / "options.json"
    file.write_text(json.dumps(options(folder, broker, **given)))
    config = config_file.load(file, {})
    app = App(config, timing, supervisor, budget, clock, reread=lambda: config_file.load(file, {}))
    await app.start()
    try:
        if app.mqtt is not None and broker is not None:
            async with asyncio.timeout(PATIENCE):
                await app.mqtt.connected.wait()
        yield Running(app, config, broker)
    finally:
        await app.stop()


@dataclass
class Watcher:
    """An MQTT client that keeps what it hears: the last retained value of a topic, and all messages in order."""

    client: aiomqtt.Client
    base: str
    prefix: str
    last: dict[str, str] = field(default_factory=dict)
    all: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    properties: dict[str, Any] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, service: Running) -> AsyncIterator[Self]:
        """Watch a service's trees."""
        assert service.broker is not None
        async with cls.at(service.broker, service.base, service.prefix) as watcher:
            yield watcher

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, broker: Broker, base: str, prefix: str) -> AsyncIterator[Self]:
        """Watch trees at a broker."""
        protocol = aiomqtt.ProtocolVersion.V5 if broker.speaks_mqtt5 else aiomqtt.ProtocolVersion.V311
        async with aiomqtt.Client(broker.host, broker.port, protocol=protocol) as client:
            watcher = cls(client, base, prefix)
            await client.subscribe(f"{base}/#", qos=1)
            await client.subscribe(f"{prefix}/#", qos=1)
            reader = asyncio.create_task(watcher._read())
            try:
                yield watcher
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self) -> None:
        async for message in self.client.messages:
            topic, payload = message.topic.value, bytes(message.payload).decode()
            async with self._news:
                self.all[topic].append(payload)
                self.properties[topic] = message.properties
                if payload:
                    self.last[topic] = payload
                else:
                    self.last.pop(topic, None)
                self._news.notify_all()

    async def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until something holds; its value."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while not (value := condition()):
                    await self._news.wait()
                return value
        except TimeoutError:
            heard = "\n".join(f"  {topic} {value[:160]}" for topic, value in sorted(self.last.items()))
            raise AssertionError(f"did not come: {what or condition}; heard:\n{heard}") from None

    async def value(self, topic: str, expected: str | Callable[[str], bool]) -> str:
        """Wait until a topic (below the base) shows a value, or one that fits."""
        path = f"{self.base}/{topic}"
        fits = expected if callable(expected) else expected.__eq__

        def shown() -> str | None:
            value = self.last.get(path)
            return value if value is not None and fits(value) else None

        return str(await self.until(shown, f"{path} = {expected}"))

    async def document(self, topic: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait until a topic (below the base) holds a JSON object that fits."""

        def found() -> dict[str, Any] | None:
            for text in reversed(self.all[f"{self.base}/{topic}"]):
                if text and fits(document := json.loads(text)):
                    return dict(document)
            return None

        return dict(await self.until(found, f"{topic} with {fits}"))

    async def ask(self, topic: str, **arguments: Any) -> dict[str, Any]:
        """Send a request on `<topic>` and wait for its answer on the response topic."""
        number = f"q{next(_numbers)}"
        await self.client.publish(f"{self.base}/{topic}", json.dumps({"id": number, **arguments}), qos=1)
        answers = topic.replace("/request/", "/response/")
        return await self.document(answers, lambda answer: answer["id"] == number)

    async def set(self, topic: str, value: object) -> None:
        """Write to a `/set` topic."""
        await self.client.publish(f"{self.base}/{topic}/set", str(value), qos=1)

    def retained(self) -> dict[str, str]:
        """What each topic last said, events and answers aside."""
        passing = ("/event/", "/request/", "/response/", "/set")
        return {t: v for t, v in self.last.items() if not any(p in f"{t}/" for p in passing)}
