"""A charging profile: what it limits, when it counts, and its schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ocpp_mqtt_proxy.core.model import Amps

VOLTS = 230
"""Between a phase and neutral, where power is turned into current: not measured (K01.FR.50)."""

LEAST_CURRENT = Amps(6)
"""What a car takes at least (IEC 61851-1)."""

_TENTH = 10
"""Limits have one decimal (`ChargingSchedulePeriod.limit`)."""


class Purpose(StrEnum):
    """What a profile is for (ChargingProfilePurposeEnumType); 1.6 calls the first ChargePointMaxProfile."""

    STATION_MAX = "station_max"
    EXTERNAL = "external_constraints"
    DEFAULT = "tx_default"
    TRANSACTION = "tx"
    PRIORITY = "priority_charging"
    LOCAL_GENERATION = "local_generation"


class Kind(StrEnum):
    """What a schedule's times are counted from: a date, each day or week anew, the start of charging, its receipt."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"
    DYNAMIC = "Dynamic"


DAILY, WEEKLY = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Period:
    """A part of a schedule, from so many seconds after its start up to the next: its limit in the schedule's unit.

    `phases` and `phase` (which one is to be used) where it names them.
    """

    start: float
    limit: float
    phases: int | None = None
    phase: int | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Periods, the first at 0, in order. `in_watts` in all, else A per phase. `duration` in seconds.

    `least` is what charging below is inefficient (minChargingRate): a hint for who shares power out, no limit
    (K01.FR.21).
    """

    periods: tuple[Period, ...]
    in_watts: bool = False
    start: datetime | None = None
    duration: float | None = None
    least: float | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class ChargingProfile:
    """A profile as it is installed.

    `connector` is our number, 0 the whole charger. `session` is the session that a transaction's profile is for: None
    while it waits for one to begin. `installed` is when it came: what begins neither by date nor with charging begins
    then.
    """

    schedule: Schedule
    purpose: Purpose = Purpose.DEFAULT
    kind: Kind = Kind.ABSOLUTE
    id: int = 0
    level: int = 0
    connector: int = 0
    every: timedelta | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    session: str | None = None
    installed: datetime | None = None

    @property
    def dated(self) -> bool:
        """Whether its schedule begins at a date of its own; else with charging, or when it came."""
        return self.schedule.start is not None and self.kind in (Kind.ABSOLUTE, Kind.RECURRING)

    @property
    def length(self) -> float | None:
        """How many seconds its schedule lasts: where it comes again no longer than until then (errata 3.44)."""
        duration = self.schedule.duration
        if self.every is None:
            return duration
        every = self.every.total_seconds()
        return every if duration is None else min(duration, every)

    def amps(self, period: Period, phases: int) -> Amps:
        """What a period allows in A per phase.

        Power is shared out over all phases that may carry it, the charger's or the period's, so that a car on fewer
        gets less than allowed, never more.
        """
        in_watts = self.schedule.in_watts
        return amps_of(period.limit, max(phases, period.phases or 1)) if in_watts else rounded(period.limit)

    def most(self, phases: int) -> Amps:
        """The highest that it ever allows in A per phase, where it limits anything."""
        return max(self.amps(period, phases) for period in self.schedule.periods)

    def past(self, now: datetime) -> bool:
        """Whether it will never count again."""
        return self.valid_to is not None and self.valid_to <= now


def amps_of(watts: float, phases: int) -> Amps:
    """Power in W as a current in A on each of so many phases, rounded down."""
    return rounded(watts / (VOLTS * phases))


def watts_of(amps: float, phases: int) -> float:
    """A current in A on each of so many phases as power in W, rounded down."""
    return rounded(amps * VOLTS * phases)


def rounded(amount: float) -> Amps:
    """An amount with one decimal, rounded down."""
    return Amps(int(amount * _TENTH + 1e-6) / _TENTH)


def usable(amps: float) -> Amps:
    """A limit as cars take it: nothing where it is less than the least that they take."""
    return Amps(amps) if amps >= LEAST_CURRENT else Amps(0)
