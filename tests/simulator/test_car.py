"""A car takes what it is offered, what it can, and what fits in."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.simulator.car import EFFICIENCY, LEAST_CURRENT, VOLTAGE, Car

cars = st.builds(
    Car,
    capacity=st.floats(5, 150),
    soc=st.floats(0, 100),
    max_current=st.floats(6, 64),
    phases=st.sampled_from([1, 2, 3]),
)
currents = st.floats(0, 80)
times = st.floats(0, 7200)


def stored(car: Car) -> float:
    """Wh in the battery."""
    return car.soc / 100 * car.capacity * 1000


@given(cars, currents)
def test_a_car_never_draws_more_than_it_is_offered_or_can_take(car: Car, offered: float) -> None:
    assert 0 <= car.current(offered) <= min(offered, car.max_current)


@given(cars, st.floats(0, LEAST_CURRENT, exclude_max=True))
def test_a_car_takes_nothing_below_six_amps(car: Car, offered: float) -> None:
    assert car.current(offered) == 0


@given(cars, st.lists(st.tuples(currents, times), max_size=20))
def test_what_the_battery_gains_is_what_was_drawn_less_the_losses(car: Car, hours: list[tuple[float, float]]) -> None:
    before = stored(car)
    drawn = sum(car.charge(offered, seconds) for offered, seconds in hours)
    assert stored(car) - before == pytest.approx(drawn * EFFICIENCY, abs=0.01)
    assert 0 <= car.soc <= 100


@given(cars, currents, times)
def test_the_energy_is_the_power_times_the_time_until_the_car_is_full(car: Car, offered: float, seconds: float) -> None:
    most = car.current(offered) * car.phases * VOLTAGE * seconds / 3600
    drawn = car.charge(offered, seconds)
    assert drawn == pytest.approx(most) if not car.full else drawn <= most


@given(cars, st.floats(LEAST_CURRENT, 80))
def test_a_fuller_battery_takes_no_more_than_an_emptier_one(car: Car, offered: float) -> None:
    emptier = Car(car.capacity, car.soc * 0.9, car.max_current, car.phases)
    assert car.current(offered) <= emptier.current(offered) + 1e-9


def test_a_car_charges_at_full_power_until_four_fifths_and_then_ever_slower() -> None:
    drawn = [Car(soc=soc).current(32) for soc in (10, 80, 85, 90, 95, 99.9)]
    assert drawn[:2] == [16, 16]
    assert drawn == sorted(drawn, reverse=True)
    assert 2 < drawn[-1] < 3


def test_a_full_car_takes_nothing() -> None:
    car = Car(soc=100)
    assert car.full
    assert car.charge(32, 3600) == 0


def test_the_last_of_the_charge_does_not_spill_over() -> None:
    car = Car(capacity=10, soc=99.9)
    drawn = car.charge(32, 3600)
    assert car.soc == 100
    assert drawn == pytest.approx(10 / EFFICIENCY)
