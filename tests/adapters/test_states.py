"""What is retained and sent as facts come: states with their events, readings no faster than anybody looks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.adapters.mqtt.states import GROUP, STEP, States
from ocpp_mqtt_proxy.arbitration import Wish
from ocpp_mqtt_proxy.core.arbiter import Intent
from ocpp_mqtt_proxy.core.controlling import set_mode
from ocpp_mqtt_proxy.core.events import (
    AuthorizationAsked,
    LimitsIgnored,
    LimitsObeyed,
    MonthReported,
    PresenceChanged,
)
from ocpp_mqtt_proxy.core.model import POWER, Amps, Place, Reading, Sample, Status
from ocpp_mqtt_proxy.core.reports import MeterReported, StatusReported
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence, Rules
from ocpp_mqtt_proxy.core.verifying import Ignored
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.topics import Topics
from tests.fakes import NOON, FakeLink, FakePublisher, a_charger, a_hub, an_arbitration, providers

A_DAY = 86_400.0
POWER_TOPIC = "ocpp/charger/CP1/connector/1/power"
STATUS_TOPIC = "ocpp/charger/CP1/connector/1/status"


@dataclass
class Watched(FakePublisher):
    """A publisher that tells when something came."""

    news: asyncio.Event = field(default_factory=asyncio.Event)

    def retain(self, topic: str, payload: str | bytes) -> None:
        super().retain(topic, payload)
        self.news.set()

    def emit(self, topic: str, payload: bytes) -> None:
        super().emit(topic, payload)
        self.news.set()


@dataclass
class Scene:
    """A charger whose facts are published. Between two shows of readings alone a day goes by."""

    hub: Hub = field(default_factory=a_hub)
    publisher: Watched = field(default_factory=Watched)

    def __post_init__(self) -> None:
        mailbox = self.hub.bus.mailbox("mqtt")
        self.states = States(self.hub, mailbox, self.publisher, self.hub.clock, Topics(), calm=A_DAY)
        a_charger(self.hub, FakeLink())

    def meter(self, watts: float) -> None:
        reading = Reading(POWER, watts, "W")
        self.hub.hear("CP1", MeterReported(Place(1), (Sample(NOON, (reading,)),)))

    def status(self, status: Status) -> None:
        self.hub.hear("CP1", StatusReported(Place(1), status, NOON))

    def events(self, kind: str) -> list[dict[str, object]]:
        return [json.loads(payload) for topic, payload in self.publisher.sent if topic.endswith(f"/event/{kind}")]

    def power(self) -> str | bytes | None:
        return self.publisher.retained.get(POWER_TOPIC)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self.publisher.news.clear()
                await self.publisher.news.wait()


@contextlib.asynccontextmanager
async def at_work(scene: Scene) -> AsyncIterator[None]:
    """The room at work, past what the connecting brought."""
    work = asyncio.create_task(scene.states.run())
    try:
        await scene.until(lambda: scene.events("connected"))
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_the_first_reading_is_shown_at_once() -> None:
    scene = Scene()
    async with at_work(scene):
        scene.meter(1000)
        await scene.until(lambda: scene.power() == "1000")


async def test_readings_that_come_fast_are_all_sent_but_not_all_shown() -> None:
    scene = Scene()
    async with at_work(scene):
        scene.meter(1000)
        await scene.until(lambda: scene.power() == "1000")
        scene.meter(2000)
        await scene.until(lambda: len(scene.events("meter")) == 2)
        assert scene.power() == "1000"


async def test_the_readings_of_many_chargers_are_all_shown_in_the_end() -> None:
    scene = Scene()
    scene.states.calm = 0.1
    chargers = [f"X{number}" for number in range(3 * GROUP)]
    for charger_id in chargers:
        a_charger(scene.hub, FakeLink(), charger_id)
    async with at_work(scene):
        reading = Sample(NOON, (Reading(POWER, 1000, "W"),))
        for charger_id in chargers:
            scene.hub.hear(charger_id, MeterReported(Place(1), (reading,)))
        topics = {f"ocpp/charger/{charger_id}/connector/1/power" for charger_id in chargers}
        await scene.until(lambda: {t for t in topics if scene.publisher.retained.get(t) == "1000"} == topics)


async def test_an_event_is_not_sent_before_the_state_it_tells_of_however_many_there_are() -> None:
    scene = Scene()
    async with at_work(scene):
        for _ in range(STEP):
            scene.status(Status.FAULTED)
            scene.status(Status.AVAILABLE)
        scene.status(Status.RESERVED)
        await scene.until(lambda: scene.events("status")[-1:] and scene.events("status")[-1]["status"] == "reserved")
        assert scene.publisher.retained[STATUS_TOPIC] == "reserved"


async def test_whatever_else_happens_shows_the_last_reading_with_it() -> None:
    scene = Scene()
    async with at_work(scene):
        scene.meter(1000)
        await scene.until(lambda: scene.power() == "1000")
        scene.meter(2000)
        scene.status(Status.FAULTED)
        await scene.until(lambda: scene.publisher.retained.get(STATUS_TOPIC) == "faulted")
        assert scene.power() == "2000"


async def test_a_state_is_retained_before_anybody_can_ask_after_its_event() -> None:
    scene = Scene()
    async with at_work(scene):
        scene.status(Status.FAULTED)
        await scene.until(lambda: scene.events("status"))
        assert scene.publisher.retained[STATUS_TOPIC] == "faulted"


def test_the_last_reading_is_shown_when_the_program_ends() -> None:
    scene = Scene()
    for watts in (1000, 2000):
        scene.meter(watts)
    scene.states.catch_up()
    assert scene.power() == "2000"
    assert len(scene.events("meter")) == 2


async def test_a_forgotten_charger_leaves_nothing_behind() -> None:
    scene = Scene()
    scene.meter(1000)
    scene.states.catch_up()
    shown = set(scene.publisher.retained)
    await scene.hub.forget("CP1")
    scene.states.catch_up()
    assert {*scene.publisher.retained} == {"ocpp/bridge/chargers_connected"}
    assert set(scene.publisher.cleared) == shown - {"ocpp/bridge/chargers_connected"}


async def test_a_forgotten_charger_that_comes_again_keeps_its_topics() -> None:
    scene = Scene()
    scene.meter(1000)
    scene.states.catch_up()
    await scene.hub.forget("CP1")
    a_charger(scene.hub, FakeLink())
    scene.states.catch_up()
    assert scene.publisher.cleared == []
    assert scene.publisher.retained["ocpp/charger/CP1/availability"] == "online"


async def test_a_month_s_report_is_an_event_of_the_bridge_s_and_of_no_charger() -> None:
    scene = Scene()
    scene.states.tell([MonthReported(charger="", at=NOON, document={"month": "2026-02", "sessions": 3})])
    scene.states.tell([MonthReported(charger="", at=NOON, document={"month": "2026-02"}, corrected=True)])
    told = [(topic, json.loads(payload)) for topic, payload in scene.publisher.sent if "month" in payload.decode()]
    assert [topic for topic, _ in told] == ["ocpp/bridge/event"] * 2
    assert told[0][1] == {
        "event": "monthly_report",
        "event_type": "monthly_report",
        "at": "2026-03-14T12:00:00.000Z",
        "month": "2026-02",
        "sessions": 3,
    }
    assert told[1][1]["event"] == "monthly_report_corrected"


async def test_a_charger_that_ignores_its_limits_is_an_event_of_the_bridge_s_and_a_state_of_its_own() -> None:
    scene = Scene()
    station = scene.hub.station("CP1")
    for ignores, fact in [
        (Ignored(NOON, 32), LimitsIgnored(charger="CP1", connector=1, at=NOON, effective=Amps(10), gives=32)),
        (None, LimitsObeyed(charger="CP1", connector=1, at=NOON)),
    ]:
        station.ignores = ignores
        scene.states.tell([fact])
        assert scene.publisher.retained["ocpp/charger/CP1/ignores_limits"] == ("ON" if ignores else "OFF")
    told = [json.loads(payload) for topic, payload in scene.publisher.sent if topic == "ocpp/bridge/event"]
    assert [event["event"] for event in told[-2:]] == ["limits_ignored", "limits_obeyed"]
    assert {event["charger"] for event in told[-2:]} == {"CP1"}


# Who controls


def test_what_is_decided_is_an_event_of_its_own_and_one_of_its_group() -> None:
    scene = Scene()
    rules = Rules(providers=providers("night", "fleet"))
    arbitration = an_arbitration(scene.hub, rules)
    for provider in ("night", "fleet"):
        wish = Wish(provider, ControlClass.TRANSACTIONS, "request_control", Intent.HOLD)
        arbitration.judge(scene.hub.station("CP1"), [wish])
    scene.hub.apply(scene.hub.station("CP1"), lambda hearing: set_mode(hearing, "owner", "mqtt"))
    scene.states.catch_up()
    told = [(event["event"], event["event_type"], event["provider"]) for event in scene.events("control")]
    assert told == [
        ("control_granted", "granted", "night"),
        ("control_refused", "refused", "fleet"),
        ("control_revoked", "revoked", "night"),
    ]
    for kind in ("control_granted", "control_refused", "control_revoked", "override"):
        assert [event["event_type"] for event in scene.events(kind)] == [kind]


def test_who_is_at_home_shows_at_every_charger() -> None:
    scene = Scene()
    a_charger(scene.hub, FakeLink(), "CP2")
    scene.states.house.presence = Presence.AWAY
    scene.hub.bus.publish(PresenceChanged(charger="", at=NOON, presence=Presence.AWAY))
    scene.states.catch_up()
    for charger_id in ("CP1", "CP2"):
        control = json.loads(scene.publisher.retained[f"ocpp/charger/{charger_id}/control"])
        assert control["presence"] == "away"


def test_a_card_that_is_asked_about_is_told_to_nobody_here() -> None:
    scene = Scene()
    asked = AuthorizationAsked(charger="CP1", at=NOON, provider="night", request_id="1", id_tag="04A1", until=NOON)
    scene.hub.bus.publish(asked)
    scene.states.catch_up()
    assert scene.events("authorization_request") == []
