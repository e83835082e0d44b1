from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core.authorization import House, UnknownTag
from ocpp_mqtt_proxy.core.events import CardDecided
from ocpp_mqtt_proxy.core.model import IdToken, TokenKind, Verdict
from ocpp_mqtt_proxy.core.reports import AuthorizationAnswer, AuthorizationRequested, TransactionAnswer
from tests.core.yard import Yard, start

CARDS = {"04a1b2c3": "Anna"}


def verdict(house: House, tag: str, kind: TokenKind | None = None) -> tuple[Verdict, str]:
    decision = house.decide(IdToken(tag, kind))
    return decision.authorization.verdict, decision.by


@pytest.mark.parametrize("unknown", UnknownTag)
@pytest.mark.parametrize("tag", ["HOME", "home", "Home"])
def test_the_owner_s_tag_is_always_accepted(unknown: UnknownTag, tag: str) -> None:
    assert verdict(House("Home", CARDS, unknown, open_to_all=False), tag) == (Verdict.ACCEPTED, "owner")


@pytest.mark.parametrize("unknown", UnknownTag)
@pytest.mark.parametrize("tag", ["04A1B2C3", "04a1b2c3"])
def test_the_house_s_own_cards_are_always_accepted(unknown: UnknownTag, tag: str) -> None:
    assert verdict(House("HOME", CARDS, unknown, open_to_all=False), tag) == (Verdict.ACCEPTED, "house")


@pytest.mark.parametrize(
    ("unknown", "answer"),
    [
        (UnknownTag.REJECT, (Verdict.INVALID, "house")),
        (UnknownTag.ASK_PROVIDERS, (Verdict.INVALID, "nobody")),  # where there is none to ask
        (UnknownTag.ACCEPT, (Verdict.ACCEPTED, "anyone")),
    ],
)
@pytest.mark.parametrize("tag", ["STRANGER", "HOMER"])
def test_a_stranger_s_card_is_up_to_the_rule(unknown: UnknownTag, answer: tuple[Verdict, str], tag: str) -> None:
    assert verdict(House("HOME", CARDS, unknown, open_to_all=False), tag) == answer


@pytest.mark.parametrize("unknown", UnknownTag)
def test_while_nothing_is_configured_every_card_is_accepted(unknown: UnknownTag) -> None:
    assert verdict(House(unknown=unknown), "STRANGER") == (Verdict.ACCEPTED, "anyone")


def test_a_charger_that_asks_for_no_card_gets_none_refused() -> None:
    house = House("HOME", CARDS, UnknownTag.REJECT, open_to_all=False)
    assert verdict(house, "", TokenKind.NO_AUTHORIZATION) == (Verdict.ACCEPTED, "anyone")


CLOSED = House("HOME", CARDS, UnknownTag.REJECT, open_to_all=False)


@pytest.mark.parametrize(("tag", "answer"), [("04A1B2C3", Verdict.ACCEPTED), ("STRANGER", Verdict.INVALID)])
def test_a_card_shown_is_answered_and_told(tag: str, answer: Verdict) -> None:
    yard = Yard(house=CLOSED)
    heard = yard.hear(AuthorizationRequested(IdToken(tag)))
    assert isinstance(heard.answer, AuthorizationAnswer)
    assert heard.answer.authorization.verdict is answer
    assert [(fact.id_tag, fact.verdict, fact.by) for fact in yard.told(CardDecided)] == [(tag, answer, "house")]


def test_a_start_with_a_stranger_s_card_is_confirmed_with_a_no_and_told() -> None:
    yard = Yard(house=CLOSED)
    answer = yard.hear(start(1000, tag="STRANGER")).answer
    assert isinstance(answer, TransactionAnswer)
    assert answer.authorization is not None
    assert answer.authorization.verdict is Verdict.INVALID
    assert yard.station.book.find(answer.transaction_id) is not None
    assert [fact.verdict for fact in yard.told(CardDecided)] == [Verdict.INVALID]


def test_a_start_with_an_accepted_card_is_not_told_twice() -> None:
    yard = Yard(house=CLOSED)
    yard.hear(start(1000, tag="home"))
    assert yard.told(CardDecided) == []
