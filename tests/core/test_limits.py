"""What charging profiles allow at a time, and when that changes: a table, and what holds for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.limits.composite import Now, Spot, composite, now
from ocpp_mqtt_proxy.core.limits.profile import (
    ChargingProfile,
    Kind,
    Period,
    Purpose,
    Schedule,
    amps_of,
    rounded,
    watts_of,
)
from ocpp_mqtt_proxy.core.model import Amps
from tests.core.profiles import profiles

MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = 8 * 86400.0
STEPS = (Period(0, 16), Period(2 * 3600, 6), Period(4 * 3600, 10))


def at(hour: float) -> datetime:
    return MIDNIGHT + hour * HOUR


def absolute(valid_from: datetime | None = None, valid_to: datetime | None = None) -> ChargingProfile:
    schedule = Schedule(STEPS, start=MIDNIGHT, duration=8 * 3600)
    return ChargingProfile(schedule, valid_from=valid_from, valid_to=valid_to)


DAILY = ChargingProfile(Schedule(STEPS, start=MIDNIGHT - 10 * DAY, duration=8 * 3600), kind=Kind.RECURRING, every=DAY)
ENDLESS = ChargingProfile(Schedule(STEPS, start=MIDNIGHT - 10 * DAY), kind=Kind.RECURRING, every=DAY)
TOO_LONG = ChargingProfile(
    Schedule(STEPS, start=MIDNIGHT - 10 * DAY, duration=3 * 86400), kind=Kind.RECURRING, every=DAY
)
WEEKLY = ChargingProfile(
    Schedule(STEPS, start=MIDNIGHT - 7 * DAY, duration=8 * 3600), kind=Kind.RECURRING, every=7 * DAY
)
RELATIVE = ChargingProfile(Schedule(STEPS, duration=8 * 3600), kind=Kind.RELATIVE)
DATED_RELATIVE = ChargingProfile(Schedule(STEPS, start=MIDNIGHT - DAY), kind=Kind.RELATIVE)
UNDATED = ChargingProfile(Schedule(STEPS), kind=Kind.ABSOLUTE)
SHORT = ChargingProfile(Schedule(STEPS, start=MIDNIGHT, duration=3600), kind=Kind.ABSOLUTE)

TABLE = {
    "an absolute one has not begun": (absolute(), at(-1), None, None, at(0)),
    "its first step begins with it": (absolute(), at(0), None, 16, at(2)),
    "a step lasts until the next begins": (absolute(), at(1.99), None, 16, at(2)),
    "the next step": (absolute(), at(2), None, 6, at(4)),
    "the last step lasts as long as the schedule": (absolute(), at(7), None, 10, at(8)),
    "an absolute one is over": (absolute(), at(8), None, None, None),
    "steps behind the end of a schedule never come": (SHORT, at(0.5), None, 16, at(1)),
    "one without a duration goes on": (ChargingProfile(Schedule(STEPS, start=at(0))), at(99), None, 10, None),
    "one that is not valid yet": (absolute(valid_from=at(3)), at(1), None, None, at(3)),
    "it counts from its start all the same": (absolute(valid_from=at(3)), at(3), None, 6, at(4)),
    "one that is valid no more": (absolute(valid_to=at(3)), at(3), None, None, None),
    "its end of validity is a change": (absolute(valid_to=at(3)), at(2), None, 6, at(3)),
    "a daily one on a later day": (DAILY, at(3), None, 6, at(4)),
    "between two days of it": (DAILY, at(9), None, None, at(24)),
    "a daily one without end": (ENDLESS, at(23), None, 10, at(24)),
    "a day of it begins": (ENDLESS, at(24), None, 16, at(26)),
    "a daily one is no longer than a day": (TOO_LONG, at(24), None, 16, at(26)),
    "a daily one that has not begun": (DAILY, MIDNIGHT - 11 * DAY, None, None, MIDNIGHT - 10 * DAY),
    "a weekly one on its day": (WEEKLY, at(5), None, 10, at(8)),
    "a weekly one on another day": (WEEKLY, at(30), None, None, at(7 * 24)),
    "a relative one counts from the start of charging": (RELATIVE, at(3), at(2), 16, at(4)),
    "and goes on with it": (RELATIVE, at(5), at(2), 6, at(6)),
    "and is over": (RELATIVE, at(10), at(2), None, None),
    "before charging it shows how it begins": (RELATIVE, at(3), None, 16, None),
    "a relative one takes no date": (DATED_RELATIVE, at(3), at(2), 16, at(4)),
    "an absolute one without a start counts as relative": (UNDATED, at(5), at(2), 6, at(6)),
}  # fmt: skip


@pytest.mark.parametrize(("profile", "at_", "since", "amps", "until"), TABLE.values(), ids=TABLE)
def test_what_binds_and_until_when(
    profile: ChargingProfile, at_: datetime, since: datetime | None, amps: float | None, until: datetime | None
) -> None:
    spot = Spot(began=since)
    assert now([profile], spot, at_, WEEK) == Now(None if amps is None else Amps(amps), until)


@pytest.mark.parametrize(
    ("watts", "named", "phases", "amps"),
    [(11_040, None, 3, 16.0), (3_680, None, 1, 16.0), (3_680, 1, 3, 5.3), (7_360, 3, 1, 10.6), (0, None, 3, 0.0)],
)
def test_power_is_shared_out_over_all_phases_that_may_carry_it(
    watts: float, named: int | None, phases: int, amps: float
) -> None:
    profile = ChargingProfile(Schedule((Period(0, watts, named),), in_watts=True, start=MIDNIGHT))
    assert now([profile], Spot(phases=phases), MIDNIGHT).amps == amps


def test_the_most_that_a_profile_ever_allows() -> None:
    assert absolute().most(3) == Amps(16)


def test_a_current_keeps_the_decimal_it_has() -> None:
    assert [rounded(tenths / 10) for tenths in range(1000)] == [tenths / 10 for tenths in range(1000)]


@given(watts=st.floats(0, 1e6), phases=st.integers(1, 3))
def test_a_current_never_carries_more_than_the_power(watts: float, phases: int) -> None:
    assert amps_of(watts, phases) * phases * 230 <= watts + 1e-3
    assert (amps_of(watts, phases) + 0.1) * phases * 230 > watts - 1e-3


@given(profile=profiles(), minutes=st.integers(-200, 4000), since=st.none() | st.integers(0, 300))
def test_nothing_changes_before_it_is_said_to(profile: ChargingProfile, minutes: int, since: int | None) -> None:
    at_, began = MIDNIGHT + timedelta(minutes=minutes), MIDNIGHT + timedelta(minutes=since) if since else None
    spot = Spot(began=began, session=profile.session, connector=profile.connector or 1)
    binds = now([profile], spot, at_, WEEK)
    assert binds.until is None or binds.until > at_
    last = binds.until or at_ + 3 * DAY
    for part in range(1, 50):
        between = at_ + (last - at_) * part / 50
        assert now([profile], spot, between).amps == binds.amps


# Several at once

DEFAULT = ChargingProfile(Schedule((Period(0, 20),), start=MIDNIGHT))


def stacked(limit: float, **given_: Any) -> ChargingProfile:
    duration = given_.pop("duration", None)
    return ChargingProfile(Schedule((Period(0, limit),), start=MIDNIGHT, duration=duration), **given_)


def binding(*given_: ChargingProfile, spot: Spot | None = None, hour: float = 1) -> float | None:
    return now(given_, spot or Spot(session="S", began=MIDNIGHT), at(hour)).amps


def test_the_highest_level_rules_though_it_allows_more() -> None:
    assert binding(DEFAULT, stacked(25, level=1)) == 25


def test_in_its_gap_the_next_lower_one_rules() -> None:
    assert binding(DEFAULT, stacked(25, level=1, duration=3600), hour=2) == 20


def test_a_default_of_the_connector_stands_before_that_of_all_on_its_level() -> None:
    one, of_all = stacked(25, connector=1), stacked(8)
    assert (binding(one, of_all), binding(of_all, one)) == (25, 25)
    assert binding(one, of_all, spot=Spot(2)) == 8
    assert binding(one, stacked(8, level=1)) == 8


def test_a_transaction_s_profile_stands_in_the_place_of_the_default() -> None:
    assert binding(DEFAULT, stacked(30, purpose=Purpose.TRANSACTION, connector=1, session="S")) == 30


def test_another_transaction_s_profile_does_not_count() -> None:
    assert binding(DEFAULT, stacked(6, purpose=Purpose.TRANSACTION, connector=1, session="T")) == 20


def test_of_the_purposes_the_smallest_binds() -> None:
    of_all = stacked(16, purpose=Purpose.STATION_MAX)
    assert binding(DEFAULT, of_all) == 16
    assert binding(DEFAULT, of_all, stacked(10, purpose=Purpose.EXTERNAL, connector=1)) == 10


def test_what_holds_for_the_whole_charger_is_shared() -> None:
    assert binding(DEFAULT, stacked(25, purpose=Purpose.STATION_MAX), spot=Spot(share=2)) == 12.5


def test_a_priority_counts_while_it_is_used() -> None:
    priority = stacked(32, purpose=Purpose.PRIORITY)
    assert binding(DEFAULT, priority) == 20
    assert binding(DEFAULT, priority, spot=Spot(priority=True)) == 32


def test_what_is_generated_here_comes_on_top() -> None:
    more = stacked(5, purpose=Purpose.LOCAL_GENERATION)
    assert binding(DEFAULT, more) == 25
    assert binding(more) is None


def test_the_whole_charger_has_the_limits_that_are_for_it() -> None:
    of_all = stacked(16, purpose=Purpose.STATION_MAX)
    more = stacked(4, purpose=Purpose.LOCAL_GENERATION)
    assert binding(stacked(6), of_all, more, spot=Spot(0)) == 20


def test_a_daily_schedule_keeps_its_instant_when_the_clocks_change() -> None:
    """Its days are 86400 seconds from its start (K01.FR.40), also where that start was told in local time."""
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 28, 22, tzinfo=berlin)
    daily = ChargingProfile(
        Schedule((Period(0, 6),), start=start, duration=3600), kind=Kind.RECURRING, every=timedelta(days=1)
    )
    for clock in (datetime(2026, 3, 29, 21, 30, tzinfo=UTC), datetime(2026, 3, 29, 23, 30, tzinfo=berlin)):
        assert now([daily], Spot(), clock).amps == Amps(6)
    assert now([daily], Spot(), datetime(2026, 3, 29, 22, 30, tzinfo=berlin)).amps is None


def test_a_line_says_what_binds_piece_by_piece() -> None:
    assert composite([absolute()], Spot(), at(1), 8 * 3600.0) == [(0, 16), (3600, 6), (3 * 3600, 10), (7 * 3600, None)]


def test_a_current_as_power_is_never_more() -> None:
    assert (watts_of(16, 3), watts_of(10.1, 1), watts_of(0, 3)) == (11040, 2323, 0)
