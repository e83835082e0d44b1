from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from itertools import combinations, product
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.arbiter import CHECKS, Grant, Intent, Refusal, note
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import Control, Verdict
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence, PresenceRule, Terms
from tests.core.court import (
    ACT,
    ANSWER,
    EASE,
    HOLD,
    HOUR,
    MANAGEMENT,
    ME,
    OBSTACLES,
    OTHER,
    SECOND,
    SMART_CHARGING,
    TRANSACTIONS,
    Scene,
)
from tests.core.yard import NOON

ORDER = list(OBSTACLES)

SITUATIONS = list(product(ControlClass, Intent))

OF_THE_HOUSE = {
    Reason.CHARGER_FAULTED,
    Reason.CHARGER_UNAVAILABLE,
    Reason.PRESENCE_UNKNOWN,
    Reason.PRESENCE,
    Reason.SCHEDULE,
}
"""What binds transactions and smart charging, not management: the repairman must get in."""

SHARED = {Reason.HELD_BY_OTHER}
"""What does not bind smart charging: every provider keeps a limit of its own."""

SKIPPED_BY_FORCE = {
    Reason.SHARING_DISABLED,
    Reason.PRESENCE_UNKNOWN,
    Reason.PRESENCE,
    Reason.SCHEDULE,
    Reason.RATE_LIMITED,
    Reason.HELD_BY_OTHER,
}
"""What is nothing to a provider that the owner put in charge."""

FOR_EASING = {Reason.BLOCKED, Reason.CHARGER_OFFLINE, Reason.NOT_YOURS}
"""What binds one who lowers, stops or releases: and then it is to be one's own."""

CANNOT_MEET = {
    frozenset({Reason.PRESENCE, Reason.PRESENCE_UNKNOWN}): "a feed says who is at home, or it does not",
}
"""What cannot stand in the way together, and why not."""


def possible(intent: Intent) -> list[Reason]:
    """What can stand in the way at all: who asks for a class touches nobody's session."""
    return [reason for reason in ORDER if not (intent is HOLD and reason is Reason.NOT_YOURS)]


def binding(control_class: ControlClass, intent: Intent) -> list[Reason]:
    """The reasons that a request can meet, by the words of the contract, in order."""
    if intent is EASE:
        return [reason for reason in ORDER if reason in FOR_EASING]
    never = {MANAGEMENT: OF_THE_HOUSE, SMART_CHARGING: SHARED, TRANSACTIONS: set[Reason]()}[control_class]
    never = never | ({Reason.CHARGER_OFFLINE, Reason.RATE_LIMITED} if intent is ANSWER else set())
    return [reason for reason in possible(intent) if reason not in never]


def can_meet(one: Reason, other: Reason) -> bool:
    """Whether two obstacles can stand at once: they do not want the same thing to be different."""
    both = OBSTACLES[one].keys() & OBSTACLES[other].keys()
    return all(OBSTACLES[one][name] == OBSTACLES[other][name] for name in both)


def against(control_class: ControlClass, intent: Intent, *reasons: Reason) -> Scene:
    """A request with obstacles in its way."""
    changes = [change for reason in reasons for change in OBSTACLES[reason].items()]
    return Scene(control_class=control_class, intent=intent).but(**dict(changes))


def forced(scene: Scene) -> Scene:
    """The same while the owner has put the provider in charge."""
    return scene.but(mode=ME)


def ask(control: Control, scene: Scene) -> Reason | None:
    """Ask, and have the answer remembered."""
    answer = scene.answer(control)
    note(control, scene.request, answer, scene.rules, scene.now)
    return answer.reason if isinstance(answer, Refusal) else None


ALONE = [(*situation, reason) for situation in SITUATIONS for reason in binding(*situation)]
IDLE = [
    (*situation, reason)
    for situation in SITUATIONS
    for reason in possible(situation[1])
    if reason not in binding(*situation)
]
COMPETING = [
    (*situation, *pair) for situation in SITUATIONS for pair in combinations(binding(*situation), 2) if can_meet(*pair)
]


# The table


def test_the_rules_are_looked_at_in_the_contract_s_order() -> None:
    assert [reason for reason, _ in CHECKS] == ORDER


def test_what_cannot_stand_in_the_way_together_is_known() -> None:
    assert {frozenset(pair) for pair in combinations(ORDER, 2) if not can_meet(*pair)} == CANNOT_MEET.keys()


