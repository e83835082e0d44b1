"""What a set of charging profiles takes, what replaces what, and what is cleared of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import MAX_PERIODS, Because, Criteria, cleared, conflict, fault, installed
from tests.core.profiles import profiles

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ONE = ChargingProfile(Schedule((Period(0, 16),), start=NOON), id=1)
UNDATED = replace(ONE, schedule=Schedule((Period(0, 16),)))
LONG = Schedule(tuple(Period(at, 6) for at in range(MAX_PERIODS + 1)), start=NOON)


@pytest.mark.parametrize(
    ("profile", "in_16", "in_2x"),
    [
        (ONE, None, None),
        (UNDATED, None, Because.SCHEDULE),
        (replace(UNDATED, kind=Kind.RELATIVE), None, None),
        (replace(ONE, kind=Kind.RELATIVE), None, Because.SCHEDULE),
        (replace(UNDATED, kind=Kind.RECURRING), Because.PROFILE, Because.PROFILE),
        (replace(UNDATED, kind=Kind.RELATIVE, purpose=Purpose.STATION_MAX), None, Because.KIND),
        (replace(ONE, schedule=LONG), Because.MANY, Because.MANY),
        (replace(ONE, schedule=Schedule((), start=NOON)), Because.SCHEDULE, Because.SCHEDULE),
    ],
)
def test_where_a_schedule_may_begin_differs_by_version(
    profile: ChargingProfile, in_16: Because | None, in_2x: Because | None
) -> None:
    found = [fault(profile, loose=loose) for loose in (True, False)]
    assert [one and one.because for one in found] == [in_16, in_2x]


LATER, OTHER = replace(ONE, id=2, valid_from=NOON), replace(ONE, id=2)
ITS = replace(ONE, purpose=Purpose.TRANSACTION, connector=1, session="S")


@pytest.mark.parametrize(
    ("there", "new", "clash"),
    [
        (ONE, ONE, False),
        (ONE, OTHER, True),
        (ONE, replace(OTHER, level=1), False),
        (ONE, replace(OTHER, purpose=Purpose.STATION_MAX), False),
        (replace(ONE, valid_to=NOON), LATER, False),
        (ONE, LATER, True),
        (ONE, replace(OTHER, connector=1), True),
        (replace(ONE, connector=2), replace(OTHER, connector=1), False),
        (replace(ONE, connector=2), OTHER, True),
        (ITS, replace(ITS, id=2), True),
        (ITS, replace(ITS, id=2, session="T"), False),
    ],
)
def test_a_level_of_a_purpose_has_one_profile_at_a_time(
    there: ChargingProfile, new: ChargingProfile, clash: bool
) -> None:
    assert (conflict((there,), new) is not None) is clash


@given(before=st.lists(profiles(), max_size=6).map(tuple), new=profiles(), loose=st.booleans())
def test_a_new_profile_is_there_once_and_nothing_else_changes(
    before: tuple[ChargingProfile, ...], new: ChargingProfile, loose: bool
) -> None:
    after = installed(before, new, loose=loose)
    assert after[-1] == new
    assert set(after[:-1]) <= set(before)
    assert [one.id for one in after].count(new.id) == 1
    alike = [one for one in after if (one.purpose, one.connector, one.level) == (new.purpose, new.connector, new.level)]
    assert not loose or [one for one in alike if one.session == new.session] == [new]


@given(
    before=st.lists(profiles(), max_size=6).map(tuple),
    criteria=st.builds(
        Criteria,
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 2),
        st.none() | st.sampled_from(Purpose),
        st.none() | st.integers(0, 9),
    ),
)
def test_what_is_cleared_matches_all_that_is_given_and_what_is_left_does_not(
    before: tuple[ChargingProfile, ...], criteria: Criteria
) -> None:
    left = cleared(before, criteria)
    for one in before:
        given_ = [criteria.id, criteria.connector, criteria.purpose, criteria.level]
        has = [one.id, one.connector, one.purpose, one.level]
        meant = all(wanted is None or wanted == is_ for wanted, is_ in zip(given_, has, strict=True))
        assert (one in left) is not meant
