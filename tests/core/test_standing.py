from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import Control, Ending, Limit, Taken
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass, Presence
from ocpp_mqtt_proxy.core.standing import ENDS, PATIENT, endings, limit_stands, settle
from tests.core.court import HOUR, LONG_AGO, MANAGEMENT, ME, OBSTACLES, OTHER, SECOND, TRANSACTIONS, Scene
from tests.core.yard import NOON

ENGAGED = frozenset({ME})
BUSY = frozenset({ME})
AT_ONCE = [reason for reason, ending in ENDS.items() if ending not in PATIENT]
PATIENTLY = [reason for reason, ending in ENDS.items() if ending in PATIENT]
NOTHING = [reason for reason in OBSTACLES if reason not in ENDS and reason is not Reason.HELD_BY_OTHER]

HOLDER = Scene(holder=ME)
"""ME holds both classes, and has been using neither for a day."""


def lost(scene: Scene, engaged: frozenset[str] = ENGAGED, control: Control | None = None) -> dict[ControlClass, Ending]:
    return dict(endings(control or scene.control, scene.world, scene.rules, scene.now, engaged))


def bound(reason: Reason) -> tuple[ControlClass, ...]:
    """The exclusive classes that a reason binds."""
    house = {Reason.CHARGER_FAULTED, Reason.PRESENCE, Reason.PRESENCE_UNKNOWN, Reason.SCHEDULE}
    return (TRANSACTIONS,) if reason in house else EXCLUSIVE


def test_who_passes_the_rules_keeps_what_it_holds() -> None:
    assert lost(HOLDER) == {}


def test_where_nobody_holds_anything_nothing_is_lost() -> None:
    assert lost(Scene()) == {}


@pytest.mark.parametrize("reason", ENDS)
def test_what_would_refuse_a_holder_takes_its_classes(reason: Reason) -> None:
    assert lost(HOLDER.but(**OBSTACLES[reason])) == dict.fromkeys(bound(reason), ENDS[reason])


@pytest.mark.parametrize("reason", AT_ONCE)
def test_a_running_transaction_saves_nobody_from(reason: Reason) -> None:
    scene = HOLDER.but(busy=BUSY, **OBSTACLES[reason])
    assert lost(scene) == dict.fromkeys(bound(reason), ENDS[reason])


@pytest.mark.parametrize("reason", PATIENTLY)
def test_presence_and_hours_wait_for_the_end_of_a_transaction(reason: Reason) -> None:
    assert lost(HOLDER.but(busy=BUSY, **OBSTACLES[reason])) == {}
    assert lost(HOLDER.but(busy=frozenset({OTHER}), **OBSTACLES[reason])) == {TRANSACTIONS: ENDS[reason]}


@pytest.mark.parametrize("reason", PATIENTLY)
def test_presence_and_hours_wait_for_nothing_where_the_owner_wants_it_stopped(reason: Reason) -> None:
    scene = HOLDER.but(busy=BUSY, house_override_stops=True, **OBSTACLES[reason])
    assert lost(scene) == {TRANSACTIONS: ENDS[reason]}


def test_what_waits_hides_nothing_that_does_not() -> None:
    scene = HOLDER.but(busy=BUSY, **OBSTACLES[Reason.PRESENCE], **OBSTACLES[Reason.ROLE])
    assert lost(scene) == dict.fromkeys(EXCLUSIVE, Ending.ROLE)


@pytest.mark.parametrize("reason", NOTHING)
def test_a_charger_that_is_away_or_out_of_service_comes_back(reason: Reason) -> None:
    assert lost(HOLDER.but(**OBSTACLES[reason])) == {}


@pytest.mark.parametrize("reason", AT_ONCE)
def test_a_charger_that_is_away_saves_nobody_either(reason: Reason) -> None:
    scene = HOLDER.but(online=False, unavailable=True, **OBSTACLES[reason])
    assert lost(scene) == dict.fromkeys(bound(reason), ENDS[reason])


@pytest.mark.parametrize("reason", ENDS)
def test_the_owner_loses_nothing_to_any_rule(reason: Reason) -> None:
    assert lost(Scene(holder=OWNER).but(**OBSTACLES[reason]), frozenset()) == {}


# In charge by the owner's word

FORCED = HOLDER.but(mode=ME)
OVERRULED = [Reason.SHARING_DISABLED, *PATIENTLY]
NOT_OVERRULED = [reason for reason in ENDS if reason not in {*OVERRULED, Reason.OVERRIDE}]


@pytest.mark.parametrize("reason", OVERRULED)
def test_whom_the_owner_put_in_charge_keeps_it_against(reason: Reason) -> None:
    assert lost(FORCED.but(**OBSTACLES[reason])) == {}


@pytest.mark.parametrize("reason", NOT_OVERRULED)
def test_even_whom_the_owner_put_in_charge_loses_it_to(reason: Reason) -> None:
    assert lost(FORCED.but(**OBSTACLES[reason])) == dict.fromkeys(bound(reason), ENDS[reason])


def test_whom_the_owner_put_in_charge_is_not_timed_out() -> None:
    assert lost(FORCED, engaged=frozenset()) == {}


# Unused


@pytest.mark.parametrize(("unused", "ends"), [
    (timedelta(seconds=59.999), False), (timedelta(seconds=60), True), (HOUR, True),
])  # fmt: skip
def test_a_class_that_is_not_used_is_freed(unused: timedelta, ends: bool) -> None:
    control = Control("CP1")
    control.grant(ME, MANAGEMENT, NOON - unused)
    assert lost(HOLDER, frozenset(), control) == ({MANAGEMENT: Ending.TIMEOUT} if ends else {})


