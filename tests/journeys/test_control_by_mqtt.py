"""Who controls a charger, seen and said by MQTT with a real broker: override, mode, providers, presence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence
from tests.adapters.mqtt_rig import line_to, retained, until
from tests.brokers import Broker
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Running, Watcher, running

PROVIDERS: list[dict[str, Any]] = [
    {"id": "night", "name": "Cheap Night", "presence": "any"},
    {"id": "public", "presence": "away"},
]
SHARED: dict[str, Any] = {"providers": PROVIDERS, "rate_limit_seconds": 0}


@dataclass
class House:
    """A charger that providers share, and what is seen of it."""

    service: Running
    watcher: Watcher

    async def ask(self, provider: str) -> Outcome:
        """A provider asks for control over transactions."""
        classes = [ControlClass.TRANSACTIONS]
        return await wishes.request_control(self.service.app.arbitration, provider, "CP1", classes)

    async def shows(self, **values: str) -> None:
        for topic, value in values.items():
            await self.watcher.value(f"charger/CP1/{topic}", value)

    async def told(self, kind: str, provider: str) -> dict[str, Any]:
        """An event of the group `control`."""
        return await self.watcher.document(
            "charger/CP1/event/control",
            lambda event: (event["event_type"], event["provider"]) == (kind, provider),
        )


@contextlib.asynccontextmanager
async def a_house(folder: Path, broker: Broker, version: str = "1.6", **given: Any) -> AsyncIterator[House]:
    """A house whose charger is connected and plugged in."""
    async with (
        running(folder, broker, **SHARED | given) as service,
        Watcher.on(service) as watcher,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        await charger.tell_status(PLUGGED[version])
        await watcher.value("charger/CP1/connector/1/status", "preparing")
        yield House(service, watcher)


@pytest.fixture
async def house(tmp_path: Path, broker: Broker) -> AsyncIterator[House]:
    async with a_house(tmp_path, broker) as made:
        yield made


# The owner's word


async def test_the_override_takes_control_and_gives_it_back(house: House) -> None:
    await house.shows(mode="auto", override="OFF", owner="none")
    assert (await house.ask("night")).ok
    await house.shows(owner="night")
    await house.watcher.set("charger/CP1/override", "ON")
    await house.shows(mode="owner", override="ON", owner="owner")
    assert (await house.told("revoked", "night"))["reason"] == "override"
    assert (await house.ask("night")).reason == "override"
    await house.shows(last_refusal="override")
    assert (await house.told("refused", "night"))["reason"] == "override"
    await house.watcher.set("charger/CP1/override", "OFF")
    await house.shows(mode="auto", override="OFF", owner="none")
    assert (await house.ask("night")).ok
    await house.shows(owner="night")


async def test_a_provider_is_put_in_charge(house: House) -> None:
    await house.watcher.set("charger/CP1/mode", "night")
    await house.shows(mode="night", override="OFF", owner="night")
    changed = await house.watcher.document("charger/CP1/event/override")
    assert (changed["mode"], changed["by"]) == ("night", "mqtt")
    state = await house.watcher.document("backend/night/state", lambda state: bool(state["classes"]))
    assert state["classes"] == {"CP1": ["transactions"]}


async def test_a_word_that_is_refused_leaves_the_topic_as_it_is(house: House) -> None:
    await house.watcher.set("charger/CP1/mode", "nobody")
    answer = await house.watcher.document("charger/CP1/response/mode")
    assert answer["reason"] == "not_allowed"
    assert set(house.watcher.all[f"{house.service.base}/charger/CP1/mode"]) == {"auto"}


async def test_a_provider_is_switched_off(house: House) -> None:
    await house.watcher.set("backend/night/enabled", "OFF")
    await house.watcher.value("backend/night/enabled", "OFF")
    assert (await house.ask("night")).reason == "disabled"
    state = await house.watcher.document("backend/night/state", lambda state: state["last_refusal"] is not None)
    assert (state["last_refusal"]["reason"], state["last_refusal"]["charger"]) == ("disabled", "CP1")


@pytest.mark.parametrize("version", CHARGERS)
async def test_the_override_stops_what_runs_where_it_is_to(tmp_path: Path, broker: Broker, version: str) -> None:
    async with a_house(tmp_path, broker, version, on_override="stop") as house:
        assert (await house.watcher.ask("charger/CP1/request/start"))["status"] == "ok"
        await house.watcher.set("charger/CP1/mode", "night")
        await house.shows(owner="night")
        await house.watcher.value("charger/CP1/connector/1/session_provider", "night")
        await house.watcher.set("charger/CP1/override", "ON")
        await house.shows(override="ON")
        await house.watcher.value("charger/CP1/connector/1/stop_reason", "remote")


# Over a restart


async def test_a_restart_changes_nothing_of_it(tmp_path: Path, broker: Broker) -> None:
    base = {"base_topic": "kept", "discovery_prefix": "kept-ha"}
    async with a_house(tmp_path, broker, mqtt=base) as house:
        await house.watcher.set("charger/CP1/override", "ON")
        await house.watcher.set("backend/public/enabled", "OFF")
        await house.shows(override="ON")
        await house.watcher.value("backend/public/enabled", "OFF")
        assert (await house.ask("night")).reason == "override"
    async with a_house(tmp_path, broker, mqtt=base) as house:
        await house.shows(mode="owner", override="ON", owner="owner", last_refusal="override")
        await house.watcher.value("backend/public/enabled", "OFF")
        state = await house.watcher.document("backend/night/state", lambda state: state["last_refusal"] is not None)
        assert state["last_refusal"]["reason"] == "override"


async def test_a_provider_that_is_configured_no_longer_is_cleared(tmp_path: Path, broker: Broker) -> None:
    base = {"base_topic": "gone", "discovery_prefix": "gone-ha"}
    async with running(tmp_path, broker, **SHARED, mqtt=base):
        pass
    fewer = SHARED | {"providers": PROVIDERS[:1]}
    async with running(tmp_path, broker, **fewer, mqtt=base) as service, Watcher.on(service) as watcher:
        await watcher.value("backend/night/enabled", "ON")
        found = await retained(broker, "gone")
        assert {topic for topic in found if "/backend/" in topic} == {
            f"gone/backend/night/{name}" for name in ("state", "connected", "enabled")
        }
        announcement = json.loads((await retained(broker, "gone-ha")).popitem()[1])
        whole = [key for key, component in announcement["components"].items() if len(component) > 1]
        assert [key for key in whole if "public" in key] == []


# Presence


async def test_a_feed_is_believed_lost_with_the_broker_and_read_again(tmp_path: Path, broker: Broker) -> None:
    topic = f"{tmp_path.name}/who"
    async with line_to(broker) as line:
        given = SHARED | {"presence_topic": topic, "mqtt": {"port": line.port}}
        async with running(tmp_path, broker, **given) as service, Watcher.on(service) as watcher:
            house = service.app.arbitration.house
            await watcher.value("presence", "unknown")
            await watcher.client.publish(topic, "Not_Home", qos=1, retain=True)
            await watcher.value("presence", "away")
            await line.cut()
            await until(lambda: house.presence is Presence.UNKNOWN)
            await line.mend()
            await until(lambda: house.presence is Presence.AWAY)
            await watcher.client.publish(topic, "", qos=1, retain=True)
            await watcher.value("presence", "unknown")


async def test_a_provider_is_refused_while_somebody_is_at_home_or_nobody_can_tell(
    tmp_path: Path, broker: Broker
) -> None:
    topic = f"{tmp_path.name}/who"
    async with a_house(tmp_path, broker, presence_topic=topic) as house:
        assert (await house.ask("public")).reason == "presence_unknown"
        await house.watcher.client.publish(topic, "ON", qos=1)
        await house.watcher.value("presence", "home")
        assert (await house.ask("public")).reason == "presence"
        await house.watcher.set("presence", "away")
        await house.watcher.value("presence", "away")
        assert (await house.ask("public")).ok
        await house.watcher.document("charger/CP1/control", lambda control: bool(control["presence"] == "away"))


async def test_whoever_lay_on_our_topic_when_we_came_is_believed(tmp_path: Path, broker: Broker) -> None:
    base = {"base_topic": "laid"}
    async with Watcher.at(broker, "laid", "laid-ha") as watcher:
        await watcher.client.publish("laid/presence/set", "home", qos=1, retain=True)
        async with running(tmp_path, broker, **SHARED, mqtt=base):
            await watcher.value("presence", "home")
        await watcher.client.publish("laid/presence/set", "", qos=1, retain=True)
