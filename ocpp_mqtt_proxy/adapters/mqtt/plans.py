"""What will flow at most at each charger, on its topic `plan`: told anew when it changes, and at each step.

It takes a while to work out and is a long message, so it is looked at now and then, and not with every fact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.arbitration.watch import WATCHED
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import ChargerForgotten, Fact, LimitChanged
from ocpp_mqtt_proxy.core.limits.outlook import Outlook
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Clock, Stations
from ocpp_mqtt_proxy.topics import Topics
from ocpp_mqtt_proxy.turns import in_turns

WANTED = (*WATCHED, LimitChanged, ChargerForgotten)
"""Facts that may change what will flow."""

CALM_SECONDS = 2.0
"""How often it is looked at most: Home Assistant writes all of it down each time."""

OLD = timedelta(hours=1)
"""When it is told again though nothing changed, so that it reaches as far as it should."""

Foresee = Callable[[Station], Outlook]
Retain = Callable[[str, str, bytes], None]
"""Retain on a topic, as of a charger."""


@dataclass
class Plans:
    """Retains them. `calm` is how often they are looked at most, in seconds."""

    foresee: Foresee
    hub: Stations
    mailbox: Mailbox
    retain: Retain
    clock: Clock
    topics: Topics
    calm: float = CALM_SECONDS
    _shown: dict[str, Outlook] = field(default_factory=dict)

    async def run(self) -> None:
        """Show what facts and the time change, for ever."""
        while True:
            facts = await self._news()
            await in_turns(self.tell(facts))
            await asyncio.sleep(self.calm)

    async def _news(self) -> list[Fact]:
        """The facts that come before the next step; none where that is first."""
        now = self.clock.now()
        nearest = min((_due(shown) for shown in self._shown.values()), default=now + OLD)
        try:
            async with asyncio.timeout((nearest - now).total_seconds()):
                return await self.mailbox.take()
        except TimeoutError:
            return []

    def publish_all(self) -> Iterator[None]:
        """Publish that of every charger, as at the start; a step each."""
        return self._publish(list(self.hub.stations))

    def tell(self, facts: Iterable[Fact]) -> Iterator[None]:
        """Publish what these facts and the time have changed; a step for each charger that is looked at."""
        now = self.clock.now()
        touched = {fact.charger: None for fact in facts}
        due = {charger_id: None for charger_id, shown in self._shown.items() if _due(shown) <= now}
        return self._publish(list(self.hub.stations if "" in touched else touched | due))

    def _publish(self, chargers: Iterable[str]) -> Iterator[None]:
        for charger_id in chargers:
            station = self.hub.stations.get(charger_id)
            if station is None:
                self._shown.pop(charger_id, None)
            else:
                self._show(station)
            yield

    def _show(self, station: Station) -> None:
        found, shown = self.foresee(station), self._shown.get(station.id)
        if shown is None or found.tells != shown.tells or _due(shown) <= found.since:
            self._shown[station.id] = found
            self.retain(station.id, self.topics.charger(station.id, "plan"), shapes.dump(shapes.outlook(found)))


def _due(shown: Outlook) -> datetime:
    """When one that was shown is to be looked at again, whatever happens."""
    old = shown.since + OLD
    return old if shown.next_step is None else min(old, shown.next_step)
