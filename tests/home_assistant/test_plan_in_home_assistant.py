"""What will flow at most, in a real Home Assistant: attributes of the effective limit, as its charts read them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.arbitration.outlook import MAX_STEPS
from ocpp_mqtt_proxy.core.control import Plan
from ocpp_mqtt_proxy.core.events import LimitsChanged
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Period, Schedule
from tests.home_assistant.conftest import Rig
from tests.home_assistant.home import Home, Json
from tests.independent import independent_charger
from tests.running import Running, running

LIMIT = "sensor.planned_effective_limit"
PROVIDER = "a_provider_with_quite_a_long_name_for_the_book"


@pytest.fixture
async def shared(rig: Rig, books: Path) -> AsyncIterator[Running]:
    """The service beside that Home Assistant, with a provider that may limit."""
    topics = {
        "base_topic": "ocpp",
        "discovery_prefix": "homeassistant",
        "status_topic": "homeassistant/status",
        "discovery": rig.discovery,
    }
    providers = [{"id": PROVIDER, "presence": "any"}]
    async with running(books, rig.broker, mqtt=topics, providers=providers) as service:
        yield service


def plan(service: Running, *periods: Period) -> datetime:
    """The provider has a schedule that begins now; when that is."""
    hub = service.app.hub
    start = hub.clock.now()
    profile = ChargingProfile(Schedule(periods, start=start))
    station = hub.station("planned")
    station.control.plans[PROVIDER] = Plan((profile,), lasting=True)
    hub.apply(station, lambda hearing: hearing.tell(LimitsChanged))
    return start


def charted(steps: list[Json]) -> list[tuple[float, float]]:
    """As a chart has them: times (POSIX) and values."""
    return [(datetime.fromisoformat(step["at"]).timestamp(), float(step["amps"])) for step in steps]


async def test_the_steps_of_a_day_are_there_to_be_charted(shared: Running, home: Home) -> None:
    async with independent_charger(shared.chargers, "1.6", "planned") as charger:
        await charger.tell_status("Available")
        await home.until("sensor.planned_status", "available")
        start = plan(shared, Period(0, 16), Period(7200, 10), Period(10800, 32))
        steps = await home.until_attribute(LIMIT, "steps", lambda steps: len(steps) == 3)
        _, *later = charted(steps)
        assert [(round(at - start.timestamp()), amps) for at, amps in later] == [(7200, 10), (10800, 32)]
        attributes = home.states[LIMIT]["attributes"]
        assert attributes["unit"] == "A"
        ahead = datetime.fromisoformat(attributes["until"]) - datetime.fromisoformat(attributes["from"])
        assert ahead == timedelta(days=1)
        await home.until(LIMIT, lambda state: state in ("16", "16.0"))


async def test_as_many_steps_as_are_told_are_not_too_many_for_its_books(shared: Running, home: Home) -> None:
    async with independent_charger(shared.chargers, "1.6", "planned") as charger:
        await charger.tell_status("Available")
        plan(shared, *(Period(minute * 60, 10 + minute % 2) for minute in range(300)))
        await home.until_attribute(LIMIT, "steps", lambda steps: len(steps) == MAX_STEPS)
    assert await home.complaints("planned", "exceed", "attributes") == []
