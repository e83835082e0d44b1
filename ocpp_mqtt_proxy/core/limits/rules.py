"""What a set of profiles takes, what replaces what in it, and what is cleared of it (1.6 §5.5 and §5.16, K01, K10).

A profile that is not taken is told why, in the words that 2.x has for it (reasonCode).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Purpose

MAX_LEVEL = 100
"""The highest stack level of a set of ours (ChargeProfileMaxStackLevel, SmartChargingCtrlr.ProfileStackLevel)."""
MAX_PERIODS = 1024
"""Periods of a schedule (ChargingScheduleMaxPeriods, SmartChargingCtrlr.PeriodsPerSchedule)."""
MAX_PROFILES = 100
"""Profiles of a set (MaxChargingProfilesInstalled, SmartChargingCtrlr.Entries[ChargingProfiles])."""

Profiles = tuple[ChargingProfile, ...]


class Because(StrEnum):
    """Why a profile is not taken (2.x appendix, reason codes)."""

    DUPLICATE = "DuplicateProfile"
    PROFILE = "InvalidProfile"
    SCHEDULE = "InvalidSchedule"
    LEVEL = "InvalidStackLevel"
    MANY = "TooManyElements"
    NO_TRANSACTION = "TxNotFound"
    KIND = "UnsupportedKind"
    PURPOSE = "UnsupportedPurpose"
    EVSE = "UnknownEvse"


class Fault(NamedTuple):
    """Why a profile is not taken, and in words for people."""

    because: Because
    why: str


def fault(profile: ChargingProfile, *, loose: bool = False) -> Fault | None:
    """What is wrong with a profile, whatever else is installed. `loose` as 1.6 is about where schedules begin."""
    return _of_purpose(profile, loose=loose) or _of_kind(profile, loose=loose) or schedule_fault(profile)


def _of_purpose(profile: ChargingProfile, *, loose: bool) -> Fault | None:
    """K01.FR.16, K01.FR.22, K01.FR.38, K01.FR.120; 1.6 §3.13.1."""
    purpose = profile.purpose
    if purpose is Purpose.EXTERNAL:
        return Fault(Because.PROFILE, "ChargingStationExternalConstraints are not for a CSMS to set")
    if purpose in (Purpose.PRIORITY, Purpose.LOCAL_GENERATION):
        return Fault(Because.PURPOSE, "this purpose is not offered")
    if purpose is Purpose.STATION_MAX and profile.connector:
        return Fault(Because.PROFILE, "a profile for the whole charger goes to connector or EVSE 0")
    if purpose is Purpose.STATION_MAX and profile.kind is Kind.RELATIVE and not loose:
        return Fault(Because.KIND, "a profile for the whole charger cannot be Relative")
    if purpose is Purpose.TRANSACTION and not profile.connector:
        return Fault(Because.PROFILE, "a transaction's profile goes to its connector or EVSE")
    if not 0 <= profile.level <= MAX_LEVEL:
        return Fault(Because.LEVEL, f"stackLevel: 0 to {MAX_LEVEL}")
    return None


def _of_kind(profile: ChargingProfile, *, loose: bool) -> Fault | None:
    """K01.FR.40, K01.FR.41, K01.FR.121. Where 1.6 has no start, the schedule begins with charging (§7.13)."""
    kind, start = profile.kind, profile.schedule.start
    if kind is Kind.DYNAMIC:
        return Fault(Because.KIND, "Dynamic profiles are not offered")
    if kind is Kind.RECURRING and (profile.every is None or start is None):
        return Fault(Because.PROFILE, "a Recurring profile needs recurrencyKind and startSchedule")
    if kind is Kind.ABSOLUTE and start is None and not loose:
        return Fault(Because.SCHEDULE, "an Absolute profile needs startSchedule")
    if kind is Kind.RELATIVE and start is not None and not loose:
        return Fault(Because.SCHEDULE, "a Relative profile has no startSchedule")
    return None


def schedule_fault(profile: ChargingProfile) -> Fault | None:
    """What is wrong with a profile's schedule alone: K01.FR.19, K01.FR.31, K01.FR.35, K01.FR.48; errata 3.45."""
    periods = profile.schedule.periods
    starts = [period.start for period in periods]
    if not periods or starts[0] != 0:
        return Fault(Because.SCHEDULE, "the first startPeriod must be 0")
    if sorted(set(starts)) != starts:
        return Fault(Because.SCHEDULE, "each startPeriod must be later than the one before")
    if len(periods) > MAX_PERIODS:
        return Fault(Because.MANY, f"at most {MAX_PERIODS} periods")
    return next((found for period in periods if (found := _of_period(period))), None)


