"""What a charging profile allows at a time, and when that changes: a table, and what holds for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.profile import Kind, Now, Profile, Schedule, Step, amps_of, rounded

MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STEPS = (Step(0 * HOUR, 16), Step(2 * HOUR, 6), Step(4 * HOUR, 10))


def at(hour: float) -> datetime:
    return MIDNIGHT + hour * HOUR


def absolute(valid_from: datetime | None = None, valid_to: datetime | None = None) -> Profile:
    schedule = Schedule(STEPS, start=MIDNIGHT, duration=8 * HOUR)
    return Profile(Kind.ABSOLUTE, schedule, valid_from=valid_from, valid_to=valid_to)


DAILY = Profile(Kind.RECURRING, Schedule(STEPS, start=MIDNIGHT - 10 * DAY, duration=8 * HOUR), DAY)
ENDLESS = Profile(Kind.RECURRING, Schedule(STEPS, start=MIDNIGHT - 10 * DAY), DAY)
TOO_LONG = Profile(Kind.RECURRING, Schedule(STEPS, start=MIDNIGHT - 10 * DAY, duration=3 * DAY), DAY)
WEEKLY = Profile(Kind.RECURRING, Schedule(STEPS, start=MIDNIGHT - 7 * DAY, duration=8 * HOUR), 7 * DAY)
RELATIVE = Profile(Kind.RELATIVE, Schedule(STEPS, duration=8 * HOUR))
DATED_RELATIVE = Profile(Kind.RELATIVE, Schedule(STEPS, start=MIDNIGHT - DAY))
UNDATED = Profile(Kind.ABSOLUTE, Schedule(STEPS))
SHORT = Profile(Kind.ABSOLUTE, Schedule(STEPS, start=MIDNIGHT, duration=HOUR))

TABLE = {
    "an absolute one has not begun": (absolute(), at(-1), None, None, at(0)),
    "its first step begins with it": (absolute(), at(0), None, 16, at(2)),
    "a step lasts until the next begins": (absolute(), at(1.99), None, 16, at(2)),
    "the next step": (absolute(), at(2), None, 6, at(4)),
    "the last step lasts as long as the schedule": (absolute(), at(7), None, 10, at(8)),
    "an absolute one is over": (absolute(), at(8), None, None, None),
    "steps behind the end of a schedule never come": (SHORT, at(0.5), None, 16, at(1)),
    "one without a duration goes on": (Profile(Kind.ABSOLUTE, Schedule(STEPS, start=at(0))), at(99), None, 10, None),
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


@pytest.mark.parametrize(("profile", "now", "since", "amps", "until"), TABLE.values(), ids=TABLE)
def test_what_binds_and_until_when(
    profile: Profile, now: datetime, since: datetime | None, amps: float | None, until: datetime | None
) -> None:
    assert profile.at(now, since, phases=3) == Now(None if amps is None else Amps(amps), until)


@pytest.mark.parametrize(
    ("watts", "named", "phases", "amps"),
    [(11_040, None, 3, 16.0), (3_680, None, 1, 16.0), (3_680, 1, 3, 5.3), (7_360, 3, 1, 10.6), (0, None, 3, 0.0)],
)
def test_power_is_shared_out_over_all_phases_that_may_carry_it(
    watts: float, named: int | None, phases: int, amps: float
) -> None:
    profile = Profile(Kind.ABSOLUTE, Schedule((Step(0 * HOUR, watts, named),), in_watts=True, start=MIDNIGHT))
    assert profile.at(MIDNIGHT, None, phases).amps == amps


def test_the_most_that_a_profile_ever_allows() -> None:
    assert absolute().most(3) == Amps(16)


def test_a_current_keeps_the_decimal_it_has() -> None:
    assert [rounded(tenths / 10) for tenths in range(1000)] == [tenths / 10 for tenths in range(1000)]


@given(watts=st.floats(0, 1e6), phases=st.integers(1, 3))
def test_a_current_never_carries_more_than_the_power(watts: float, phases: int) -> None:
    assert amps_of(watts, phases) * phases * 230 <= watts + 1e-3
    assert (amps_of(watts, phases) + 0.1) * phases * 230 > watts - 1e-3


def lengths(low: int) -> st.SearchStrategy[timedelta]:
    return st.integers(low, 300).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    gaps = draw(st.lists(lengths(1), max_size=4))
    starts = [0 * HOUR]
    for gap in gaps:
        starts.append(starts[-1] + gap)
    steps = tuple(Step(start, draw(st.integers(0, 32))) for start in starts)
    schedule = Schedule(steps, start=MIDNIGHT, duration=draw(st.none() | lengths(1)))
    kind = draw(st.sampled_from(Kind))
    every = DAY if kind is Kind.RECURRING else None
    edges = st.none() | lengths(0).map(lambda length: MIDNIGHT + length)
    return Profile(kind, schedule, every, draw(edges), draw(edges))


@given(profile=profiles(), minutes=st.integers(-200, 4000), since=st.none() | lengths(0))
def test_nothing_changes_before_it_is_said_to(profile: Profile, minutes: int, since: timedelta | None) -> None:
    now, began = MIDNIGHT + timedelta(minutes=minutes), MIDNIGHT + since if since is not None else None
    binds = profile.at(now, began, 3)
    assert binds.until is None or binds.until > now
    last = binds.until or now + 3 * DAY
    for part in range(1, 50):
        between = now + (last - now) * part / 50
        assert profile.at(between, began, 3).amps == binds.amps
