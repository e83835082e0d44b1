"""What a charger holds of ours over time, against the same looked up minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.held import Held, Steps, alive, either, exceeds, layered, least, lesser, onward, value
from ocpp_mqtt_proxy.core.model import Amps
from tests.core.yard import NOON

HOUR = 60


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def line(*steps: tuple[int, float]) -> Steps:
    return tuple((at(minute), Amps(amps)) for minute, amps in steps)


minutes = st.integers(0, HOUR)
amounts = st.sampled_from([0, 6, 10, 16, 32]).map(Amps)
lines = st.dictionaries(minutes, amounts, min_size=1, max_size=5).map(lambda found: line(*sorted(found.items())))


@st.composite
def helds(draw: st.DrawFn) -> Held:
    """A profile that ends at some minute after it was put, or never."""
    steps = draw(lines)
    length = draw(st.none() | st.integers(1, HOUR))
    return Held(steps, None if length is None else steps[0][0] + timedelta(minutes=length))


# By hand


def test_what_was_put_is_known_with_when_and_with_what_it_began() -> None:
    held = Held(line((0, 16), (5, 6)), at(10))
    assert (held.since, held.first) == (at(0), Amps(16))


def test_what_is_held_counts_up_to_its_end_and_not_at_it() -> None:
    held = Held(line((0, 16)), at(10))
    assert [held.lasts(at(minute)) for minute in (0, 9, 10, 11)] == [True, True, False, False]
    assert alive(held, at(9)) is held
    assert alive(held, at(10)) is None
    assert alive(None, at(0)) is None


def test_what_has_no_end_lasts_and_has_no_half() -> None:
    held = Held(line((0, 16)))
    assert held.lasts(at(10_000_000))
    assert held.halfway() is None


def test_half_of_a_quarter_of_an_hour_is_seven_and_a_half_minutes() -> None:
    assert Held(line((0, 16), (3, 6)), at(15)).halfway() == at(0) + timedelta(seconds=450)


@pytest.mark.parametrize(("minute", "amps"), [(-5, 16), (0, 16), (4, 16), (5, 6), (9, 6), (10, 10), (99, 10)])
def test_a_step_holds_from_its_time_to_the_next_and_the_first_before_it_too(minute: int, amps: float) -> None:
    assert value(line((0, 16), (5, 6), (10, 10)), at(minute)) == amps


def test_a_profile_that_ends_gives_way_to_what_lies_below_it_and_that_to_the_bottom() -> None:
    session, default = Held(line((0, 16), (5, 10)), at(15)), Held(line((0, 8)), at(20))
    assert layered((session, default), Amps(6), at(2), at(60)) == line((2, 16), (5, 10), (15, 8), (20, 6))


def test_what_lies_below_a_profile_that_has_no_end_never_counts() -> None:
    assert layered((Held(line((0, 16))), Held(line((0, 8)))), Amps(6), at(0), at(60)) == line((0, 16))


def test_nothing_but_the_bottom_is_left_where_all_is_over() -> None:
    assert layered((None, Held(line((0, 16)), at(5))), Amps(6), at(5), at(60)) == line((5, 6))


def test_steps_that_change_nothing_are_left_out() -> None:
    assert least([line((0, 16), (5, 10)), line((0, 10), (7, 16))], at(0)) == line((0, 10))
    assert lesser(line((0, 16), (5, 10), (8, 6)), Amps(10)) == line((0, 10), (8, 6))


def test_where_nobody_knows_which_of_two_is_held_it_may_be_the_larger() -> None:
    one, other = Held(line((0, 16)), at(10)), Held(line((2, 6)), at(20))
    assert either(one, other) == Held(line((0, 16), (10, 6)), at(20))
    assert either(one, Held(line((2, 6)))) == Held(line((0, 16), (10, 6)))


# Minute by minute


@given(steps=lines, minute=minutes)
def test_from_a_time_on_everything_is_as_it_was(steps: Steps, minute: int) -> None:
    found = onward(steps, at(minute))
    assert found[0][0] == at(minute)
    assert [value(found, at(one)) for one in range(minute, HOUR)] == [
        value(steps, at(one)) for one in range(minute, HOUR)
    ]


@given(several=st.lists(lines, min_size=1, max_size=4), minute=minutes)
def test_the_least_of_several_is_at_each_minute_the_smallest(several: list[Steps], minute: int) -> None:
    found = least(several, at(minute))
    for one in range(minute, 2 * HOUR):
        assert value(found, at(one)) == min(value(steps, at(one)) for steps in several)


@given(steps=lines, most=amounts)
def test_the_lesser_is_at_each_minute_no_more_than_either(steps: Steps, most: Amps) -> None:
    found = lesser(steps, most)
    for one in range(2 * HOUR):
        assert value(found, at(one)) == min(value(steps, at(one)), most)


@given(steps=lines, bound=lines, since=minutes, length=st.integers(1, HOUR))
def test_steps_exceed_others_where_they_do_at_any_minute(steps: Steps, bound: Steps, since: int, length: int) -> None:
    span = range(since, since + length)
    above = [one for one in span if value(steps, at(one)) > value(bound, at(one))]
    assert exceeds(steps, bound, at(since), at(since + length)) is bool(above)


@given(layers=st.lists(st.none() | helds(), max_size=3), bottom=amounts, now=minutes, length=st.integers(1, HOUR))
def test_of_layers_the_upmost_that_lasts_counts_at_each_minute(
    layers: list[Held | None], bottom: Amps, now: int, length: int
) -> None:
    found = layered(layers, bottom, at(now), at(now + length))
    for one in range(now, now + length):
        above = [value(held.steps, at(one)) for held in layers if held is not None and held.lasts(at(one))]
        assert value(found, at(one)) == [*above, bottom][0]


@given(one=helds(), other=helds())
def test_of_two_that_may_be_held_the_larger_counts_at_each_minute(one: Held, other: Held) -> None:
    found = either(one, other)
    for minute in range(3 * HOUR):
        alternatives = [value(held.steps, at(minute)) for held in (one, other) if held.lasts(at(minute))]
        assert found.lasts(at(minute)) is bool(alternatives)
        assert not alternatives or value(found.steps, at(minute)) == max(alternatives)


@given(several=st.lists(lines, min_size=1, max_size=4), layers=st.lists(helds(), max_size=3), now=minutes)
def test_all_that_comes_out_begins_now_and_every_step_changes_something(
    several: list[Steps], layers: list[Held], now: int
) -> None:
    for found in (least(several, at(now)), layered(layers, Amps(6), at(now), at(now + HOUR))):
        times, amps = zip(*found, strict=True)
        assert times[0] == at(now)
        assert sorted(set(times)) == list(times)
        assert all(before != after for before, after in pairwise(amps))


@given(steps=lines, length=st.integers(1, HOUR))
def test_what_lasts_for_a_time_is_half_over_in_the_middle_of_it(steps: Steps, length: int) -> None:
    until = steps[0][0] + timedelta(minutes=length)
    half = Held(steps, until).halfway()
    assert half is not None
    assert half - steps[0][0] == until - half
