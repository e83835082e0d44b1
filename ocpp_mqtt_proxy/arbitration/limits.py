"""Limits on a charger: of the providers' in force and its group's the smallest binds, below the owner's ceiling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT
from ocpp_mqtt_proxy.core.binding import usable
from ocpp_mqtt_proxy.core.commands import Outcome, done
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.limits import composite
from ocpp_mqtt_proxy.core.limits.composite import Now, Spot
from ocpp_mqtt_proxy.core.limits.line import Line, added, changed, constant, least as least_of
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose
from ocpp_mqtt_proxy.core.limits.rules import Profiles
from ocpp_mqtt_proxy.core.model import CHARGER, OWNER, Amps
from ocpp_mqtt_proxy.core.standing import limit_stands
from ocpp_mqtt_proxy.core.station import Provided, Station
from ocpp_mqtt_proxy.core.world import busy, world_of

SOON = 60.0
"""Seconds that are looked ahead for a profile's next step: who waits for it looks again sooner."""


def least(arbitration: Arbitration, station: Station, now: datetime) -> Provided | None:
    """The smallest limit of a provider that is in force; below what a car takes it is 0."""
    return _least(arbitration, station, said(station, now), now)


def said(station: Station, now: datetime) -> dict[str, Amps]:
    """What each provider's own limit and profiles allow now, in force or not."""
    found = ((provider, own(station, provider, now)) for provider in sorted(station.control.limiting))
    return {provider: amps for provider, amps in found if amps is not None}


def _least(arbitration: Arbitration, station: Station, say: Mapping[str, Amps], now: datetime) -> Provided | None:
    in_force = _in_force(arbitration, station, now)
    standing_ = [Provided(usable(say[provider]), provider) for provider in in_force if provider in say]
    shares = [station.share] if station.share is not None else []
    return min((*standing_, *_imposed(station, now), *allowed(arbitration, station), *shares), default=None)


def _imposed(station: Station, now: datetime) -> Iterator[Provided]:
    """What was put on the charger at the charger itself (K12)."""
    amps = _soonest(imposed(station), station, now).amps
    if amps is not None:
        yield Provided(usable(amps), CHARGER)


def imposed(station: Station) -> Profiles:
    """The limits that were put on the charger at the charger itself (K12)."""
    return tuple(station.external.values())


def _in_force(arbitration: Arbitration, station: Station, now: datetime) -> Iterator[str]:
    """The providers whose limits and profiles count."""
    world, control = world_of(station, arbitration.house), station.control
    for provider in sorted(control.limiting):
        if limit_stands(control, provider, world, arbitration.rules, now):
            yield provider


def allowed(arbitration: Arbitration, station: Station) -> Iterator[Provided]:
    """What the configuration allows the sessions of providers at most (`providers[].max_current`), while they run."""
    for provider in sorted(busy(station) - {OWNER}):
        terms = arbitration.rules.terms(provider)
        if terms is not None and terms.max_current is not None:
            yield Provided(usable(terms.max_current), provider)


def own(station: Station, provider: str, now: datetime) -> Amps | None:
    """What a provider's own limit and profiles allow now: the smaller of them; None where neither binds."""
    limit, planned = station.control.limits.get(provider), plan_now(station, provider, now).amps
    fixed = limit.amps if limit is not None and (limit.until is None or limit.until > now) else None
    return min((amps for amps in (fixed, planned) if amps is not None), default=None)


def plan_now(station: Station, provider: str, now: datetime, ahead: float = 0.0) -> Now:
    """What a provider's profiles allow now on the connectors in use, and when that changes within so many seconds."""
    return _soonest(standing(station, provider, now), station, now, ahead)


def _soonest(profiles: Profiles, station: Station, now: datetime, ahead: float = 0.0) -> Now:
    found = [composite.now(profiles, spot, now, ahead) for spot in in_use(station)] if profiles else []
    amps = min((one.amps for one in found if one.amps is not None), default=None)
    return Now(amps, min((one.until for one in found if one.until is not None), default=None))


def standing(station: Station, provider: str, now: datetime) -> Profiles:
    """A provider's profiles as they count now.

    What waits for a transaction is its own that began since (errata 3.42); a transaction's profile goes with it, one
    that was never followed by a transaction, or is valid no more, too.
    """
    plan = station.control.plans.get(provider)
    found = (_standing(station, provider, profile, now) for profile in plan.profiles) if plan else ()
    return tuple(profile for profile in found if profile is not None)


