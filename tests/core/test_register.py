from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import WattHours
from ocpp_mqtt_proxy.core.register import NEAR_ZERO_WH, Register, credible, most_energy, session_register
from tests.core.yard import NOON

STEP = timedelta(minutes=1)


def counted(*readings: float, step: timedelta = STEP) -> Register:
    """A register after these readings, a minute apart."""
    register = Register()
    for number, raw in enumerate(readings):
        register.read(WattHours(raw), NOON + number * step)
    return register


def test_counting_starts_at_the_first_reading() -> None:
    assert counted(5_000_000).total == 5_000_000


def test_a_register_that_rises_is_followed() -> None:
    assert counted(5_000_000, 5_000_100, 5_000_250).total == 5_000_250


def test_a_register_that_stands_adds_nothing() -> None:
    assert counted(5_000_000, 5_000_000, 5_000_000).total == 5_000_000


def test_a_drop_to_0_for_one_reading_is_passed_over() -> None:
    assert counted(5_000_000, 0, 5_000_100).total == 5_000_100


def test_a_drop_to_0_that_stays_is_a_restart() -> None:
    assert counted(5_000_000, 0, 20, 50).total == 5_000_050


def test_what_flowed_before_the_first_reading_after_a_restart_counts() -> None:
    assert counted(5_000_000, 30, 50).total == 5_000_050


def test_a_restart_waits_until_it_is_confirmed() -> None:
    register = counted(5_000_000, 30)
    assert (register.total, register.held) == (5_000_000, 30)


def test_a_register_that_restarts_with_every_session_adds_them_up() -> None:
    assert counted(0, 4000, 8000, 0, 3000, 6000, 0, 1000, 2000).total == 16_000


def test_another_meter_goes_on_from_where_it_stands() -> None:
    assert counted(5_000_000, 12_000, 12_100, 12_300).total == 5_000_300


def test_a_meter_that_shows_more_goes_on_from_where_it_stands() -> None:
    assert counted(5_000_000, 70_000_000, 70_000_100).total == 5_000_100


def test_what_confirms_another_meter_may_be_lower_by_noise_and_the_total_stands() -> None:
    assert counted(1_000, 9_000_000, 8_999_991).total == 1_000
    assert counted(1_000, 9_000_000, 8_999_991, 9_000_100).total == 1_100


def test_one_wild_reading_is_passed_over() -> None:
    assert counted(5_000_000, 4_000_000_000, 5_000_100).total == 5_000_100


def test_wild_readings_that_do_not_fit_each_other_are_passed_over() -> None:
    assert counted(5_000_000, 70_000_000, 400_000_000, 9_000_000_000, 5_000_100).total == 5_000_100


@pytest.mark.parametrize("noise", [1, 9.5, 10])
def test_noise_is_no_restart_and_no_energy(noise: float) -> None:
    assert counted(5_000_000, 5_000_000 - noise, 5_000_000, 5_000_000 - noise, 5_000_005).total == 5_000_005


def test_a_long_silence_may_hide_much_energy() -> None:
    assert counted(5_000_000, 5_060_000, step=timedelta(hours=8)).total == 5_060_000


def test_a_wrong_clock_may_hide_some_energy() -> None:
    assert counted(5_000_000, 5_019_000, step=timedelta(0)).total == 5_019_000


def test_readings_from_a_backlog_say_nothing_new() -> None:
    register = counted(5_000_000, 5_000_500)
    register.read(WattHours(5_000_200), NOON - timedelta(hours=1))
    assert (register.total, register.raw, register.at, register.held) == (5_000_500, 5_000_500, NOON + STEP, None)


def test_a_backlog_with_a_higher_reading_is_energy_all_the_same() -> None:
    register = counted(5_000_000)
    register.read(WattHours(5_000_200), NOON - timedelta(hours=1))
    assert register.total == 5_000_200


