"""Whose a session is: by who started it, by its card, by who holds the charger."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ocpp_mqtt_proxy.core import controlling, starting
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, ANYONE, HOUSE, INVALID, NOBODY, Decision
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.commands import StartCharging
from ocpp_mqtt_proxy.core.events import CardDecided
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import OWNER, Amps, IdToken, Target, Verdict, Version
from ocpp_mqtt_proxy.core.reports import (
    Authorization,
    AuthorizationAnswer,
    AuthorizationRequested,
    Phase,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.tariff import Prices, Tariff
from tests.core.yard import ONE, PRICES, Yard, energy, event, start, stop

TRANSACTIONS = ControlClass.TRANSACTIONS
FLEET = Decision(ACCEPTED, "fleet", of_provider=True)
PAYING = Prices(PRICES.owner, {"fleet": Tariff("EUR", Decimal("0.50"), session_fee=Decimal(1))})


@pytest.fixture
def yard() -> Yard:
    """A charger at which nobody has acted yet."""
    return Yard()


def holder(yard: Yard) -> str | None:
    return yard.station.control.holder(TRANSACTIONS)


def hearing(yard: Yard) -> Hearing:
    return Hearing(yard.station, yard.now, Numbers("test", 0))


def hold(yard: Yard, provider: str) -> None:
    controlling.grant(hearing(yard), provider, TRANSACTIONS)


def order(provider: str = "fleet", tag: str = "CARD", limit: float | None = None) -> StartCharging:
    return StartCharging(Target(1, ONE), tag, 1, None if limit is None else Amps(limit), provider)


def promise(yard: Yard, asked: StartCharging) -> None:
    yard.station.sole()
    starting.promised(hearing(yard), asked)


WHOSE: list[tuple[str, Decision, str | None, str, str | None]] = [
    ("who accepted the card has session and charger", FLEET, None, "fleet", "fleet"),
    ("who accepted it takes the charger from an idle holder", FLEET, "other", "fleet", "fleet"),
    ("the house's card is the owner's", Decision(ACCEPTED, HOUSE), "other", OWNER, OWNER),
    ("the owner's tag is the owner's", Decision(ACCEPTED, OWNER), "other", OWNER, OWNER),
    ("where all are welcome it is the owner's", Decision(ACCEPTED, ANYONE), None, OWNER, OWNER),
    ("where all are welcome it is the holder's", Decision(ACCEPTED, ANYONE), "other", "other", "other"),
    ("a card that nobody knows gives nobody control", Decision(INVALID, NOBODY), None, OWNER, None),
    ("a card that nobody knows takes nothing away", Decision(INVALID, NOBODY), "other", OWNER, "other"),
    ("who refuses a card has no part in it", replace(FLEET, authorization=INVALID), None, OWNER, None),
    ("a provider may be called as the rule is", Decision(ACCEPTED, ANYONE, of_provider=True), "x", ANYONE, ANYONE),
    ("a provider may be called as the house is", Decision(ACCEPTED, HOUSE, of_provider=True), "x", HOUSE, HOUSE),
]


@pytest.mark.parametrize(
    ("decision", "held", "whose", "holds"), [row[1:] for row in WHOSE], ids=[row[0] for row in WHOSE]
)
def test_a_session_is_its_card_s(yard: Yard, decision: Decision, held: str | None, whose: str, holds: str) -> None:
    if held is not None:
        hold(yard, held)
    yard.verdicts["CARD"] = decision
    assert yard.started(start(1000)).provider == whose
    assert holder(yard) == holds


# The verdict


def test_the_same_verdict_and_group_answer_card_start_and_stop(yard: Yard) -> None:
    yard.verdicts["CARD"] = replace(FLEET, authorization=Authorization(Verdict.ACCEPTED, "GROUP"))
    answers: list[Any] = [yard.hear(AuthorizationRequested(IdToken("CARD"))).answer]
    answers.append(yard.hear(start(1000)).answer)
    answers.append(yard.hear(stop(answers[1].transaction_id, 2000, tag="CARD")).answer)
    assert [answer.authorization for answer in answers] == [Authorization(Verdict.ACCEPTED, "GROUP")] * 3


def test_an_end_by_a_card_that_nobody_was_asked_about_says_nothing_of_it(yard: Yard) -> None:
    session = yard.started(start(1000))
    yard.verdicts["STRANGER"] = None
    answer = yard.hear(stop(session.transaction_id, 2000, tag="STRANGER")).answer
    assert answer == TransactionAnswer(session.transaction_id, None)


def test_a_start_is_told_as_a_card_where_its_card_was_asked_about(yard: Yard) -> None:
    yard.verdicts["CARD"] = replace(FLEET, asked=True)
    yard.hear(start(1000))
    assert [(fact.id_tag, fact.verdict, fact.by) for fact in yard.told(CardDecided)] == [
        ("CARD", Verdict.ACCEPTED, "fleet")
    ]


def test_that_a_card_is_in_a_transaction_already_is_said_to_starts_alone(yard: Yard) -> None:
    yard.verdicts["CARD"] = replace(FLEET, authorization=Authorization(Verdict.CONCURRENT_TX))
    assert yard.hear(AuthorizationRequested(IdToken("CARD"))).answer == AuthorizationAnswer(INVALID)
    answer = yard.hear(start(1000)).answer
    assert isinstance(answer, TransactionAnswer)
    assert answer.authorization == Authorization(Verdict.CONCURRENT_TX)


def test_a_start_that_is_repeated_when_its_card_was_accepted_after_all_is_the_provider_s(yard: Yard) -> None:
    yard.verdicts["CARD"] = Decision(INVALID, NOBODY)
    session = yard.started(start(1000, yard.now))
    yard.verdicts["CARD"] = FLEET
    assert yard.started(start(1000, session.started_at)) is session
    assert (session.provider, holder(yard)) == ("fleet", "fleet")


def test_a_session_that_the_owner_moved_is_not_moved_back_by_its_start_repeated(yard: Yard) -> None:
    yard.verdicts["CARD"] = FLEET
    session = yard.started(start(1000, yard.now))
    controlling.hand_over(hearing(yard), "other")
    yard.hear(start(1000, session.started_at))
    assert session.provider == "other"


# A card that is shown later (2.x)


@pytest.fixture
def plugged() -> tuple[Yard, Session]:
    """A 2.x transaction that began with the plug, without a card."""
    yard = Yard(Version.V201)
    yard.station.plan.prices = PAYING
    yard.verdicts["CARD"] = FLEET
    return yard, yard.started(event(Phase.STARTED))


def test_a_transaction_without_a_card_gives_nobody_control(plugged: tuple[Yard, Session]) -> None:
    yard, session = plugged
    assert (session.provider, holder(yard)) == (OWNER, None)


def test_the_card_shown_in_it_makes_it_its_provider_s_from_the_start(plugged: tuple[Yard, Session]) -> None:
    yard, session = plugged
    yard.hear(event(Phase.UPDATED, token=IdToken("CARD")))
    assert [part.provider for part in session.parts] == ["fleet"]
    assert session.revenue(yard.now) == 1
    assert holder(yard) == "fleet"


def test_what_flowed_before_the_card_was_shown_stays_the_owner_s(plugged: tuple[Yard, Session]) -> None:
    yard, session = plugged
    yard.hear(event(Phase.UPDATED, energy(1000), at=yard.now))
    yard.pass_(minutes=30)
    yard.hear(event(Phase.UPDATED, energy(3000), at=yard.now))
    yard.hear(event(Phase.UPDATED, token=IdToken("CARD"), at=yard.now))
    yard.pass_(minutes=30)
    yard.hear(event(Phase.UPDATED, energy(4000), at=yard.now))
    assert [(part.provider, round(part.energy)) for part in session.parts] == [(OWNER, 2000), ("fleet", 1000)]


def test_the_card_of_a_start_that_came_late_makes_it_its_provider_s(yard: Yard) -> None:
    yard = Yard(Version.V201)
    yard.verdicts["CARD"] = FLEET
    yard.hear(event(Phase.UPDATED, energy(1000), at=yard.now))
    session = yard.started(event(Phase.STARTED, at=yard.ago(minutes=1), token=IdToken("CARD")))
    assert (session.provider, holder(yard)) == ("fleet", "fleet")


def test_another_card_shown_in_it_changes_nothing(plugged: tuple[Yard, Session]) -> None:
    yard, session = plugged
    yard.hear(event(Phase.UPDATED, token=IdToken("CARD")))
    yard.verdicts["OTHER"] = Decision(ACCEPTED, "other", of_provider=True)
    yard.hear(event(Phase.UPDATED, token=IdToken("OTHER")))
    assert (session.provider, session.id_tag) == ("fleet", "CARD")


# A start from afar


def test_the_tag_of_a_remote_start_is_good_in_the_requester_s_name(yard: Yard) -> None:
    promise(yard, order("fleet"))
    decision = yard.station.recall("card", yard.now)
    assert decision == FLEET


def test_the_tag_of_the_owner_s_remote_start_is_good_in_the_owner_s(yard: Yard) -> None:
    promise(yard, order(OWNER))
    assert yard.station.recall("CARD", yard.now) == Decision(ACCEPTED, OWNER)


def test_a_session_started_from_afar_is_the_requester_s_whatever_its_card(yard: Yard) -> None:
    promise(yard, order("fleet", tag="HOME"))
    assert yard.started(start(1000, tag="HOME")).provider == "fleet"


def test_the_owner_s_tag_shown_later_does_not_make_it_the_owner_s() -> None:
    yard = Yard(Version.V201)
    promise(yard, order("fleet", tag="HOME"))
    session = yard.started(event(Phase.STARTED))
    yard.hear(event(Phase.UPDATED, token=IdToken("HOME")))
    assert (session.provider, session.id_tag) == ("fleet", "HOME")


def test_a_card_that_its_requester_accepted_before_stays_in_its_group(yard: Yard) -> None:
    grouped = replace(FLEET, authorization=Authorization(Verdict.ACCEPTED, "GROUP"))
    yard.station.remember("CARD", grouped, yard.now)
    promise(yard, order("fleet"))
    assert yard.station.recall("CARD", yard.now) == grouped
    promise(yard, order("other"))
    assert yard.station.recall("CARD", yard.now) == replace(FLEET, by="other")


def test_a_card_that_its_requester_refused_before_is_good_now(yard: Yard) -> None:
    yard.station.remember("CARD", replace(FLEET, authorization=INVALID), yard.now)
    promise(yard, order("fleet"))
    assert yard.station.recall("CARD", yard.now) == FLEET


def test_its_tag_is_good_while_it_runs(yard: Yard) -> None:
    promise(yard, order("fleet"))
    yard.hear(start(1000, yard.now))
    assert yard.station.recall("CARD", yard.pass_(hours=9)) == FLEET


def test_a_start_that_the_charger_refused_promises_nothing(yard: Yard) -> None:
    promise(yard, order("fleet", limit=10))
    starting.withdrawn(hearing(yard), order("fleet"))
    assert yard.station.recall("CARD", yard.now) is None
    session = yard.started(start(1000))
    assert (session.provider, session.limit) == (OWNER, None)


def test_a_promise_is_not_kept_for_ever(yard: Yard) -> None:
    promise(yard, order("fleet", limit=10))
    yard.now += ACCEPTANCE_KEPT
    assert yard.station.recall("CARD", yard.now) is None
    session = yard.started(start(1000, yard.now))
    assert (session.provider, session.limit) == (OWNER, None)
