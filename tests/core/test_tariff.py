from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import WattHours
from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.tariff import MOST_STEPS, Period, Prices, Tariff, for_time
from tests.core.yard import NOON

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HOUR = timedelta(hours=1)
FLAT = Tariff("EUR", Decimal("0.30"))
KWH = WattHours(1000)


def period(start: str, end: str, price: str) -> Period:
    return Period(Window(time.fromisoformat(start), time.fromisoformat(end)), Decimal(price))


def a_tariff(*periods: Period) -> Tariff:
    return Tariff("EUR", Decimal("0.30"), periods=periods, zone=AMSTERDAM)


NIGHT = a_tariff(period("22:00", "06:00", "0.10"))
"""A third of the price from ten to six."""


def local(month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=AMSTERDAM, fold=fold).astimezone(UTC)


def test_energy_costs_its_price_to_the_last_digit() -> None:
    assert FLAT.price(WattHours(1234.5), NOON, NOON + HOUR) == Decimal("0.37035")


def test_without_a_price_energy_is_free() -> None:
    assert Tariff().price(WattHours(50_000), NOON, NOON + HOUR) == 0


@given(st.lists(st.integers(0, 100_000), max_size=50))
def test_parts_cost_what_the_whole_costs(parts: list[int]) -> None:
    whole = FLAT.price(WattHours(sum(parts)), NOON, NOON + HOUR)
    assert sum((FLAT.price(WattHours(part), NOON, NOON + HOUR) for part in parts), Decimal(0)) == whole


# Day periods


@pytest.mark.parametrize(
    ("at", "price"),
    [
        (local(3, 14, 21, 59), "0.30"),
        (local(3, 14, 22), "0.10"),
        (local(3, 15, 0), "0.10"),
        (local(3, 15, 5, 59), "0.10"),
        (local(3, 15, 6), "0.30"),
        (local(7, 14, 22), "0.10"),
    ],
)
def test_a_period_holds_by_the_clocks_on_the_wall_and_may_cross_midnight(at: datetime, price: str) -> None:
    assert NIGHT.price_at(at) == Decimal(price)
    assert NIGHT.price(KWH, at, at) == Decimal(price)


def test_the_first_period_that_holds_counts() -> None:
    tariff = a_tariff(period("12:00", "14:00", "0.05"), period("10:00", "18:00", "0.20"))
    prices = [tariff.price_at(local(3, 14, hour)) for hour in (9, 10, 12, 14)]
    assert prices == [Decimal(p) for p in ("0.30", "0.20", "0.05", "0.20")]


def test_a_period_that_ends_at_midnight_ends_there() -> None:
    tariff = a_tariff(period("18:00", "00:00", "0.40"))
    assert tariff.price_at(local(3, 14, 23, 59)) == Decimal("0.40")
    assert tariff.price_at(local(3, 15, 0)) == Decimal("0.30")


@pytest.mark.parametrize(
    ("since", "until", "price"),
    [
        (local(3, 14, 20), local(3, 14, 22), "0.30"),
        (local(3, 14, 21), local(3, 14, 23), "0.20"),
        (local(3, 14, 21, 45), local(3, 14, 22, 45), "0.15"),
        (local(3, 14, 21), local(3, 15, 7), "0.14"),  # 1 h, 8 h, 1 h
        (local(3, 14, 12), local(3, 16, 12), "0.2333333333333333333333333333"),  # two days
    ],
)
def test_energy_across_the_edge_of_a_period_is_priced_by_its_time_on_either_side(
    since: datetime, until: datetime, price: str
) -> None:
    assert NIGHT.price(KWH, since, until) == Decimal(price)


@pytest.mark.parametrize(
    ("since", "until", "cheap", "hours"),
    [
        (local(3, 28, 21), local(3, 29, 7), 7, 9),  # clocks put on: the night is an hour shorter
        (local(10, 24, 21), local(10, 25, 7), 9, 11),  # and put back: longer
    ],
)
def test_a_night_is_as_long_as_it_is_when_clocks_change(
    since: datetime, until: datetime, cheap: int, hours: int
) -> None:
    money = (Decimal("0.10") * cheap + Decimal("0.30") * (hours - cheap)) / hours
    assert NIGHT.price(KWH, since, until) == money


def test_a_period_that_begins_in_the_hour_that_is_missing_begins_when_clocks_are_put_on() -> None:
    tariff = a_tariff(period("02:30", "05:00", "0.10"))
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert tariff.price(KWH, change - HOUR, change + HOUR) == Decimal("0.20")


