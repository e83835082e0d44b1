"""The providers' limits on a charger: of those in force the smallest binds, below the owner's ceiling."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.binding import usable
from ocpp_mqtt_proxy.core.commands import Outcome, done
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.profile import Now
from ocpp_mqtt_proxy.core.standing import limit_stands
from ocpp_mqtt_proxy.core.station import Provided, Station
from ocpp_mqtt_proxy.core.world import busy, world_of


def least(arbitration: Arbitration, station: Station, now: datetime) -> Provided | None:
    """The smallest limit of a provider that is in force; below what a car takes it is 0."""
    world, control = world_of(station, arbitration.house), station.control
    standing = [
        Provided(usable(amps), provider)
        for provider in sorted(control.limiting)
        if (amps := own(station, provider, now)) is not None
        and limit_stands(control, provider, world, arbitration.rules, now)
    ]
    return min((*standing, *_allowed(arbitration, station)), default=None)


def _allowed(arbitration: Arbitration, station: Station) -> Iterator[Provided]:
    """What the configuration allows the sessions of providers at most (`providers[].max_current`), while they run."""
    for provider in sorted(busy(station) - {OWNER}):
        terms = arbitration.rules.terms(provider)
        if terms is not None and terms.max_current is not None:
            yield Provided(usable(terms.max_current), provider)


def own(station: Station, provider: str, now: datetime) -> Amps | None:
    """What a provider's own limit and profile allow now: the smaller of them; None where neither binds."""
    limit, planned = station.control.limits.get(provider), plan_now(station, provider, now).amps
    fixed = limit.amps if limit is not None and (limit.until is None or limit.until > now) else None
    return min((amps for amps in (fixed, planned) if amps is not None), default=None)


def plan_now(station: Station, provider: str, now: datetime) -> Now:
    """What a provider's profile allows now, and until when; it counts from its own session, else from any."""
    plan = station.control.plans.get(provider)
    if plan is None:
        return Now(None, None)
    began = sorted((session.provider != provider, session.started_at) for session in station.sessions())
    return plan.profile.at(now, began[0][1] if began else None, station.plan.phases)


def next_change(station: Station, now: datetime) -> datetime | None:
    """When a limit runs out or a profile goes on to its next step."""
    control = station.control
    ends = [limit.until for limit in control.limits.values()]
    steps = [plan_now(station, provider, now).until for provider in control.plans]
    return min((at for at in (*ends, *steps) if at is not None and at > now), default=None)


async def rebind(arbitration: Arbitration, station: Station) -> Outcome:
    """Have the charger keep to the limits that are in force now; nothing is sent where that changes nothing."""
    before, station.provided = station.bound, least(arbitration, station, arbitration.hub.clock.now())
    if station.bound == before:
        return done()
    return await arbitration.dispatcher.bind(station)
