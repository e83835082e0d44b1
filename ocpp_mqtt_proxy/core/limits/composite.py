"""Profiles composed to what binds over time (1.6 §3.13, K01, K08).

Of each purpose the profile of the highest stack level rules, as long as it has a period at the time; in its gaps the
next lower one does (errata 3.43, K01.FR.13). A transaction's profile stands in the place of the defaults, a priority
in the place of both; of the purposes the smallest binds, and what is generated locally comes on top (K27).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf
from operator import attrgetter
from typing import NamedTuple

from ocpp_mqtt_proxy.core.limits.line import FREE, Line, Value, changed, compact, least, over, plus
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Purpose, rounded
from ocpp_mqtt_proxy.core.model import Amps

_INSTANT = 1e-6
"""Seconds that are looked at for what binds just now."""

_STARTS = attrgetter("start")

_WITH_CHARGING = frozenset({Purpose.DEFAULT, Purpose.TRANSACTION, Purpose.PRIORITY})
"""Purposes whose undated schedules begin with charging; the others' when they came."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where it is asked what binds: a connector by our number, or 0, the charger as a whole.

    `session` is the one that runs there, and `began` when; None while none does: then a schedule that begins with
    charging stays in its first period. `phases` are those of the charger. What holds for the whole charger is shared
    by `share` connectors. `priority` while charging with priority (K21).
    """

    connector: int = 1
    session: str | None = None
    began: datetime | None = None
    phases: int = 3
    share: int = 1
    priority: bool = False


class Window(NamedTuple):
    """The time that is looked at: from an instant (POSIX), so many seconds."""

    start: float
    length: float


class Now(NamedTuple):
    """What binds: A per phase, or nothing; and when that changes next, where that is soon enough to be told."""

    amps: Amps | None
    until: datetime | None


def composite(profiles: Iterable[ChargingProfile], spot: Spot, at: datetime, seconds: float) -> Line:
    """What binds at a spot from a time on, for so many seconds, in A per phase."""
    window = Window(at.timestamp(), seconds)
    stacks = _stacks(profiles, spot)
    lines = {stack: _ruling(stacks[stack], spot, window) for stack in stacks}
    whole = _shared(least(_of(lines, 0, Purpose.STATION_MAX, Purpose.EXTERNAL)), spot)
    of_everybody = _shared(lines.get((Purpose.LOCAL_GENERATION, 0), FREE), spot)
    if not spot.connector:
        return changed(plus(whole, of_everybody), rounded)
    binds = least([whole, _of_transaction(lines, spot), *_of(lines, spot.connector, Purpose.EXTERNAL)])
    for extra in (of_everybody, lines.get((Purpose.LOCAL_GENERATION, spot.connector), FREE)):
        binds = plus(binds, extra)
    return changed(binds, rounded)


def now(profiles: Iterable[ChargingProfile], spot: Spot, at: datetime, ahead: float = 0.0) -> Now:
    """What binds at a spot at a time, and when that changes, where it does within so many seconds."""
    line = composite(profiles, spot, at, max(ahead, _INSTANT))
    amps = line[0][1]
    until = datetime.fromtimestamp(at.timestamp() + line[1][0], at.tzinfo) if len(line) > 1 else None
    return Now(None if amps is None else Amps(amps), until)


_Stack = tuple[Purpose, int]


def _stacks(profiles: Iterable[ChargingProfile], spot: Spot) -> dict[_Stack, list[ChargingProfile]]:
    """The profiles that concern a spot, by what they are for; defaults of the connector and of all in one."""
    stacks: dict[_Stack, list[ChargingProfile]] = defaultdict(list)
    for profile in profiles:
        if profile.connector not in (0, spot.connector):
            continue
        if profile.purpose is Purpose.TRANSACTION and profile.session != spot.session:
            continue
        stacks[profile.purpose, 0 if profile.purpose in _WITH_CHARGING else profile.connector].append(profile)
    return stacks


def _of(lines: dict[_Stack, Line], connector: int, *purposes: Purpose) -> list[Line]:
    return [lines[purpose, connector] for purpose in purposes if (purpose, connector) in lines]


def _of_transaction(lines: dict[_Stack, Line], spot: Spot) -> Line:
    """A transaction's own profile where it has a period, else the default (§3.13.1, K02.FR.08)."""
    purposes = [Purpose.TRANSACTION, Purpose.DEFAULT]
    line = FREE
    for above in reversed([Purpose.PRIORITY, *purposes] if spot.priority else purposes):
        line = over(lines.get((above, 0), FREE), line)
    return line


