"""Services, as everybody sees them: MQTT, Home Assistant's discovery, HTTP and Prometheus, with the whole program."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.adapters.test_web_description import proper
from tests.brokers import Broker
from tests.independent import independent_charger
from tests.independent_csms import Csms, csms_of
from tests.running import Running, Watcher, running

pytestmark = pytest.mark.integration

VERSIONS = ["1.6", "2.0.1", "2.1"]


def service(csms: Csms, **more: Any) -> dict[str, Any]:
    """What the configuration says of a CSMS."""
    return {"id": "billing", "url": csms.url, "version": csms.version, "auth_type": "none"} | more


@contextlib.asynccontextmanager
async def served(folder: Path, broker: Broker | None, *services: dict[str, Any]) -> AsyncIterator[Running]:
    """The program with services, and a charger of theirs that came once."""
    async with running(folder, broker, ocpp_services=list(services)) as proxy:
        yield proxy


@dataclass
class Scene:
    """The program, who watches it, and a charger that is connected."""

    proxy: Running
    watcher: Watcher
    charger: Any


@contextlib.asynccontextmanager
async def connected(
    folder: Path, broker: Broker, *services: dict[str, Any], version: str = "1.6"
) -> AsyncIterator[Scene]:
    """The program with services that have accepted its charger."""
    async with (
        served(folder, broker, *services) as proxy,
        Watcher.on(proxy) as watcher,
        independent_charger(proxy.chargers, version, "CP1") as charger,
    ):
        for one in services:
            await watcher.value(f"service/{one['id']}/state", "online")
        yield Scene(proxy, watcher, charger)


async def test_a_service_s_state_and_links_are_retained_as_they_change(tmp_path: Path, broker: Broker) -> None:
    async with csms_of("2.0.1") as csms, served(tmp_path, broker, service(csms)) as proxy, Watcher.on(proxy) as watcher:
        await watcher.value("service/billing/state", "offline")
        async with independent_charger(proxy.chargers, "1.6", "CP1"):
            await watcher.value("service/billing/state", "online")
            info = await watcher.document("service/billing/info", lambda told: bool(told["chargers"]))
            seen = (await watcher.document("service/billing/info", is_online))["chargers"]["CP1"]
            assert (info["id"], seen["ocpp_version"], seen["registration"]) == ("billing", "2.0.1", "accepted")
            await csms.close()
            await watcher.value("service/billing/state", "error")
            told = await watcher.document("service/billing/info", lambda told: bool(told["faults"]))
            assert told["chargers"]["CP1"]["fault"]["step"] == "connect"


def is_online(info: dict[str, Any]) -> bool:
    return [link["state"] for link in info["chargers"].values()] == ["online"]


async def test_a_service_that_is_no_more_in_the_configuration_is_cleared(tmp_path: Path, broker: Broker) -> None:
    base = {"base_topic": "gone", "discovery_prefix": "gone_ha", "status_topic": "gone_ha/status"}
    dead = {"id": "billing", "url": "ws://127.0.0.1:1/", "auth_type": "none"}
    async with running(tmp_path, broker, ocpp_services=[dead], mqtt=base) as proxy, Watcher.on(proxy) as watcher:
        await watcher.value("service/billing/state", "offline")
    async with running(tmp_path, broker, mqtt=base) as proxy, Watcher.on(proxy) as watcher:
        await watcher.value("bridge/state", "online")
        await watcher.until(lambda: not [topic for topic in watcher.last if "/service/" in topic])


async def test_home_assistant_gets_whether_it_is_connected_what_waits_and_one_switch(
    tmp_path: Path, broker: Broker
) -> None:
    async with csms_of("1.6") as csms, served(tmp_path, broker, service(csms)) as proxy, Watcher.on(proxy) as watcher:
        topic = f"{proxy.prefix}/device/ocppproxy_{proxy.app.hub.numbers.instance}/config"
        components = json.loads(await watcher.until(lambda: watcher.last.get(topic)))["components"]
        ours = {key: one for key, one in components.items() if "billing" in key}
        assert ours.keys() == {"provider_billing_enabled", "provider_billing_connected", "service_billing_queue_depth"}
        assert ours["provider_billing_connected"]["state_topic"] == f"{proxy.base}/service/billing/state"
        assert ours["provider_billing_enabled"]["command_topic"] == f"{proxy.base}/backend/billing/enabled/set"


async def test_its_switch_cuts_the_link_and_makes_it_again(tmp_path: Path, broker: Broker) -> None:
    async with csms_of("1.6") as csms, connected(tmp_path, broker, service(csms)) as scene:
        assert csms.socket is not None
        await scene.watcher.set("backend/billing/enabled", "OFF")
        await scene.watcher.value("service/billing/state", "offline")
        await csms.socket.wait_closed()
        await scene.watcher.set("backend/billing/enabled", "ON")
        await scene.watcher.value("service/billing/state", "online")
        assert csms.visits == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_card_is_put_to_the_authority_and_its_word_is_the_charger_s(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    async with csms_of(version) as csms:
        csms.refused_tags.add("STRANGER")
        async with connected(tmp_path, broker, service(csms, authority=["transactions"])) as scene:
            assert await scene.charger.show("STRANGER") == "Invalid"
            assert await scene.charger.show("04A1B2C3") == "Accepted"
            await scene.charger.tell_status("Preparing")
            await scene.charger.begin("04A1B2C3")
            await scene.watcher.value("charger/CP1/connector/1/session_provider", "billing")
            await csms.call("StartTransaction" if version == "1.6" else "TransactionEvent")
        assert csms.faults == []


# Trying a connection


async def test_a_trial_by_mqtt_says_each_step(tmp_path: Path, broker: Broker) -> None:
    async with csms_of("1.6") as csms, connected(tmp_path, broker, service(csms)) as scene:
        answer = await scene.watcher.ask("bridge/request/test_service", service="billing", charger="CP1")
        assert answer["status"] == "ok"
        steps = [step["step"] for step in answer["result"]["steps"] if step["ok"]]
        assert steps == ["address", "connect", "handshake", "subprotocol", "boot"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "service: the id of a service"),
        ({"service": "nobody", "charger": "CP1"}, "no service 'nobody'; known: billing"),
        ({"service": "billing", "charger": "CP9"}, "billing sees no charger 'CP9'"),
        ({"service": "billing"}, "charger: one of those that came once; none did"),
    ],
)
async def test_what_cannot_be_tried_is_said(tmp_path: Path, broker: Broker, asked: dict[str, str], said: str) -> None:
    dead = {"id": "billing", "url": "ws://127.0.0.1:1/", "auth_type": "none"}
    async with served(tmp_path, broker, dead) as proxy, Watcher.on(proxy) as watcher:
        answer = await watcher.ask("bridge/request/test_service", **asked)
        assert (answer["status"] != "ok", answer["message"]) == (True, said)


async def test_over_http_it_says_at_which_step_it_fails(tmp_path: Path) -> None:
    dead = {"id": "billing", "url": "ws://127.0.0.1:1/", "auth_type": "none"}
    async with (
        served(tmp_path, None, dead) as proxy,
        independent_charger(proxy.chargers, "1.6", "CP1"),
        httpx.AsyncClient(base_url=proxy.http) as client,
    ):
        answer = proper(await client.post("/api/services/test", json={"service": "billing"}))
        assert (answer["success"], answer["connected"]) == (False, False)
        assert (answer["steps"][-1]["step"], answer["steps"][-1]["ok"]) == ("connect", False)
        assert (await client.post("/api/services/test", json={"charger": "CP1"})).status_code == 400


# HTTP and Prometheus


async def test_the_status_and_the_numbers_show_each_link(tmp_path: Path, broker: Broker) -> None:
    async with (
        csms_of("1.6") as csms,
        connected(tmp_path, broker, service(csms), version="2.0.1") as scene,
        httpx.AsyncClient(base_url=scene.proxy.http) as http,
    ):
        status = proper(await http.get("/status"))["services"]["billing"]
        assert (status["state"], status["chargers"]["CP1"]["identity"]) == ("online", "CP1")
        numbers = (await http.get("/metrics")).text
        assert 'ocpp_proxy_service_connected{service="billing",charger="CP1"} 1' in numbers
        assert 'ocpp_proxy_service_frames_sent_total{service="billing",charger="CP1"}' in numbers