def test_a_session_counts_from_its_start() -> None:
    register = session_register(WattHours(5_000_000), NOON)
    register.read(WattHours(5_000_700), NOON + STEP)
    assert register.total == 700


def test_a_session_that_starts_at_0_counts_from_0() -> None:
    register = session_register(WattHours(0), NOON)
    register.read(WattHours(700), NOON + STEP)
    assert register.total == 700


def test_a_session_whose_meter_restarts_after_its_start_counts_from_0() -> None:
    register = session_register(WattHours(8000), NOON)
    for number, raw in enumerate([0, 300, 700], 1):
        register.read(WattHours(raw), NOON + number * STEP)
    assert register.total == 700


@pytest.mark.parametrize(("raw", "is_"), [(0, 0), (5, 5), (-1, None), (1e12, None), (None, None)])
def test_a_reading_is_credible_or_none(raw: float | None, is_: float | None) -> None:
    assert credible(raw) == is_


def test_the_most_energy_grows_with_time() -> None:
    assert most_energy(None, NOON) == most_energy(NOON, NOON - STEP) < most_energy(NOON, NOON + STEP)


readings = st.lists(
    st.tuples(st.floats(0, 1e9), st.integers(-7200, 7200)),
    min_size=1,
    max_size=40,
)


@given(readings)
def test_the_total_never_falls(given_: list[tuple[float, int]]) -> None:
    register, now, last = Register(), NOON, -1.0
    for raw, seconds in given_:
        now += timedelta(seconds=seconds)
        register.read(WattHours(raw), now)
        assert register.total >= last
        last = register.total


@given(readings)
def test_no_more_is_counted_than_can_have_flowed(given_: list[tuple[float, int]]) -> None:
    register, now = counted(given_[0][0]), NOON
    for raw, seconds in given_[1:]:
        now += timedelta(seconds=seconds)
        before, since = register.total, register.at
        register.read(WattHours(raw), now)
        assert register.total - before <= most_energy(since, now) + NEAR_ZERO_WH


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[float], float]:
    """What a true meter shows minute by minute, glitches included, and what truly flowed."""
    shown: list[float] = []
    raw = flowed = draw(st.integers(100_000, 10_000_000))
    for _ in range(draw(st.integers(2, 40))):
        added = draw(st.integers(0, 2000))
        raw, flowed = raw + added, flowed + added
        shown.append(float(raw))
        match draw(st.sampled_from(["", "", "", "zero", "wild", "noise"])):
            case "zero":
                shown.append(0.0)
            case "wild":
                shown.append(raw + 1e8)
            case "noise":
                shown.append(raw - draw(st.integers(1, 10)) * 1.0)
        if shown[-1] != raw:
            shown.append(float(raw))
    return shown, flowed


@given(lives())
def test_glitches_of_one_reading_change_nothing(life: tuple[list[float], float]) -> None:
    shown, flowed = life
    assert counted(*shown).total == flowed


@given(st.integers(2_000, 10**9), st.lists(st.lists(st.integers(0, 900), min_size=2, max_size=6), max_size=6))
def test_a_meter_that_restarts_at_0_loses_and_adds_nothing(first: int, runs: list[list[int]]) -> None:
    """Each run begins at 0 and rises; its first steps are small enough to be told from another meter's."""
    shown, flowed, raw = [float(first)], float(first), float(first)
    for steps in runs:
        if raw <= 1000:
            break
        raw = 0.0
        shown.append(raw)
        for step in [*steps, 1001]:
            raw += step
            flowed += step
            shown.append(raw)
    assert counted(*shown).total == flowed


def test_a_restored_register_without_a_time_goes_on() -> None:
    register = Register(total=7000, raw=5000, at=None)
    register.read(WattHours(5100), NOON)
    assert (register.total, register.at) == (7100, NOON)


def test_a_time_is_kept_with_each_reading_taken() -> None:
    at: datetime = NOON + STEP
    assert counted(100, 200).at == at
