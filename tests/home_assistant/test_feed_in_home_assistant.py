"""A real Home Assistant's entities at work: who is at home, the override's twin, notifications, and its absence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.sharing import ControlClass
from tests.adapters.pretend_home_assistant import eventually
from tests.home_assistant.conftest import Rig, run
from tests.home_assistant.home import Home
from tests.independent import independent_charger
from tests.running import Running, running

PERSON, PHONE = "person.anna", "device_tracker.annas_phone"
BOOLEAN, SWITCH = "input_boolean.charger_override", "switch.carport_override"
AT_MOST = 2.0
"""Seconds within which a person coming home refuses a backend (issue)."""


@pytest.fixture
async def anna(rig: Rig, home: Home) -> AsyncIterator[httpx.AsyncClient]:
    """The API by which her phone tells where she is."""
    if PERSON not in home.states:
        await home.ask("person/create", name="Anna", device_trackers=[PHONE])
    headers = {"Authorization": f"Bearer {rig.state['token']}"}
    async with httpx.AsyncClient(base_url=rig.state["url"], headers=headers) as client:
        yield client


async def is_at(anna: httpx.AsyncClient, place: str) -> None:
    state = {"state": place, "attributes": {"source_type": "router"}}
    (await anna.post(f"/api/states/{PHONE}", json=state)).raise_for_status()


@pytest.fixture
async def shared(rig: Rig, books: Path, home: Home, anna: httpx.AsyncClient) -> AsyncIterator[Running]:
    """The service beside that Home Assistant, everybody away and nothing overridden."""
    await is_at(anna, "not_home")
    await home.until(PERSON, "not_home")
    await home.call("input_boolean.turn_off", BOOLEAN)
    given: dict[str, Any] = {
        "mqtt": {
            "base_topic": "ocpp",
            "discovery_prefix": "homeassistant",
            "status_topic": "homeassistant/status",
            "discovery": rig.discovery,
        },
        "home_assistant": {"url": rig.state["url"], "token": rig.state["token"]},
        "presence_sensor": PERSON,
        "override_input_boolean": BOOLEAN,
        "providers": [{"id": "public", "presence": "away"}],
        "rate_limit_seconds": 0,
    }
    async with running(books, rig.broker, **given) as service:
        await eventually(lambda: service.app.arbitration.house.presence == "away")
        yield service


@pytest.fixture
async def charger(shared: Running, home: Home) -> AsyncIterator[Any]:
    async with independent_charger(shared.chargers, "1.6", "carport") as charger:
        await charger.tell_status("Available")
        await home.until("sensor.carport_status", "available")
        await home.until(SWITCH, "off")
        yield charger


async def asked(service: Running) -> Outcome:
    """A provider that may act while everybody is away asks for control."""
    return await wishes.request_control(service.app.arbitration, "public", "carport", [ControlClass.TRANSACTIONS])


@pytest.mark.usefixtures("charger")
async def test_a_person_coming_home_refuses_a_provider(shared: Running, home: Home, anna: httpx.AsyncClient) -> None:
    assert (await asked(shared)).ok
    came = asyncio.get_running_loop().time()
    await is_at(anna, "home")
    await eventually(lambda: shared.app.arbitration.house.presence == "home")
    assert (await asked(shared)).reason == "presence"
    assert asyncio.get_running_loop().time() - came < AT_MOST
    await home.until("sensor.ocpp_mqtt_proxy_presence", "home")
    await home.until("sensor.carport_control_owner", "none")
    await home.until("sensor.carport_last_refusal", "presence")


@pytest.mark.usefixtures("charger", "shared")
async def test_switch_and_boolean_follow_each_other(home: Home) -> None:
    await home.call("input_boolean.turn_on", BOOLEAN)
    await home.until(SWITCH, "on")
    await home.until("sensor.carport_control_owner", "owner")
    await home.call("switch.turn_off", SWITCH)
    await home.until(BOOLEAN, "off")
    await home.call("switch.turn_on", SWITCH)
    await home.until(BOOLEAN, "on")
    await home.call("input_boolean.turn_off", BOOLEAN)
    await home.until(SWITCH, "off")


@pytest.mark.usefixtures("shared")
async def test_a_notification_appears_and_a_fault_s_goes_again(home: Home, charger: Any) -> None:
    await charger.tell_status("Faulted")
    shown = await _until_notified(home, "ocpp_mqtt_proxy_fault_carport_1")
    assert shown["title"] == "carport: fault"
    await charger.tell_status("Available")
    await charger.begin()
    charger.meter.register += 1500
    await charger.end()
    ids = await _until(home, lambda there: any("_session_" in one for one in there))
    assert "ocpp_mqtt_proxy_fault_carport_1" not in ids
    (ended,) = (notice for one, notice in ids.items() if "_session_" in one)
    assert ended["title"] == "carport: charging ended"
    assert ended["message"].startswith("1.50 kWh in 0 min, cost 0.45 EUR")


async def _until_notified(home: Home, notice: str) -> Any:
    return (await _until(home, lambda there: notice in there))[notice]


async def _until(home: Home, fits: Any) -> dict[str, Any]:
    """Wait until such notifications are shown."""
    async with asyncio.timeout(10):
        while True:
            there = {n["notification_id"]: n for n in await home.ask("persistent_notification/get")}
            if fits(there):
                return there
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("charger")
async def test_home_assistant_and_the_broker_restart_and_nobody_gets_in(
    rig: Rig, shared: Running, home: Home, anna: httpx.AsyncClient
) -> None:
    assert (await asked(shared)).ok
    refusals: set[str] = set()
    await home.call("input_boolean.turn_on", BOOLEAN)
    await home.until(SWITCH, "on")
    refusals.add(str((await asked(shared)).reason))
    await asyncio.to_thread(run, "stop.sh", rig.variant)
    await eventually(lambda: shared.app.arbitration.house.presence == "unknown")
    refusals.add(str((await asked(shared)).reason))
    starting = asyncio.create_task(asyncio.to_thread(run, "start.sh", rig.variant))
    while not starting.done():
        refusals.add(str((await asked(shared)).reason))
        await asyncio.wait([starting], timeout=0.05)
    await starting
    assert refusals == {"override"}
    async with Home.at(rig.state["url"], rig.state["token"]) as again:
        await again.until(BOOLEAN, "on")
        await again.until(SWITCH, "on")
        await is_at(anna, "home")
        await again.until("sensor.ocpp_mqtt_proxy_presence", "home")
        await again.call("input_boolean.turn_off", BOOLEAN)
        await again.until(SWITCH, "off")
        assert (await asked(shared)).reason == "presence"
        await is_at(anna, "not_home")
        await again.until("sensor.ocpp_mqtt_proxy_presence", "away")
        assert (await asked(shared)).ok


@pytest.mark.usefixtures("charger", "shared")
async def test_home_assistant_has_nothing_to_complain_of(home: Home) -> None:
    """The last in this file: by now everything above has passed through its log."""
    assert await home.complaints("ocpp", "carport", "websocket_api", "persistent", "mqtt") == []
