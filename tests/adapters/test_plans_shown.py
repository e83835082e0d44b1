"""What will flow at most, on a charger's topic: anew when it changes and at each step, and not more often."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.mqtt.plans import OLD, WANTED, Plans
from ocpp_mqtt_proxy.adapters.mqtt.states import States
from ocpp_mqtt_proxy.arbitration import Arbitration, wishes
from ocpp_mqtt_proxy.arbitration.outlook import outlook
from ocpp_mqtt_proxy.core.control import Limit
from ocpp_mqtt_proxy.core.events import ChargerForgotten, StatusChanged
from ocpp_mqtt_proxy.core.model import Amps, Status
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.topics import Topics
from ocpp_mqtt_proxy.turns import at_once
from tests.adapters.mqtt_rig import until
from tests.fakes import NOON, FakeClock, FakeLink, FakePublisher, a_charger, a_hub, an_arbitration, providers
from tests.independent import independent_charger
from tests.running import Running, Watcher

TOPIC = "ocpp/charger/CP1/plan"
MINUTE = timedelta(minutes=1)
NOTHING_MUCH = StatusChanged(charger="CP1", at=NOON, status=Status.AVAILABLE)


@dataclass
class Scene:
    """A charger and a provider that may limit it; what is retained of the charger's plan, and how often it was."""

    publisher: FakePublisher = field(default_factory=FakePublisher)
    told: int = 0

    def __post_init__(self) -> None:
        hub = a_hub()
        self.station: Station = a_charger(hub, FakeLink())
        self.arbitration: Arbitration = an_arbitration(hub, Rules(providers=providers("x")))
        assert isinstance(hub.clock, FakeClock)
        self.clock = hub.clock
        self.states = States(hub, hub.bus.mailbox("mqtt"), self.publisher, hub.clock, Topics())
        self.plans = Plans(
            foresee=lambda station: outlook(self.arbitration, station, self.clock.now()),
            hub=hub,
            mailbox=hub.bus.mailbox("plans", only=WANTED),
            retain=self.retain,
            clock=hub.clock,
            topics=Topics(),
            calm=0.0,
        )

    def retain(self, charger_id: str, topic: str, payload: bytes) -> None:
        self.told += 1
        self.states.retain(charger_id, topic, payload)

    def limit(self, amps: float, minutes: float) -> None:
        self.station.control.limits["x"] = Limit(Amps(amps), until=self.clock.now() + minutes * MINUTE)

    @property
    def plan(self) -> dict[str, Any]:
        return dict(json.loads(self.publisher.retained[TOPIC]))

    @property
    def steps(self) -> list[tuple[float, str]]:
        return [(step["amps"], step["by"]) for step in self.plan["steps"]]


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    at_once(scene.plans.publish_all())
    scene.told = 0
    return scene


async def test_at_the_start_every_charger_s_is_shown(scene: Scene) -> None:
    assert scene.plan == {
        "from": "2026-03-14T12:00:00.000Z",
        "until": "2026-03-15T12:00:00.000Z",
        "unit": "A",
        "steps": [{"at": "2026-03-14T12:00:00.000Z", "amps": 32, "by": "owner"}],
    }


async def test_it_is_told_anew_when_a_fact_changed_it(scene: Scene) -> None:
    scene.limit(10, minutes=90)
    at_once(scene.plans.tell([NOTHING_MUCH]))
    assert scene.steps == [(10, "x"), (32, "owner")]
    assert scene.plan["steps"][1]["at"] == "2026-03-14T13:30:00.000Z"


async def test_what_changes_nothing_is_not_told(scene: Scene) -> None:
    scene.limit(10, minutes=90)
    for _ in range(50):
        at_once(scene.plans.tell([NOTHING_MUCH]))
        scene.clock.pass_(seconds=1)
    assert scene.told == 1


async def test_it_is_told_anew_at_each_step(scene: Scene) -> None:
    scene.limit(10, minutes=5)
    at_once(scene.plans.tell([NOTHING_MUCH]))
    scene.clock.pass_(minutes=5)
    at_once(scene.plans.tell([]))
    assert (scene.steps, scene.told) == ([(32, "owner")], 2)


async def test_it_reaches_as_far_ahead_after_hours_in_which_nothing_happened(scene: Scene) -> None:
    scene.clock.pass_(hours=OLD / timedelta(hours=1))
    at_once(scene.plans.tell([]))
    assert (scene.plan["until"], scene.told) == ("2026-03-15T13:00:00.000Z", 1)


async def test_at_work_it_follows_a_provider_s_limit_and_its_end(scene: Scene) -> None:
    work = asyncio.create_task(scene.plans.run())
    try:
        assert (await wishes.set_limit(scene.arbitration, "x", "CP1", Amps(8), None, timedelta(seconds=0.2))).ok
        await until(lambda: scene.steps == [(8, "x"), (32, "owner")], work)
        scene.clock.pass_(seconds=1)
        await until(lambda: scene.steps == [(32, "owner")], work)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_it_goes_with_its_charger(scene: Scene) -> None:
    del scene.arbitration.hub.stations["CP1"]
    forgotten = ChargerForgotten(charger="CP1", at=NOON)
    at_once(scene.plans.tell([forgotten, NOTHING_MUCH]))
    scene.states.tell([forgotten])
    assert TOPIC not in scene.publisher.retained


@pytest.mark.integration
async def test_a_charger_that_connects_is_shown_with_its_plan(proxy: Running, watcher: Watcher) -> None:
    async with independent_charger(proxy.chargers, "1.6", "CP1"):
        plan = await watcher.document("charger/CP1/plan")
    assert [(step["amps"], step["by"]) for step in plan["steps"]] == [(32, "owner")]
