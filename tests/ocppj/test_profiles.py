"""Our one charging profile, and reading those of others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import rounded
from ocpp_mqtt_proxy.core.model import Amps, Place, Target
from ocpp_mqtt_proxy.ocppj import profiles
from ocpp_mqtt_proxy.ocppj.profiles import Schedule

START = datetime(2026, 3, 14, 12, tzinfo=UTC)


def limit(amps: float, phases: int = 3, **form: Any) -> SetLimit:
    return SetLimit(Target(1, Place(1, 1)), Amps(amps), START, phases, ProfileForm(**form))


def plan(limit: object, unit: str = "A", **period: object) -> dict[str, Any]:
    return {"chargingRateUnit": unit, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit, **period}]}


def test_a_limit_is_an_absolute_schedule_in_amps() -> None:
    assert profiles.schedule(limit(16)) == Schedule("A", 16.0, "Absolute", START)


@pytest.mark.parametrize(("phases", "watts"), [(1, 3680.0), (2, 7360.0), (3, 11040.0)])
def test_watts_are_the_total_over_the_phases(phases: int, watts: float) -> None:
    assert profiles.schedule(limit(16, phases, in_watts=True)) == Schedule("W", watts, "Absolute", START)


def test_a_relative_schedule_has_no_start() -> None:
    relative = profiles.schedule(limit(10, relative=True))
    assert relative == Schedule("A", 10.0, "Relative", None)
    assert "startSchedule" not in profiles.body(relative)


def test_a_schedule_is_written_with_its_one_period() -> None:
    assert profiles.body(profiles.schedule(limit(6))) == {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
        "startSchedule": "2026-03-14T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("amps", "told"), [(0.0, 0.0), (6.0, 6.0), (13.39, 13.3), (0.3, 0.3), (15.9999, 15.9), (0.09, 0.0)]
)
def test_a_limit_is_rounded_down_to_a_tenth(amps: float, told: float) -> None:
    assert rounded(amps) == told


@given(amps=st.floats(0, 1000))
def test_rounding_never_raises_a_limit(amps: float) -> None:
    assert rounded(amps) <= amps + 1e-6


@given(amps=st.floats(0, 100), phases=st.sampled_from([1, 2, 3]), in_watts=st.booleans())
def test_a_limit_read_back_is_never_above_what_was_meant(amps: float, phases: int, in_watts: bool) -> None:
    written = profiles.body(profiles.schedule(limit(amps, phases, in_watts=in_watts)))
    written["chargingSchedulePeriod"][0]["numberPhases"] = phases  # type: ignore[index]  # a list of one, we know
    read, told = profiles.first_limit(written)
    assert told == phases
    assert read is not None
    assert amps - 0.1 <= read <= amps + 1e-6


@pytest.mark.parametrize(
    ("given", "amps", "phases"),
    [
        (plan(16), 16.0, 3),
        (plan(16, numberPhases=1), 16.0, 1),
        (plan(11040, "W"), 16.0, 3),
        (plan(3680, "W", numberPhases=1), 16.0, 1),
        (plan("10"), 10.0, 3),
        (plan(6, numberPhases=0), 6.0, 3),
        (plan(690, "W", numberPhases=-1), 1.0, 3),
        (plan(True), None, 3),
        (plan(None), None, 3),
        ({}, None, 3),
    ],
)
def test_the_first_period_of_a_schedule_limits(given: dict[str, Any], amps: float | None, phases: int) -> None:
    assert profiles.first_limit(given) == (amps, phases)