@pytest.mark.parametrize(("control_class", "intent"), SITUATIONS)
def test_with_nothing_in_the_way_the_answer_is_yes(control_class: ControlClass, intent: Intent) -> None:
    assert Scene(control_class=control_class, intent=intent).answer() == Grant()


@pytest.mark.parametrize(("control_class", "intent", "reason"), ALONE)
def test_each_reason_is_reached_alone(control_class: ControlClass, intent: Intent, reason: Reason) -> None:
    assert against(control_class, intent, reason).reason() is reason


@pytest.mark.parametrize(("control_class", "intent", "reason"), IDLE)
def test_what_does_not_bind_is_in_nobody_s_way(control_class: ControlClass, intent: Intent, reason: Reason) -> None:
    assert against(control_class, intent, reason).reason() is None


@pytest.mark.parametrize(("control_class", "intent", "earlier", "later"), COMPETING)
def test_of_two_reasons_the_earlier_is_the_answer(
    control_class: ControlClass, intent: Intent, earlier: Reason, later: Reason
) -> None:
    assert against(control_class, intent, earlier, later).reason() is earlier


@pytest.mark.parametrize(("control_class", "intent"), SITUATIONS)
@pytest.mark.parametrize("unheard", [Reason.PRESENCE, Reason.PRESENCE_UNKNOWN])
def test_as_each_obstacle_goes_the_next_is_the_answer(
    control_class: ControlClass, intent: Intent, unheard: Reason
) -> None:
    left = [reason for reason in binding(control_class, intent) if reason is not unheard]
    met = []
    while left:
        met.append(against(control_class, intent, *left).reason())
        left.remove(met[-1] or left[0])
    assert met == [reason for reason in binding(control_class, intent) if reason is not unheard]


@pytest.mark.parametrize(("control_class", "intent", "reason"), ALONE)
def test_a_refusal_says_to_whom_and_why(control_class: ControlClass, intent: Intent, reason: Reason) -> None:
    answer = against(control_class, intent, reason).answer()
    assert isinstance(answer, Refusal)
    assert answer.message.startswith(f"{ME}: ")
    assert len(answer.message) > len(f"{ME}: ")


def test_nobody_changes_anything_by_deciding() -> None:
    scene = against(TRANSACTIONS, ACT, Reason.HELD_BY_OTHER, Reason.RATE_LIMITED)
    control = scene.control
    before = deepcopy(control)
    scene.answer()
    assert control == before


# Who may come in


def test_whom_nobody_named_is_not_let_in() -> None:
    assert Scene(provider="stranger").reason() is Reason.NOT_ALLOWED


def test_who_is_not_named_comes_in_where_the_owner_lets_strangers() -> None:
    assert Scene(provider="stranger").but(house_strangers=Terms("")).reason() is None


def test_a_stranger_has_no_part_in_management() -> None:
    scene = Scene(provider="stranger", control_class=MANAGEMENT).but(house_strangers=Terms(""))
    assert scene.reason() is Reason.ROLE


def test_a_blocked_stranger_is_blocked() -> None:
    assert Scene(provider="stranger").but(house_blocked=frozenset({"stranger"})).reason() is Reason.BLOCKED


def test_whom_the_owner_allows_may_still_be_blocked() -> None:
    both = frozenset({ME})
    assert Scene().but(house_allowed=both, house_blocked=both).reason() is Reason.BLOCKED
    assert Scene().but(house_allowed=both).reason() is None


# Presence

HOME, AWAY, UNKNOWN = Presence

PRESENCE_TABLE = [
    (PresenceRule.ANY, None, None), (PresenceRule.ANY, HOME, None),
    (PresenceRule.ANY, AWAY, None), (PresenceRule.ANY, UNKNOWN, None),
    (PresenceRule.HOME, None, None), (PresenceRule.HOME, HOME, None),
    (PresenceRule.HOME, AWAY, Reason.PRESENCE), (PresenceRule.HOME, UNKNOWN, Reason.PRESENCE_UNKNOWN),
    (PresenceRule.AWAY, None, None), (PresenceRule.AWAY, HOME, Reason.PRESENCE),
    (PresenceRule.AWAY, AWAY, None), (PresenceRule.AWAY, UNKNOWN, Reason.PRESENCE_UNKNOWN),
]  # fmt: skip
"""A provider's rule, what the feed says (None: there is no feed), and what comes of it where unknown denies."""


