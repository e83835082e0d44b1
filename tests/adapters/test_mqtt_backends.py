"""Backends by MQTT: whose requests are carried out, where answers and events go, and what the broker keeps apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ocpp_mqtt_proxy.demo.broker import Started, free_port, mosquitto, start_mosquitto
from tests.adapters.mqtt_rig import until
from tests.backends import backend, provider
from tests.brokers import Broker
from tests.independent import independent_charger
from tests.running import Watcher, running

PROVIDERS = [
    provider("script", token="", mqtt=True),
    provider("careful", mqtt=True),
    provider("socket"),
    provider("blocked", token="", mqtt=True),
]
HOUSE: dict[str, Any] = {"providers": PROVIDERS, "blocked_providers": ["blocked"], "rate_limit_seconds": 0}


async def ask(watcher: Watcher, provider_id: str, action: str, /, **arguments: Any) -> tuple[str, str | None]:
    """The status and reason of a request."""
    answer = await watcher.ask(f"backend/{provider_id}/request/{action}", **arguments)
    assert (answer["type"], answer["action"]) == ("response", action)
    return answer["status"], answer["reason"]


async def test_a_provider_acts_by_mqtt_where_it_may_and_brings_its_token(tmp_path: Path, broker: Broker) -> None:
    async with running(tmp_path, broker, **HOUSE) as service, Watcher.on(service) as watcher:
        assert await ask(watcher, "script", "status") == ("ok", None)
        assert await ask(watcher, "careful", "status", token="careful-token") == ("ok", None)
        assert await ask(watcher, "careful", "status") == ("refused", "not_allowed")
        assert await ask(watcher, "careful", "status", token="wrong") == ("refused", "not_allowed")
        assert await ask(watcher, "careful", "status", token=7) == ("refused", "not_allowed")
        assert await ask(watcher, "socket", "status", token="socket-token") == ("refused", "not_allowed")
        assert await ask(watcher, "nobody", "status") == ("refused", "not_allowed")
        assert await ask(watcher, "blocked", "status") == ("refused", "blocked")


async def test_a_wrong_token_may_be_tried_only_so_often(tmp_path: Path, broker: Broker) -> None:
    async with running(tmp_path, broker, **HOUSE) as service, Watcher.on(service) as watcher:
        answers = [await ask(watcher, "careful", "status", token="wrong") for _ in range(12)]
        assert answers[-1] == ("refused", "rate_limited")


async def test_what_cannot_be_understood_is_answered(tmp_path: Path, broker: Broker) -> None:
    async with running(tmp_path, broker, **HOUSE) as service, Watcher.on(service) as watcher:
        assert await ask(watcher, "script", "dance") == ("error", "invalid")
        assert await ask(watcher, "script", "start", connector="x") == ("error", "invalid")
        assert await ask(watcher, "script", "status", action="stop") == ("error", "invalid")
        assert await ask(watcher, "script", "status", action="status") == ("ok", None)
        for payload in ("{", "[]", '{"id": []}'):
            await watcher.client.publish(f"{service.base}/backend/script/request/start", payload)
        await watcher.until(lambda: len(watcher.all[f"{service.base}/backend/script/response/start"]) == 4)


@pytest.mark.parametrize("provider_id", ["script", "socket"])
async def test_a_retained_request_is_refused_and_an_empty_one_is_none(
    tmp_path: Path, broker: Broker, provider_id: str
) -> None:
    async with running(tmp_path, broker, **HOUSE) as service:
        topic = f"{service.base}/backend/{provider_id}/request/status"
        async with aiomqtt.Client(broker.host, broker.port) as client:
            await client.publish(topic, '{"id": "old"}', retain=True, qos=1)
    same = {**HOUSE, "mqtt": {"base_topic": service.base}}
    async with Watcher.at(broker, service.base, service.prefix) as watcher, running(tmp_path, broker, **same):
        answer = await watcher.document(f"backend/{provider_id}/response/status", lambda one: one["id"] == "old")
        assert (answer["status"], answer["reason"]) == ("refused", "retained")
        await watcher.client.publish(topic, b"", retain=True, qos=1)
        answers = watcher.all[f"{service.base}/backend/{provider_id}/response/status"]
        before = len(answers)
        await watcher.ask(f"backend/{provider_id}/request/status")
        assert len(answers) == before + 1


def was_answered(watcher: Watcher, topic: str, number: int) -> bool:
    return any(json.loads(text)["id"] == number for text in watcher.all[topic])


async def test_an_answer_goes_where_it_was_asked_to_but_on_none_of_our_other_topics(
    tmp_path: Path, mqtt5: Broker
) -> None:
    async with running(tmp_path, mqtt5, **HOUSE) as service, Watcher.on(service) as watcher:
        own, base = f"{service.base}/backend/script/response", service.base
        for topic, number, where in [
            (f"{own}/mine", 1, "backend/script/response/mine"),
            (f"{base}/backend/careful/response/status", 2, "backend/script/response/status"),
            (f"{base}/charger/CP1/response/stop", 3, "backend/script/response/status"),
            (f"{base}/charger/CP1/current_limit/set", 4, "backend/script/response/status"),
        ]:
            properties = Properties(PacketTypes.PUBLISH)
            properties.ResponseTopic, properties.CorrelationData = topic, b"c"
            payload = json.dumps({"id": number})
            await watcher.client.publish(f"{base}/backend/script/request/status", payload, properties=properties)
            await watcher.until(partial(was_answered, watcher, f"{base}/{where}", number))
        assert watcher.properties[f"{own}/mine"].CorrelationData == b"c"


async def test_events_come_by_mqtt_to_those_who_act_by_it_and_as_far_as_they_want(
    tmp_path: Path, broker: Broker
) -> None:
    async with (
        running(tmp_path, broker, **HOUSE) as service,
        Watcher.on(service) as watcher,
        independent_charger(service.chargers, "1.6", "CP1") as charger,
    ):
        await charger.tell_status("Preparing")
        told = await watcher.document("backend/script/event/CP1/status", lambda one: one["status"] == "preparing")
        same = await watcher.document("charger/CP1/event/status", lambda one: one["status"] == "preparing")
        assert told == same
        assert await ask(watcher, "script", "subscribe", events=["fault"]) == ("ok", None)
        await charger.tell_status("Faulted", "GroundFailure")
        await watcher.document("backend/script/event/CP1/fault")
        await watcher.document("backend/careful/event/CP1/status", lambda one: one["status"] == "faulted")
    heard = watcher.all[f"{service.base}/backend/script/event/CP1/status"]
    assert not [text for text in heard if json.loads(text)["status"] == "faulted"]
    hearers = {topic.split("/")[2] for topic in watcher.all if "/event/CP1/" in topic and "/backend/" in topic}
    assert hearers == {"script", "careful"}


async def test_a_provider_by_mqtt_counts_as_present_while_the_broker_is_there(
    tmp_path: Path, own_broker: Broker
) -> None:
    async with running(tmp_path, own_broker, **HOUSE) as service:
        arbitration, mqtt = service.app.arbitration, service.app.mqtt
        assert mqtt is not None
        assert arbitration.house.present == {"script": 1, "careful": 1}
        async with backend(service, "careful"):
            assert arbitration.house.present["careful"] == 2
            own_broker.stop()
            await until(lambda: not mqtt.connected.is_set())
            assert arbitration.house.present == {"careful": 1}
        assert "script" in arbitration.absent_since


# What the broker keeps apart

ACL = """\
pattern write {base}/backend/%u/request/#
pattern read {base}/backend/%u/#
user ocpp
topic readwrite {base}/#
topic readwrite {prefix}/#
user watcher
topic readwrite #
"""


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Started]:
    if mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    file = tmp_path / "acl"
    file.write_text(ACL.format(base="home", prefix="ha"))
    file.chmod(0o700)  # with `user`, or one that root starts could not read it
    broker = start_mosquitto(tmp_path, free_port(), "allow_anonymous true", f"acl_file {file}", "user root")
    yield broker
    broker.stop()


async def test_with_the_acls_of_the_readme_a_backend_is_itself_and_nobody_else(tmp_path: Path, strict: Started) -> None:
    at = {"host": "127.0.0.1", "port": strict.port, "username": "ocpp"}
    mqtt = at | {"base_topic": "home", "discovery_prefix": "ha", "status_topic": "ha/status"}
    async with running(tmp_path, None, **HOUSE, mqtt=mqtt) as service:
        assert service.app.mqtt is not None
        await service.app.mqtt.connected.wait()
        async with aiomqtt.Client("127.0.0.1", strict.port, username="script") as client:
            await client.subscribe("home/#", qos=1)
            for victim in ("careful", "script"):
                await client.publish(f"home/backend/{victim}/request/status", json.dumps({"id": victim}), qos=1)
            topics = set()
            async for message in client.messages:
                topics.add(message.topic.value)
                if message.topic.value.endswith("/response/status"):
                    break
        assert all(topic.startswith("home/backend/script/") for topic in topics)
        assert service.app.backends.desk.arbitration.refusals == {}
