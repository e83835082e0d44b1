from __future__ import annotations

from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.core.control import AUTO, Asking, Control, Ending, Holding, Taken, Verdict
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass
from tests.core.court import ACT, HOLD, HOUR, MANAGEMENT, ME, OTHER, SECOND, SMART_CHARGING, TRANSACTIONS
from tests.core.yard import NOON

LIMIT = timedelta(seconds=10)


@pytest.fixture
def control() -> Control:
    return Control("CP1")


def held(control: Control) -> dict[ControlClass, str]:
    return {one: holding.provider for one, holding in control.holders.items()}


def take_all(control: Control, provider: str) -> None:
    for control_class in EXCLUSIVE:
        control.grant(provider, control_class, NOON)


# Granting


def test_at_first_the_rules_decide_and_nobody_holds_anything(control: Control) -> None:
    assert (control.mode, control.owner, held(control)) == (AUTO, None, {})


@pytest.mark.parametrize("control_class", EXCLUSIVE)
def test_a_class_is_granted(control: Control, control_class: ControlClass) -> None:
    assert control.grant(ME, control_class, NOON) is None
    assert control.holder(control_class) == ME
    assert held(control) == {control_class: ME}


@pytest.mark.parametrize("control_class", EXCLUSIVE)
def test_a_class_that_goes_to_another_is_taken_from_its_holder(control: Control, control_class: ControlClass) -> None:
    control.grant(ME, control_class, NOON)
    assert control.grant(OTHER, control_class, NOON + SECOND) == Taken(ME, control_class, Ending.PREEMPTED)
    assert control.holders == {control_class: Holding(OTHER, NOON + SECOND, NOON + SECOND)}


def test_what_is_granted_again_is_in_use_and_nothing_to_tell(control: Control) -> None:
    control.grant(ME, TRANSACTIONS, NOON)
    assert control.grant(ME, TRANSACTIONS, NOON + HOUR) is None
    assert control.holders[TRANSACTIONS] == Holding(ME, since=NOON, used_at=NOON + HOUR)


def test_nobody_holds_what_is_shared(control: Control) -> None:
    assert control.grant(ME, SMART_CHARGING, NOON) is None
    assert held(control) == {}


# Using


def test_a_holder_uses_its_class(control: Control) -> None:
    take_all(control, ME)
    control.use(ME, TRANSACTIONS, NOON + HOUR)
    assert [control.holders[one].used_at for one in EXCLUSIVE] == [NOON + HOUR, NOON]


def test_what_somebody_else_does_is_no_use_of_a_class(control: Control) -> None:
    control.grant(ME, TRANSACTIONS, NOON)
    control.use(OTHER, TRANSACTIONS, NOON + HOUR)
    control.use(ME, MANAGEMENT, NOON + HOUR)
    assert control.holders == {TRANSACTIONS: Holding(ME, NOON, NOON)}


# Taking


def test_all_is_taken_from_whoever_holds_it(control: Control) -> None:
    control.grant(ME, TRANSACTIONS, NOON)
    control.grant(OTHER, MANAGEMENT, NOON)
    assert control.take(Ending.FAULTED) == [
        Taken(ME, TRANSACTIONS, Ending.FAULTED),
        Taken(OTHER, MANAGEMENT, Ending.FAULTED),
    ]
    assert held(control) == {}


def test_one_class_is_taken_and_the_other_left(control: Control) -> None:
    take_all(control, ME)
    assert control.take(Ending.FAULTED, (TRANSACTIONS,)) == [Taken(ME, TRANSACTIONS, Ending.FAULTED)]
    assert held(control) == {MANAGEMENT: ME}


def test_what_a_provider_releases_is_its_own_only(control: Control) -> None:
    control.grant(ME, TRANSACTIONS, NOON)
    control.grant(OTHER, MANAGEMENT, NOON)
    assert control.take(Ending.RELEASED, provider=ME) == [Taken(ME, TRANSACTIONS, Ending.RELEASED)]
    assert held(control) == {MANAGEMENT: OTHER}


def test_what_is_gone_is_not_taken_and_told_again(control: Control) -> None:
    take_all(control, ME)
    assert len(control.take(Ending.BLOCKED, provider=ME)) == 2
    assert control.take(Ending.BLOCKED, provider=ME) == []


