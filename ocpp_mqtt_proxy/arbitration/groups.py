"""Groups at work: what each charger may take of the fuse that it shares is one more limit that binds it.

A car that comes finds nothing allowed and gets its share within moments: what an idle charger may give is what it may
give at any time. Lowered at once, raised after 10 s of calm; a charger that refuses less is told nothing at all, and
its transactions are stopped where it refuses that too (contract §8).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.limits import least, rebind
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import (
    ChargerBooted,
    ChargerConnected,
    ChargerDisconnected,
    InventoryRead,
    LimitChanged,
    LimitsChanged,
    ModeChanged,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.groups import Group, Member, share_out, total
from ocpp_mqtt_proxy.core.house_load import CALM
from ocpp_mqtt_proxy.core.limits.profile import LEAST_CURRENT
from ocpp_mqtt_proxy.core.model import Amps, Status
from ocpp_mqtt_proxy.core.station import Plan, Provided, Station

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often all is looked at again: turns, calm and a silent house come by time."""

RETRY = timedelta(seconds=10)
"""How soon a charger is asked again that did not do what it was asked, while a car charges there."""

RETRIES = 6
"""How often that doubles where none does: some chargers never take a limit."""

WATCHED = (
    *(ChargerBooted, ChargerConnected, ChargerDisconnected, InventoryRead, SessionEnded, SessionStarted),
    *(SessionUpdated, StatusChanged, LimitChanged, LimitsChanged, ModeChanged),
)
"""What may change who wants how much, or what may flow."""

_NOTHING = Amps(0)


@dataclass
class Standing:
    """How one charger of a group stands. `asked`: the most that it was asked for since it last confirmed all.

    `failures`: how often in a row it did not do what it was asked; `tried` when that was last; `changed` when its share
    last changed.
    """

    asked: Amps = _NOTHING
    failures: int = 0
    tried: datetime | None = None
    changed: datetime | None = None
    putting: asyncio.Task[None] | None = None

    def waits(self, now: datetime, *, busy: bool) -> bool:
        """Whether it is too early to ask again a charger that did not do it."""
        doubled = 0 if busy else min(RETRIES, max(0, self.failures - 1))
        return self.failures > 0 and not _due(self.tried, now, RETRY * 2**doubled)


