"""Services' topics: shown when a link changes, and now and then what waits."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.mqtt.services import ServiceTopics
from ocpp_mqtt_proxy.core.events import ChargerForgotten, HeartbeatHeard, ProviderChanged
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.reports import SecurityReported
from ocpp_mqtt_proxy.services.views import Overview
from ocpp_mqtt_proxy.topics import Topics
from tests.adapters.mqtt_rig import until
from tests.fakes import NOON, FakePublisher
from tests.services.fakes import FakeRoster, an_outstation, outbox_of


@dataclass
class Shown:
    """Two services, and what is retained of them."""

    publisher: FakePublisher = field(default_factory=FakePublisher)

    def __post_init__(self) -> None:
        self.billing = an_outstation()
        self.fleet = an_outstation(arbitration=self.billing.arbitration, id="fleet")
        overview = Overview(FakeRoster([self.billing, self.fleet]))
        self.topics = ServiceTopics(overview, self.publisher, Topics(), calm=0.0)

    def state(self, service: str) -> Any:
        return self.publisher.retained.get(f"ocpp/service/{service}/state")

    def depth(self, service: str) -> int:
        return int(json.loads(self.publisher.retained[f"ocpp/service/{service}/info"])["queue_depth"])


@pytest.fixture
async def shown() -> Shown:
    return Shown()


def changed(provider: str) -> ProviderChanged:
    return ProviderChanged(charger="", at=NOON, provider=provider)


async def test_all_are_shown_at_the_start(shown: Shown) -> None:
    shown.topics.publish()
    assert (shown.state("billing"), shown.state("fleet")) == ("online", "online")


async def test_one_that_changed_is_shown_alone(shown: Shown) -> None:
    shown.billing.link = None
    shown.topics.hear([changed("billing"), changed("night")])
    assert (shown.state("billing"), shown.state("fleet")) == ("offline", None)
    assert "ocpp/service/night/state" not in shown.publisher.retained


async def test_a_charger_that_is_forgotten_changes_all_and_a_heartbeat_none(shown: Shown) -> None:
    shown.topics.hear([HeartbeatHeard(charger="CP1", at=NOON)])
    assert shown.publisher.retained == {}
    shown.topics.hear([ChargerForgotten(charger="CP1", at=NOON)])
    assert (shown.state("billing"), shown.state("fleet")) == ("online", "online")


async def test_what_waits_is_shown_without_anybody_telling(shown: Shown) -> None:
    room = asyncio.create_task(shown.topics.run())
    await until(lambda: shown.state("fleet"), room)
    waiting = Outgoing("fleet", "CP1", 1, NOON, SecurityReported("Tampered"))
    outbox_of(shown.fleet.hub).waiting.append(waiting)
    await until(lambda: shown.depth("fleet") == 1, room)
    room.cancel()
    await asyncio.gather(room, return_exceptions=True)
    assert shown.depth("billing") == 0