def test_a_period_in_the_hour_that_comes_twice_comes_twice() -> None:
    tariff = a_tariff(period("02:00", "02:30", "0.10"))
    first, after = local(10, 25, 2), local(10, 25, 3)
    assert after - first == 2 * HOUR
    assert tariff.price(KWH, first, after) == Decimal("0.20")


PRICES_OF_DAY = st.lists(
    st.builds(
        Period,
        st.builds(Window, st.times(), st.times()),
        st.decimals(0, 10, places=4),
    ),
    max_size=4,
).map(lambda periods: a_tariff(*periods))
INSTANTS = st.datetimes(datetime(2026, 3, 27), datetime(2026, 4, 1), timezones=st.just(UTC))  # noqa: DTZ001 (zoned)


@given(tariff=PRICES_OF_DAY, instants=st.tuples(INSTANTS, INSTANTS, INSTANTS).map(sorted))
def test_a_time_costs_what_its_parts_cost(tariff: Tariff, instants: list[datetime]) -> None:
    a, b, c = instants
    first, second = (WattHours((end - start).total_seconds()) for start, end in ((a, b), (b, c)))
    parts = tariff.price(first, a, b) + tariff.price(second, b, c)
    whole = tariff.price(WattHours((c - a).total_seconds()), a, c)
    assert abs(parts - whole) < Decimal("1e-6")


@given(tariff=PRICES_OF_DAY, since=INSTANTS)
def test_a_minute_is_priced_as_its_seconds_are_one_by_one(tariff: Tariff, since: datetime) -> None:
    since = since.replace(second=30, microsecond=0)
    seconds = [tariff.price_at(since + timedelta(seconds=n, milliseconds=500)) for n in range(60)]
    mean = sum(seconds, Decimal(0)) / 60
    assert abs(tariff.price(KWH, since, since + timedelta(minutes=1)) - mean) <= Decimal(20) / 60


def test_years_are_priced_in_no_time() -> None:
    """A charger whose clock was wrong may have a reading of years ago."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert Decimal("0.23") < NIGHT.price(KWH, since, NOON) < Decimal("0.24")


# Prices that change


def test_a_new_price_counts_from_its_instant_on() -> None:
    tariff = FLAT.stepped(Decimal("0.50"), NOON)
    assert tariff.price(KWH, NOON - 2 * HOUR, NOON - HOUR) == Decimal("0.30")
    assert tariff.price(KWH, NOON - HOUR, NOON + HOUR) == Decimal("0.40")
    assert tariff.price(KWH, NOON + HOUR, NOON + 2 * HOUR) == Decimal("0.50")


def test_the_same_price_again_changes_nothing() -> None:
    assert FLAT.stepped(Decimal("0.3"), NOON) is FLAT


def test_of_two_prices_of_one_instant_the_later_counts() -> None:
    tariff = FLAT.stepped(Decimal("0.50"), NOON).stepped(Decimal("0.40"), NOON)
    assert tariff.price_at(NOON) == Decimal("0.40")
    assert len(tariff.steps) == 1


def test_price_changes_are_remembered_for_a_while_and_no_longer() -> None:
    tariff = FLAT
    for number in range(MOST_STEPS + 10):
        tariff = tariff.stepped(Decimal(number), NOON + number * HOUR)
    assert len(tariff.steps) == MOST_STEPS
    assert tariff.price_at(NOON + 12 * HOUR) == 12
    assert tariff.price_at(NOON) == 9  # the last that was forgotten


def test_a_price_of_the_owner_s_changes_for_everything_that_is_priced_by_it() -> None:
    prices = Prices(FLAT)
    prices.set_owner_price(Decimal("0.12"), NOON)
    assert prices.owner.price(KWH, NOON, NOON + HOUR) == Decimal("0.12")


# Time, and who pays


def test_time_costs_by_the_hour() -> None:
    assert for_time(Decimal("1.20"), timedelta(minutes=90)) == Decimal("1.80")


def test_a_provider_without_a_tariff_pays_nothing_in_the_owner_s_currency() -> None:
    tariff = Prices(Tariff("CHF"), {"night": FLAT}).of("nobody")
    assert tariff == Tariff("CHF")


def test_a_provider_s_tariff_is_its_own() -> None:
    assert Prices(Tariff("CHF"), {"night": FLAT}).of("night") is FLAT
