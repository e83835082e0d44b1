"""A charging profile as providers give it (OCPP 2.0.1 K01): what it allows at a time, and when that changes next.

Pure: the time is an argument. Times of day do not matter to it: a day is 24 hours, a week seven days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import Amps

VOLTS = 230
"""Between a phase and neutral, where power is turned into current."""

_TENTH = 10
"""Limits have one decimal (`ChargingSchedulePeriod.limit`)."""


class Kind(StrEnum):
    """What a schedule's times are counted from: a date, each day or week anew, or the start of charging."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a schedule, up to the next: its limit in the schedule's unit. `phases` where it names them."""

    start: timedelta
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps, the first at 0, in order. `in_watts`, else A per phase."""

    steps: tuple[Step, ...]
    in_watts: bool = False
    start: datetime | None = None
    duration: timedelta | None = None


class Now(NamedTuple):
    """What binds: A per phase, or nothing; and when that may change, unless never or when charging starts."""

    amps: Amps | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A schedule, when it counts, and how often it comes again."""

    kind: Kind
    schedule: Schedule
    every: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def at(self, now: datetime, charging_since: datetime | None, phases: int) -> Now:
        """What it allows now.

        A schedule that begins with charging shows its first step until then. `phases` are the charger's: power is
        shared out over all that may carry it, so that a car on fewer gets less than allowed, never more.
        """
        if self.valid_to is not None and now >= self.valid_to:
            return Now(None, None)
        if self.valid_from is not None and now < self.valid_from:
            return Now(None, self.valid_from)
        start = self._start(now, charging_since)
        if start is None:
            return Now(self._amps(self.schedule.steps[0], phases), self.valid_to)
        if now < start:
            return Now(None, _first([start, self.valid_to]))
        step = self._step(now - start)
        ahead = [change for change in self._changes(start) if change > now]
        return Now(None if step is None else self._amps(step, phases), _first([*ahead, self.valid_to]))

    def most(self, phases: int) -> Amps:
        """The highest that it ever allows where it limits anything."""
        return max(self._amps(step, phases) for step in self.schedule.steps)

    def _start(self, now: datetime, charging_since: datetime | None) -> datetime | None:
        """When the schedule that counts now began, or will begin; None: once charging does (K01.FR.32 and 2.13)."""
        start = self.schedule.start
        if start is None or self.kind is Kind.RELATIVE:
            return charging_since
        if self.every is None or now < start:
            return start
        return start + (now - start) // self.every * self.every

    @property
    def _length(self) -> timedelta | None:
        """How long the schedule lasts: where it comes again no longer than until then."""
        lengths = [length for length in (self.schedule.duration, self.every) if length is not None]
        return min(lengths, default=None)

    def _step(self, gone: timedelta) -> Step | None:
        """The step that counts so long after the start; None once the schedule is over."""
        length = self._length
        if length is not None and gone >= length:
            return None
        return [step for step in self.schedule.steps if step.start <= gone][-1]

    def _changes(self, start: datetime) -> Iterator[datetime]:
        """When anything may change, of a schedule that began then."""
        for length in (*(step.start for step in self.schedule.steps), self._length, self.every):
            if length is not None:
                yield start + length

    def _amps(self, step: Step, phases: int) -> Amps:
        return amps_of(step.limit, max(phases, step.phases or 1)) if self.schedule.in_watts else rounded(step.limit)


def _first(times: list[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def amps_of(watts: float, phases: int) -> Amps:
    """Power in W as a current in A on each of so many phases, rounded down."""
    return rounded(watts / (VOLTS * phases))


def rounded(amps: float) -> Amps:
    """A current with one decimal, rounded down."""
    return Amps(int(amps * _TENTH + 1e-6) / _TENTH)
