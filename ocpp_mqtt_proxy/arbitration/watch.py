"""Time and events against who holds what: faults, presence, hours, idleness (contract §8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.limits import next_change, rebind
from ocpp_mqtt_proxy.arbitration.lines import standing
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core import controlling
from ocpp_mqtt_proxy.core.control import Ending, Limit
from ocpp_mqtt_proxy.core.events import (
    AvailabilityChanged,
    ChargerConnected,
    ChargerLimited,
    FaultChanged,
    LimitsChanged,
    ModeChanged,
    PresenceChanged,
    ProviderChanged,
    SessionEnded,
    SessionStarted,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import OWNER, Status
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.standing import settle
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import next_look
from ocpp_mqtt_proxy.core.world import busy, engaged, world_of_holder

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often hours, time-outs and limits that run out are looked at. Schedules are told by the minute."""

_REASONS = (
    *(AvailabilityChanged, ChargerConnected, FaultChanged, SessionStarted, SessionEnded, StatusChanged),
    *(ModeChanged, PresenceChanged, ProviderChanged, ChargerLimited),
)
"""What may end a holding, or change what binds."""

WATCHED = (*_REASONS, LimitsChanged)
"""What is watched: those, and what may end, or go on to the next step of a profile, sooner than was thought."""

STOPS = frozenset({Ending.FAULTED, Ending.PRESENCE, Ending.PRESENCE_UNKNOWN, Ending.SCHEDULE})
"""What ends a holder's transaction too, where it still runs then."""


class Watch:
    """Looks again at who may keep what: at once where something happened, else when it is due, or now and then.

    Each charger by itself: one that does not answer holds up no other. `_due` is when what binds there, or what it
    holds, goes on by itself.
    """

    def __init__(self, arbitration: Arbitration, mailbox: Mailbox) -> None:
        self._arbitration = arbitration
        self._mailbox = mailbox
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._due: dict[str, datetime] = {}
        self._looked_at = 0.0

    async def run(self) -> None:
        """Watch, for ever."""
        while True:
            for station in await self._next():
                self._look(station)

    async def _next(self) -> list[Station]:
        """The chargers to look at: those of which something was heard, those that are due, or after a while all."""
        try:
            async with asyncio.timeout_at(self._next_look()):
                facts = await self._mailbox.take()
        except TimeoutError:
            return self._on_time()
        stations = self._arbitration.hub.stations
        heard = {fact.charger for fact in facts}
        self._plan(stations[one] for one in heard if one in stations)
        changed = {fact.charger for fact in facts if isinstance(fact, _REASONS)}
        return self._concerned() if "" in changed else [stations[one] for one in changed if one in stations]

    def _on_time(self) -> list[Station]:
        stations, now = self._arbitration.hub.stations, self._arbitration.hub.clock.now()
        over = [one for one, at in self._due.items() if at <= now]
        for one in over:
            del self._due[one]
        due = [stations[one] for one in over if one in stations]
        if (loop_now := asyncio.get_running_loop().time()) < self._looked_at + LOOK_SECONDS:
            return due
        self._looked_at = loop_now
        self._plan(stations.values())
        return list({station.id: station for station in (*due, *self._concerned())}.values())

    def _concerned(self) -> list[Station]:
        """The chargers of which anybody but the owner holds anything, or whose limits want care: mostly few."""
        now = self._arbitration.hub.clock.now()
        return [one for one in self._arbitration.hub.stations.values() if _is_held(one) or _wants_care(one, now)]

    def _next_look(self) -> float:
        """When something next changes by itself, by the loop's clock: looked at in time, whatever else happens."""
        loop_now = asyncio.get_running_loop().time()
        at_latest = max(self._looked_at + LOOK_SECONDS, loop_now)
        if not self._due:
            return at_latest
        nearest = min(self._due.values()) - self._arbitration.hub.clock.now()
        return min(at_latest, loop_now + nearest.total_seconds())

    def _plan(self, stations: Iterable[Station]) -> None:
        """Note when chargers are due; those that are just being looked at are noted after that."""
        now = self._arbitration.hub.clock.now()
        for station in stations:
            self._due.pop(station.id, None)
            times = [at for at in (next_change(station, now), next_look(station, now)) if at is not None]
            if times and station.id not in self._looking:
                self._due[station.id] = min(times)

    def _look(self, station: Station) -> None:
        self._due.pop(station.id, None)
        if station.id in self._looking:
            self._again.add(station.id)
            return
        task = asyncio.create_task(review(self._arbitration, station), name=f"review {station.id}")
        self._looking[station.id] = task
        task.add_done_callback(lambda done_: self._looked(station, done_))

    def _looked(self, station: Station, task: asyncio.Task[None]) -> None:
        del self._looking[station.id]
        if not task.cancelled() and (fault := task.exception()):
            log.error("%s: who may keep what could not be looked at", station.id, exc_info=fault)
        elif station.id in self._again:
            self._again.discard(station.id)
            self._look(station)
            return
        if self._arbitration.hub.stations.get(station.id) is station:
            self._plan([station])


