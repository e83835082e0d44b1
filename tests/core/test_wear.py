"""How often a charger's memory is written."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.wear import Budget, Wear
from tests.core.yard import NOON

EVERY = timedelta(minutes=10)
DAY, YEAR = timedelta(days=1), timedelta(days=365)


def a_budget(most: int = 3) -> Budget:
    return Budget(most, EVERY)


def writes_all_it_can(budget: Budget, span: timedelta, step: timedelta) -> int:
    """How many are written where one more always would be, as often as it is looked."""
    written, now = 0, NOON
    while now < NOON + span:
        if budget.bears(now):
            budget.write(now)
            written += 1
        now += step
    return written


def test_some_are_written_at_once_and_then_one_more_after_each_while() -> None:
    budget = a_budget(3)
    for _ in range(3):
        assert budget.bears(NOON)
        budget.write(NOON)
    assert not budget.bears(NOON + EVERY - timedelta(seconds=1))
    assert budget.bears(NOON + EVERY)


def test_what_had_to_be_written_counts_too_and_is_paid_back() -> None:
    budget = a_budget(3)
    for _ in range(5):
        budget.write(NOON)
    assert not budget.bears(NOON + 2 * EVERY)
    assert budget.bears(NOON + 3 * EVERY)


def test_what_had_to_be_written_is_never_owed_for_long() -> None:
    budget = a_budget(3)
    for _ in range(1000):
        budget.write(NOON)
    assert budget.bears(NOON + 4 * EVERY)


def test_nothing_is_saved_up_beyond_the_most() -> None:
    budget = a_budget(3)
    budget.write(NOON)
    later = NOON + DAY
    for _ in range(3):
        budget.write(later)
    assert not budget.bears(later)


def test_a_clock_that_was_put_back_neither_gives_nor_takes_any() -> None:
    budget = a_budget(1)
    budget.write(NOON)
    assert not budget.bears(NOON - DAY)
    assert not budget.bears(NOON - DAY + EVERY / 2)
    assert budget.bears(NOON - DAY + EVERY)


def test_flash_is_written_53_000_times_in_a_year_at_most() -> None:
    """One each ten minutes, day and night, and those at once."""
    assert writes_all_it_can(Wear().lasting, DAY, timedelta(minutes=1)) == 144 + 59
    assert YEAR / Wear().lasting.every + Wear().lasting.most < 53_000


def test_a_setpoint_each_five_seconds_is_put_to_a_transaction_as_it_comes_and_later_each_half_minute() -> None:
    assert writes_all_it_can(Wear().passing, timedelta(minutes=20), timedelta(seconds=5)) == 240
    assert writes_all_it_can(Wear().passing, DAY, timedelta(seconds=5)) == 240 + 2 * 60 * 24 - 1


actions = st.lists(st.tuples(st.integers(0, 3600), st.booleans()), max_size=60)
"""Seconds that pass, and whether what is written then has to be."""


@given(actions=actions, most=st.integers(1, 5))
def test_where_nothing_has_to_be_no_time_has_more_than_it_bears(actions: list[tuple[int, bool]], most: int) -> None:
    budget, now, written = a_budget(most), NOON, list[datetime]()
    for seconds, _ in actions:
        now += timedelta(seconds=seconds)
        if budget.bears(now):
            budget.write(now)
            written.append(now)
    for first, since in enumerate(written):
        for last, until in enumerate(written[first:], first):
            assert last - first + 1 <= most + (until - since) / EVERY + 1e-9


@given(actions=actions, most=st.integers(1, 5))
def test_whatever_had_to_be_written_one_more_can_be_in_time(actions: list[tuple[int, bool]], most: int) -> None:
    budget, now = a_budget(most), NOON
    for seconds, needed in actions:
        now += timedelta(seconds=seconds)
        if needed or budget.bears(now):
            budget.write(now)
    assert budget.bears(now + EVERY * (most + 1) + timedelta(seconds=1))
