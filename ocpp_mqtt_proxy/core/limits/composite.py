"""Profiles composed to what binds over time (1.6 §3.13, K01, K08).

Of each purpose the profile of the highest stack level rules, as long as it has a period at the time; in its gaps the
next lower one does (errata 3.43, K01.FR.13). A transaction's profile stands in the place of the defaults, a priority
in the place of both; of the purposes the smallest binds, and what is generated locally comes on top (K27).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import NamedTuple

from ocpp_mqtt_proxy.core.limits.line import FREE, Line, Value, changed, compact, least, over, plus
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Purpose, rounded
from ocpp_mqtt_proxy.core.model import Amps

_INSTANT = 1e-6
"""Seconds that are looked at for what binds just now."""

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


def _ruling(stack: list[ChargingProfile], spot: Spot, window: Window) -> Line:
    """The line of a purpose: the highest level on top; on one level the connector's own, then the one that came last.

    Two of one level are both there in 1.6 where one is of the connector and one of all (§3.13.1).
    """
    line = FREE
    for profile in sorted(stack, key=lambda one: (one.level, one.connector > 0)):
        own = line_of(profile, spot, window)
        line = own if line is FREE else over(own, line)
    return line


def line_of(profile: ChargingProfile, spot: Spot, window: Window) -> Line:
    """What one profile allows over time; free where it has no period."""
    pieces: list[tuple[float, Value]] = [(0.0, None)]
    ended = 0.0
    for begin, end, amps in _within(profile, spot, window):
        if begin > ended:
            pieces.append((ended, None))
        pieces.append((begin, amps))
        ended = end
    if ended < window.length:
        pieces.append((ended, None))
    return _line(pieces)


def _line(pieces: list[tuple[float, Value]]) -> Line:
    """The last of those that begin at one time."""
    ends = [*(at for at, _ in pieces[1:]), inf]
    return compact(piece for piece, end in zip(pieces, ends, strict=True) if piece[0] < end)


def _within(profile: ChargingProfile, spot: Spot, window: Window) -> Iterator[tuple[float, float, Amps]]:
    """Its periods as far as they lie in the window, while it is valid (K01.FR.36 and .37)."""
    first = max(0.0, _offset(profile.valid_from, window, -inf))
    last = min(window.length, _offset(profile.valid_to, window, inf))
    for opens, closes, amps in _pieces(profile, spot, window):
        begin, end = max(opens, first), min(closes, last)
        if begin < end:
            yield begin, end, amps


def _offset(at: datetime | None, window: Window, otherwise: float) -> float:
    return otherwise if at is None else at.timestamp() - window.start


def _pieces(profile: ChargingProfile, spot: Spot, window: Window) -> Iterator[tuple[float, float, Amps]]:
    """The periods of all runs that reach into the window: begin, end, and what they allow."""
    amps = [profile.amps(period, spot.phases) for period in profile.schedule.periods]
    start = _start(profile, spot)
    if start is None:
        yield 0.0, window.length, amps[0]
        return
    starts = [period.start for period in profile.schedule.periods]
    for begin, end in _runs(profile, start - window.start, window.length):
        for opens, closes, value in zip(starts, [*starts[1:], inf], amps, strict=True):
            if begin + opens < end:
                yield begin + opens, min(begin + closes, end), value


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
