"""The broker goes and comes back, without what it had retained, while chargers of both versions charge on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.discovery import Discovery
from ocpp_mqtt_proxy.adapters.mqtt.household import Household
from ocpp_mqtt_proxy.adapters.mqtt.plans import Plans
from ocpp_mqtt_proxy.adapters.mqtt.session import Broker as Address, MqttSession
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.app import App
from ocpp_mqtt_proxy.arbitration.outlook import outlook
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.limits.outlook import Outlook
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.turns import at_once
from tests.adapters.mqtt_rig import retained, until
from tests.brokers import Broker
from tests.fakes import FakePublisher
from tests.independent import CHARGERS, independent_charger
from tests.running import Running, Watcher, running

READINGS = 50
"""Meter readings of each charger while the broker is away."""

Tree = dict[str, Any]


@dataclass
class House:
    """The service with a charging charger of each version, and its broker."""

    service: Running
    broker: Broker
    chargers: dict[str, Any]
    there: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def mqtt(self) -> MqttSession:
        assert self.service.app.mqtt is not None
        return self.service.app.mqtt

    async def lose_the_broker(self) -> None:
        """It is gone; the service looks for it again once `there` is set."""
        find = self.mqtt.find_broker

        async def held() -> Address | None:
            await self.there.wait()
            return await find()

        self.mqtt.find_broker = held
        self.broker.stop()
        await until(lambda: not self.mqtt.connected.is_set())

    async def charge_on(self) -> None:
        """Readings from every charger, each answered before the next."""
        for _ in range(READINGS):
            for charger in self.chargers.values():
                charger.meter.register += 100
                await charger.tell_meter()

    async def settle(self) -> None:
        """Wait until the broker has all there is to tell, and shows it."""
        await until(lambda: self.mqtt.connected.is_set() and not self.mqtt.waiting)


@pytest.fixture
async def house(tmp_path: Path, own_broker: Broker) -> AsyncIterator[House]:
    async with running(tmp_path, own_broker) as service, AsyncExitStack() as stack:
        chargers = {}
        for version in CHARGERS:
            charger = await stack.enter_async_context(independent_charger(service.chargers, version, f"CP{version}"))
            await charger.begin()
            await charger.tell_meter()
            chargers[version] = charger
        yield House(service, own_broker, chargers)


def without_time(topic: str, payload: str) -> Any:
    """A payload without what time alone changes."""
    if topic.endswith(("/session_time", "/bridge/health", "/last_heartbeat")):
        return None
    if topic.endswith("/plan"):
        return [(step["amps"], step["by"]) for step in json.loads(payload)["steps"]]
    if topic.endswith("/session"):
        return json.loads(payload) | {"duration_s": None}
    return json.loads(payload) if payload.startswith("{") else payload


def without(info: str, found: dict[str, str]) -> Tree:
    """A tree without the configuration and without what time alone changes."""
    assert info in found
    return {topic: without_time(topic, payload) for topic, payload in found.items() if topic != info}


def foreseen(app: App) -> Callable[[Station], Outlook]:
    return lambda station: outlook(app.arbitration, station, app.clock.now())


def fresh(house: House) -> Tree:
    """What a fresh look at the chargers says that there should be."""
    app, service, publisher = house.service.app, house.service, FakePublisher()
    Household(app.arbitration, publisher, app.topics).publish_all()
    states = States(app.hub, Mailbox("", 1), publisher, app.clock, app.topics)
    at_once(states.publish_all())
    at_once(Plans(foreseen(app), app.hub, Mailbox("", 1), states.retain, app.clock, app.topics).publish_all())
    instance = app.hub.numbers.instance
    at_once(Discovery(app.hub, Mailbox("", 1), publisher, app.topics, instance, service.prefix).announce_all())
    told = {
        topic: without_time(topic, payload if isinstance(payload, str) else payload.decode())
        for topic, payload in publisher.retained.items()
    }
    return told | {app.topics.bridge_state: "online", app.topics.bridge("health"): None}


async def come_true(house: House) -> None:
    """Wait until the broker shows what there should be, to those who watch and to newcomers."""
    service, info = house.service, house.service.app.topics.bridge("info")
    async with Watcher.on(service) as watcher:
        await watcher.until(lambda: info in watcher.last and without(info, watcher.retained()) == fresh(house))
    found = await retained(house.broker, service.base) | await retained(house.broker, service.prefix)
    assert without(info, found) == fresh(house)


async def test_no_charger_notices_and_the_tree_is_whole_again(house: House) -> None:
    await come_true(house)
    await house.lose_the_broker()
    await house.charge_on()
    await house.chargers["1.6"].end()
    async with independent_charger(house.service.chargers, "1.6", "LATE"):
        house.broker.start()
        house.there.set()
        await come_true(house)
        stations = house.service.app.hub.stations
        assert {station.connects for station in stations.values()} == {1}
        assert "LATE" in stations
        assert len(stations["CP1.6"].book.by_transaction) == 1


async def test_what_waits_is_bounded_and_only_last_values_come(house: House) -> None:
    await come_true(house)
    await house.lose_the_broker()
    await house.charge_on()
    await house.chargers["2.0.1"].end()
    assert house.mqtt.counters.dropped >= READINGS
    assert house.mqtt.waiting < 500
    house.broker.start()
    async with Watcher.on(house.service) as watcher:
        house.there.set()
        charger, topics = "CP2.0.1", house.service.app.topics
        ended = topics.charger(charger, "event", "transaction_ended")
        await watcher.until(lambda: watcher.all[ended])
        await house.settle()
        assert watcher.all[topics.charger(charger, "event", "meter")] == []
        assert watcher.all[topics.connector(charger, 1, "energy")] == [f"{250 + READINGS / 10:g}"]
        assert json.loads(watcher.all[ended][0])["energy_kwh"] == READINGS / 10


async def test_commands_work_again_after_an_outage(house: House) -> None:
    await house.lose_the_broker()
    house.broker.start()
    house.there.set()
    await house.settle()
    async with Watcher.on(house.service) as watcher:
        answer = await watcher.ask("bridge/request/refresh")
        assert answer["status"] == "ok"
