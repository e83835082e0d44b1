from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import StopReason, WattHours
from ocpp_mqtt_proxy.core.session import MAX_GAPS, Sequence, Session, State
from ocpp_mqtt_proxy.core.tariff import Prices, Tariff
from tests.core.yard import NOON, PRICES, plain

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def a_session(meter_start: float | None = 1000) -> Session:
    session = Session("test-1", "CP1", 1, "7", NOON)
    if meter_start is not None:
        session.begin(WattHours(meter_start), NOON)
    return session


def read(session: Session, *raws: float, prices: Prices = PRICES) -> Session:
    """Readings a minute apart."""
    for number, raw in enumerate(raws, 1):
        session.read(WattHours(raw), NOON + number * MINUTE, prices)
    return session


def end(session: Session, meter_stop: float | None, after: timedelta = HOUR, reason: StopReason | None = None) -> None:
    stop = None if meter_stop is None else WattHours(meter_stop)
    session.end(stop, NOON + after, reason, PRICES)


def test_a_session_runs_from_its_start() -> None:
    session = a_session()
    assert (session.state, session.running, session.energy, session.cost) == (State.RUNNING, True, 0, Decimal(0))


def test_energy_and_cost_follow_the_readings() -> None:
    session = read(a_session(), 1500, 2500)
    assert (session.energy, session.cost) == (1500, Decimal("0.45"))


def test_a_start_at_0_is_a_start() -> None:
    session = read(a_session(0), 700)
    assert (plain(session.meter_start), session.energy) == (0, 700)


def test_a_session_whose_start_was_missed_counts_from_its_first_reading() -> None:
    session = read(a_session(None), 5000, 5700)
    assert (plain(session.meter_start), session.energy) == (5000, 700)


def test_the_end_settles_energy_cost_and_time() -> None:
    session = read(a_session(), 1500)
    end(session, 3000, reason=StopReason.EV_DISCONNECTED)
    assert session.state is State.ENDED
    assert not session.running
    assert (session.energy, session.cost, plain(session.meter_stop)) == (2000, Decimal("0.6"), 3000)
    assert (session.ended_at, session.reason) == (NOON + HOUR, StopReason.EV_DISCONNECTED)
    assert session.duration(NOON + 5 * HOUR) == 3600


def test_an_end_without_a_reason_is_local() -> None:
    session = a_session()
    end(session, 1000)
    assert session.reason is StopReason.LOCAL


def test_an_end_without_a_reading_keeps_the_last_one() -> None:
    session = read(a_session(), 1800)
    end(session, None)
    assert (session.energy, plain(session.meter_stop)) == (800, 1800)


def test_an_end_without_any_reading_has_no_energy() -> None:
    session = a_session(None)
    end(session, None)
    assert (session.energy, plain(session.meter_start), plain(session.meter_stop)) == (0, None, None)


def test_an_end_as_the_only_reading_has_no_energy() -> None:
    session = a_session(None)
    end(session, 5000)
    assert (session.energy, plain(session.meter_start), plain(session.meter_stop)) == (0, 5000, 5000)


@pytest.mark.parametrize("meter_stop", [0, 1200])
def test_an_end_below_what_was_seen_takes_nothing_away(meter_stop: float) -> None:
    session = read(a_session(), 1800)
    end(session, meter_stop)
    assert (session.energy, session.cost) == (800, Decimal("0.24"))


def test_an_end_before_the_start_takes_no_time() -> None:
    session = a_session()
    end(session, 1000, after=-HOUR)
    assert (session.ended_at, session.duration(NOON)) == (NOON, 0)


def test_start_and_stop_count_where_the_readings_between_are_the_session_s_own() -> None:
    session = read(a_session(5_000_000), 0, 4000, 8000)
    end(session, 5_009_000)
    assert session.energy == 9000


def test_a_start_that_the_readings_contradict_does_not_count() -> None:
    """Start says 0, readings and stop are the meter's lifetime: nobody charges 5 MWh in a night."""
    session = read(a_session(0), 5_000_000, 5_000_100, 5_000_300)
    end(session, 5_012_300, after=12 * HOUR)
    assert session.energy == pytest.approx(12_300, abs=200)


def test_a_stop_of_another_meter_does_not_count() -> None:
    session = read(a_session(), 1800)
    end(session, 90_000_000)
    assert session.energy == 800


def test_a_close_is_ours_and_keeps_the_last_reading() -> None:
    session = read(a_session(), 1800)
    session.close(NOON + HOUR, StopReason.OTHER)
    assert (session.state, session.running) == (State.CLOSED, False)
    assert (session.energy, plain(session.meter_stop), session.ended_at) == (800, 1800, NOON + HOUR)


def test_a_close_without_a_reading_has_none() -> None:
    session = a_session(None)
    session.close(NOON + HOUR, StopReason.OTHER)
    assert session.meter_stop is None


def test_a_late_end_corrects_a_close() -> None:
    session = read(a_session(), 1800)
    session.close(NOON + HOUR, StopReason.OTHER)
    end(session, 4000, after=3 * HOUR, reason=StopReason.EV_DISCONNECTED)
    assert session.state is State.ENDED
    assert (session.energy, session.cost, plain(session.meter_stop)) == (3000, Decimal("0.9"), 4000)
    assert (session.ended_at, session.reason) == (NOON + 3 * HOUR, StopReason.EV_DISCONNECTED)


def test_another_price_leaves_what_flowed_before_alone() -> None:
    session = read(a_session(), 2000)
    read(session, 3000, prices=Prices(Tariff("EUR", Decimal("0.10"))))
    assert session.cost == Decimal("0.40")


def test_a_running_session_lasts_until_now() -> None:
    assert a_session().duration(NOON + HOUR) == 3600


@given(st.lists(st.floats(0, 1e6)), st.none() | st.floats(0, 1e6))
def test_energy_never_falls_and_costs_its_price(raws: list[float], meter_stop: float | None) -> None:
    session, last = a_session(), 0.0
    for number, raw in enumerate(raws):
        session.read(WattHours(raw), NOON + number * MINUTE, PRICES)
        assert session.energy >= last
        last = session.energy
    end(session, meter_stop)
    assert session.energy >= last
    assert float(session.cost) == pytest.approx(session.energy / 1000 * 0.30, abs=1e-6)


class TestSequenceOfNumbers:
    def test_counting_starts_anywhere(self) -> None:
        sequence = Sequence()
        assert sequence.take(41)
        assert (sequence.last, sequence.missing) == (41, set())

    def test_a_gap_is_remembered_until_it_is_filled(self) -> None:
        sequence = Sequence()
        for number in (0, 1, 5):
            assert sequence.take(number)
        assert sequence.missing == {2, 3, 4}
        assert sequence.take(3)
        assert (sequence.last, sequence.missing) == (5, {2, 4})

    def test_a_repeated_number_is_known(self) -> None:
        sequence = Sequence()
        sequence.take(7)
        assert not sequence.take(7)
        assert not sequence.take(6)
        assert (sequence.last, sequence.missing) == (7, set())

    def test_a_huge_gap_is_bounded(self) -> None:
        sequence = Sequence()
        sequence.take(0)
        sequence.take(2_000_000_000)
        assert len(sequence.missing) == MAX_GAPS

    @given(st.permutations(range(12)))
    def test_in_whatever_order_they_come_none_is_missing_in_the_end(self, numbers: list[int]) -> None:
        sequence = Sequence()
        first = numbers[0]
        taken = [sequence.take(number) for number in numbers]
        assert sequence.missing == set()
        assert taken.count(False) == first  # those before the first seen were not waited for
