"""Providers are asked about cards: whom, for how long, whose word counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.arbitration import owner
from ocpp_mqtt_proxy.authority import PATIENCE_SECONDS
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, INVALID
from ocpp_mqtt_proxy.core.events import AuthorizationAsked, CardDecided, ControlRefused
from ocpp_mqtt_proxy.core.model import OWNER, IdToken, Verdict
from ocpp_mqtt_proxy.core.reports import (
    Authorization,
    AuthorizationAnswer,
    AuthorizationRequested,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.sharing import ControlClass, PresenceRule, Rules, Terms
from tests.asking import (
    AT_ONCE,
    BLOCKED,
    NEVER,
    TAG,
    TRANSACTIONS,
    Scene,
    of_equals,
    settle,
    within_patience,
)
from tests.core.yard import start


@pytest.fixture
async def scene() -> Scene:
    return Scene()


# Whom to ask


async def test_a_card_of_the_house_is_nobody_else_s_business(scene: Scene) -> None:
    for tag in ("anna", "HOME"):
        assert await scene.verdict(AuthorizationRequested(IdToken(tag))) is Verdict.ACCEPTED
    assert scene.asked() == []


async def test_a_stranger_s_card_is_put_to_all_that_may_act_at_once(scene: Scene) -> None:
    scene.put()
    assert scene.asked() == ["first", "second", "third"]
    asked = scene.events(AuthorizationAsked)[0]
    assert (asked.id_tag, asked.until) == (TAG, scene.clock.at + timedelta(seconds=NEVER))


async def test_asked_first_is_who_holds_the_charger_then_the_preferred_then_by_priority() -> None:
    terms = of_equals("holds", "preferred", "plain") | {
        "urgent": Terms("urgent", presence=PresenceRule.ANY, priority=5)
    }
    scene = Scene(Rules(providers=terms, preferred="preferred"), ("plain", "urgent", "preferred", "holds"))
    scene.station.control.grant("holds", TRANSACTIONS, scene.clock.at)
    scene.put()
    assert scene.asked() == ["holds", "preferred", "urgent"]  # nobody else pre-empts an idle holder


async def test_who_is_not_there_is_not_asked() -> None:
    scene = Scene(present=("second",))
    scene.put()
    assert scene.asked() == ["second"]


async def test_who_has_no_say_in_transactions_is_not_asked_nor_refused() -> None:
    terms = of_equals("evcc", roles=frozenset({ControlClass.SMART_CHARGING})) | of_equals("fleet")
    scene = Scene(Rules(providers=terms), ("evcc", "fleet"))
    scene.put()
    assert scene.asked() == ["fleet"]
    assert scene.decided() == []


async def test_who_may_not_act_now_is_not_asked_and_that_is_in_the_audit_log() -> None:
    terms = of_equals("fleet") | {"night": Terms("night", presence=PresenceRule.HOME)}
    scene = Scene(Rules(providers=terms, blocked=frozenset({"night"})), ("night", "fleet"))
    scene.put()
    assert scene.asked() == ["fleet"]
    assert scene.decided() == [("night", False, "blocked")]
    assert scene.events(ControlRefused) == []


async def test_under_the_owner_s_override_nobody_is_asked_and_the_card_is_nobody_s(scene: Scene) -> None:
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    assert await scene.verdict() is Verdict.INVALID
    assert scene.asked() == []
    assert [(fact.verdict, fact.by) for fact in scene.events(CardDecided)] == [(Verdict.INVALID, "nobody")]


async def test_whom_we_asked_is_not_limited_in_how_often(scene: Scene) -> None:
    for _ in range(3):
        answer = scene.put()
        for provider in ("first", "second", "third"):
            assert scene.says(provider, INVALID)
        assert await answer == AuthorizationAnswer(INVALID)
    assert len(scene.asked()) == 9


# Whose word counts


async def test_who_accepts_has_the_charger_and_the_session(scene: Scene) -> None:
    answer = scene.put()
    scene.says("first", INVALID)
    scene.says("second", ACCEPTED)
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert scene.holder() == "second"
    assert [(fact.verdict, fact.by) for fact in scene.events(CardDecided)] == [(Verdict.ACCEPTED, "second")]
    assert ("second", True, "") in scene.decided()
    await scene.verdict(start(1000, tag=TAG))
    assert scene.session().provider == "second"


async def test_one_that_goes_before_is_waited_for_a_little(scene: Scene) -> None:
    answer = scene.put()
    scene.says("second", ACCEPTED)
    await settle()
    scene.says("first", ACCEPTED)
    await within_patience(answer)
    assert scene.holder() == "first"


async def test_but_no_longer_than_that() -> None:
    scene = Scene(grace=AT_ONCE)
    answer = scene.put()
    scene.says("second", ACCEPTED)
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert scene.holder() == "second"


async def test_a_card_that_all_refuse_is_refused_without_waiting_any_longer(scene: Scene) -> None:
    answer = scene.put()
    for provider, said in (("third", INVALID), ("first", INVALID), ("second", BLOCKED)):
        assert scene.says(provider, said)
    assert await within_patience(answer) is Verdict.BLOCKED
    assert scene.holder() is None
    assert [fact.by for fact in scene.events(CardDecided)] == ["second"]


async def test_a_card_that_nobody_answers_for_is_invalid_by_nobody() -> None:
    scene = Scene(patience=AT_ONCE)
    assert await within_patience(scene.put()) is Verdict.INVALID
    assert [(fact.verdict, fact.by) for fact in scene.events(CardDecided)] == [(Verdict.INVALID, "nobody")]


def test_nobody_is_waited_for_longer_than_the_contract_says() -> None:
    assert PATIENCE_SECONDS == 3


async def test_groups_are_their_provider_s_own() -> None:
    groups = set()
    for provider in ("first", "second"):
        scene = Scene(present=(provider,))
        answer = scene.put()
        scene.says(provider, Authorization(Verdict.ACCEPTED, "STAFF"))
        said = await answer
        assert isinstance(said, AuthorizationAnswer)
        groups.add(said.authorization.group)
    assert len(groups - {None, "STAFF"}) == 2


# Answers that do not count


async def test_who_was_not_asked_has_no_word() -> None:
    scene = Scene(present=("second",))
    scene.put()
    assert not scene.says("first", ACCEPTED)
    assert not scene.says("second", ACCEPTED, "no such question")
    assert scene.holder() is None


async def test_the_first_word_of_a_provider_counts(scene: Scene) -> None:
    answer = scene.put()
    scene.says("first", BLOCKED)
    assert scene.says("first", ACCEPTED)
    scene.says("second", INVALID)
    scene.says("third", INVALID)
    assert await within_patience(answer) is Verdict.BLOCKED


async def test_a_yes_that_the_rules_no_longer_let_count_is_a_no(scene: Scene) -> None:
    answer = scene.put()
    scene.says("first", ACCEPTED)
    scene.arbitration.house.disabled |= {"first"}
    assert await within_patience(answer) is Verdict.INVALID
    assert scene.holder() is None
    assert ("first", False, "disabled") in scene.decided()


async def test_the_next_yes_counts_then() -> None:
    scene = Scene(grace=AT_ONCE)
    answer = scene.put()
    scene.says("first", ACCEPTED)
    scene.says("second", ACCEPTED)
    scene.arbitration.house.disabled |= {"first"}
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert scene.holder() == "second"


# Who is gone is not waited for


async def test_a_provider_that_leaves_is_not_waited_for() -> None:
    scene = Scene(present=("first", "second"))
    answer = scene.put()
    scene.says("second", ACCEPTED)
    scene.arbitration.left("first")
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert scene.holder() == "second"


async def test_where_all_leave_it_is_over() -> None:
    scene = Scene(present=("first",))
    answer = scene.put()
    scene.arbitration.left("first")
    assert await within_patience(answer) is Verdict.INVALID


async def test_with_the_owner_s_override_it_is_over(scene: Scene) -> None:
    answer = scene.put()
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    assert await within_patience(answer) is Verdict.INVALID
    assert scene.holder() is None


# Asked once


async def test_a_card_that_is_shown_again_meanwhile_is_not_asked_about_again(scene: Scene) -> None:
    answers = [scene.put(), scene.put(AuthorizationRequested(IdToken(TAG.lower()))), scene.put(start(1000, tag=TAG))]
    assert len(scene.asked()) == 3
    scene.says("first", ACCEPTED)
    assert {await within_patience(answer) for answer in answers} == {Verdict.ACCEPTED}


async def test_the_start_gets_the_verdict_of_its_card(scene: Scene) -> None:
    answer = scene.put()
    scene.says("first", Authorization(Verdict.ACCEPTED, "STAFF"))
    shown = await answer
    begun = await scene.put(start(1000, tag=TAG))
    assert isinstance(shown, AuthorizationAnswer)
    assert isinstance(begun, TransactionAnswer)
    assert begun.authorization == shown.authorization
    assert len(scene.asked()) == 3


async def test_a_start_gets_a_no_too_but_a_card_shown_again_is_asked_about_again() -> None:
    scene = Scene(patience=AT_ONCE, present=("first",))
    await within_patience(scene.put())
    assert await scene.verdict(start(1000, tag=TAG)) is Verdict.INVALID
    assert len(scene.asked()) == 1
    await within_patience(scene.put())
    assert len(scene.asked()) == 2


async def test_no_verdict_stands_for_ever(scene: Scene) -> None:
    answer = scene.put()
    scene.says("first", ACCEPTED)
    await answer
    scene.clock.at += ACCEPTANCE_KEPT
    scene.put()
    assert scene.asked()[3:] == ["first"]  # which holds the charger by now


async def test_a_yes_stands_only_while_who_said_it_may_act(scene: Scene) -> None:
    answer = scene.put()
    scene.says("first", ACCEPTED)
    await answer
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    assert await scene.verdict(start(1000, tag=TAG)) is Verdict.INVALID
    assert scene.session().provider == OWNER
