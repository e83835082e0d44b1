"""The whole service as an MQTT client sees it: commands and their answers over a real broker, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.adapters.home_assistant_rules import Announced, fault_of_state
from tests.adapters.mqtt_rig import line_to
from tests.brokers import Broker
from tests.independent import CHARGERS, independent_charger
from tests.running import Running, Watcher, running


async def ask_on(watcher: Watcher, request: str, topic: str, correlation: bytes) -> Any:
    """Ask with MQTT 5's own means; the answer's properties."""
    asked = Properties(PacketTypes.PUBLISH)
    asked.ResponseTopic, asked.CorrelationData = topic, correlation
    await watcher.client.publish(f"{watcher.base}/{request}", "{}", qos=1, properties=asked)
    return await watcher.until(lambda: watcher.properties.get(topic))


async def test_an_answer_comes_on_the_response_topic_with_its_correlation(
    proxy: Running, watcher: Watcher, mqtt5: Broker
) -> None:
    topic = f"{proxy.base}/bridge/response/for-me"
    properties = await ask_on(watcher, "bridge/request/refresh", topic, b"\x00 7")
    assert properties.CorrelationData == b"\x00 7"
    assert json.loads(watcher.all[topic][0])["status"] == "ok"
    assert f"{proxy.base}/bridge/response/refresh" not in watcher.all


async def test_answers_and_events_are_not_retained(proxy: Running, watcher: Watcher) -> None:
    async with independent_charger(proxy.chargers, "1.6", "CP1"):
        await watcher.value("charger/CP1/connector/1/status", "available")
        await watcher.ask("charger/CP1/request/unlock")
    await watcher.value("charger/CP1/availability", "offline")
    async with Watcher.on(proxy) as newcomer:
        await newcomer.value("charger/CP1/availability", "offline")
        await newcomer.ask("bridge/request/refresh")
        heard = {topic.removeprefix(proxy.base) for topic in newcomer.all if topic.startswith(proxy.base)}
        passing = {topic for topic in heard if "/event" in topic or "/response" in topic}
        assert passing == {"/bridge/response/refresh"}


async def test_a_retained_request_is_refused_whenever_it_is_delivered(tmp_path: Path, broker: Broker) -> None:
    """It lay at the broker when we came."""
    async with line_to(broker) as line, running(tmp_path, broker, mqtt={"port": line.port}) as proxy:
        topic = f"{proxy.base}/charger/CP1/request/reset"
        async with Watcher.on(proxy) as watcher:
            await watcher.client.publish(topic, '{"id": "old"}', qos=1, retain=True)
            first = await watcher.document("charger/CP1/response/reset")
            assert first["reason"] == "unknown_charger"
            await line.cut()
            await line.mend()
            await watcher.document("charger/CP1/response/reset", lambda answer: answer["reason"] == "retained")
            await watcher.client.publish(topic, "", qos=1, retain=True)


@pytest.mark.parametrize("version", CHARGERS)
async def test_home_assistant_takes_all_that_a_real_charger_brings(
    proxy: Running, watcher: Watcher, version: str
) -> None:
    async with independent_charger(proxy.chargers, version, "CP1") as charger:
        await charger.begin()
        await charger.tell_meter()
        await watcher.value("charger/CP1/connector/1/power", "11040")
        await watcher.until(lambda: "sensor.cp1_power" in json.dumps(watcher.last))
        await watcher.value("bridge/health", lambda text: "queue_depth" in text)
        announced = Announced.of(watcher.last, proxy.prefix)
        assert announced.faults == []
        faults = {
            entity["unique_id"]: fault
            for entity in announced.entities.values()
            if (payload := watcher.last.get(entity.get("state_topic", "")))
            and (fault := fault_of_state(entity, payload))
        }
        assert faults == {}


async def test_what_the_service_says_of_itself_is_short_enough_for_whoever_looks(
    proxy: Running, watcher: Watcher
) -> None:
    for topic in ("bridge/info", "bridge/health"):
        assert len(await watcher.value(topic, bool)) < 16_384
