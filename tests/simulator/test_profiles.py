"""The profiles that a box holds: what it takes, what it follows, and what it gives up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import (
    ClearProfiles,
    Order,
    Outcome,
    Reason,
    SetProfile,
    StartCharging,
    StopCharging,
    TellSchedule,
)
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import IdToken, Place, StopReason, Target
from ocpp_mqtt_proxy.core.settings import MOST_PERIODS, STACK_LEVEL
from ocpp_mqtt_proxy.simulator.box import Box, Welcome
from ocpp_mqtt_proxy.simulator.car import Car
from ocpp_mqtt_proxy.simulator.orders import obey
from ocpp_mqtt_proxy.simulator.profiles import MOST_PROFILES
from ocpp_mqtt_proxy.simulator.smart_charging import in_words
from tests.fakes import NOON

ELSEWHERE = Target(2, Place(2, 1))
HERE = Target(1, Place(1, 1))
WHOLE = Target()


@pytest.fixture
def box() -> Box:
    """One that charges."""
    made = Box()
    made.plug(Car(), NOON)
    made.authorize(Welcome(IdToken("A"), NOON), NOON)
    return made


@pytest.fixture
def idle() -> Box:
    made = Box()
    made.plug(Car(), NOON)
    return made


def told(box: Box, order: Order, at: datetime = NOON) -> Outcome:
    return obey(box, order, at)


def a_profile(*amps: float, **more: Any) -> ChargingProfile:
    """One that began at noon, of a minute each."""
    periods = tuple(Period(60.0 * number, value) for number, value in enumerate(amps))
    schedule = Schedule(periods, more.pop("in_watts", False), NOON, more.pop("duration", None))
    return ChargingProfile(schedule, **{"id": 1, "connector": 1, **more})


def default(*amps: float, **more: Any) -> SetProfile:
    return SetProfile(HERE, a_profile(*amps, **more))


def of_transaction(box: Box, *amps: float, **more: Any) -> SetProfile:
    profile = a_profile(*amps, purpose=Purpose.TRANSACTION, **{"id": 2, **more})
    return SetProfile(HERE, profile, box.transaction.id if box.transaction else "none")


def later(box: Box, minutes: float) -> float:
    """What is offered after some minutes from noon."""
    box.tick(NOON + timedelta(minutes=minutes), 60)
    return box.offered


# What it follows


def test_a_limit_is_obeyed_at_once_and_stays(box: Box) -> None:
    assert told(box, default(7)).ok
    assert box.power == 7 * 3 * 230
    box.stop(StopReason.LOCAL, NOON)
    told(box, StartCharging(HERE, "B", 7))
    assert box.offered == 7


def test_nought_pauses_and_a_limit_from_six_on_goes_on(box: Box) -> None:
    told(box, default(0))
    assert box.status == "suspended_evse"
    told(box, default(6))
    assert box.status == "charging"


def test_steps_are_followed_as_time_goes_by_until_the_profile_is_over(box: Box) -> None:
    told(box, default(6))
    told(box, of_transaction(box, 20, 10, duration=120))
    assert [later(box, minutes) for minutes in (0.5, 1.5, 2.5)] == [20, 10, 6]


def test_the_highest_level_rules_and_the_next_lower_one_once_it_is_over(box: Box) -> None:
    told(box, default(20, level=2, id=8, duration=60))
    told(box, default(6, level=1, id=9))
    assert [later(box, minutes) for minutes in (0.5, 1.5)] == [20, 6]


def test_a_day_comes_again(box: Box) -> None:
    told(box, default(8, kind=Kind.RECURRING, every=timedelta(days=1), duration=60))
    assert [later(box, minutes) for minutes in (0.5, 1.5, 24 * 60 + 0.5)] == [8, 32, 8]


def test_what_is_not_valid_yet_or_any_more_counts_for_nothing(box: Box) -> None:
    valid_from, valid_to = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)
    told(box, default(8, valid_from=valid_from, valid_to=valid_to))
    assert [later(box, minutes) for minutes in (0.5, 1.5, 2.5)] == [32, 8, 32]


def test_power_is_shared_out_over_three_phases(box: Box) -> None:
    told(box, default(6900, in_watts=True))
    assert box.offered == 10


def test_what_the_whole_charger_may_binds_every_transaction(box: Box) -> None:
    told(box, of_transaction(box, 20))
    assert told(box, SetProfile(WHOLE, a_profile(12, purpose=Purpose.STATION_MAX, connector=0, id=3))).ok
    assert box.offered == 12


# What is a transaction's alone


def test_a_transaction_s_profile_holds_for_it_alone(box: Box) -> None:
    assert told(box, of_transaction(box, 8)).ok
    assert box.offered == 8
    box.stop(StopReason.REMOTE, NOON)
    told(box, StartCharging(HERE, "B", 7))
    assert box.offered == 32
    assert box.profiles.profiles == ()


def test_a_transaction_s_profile_without_that_transaction_is_refused(box: Box, idle: Box) -> None:
    for one, order in ((box, replace(of_transaction(box, 8), transaction_id="x")), (idle, of_transaction(idle, 8))):
        outcome = told(one, order)
        assert (outcome.reason, outcome.result["reason_code"]) == (Reason.CHARGER_REJECTED, "TxNotFound")


@pytest.mark.parametrize("loose", [False, True])
def test_only_in_1_6_it_need_not_name_its_transaction(box: Box, loose: bool) -> None:
    box.profiles.loose = loose
    assert told(box, replace(of_transaction(box, 8), transaction_id=None)).ok is loose


def started_with(profile: ChargingProfile, beyond: str = "") -> StartCharging:
    return StartCharging(HERE, "B", 7, profile=profile, beyond=beyond)


def test_what_comes_with_a_start_is_for_the_transaction_that_begins_by_it(idle: Box) -> None:
    assert told(idle, started_with(a_profile(9, purpose=Purpose.TRANSACTION))).ok
    assert idle.offered == 9
    idle.stop(StopReason.REMOTE, NOON)
    told(idle, StartCharging(HERE, "C", 8))
    assert idle.offered == 32


def test_a_start_whose_profile_it_cannot_keep_to_is_refused(idle: Box) -> None:
    for order in (started_with(a_profile(-1)), started_with(a_profile(9), beyond="setpoint")):
        assert told(idle, order).reason is Reason.CHARGER_REJECTED
    assert idle.transaction is None


# What it takes


@pytest.mark.parametrize(
    ("order", "because"),
    [
        (SetProfile(ELSEWHERE, a_profile(8)), "UnknownEvse"),
        (default(8, level=6), "InvalidStackLevel"),
        (default(*range(6, 31)), "TooManyElements"),
        (default(-1), "InvalidSchedule"),
        (default(8, kind=Kind.DYNAMIC), "UnsupportedKind"),
        (default(8, purpose=Purpose.EXTERNAL), "InvalidProfile"),
    ],
)
def test_what_it_cannot_keep_to_it_refuses_and_says_why(box: Box, order: SetProfile, because: str) -> None:
    outcome = told(box, order)
    assert (outcome.reason, outcome.result["reason_code"]) == (Reason.CHARGER_REJECTED, because)
    assert box.offered == 32


def test_what_it_has_no_idea_of_it_does_not_support(box: Box) -> None:
    assert told(box, SetProfile(HERE, a_profile(8), beyond="v2x")).reason is Reason.NOT_SUPPORTED


def test_it_takes_as_many_as_it_says(box: Box) -> None:
    box.settings[MOST_PROFILES] = "2"
    assert [told(box, default(8, id=number, level=number)).ok for number in (1, 2, 3, 2)] == [True, True, False, True]


def test_it_says_how_much_it_takes(box: Box) -> None:
    assert [box.settings[name] for name in (STACK_LEVEL, MOST_PERIODS, MOST_PROFILES)] == ["5", "24", "20"]


@pytest.mark.parametrize(("loose", "taken"), [(True, 10), (False, 8)])
def test_two_of_one_level_stand_in_each_others_place_in_1_6_and_are_refused_in_2_x(
    box: Box, loose: bool, taken: float
) -> None:
    box.profiles.loose = loose
    told(box, default(8, id=1))
    assert told(box, default(10, id=2)).ok is loose
    assert box.offered == taken


# What it gives up


@pytest.mark.parametrize(
    ("order", "offered"),
    [
        (ClearProfiles(), 32),
        (ClearProfiles(Criteria(2)), 6),
        (ClearProfiles(Criteria(purpose=Purpose.TRANSACTION)), 6),
        (ClearProfiles(at=HERE), 32),
        (ClearProfiles(Criteria(level=0), HERE), 32),
        (ClearProfiles(Criteria(purpose=Purpose.DEFAULT)), 9),
    ],
)
def test_what_matches_is_cleared(box: Box, order: ClearProfiles, offered: float) -> None:
    told(box, default(6))
    told(box, of_transaction(box, 9))
    assert told(box, order).ok
    assert box.offered == offered


@pytest.mark.parametrize(
    "order", [ClearProfiles(Criteria(7)), ClearProfiles(at=WHOLE), ClearProfiles(Criteria(level=1))]
)
def test_where_nothing_matches_it_says_so(box: Box, order: ClearProfiles) -> None:
    told(box, default(6))
    assert told(box, order).reason is Reason.INVALID
    assert box.offered == 6


# What will flow


def test_it_tells_what_will_flow(box: Box) -> None:
    told(box, default(20, 10, duration=120))
    outcome = told(box, TellSchedule(HERE, 300), NOON + timedelta(seconds=30))
    assert outcome.result["periods"] == [(0, 20), (30, 10), (90, 32)]
    assert (outcome.result["start"], outcome.result["in_watts"]) == ("2026-03-14T12:00:30Z", False)


def test_it_tells_it_in_watts_where_asked_and_as_if_a_transaction_began(idle: Box) -> None:
    told(idle, default(10))
    outcome = told(idle, TellSchedule(WHOLE, 60, in_watts=True))
    assert outcome.result["periods"] == [(0, 6900)]


@pytest.mark.parametrize("order", [TellSchedule(ELSEWHERE, 60), TellSchedule(HERE, 0)])
def test_there_is_nothing_to_tell_of_nowhere_and_no_time(box: Box, order: TellSchedule) -> None:
    assert told(box, order).reason is Reason.INVALID


def test_stopping_from_afar_ends_what_was_for_it_alone(box: Box) -> None:
    told(box, default(6))
    told(box, of_transaction(box, 9))
    assert box.transaction is not None
    told(box, StopCharging(box.transaction.id))
    assert [one.purpose for one in box.profiles.profiles] == [Purpose.DEFAULT]


# What is said of them


def test_a_profile_is_told_in_a_line() -> None:
    profile = a_profile(10, 16, level=7, duration=960.0)
    assert in_words(profile) == "a tx_default profile at level 7: 10 A from 0 s on, then 16 A from 60 s on, for 960 s"


def test_one_in_watts_is_told_in_watts() -> None:
    assert in_words(a_profile(4140, in_watts=True)) == "a tx_default profile at level 0: 4140 W from 0 s on"
