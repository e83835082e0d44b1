"""Groups at work: what each charger may take of the fuse that it shares is one more limit that binds it.

A car that comes finds nothing allowed and gets its share within moments: what an idle charger may give is what it may
give at any time. How a charger is brought to keep to its share, and what becomes of one that does not, is `steering`'s.

A charger counts with what it may draw until what it holds would be over at the latest, and with all that it may be
asked for. So whoever is lost has what it had, and falls back, while the others can still be told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

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
    LimitsIgnored,
    LimitsObeyed,
    LimitVerified,
    ModeChanged,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.groups import Group, Member, overbooked, share_out, total, warning
from ocpp_mqtt_proxy.core.limits.profile import LEAST_CURRENT
from ocpp_mqtt_proxy.core.model import Amps, Status
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import STANDING_IN, keeps

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often all is looked at again: turns, calm and a silent house come by time."""

LONGEST = STANDING_IN
"""How long what raises a charger lasts at most: what others fall back to within that time has to fit beside it."""

WATCHED = (
    *(ChargerBooted, ChargerConnected, ChargerDisconnected, InventoryRead, SessionEnded, SessionStarted),
    *(SessionUpdated, StatusChanged, LimitChanged, LimitsChanged, LimitVerified, ModeChanged),
    *(LimitsIgnored, LimitsObeyed),
)
"""What may change who wants how much, or what may flow."""


class Groups:
    """All fuses, and the chargers on them."""

    def __init__(self, arbitration: Arbitration, groups: Iterable[Group], plan_for: Callable[[str], Plan]) -> None:
        self.groups = {group.id: group for group in groups}
        self._arbitration = arbitration
        self._plan_for = plan_for
        self._putting: dict[str, asyncio.Task[None]] = {}
        self._of = {charger: group for group in self.groups.values() for charger in group.chargers}

    async def run(self, mailbox: Mailbox) -> None:
        """Keep every fuse, for ever."""
        self._warn()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await mailbox.take()
            for group in self.groups.values():
                self.look(group)

    def _warn(self) -> None:
        now = self._arbitration.hub.clock.now()
        for group in self.groups.values():
            if overbooked((one.safely for one in self.members(group, now)), group.max_current):
                log.warning(warning(group.id, group.max_current))

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
        for member in members:
            self._allow(member, shares.amps.get(member.id, member.held))

    def members(self, group: Group, now: datetime) -> list[Member]:
        """The chargers of a group as they stand."""
        return [self._member(charger, now) for charger in group.chargers]

    def _member(self, charger: str, now: datetime) -> Member:
        """A charger as it stands. One that never came may hang there all the same."""
        station = self._arbitration.hub.stations.get(charger)
        if station is None or station.memory.first_seen is None:
            return Member(charger, safe=self._plan_for(charger).safe_current, online=False)
        online = station.connected and station.memory.accepted
        reach, safe = station.reach(now, LONGEST), station.plan.safe_current
        return Member(
            id=charger,
            wants=any(_wants(one) for one in station.connectors.values()),
            most=self._most(station, now),
            held=max(reach, station.share.amps) if online and station.share else reach,
            safe=safe,
            online=online,
            sure=not station.failed and not station.overdraws,
            connectors=max(1, len(station.connectors)),
            keeps=keeps(station) or (reach > 0 and station.left_with() > safe),
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

    def _allow(self, member: Member, amps: Amps) -> None:
        """Allow a charger so much. One that is away comes back to what it has, which it is counted with."""
        station = self._arbitration.hub.stations.get(member.id)
        if station is None or station.share is None or station.share.amps == amps:
            return
        station.share = station.share._replace(amps=amps)
        if member.online:
            self._put(station)

    def _put(self, station: Station) -> None:
        """Have a charger keep to its share; where it is just being told, it is told again after that."""
        if station.id not in self._putting:
            task = asyncio.create_task(self._keep_to(station), name=f"share {station.id}")
            self._putting[station.id] = task
            task.add_done_callback(lambda _: self._kept(station, task))

    async def _keep_to(self, station: Station) -> None:
        share = None
        while share != station.share:
            share = station.share
            await rebind(self._arbitration, station)

    def _kept(self, station: Station, task: asyncio.Task[None]) -> None:
        """What a charger confirmed may be the room that another one waits for."""
        del self._putting[station.id]
        if task.cancelled():
            return
        if fault := task.exception():
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
            "overbooked": overbooked((one.safely for one in members), group.max_current),
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
