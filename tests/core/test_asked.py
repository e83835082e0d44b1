"""What a charger was put and has not answered: it may have taken it."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.held import Held, either, value
from ocpp_mqtt_proxy.core.limit_orders import Layer
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.station import Failure, Provided, Station
from ocpp_mqtt_proxy.core.steering import CHARGING, RETRY, wants
from tests.core.yard import NOON


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


@st.composite
def held(draw: st.DrawFn) -> Held:
    times = sorted(draw(st.sets(st.integers(-20, 20), min_size=1, max_size=4)))
    until = draw(st.none() | st.integers(times[-1] + 1, 40))
    steps = tuple((minutes(at), Amps(draw(st.integers(0, 32)))) for at in times)
    return Held(steps, None if until is None else minutes(until))


@given(one=held(), other=held(), at=st.integers(-25, 45))
def test_of_two_that_may_be_held_the_larger_counts_as_long_as_either_lasts(one: Held, other: Held, at: int) -> None:
    both, then = either(one, other), minutes(at)
    there = [value(each.steps, then) for each in (one, other) if each.lasts(then)]
    assert both.lasts(then) == bool(there)
    if there and then >= min(one.since, other.since):
        assert value(both.steps, then) == max(there)


def a_station(**asked: Held) -> Station:
    """A charger that confirmed 10 A for all, for good, and 6 A below."""
    memory = ChargerMemory("CP1", installed=Held(((NOON, Amps(10)),)), safe=Amps(6), asked=dict(asked))
    station = Station(memory, Plan())
    station.provided = Provided(Amps(10), "x")
    station.sole()
    return station


def test_what_may_have_been_taken_counts_until_it_would_be_over() -> None:
    station = a_station(default=Held(((NOON, Amps(20)),), NOON + CHARGING))
    assert [float(station.reach(minutes(at))) for at in (0, 14, 15)] == [20, 20, 10]


def test_a_charger_is_left_with_what_has_no_end_or_else_with_what_lies_below_that() -> None:
    station = a_station()
    assert station.left_with() == Amps(10)
    station.memory.installed = Held(((NOON, Amps(10)),), NOON + CHARGING)
    assert station.left_with() == Amps(6)


def test_what_may_have_been_taken_and_is_too_much_is_lowered_at_once_though_it_was_never_confirmed() -> None:
    station = a_station(default=Held(((NOON, Amps(20)),), NOON + CHARGING))
    station.failed[Layer.DEFAULT] = Failure(1, NOON)
    (want,) = [one for one in wants(station, NOON) if one.layer is Layer.DEFAULT]
    assert (want.lowers, want.amps <= 10) == (True, True)


def test_what_lowers_and_failed_waits_and_so_does_what_raises() -> None:
    station = a_station(default=Held(((NOON, Amps(20)),), NOON + CHARGING))
    station.failed[Layer.DEFAULT] = Failure(1, NOON, lowers=True)
    assert not [one for one in wants(station, NOON) if one.layer is Layer.DEFAULT]
    assert [one for one in wants(station, NOON + RETRY) if one.layer is Layer.DEFAULT]
