"""Composite schedules against a reference that reads the specification step by step, over random sets of profiles.

`make composites` tries 10,000 sets.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.core.limits.composite import Spot, composite, now
from ocpp_mqtt_proxy.core.limits.line import Line
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile
from ocpp_mqtt_proxy.core.model import Place, Target, Version
from ocpp_mqtt_proxy.ocppj import schedules
from tests.core import composite_reference as book

SETS = int(os.environ.get("COMPOSITE_SETS", "150"))
BERLIN = ZoneInfo("Europe/Berlin")
DAYS = [
    datetime(2026, 3, 14, 12, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 30, tzinfo=BERLIN),  # the clocks go forward at 2
    datetime(2026, 3, 28, 22, 0, tzinfo=BERLIN),
    datetime(2026, 10, 25, 0, 30, tzinfo=BERLIN),  # and back at 3
    datetime(2026, 10, 24, 20, 0, tzinfo=BERLIN),
    datetime(2028, 2, 29, 0, 0, tzinfo=UTC),
]
UNITS = [1, 60, 900, 3600]
"""Seconds: what all times of a set are multiples of."""
SLOTS = 120
PURPOSES = list(schedules.PURPOSES_2X)
EDGES = ("validFrom", "validTo")


@st.composite
def schedules_(draw: st.DrawFn, unit: int, periods: int) -> dict[str, Any]:
    """A ChargingScheduleType without a start, of so many periods at most."""
    starts = draw(st.lists(st.integers(1, SLOTS), max_size=periods - 1, unique=True).map(sorted))
    in_watts = draw(st.booleans())
    amount = (st.integers(0, 250_000) if in_watts else st.integers(0, 320)).map(lambda tenths: tenths / 10)
    phases = st.fixed_dictionaries({}, optional={"numberPhases": st.integers(1, 3)})
    told = [{"startPeriod": start * unit, "limit": draw(amount)} | draw(phases) for start in [0, *starts]]
    schedule = {"id": 1, "chargingRateUnit": "W" if in_watts else "A", "chargingSchedulePeriod": told}
    return schedule | ({"duration": draw(st.integers(1, SLOTS)) * unit} if draw(st.booleans()) else {})


def times(day: datetime, unit: int, low: int, high: int) -> st.SearchStrategy[str]:
    """A dateTime so many units from a day's hour, told in the zone of the day."""
    at = st.integers(low, high).map(lambda units: day.astimezone(UTC) + timedelta(seconds=units * unit))
    return at.map(lambda instant: instant.astimezone(day.tzinfo).isoformat())


@st.composite
def profiles(draw: st.DrawFn, day: datetime, unit: int, number: int) -> book.Profile:
    """A ChargingProfileType of 2.1; some begin as only those of 1.6 may."""
    kind = draw(st.sampled_from(["Absolute", "Recurring", "Relative", "Dynamic"]))
    purpose = draw(st.sampled_from(PURPOSES))
    schedule = draw(schedules_(unit, periods=1 if kind == "Dynamic" else 6))
    if kind == "Recurring":
        schedule["startSchedule"] = draw(times(day, unit, -40 * 86400 // unit, SLOTS))
    elif kind == "Absolute" and draw(st.integers(0, 3)):
        schedule["startSchedule"] = draw(times(day, unit, -SLOTS, SLOTS))
    some_time = times(day, unit, -SLOTS // 4, SLOTS)
    seldom = st.one_of(*[st.just({})] * 4, st.fixed_dictionaries({}, optional=dict.fromkeys(EDGES, some_time)))
    return {
        "id": number,
        "stackLevel": draw(st.integers(0, 3)),
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": [schedule],
        "evseId": 0 if purpose == "ChargingStationMaxProfile" else draw(st.integers(0, 2)),
        "receivedAt": draw(times(day, unit, -SLOTS, 0)),
        **({"recurrencyKind": draw(st.sampled_from(["Daily", "Weekly"]))} if kind == "Recurring" else {}),
        **({"transactionId": draw(st.sampled_from(["S", "T"]))} if purpose == "TxProfile" else {}),
        **draw(seldom),
    }


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[book.Profile], book.Asked, datetime, int]:
    """Profiles, what is asked, from when on, and the unit of all times."""
    day, unit = draw(st.sampled_from(DAYS)), draw(st.sampled_from(UNITS))
    given_ = [draw(profiles(day, unit, number)) for number in range(draw(st.integers(0, 6)))]
    transaction = draw(st.sampled_from(["S", None]))
    began = day.astimezone(UTC) - timedelta(seconds=draw(st.integers(0, SLOTS)) * unit) if transaction else None
    asked = book.Asked(
        evse=draw(st.integers(0, 2)),
        transaction=transaction,
        began=began,
        phases=draw(st.integers(1, 3)),
        busy=draw(st.integers(1, 3)),
        priority=draw(st.booleans()),
    )
    return given_, asked, day, unit


def ours(profile: book.Profile) -> ChargingProfile:
    """The same as the program has it, read from the message."""
    read = schedules.setting(profile, Target(profile["evseId"], Place(profile["evseId"])), Version.V21).profile
    return ChargingProfile(
        schedule=read.schedule,
        purpose=read.purpose,
        kind=read.kind,
        id=read.id,
        level=read.level,
        connector=read.connector,
        every=read.every,
        valid_from=read.valid_from,
        valid_to=read.valid_to,
        session=profile.get("transactionId"),
        installed=datetime.fromisoformat(profile["receivedAt"]),
    )


def at_(line: Line, seconds: float) -> float | None:
    return [value for begins, value in line if begins <= seconds][-1]


def exactly(amps: float | None) -> Fraction | None:
    return None if amps is None else Fraction(round(amps * 10), 10)


@given(case=cases())
@settings(max_examples=SETS, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_composite_schedule_is_what_the_specification_says_at_every_instant(
    case: tuple[list[book.Profile], book.Asked, datetime, int],
) -> None:
    given_, asked, day, unit = case
    spot = Spot(asked.evse, asked.transaction, asked.began, asked.phases, asked.busy, asked.priority)
    installed = [ours(profile) for profile in given_]
    line = composite(installed, spot, day, SLOTS * unit)
    assert all(one != next_ for (_, one), (_, next_) in pairwise(line))
    for slot in range(SLOTS):
        for seconds in (slot * unit, slot * unit + unit / 2):
            instant = day.astimezone(UTC) + timedelta(seconds=seconds)
            assert exactly(at_(line, seconds)) == book.allowed(given_, asked, instant), f"after {seconds} s"
    assert now(installed, spot, day).amps == line[0][1]
