"""What charging profiles allow at one instant, read off the specification's text as plainly as can be.

Slow on purpose, and on its own: profiles are JSON as OCPP 2.1 has it, numbers are fractions, and it knows nothing of
the program. `evseId` and `receivedAt` are put beside the fields of ChargingProfileType.

What the text leaves open is as the program's documentation says: on one stack level the EVSE's own default goes before
that of all, else the one received last; a W limit is shared out over the charger's phases, or the profile's if more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

Profile = dict[str, Any]
DAYS = {"Daily": 1, "Weekly": 7}
OF_TRANSACTIONS = ("TxDefaultProfile", "TxProfile", "PriorityCharging")


@dataclass(frozen=True)
class Asked:
    """About which EVSE; the transaction there and when it began, if any; the charger's phases and busy EVSEs."""

    evse: int
    transaction: str | None
    began: datetime | None
    phases: int
    busy: int
    priority: bool


def allowed(profiles: Sequence[Profile], asked: Asked, at: datetime) -> Fraction | None:
    """A per phase at an instant, or None where nothing limits.

    K08.FR.04: the lowest of the leading profiles of the purposes; LocalGeneration is added on top (K27).
    "The limit value of ChargingStationMaxProfile for EVSE 0 is the limit for all EVSEs combined" (3.6).
    """
    here = [profile for profile in profiles if profile["evseId"] in (0, asked.evse)]
    limits = [shared(leading(of(here, "ChargingStationMaxProfile", 0), asked, at), asked)]
    limits.append(shared(leading(of(here, "ChargingStationExternalConstraints", 0), asked, at), asked))
    if asked.evse:
        limits.append(leading(of(here, "ChargingStationExternalConstraints", asked.evse), asked, at))
        limits.append(of_the_transaction(here, asked, at))
    lowest = min((limit for limit in limits if limit is not None), default=None)
    if lowest is None:
        return None
    lowest += shared(leading(of(here, "LocalGeneration", 0), asked, at), asked) or 0
    if asked.evse:
        lowest += leading(of(here, "LocalGeneration", asked.evse), asked, at) or 0
    return lowest


def of(profiles: Sequence[Profile], purpose: str, evse: int | None = None) -> list[Profile]:
    """Those of a purpose."""
    named = [profile for profile in profiles if profile["chargingProfilePurpose"] == purpose]
    return [profile for profile in named if evse in (None, profile["evseId"])]


def shared(limit: Fraction | None, asked: Asked) -> Fraction | None:
    """A limit for all EVSEs combined, on one of those that are busy."""
    return None if limit is None else down(limit / asked.busy)


def of_the_transaction(profiles: Sequence[Profile], asked: Asked, at: datetime) -> Fraction | None:
    """K21: priority overrules. 3.13.1: TxProfile overrules TxDefaultProfile; K02.FR.08: it falls back to it."""
    mine = [one for one in of(profiles, "TxProfile") if one.get("transactionId") == asked.transaction]
    order = [mine, of(profiles, "TxDefaultProfile")]
    if asked.priority:
        order.insert(0, of(profiles, "PriorityCharging"))
    for candidates in order:
        limit = leading(candidates, asked, at)
        if limit is not None:
            return limit
    return None


def leading(profiles: Sequence[Profile], asked: Asked, at: datetime) -> Fraction | None:
    """3.5, 3.6: of the profiles that have a period at the time, the one of the highest stack level."""
    best: tuple[tuple[int, bool, int], Fraction] | None = None
    for number, profile in enumerate(profiles):
        limit = limit_of(profile, asked, at)
        rank = (profile["stackLevel"], profile["evseId"] > 0, number)
        if limit is not None and (best is None or rank > best[0]):
            best = (rank, limit)
    return best[1] if best else None


def limit_of(profile: Profile, asked: Asked, at: datetime) -> Fraction | None:
    """What one profile says at the time; None where it has nothing to say."""
    if "validFrom" in profile and at < instant(profile["validFrom"]):  # K01.FR.36
        return None
    if "validTo" in profile and at >= instant(profile["validTo"]):  # K01.FR.37
        return None
    schedule = profile["chargingSchedule"][0]
    start = start_of(profile, asked)
    if start is None:
        return amps(schedule["chargingSchedulePeriod"][0], schedule, asked)
    for begins in runs(profile, start, at):
        period = period_at(schedule, at - begins)
        if period is not None:
            return amps(period, schedule, asked)
    return None


def start_of(profile: Profile, asked: Asked) -> datetime | None:
    """When the schedule starts; None while it waits for charging to begin (K01.FR.42).

    K01.FR.40: Absolute and Recurring start at startSchedule. 1.6 §7.13: without one with charging.
    """
    schedule = profile["chargingSchedule"][0]
    if profile["chargingProfileKind"] in ("Absolute", "Recurring") and "startSchedule" in schedule:
        return instant(schedule["startSchedule"])
    if profile["chargingProfilePurpose"] in OF_TRANSACTIONS and profile["chargingProfileKind"] != "Dynamic":
        return asked.began
    return instant(profile["receivedAt"])


def runs(profile: Profile, start: datetime, at: datetime) -> Iterator[datetime]:
    """Begins of the schedule that matter now: its start, and the last time that it came again, which ends the others.

    Errata 3.44: what is longer than the recurrence is not executed.
    """
    if at < start:  # K01.FR.30
        return
    if profile["chargingProfileKind"] != "Recurring":
        yield start
        return
    again = timedelta(days=DAYS[profile["recurrencyKind"]])
    while start + again <= at:
        start += again
    yield start


def period_at(schedule: Profile, elapsed: timedelta) -> Profile | None:
    """K01.FR.11, K01.FR.12: the last period that has started, until the duration has elapsed."""
    if "duration" in schedule and elapsed >= timedelta(seconds=schedule["duration"]):
        return None
    found = None
    for period in schedule["chargingSchedulePeriod"]:
        if timedelta(seconds=period["startPeriod"]) <= elapsed:
            found = period
    return found


def amps(period: Profile, schedule: Profile, asked: Asked) -> Fraction:
    """K01.FR.50, K01.FR.51: power over line voltage and phases; one decimal, never more than allowed."""
    limit = Fraction(str(period["limit"]))
    if schedule["chargingRateUnit"] == "W":
        limit /= 230 * max(asked.phases, period.get("numberPhases", 1))
    return down(limit)


def down(limit: Fraction) -> Fraction:
    """One decimal, rounded down."""
    return Fraction(floor(limit * 10), 10)


def instant(text: str) -> datetime:
    """A dateTime as an instant."""
    return datetime.fromisoformat(text).astimezone(UTC)
