from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.instants import settle, tells
from tests.core.yard import NOON

AUCKLAND = timezone(timedelta(hours=13))
NEPAL = timezone(timedelta(hours=5, minutes=45))


def test_a_time_in_the_past_stands() -> None:
    then = NOON - timedelta(days=3)
    assert settle(then, NOON) == then


@pytest.mark.parametrize(
    "told",
    [
        None,
        datetime(1970, 1, 1, 0, 0, 23, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 23),  # noqa: DTZ001 (as some chargers tell it)
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1),  # noqa: DTZ001
        NOON + timedelta(seconds=1),
        NOON + timedelta(days=4000),
        datetime.max.replace(tzinfo=UTC),
    ],
)
def test_a_time_that_cannot_be_is_the_time_of_receipt(told: datetime | None) -> None:
    assert settle(told, NOON) == NOON


@pytest.mark.parametrize("zone", [UTC, AUCKLAND, NEPAL])
def test_a_time_without_a_zone_is_in_the_zone_that_fits(zone: timezone) -> None:
    local = (NOON - timedelta(minutes=2)).astimezone(zone).replace(tzinfo=None)
    assert settle(local, NOON) == NOON - timedelta(minutes=2)


def test_a_time_without_a_zone_that_fits_none_is_taken_for_utc() -> None:
    local = (NOON - timedelta(days=2)).replace(tzinfo=None)
    assert settle(local, NOON) == NOON - timedelta(days=2)


@given(st.datetimes(), st.sampled_from([None, UTC, AUCKLAND, NEPAL]))
def test_what_a_charger_meant_is_never_later_than_now(at: datetime, zone: timezone | None) -> None:
    settled = settle(at.replace(tzinfo=zone), NOON)
    assert settled <= NOON
    assert settled.year >= 2019


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=1000))))
def test_order_is_kept(ages: list[timedelta]) -> None:
    told = sorted(NOON - age for age in ages)
    assert [settle(at, NOON) for at in told] == told


@pytest.mark.parametrize(
    ("at", "does"),
    [
        (None, False),
        (datetime(1970, 1, 1, tzinfo=UTC), False),
        (datetime(2019, 12, 31), False),  # noqa: DTZ001
        (datetime(2026, 1, 1), True),  # noqa: DTZ001
        (NOON, True),
    ],
)
def test_a_time_tells_where_the_clock_was_set(at: datetime | None, does: bool) -> None:
    assert tells(at) is does
