"""What a charger holds of ours: a limit in steps over time, and until when; what applies then is what lies below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import Amps

Steps = tuple[tuple[datetime, Amps], ...]
"""What holds from each time on, in A per phase, in order; there is always one, and the first holds before it too."""


class Held(NamedTuple):
    """A profile of ours as the charger confirmed it. `until` None: for good."""

    steps: Steps
    until: datetime | None = None

    @property
    def since(self) -> datetime:
        """When it was put there."""
        return self.steps[0][0]

    @property
    def first(self) -> Amps:
        """What it began with."""
        return self.steps[0][1]

    def lasts(self, at: datetime) -> bool:
        """Whether it still counts then."""
        return self.until is None or at < self.until

    def halfway(self) -> datetime | None:
        """When half of its time is over; None where it holds for good."""
        return None if self.until is None else self.since + (self.until - self.since) / 2


def for_good(amps: Amps, now: datetime) -> Held:
    """The same from now on, without an end."""
    return Held(((now, amps),))


def alive(held: Held | None, at: datetime) -> Held | None:
    """What is held, where it still counts then."""
    return held if held is not None and held.lasts(at) else None


def value(steps: Steps, at: datetime) -> Amps:
    """What holds at a time."""
    for since, amps in reversed(steps):
        if since <= at:
            return amps
    return steps[0][1]


def onward(steps: Steps, now: datetime) -> Steps:
    """Steps from a time on."""
    return ((now, value(steps, now)), *(step for step in steps if step[0] > now))


def lesser(steps: Steps, most: Amps) -> Steps:
    """Steps that are never above something."""
    return _compact((at, min(amps, most)) for at, amps in steps)


def least(lines: Iterable[Steps], now: datetime) -> Steps:
    """The smallest at each time from now on."""
    return _merged(min, lines, now)


def most(lines: Iterable[Steps], now: datetime) -> Steps:
    """The largest at each time from now on."""
    return _merged(max, lines, now)


def _merged(pick: Callable[[Iterable[Amps]], Amps], lines: Iterable[Steps], now: datetime) -> Steps:
    every = [onward(line, now) for line in lines]
    times = sorted({at for line in every for at, _ in line})
    return _compact((at, pick(value(line, at) for line in every)) for at in times)


def exceeds(steps: Steps, bound: Steps, since: datetime, until: datetime) -> bool:
    """Whether steps are above others at any time between two."""
    times = {since, *(at for at, _ in (*steps, *bound) if since < at < until)}
    return any(value(steps, at) > value(bound, at) for at in times)


def layered(layers: Iterable[Held | None], bottom: Amps, now: datetime, until: datetime) -> Steps:
    """What applies from now on: of layers, the upper first, each while it lasts; below all of them the bottom."""
    found: list[tuple[datetime, Amps]] = []
    at = now
    for held in layers:
        if held is None or not held.lasts(at):
            continue
        end = until if held.until is None else min(held.until, until)
        found += [step for step in onward(held.steps, at) if step[0] < end]
        if held.until is None or held.until >= until:
            return _compact(found)
        at = held.until
    return _compact([*found, (at, bottom)])


def either(one: Held, other: Held) -> Held:
    """What there may be where nobody knows which of two is held: the larger at each time, as long as either lasts."""
    both = (one, other)
    ends = [held.until for held in both if held.until is not None]
    until = max(ends) if len(ends) == len(both) else None
    every = {*(at for held in both for at, _ in held.steps), *ends}
    times = sorted(at for at in every if until is None or at < until)
    steps = _compact((at, max(value(held.steps, at) for held in both if held.lasts(at))) for at in times)
    return Held(steps, until)


def _compact(steps: Iterable[tuple[datetime, Amps]]) -> Steps:
    """Without steps that change nothing."""
    found: list[tuple[datetime, Amps]] = []
    for at, amps in steps:
        if not found or found[-1][1] != amps:
            found.append((at, amps))
    return tuple(found)
