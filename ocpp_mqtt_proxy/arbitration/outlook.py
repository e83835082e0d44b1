"""What will flow at most in the time to come, as it stands now: what binds, when that changes, and whose it is.

It goes on from what binds now (`limits.least`): the house's ceiling and the owner's, every provider's limit and
profiles while its hours last, and what the configuration allows a provider's session. What nobody can tell ahead stays
as it is: who is at home, who is connected, how long a session runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.limits import allowed, fixed, imposed, in_use, standing
from ocpp_mqtt_proxy.core.binding import usable
from ocpp_mqtt_proxy.core.limits import composite
from ocpp_mqtt_proxy.core.limits.line import FREE, Line, Value, changed, compact, constant, least, lowest
from ocpp_mqtt_proxy.core.limits.outlook import Outlook, Step
from ocpp_mqtt_proxy.core.limits.rules import Profiles
from ocpp_mqtt_proxy.core.model import CHARGER, OWNER, Amps
from ocpp_mqtt_proxy.core.schedule import changes_of
from ocpp_mqtt_proxy.core.standing import limit_stands
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.world import world_of

DAY = timedelta(days=1)

MAX_STEPS = 96
"""Steps that are told: one for each quarter of an hour of a day. Home Assistant's books take no attributes of more
than 16 KiB."""


def outlook(arbitration: Arbitration, station: Station, now: datetime, ahead: timedelta = DAY) -> Outlook:
    """What may flow on each connector in use from now on. Where there are too many steps it ends before."""
    lines = _lines(arbitration, station, now, ahead.total_seconds())
    steps = tuple(_steps(station, lines, now))
    until = steps[MAX_STEPS].at if len(steps) > MAX_STEPS else now + ahead
    return Outlook(now, until, steps[:MAX_STEPS])


def _steps(station: Station, lines: Mapping[str, Line], now: datetime) -> Iterator[Step]:
    sessions = [connector.session for connector in station.ordered() if connector.session is not None]
    last: tuple[Amps, str] | None = None
    for after, amps, by in lowest(lines):
        ceiling = Amps(amps if amps is not None else station.limit)
        most = max((session.within(ceiling) for session in sessions), default=ceiling)
        told = (most, by if by is not None and most == ceiling else OWNER)
        if told != last:
            yield Step(_after(now, after), *told)
            last = told


def _after(now: datetime, seconds: float) -> datetime:
    """To the millisecond, as times are told."""
    return datetime.fromtimestamp(round(now.timestamp() + seconds, 3), UTC) if seconds else now


def _lines(arbitration: Arbitration, station: Station, now: datetime, seconds: float) -> dict[str, Line]:
    """What each allows, the owner first: to it belongs what two want."""
    lines = {OWNER: constant(station.limit)}
    for provider in sorted(station.control.limiting):
        lines[provider] = _of_provider(arbitration, station, provider, now, seconds)
    if profiles := imposed(station):
        lines[CHARGER] = _least(station, profiles, now, seconds)
    if station.share is not None:
        lines[station.share.by] = constant(station.share.amps)
    for amps, provider in allowed(arbitration, station):
        lines[provider] = least([constant(amps), lines.get(provider, FREE)])
    return lines


def _of_provider(arbitration: Arbitration, station: Station, provider: str, now: datetime, seconds: float) -> Line:
    """A provider's limit and profiles, while it may limit."""
    hours = list(_hours(arbitration, station, provider, now, seconds))
    if not any(stands for _, stands in hours):
        return FREE
    lines = [fixed(station, provider, now)]
    if profiles := standing(station, provider, now):
        lines.append(_least(station, profiles, now, seconds))
    return _within(changed(least(lines), usable), hours)


def _least(station: Station, profiles: Profiles, now: datetime, seconds: float) -> Line:
    """What profiles allow on the connectors in use; where no session runs, as if one began."""
    spots = [replace(spot, began=spot.began or now) for spot in in_use(station)]
    return changed(least(composite.composite(profiles, spot, now, seconds) for spot in spots), usable)


def _hours(
    arbitration: Arbitration, station: Station, provider: str, now: datetime, seconds: float
) -> Iterator[tuple[float, bool]]:
    """Whether its limits stand, from so many seconds on."""
    world, control, rules = world_of(station, arbitration.house), station.control, arbitration.rules
    terms = rules.terms(provider)
    windows = terms.schedule if terms else ()
    for at in [now, *changes_of(windows, now.astimezone(rules.zone), timedelta(seconds=seconds))]:
        yield (at - now).total_seconds(), limit_stands(control, provider, world, rules, at)


def _within(line: Line, hours: list[tuple[float, bool]]) -> Line:
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