def _of_period(period: Period) -> Fault | None:
    """A limit that is none, and a phase that we cannot choose."""
    if period.limit < 0:
        return Fault(Because.SCHEDULE, "a limit cannot be below 0")
    if period.phase is not None:
        return Fault(Because.SCHEDULE, "phaseToUse: the phases cannot be switched")
    return None


def conflict(profiles: Profiles, profile: ChargingProfile) -> Fault | None:
    """Why a profile cannot stand beside those of a set; in 1.6 it takes the place of what it clashes with instead.

    K01.FR.06, K01.FR.39, K01.FR.52 and .53: one stack level of a purpose has one profile at a time, and defaults of
    all and of one EVSE share the levels.
    """
    for other in profiles:
        if other.id != profile.id and _clash(other, profile):
            why = f"profile {other.id} has this purpose and stack level already"
            return Fault(Because.DUPLICATE, why)
    return None


def _clash(one: ChargingProfile, other: ChargingProfile) -> bool:
    if (one.purpose, one.level) != (other.purpose, other.level):
        return False
    if one.purpose is Purpose.TRANSACTION:
        return one.session == other.session and one.connector == other.connector
    if one.connector != other.connector:
        return one.purpose is Purpose.DEFAULT and 0 in (one.connector, other.connector)
    return _overlap(one, other)


_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def _overlap(one: ChargingProfile, other: ChargingProfile) -> bool:
    """Whether there is a time at which both are valid."""
    begins = max(one.valid_from or _BEGINNING, other.valid_from or _BEGINNING)
    return begins < min(one.valid_to or _END, other.valid_to or _END)


def installed(profiles: Profiles, profile: ChargingProfile, *, loose: bool = False) -> Profiles:
    """A set with one more. It takes the place of the one of its id (K01.FR.05).

    `loose`, as in 1.6, also of the one of its connector, purpose and stack level (§3.13.2).
    """
    return (*(one for one in profiles if one.id != profile.id and not (loose and _same(one, profile))), profile)


def _same(one: ChargingProfile, other: ChargingProfile) -> bool:
    mine = (one.purpose, one.connector, one.level, one.session)
    return mine == (other.purpose, other.connector, other.level, other.session)


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which profiles are meant: those that match all that is given (errata 3.25, K10.FR.04); an id alone is enough."""

    id: int | None = None
    connector: int | None = None
    purpose: Purpose | None = None
    level: int | None = None

    def match(self, profile: ChargingProfile) -> bool:
        """Whether a profile is meant. Other sources' limits are never (K10.FR.03)."""
        wanted = (
            (self.id, profile.id),
            (self.connector, profile.connector),
            (self.purpose, profile.purpose),
            (self.level, profile.level),
        )
        return all(given is None or given == has for given, has in wanted)


def cleared(profiles: Profiles, criteria: Criteria) -> Profiles:
    """A set without those that are meant."""
    return kept(profiles, lambda profile: not criteria.match(profile))


def kept(profiles: Iterable[ChargingProfile], which: Callable[[ChargingProfile], bool]) -> Profiles:
    """Those of a set for which something holds."""
    return tuple(profile for profile in profiles if which(profile))