@pytest.mark.parametrize(("engaged", "busy"), [(ENGAGED, frozenset()), (frozenset(), BUSY)])
def test_who_has_something_in_force_is_not_timed_out(engaged: frozenset[str], busy: frozenset[str]) -> None:
    assert lost(HOLDER.but(busy=busy), engaged) == {}


def test_what_another_has_in_force_keeps_no_class() -> None:
    other = frozenset({OTHER})
    assert lost(HOLDER.but(busy=other), other) == dict.fromkeys(EXCLUSIVE, Ending.TIMEOUT)


def test_who_has_something_in_force_while_presence_waits_is_not_timed_out_either() -> None:
    assert lost(HOLDER.but(busy=BUSY, **OBSTACLES[Reason.PRESENCE]), frozenset()) == {}


# Settling


def settled(scene: Scene, control: Control, engaged: frozenset[str] = frozenset()) -> list[Taken]:
    return settle(control, scene.world, scene.rules, scene.now, engaged)


def taken(ending: Ending, classes: Iterable[ControlClass] = EXCLUSIVE) -> list[Taken]:
    return [Taken(ME, one, ending) for one in classes]


@pytest.mark.parametrize("reason", ENDS)
def test_what_a_holder_may_not_keep_is_taken_and_told_once(reason: Reason) -> None:
    scene = HOLDER.but(**OBSTACLES[reason])
    control = scene.control
    assert settled(scene, control, ENGAGED) == taken(ENDS[reason], bound(reason))
    assert settled(scene, control, ENGAGED) == []
    assert [control.holder(one) for one in bound(reason)] == [None] * len(bound(reason))


@pytest.mark.parametrize(("engaged", "busy"), [(ENGAGED, frozenset()), (frozenset(), BUSY)])
def test_the_time_out_runs_from_the_end_of_what_was_in_force(engaged: frozenset[str], busy: frozenset[str]) -> None:
    control = HOLDER.control
    assert settled(HOLDER.but(busy=busy), control, engaged) == []
    assert settled(HOLDER.but(now=NOON + 59 * SECOND), control) == []
    assert settled(HOLDER.but(now=NOON + 60 * SECOND), control) == taken(Ending.TIMEOUT)


def test_a_clock_that_was_put_back_keeps_nobody_in_control() -> None:
    control = Control("CP1")
    control.grant(ME, TRANSACTIONS, NOON + HOUR)
    assert settled(HOLDER, control) == []
    assert settled(HOLDER.but(now=NOON + 60 * SECOND), control) == taken(Ending.TIMEOUT, (TRANSACTIONS,))


def test_a_class_in_idle_hands_is_not_used_by_looking() -> None:
    control = HOLDER.control
    settled(HOLDER.but(now=LONG_AGO), control)
    assert [holding.used_at for holding in control.holders.values()] == [LONG_AGO] * 2


def test_looking_for_endings_changes_nothing() -> None:
    scene = HOLDER.but(**OBSTACLES[Reason.BLOCKED])
    control = scene.control
    before = deepcopy(control)
    lost(scene, control=control)
    assert control == before


# Limits

ORDINARY, EASED = Limit(Amps(10)), Limit(Amps(10), eased=True)


def stands(scene: Scene) -> bool:
    return limit_stands(scene.control, ME, scene.world, scene.rules, scene.now)


def test_the_limit_of_one_that_passes_stands() -> None:
    assert stands(Scene(limit=ORDINARY))


@pytest.mark.parametrize("busy", [frozenset(), BUSY])
@pytest.mark.parametrize("reason", [reason for reason in ENDS if reason is not Reason.CHARGER_FAULTED])
def test_the_limit_of_one_that_passes_no_longer_goes(reason: Reason, busy: frozenset[str]) -> None:
    assert not stands(Scene(limit=ORDINARY, busy=busy).but(**OBSTACLES[reason]))


@pytest.mark.parametrize("reason", [*NOTHING, Reason.CHARGER_FAULTED, Reason.HELD_BY_OTHER])
def test_no_limit_is_lifted_by(reason: Reason) -> None:
    assert stands(Scene(limit=ORDINARY).but(**OBSTACLES[reason]))


def test_a_fault_hides_nothing_that_lifts_a_limit() -> None:
    assert not stands(Scene(limit=ORDINARY).but(**OBSTACLES[Reason.CHARGER_FAULTED], **OBSTACLES[Reason.SCHEDULE]))


@pytest.mark.parametrize("reason", [reason for reason in ENDS if reason is not Reason.BLOCKED])
def test_what_was_lowered_against_the_rules_stays_so_while_the_transaction_runs(reason: Reason) -> None:
    assert stands(Scene(limit=EASED, busy=BUSY).but(**OBSTACLES[reason]))


@pytest.mark.parametrize("reason", [reason for reason in ENDS if reason is not Reason.CHARGER_FAULTED])
def test_what_was_lowered_against_the_rules_goes_with_the_transaction(reason: Reason) -> None:
    assert not stands(Scene(limit=EASED, busy=frozenset({OTHER})).but(**OBSTACLES[reason]))


def test_what_was_lowered_goes_when_its_provider_is_blocked() -> None:
    assert not stands(Scene(limit=EASED, busy=BUSY).but(**OBSTACLES[Reason.BLOCKED]))


@pytest.mark.parametrize("forced", [{}, {"presence": Presence.HOME}, {"house_sharing": False}])
def test_the_limit_of_one_in_charge_stands(forced: dict[str, Any]) -> None:
    assert stands(Scene(limit=ORDINARY, mode=ME).but(**forced))
