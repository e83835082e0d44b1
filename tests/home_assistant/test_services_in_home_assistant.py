"""A service in a real Home Assistant: whether it is connected, what waits for it, and the switch that cuts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.home_assistant.conftest import Rig
from tests.home_assistant.home import Home
from tests.independent import independent_charger
from tests.independent_csms import Csms, csms_of
from tests.running import Running, running


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    async with csms_of("1.6") as csms:
        yield csms


@pytest.fixture
async def served(rig: Rig, books: Path, csms: Csms) -> AsyncIterator[Running]:
    """The service beside that Home Assistant, with a CSMS that it connects to."""
    given: dict[str, Any] = {
        "mqtt": {
            "base_topic": "ocpp",
            "discovery_prefix": "homeassistant",
            "status_topic": "homeassistant/status",
            "discovery": rig.discovery,
        },
        "providers": [{"id": "employer", "name": "My employer"}],
        "ocpp_services": [
            {"id": "employer", "url": csms.url, "version": "1.6", "auth_type": "none", "chargers": ["served"]}
        ],
    }
    async with running(books, rig.broker, **given) as service:
        yield service


async def test_a_service_shows_whether_it_is_connected_and_its_switch_cuts_it(
    served: Running, home: Home, csms: Csms
) -> None:
    connected, switch = "binary_sensor.ocpp_mqtt_proxy_employer_connected", "switch.ocpp_mqtt_proxy_employer_enabled"
    await home.until(connected, "off")
    async with independent_charger(served.chargers, "1.6", "served"):
        shown = await home.until(connected, "on")
        assert shown["attributes"]["friendly_name"] == "OCPP MQTT Proxy My employer connected"
        await home.until("sensor.ocpp_mqtt_proxy_employer_queue_depth", "0")
        await home.call("switch.turn_off", switch)
        await home.until(connected, "off")
        await home.until(switch, "off")
        await home.call("switch.turn_on", switch)
        await home.until(connected, "on")
        await csms.close()
        await home.until(connected, "off")
    assert await home.complaints("employer", "service_") == []