@pytest.mark.parametrize(("rule", "presence", "reason"), PRESENCE_TABLE)
def test_presence(rule: PresenceRule, presence: Presence | None, reason: Reason | None) -> None:
    assert Scene(rule=rule, presence=presence).reason() is reason


@pytest.mark.parametrize("rule", PresenceRule)
def test_a_lost_feed_hinders_nobody_where_the_owner_said_so(rule: PresenceRule) -> None:
    assert Scene(rule=rule, presence=UNKNOWN).but(house_unknown_denies=False).reason() is None


# Forced mode


NEVER_SKIPPED = [
    (*situation, reason)
    for situation in SITUATIONS
    for reason in binding(*situation)
    if reason not in SKIPPED_BY_FORCE | {Reason.OVERRIDE}
]
SKIPPED = [(*situation, reason) for situation in SITUATIONS for reason in SKIPPED_BY_FORCE & set(binding(*situation))]


@pytest.mark.parametrize(("control_class", "intent", "reason"), sorted(SKIPPED))
def test_whom_the_owner_put_in_charge_is_not_hindered_by(
    control_class: ControlClass, intent: Intent, reason: Reason
) -> None:
    assert forced(against(control_class, intent, reason)).reason() is None


@pytest.mark.parametrize(("control_class", "intent", "reason"), NEVER_SKIPPED)
def test_even_whom_the_owner_put_in_charge_meets(control_class: ControlClass, intent: Intent, reason: Reason) -> None:
    skipped = SKIPPED_BY_FORCE - {Reason.PRESENCE}
    assert forced(against(control_class, intent, reason)).reason() is reason
    assert forced(against(control_class, intent, reason, *skipped)).reason() is reason


@pytest.mark.parametrize("mode", [OWNER, OTHER])
@pytest.mark.parametrize("control_class", ControlClass)
@pytest.mark.parametrize("intent", [HOLD, ACT, ANSWER])
def test_while_another_is_in_charge_it_is_the_override(mode: str, control_class: ControlClass, intent: Intent) -> None:
    assert Scene(control_class=control_class, intent=intent, mode=mode).reason() is Reason.OVERRIDE


@pytest.mark.parametrize("mode", [OWNER, OTHER])
@pytest.mark.parametrize("control_class", ControlClass)
def test_one_s_own_is_lowered_and_stopped_under_any_override(mode: str, control_class: ControlClass) -> None:
    assert Scene(control_class=control_class, intent=EASE, mode=mode, whose=ME).reason() is None


@pytest.mark.parametrize("mode", [OWNER, OTHER])
def test_another_s_session_is_not_to_be_stopped_under_an_override_either(mode: str) -> None:
    assert Scene(intent=EASE, mode=mode, whose=OTHER).reason() is Reason.NOT_YOURS


# Held


def test_who_holds_a_class_and_asks_again_gets_it() -> None:
    assert Scene(intent=HOLD, holder=ME, asked=SECOND).reason() is None


def test_who_holds_a_class_acts_no_more_often_for_it() -> None:
    assert Scene(holder=ME, asked=SECOND).reason() is Reason.RATE_LIMITED


RANKS: list[tuple[str, dict[str, Any], Reason | None]] = [
    ("an equal waits", {}, Reason.HELD_BY_OTHER),
    ("a lower priority waits", {"others_priority": 1}, Reason.HELD_BY_OTHER),
    ("a larger priority goes before", {"priority": 1}, None),
    ("the preferred goes before", {"house_preferred": ME}, None),
    ("the preferred goes before a larger priority", {"house_preferred": ME, "others_priority": 9}, None),
    ("nobody goes before the preferred", {"house_preferred": OTHER, "priority": 9}, Reason.HELD_BY_OTHER),
    ("another preferred one changes nothing", {"house_preferred": "third", "priority": 1}, None),
]


@pytest.mark.parametrize("control_class", [TRANSACTIONS, MANAGEMENT])
@pytest.mark.parametrize("intent", [HOLD, ACT, ANSWER])
@pytest.mark.parametrize(("changes", "reason"), [rank[1:] for rank in RANKS], ids=[rank[0] for rank in RANKS])
def test_before_an_idle_holder(
    control_class: ControlClass, intent: Intent, changes: dict[str, Any], reason: Reason | None
) -> None:
    assert Scene(control_class=control_class, intent=intent, holder=OTHER).but(**changes).reason() is reason


STRONG = {"house_preferred": ME, "priority": 9}


