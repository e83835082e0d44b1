"""Cars come and go by a schedule that knows no clock."""

from __future__ import annotations

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.demo.__main__ import CHARGERS
from ocpp_mqtt_proxy.simulator.visits import FIRST_PAUSES, MINUTE, VISITORS, Visits

HOUR = 60 * MINUTE
ids = st.text(min_size=1, max_size=20)


def words(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


@given(ids)
def test_every_visit_is_a_plug_a_card_a_stop_and_a_farewell(charger_id: str) -> None:
    done = words(Visits(charger_id).pass_by(24 * HOUR))
    whole = len(done) // 4 * 4
    assert whole >= 4
    assert done[:whole] == ["plug", "tap", "stop", "unplug"] * (whole // 4)


@given(ids, st.lists(st.floats(0.1, 4000), max_size=50))
def test_it_is_the_same_however_time_is_cut(charger_id: str, steps: list[float]) -> None:
    by_steps, at_once = Visits(charger_id), Visits(charger_id)
    lines = [line for seconds in steps for line in by_steps.pass_by(seconds)]
    # A hundredth of a second less and more: sums of floats differ in the last digit.
    expected = [at_once.pass_by(max(0.0, sum(steps) - 0.01)), at_once.pass_by(0.02)]
    assert lines in (expected[0], expected[0] + expected[1])


def test_nothing_happens_before_its_time() -> None:
    assert Visits("GARAGE").pass_by(min(FIRST_PAUSES) - 1) == []


@given(ids)
def test_the_first_car_does_not_keep_anybody_waiting(charger_id: str) -> None:
    assert words(Visits(charger_id).pass_by(max(FIRST_PAUSES)))[0] == "plug"


@given(ids)
def test_every_kind_of_car_comes_in_its_turn(charger_id: str) -> None:
    plugs = [line for line in Visits(charger_id).pass_by(48 * HOUR) if line.startswith("plug")]
    assert len(set(plugs[: len(VISITORS)])) == len(VISITORS)


def test_the_demo_s_chargers_do_not_look_the_same() -> None:
    days = {tuple(Visits(charger).pass_by(3 * HOUR)) for _, charger, *_ in CHARGERS}
    assert len(days) == len(CHARGERS)


def test_at_twenty_times_life_a_visit_takes_a_few_minutes() -> None:
    for car in VISITORS:
        assert 1 * MINUTE < car.stay / 20 < 5 * MINUTE
