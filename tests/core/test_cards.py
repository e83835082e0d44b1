"""Cards that providers decide on: what is asked, what counts of the answers, what is remembered."""

from __future__ import annotations

import string
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core import authorization
from ocpp_mqtt_proxy.core.authorization import (
    ACCEPTANCE_KEPT,
    ACCEPTED,
    INVALID,
    MOST_CARDS,
    NOBODY,
    REFUSAL_KEPT,
    Cards,
    Decision,
    House,
    Question,
    UnknownTag,
    for_a_card_alone,
    of,
)
from ocpp_mqtt_proxy.core.model import IdToken, TokenKind, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization
from tests.core.yard import NOON

BLOCKED = Authorization(Verdict.BLOCKED)
EXPIRED = Authorization(Verdict.EXPIRED)
YES = Decision(ACCEPTED, "fleet", of_provider=True)
NO = Decision(BLOCKED, "fleet", of_provider=True)
MOMENT = timedelta(microseconds=1)


# Whose it is to say


@pytest.mark.parametrize(
    ("house", "tag", "kind", "asked"),
    [
        (House(open_to_all=False), "STRANGER", None, True),
        (House(open_to_all=False), "", None, False),
        (House(open_to_all=False), " ", None, False),
        (House(open_to_all=False), "home", None, False),
        (House(open_to_all=False), "HOME\\", None, False),
        (House(open_to_all=False, cards={"04a1b2c3": "Anna"}), "04A1B2C3", None, False),
        (House(open_to_all=False), "STRANGER", TokenKind.NO_AUTHORIZATION, False),
        (House(open_to_all=True), "STRANGER", None, False),
        (House(open_to_all=False, unknown=UnknownTag.ACCEPT), "STRANGER", None, False),
        (House(open_to_all=False, unknown=UnknownTag.REJECT), "STRANGER", None, False),
    ],
)
def test_providers_are_asked_about_cards_that_only_they_can_know(
    house: House, tag: str, kind: TokenKind | None, *, asked: bool
) -> None:
    assert house.asks(IdToken(tag, kind)) is asked


# What counts of the answers


ASKED = ("first", "second", "third")


def question(**answers: Authorization) -> Question:
    return Question(IdToken("STRANGER"), ASKED, answers)


@pytest.mark.parametrize(
    ("answers", "absent", "settled"),
    [
        ({}, set(), False),
        ({}, set(ASKED), True),
        ({}, {"first", "second"}, False),
        ({"first": ACCEPTED}, set(), True),
        ({"second": ACCEPTED}, set(), False),
        ({"second": ACCEPTED}, {"first"}, True),
        ({"second": ACCEPTED, "first": INVALID}, set(), True),
        ({"third": ACCEPTED, "first": INVALID}, set(), False),
        ({"third": ACCEPTED, "first": INVALID}, {"second"}, True),
        ({"first": INVALID, "second": INVALID}, set(), False),
        ({"first": INVALID, "second": INVALID, "third": INVALID}, set(), True),
        ({"first": INVALID, "second": INVALID}, {"third"}, True),
    ],
)
def test_a_question_is_settled_once_no_answer_would_change_anything(
    answers: dict[str, Authorization], absent: set[str], *, settled: bool
) -> None:
    assert question(**answers).settled(absent) is settled


def test_of_those_that_accept_the_one_that_goes_before_is_first() -> None:
    asked = question(third=ACCEPTED, second=ACCEPTED, first=INVALID)
    assert [yes.by for yes in asked.acceptances()] == ["second", "third"]


@pytest.mark.parametrize(
    ("answers", "verdict", "by"),
    [
        ({}, Verdict.INVALID, NOBODY),
        ({"second": INVALID}, Verdict.INVALID, "second"),
        ({"second": INVALID, "first": INVALID}, Verdict.INVALID, "first"),
        ({"first": INVALID, "second": BLOCKED}, Verdict.BLOCKED, "second"),
        ({"first": EXPIRED, "second": BLOCKED}, Verdict.EXPIRED, "first"),
    ],
)
def test_of_those_that_refuse_one_that_knows_the_card_has_the_word(
    answers: dict[str, Authorization], verdict: Verdict, by: str
) -> None:
    refusal = question(**answers).refusal()
    assert (refusal.authorization.verdict, refusal.by) == (verdict, by)
    assert refusal.of_provider is (by != NOBODY)


# Groups


names = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=40)
groups = st.text(min_size=1, max_size=40)


@given(names, names, groups, groups)
def test_groups_meet_only_where_provider_and_name_are_the_same(one: str, other: str, group: str, another: str) -> None:
    mine, theirs = (of(p, Authorization(Verdict.ACCEPTED, g)).group for p, g in ((one, group), (other, another)))
    assert (mine == theirs) is ((one, group.lower()) == (other, another.lower()))
    assert mine is not None
    assert len(mine) == 20  # what 1.6 has room for


def test_without_a_group_there_is_none() -> None:
    assert of("fleet", ACCEPTED).group is None


@pytest.mark.parametrize("verdict", Verdict)
def test_to_a_card_alone_nobody_is_in_a_transaction_already(verdict: Verdict) -> None:
    expected = Verdict.INVALID if verdict is Verdict.CONCURRENT_TX else verdict
    assert for_a_card_alone(Authorization(verdict)).verdict is expected


# What is remembered


@pytest.mark.parametrize(("decision", "kept"), [(YES, ACCEPTANCE_KEPT), (NO, REFUSAL_KEPT)])
@pytest.mark.parametrize("spelt", ["CARD", "card", "Card\\ "])
def test_a_verdict_stands_for_its_time_however_the_card_is_spelt(
    decision: Decision, kept: timedelta, spelt: str
) -> None:
    cards = Cards()
    cards.remember("card", decision, NOON)
    assert cards.recall(spelt, NOON + kept - MOMENT) == decision
    assert cards.recall(spelt, NOON + kept) is None


def test_a_verdict_stands_while_its_card_charges() -> None:
    cards = Cards()
    cards.remember("CARD", YES, NOON)
    later = NOON + timedelta(days=1)
    cards.remember("OTHER", YES, later, {"card"})
    assert cards.recall("CARD", later, {"card"}) == YES


def test_the_last_word_on_a_card_stands() -> None:
    cards = Cards()
    cards.remember("CARD", YES, NOON)
    cards.remember("CARD", NO, NOON)
    assert cards.recall("CARD", NOON) == NO


def test_that_somebody_was_asked_is_not_remembered() -> None:
    cards = Cards()
    cards.remember("CARD", authorization.UNANSWERED, NOON)
    assert cards.recall("CARD", NOON) == Decision(INVALID, NOBODY)


def test_of_too_many_cards_the_oldest_are_forgotten() -> None:
    cards = Cards()
    for number in range(MOST_CARDS + 1):
        cards.remember(str(number), YES, NOON)
    assert cards.recall("0", NOON) is None
    assert cards.recall("1", NOON) == YES
    assert len(cards.known) == MOST_CARDS


def test_of_too_many_cards_those_that_charge_are_not_forgotten() -> None:
    cards = Cards()
    for number in range(MOST_CARDS + 1):
        cards.remember(str(number), YES, NOON, {"0"})
    assert cards.recall("0", NOON) == YES
    assert cards.recall("1", NOON) is None


def test_what_no_longer_stands_takes_no_room() -> None:
    cards = Cards()
    cards.remember("CARD", YES, NOON)
    cards.remember("OTHER", YES, NOON + ACCEPTANCE_KEPT)
    assert list(cards.known) == ["other"]
