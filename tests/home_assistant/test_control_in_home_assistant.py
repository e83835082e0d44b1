"""Who controls a charger, in a real Home Assistant: the override, the mode, refusals, providers, presence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.sharing import ControlClass
from tests.home_assistant.conftest import Rig
from tests.home_assistant.home import Home
from tests.independent import independent_charger
from tests.running import Running, Watcher, running

PROVIDERS = [
    {"id": "night", "name": "Cheap Night", "presence": "any", "tariff": {"price_per_kwh": 0.2}},
    {"id": "fleet", "presence": "any"},
    {"id": "public", "presence": "away"},
]
AT_ONCE = 1.0
"""Seconds within which the override takes control (issue: under a second)."""


@pytest.fixture
async def shared(rig: Rig, books: Path) -> AsyncIterator[Running]:
    """The service beside that Home Assistant, with providers."""
    topics = {
        "base_topic": "ocpp",
        "discovery_prefix": "homeassistant",
        "status_topic": "homeassistant/status",
        "discovery": rig.discovery,
    }
    given: dict[str, Any] = {
        "mqtt": topics,
        "providers": PROVIDERS,
        "presence_topic": "house/presence",
        "rate_limit_seconds": 0,
    }
    async with running(books, rig.broker, **given) as service:
        yield service


@pytest.fixture
async def charger(shared: Running, home: Home) -> AsyncIterator[Any]:
    async with independent_charger(shared.chargers, "1.6", "shared") as charger:
        await charger.tell_status("Available")
        await home.until("sensor.shared_status", "available")
        await home.until("select.shared_mode", "auto")
        yield charger
        for provider in ("night", "fleet", "public"):
            await wishes.release_control(shared.app.arbitration, provider, "shared", [*ControlClass])


async def asked_by(service: Running, provider: str) -> Outcome:
    """A provider asks for control over transactions."""
    classes = [ControlClass.TRANSACTIONS]
    return await wishes.request_control(service.app.arbitration, provider, "shared", classes)


@pytest.mark.usefixtures("charger")
async def test_the_override_takes_control_the_reason_shows_and_giving_it_back_works(
    shared: Running, home: Home
) -> None:
    assert (await asked_by(shared, "night")).ok
    await home.until("sensor.shared_control_owner", "night")
    taken = asyncio.get_running_loop().time()
    await home.call("switch.turn_on", "switch.shared_override")
    await home.until("sensor.shared_control_owner", "owner")
    assert asyncio.get_running_loop().time() - taken < AT_ONCE
    await home.until("switch.shared_override", "on")
    await home.until("select.shared_mode", "owner")
    assert (await asked_by(shared, "night")).reason == "override"
    refusal = await home.until("sensor.shared_last_refusal", "override")
    assert refusal["attributes"]["provider"] == "night"
    assert "owner" in refusal["attributes"]["message"]
    await home.call("switch.turn_off", "switch.shared_override")
    await home.until("switch.shared_override", "off")
    assert (await asked_by(shared, "night")).ok
    await home.until("sensor.shared_control_owner", "night")


@pytest.mark.usefixtures("charger")
async def test_the_select_puts_a_provider_in_charge(shared: Running, home: Home) -> None:
    select = await home.until("select.shared_mode", "auto")
    assert select["attributes"]["options"] == ["auto", "owner", "night", "fleet", "public"]
    await home.call("select.select_option", "select.shared_mode", option="fleet")
    await home.until("sensor.shared_control_owner", "fleet")
    await home.until("switch.shared_override", "off")
    assert (await asked_by(shared, "night")).reason == "override"
    await home.call("select.select_option", "select.shared_mode", option="auto")
    await home.until("select.shared_mode", "auto")


@pytest.mark.usefixtures("charger")
async def test_a_provider_is_switched_off_and_on(shared: Running, home: Home) -> None:
    switch = "switch.ocpp_mqtt_proxy_fleet_enabled"
    await home.until(switch, "on")
    await home.until("binary_sensor.ocpp_mqtt_proxy_fleet_connected", "off")
    shared.app.arbitration.arrived("fleet")
    await home.until("binary_sensor.ocpp_mqtt_proxy_fleet_connected", "on")
    await home.call("switch.turn_off", switch)
    await home.until(switch, "off")
    assert (await asked_by(shared, "fleet")).reason == "disabled"
    await home.until("sensor.shared_last_refusal", "disabled")
    await home.call("switch.turn_on", switch)
    await home.until(switch, "on")
    assert (await asked_by(shared, "fleet")).ok


@pytest.mark.usefixtures("charger")
async def test_presence_is_shown_and_refuses(shared: Running, home: Home) -> None:
    await home.until("sensor.ocpp_mqtt_proxy_presence", "unknown")
    assert (await asked_by(shared, "public")).reason == "presence_unknown"
    async with Watcher.on(shared) as watcher:
        await watcher.client.publish("house/presence", "not_home", retain=True, qos=1)
        await home.until("sensor.ocpp_mqtt_proxy_presence", "away")
        assert (await asked_by(shared, "public")).ok
        await watcher.client.publish("house/presence", "home", retain=True, qos=1)
        await home.until("sensor.shared_control_owner", "none")
        await home.until("sensor.ocpp_mqtt_proxy_presence", "home")
        assert (await asked_by(shared, "public")).reason == "presence"
        await home.until("sensor.shared_last_refusal", "presence")
        await watcher.client.publish("house/presence", "", retain=True, qos=1)
        await home.until("sensor.ocpp_mqtt_proxy_presence", "unknown")


@pytest.mark.usefixtures("charger")
async def test_what_is_decided_is_an_event(shared: Running, home: Home) -> None:
    before = await home.until("event.shared_control_event", bool)
    assert (await asked_by(shared, "night")).ok
    event = await home.until("event.shared_control_event", lambda state: state not in (before["state"], "unknown"))
    assert (event["attributes"]["event_type"], event["attributes"]["provider"]) == ("granted", "night")


async def test_who_controls_can_be_seen_and_said_while_the_charger_is_away(shared: Running, home: Home) -> None:
    async with independent_charger(shared.chargers, "1.6", "shared") as charger:
        await charger.tell_status("Faulted")
        await home.until("sensor.shared_status", "faulted")
        await home.until("switch.shared_override", "off")
    await home.until("sensor.shared_status", "unavailable")
    await home.call("switch.turn_on", "switch.shared_override")
    await home.until("switch.shared_override", "on")
    await home.call("switch.turn_off", "switch.shared_override")
    await home.until("switch.shared_override", "off")


async def test_a_provider_that_is_configured_no_longer_leaves_home_assistant(rig: Rig, books: Path, home: Home) -> None:
    topics = {
        "base_topic": "ocpp",
        "discovery_prefix": "homeassistant",
        "status_topic": "homeassistant/status",
        "discovery": rig.discovery,
    }
    async with running(books, rig.broker, mqtt=topics, providers=PROVIDERS):
        await home.until("switch.ocpp_mqtt_proxy_fleet_enabled", "on")
    async with running(books, rig.broker, mqtt=topics, providers=PROVIDERS[:1]):
        await home.until_gone("switch.ocpp_mqtt_proxy_fleet_enabled")
        await home.until("switch.ocpp_mqtt_proxy_night_enabled", "on")


async def test_home_assistant_has_nothing_to_complain_of(shared: Running, home: Home) -> None:
    """The last in this file: by now everything above has passed through its log."""
    async with independent_charger(shared.chargers, "1.6", "shared") as charger:
        await charger.tell_status("Available")
        await home.until("sensor.shared_status", "available")
    assert await home.complaints("ocpp", "shared", "discovery message", "mqtt") == []