def _standing(station: Station, provider: str, profile: ChargingProfile, now: datetime) -> ChargingProfile | None:
    if profile.past(now):
        return None
    if profile.purpose is not Purpose.TRANSACTION:
        return profile
    there = {c.session.session_id: c for c in station.connectors.values() if c.session is not None}
    if profile.session is not None:
        return profile if profile.session in there else None
    for number, connector in there.items():
        session = connector.session
        mine = session is not None and session.provider == provider
        if mine and station.evse_number(connector.place) == profile.connector:
            return replace(profile, session=number)
    waiting = profile.installed is None or now - profile.installed < ACCEPTANCE_KEPT
    return profile if waiting else None


def in_use(station: Station) -> list[Spot]:
    """The connectors on which it counts what is allowed: those that charge, else all."""
    station.sole()
    charging = [one for one in station.ordered() if one.session is not None]
    return [_spot(station, one) for one in charging or station.ordered()]


def _spot(station: Station, connector: Connector) -> Spot:
    """What holds for the whole charger is shared evenly by the sessions that run."""
    session = connector.session
    return Spot(
        connector=station.evse_number(connector.place),
        session=session.session_id if session else None,
        began=session.started_at if session else None,
        phases=station.plan.phases,
        share=max(1, sum(1 for _ in station.sessions())),
    )


def next_change(station: Station, now: datetime) -> datetime | None:
    """When a limit runs out, or, within the next minute, profiles go on to their next step."""
    control = station.control
    ends = [limit.until for limit in control.limits.values()]
    steps = [plan_now(station, provider, now, SOON).until for provider in control.plans]
    steps.append(_soonest(imposed(station), station, now, SOON).until)
    return min((at for at in (*ends, *steps) if at is not None and at > now), default=None)


async def rebind(arbitration: Arbitration, station: Station) -> Outcome:
    """Have the charger keep to the limits that are in force now; nothing is sent where that changes nothing."""
    now = arbitration.hub.clock.now()
    station.control.allowing = say = said(station, now)
    before, station.provided = station.bound, _least(arbitration, station, say, now)
    if station.bound == before:
        return done()
    return await arbitration.dispatcher.bind(station)


# What will flow


def merged(
    arbitration: Arbitration, station: Station, connector: Connector | None, now: datetime, seconds: float
) -> Line:
    """What binds from now on in A per phase, all that have a say taken together; of the whole charger the sum (K08).

    As it stands now: who has a say may change. Where no transaction runs, as if one began now (K08.FR.06).
    """
    if connector is not None:
        return _merged(arbitration, station, connector, now, seconds)
    station.sole()
    total = added(_merged(arbitration, station, one, now, seconds) for one in station.ordered())
    whole = Spot(0, phases=station.plan.phases)
    everybody_s = [standing(station, provider, now) for provider in _in_force(arbitration, station, now)]
    limits = [
        composite.composite(profiles, whole, now, seconds) for profiles in (*everybody_s, imposed(station)) if profiles
    ]
    return least_of([total, *limits])


def beside(
    arbitration: Arbitration, station: Station, connector: Connector, provider: str, now: datetime, seconds: float
) -> Line:
    """What binds on a connector but for what one provider set itself (K12)."""
    return _merged(arbitration, station, connector, now, seconds, without=provider)


def _merged(
    arbitration: Arbitration,
    station: Station,
    connector: Connector,
    now: datetime,
    seconds: float,
    without: str | None = None,
) -> Line:
    spot, session = _spot(station, connector), connector.session
    spot = replace(spot, began=spot.began or now)
    share = station.limit if station.share is None else station.share.amps
    lines = [constant(min(station.limit, share)), *(constant(one.amps) for one in allowed(arbitration, station))]
    lines.append(changed(composite.composite(imposed(station), spot, now, seconds), usable))
    for provider in _in_force(arbitration, station, now):
        if provider == without:
            continue
        profiles = standing(station, provider, now)
        lines.append(changed(composite.composite(profiles, spot, now, seconds), usable))
        lines.append(changed(fixed(station, provider, now), usable))
    line = least_of(lines)
    if session is None or session.provider == without:
        return line
    return changed(line, lambda amps: session.within(Amps(amps)))


def fixed(station: Station, provider: str, now: datetime) -> Line:
    """A provider's limit, until it runs out."""
    limit = station.control.limits.get(provider)
    if limit is None or (limit.until is not None and limit.until <= now):
        return [(0.0, None)]
    if limit.until is None:
        return constant(limit.amps)
    return [(0.0, limit.amps), ((limit.until - now).total_seconds(), None)]
