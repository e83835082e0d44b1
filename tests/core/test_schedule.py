from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.schedule import EVERY_DAY, Window, is_open

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WORKDAYS = frozenset({MON, TUE, WED, THU, FRI})

OFFICE = Window(time(9), time(17), WORKDAYS)
NIGHT = Window(time(23), time(7), WORKDAYS)
MONDAY = date(2026, 3, 16)


def at(day: int, clock: str) -> datetime:
    """A local time in a week of March, 0 being its Monday."""
    return datetime.combine(MONDAY + timedelta(days=day), time.fromisoformat(clock), tzinfo=UTC)


@pytest.mark.parametrize(("day", "clock", "holds"), [
    (MON, "08:59:59.999999", False), (MON, "09:00", True), (MON, "16:59:59.999999", True), (MON, "17:00", False),
    (FRI, "12:00", True), (SAT, "12:00", False), (SUN, "12:00", False),
])  # fmt: skip
def test_a_window_of_the_day(day: int, clock: str, holds: bool) -> None:
    assert OFFICE.holds(at(day, clock)) is holds


@pytest.mark.parametrize(("day", "clock", "holds"), [
    (MON, "06:59", False), (MON, "22:59", False), (MON, "23:00", True), (TUE, "00:00", True), (TUE, "06:59", True),
    (TUE, "07:00", False), (FRI, "23:00", True), (SAT, "06:59", True), (SAT, "23:00", False), (SUN, "06:59", False),
])  # fmt: skip
def test_a_window_across_midnight_belongs_to_the_day_on_which_it_starts(day: int, clock: str, holds: bool) -> None:
    assert NIGHT.holds(at(day, clock)) is holds


def test_sunday_s_night_ends_on_monday() -> None:
    night = Window(time(22), time(6), frozenset({SUN}))
    assert [night.holds(at(day, "03:00")) for day in (SAT, SUN, SUN + 1, SUN + 2)] == [False, False, True, False]


@pytest.mark.parametrize("clock", ["00:00", "12:00", "23:59:59"])
def test_from_midnight_to_midnight_is_a_whole_day(clock: str) -> None:
    wednesday = Window(time(0), time(0), frozenset({WED}))
    assert [day for day in range(7) if wednesday.holds(at(day, clock))] == [WED]


def test_from_an_hour_to_the_same_is_24_hours_from_then() -> None:
    window = Window(time(18), time(18), frozenset({WED}))
    held = [(WED, "17:59"), (WED, "18:00"), (THU, "17:59"), (THU, "18:00")]
    assert [window.holds(at(*one)) for one in held] == [False, True, True, False]


def test_without_a_window_it_is_always_open() -> None:
    assert is_open((), at(SUN, "04:00"))


def test_with_several_one_that_holds_is_enough() -> None:
    assert [is_open((OFFICE, NIGHT), at(MON, clock)) for clock in ("12:00", "18:00", "23:30")] == [True, False, True]


def test_a_window_without_days_never_holds() -> None:
    assert not any(Window(time(0), time(0), frozenset()).holds(at(day, "12:00")) for day in range(7))


# When clocks are put on or back

AMSTERDAM, SYDNEY, SANTIAGO = "Europe/Amsterdam", "Australia/Sydney", "America/Santiago"

CHANGES = {
    "on in Amsterdam: 02:00 is 03:00": (AMSTERDAM, datetime(2026, 3, 29, 1, tzinfo=UTC)),
    "back in Amsterdam: 03:00 is 02:00": (AMSTERDAM, datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "on in Sydney: 02:00 is 03:00": (SYDNEY, datetime(2026, 10, 3, 16, tzinfo=UTC)),
    "back in Sydney: 03:00 is 02:00": (SYDNEY, datetime(2026, 4, 4, 16, tzinfo=UTC)),
    "on in Santiago: midnight is 01:00": (SANTIAGO, datetime(2026, 9, 6, 4, tzinfo=UTC)),
    "back in Santiago: midnight is 23:00": (SANTIAGO, datetime(2026, 4, 5, 3, tzinfo=UTC)),
}


@pytest.mark.parametrize(("zone", "change"), CHANGES.values(), ids=CHANGES)
def test_the_clocks_change_there_and_then(zone: str, change: datetime) -> None:
    before, after = (change + step for step in (timedelta(seconds=-1), timedelta(0)))
    assert before.astimezone(ZoneInfo(zone)).utcoffset() != after.astimezone(ZoneInfo(zone)).utcoffset()


def minutes_open(window: Window, zone: str, change: datetime) -> int:
    """How long a window is open in the day and a half around a change."""
    around = (change + timedelta(minutes=m) for m in range(-18 * 60, 18 * 60))
    return sum(window.holds(minute.astimezone(ZoneInfo(zone))) for minute in around)


SMALL_HOURS = Window(time(1), time(4), frozenset({SUN}))
THE_HOUR = Window(time(2), time(3), frozenset({SUN}))
SATURDAY_NIGHT = Window(time(23), time(7), frozenset({SAT}))


@pytest.mark.parametrize(("window", "on", "back"), [
    (SMALL_HOURS, 2 * 60, 4 * 60), (THE_HOUR, 0, 2 * 60), (SATURDAY_NIGHT, 7 * 60, 9 * 60),
])  # fmt: skip
@pytest.mark.parametrize("zone", ["Amsterdam", "Sydney"])
def test_a_window_is_as_long_as_the_clocks_on_the_wall_make_it(zone: str, window: Window, on: int, back: int) -> None:
    changes = [change for name, change in CHANGES.items() if zone in name]
    assert [minutes_open(window, *change) for change in changes] == [on, back]


# Against an oracle that knows no rule but to count minutes

Label = tuple[date, int]
"""What the calendar and the clock on the wall show: a day, and a minute of it."""


def minutes_from(day: date, window: Window) -> Iterator[Label]:
    """Every minute that a window has which starts on a day, as the wall shows them."""
    minute, end = window.start.hour * 60 + window.start.minute, window.end.hour * 60 + window.end.minute
    while True:
        yield day, minute
        minute += 1
        if minute == 24 * 60:
            day, minute = day + timedelta(days=1), 0
        if minute == end:
            return


@lru_cache(8)
def labels(window: Window, around: date) -> frozenset[Label]:
    days = [around + timedelta(days=n) for n in range(-4, 5)]
    return frozenset(one for day in days if day.weekday() in window.days for one in minutes_from(day, window))


TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
WINDOWS = st.builds(Window, TIMES, TIMES, st.just(EVERY_DAY) | st.frozensets(st.integers(0, 6)))


@given(
    st.lists(WINDOWS, min_size=1, max_size=3),
    st.sampled_from(sorted(CHANGES)),
    st.integers(-72 * 3600, 72 * 3600) | st.integers(-3 * 3600, 3 * 3600),
)
def test_windows_hold_for_the_minutes_that_one_counts_on_the_wall(
    windows: list[Window], name: str, seconds: int
) -> None:
    zone, change = CHANGES[name]
    local = (change + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone))
    shown = (local.date(), local.hour * 60 + local.minute)
    assert is_open(windows, local) is any(shown in labels(window, change.date()) for window in windows)


@pytest.mark.parametrize(("zone", "change"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("window", [SMALL_HOURS, THE_HOUR, SATURDAY_NIGHT, NIGHT, Window(time(0), time(0))])
def test_around_a_change_every_minute_is_as_counted(zone: str, change: datetime, window: Window) -> None:
    for minutes in range(-36 * 60, 36 * 60):
        local = (change + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
        assert window.holds(local) is ((local.date(), local.hour * 60 + local.minute) in labels(window, change.date()))
