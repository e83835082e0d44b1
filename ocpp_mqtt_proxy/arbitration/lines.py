"""What each who has a say allows in the time to come, in A per phase: of all of them the smallest binds.

The owner's ceiling aside: every provider's limit and profiles while its hours last, what was put on the charger at the
charger itself, what its group leaves it, and what the configuration allows a provider's session. What nobody can tell
ahead stays as it is: who is at home, who is connected, how long a session runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.arbiter import World
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.limits import composite
from ocpp_mqtt_proxy.core.limits.composite import Spot
from ocpp_mqtt_proxy.core.limits.line import FREE, Line, Value, changed, compact, constant, least
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose, rounded, usable
from ocpp_mqtt_proxy.core.limits.rules import Profiles
from ocpp_mqtt_proxy.core.model import CHARGER, OWNER
from ocpp_mqtt_proxy.core.schedule import changes_of
from ocpp_mqtt_proxy.core.standing import limit_stands
from ocpp_mqtt_proxy.core.station import Provided, Station
from ocpp_mqtt_proxy.core.world import world_of

Spots = Sequence[Spot]
Hours = list[tuple[float, bool]]
"""Whether something stands, from so many seconds on."""


@dataclass(slots=True)
class Voice:
    """A provider that limits: its profiles as they count now, and when they and its limit are in force.

    `planned` is what its profiles allow at a spot, in force or not, where that was worked out.
    """

    provider: str
    profiles: Profiles
    hours: Hours
    planned: dict[Spot, Line] = field(default_factory=dict)


class Look(NamedTuple):
    """What is looked at: a charger from now on, for so many seconds. What counts for each connector is found once."""

    arbitration: Arbitration
    station: Station
    now: datetime
    seconds: float
    voices: list[Voice]


def look(arbitration: Arbitration, station: Station, now: datetime, seconds: float) -> Look:
    """A look at a charger as it stands: of no use once anything is another there."""
    world = world_of(station, arbitration.house)
    voices = [_voice(arbitration, station, one, world, now, seconds) for one in sorted(station.control.limiting)]
    return Look(arbitration, station, now, seconds, voices)


def _voice(
    arbitration: Arbitration, station: Station, provider: str, world: World, now: datetime, seconds: float
) -> Voice:
    control, rules, terms = station.control, arbitration.rules, arbitration.rules.terms(provider)
    changes = changes_of(terms.schedule if terms else (), now.astimezone(rules.zone), timedelta(seconds=seconds))
    hours = [((at - now).total_seconds(), limit_stands(control, provider, world, rules, at)) for at in (now, *changes)]
    return Voice(provider, standing(station, provider, now), hours)


def lines(at: Look, spots: Spots, without: str | None = None) -> dict[str, Line]:
    """What each allows on all of some connectors by who it is. `without` one, as far as it set that itself."""
    station = at.station
    found = {voice.provider: in_force(at, voice, spots) for voice in at.voices if voice.provider != without}
    if profiles := imposed(station):
        found[CHARGER] = _imposed(at, profiles, spots)
    if station.share is not None:
        found[station.share.by] = constant(station.share.amps)
    for amps, provider in allowed(at.arbitration, station, spots):
        found[provider] = least([constant(amps), found.get(provider, FREE)])
    return found


def in_force(at: Look, voice: Voice, spots: Spots) -> Line:
    """A provider's limit and profiles, while it may limit."""
    if not any(stands for _, stands in voice.hours):
        return FREE
    of_all = [fixed(at.station, voice.provider, spot, at.now) for spot in spots]
    of_all += (planned(at, voice, spot) for spot in spots)
    return _within(changed(least(of_all), usable), voice.hours)


def planned(at: Look, voice: Voice, spot: Spot) -> Line:
    """What a provider's profiles allow at a spot, in force or not."""
    if not voice.profiles:
        return FREE
    if spot not in voice.planned:
        voice.planned[spot] = _composed(at, voice.profiles, spot)
    return voice.planned[spot]


def _imposed(at: Look, profiles: Profiles, spots: Spots) -> Line:
    return changed(least(_composed(at, profiles, spot) for spot in spots), usable)


def _composed(at: Look, profiles: Profiles, spot: Spot) -> Line:
    """What profiles allow; where no session runs, what one would begin with."""
    return composite.composite(profiles, spot, at.now, at.seconds)


def fixed(station: Station, provider: str, spot: Spot, now: datetime) -> Line:
    """A provider's limit at a spot, until it runs out; what is for the whole charger is shared by what runs there."""
    limit = station.control.limits.get(provider)
    if limit is None or not limit.lasts(now):
        return FREE
    if limit.connector and spot.connector != _evse_number(station, limit.connector):
        return FREE
    amps = limit.amps if limit.connector else rounded(limit.amps / spot.share)
    if limit.until is None:
        return constant(amps)
    return [(0.0, amps), ((limit.until - now).total_seconds(), None)]


def _evse_number(station: Station, number: int) -> int:
    """The number of a connector's EVSE; its own where it is not known."""
    connector = station.connectors.get(number)
    return number if connector is None else station.evse_number(connector.place)


def imposed(station: Station) -> Profiles:
    """The limits that were put on the charger at the charger itself (K12)."""
    return tuple(station.external.values())


def in_all(at: Look) -> Iterator[Line]:
    """What each allows all connectors together, that says so of the charger as a whole."""
    station = at.station
    if station.in_all is not None:
        yield constant(station.in_all)
    whole = [Spot(0, phases=station.plan.phases)]
    yield from (in_force(at, voice, whole) for voice in at.voices)
    if profiles := imposed(station):
        yield _imposed(at, profiles, whole)


def allowed(arbitration: Arbitration, station: Station, spots: Spots) -> Iterator[Provided]:
    """What the configuration allows the sessions of providers at most (`providers[].max_current`), while they run."""
    there = {spot.session for spot in spots}
    running = {session.provider for session in station.sessions() if session.session_id in there}
    for provider in sorted(running - {OWNER}):
        terms = arbitration.rules.terms(provider)
        if terms is not None and terms.max_current is not None:
            yield Provided(usable(terms.max_current), provider)


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


def spots_in_use(station: Station) -> list[Spot]:
    """The places of the connectors in use."""
    station.sole()
    return [spot_of(station, one) for one in station.in_use()]


def spot_of(station: Station, connector: Connector) -> Spot:
    """What holds for the whole charger is shared evenly by the sessions that run."""
    session = connector.session
    return Spot(
        connector=station.evse_number(connector.place),
        session=session.session_id if session else None,
        began=session.started_at if session else None,
        phases=station.plan.phases,
        share=max(1, sum(1 for _ in station.sessions())),
    )


def beginning(spots: Spots, now: datetime) -> list[Spot]:
    """The same places, as if a transaction began now where none runs (K08.FR.06)."""
    return [spot if spot.began is not None else replace(spot, began=now) for spot in spots]


def _within(line: Line, hours: Hours) -> Line:
    """A line while it stands, and free else."""
    if len(hours) == 1:
        return line
    return compact(
        (max(at, opens), value if stands else None)
        for (opens, stands), (closes, _) in pairwise([*hours, (float("inf"), False)])
        for at, value in _between(line, opens, closes)
    )


def _between(line: Line, opens: float, closes: float) -> Iterator[tuple[float, Value]]:
    for (at, value), (end, _) in pairwise([*line, (float("inf"), None)]):
        if at < closes and end > opens:
            yield at, value