class Groups:
    """All fuses, and the chargers on them."""

    def __init__(self, arbitration: Arbitration, groups: Iterable[Group], plan_for: Callable[[str], Plan]) -> None:
        self.groups = {group.id: group for group in groups}
        self._arbitration = arbitration
        self._plan_for = plan_for
        self._standings = {charger: Standing() for group in self.groups.values() for charger in group.chargers}
        self._of = {charger: group for group in self.groups.values() for charger in group.chargers}

    async def run(self, mailbox: Mailbox) -> None:
        """Keep every fuse, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await mailbox.take()
            for group in self.groups.values():
                self.look(group)

    # The house

    def house_takes(self, group_id: str, amps: Amps) -> None:
        """What the house takes on its fullest phase, as its feed tells."""
        group = self.groups[group_id]
        if group.house is not None:
            group.house.take(amps, self._arbitration.hub.clock.now())
            self.look(group)

    def house_took(self, group_id: str, amps: Amps) -> None:
        """What the feed told, nobody knows when: the broker had kept it."""
        house = self.groups[group_id].house
        if house is not None:
            house.recall(amps, self._arbitration.hub.clock.now())

    def houses_lost(self) -> None:
        """The broker is lost, and with it whoever told by it."""
        for group in self.groups.values():
            if group.house is not None:
                group.house.lose()
                self.look(group)

    # Sharing

    def look(self, group: Group) -> None:
        """Share a fuse out anew, and have the chargers keep to it."""
        now = self._arbitration.hub.clock.now()
        members = self.members(group, now)
        shares = share_out(members, group.room(now), group.turns, now)
        group.turns = shares.turns
        for charger, amps in shares.amps.items():
            self._allow(self._arbitration.hub.stations[charger], self._standings[charger], amps, now)

    def members(self, group: Group, now: datetime) -> list[Member]:
        """The chargers of a group as they stand."""
        return [self._member(charger, now) for charger in group.chargers]

    def _member(self, charger: str, now: datetime) -> Member:
        """A charger as it stands. One that never came may hang there all the same."""
        station, standing = self._arbitration.hub.stations.get(charger), self._standings[charger]
        if station is None or station.memory.first_seen is None:
            return Member(charger, safe=self._plan_for(charger).safe_current, online=False)
        most = self._most(station, now)
        return Member(
            id=charger,
            wants=any(_wants(one) for one in station.connectors.values()),
            most=most,
            held=max(station.reach(now), standing.asked),
            safe=station.plan.safe_current,
            online=station.connected and station.memory.accepted,
            sure=not standing.failures,
            connectors=max(1, len(station.connectors)),
        )

    def _most(self, station: Station, now: datetime) -> Amps:
        """What a car there can use; one that takes nothing keeps the least, to begin with again."""
        ceiling = self._allowed_by_others(station, now)
        charging = [one for one in station.ordered() if one.session is not None]
        most = max((one.session.within(ceiling) for one in charging if one.session is not None), default=ceiling)
        full = all(one.status is Status.SUSPENDED_EV for one in charging)
        return min(most, LEAST_CURRENT) if full else most

    def _allowed_by_others(self, station: Station, now: datetime) -> Amps:
        share, station.share = station.share, None
        others = least(self._arbitration, station, now)
        station.share = share
        return station.limit if others is None else min(station.limit, others.amps)

    # What chargers are told

    def _allow(self, station: Station, standing: Standing, amps: Amps, now: datetime) -> None:
        """Allow a charger so much: less at once, more after a while of calm; again where it did not do it."""
        before = station.share.amps if station.share is not None else _NOTHING
        if amps < before:
            self._share(station, standing, amps, now)
        elif standing.waits(now, busy=any(station.sessions())):
            return
        elif amps > before and (before == station.reach(now) == _NOTHING or _due(standing.changed, now, CALM)):
            self._share(station, standing, amps, now)
        elif standing.failures or (station.reach(now) > station.bound and _due(standing.tried, now, RETRY)):
            self._put(station, standing, now)

    def _share(self, station: Station, standing: Standing, amps: Amps, now: datetime) -> None:
        standing.asked, standing.changed = max(standing.asked, amps), now
        assert station.share is not None
        station.share = Provided(amps, station.share.by)
        self._put(station, standing, now)

    def _put(self, station: Station, standing: Standing, now: datetime) -> None:
        """Have a charger keep to its share; where it is just being told, it is told again after that."""
        standing.tried = now
        if standing.putting is None:
            standing.putting = asyncio.create_task(self._keep_to(station, standing), name=f"share {station.id}")
            standing.putting.add_done_callback(lambda task: self._kept(station, standing, task))

    async def _keep_to(self, station: Station, standing: Standing) -> None:
        while True:
            share = station.share
            outcome = await rebind(self._arbitration, station, eager=True)
            if station.share == share:
                break
        standing.failures = 0 if outcome.ok else standing.failures + 1
        if outcome.ok and share is not None:
            standing.asked = share.amps

    def _kept(self, station: Station, standing: Standing, task: asyncio.Task[None]) -> None:
        """What a charger confirmed may be the room that another one waits for."""
        standing.putting = None
        if task.cancelled():
            return
        if fault := task.exception():
            standing.failures += 1
            log.error("%s: its share could not be put to it", station.id, exc_info=fault)
        self.look(self._of[station.id])

    # What there is to see

    def status(self) -> dict[str, object]:
        """Every group: what its fuse bears, what the house takes, and what each charger may draw (A per phase)."""
        return {group.id: self._shown(group) for group in self.groups.values()}

    def _shown(self, group: Group) -> dict[str, object]:
        now, house = self._arbitration.hub.clock.now(), group.house
        members = self.members(group, now)
        return {
            "max_current": group.max_current,
            "house": house.load(now) if house else None,
            "house_fresh": house.fresh(now) if house else None,
            "available": group.room(now),
            "reserved": total(members),
            "chargers": {one.id: self._shown_member(one, now) for one in members},
        }

    def _shown_member(self, member: Member, now: datetime) -> dict[str, object]:
        station = self._arbitration.hub.stations.get(member.id)
        share = station.share.amps if station and station.share else None
        return {
            "share": share,
            "wants": member.wants,
            "reserved": member.draws,
            "online": member.online,
            "confirmed": member.follows and station is not None and station.reach(now) <= station.bound,
        }


def _wants(connector: Connector) -> bool:
    session = connector.session
    return session is not None and not session.paused and not session.awaits_card


def _due(last: datetime | None, now: datetime, after: timedelta) -> bool:
    return last is None or now - last >= after
