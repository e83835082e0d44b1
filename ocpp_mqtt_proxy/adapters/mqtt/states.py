"""Keeps the retained topics true, and sends events: from facts to the publisher."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.mqtt.projection import of_charger, of_connector
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import (
    AuthorizationAsked,
    ChargerConnected,
    ChargerDisconnected,
    ChargerForgotten,
    ControlGranted,
    ControlRefused,
    ControlRevoked,
    DataTransferred,
    Fact,
    HeartbeatHeard,
    LimitsIgnored,
    LimitsObeyed,
    MeterRead,
    MonthReported,
    NoticeHeard,
    PresenceChanged,
    SessionEnded,
    SessionStarted,
)
from ocpp_mqtt_proxy.core.sharing import Circumstances
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Clock, Publisher, Stations
from ocpp_mqtt_proxy.topics import Topics
from ocpp_mqtt_proxy.turns import at_once, in_turns

GROUPED: dict[type[Fact], tuple[str, str]] = {
    SessionStarted: ("session", "started"),
    SessionEnded: ("session", "ended"),
    ControlGranted: ("control", "granted"),
    ControlRefused: ("control", "refused"),
    ControlRevoked: ("control", "revoked"),
}
"""Events that are also sent on a topic of their group, under the type that Home Assistant shows."""

OF_THE_BRIDGE: dict[type[Fact], str] = {
    ChargerConnected: "charger_connected",
    ChargerDisconnected: "charger_disconnected",
    ChargerForgotten: "charger_forgotten",
    LimitsIgnored: "limits_ignored",
    LimitsObeyed: "limits_obeyed",
}
"""Facts that are events of the proxy too, under these kinds."""

READINGS_SECONDS = 0.5
"""How often what only readings changed is shown at most. The first after a pause is shown at once."""

TICK, GROUP = 0.1, 5
"""Seconds between two groups of chargers so shown, and how many are one: to be woken, and to write to the broker,
takes longer than to show one more. Where more than 25 chargers charge, each is shown less often: 50 a second are,
with some 18 values each, which is what a Home Assistant can take. Their events tell every reading at once."""

GATHER_SECONDS = 0.002
"""How long facts are gathered while they come fast: to be woken for each takes longer than to tell it."""

STEP = 8
"""Facts told before the chargers have their turn: a few milliseconds' work on a PC, where each changes a state."""

BURIAL_SECONDS = 5.0
"""How long after a charger was forgotten its topics are cleared. Home Assistant takes the entities away first: of
an empty state it would complain in its log."""

_READINGS = (MeterRead, HeartbeatHeard, NoticeHeard, DataTransferred)
"""Facts that may come faster than anybody looks. Others are shown with the event that tells of them."""


