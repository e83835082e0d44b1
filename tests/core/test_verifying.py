"""Whether a limit is kept to, by what a charger tells: readings in, a verdict out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import CURRENT, CURRENT_OFFERED, POWER, POWER_OFFERED, VOLTAGE, Amps, Reading
from ocpp_mqtt_proxy.core.readings import UPSTREAM
from ocpp_mqtt_proxy.core.verifying import FOLLOWED, Check, Seen, evidence, seen_in, slack
from tests.core.yard import NOON, power

EARLY, LATE, LATER = (NOON + timedelta(seconds=seconds) for seconds in (5, 11, 21))
LIMITS = st.sampled_from([0, 6, 10, 16, 32, 63]).map(float)


def current(amps: float, phase: str | None = None) -> Reading:
    return Reading(CURRENT, amps, "A", phase)


def offered(amps: float) -> Reading:
    return Reading(CURRENT_OFFERED, amps, "A")


def offered_power(watts: float) -> Reading:
    return Reading(POWER_OFFERED, watts, "W")


def volts(amount: float) -> Reading:
    return Reading(VOLTAGE, amount, "V")


def check(amps: float = 10, before: float = 0) -> Check:
    return Check(Amps(amps), NOON, before)


def judged(one: Check, *readings: tuple[Seen, datetime]) -> bool | None:
    for seen, at in readings:
        if one.tells(at):
            one.take(seen, at)
    return one.verified


# What readings tell


OTHERS = [
    [Reading(name, value, "", phase, context, location)]
    for name in (CURRENT, CURRENT_OFFERED, POWER, POWER_OFFERED)
    for value in (4.0, 12.0, 9_000.0)
    for phase in ("L1", "L1-L2", "N", None)
    for context, location in (("Sample.Periodic", None), ("Transaction.Begin", None), ("Sample.Periodic", UPSTREAM))
]


@pytest.mark.parametrize("amps", [(), (0,), (8,), (10,), (12,), (8, 12)], ids=str)
@pytest.mark.parametrize("before", [0, 40])
def test_what_is_passed_over_at_a_glance_is_no_evidence(before: float, amps: tuple[float, ...]) -> None:
    lines = [current(one, f"L{number}") for number, one in enumerate(amps, 1)]
    passed_over = [each for other in ([], *OTHERS) if check(10, before).passes_over(each := [*lines, *other])]
    assert not [each for each in passed_over if evidence(10, before, seen_in(each, lambda: None, 3))]


@pytest.mark.parametrize(
    ("before", "readings", "passed_over"),
    [
        (6, [current(6, "L1"), current(0, "L2"), power(1380)], True),
        (6, [current(10, "L1")], False),
        (16, [current(6, "L1")], False),
        (6, [current(6, "L1"), offered(10)], False),
        (6, [power(1380)], False),
    ],
    ids=["it takes less", "it takes what it may", "it took more", "more is offered", "it is not told of a phase"],
)
def test_readings_of_a_car_that_takes_less_than_it_may_are_passed_over(
    before: float, readings: list[Reading], passed_over: bool
) -> None:
    assert check(10, before).passes_over(readings) is passed_over


@pytest.mark.parametrize(
    ("readings", "drawn"),
    [
        ([current(9, "L1"), current(12, "L2"), current(0, "L3")], 12),
        ([current(9)], 9),
        ([current(48), power(11_040), volts(230)], 16),
        ([power(6900), volts(230)], 10),
        ([power(7590)], 10),
        ([], None),
    ],
    ids=["the fullest phase", "what is told", "no sum of phases", "power", "power at most volts", "nothing"],
)
def test_what_flows_is_told_by_current_or_power(readings: list[Reading], drawn: float | None) -> None:
    assert seen_in(readings, lambda: None, 3).drawn == pytest.approx(drawn)


def test_volts_that_were_read_before_count() -> None:
    assert seen_in([power(6900)], lambda: 230.0, 3).drawn == pytest.approx(10)


def test_direct_current_is_no_current_on_a_phase() -> None:
    assert seen_in([current(100), offered(125), volts(400)], lambda: None, 3) == Seen()


def test_what_is_offered_is_told_as_current_or_power() -> None:
    seen = seen_in([offered(16), offered_power(11_040), volts(230)], lambda: None, 3)
    assert [seen.offered, seen.offered_power] == pytest.approx([16, 16])


# What that means


@pytest.mark.parametrize(
    ("limit", "before", "seen", "kept"),
    [
        (10, 0, Seen(offered=10), True),
        (10, 0, Seen(offered=6), True),
        (0, 0, Seen(drawn=0, offered=0), True),
        (10, 16, Seen(drawn=6), True),
        (0, 16, Seen(drawn=0), True),
        (10, 0, Seen(drawn=9.4), True),
        (10, 0, Seen(offered_power=10), True),
        (10, 0, Seen(offered=16), False),
        (10, 0, Seen(offered_power=16), False),
        (10, 0, Seen(drawn=11.5), False),
        (0, 0, Seen(drawn=6), False),
        (10, 0, Seen(drawn=16, offered=10), False),
        (10, 16, Seen(drawn=10, offered=32), True),
    ],
)
def test_a_limit_is_kept_to_or_not(limit: float, before: float, seen: Seen, kept: bool) -> None:
    says = evidence(limit, before, seen)
    assert says is not None
    assert says.kept is kept


@pytest.mark.parametrize(
    ("limit", "before", "seen"),
    [
        (10, 0, Seen()),
        (10, 0, Seen(drawn=3)),
        (10, 9, Seen(drawn=3)),
        (0, 0, Seen(drawn=0)),
        (10, 0, Seen(drawn=6, offered=0)),
        (16, 0, Seen(offered_power=10.7)),
    ],
    ids=["nothing", "a small car", "a car that was small", "a full car", "an empty offer", "on one phase"],
)
def test_what_tells_nothing_is_no_evidence(limit: float, before: float, seen: Seen) -> None:
    assert evidence(limit, before, seen) is None


@given(LIMITS, st.floats(-1, 1), st.floats(0, 80))
def test_a_meter_that_is_a_little_off_accuses_nobody(limit: float, off: float, before: float) -> None:
    drawn = max(0.0, limit + off * slack(limit))
    says = evidence(limit, before, Seen(drawn=drawn, offered=limit))
    assert says is None or says.kept


# Over time


def test_one_reading_is_enough_to_believe_a_charger() -> None:
    assert judged(check(), (Seen(offered=10), EARLY)) is True


def test_two_readings_are_needed_to_accuse_it() -> None:
    one = check()
    assert judged(one, (Seen(drawn=16), LATE)) is None
    assert judged(one, (Seen(drawn=16), LATER)) is False


def test_a_reading_that_is_told_twice_counts_once() -> None:
    assert judged(check(), (Seen(drawn=16), LATE), (Seen(drawn=16), LATE)) is None


def test_a_car_has_time_to_follow() -> None:
    early = NOON + FOLLOWED - timedelta(seconds=1)
    assert judged(check(), (Seen(drawn=16), EARLY), (Seen(drawn=16), early), (Seen(drawn=16), LATE)) is None


def test_a_reading_from_before_the_limit_tells_nothing_of_it() -> None:
    assert judged(check(), (Seen(offered=10), NOON), (Seen(offered=10), NOON - FOLLOWED)) is None


def test_a_charger_that_was_caught_must_obey_twice() -> None:
    one = check()
    judged(one, (Seen(drawn=16), LATE), (Seen(drawn=16), LATER))
    assert judged(one, (Seen(drawn=8), LATER + FOLLOWED)) is False
    assert judged(one, (Seen(drawn=8), LATER + 2 * FOLLOWED)) is True
    assert not one.closed


def test_a_verdict_stands_unless_the_charger_was_caught() -> None:
    one = check()
    judged(one, (Seen(offered=10), EARLY))
    assert one.closed


@pytest.mark.parametrize(("told", "verified"), [(10, True), (10.4, True), (6, True), (16, None)])
def test_its_own_schedule_speaks_for_a_charger_never_against_it(told: float, verified: bool | None) -> None:
    one = check()
    assert one.scheduled(Amps(told)) is (verified is True)
    assert one.verified is verified


def test_its_schedule_is_less_than_what_flows() -> None:
    one = check()
    one.scheduled(Amps(10))
    assert not one.closed
    assert judged(one, (Seen(drawn=16), LATE), (Seen(drawn=16), LATER)) is False


def test_what_flows_then_settles_it() -> None:
    one = check()
    one.scheduled(Amps(10))
    judged(one, (Seen(drawn=10), LATE))
    assert one.closed


def test_its_schedule_does_not_clear_a_charger_that_gives_more() -> None:
    one = check()
    judged(one, (Seen(drawn=16), LATE), (Seen(drawn=16), LATER))
    assert not one.scheduled(Amps(10))
    assert one.verified is False


@given(LIMITS, st.lists(st.tuples(st.floats(0, 80), st.floats(1, 60)), max_size=8))
def test_nobody_is_accused_who_gives_no_more_than_the_limit(limit: float, readings: list[tuple[float, float]]) -> None:
    one, at = check(limit), NOON
    for share, seconds in readings:
        at += timedelta(seconds=seconds)
        judged(one, (Seen(drawn=min(share, limit), offered=limit), at))
    assert one.verified is not False