@pytest.mark.parametrize("control_class", [TRANSACTIONS, MANAGEMENT])
@pytest.mark.parametrize("intent", [HOLD, ACT, ANSWER])
def test_nobody_goes_before_a_holder_whose_transaction_runs(control_class: ControlClass, intent: Intent) -> None:
    scene = Scene(control_class=control_class, intent=intent, holder=OTHER, busy=frozenset({OTHER})).but(**STRONG)
    assert scene.reason() is Reason.HELD_BY_OTHER


@pytest.mark.parametrize("busy", [frozenset(), frozenset({OWNER})])
def test_nobody_goes_before_the_owner(busy: frozenset[str]) -> None:
    assert Scene(holder=OWNER, busy=busy).but(**STRONG).reason() is Reason.HELD_BY_OTHER


# The rate limit


@pytest.mark.parametrize(("ago", "reason"), [
    (timedelta(0), Reason.RATE_LIMITED),
    (timedelta(seconds=9.999), Reason.RATE_LIMITED),
    (timedelta(seconds=10), None),
    (HOUR, None),
])  # fmt: skip
def test_a_provider_asks_once_in_a_while(ago: timedelta, reason: Reason | None) -> None:
    assert Scene(asked=ago).reason() is reason


def test_no_rate_limit_limits_nobody() -> None:
    assert Scene(asked=timedelta(0)).but(house_rate_limit=timedelta(0)).reason() is None


def test_a_clock_that_was_put_back_shuts_nobody_out() -> None:
    assert Scene(asked=-HOUR).reason() is None


BESIDE = [
    Scene(provider=OTHER),
    Scene(control_class=SMART_CHARGING),
    Scene(intent=HOLD),
]
"""Of another provider, in another class, for the class itself: none of them counts for what is done with it."""


@pytest.mark.parametrize("beside", BESIDE)
def test_what_is_asked_beside_it_does_not_count(beside: Scene) -> None:
    control = Control("CP1")
    assert ask(control, beside) is None
    assert ask(control, Scene()) is None


def test_a_provider_that_got_a_class_may_use_it_at_once() -> None:
    control = Control("CP1")
    assert ask(control, Scene(intent=HOLD)) is None
    control.grant(ME, TRANSACTIONS, NOON)
    assert ask(control, Scene()) is None
    assert ask(control, Scene()) is Reason.RATE_LIMITED


def test_taking_and_releasing_by_turns_is_limited() -> None:
    control = Control("CP1")
    assert ask(control, Scene(intent=HOLD)) is None
    assert ask(control, Scene(intent=EASE)) is None
    assert ask(control, Scene(intent=HOLD)) is Reason.RATE_LIMITED


def test_being_refused_for_the_rate_starts_no_new_count() -> None:
    control = Control("CP1")
    answers = [ask(control, Scene(now=NOON + after * SECOND)) for after in (0, 4, 8, 10, 11)]
    assert answers == [None, Reason.RATE_LIMITED, Reason.RATE_LIMITED, None, Reason.RATE_LIMITED]


def test_asking_for_what_another_holds_counts() -> None:
    control = Scene(holder=OTHER).control
    assert [ask(control, Scene()) for _ in range(2)] == [Reason.HELD_BY_OTHER, Reason.RATE_LIMITED]


@pytest.mark.parametrize("reason", ORDER[: ORDER.index(Reason.RATE_LIMITED)])
def test_being_refused_before_the_rate_is_looked_at_does_not_count(reason: Reason) -> None:
    control = Control("CP1")
    scene = against(TRANSACTIONS, ACT, reason)
    control.mode = scene.mode
    assert ask(control, scene) is reason
    assert control.asked == {}


@pytest.mark.parametrize("control_class", ControlClass)
def test_what_lowers_stops_or_releases_neither_counts_nor_is_limited(control_class: ControlClass) -> None:
    control = Control("CP1")
    ease = Scene(control_class=control_class, intent=EASE)
    assert [ask(control, ease) for _ in range(3)] == [None] * 3
    assert control.asked == {}


# What is remembered


def test_a_yes_is_remembered() -> None:
    control = Control("CP1")
    ask(control, Scene())
    assert control.last == Verdict(NOON, ME, TRANSACTIONS, granted=True)


def test_a_no_is_remembered_with_its_reason() -> None:
    control = Control("CP1")
    ask(control, against(MANAGEMENT, ACT, Reason.ROLE))
    message = f"{ME}: management is not among its roles"
    assert control.last == Verdict(NOON, ME, MANAGEMENT, granted=False, reason="role", message=message)
