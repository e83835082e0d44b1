"""Our own charging profiles as chargers get them: never more than is meant, nor for longer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core.commands import SetProfile, StartCharging
from ocpp_mqtt_proxy.core.held import Held, value
from ocpp_mqtt_proxy.core.limit_orders import STARTED_AGO, ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Purpose, rounded
from ocpp_mqtt_proxy.core.model import Amps, Place, Target, Version
from ocpp_mqtt_proxy.ocppj import profiles
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.profiles import Schedule
from ocpp_mqtt_proxy.ocppj.schedules import schedule_of
from tests.core.composite_reference import Asked, Profile, allowed
from tests.ocppj.judge import assert_valid

START = datetime(2026, 3, 14, 12, tzinfo=UTC)
NOW = START + STARTED_AGO
CONNECTOR = Target(1, Place(1, 1))

each_version = pytest.mark.parametrize("version", DIALECTS)


def limit(amps: float, phases: int = 3, **form: Any) -> SetLimit:
    return SetLimit(CONNECTOR, Amps(amps), START, phases, ProfileForm(**form))


def steps(*later: tuple[float, float], seconds: float | None = None, start: datetime = START) -> SetLimit:
    """10 A, and then these."""
    after = tuple((at, Amps(amps)) for at, amps in later)
    return SetLimit(CONNECTOR, Amps(10), start, later=after, seconds=seconds)


def told(order: SetLimit, version: Version) -> ChargingProfile:
    """The profile as a charger reads it."""
    call = DIALECTS[version].put(order)
    assert call is not None
    assert_valid(version, *call)
    command = DIALECTS[version].command(*call)
    assert isinstance(command, SetProfile)
    return command.profile


# One period


def test_a_limit_is_an_absolute_schedule_in_amps() -> None:
    assert profiles.schedule(limit(16)) == Schedule("A", ((0, 16.0),), "Absolute", START)


@pytest.mark.parametrize(("phases", "watts"), [(1, 3680.0), (2, 7360.0), (3, 11040.0)])
def test_watts_are_the_total_over_the_phases(phases: int, watts: float) -> None:
    assert profiles.schedule(limit(16, phases, in_watts=True)) == Schedule("W", ((0, watts),), "Absolute", START)


def test_a_relative_schedule_has_no_start() -> None:
    relative = profiles.schedule(limit(10, relative=True))
    assert relative == Schedule("A", ((0, 10.0),), "Relative")
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
    read = ChargingProfile(schedule_of(written))
    assert amps - 0.2 <= read.amps(read.schedule.periods[0], phases) <= amps + 1e-6


@each_version
def test_the_limit_that_a_transaction_begins_with_is_rounded_down_too(version: Version) -> None:
    call = DIALECTS[version].put(StartCharging(CONNECTOR, "04A1B2C3", 1, Amps(13.37)))
    assert call is not None
    assert_valid(version, *call)
    started = DIALECTS[version].command(*call)
    assert isinstance(started, StartCharging)
    assert started.profile is not None
    assert [period.limit for period in started.profile.schedule.periods] == [13.3]


# Steps and an end


@pytest.mark.parametrize(
    ("later", "periods"),
    [
        ([(10, 6), (20, 16)], [(0, 10), (70, 6), (80, 16)]),
        ([(10.4, 6), (20.4, 16)], [(0, 10), (70, 6), (81, 16)]),
        ([(10.2, 32), (10.8, 6)], [(0, 10), (70, 6)]),
        ([(10.2, 6), (10.8, 32)], [(0, 10), (70, 6), (71, 32)]),
        ([(10.5, 32), (11.5, 6)], [(0, 10), (71, 6)]),
        ([(10, 10.04), (20, 9.96)], [(0, 10), (80, 9.9)]),
    ],
)
def test_what_lowers_comes_rather_early_and_what_raises_rather_late(
    later: list[tuple[float, float]], periods: list[tuple[int, float]]
) -> None:
    assert profiles.schedule(steps(*later)).periods == tuple(periods)


def test_steps_are_counted_from_the_start_as_it_is_told_without_its_fraction() -> None:
    plan = profiles.schedule(steps((10, 6), (20, 16), seconds=900, start=START + timedelta(seconds=0.5)))
    assert plan == Schedule("A", ((0, 10), (70, 6), (81, 16)), "Absolute", START, 960)


@pytest.mark.parametrize(("seconds", "duration"), [(900, 960), (900.9, 960), (899.9, 959)])
def test_a_profile_never_lasts_longer_than_is_meant(seconds: float, duration: int) -> None:
    assert profiles.schedule(steps(seconds=seconds)).duration == duration


def test_a_step_that_would_begin_when_all_is_over_is_left_out() -> None:
    assert profiles.schedule(steps((600, 6), (899.9, 32), seconds=900)).periods == ((0, 10), (660, 6))


def test_steps_and_the_end_are_written_in_seconds_from_the_start() -> None:
    assert profiles.body(profiles.schedule(steps((10, 6), seconds=900))) == {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 70, "limit": 6.0}],
        "startSchedule": "2026-03-14T12:00:00Z",
        "duration": 960,
    }


# Which profile it is


@each_version
def test_the_base_lies_one_level_below_the_others_under_an_id_of_its_own(version: Version) -> None:
    form = ProfileForm(5)
    base = told(SetLimit(Target(), Amps(6), START, form=form, base=True), version)
    default = told(SetLimit(Target(), Amps(6), START, form=form), version)
    assert (base.id, base.level, base.connector, base.purpose) == (7299, 4, 0, Purpose.DEFAULT)
    assert (default.id, default.level, default.connector, default.purpose) == (7300, 5, 0, Purpose.DEFAULT)


@each_version
@pytest.mark.parametrize("connector", [1, 2, 12])
def test_each_connector_s_transaction_has_a_profile_of_its_own(version: Version, connector: int) -> None:
    at = Target(connector, Place(connector, 1))
    profile = told(SetLimit(at, Amps(6), START, form=ProfileForm(5), transaction_id="7"), version)
    assert (profile.id, profile.level, profile.connector) == (7300 + connector, 5, connector)
    assert profile.purpose is Purpose.TRANSACTION


# What a charger makes of it, by the specification

BREATH = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
LOST = Fraction(2, 10)
"""What rounding may take, in A: a tenth of a watt, and then a tenth of an ampere."""
NOISE = Fraction(1, 10**6)

tenths = st.integers(0, 320).map(lambda tenths: Amps(tenths / 10))
currents = tenths | st.floats(0, 32).map(Amps)
gaps = st.integers(1, 2_500_000) | st.integers(1, 600).map(lambda seconds: seconds * 1_000_000)
"""Microseconds from one step to the next: often so few that two fall into one second."""


@st.composite
def orders(draw: st.DrawFn) -> SetLimit:
    """Any limit of ours in steps, put at any fraction of a second."""
    now = NOW + timedelta(microseconds=draw(st.integers(0, 999_999)))
    at, later = 0, []
    for gap in draw(st.lists(gaps, max_size=5)):
        at += gap
        later.append((at / 1e6, draw(currents)))
    return SetLimit(
        at=draw(st.sampled_from([Target(), CONNECTOR])),
        limit=draw(currents),
        start=now - STARTED_AGO,
        phases=draw(st.integers(1, 3)),
        form=ProfileForm(draw(st.integers(1, 9)), draw(st.booleans())),
        transaction_id=draw(st.none() | st.just("7")),
        later=tuple(later),
        seconds=draw(st.none() | st.integers(1, 1_500_000_000).map(lambda micros: micros / 1e6)),
        since=now,
    )


def as_in_21(version: Version, payload: dict[str, Any]) -> Profile:
    """What a call says of a profile, as the reference has it."""
    if version is not Version.V16:
        return {"evseId": payload["evseId"], **payload["chargingProfile"]}
    profile = payload["csChargingProfiles"]
    its = {"transactionId": str(profile["transactionId"])} if "transactionId" in profile else {}
    return {"evseId": payload["connectorId"], **profile, "chargingSchedule": [profile["chargingSchedule"]], **its}


def moments(held: Held) -> Iterator[datetime]:
    """Times from when it is put on: just before, at and after every one at which anything may change."""
    edges = [*(at for at, _ in held.steps), *([held.until] if held.until else [])]
    for edge in edges:
        whole = edge.replace(microsecond=0)
        for near in (edge, edge - SECOND, whole, whole + SECOND, whole + 2 * SECOND):
            yield from (at for at in (near - BREATH, near, near + BREATH) if at >= held.since)


def least_about(held: Held, at: datetime) -> Amps:
    """The least that is meant within a second of a time."""
    near = [amps for since, amps in held.steps if at - SECOND <= since <= at + SECOND]
    return min([value(held.steps, at - SECOND), *near])


@each_version
@given(order=orders())
@settings(max_examples=150)
def test_a_charger_never_gives_more_than_is_meant_nor_for_longer_and_hardly_less(
    version: Version, order: SetLimit
) -> None:
    call = DIALECTS[version].put(order)
    assert call is not None
    assert_valid(version, *call)
    profile, held = as_in_21(version, call[1]), order.held(NOW)
    asked = Asked(1, order.transaction_id, START - timedelta(hours=1), order.phases, 1, False)
    for at in moments(held):
        gives = allowed([profile], asked, at)
        if gives is None:
            assert not held.lasts(at + SECOND)
        else:
            assert held.lasts(at)
            assert Fraction(least_about(held, at)) - LOST - NOISE <= gives <= Fraction(value(held.steps, at)) + NOISE


@each_version
@given(order=orders())
@settings(max_examples=50)
def test_a_charger_gets_no_more_periods_than_there_are_steps_and_each_once(version: Version, order: SetLimit) -> None:
    plan = told(order, version).schedule
    starts = [period.start for period in plan.periods]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert len(starts) <= 1 + len(order.later)
    assert plan.duration is None or starts[-1] < plan.duration