# Modes


@pytest.mark.parametrize("mode", [OWNER, OTHER])
def test_who_is_not_in_charge_loses_what_it_holds_and_that_is_told_once(control: Control, mode: str) -> None:
    take_all(control, ME)
    assert control.set_mode(mode) == [Taken(ME, one, Ending.OVERRIDE) for one in EXCLUSIVE]
    assert control.set_mode(mode) == []
    assert (control.mode, held(control)) == (mode, {})


def test_who_is_put_in_charge_keeps_what_it_holds(control: Control) -> None:
    control.grant(ME, TRANSACTIONS, NOON)
    control.grant(OTHER, MANAGEMENT, NOON)
    assert control.set_mode(ME) == [Taken(OTHER, MANAGEMENT, Ending.OVERRIDE)]
    assert held(control) == {TRANSACTIONS: ME}


def test_giving_it_back_to_the_rules_takes_nothing(control: Control) -> None:
    control.set_mode(ME)
    control.grant(ME, TRANSACTIONS, NOON)
    assert control.set_mode(AUTO) == []
    assert (control.mode, control.owner) == (AUTO, ME)


def test_the_owner_in_charge_is_the_owner_of_transactions(control: Control) -> None:
    control.grant(ME, TRANSACTIONS, NOON)
    assert control.owner == ME
    control.set_mode(OWNER)
    assert control.owner == OWNER
    control.set_mode(AUTO)
    assert control.owner is None


def test_the_owner_s_session_goes_on_when_the_owner_takes_charge(control: Control) -> None:
    control.grant(OWNER, TRANSACTIONS, NOON)
    assert control.set_mode(OWNER) == []
    assert control.owner == OWNER


def test_the_owner_s_session_is_taken_from_the_owner_by_a_grant_only(control: Control) -> None:
    control.grant(OWNER, TRANSACTIONS, NOON)
    assert control.set_mode(ME) == []
    assert control.owner == OWNER
    assert control.grant(ME, TRANSACTIONS, NOON) == Taken(OWNER, TRANSACTIONS, Ending.HANDED_OVER)


def test_only_who_was_put_in_charge_is_forced(control: Control) -> None:
    assert not control.forced(ME)
    control.set_mode(ME)
    assert (control.forced(ME), control.forced(OTHER)) == (True, False)


# Remembering


def verdict(after: timedelta = timedelta(0)) -> Verdict:
    return Verdict(NOON + after, ME, TRANSACTIONS, granted=True)


ASKING: Asking = (ME, TRANSACTIONS, ACT)


def test_the_last_decision_is_remembered(control: Control) -> None:
    control.note(verdict(), None, LIMIT)
    control.note(verdict(SECOND), None, LIMIT)
    assert (control.last, control.asked) == (verdict(SECOND), {})


def test_what_counts_is_remembered_while_it_limits(control: Control) -> None:
    control.note(verdict(), ASKING, LIMIT)
    control.note(verdict(LIMIT - SECOND), (ME, TRANSACTIONS, HOLD), LIMIT)
    assert control.asked == {ASKING: NOON, (ME, TRANSACTIONS, HOLD): NOON + LIMIT - SECOND}
    control.note(verdict(LIMIT), None, LIMIT)
    assert control.asked == {(ME, TRANSACTIONS, HOLD): NOON + LIMIT - SECOND}


def test_what_counts_again_is_remembered_anew(control: Control) -> None:
    control.note(verdict(), ASKING, LIMIT)
    control.note(verdict(SECOND), ASKING, LIMIT)
    assert control.asked == {ASKING: NOON + SECOND}


def test_what_was_asked_at_a_time_to_come_is_forgotten(control: Control) -> None:
    control.note(verdict(HOUR), ASKING, LIMIT)
    control.note(verdict(), None, LIMIT)
    assert control.asked == {}


def test_many_strangers_fill_no_memory(control: Control) -> None:
    for second in range(1000):
        control.note(verdict(second * SECOND), (f"stranger-{second}", TRANSACTIONS, HOLD), LIMIT)
    assert len(control.asked) == 10
