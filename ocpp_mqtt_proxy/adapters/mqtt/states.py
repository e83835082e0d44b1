"""Keeps the retained topics true, and sends events: from facts to the publisher."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.mqtt.projection import of_charger, of_connector
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import (
    ChargerForgotten,
    Fact,
    MeterRead,
    NoticeHeard,
    SessionEnded,
    SessionStarted,
)
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Clock, Publisher
from ocpp_mqtt_proxy.topics import Topics

GROUPED = {SessionStarted: ("session", "started"), SessionEnded: ("session", "ended")}
"""Events that are also sent on a topic of their group, under the type that Home Assistant shows."""


class Stations(Protocol):
    """What is looked at."""

    @property
    def stations(self) -> dict[str, Station]:
        """Every charger, by id."""


@dataclass
class States:
    """Publishes what facts change."""

    hub: Stations
    mailbox: Mailbox
    publisher: Publisher
    clock: Clock
    topics: Topics
    show_tags: bool = False
    _topics_of: dict[str, set[str]] = field(default_factory=dict)

    async def run(self) -> None:
        """Publish, for ever. What arrives while one round is worked off is one round again."""
        while True:
            self.tell(await self.mailbox.take())

    def publish_all(self) -> None:
        """Publish the state of every charger, as at the start."""
        for station in self.hub.stations.values():
            self._show(station, None)

    def tell(self, facts: Iterable[Fact]) -> None:
        """Send the events, then show what they changed, once each."""
        touched: dict[str, set[int]] = {}
        for fact in facts:
            if isinstance(fact, ChargerForgotten):
                self._clear(fact.charger)
                touched.pop(fact.charger, None)
                continue
            self._emit(fact)
            touched.setdefault(fact.charger, set()).add(fact.connector)
            if not isinstance(fact, MeterRead):
                touched[fact.charger].add(0)
        for charger_id, connectors in touched.items():
            if station := self.hub.stations.get(charger_id):
                self._show(station, connectors)

    def _emit(self, fact: Fact) -> None:
        if not fact.KIND or isinstance(fact, NoticeHeard):
            return
        document = shapes.event(fact, show_tags=self.show_tags)
        self.publisher.emit(self.topics.charger(fact.charger, "event", fact.KIND), shapes.dump(document))
        if group := GROUPED.get(type(fact)):
            document["event_type"] = group[1]
            self.publisher.emit(self.topics.charger(fact.charger, "event", group[0]), shapes.dump(document))

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
            for topic, payload in of_charger(station, self.topics):
                known.add(topic)
                self.publisher.retain(topic, payload)

    def _clear(self, charger_id: str) -> None:
        for topic in self._topics_of.pop(charger_id, set()):
            self.publisher.clear(topic)