@dataclass
class States:
    """Publishes what facts change. `calm` is how often readings alone are shown, in seconds.

    `house` is what holds for all chargers; `also` shows what facts change beside them.
    """

    hub: Stations
    mailbox: Mailbox
    publisher: Publisher
    clock: Clock
    topics: Topics
    show_tags: bool = False
    house: Circumstances = field(default_factory=Circumstances)
    also: Callable[[Sequence[Fact]], None] = lambda _: None
    calm: float = READINGS_SECONDS
    _topics_of: dict[str, set[str]] = field(default_factory=dict)
    _touched: dict[str, set[int]] = field(default_factory=dict)
    _forgotten: dict[str, None] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _deaths: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Publish, for ever: at once, but readings that come fast only as often as anybody looks."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._show_readings())
            tasks.create_task(self._bury_for_ever())
            while True:
                await in_turns(self._take(await self.mailbox.take()))
                self._news.set()
                await asyncio.sleep(GATHER_SECONDS)

    async def _show_readings(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            chargers = list(self._touched)
            size = max(1, min(GROUP, math.ceil(len(chargers) * TICK / self.calm)))
            for first in range(0, len(chargers), size):
                group = chargers[first : first + size]
                for charger_id in group:
                    self._show_touched(charger_id)
                # Spread, so that events get through.
                await asyncio.sleep(max(TICK, self.calm * len(group) / len(chargers)))

    async def _bury_for_ever(self) -> None:
        while True:
            await self._deaths.wait()
            await asyncio.sleep(BURIAL_SECONDS)
            self._bury()

    def catch_up(self) -> None:
        """Tell all that waits: the program ends."""
        self.tell(self.mailbox.take_now())

    def publish_all(self) -> Iterator[None]:
        """Publish the state of every charger, as at the start; a step each."""
        for station in list(self.hub.stations.values()):
            self._show(station, None)
            yield
        self._count()

    def tell(self, facts: Sequence[Fact]) -> None:
        """Send the events, then show what they changed, once each."""
        at_once(self._take(facts))
        for charger_id in list(self._touched):
            self._show_touched(charger_id)
        self._bury()

    def _take(self, facts: Sequence[Fact]) -> Iterator[None]:
        """Send the events and show at once what more than readings changed; in steps, where they are many."""
        self.also(facts)
        for first in range(0, len(facts), STEP):
            if first:
                yield
            self._take_few(facts[first : first + STEP])

    def _take_few(self, facts: Sequence[Fact]) -> None:
        """Both before anybody else has a turn: an event is not sent before the state that it tells of."""
        urgent: dict[str, None] = {}
        for fact in facts:
            if kind := OF_THE_BRIDGE.get(type(fact)):
                self._emit_of_bridge(kind, {"charger": fact.charger, "at": shapes.time(fact.at)})
            if not fact.charger:
                self._take_of_house(fact)
                continue
            if isinstance(fact, ChargerForgotten):
                self._forgotten[fact.charger] = None
                self._deaths.set()
                self._touched.pop(fact.charger, None)
                continue
            self._emit(fact)
            touched = self._touched.setdefault(fact.charger, set())
            touched.add(fact.connector)
            if not isinstance(fact, _READINGS):
                touched.add(0)
                urgent[fact.charger] = None
        for charger_id in urgent:
            self._show_touched(charger_id)
        if any(type(fact) in OF_THE_BRIDGE for fact in facts):
            self._count()

    def _take_of_house(self, fact: Fact) -> None:
        """A fact of no charger. Who is at home shows at every charger, with their readings: they may be many."""
        if isinstance(fact, MonthReported):
            kind = "monthly_report_corrected" if fact.corrected else "monthly_report"
            self._emit_of_bridge(kind, {"at": shapes.time(fact.at), **fact.document})
        elif isinstance(fact, PresenceChanged):
            for charger_id in self.hub.stations:
                self._touched.setdefault(charger_id, set()).add(0)

    def _show_touched(self, charger_id: str) -> None:
        connectors = self._touched.pop(charger_id, None)
        station = self.hub.stations.get(charger_id)
        if station is not None and connectors is not None:
            self._show(station, connectors)

    def _emit(self, fact: Fact) -> None:
        if not fact.KIND or isinstance(fact, AuthorizationAsked):  # that one is between us and who is asked
            return
        document = shapes.event(fact, show_tags=self.show_tags)
        self.publisher.emit(self.topics.charger(fact.charger, "event", fact.KIND), shapes.dump(document))
        if group := GROUPED.get(type(fact)):
            document["event_type"] = group[1]
            self.publisher.emit(self.topics.charger(fact.charger, "event", group[0]), shapes.dump(document))

    def _emit_of_bridge(self, kind: str, fields: shapes.Json) -> None:
        document = {"event": kind, "event_type": kind, **fields}
        self.publisher.emit(self.topics.bridge("event"), shapes.dump(document))

    def _count(self) -> None:
        connected = sum(station.connected for station in self.hub.stations.values())
        self.publisher.retain(self.topics.bridge("chargers_connected"), str(connected))

    def _show(self, station: Station, connectors: set[int] | None) -> None:
        """Retain a charger's state: of all its connectors, or of some. 0 is the charger, which counts for all."""
        known = self._topics_of.setdefault(station.id, set())
        for connector in station.ordered():
            if connectors is None or 0 in connectors or connector.number in connectors:
                state = of_connector(station, connector, self.topics, self.clock.now(), tags=self.show_tags)
                for topic, payload in state:
                    known.add(topic)
                    self.publisher.retain(topic, payload)
        if connectors is None or 0 in connectors:
            for topic, payload in of_charger(station, self.topics, self.house.presence):
                known.add(topic)
                self.publisher.retain(topic, payload)

    def retain(self, charger_id: str, topic: str, payload: bytes) -> None:
        """Retain what is shown of a charger beside this, and goes with it."""
        self._topics_of.setdefault(charger_id, set()).add(topic)
        self.publisher.retain(topic, payload)

    def _bury(self) -> None:
        """Clear what is retained of forgotten chargers, unless they have come again."""
        self._deaths.clear()
        for charger_id in self._forgotten.keys() - self.hub.stations.keys():
            for topic in self._topics_of.pop(charger_id, set()):
                self.publisher.clear(topic)
        self._forgotten.clear()