def _shared(line: Line, spot: Spot) -> Line:
    return line if spot.share == 1 else changed(line, lambda amps: rounded(amps / spot.share))


_Piece = tuple[float, float, Amps]
"""From when to when a profile allows what."""

_Gap = tuple[float, float]


def _ruling(stack: list[ChargingProfile], spot: Spot, window: Window) -> Line:
    """The line of a purpose: the highest level on top; on one level the connector's own, then the one that came last.

    Two of one level are both there in 1.6 where one is of the connector and one of all (§3.13.1). Looked at from the
    top: those below matter only in the gaps, and not at all where there are none.
    """
    gaps: list[_Gap] = [(0.0, window.length)]
    found: list[_Piece] = []
    from_below = sorted(stack, key=lambda one: (one.level, one.connector > 0))
    for profile in reversed(from_below):
        gaps = _filled(gaps, list(_within(profile, spot, window)), found)
        if not gaps:
            break
    return _line(found, window)


def _filled(gaps: list[_Gap], pieces: list[_Piece], found: list[_Piece]) -> list[_Gap]:
    """The gaps that pieces leave; what fell into them is `found`. Both in order."""
    left: list[_Gap] = []
    first = 0
    for opens, closes in gaps:
        at = opens
        while first < len(pieces) and pieces[first][1] <= opens:
            first += 1
        for begin, end, amps in pieces[first:]:
            if begin >= closes:
                break
            if at < begin:
                left.append((at, begin))
            at = min(end, closes)
            found.append((max(begin, opens), at, amps))
        if at < closes:
            left.append((at, closes))
    return left


def _line(pieces: list[_Piece], window: Window) -> Line:
    """Pieces as a line: free between them, and after them where the window goes on."""
    line: list[tuple[float, Value]] = []
    ended = 0.0
    for begin, end, amps in sorted(pieces):
        if begin > ended:
            line.append((ended, None))
        line.append((begin, amps))
        ended = end
    if ended < window.length:
        line.append((ended, None))
    return compact(line) or FREE


def _within(profile: ChargingProfile, spot: Spot, window: Window) -> Iterator[_Piece]:
    """Its periods as far as they lie in the window, while it is valid (K01.FR.36 and .37)."""
    first = max(0.0, _offset(profile.valid_from, window, -inf))
    last = min(window.length, _offset(profile.valid_to, window, inf))
    start = _start(profile, spot)
    if start is None:
        if first < last:
            yield first, last, profile.amps(profile.schedule.periods[0], spot.phases)
        return
    for begin, end in _runs(profile, start - window.start, last):
        yield from _run(profile, spot, begin, max(begin, first), min(end, last))


def _offset(at: datetime | None, window: Window, otherwise: float) -> float:
    return otherwise if at is None else at.timestamp() - window.start


def _run(profile: ChargingProfile, spot: Spot, begin: float, first: float, last: float) -> Iterator[_Piece]:
    """The periods of a run that began at a time, as far as they lie between two others."""
    periods = profile.schedule.periods
    number = bisect_right(periods, first - begin, key=_STARTS) - 1 if first > begin else 0
    at = first
    while at < last:
        number += 1
        until = min(begin + periods[number].start, last) if number < len(periods) else last
        if at < until:
            yield at, until, profile.amps(periods[number - 1], spot.phases)
            at = until


def _start(profile: ChargingProfile, spot: Spot) -> float | None:
    """When its schedule began, or will begin (POSIX); None: once charging does (K01.FR.42, 1.6 §7.13)."""
    if profile.dated and profile.schedule.start is not None:
        return profile.schedule.start.timestamp()
    if profile.kind is not Kind.DYNAMIC and profile.purpose in _WITH_CHARGING:
        return None if spot.began is None else spot.began.timestamp()
    return None if profile.installed is None else profile.installed.timestamp()


def _runs(profile: ChargingProfile, start: float, window: float) -> Iterator[tuple[float, float]]:
    """When the schedule begins and ends, each time that it runs within the window."""
    length = inf if profile.length is None else profile.length
    if profile.every is None:
        yield start, start + length
        return
    every = profile.every.total_seconds()
    begin = start + max(0, -start // every) * every
    while begin < window:
        yield begin, begin + length
        begin += every
