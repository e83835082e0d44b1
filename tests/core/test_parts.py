"""Sessions that change hands: whose the energy was when it flowed, and what each owes."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core import controlling, rules
from ocpp_mqtt_proxy.core.bill import Line, cents, lines, month_of
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import OWNER, StopReason, Version, WattHours
from ocpp_mqtt_proxy.core.parts import Part, opening
from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.tariff import Period, Prices, Tariff
from tests.core.yard import NOON, Yard, energy, meter, start, stop

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

FLEET = Tariff("EUR", Decimal("0.50"), price_per_hour=Decimal("1.20"), session_fee=Decimal("0.75"))
SWISS = Tariff("CHF", Decimal("0.40"))
AFTERNOON = Period(Window(time(13), time(18)), Decimal("0.10"))
NIGHT = Tariff("EUR", Decimal("0.20"), session_fee=Decimal("0.10"), periods=(AFTERNOON,))
PRICES = Prices(Tariff("EUR", Decimal("0.30")), {"fleet": FLEET, "night": NIGHT, "swiss": SWISS})


def of(provider: str, prices: Prices = PRICES) -> Session:
    """A session that a provider begins at noon, at 1000 Wh."""
    session = Session("test-1", "CP1", 1, "7", NOON, parts=[opening(provider, NOON, prices)])
    session.begin(WattHours(1000), NOON)
    return session


def read(session: Session, wh: float, after: timedelta, prices: Prices = PRICES) -> None:
    session.read(WattHours(wh), NOON + after, prices)


def end(session: Session, wh: float | None, after: timedelta) -> None:
    session.end(None if wh is None else WattHours(wh), NOON + after, StopReason.LOCAL, PRICES)


def hand_over(session: Session, provider: str, after: timedelta) -> None:
    session.hand_over(provider, NOON + after, PRICES)


def energies(session: Session) -> list[tuple[str, float]]:
    return [(part.provider, part.energy) for part in session.parts]


# One provider


def test_the_owner_s_session_costs_and_earns_nothing() -> None:
    session = of(OWNER)
    end(session, 3000, HOUR)
    assert (session.cost, session.revenue(NOON), session.currency) == (Decimal("0.60"), Decimal(0), "EUR")


def test_a_provider_owes_for_energy_time_and_the_session() -> None:
    session = of("fleet")
    end(session, 3000, HOUR)
    assert session.cost == Decimal("0.60")
    assert session.revenue(NOON + 9 * HOUR) == Decimal("1.00") + Decimal("1.20") + Decimal("0.75")


def test_a_provider_owes_the_fee_and_its_time_as_they_come() -> None:
    session = of("fleet")
    assert session.revenue(NOON) == Decimal("0.75")
    assert session.revenue(NOON + HOUR / 2) == Decimal("1.35")


def test_energy_across_the_edge_of_a_period_is_priced_on_either_side() -> None:
    session = of("night")
    read(session, 2000, timedelta(minutes=30))
    read(session, 4000, timedelta(minutes=90))  # half of it after one o'clock
    assert session.revenue(NOON) == Decimal("0.10") + Decimal("0.20") + Decimal("0.20") + Decimal("0.10")


def test_a_reading_that_comes_late_is_priced_by_when_it_was_taken() -> None:
    session = of("night")
    read(session, 2000, timedelta(minutes=59))  # heard in the afternoon, as every reading of a charger that was away
    assert session.revenue(NOON) == Decimal("0.30")


def test_a_later_price_leaves_what_flowed_alone() -> None:
    session = of("fleet")
    read(session, 2000, HOUR)
    dear = Prices(Tariff("EUR", Decimal(9)), {"fleet": Tariff("EUR", Decimal(9), Decimal(9), Decimal(9))})
    read(session, 3000, 2 * HOUR, dear)
    assert session.cost == Decimal("0.30") + 9
    assert session.revenue(NOON + 2 * HOUR) == Decimal("0.75") + Decimal("0.50") + 9 + Decimal("2.40")


def test_a_price_in_another_currency_by_now_is_not_added_to_what_was_owed() -> None:
    session = of("fleet")
    read(session, 2000, HOUR, Prices(PRICES.owner, {"fleet": SWISS}))
    assert session.revenue(NOON) == Decimal("0.75")


def test_a_provider_s_own_currency_is_its_revenue_s_and_the_cost_stays_the_owner_s() -> None:
    session = of("swiss")
    end(session, 2000, HOUR)
    assert (session.currency, session.revenue(NOON)) == ("CHF", Decimal("0.40"))
    assert (session.cost_currency, session.cost) == ("EUR", Decimal("0.30"))


# Hand-over


def test_what_flows_after_a_hand_over_is_another_s_at_its_price() -> None:
    session = of("fleet")
    read(session, 2000, HOUR)
    hand_over(session, "swiss", HOUR)
    read(session, 5000, 2 * HOUR)
    assert energies(session) == [("fleet", 1000), ("swiss", 3000)]
    fleet, swiss = session.parts
    assert fleet.revenue(NOON) == Decimal("0.75") + Decimal("0.50") + Decimal("1.20")
    assert swiss.revenue(NOON) == Decimal("1.20")
    assert (fleet.ended_at, swiss.started_at, swiss.ended_at) == (NOON + HOUR, NOON + HOUR, None)
    assert session.provider == "swiss"


def test_what_flowed_between_two_readings_is_shared_by_the_time_of_the_hand_over() -> None:
    session = of("fleet")
    hand_over(session, "night", 15 * MINUTE)
    read(session, 2000, HOUR)
    assert energies(session) == [("fleet", 250), ("night", 750)]


def test_readings_of_before_a_hand_over_that_come_after_it_are_the_earlier_one_s() -> None:
    session = of("fleet")
    hand_over(session, "night", HOUR)
    read(session, 1600, 30 * MINUTE)
    read(session, 2000, HOUR)
    read(session, 2500, 2 * HOUR)
    assert energies(session) == [("fleet", 1000), ("night", 500)]


def test_only_who_began_the_session_owes_its_fee() -> None:
    session = of("fleet")
    hand_over(session, "night", HOUR)
    hand_over(session, "fleet", 2 * HOUR)
    end(session, 1000, 2 * HOUR)
    assert session.revenue(NOON) == Decimal("0.75") + Decimal("1.20")


def test_nobody_owes_the_fee_of_a_session_that_the_owner_began() -> None:
    session = of(OWNER)
    hand_over(session, "night", HOUR)
    end(session, 1000, 2 * HOUR)
    assert session.revenue(NOON) == 0


def test_a_session_that_goes_back_to_the_owner_earns_no_more() -> None:
    session = of("night")
    read(session, 2000, 30 * MINUTE)
    hand_over(session, OWNER, 30 * MINUTE)
    end(session, 9000, HOUR)
    assert session.revenue(NOON) == Decimal("0.30")
    assert session.currency == "EUR"
    assert session.cost == Decimal("2.40")


def test_what_is_owed_in_another_currency_is_not_added() -> None:
    session = of("fleet")
    hand_over(session, "swiss", HOUR)
    end(session, 3000, 2 * HOUR)
    assert session.currency == "EUR"
    assert session.revenue(NOON) == session.parts[0].revenue(NOON)


def test_a_hand_over_to_who_has_it_changes_nothing() -> None:
    session = of("fleet")
    hand_over(session, "fleet", HOUR)
    assert len(session.parts) == 1


def test_a_hand_over_before_the_last_one_counts_from_there() -> None:
    session = of("fleet")
    hand_over(session, "night", HOUR)
    hand_over(session, "swiss", MINUTE)
    assert [part.started_at for part in session.parts] == [NOON, NOON + HOUR, NOON + HOUR]


def test_a_session_that_is_over_is_handed_to_nobody() -> None:
    session = of("fleet")
    end(session, 2000, HOUR)
    hand_over(session, "night", HOUR)
    assert session.provider == "fleet"


@pytest.mark.parametrize("slow", [timedelta(0), HOUR, timedelta(hours=9)])
def test_a_hand_over_is_where_it_was_by_the_charger_s_own_clock(slow: timedelta) -> None:
    yard = Yard()
    yard.station.plan.prices = PRICES
    session = begin_by(yard, slow)
    yard.pass_(hours=1)
    yard.hear(meter(energy(2000), at=yard.now - slow))
    yard.pass_(minutes=15)
    yard.note(to(yard, "fleet"))
    yard.pass_(minutes=45)
    yard.hear(meter(energy(3000), at=yard.now - slow))
    assert energies(session) == [(OWNER, 1250), ("fleet", 750)]
    yard.pass_(hours=1)
    yard.hear(stop(session.transaction_id, 4000, at=yard.now - slow))
    assert energies(session) == [(OWNER, 1250), ("fleet", 1750)]
    assert [line.seconds for line in lines(session, yard.now)] == [75 * 60, 105 * 60]


def test_a_charger_that_tells_what_was_long_ago_is_not_slow() -> None:
    """It was away, and tells that first; what it tells then is of now."""
    yard = Yard()
    yard.station.plan.prices = PRICES
    session = begin_by(yard, timedelta(0))
    yard.note(rules.connect(yard.station, Version.V16, "192.0.2.7", yard.pass_(hours=2), yard.numbers))
    yard.hear(meter(energy(1500), at=yard.ago(hours=1)))
    yard.hear(meter(energy(2000), at=yard.now))
    yard.note(to(yard, "fleet"))
    yard.pass_(hours=1)
    yard.hear(meter(energy(3000), at=yard.now))
    assert energies(session) == [(OWNER, 1000), ("fleet", 1000)]


def test_what_was_counted_before_a_hand_over_stays_whose_it_was() -> None:
    session = of("fleet")
    read(session, 2000, HOUR)
    hand_over(session, "night", 30 * MINUTE)
    read(session, 3000, 2 * HOUR)
    assert energies(session) == [("fleet", 1000), ("night", 1000)]
    assert session.parts[1].started_at == NOON + HOUR


def begin_by(yard: Yard, slow: timedelta) -> Session:
    """A session that a charger begins, by a clock that is slow by so much."""
    return yard.started(start(1000, at=yard.now - slow))


def to(yard: Yard, provider: str) -> rules.Heard:
    """The owner hands what runs over."""
    hearing = Hearing(yard.station, yard.now, yard.numbers)
    controlling.hand_over(hearing, provider)
    return rules.Heard(None, hearing.facts, hearing.changes)


def test_a_session_that_nothing_flowed_in_is_whose_card_was_shown_from_the_start() -> None:
    session = of(OWNER)
    session.claim("fleet", NOON + HOUR, PRICES)
    end(session, 2000, 2 * HOUR)
    assert energies(session) == [("fleet", 1000)]
    assert session.revenue(NOON) == Decimal("0.75") + Decimal("0.50") + Decimal("2.40")


def test_a_session_that_charged_before_its_card_was_shown_is_its_provider_s_from_then_on() -> None:
    session = of(OWNER)
    read(session, 2000, HOUR)
    session.claim("fleet", NOON + HOUR, PRICES)
    end(session, 3000, 2 * HOUR)
    assert energies(session) == [(OWNER, 1000), ("fleet", 1000)]


# The end


def test_the_charger_s_own_stop_is_the_last_part_s() -> None:
    session = of("fleet")
    hand_over(session, "night", HOUR)
    end(session, 3000, 2 * HOUR)
    assert energies(session) == [("fleet", 1000), ("night", 1000)]
    assert session.parts[-1].ended_at == session.ended_at == NOON + 2 * HOUR


def test_a_hand_over_after_the_charger_had_stopped_never_was() -> None:
    """The charger was away when it was handed over; its stop comes late."""
    session = of("fleet")
    hand_over(session, "night", 2 * HOUR)
    end(session, 3000, HOUR)
    assert energies(session) == [("fleet", 2000)]
    assert session.provider == "fleet"
    assert session.parts[0].ended_at == NOON + HOUR


def test_a_part_that_energy_flowed_in_stays_though_the_charger_s_clock_says_otherwise() -> None:
    session = of("fleet")
    hand_over(session, "night", HOUR)
    read(session, 3000, 2 * HOUR)
    end(session, 3000, HOUR / 2)
    assert energies(session) == [("fleet", 1000), ("night", 1000)]
    assert [(p.started_at, p.ended_at) for p in session.parts] == [(NOON, NOON + HOUR / 2), (NOON + HOUR / 2,) * 2]


def test_a_late_end_corrects_the_last_part_of_a_session_that_we_closed() -> None:
    session = of("fleet")
    read(session, 2000, HOUR)
    session.close(NOON + HOUR, StopReason.OTHER)
    end(session, 4000, 3 * HOUR)
    assert session.revenue(NOON) == Decimal("0.75") + Decimal("1.50") + Decimal("3.60")


def test_a_start_that_comes_after_all_moves_the_first_part() -> None:
    session = of("fleet")
    session.began(NOON - HOUR)
    assert session.parts[0].started_at == session.started_at == NOON - HOUR


# Every way it can go

PROVIDERS = st.sampled_from([OWNER, "fleet", "night", "swiss", "nobody"])
MINUTES = st.integers(0, 300)
STEPS = st.one_of(
    st.tuples(st.just("read"), MINUTES, st.floats(0, 20_000)),
    st.tuples(st.just("hand_over"), MINUTES, PROVIDERS),
    st.tuples(st.just("claim"), MINUTES, PROVIDERS),
    st.tuples(st.just("close"), MINUTES, st.none()),
    st.tuples(st.just("end"), MINUTES, st.none() | st.floats(0, 30_000)),
)


def take(session: Session, step: tuple[str, int, object]) -> None:
    what, minutes, detail = step
    after = minutes * MINUTE
    if what == "read" and session.running:
        assert isinstance(detail, float)
        read(session, detail, after)
    elif what == "hand_over":
        hand_over(session, str(detail), after)
    elif what == "claim" and session.running:
        session.claim(str(detail), NOON + after, PRICES)
    elif what == "close" and session.running:
        session.close(NOON + after, StopReason.OTHER)
    elif what == "end":
        assert detail is None or isinstance(detail, float)
        end(session, detail, after)


@given(provider=PROVIDERS, steps=st.lists(STEPS, max_size=12))
def test_parts_hold_all_energy_and_all_time_whatever_happens(
    provider: str, steps: list[tuple[str, int, object]]
) -> None:
    session, late = of(provider), NOON + 10 * HOUR
    for step in steps:
        take(session, step)
        assert sum(part.energy for part in session.parts) == pytest.approx(session.energy, abs=1e-6)
        assert all(part.energy >= 0 for part in session.parts)
        assert session.parts[0].started_at == session.started_at
        assert session.parts[-1].ended_at == session.ended_at
        assert all(earlier.ended_at == later.started_at for earlier, later in pairwise(session.parts))
        assert all(part.started_at <= (part.ended_at or late) for part in session.parts)
        told = list(lines(session, late))
        assert sum(line.energy for line in told) == round(session.energy)
        assert sum(line.seconds for line in told) == round(session.duration(late))
        assert sum(line.cost for line in told) == cents(session.cost)
        owed = [line.revenue for line in told if line.currency == session.currency]
        assert sum(owed) == cents(session.revenue(late))


# What is shown


def test_lines_add_up_to_the_session_though_each_is_rounded() -> None:
    times = [NOON, NOON + MINUTE, NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    parts = [
        Part(who, since, until, energy=0.4, cost=Decimal("0.004"), charged=Decimal("0.004"))
        for who, (since, until) in zip(("a", "b", "c"), pairwise(times), strict=True)
    ]
    session = Session("test-1", "CP1", 1, "7", NOON, parts=parts, energy=1.2, ended_at=times[-1])
    told = list(lines(session, NOON))
    assert [(line.energy, line.cost, line.revenue, line.seconds) for line in told] == [
        (0, 0, 0, 60),
        (1, 1, 1, 60),
        (0, 0, 0, 60),
    ]


def test_a_line_tells_currencies_and_when() -> None:
    session = of("swiss")
    read(session, 2500, HOUR)
    assert list(lines(session, NOON + HOUR)) == [
        Line("swiss", NOON, None, seconds=3600, energy=1500, cost=45, cost_currency="EUR", revenue=60, currency="CHF")
    ]


@pytest.mark.parametrize(("amount", "hundredths"), [("0.005", 1), ("0.0049", 0), ("12.345", 1235), ("-0.005", -1)])
def test_money_is_rounded_as_people_do(amount: str, hundredths: int) -> None:
    assert cents(Decimal(amount)) == hundredths


def test_a_month_is_the_local_one() -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert month_of(new_year, UTC) == "2026-12"
    assert month_of(new_year, ZoneInfo("Europe/Berlin")) == "2027-01"