def _wants_care(station: Station, now: datetime) -> bool:
    """Whether what a charger may give changes with who is there and what time it is, or waits for something."""
    if station.control.limiting or station.external or station.provided is not None:
        return True
    if not station.limited:
        return False
    waits = station.failed or station.doubted or not station.wear.lasting.bears(now)
    return bool(waits) or any(True for _ in station.sessions())


async def review(arbitration: Arbitration, station: Station) -> None:
    """Take away what its holder may not keep, stop what must not go on, and withdraw limits that no longer stand."""
    now = arbitration.hub.clock.now()
    world, control = world_of_holder(station, arbitration.house), station.control
    running = _of_holder(station)
    taken = settle(control, world, arbitration.rules, now, engaged(station, now))
    if taken:
        arbitration.hub.apply(station, lambda hearing: controlling.revoke(hearing, taken))
    if any(one.control_class is ControlClass.TRANSACTIONS and one.ending in STOPS for one in taken):
        for transaction_id in running:
            await arbitration.dispatcher.submit(station.id, requests.Stop(transaction_id=transaction_id))
    if _outdated(arbitration, station, now):
        arbitration.hub.apply(station, lambda hearing: _drop_limits(arbitration, hearing, now))
    if station.connected and (control.limiting or station.external or station.limited or busy(station) - {OWNER}):
        await rebind(arbitration, station)


def _is_held(station: Station) -> bool:
    return any(holding.provider != OWNER for holding in station.control.holders.values())


def _of_holder(station: Station) -> list[str]:
    """The transactions of whoever holds the class, where they still run; a faulted connector ends its own."""
    holder = station.control.owner
    return [
        session.transaction_id
        for session in station.sessions()
        if session.provider == holder != OWNER and station.connectors[session.connector].status is not Status.FAULTED
    ]


def _outdated(arbitration: Arbitration, station: Station, now: datetime) -> list[str]:
    """Providers whose limit or profile ran out, or who left too long ago."""
    control = station.control
    return sorted(
        provider
        for provider in control.limiting
        if (_is_lost(arbitration, provider, now) and not _stays(station, provider))
        or _is_over(control.limits.get(provider), now)
        or _has_gone_on(station, provider, now)
    )


def _is_lost(arbitration: Arbitration, provider: str, now: datetime) -> bool:
    since = arbitration.absent_since.get(provider)
    return since is not None and now - since >= arbitration.rules.control_timeout


def _is_over(limit: Limit | None, now: datetime) -> bool:
    return limit is not None and not limit.lasts(now)


def _stays(station: Station, provider: str) -> bool:
    """Whether all that a provider has here outlasts its absence."""
    plan = station.control.plans.get(provider)
    return plan is not None and plan.lasting and provider not in station.control.limits


def _has_gone_on(station: Station, provider: str, now: datetime) -> bool:
    """Whether a profile found its transaction, or went with it, or is valid no more."""
    plan = station.control.plans.get(provider)
    return plan is not None and plan.profiles != standing(station, provider, now)


def _drop_limits(arbitration: Arbitration, hearing: Hearing, now: datetime) -> None:
    control = hearing.station.control
    for provider in _outdated(arbitration, hearing.station, now):
        lost = _is_lost(arbitration, provider, now)
        if lost or _is_over(control.limits.get(provider), now):
            control.limits.pop(provider, None)
        _keep_what_stands(hearing.station, provider, now, lost=lost)
    hearing.keep(control)
    hearing.tell(LimitsChanged)


def _keep_what_stands(station: Station, provider: str, now: datetime, *, lost: bool) -> None:
    plan = station.control.plans.get(provider)
    if plan is None:
        return
    plan.profiles = () if lost and not plan.lasting else standing(station, provider, now)
    if not plan.profiles:
        del station.control.plans[provider]
