"""A service with authority over transactions judges cards: what it is asked, what counts without it, what it says late."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.authority import Authority
from ocpp_mqtt_proxy.core.authorization import ACCEPTED, House, key_of
from ocpp_mqtt_proxy.core.commands import Order, StopCharging
from ocpp_mqtt_proxy.core.model import OWNER, IdToken, TokenKind, Verdict, Version
from ocpp_mqtt_proxy.core.peer import Standing
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    Authorization,
    AuthorizationAnswer,
    AuthorizationRequested,
    Report,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass, PresenceRule, Rules
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import CallError, ErrorCode
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import WhileDown
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused
from ocpp_mqtt_proxy.services.referee import KEPT, MOST_KNOWN, enforce, heed, known, learn, referee_of
from tests.asking import settle
from tests.core.yard import start
from tests.fakes import FakeClock, FakeLedger, FakeLink, an_arbitration, providers
from tests.running import PATIENCE
from tests.services.fakes import a_known_charger, a_served_hub, an_outstation, charger_of, link_of

TAG = "04A1B2C3"
CARD = AuthorizationRequested(IdToken(TAG))
PAIRS = list(product(Version, Version))
VERDICTS = {
    "Accepted": Verdict.ACCEPTED,
    "Blocked": Verdict.BLOCKED,
    "Expired": Verdict.EXPIRED,
    "Invalid": Verdict.INVALID,
}
ENDLESS = 3600.0


def judging(service: Version = Version.V16, charger: Version = Version.V16, **plan: Any) -> Outstation:
    """A service with authority, whose word counts for cards at a charger."""
    rules = Rules(providers=providers("billing", presence=PresenceRule.ANY))
    arbitration = an_arbitration(a_served_hub(), rules)
    a_known_charger(arbitration.hub, charger)
    given: dict[str, Any] = {"authority": frozenset({ControlClass.TRANSACTIONS}), "patience": ENDLESS} | plan
    out = an_outstation(service, charger, arbitration=arbitration, **given)
    out.hub.house = House(cards={"anna": "Anna"}, open_to_all=False)
    out.hub.authority = Authority(arbitration, referee_for=lambda _: referee_of([out]))
    return out


def says(out: Outstation, status: str, **info: object) -> None:
    """What the service answers to cards from now on."""
    field = "idTagInfo" if out.version is Version.V16 else "idTokenInfo"
    link_of(out).answers = lambda *_: {field: {"status": status, **info}}


def fails(out: Outstation, error: Exception) -> None:
    def raises(*_: object) -> dict[str, object]:
        raise error

    link_of(out).answers = raises


async def answer(out: Outstation, report: Report = CARD) -> Answer:
    """What the charger is answered."""
    said = out.hub.hear("CP1", report)
    if isinstance(said, Delayed):
        async with asyncio.timeout(PATIENCE):
            return await said.answer
    return said


async def judged(out: Outstation, report: Report = CARD) -> Authorization:
    said = await answer(out, report)
    assert isinstance(said, AuthorizationAnswer | TransactionAnswer)
    assert said.authorization is not None
    return said.authorization


async def verdict(out: Outstation, report: Report = CARD) -> Verdict:
    return (await judged(out, report)).verdict


async def begun(out: Outstation, tag: str = TAG) -> Session:
    """A session that runs with a card."""
    await answer(out, start(1000, tag=tag))
    session = next(out.station.sessions())
    assert session.id_tag == tag
    return session


def clock(out: Outstation) -> FakeClock:
    assert isinstance(out.hub.clock, FakeClock)
    return out.hub.clock


def stops(out: Outstation) -> list[Order]:
    return [order for order in charger_of(out).asked if isinstance(order, StopCharging)]


# Asked


@pytest.mark.parametrize(("service", "charger"), PAIRS)
@pytest.mark.parametrize("status", VERDICTS)
async def test_its_verdict_is_the_charger_s_answer(service: Version, charger: Version, status: str) -> None:
    out = judging(service, charger)
    says(out, status)
    assert await verdict(out) is VERDICTS[status]
    assert link_of(out).actions() == ["Authorize"]


@pytest.mark.parametrize("status", ["NoCredit", "NotAtThisTime", "NotAtThisLocation", "NotAllowedTypeEVSE", "Unknown"])
@pytest.mark.parametrize("charger", Version)
async def test_a_verdict_that_the_charger_s_version_lacks_is_answered_by_one_that_it_has(
    status: str, charger: Version
) -> None:
    out = judging(Version.V201, charger)
    says(out, status)
    payload = DIALECTS[charger].reply("Authorize", await answer(out))
    assert DIALECTS[charger].fault("Authorize", payload) is None
    told = str(payload)
    assert (
        ((status == "NoCredit" and "Blocked" in told) or "Invalid" in told)
        if charger is Version.V16
        else status in told
    )


async def test_the_kind_of_a_card_is_told_as_far_as_the_service_knows_kinds() -> None:
    out = judging(Version.V201, Version.V201)
    await verdict(out, AuthorizationRequested(IdToken("AABBCCDD", TokenKind.EMAID)))
    assert link_of(out).said("Authorize") == [{"idToken": {"idToken": "AABBCCDD", "type": "eMAID"}}]


async def test_a_long_card_is_told_a_1_6_service_in_twenty_characters() -> None:
    out = judging(Version.V16, Version.V201)
    await verdict(out, AuthorizationRequested(IdToken("DE-ABC-C12345678-9-AND-MORE", TokenKind.EMAID)))
    [told] = link_of(out).said("Authorize")
    assert 0 < len(str(told["idTag"])) <= 20


async def test_until_when_a_verdict_stands_is_passed_on() -> None:
    out = judging()
    says(out, "Accepted", expiryDate="2026-03-15T00:00:00Z")
    assert (await judged(out)).expires == clock(out).at + timedelta(hours=12)


async def test_a_card_of_the_house_is_not_shown_to_it() -> None:
    out = judging()
    says(out, "Blocked")
    assert await verdict(out, AuthorizationRequested(IdToken("anna"))) is Verdict.ACCEPTED
    assert link_of(out).calls == []


async def test_a_session_with_a_card_that_it_accepts_is_its_own() -> None:
    out = judging()
    assert (await begun(out)).provider == "billing"


async def test_only_a_service_with_authority_over_transactions_judges() -> None:
    out = judging(authority=frozenset({ControlClass.MANAGEMENT}))
    assert referee_of([out]) is None
    assert await verdict(out) is Verdict.INVALID


async def test_one_that_is_switched_off_judges_no_more() -> None:
    assert referee_of([judging(enabled=False)]) is None
    out = judging()
    out.arbitration.house.disabled.add("billing")
    assert referee_of([out]) is None


# While it is down


def unplugged(out: Outstation) -> None:
    out.link = None


def pending(out: Outstation) -> None:
    out.peer.standing = Standing.PENDING


def not_answering(out: Outstation) -> None:
    fails(out, NoAnswer("no answer"))


def vanishing(out: Outstation) -> None:
    fails(out, LinkLost("gone"))


def erring(out: Outstation) -> None:
    fails(out, Refused(CallError("1", ErrorCode.INTERNAL_ERROR, "oops")))


def babbling(out: Outstation) -> None:
    link_of(out).answers = lambda *_: {"hello": "world"}


DOWN = [unplugged, pending, not_answering, vanishing, erring, babbling]


@pytest.mark.parametrize("goes_down", DOWN)
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (WhileDown.ACCEPT, Verdict.ACCEPTED),
        (WhileDown.REJECT, Verdict.INVALID),
        (WhileDown.ACCEPT_KNOWN, Verdict.INVALID),
    ],
)
async def test_while_it_cannot_be_asked_the_owner_s_rule_holds(
    goes_down: Any, rule: WhileDown, expected: Verdict
) -> None:
    out = judging(while_down=rule)
    goes_down(out)
    assert await verdict(out) is expected


@pytest.mark.parametrize("goes_down", DOWN)
async def test_then_what_it_accepted_before_is_accepted_and_the_session_is_its_own(goes_down: Any) -> None:
    out = judging()
    assert await verdict(out) is Verdict.ACCEPTED
    clock(out).pass_(days=30)
    goes_down(out)
    assert await verdict(out, AuthorizationRequested(IdToken(TAG.lower()))) is Verdict.ACCEPTED
    assert (await begun(out)).provider == "billing"


async def test_a_silent_one_counts_as_down_when_its_time_is_up() -> None:
    out = judging(patience=0.0, while_down=WhileDown.ACCEPT)
    link_of(out).open.clear()
    assert await verdict(out) is Verdict.ACCEPTED


async def test_its_late_no_stops_what_was_accepted_without_it() -> None:
    out = judging(patience=0.0, while_down=WhileDown.ACCEPT)
    link_of(out).open.clear()
    says(out, "Blocked")
    session = await begun(out)
    link_of(out).open.set()
    await settle()
    assert stops(out) == [StopCharging(session.transaction_id)]


# What it is known to accept


def card(verdict: Verdict = Verdict.ACCEPTED, **more: Any) -> Authorization:
    return Authorization(verdict, **more)


@pytest.mark.parametrize("said", [v for v in Verdict if v not in (Verdict.ACCEPTED, Verdict.CONCURRENT_TX)])
async def test_what_it_accepts_no_more_is_known_no_more(said: Verdict) -> None:
    out = judging()
    learn(out, CARD.token, ACCEPTED)
    learn(out, CARD.token, card(said))
    assert known(out, CARD.token) is None


async def test_that_a_card_charges_elsewhere_makes_it_no_stranger() -> None:
    out = judging()
    learn(out, CARD.token, ACCEPTED)
    learn(out, CARD.token, card(Verdict.CONCURRENT_TX))
    assert known(out, CARD.token) == ACCEPTED


async def test_a_card_is_known_until_it_runs_out_and_not_for_ever() -> None:
    out = judging()
    learn(out, CARD.token, card(expires=clock(out).at + timedelta(hours=1)))
    learn(out, IdToken("OTHER"), ACCEPTED)
    clock(out).pass_(hours=1)
    assert known(out, CARD.token) is None
    assert known(out, IdToken("other")) == ACCEPTED
    clock(out).at += KEPT
    assert known(out, IdToken("other")) is None


async def test_its_list_beats_what_it_said(  # C14
) -> None:
    out = judging()
    learn(out, CARD.token, ACCEPTED)
    out.virtual.local_list.cards[key_of(TAG)] = card(Verdict.BLOCKED)
    assert known(out, CARD.token) == card(Verdict.BLOCKED)
    out.virtual.local_list.cards[key_of(TAG)] = card(expires=clock(out).at)
    assert known(out, CARD.token) == card(Verdict.EXPIRED, expires=clock(out).at)


async def test_only_so_many_cards_are_known() -> None:
    out = judging()
    for number in range(MOST_KNOWN + 1):
        learn(out, IdToken(f"CARD{number}"), ACCEPTED)
        clock(out).pass_(seconds=1)
    assert len(out.peer.accepted_tags) == MOST_KNOWN
    assert known(out, IdToken("CARD0")) is None


async def test_what_is_known_is_written_down_once_though_the_card_comes_often() -> None:
    out = judging()
    ledger = out.hub.ledger
    assert isinstance(ledger, FakeLedger)
    learn(out, CARD.token, ACCEPTED)
    assert out.peer in ledger.noted
    ledger.noted.clear()
    clock(out).pass_(hours=1)
    learn(out, CARD.token, ACCEPTED)
    assert out.peer not in ledger.noted


# What it says when it hears of a transaction


async def test_a_no_to_a_transaction_s_card_stops_it() -> None:
    out = judging()
    session = await begun(out)
    heed(out, session.session_id, CARD.token, card(Verdict.BLOCKED))
    await settle()
    assert stops(out) == [StopCharging(session.transaction_id)]
    assert await verdict(out, start(1000, tag=TAG)) is Verdict.BLOCKED
    assert known(out, CARD.token) is None


async def test_a_no_while_the_charger_is_away_stops_it_when_it_is_back() -> None:
    out = judging()
    session = await begun(out)
    out.hub.disconnect("CP1", charger_of(out), "gone")
    heed(out, session.session_id, CARD.token, card(Verdict.BLOCKED))
    await settle()
    out.hub.connect("CP1", FakeLink(), "127.0.0.1")
    enforce(out)
    await settle()
    assert stops(out) == [StopCharging(session.transaction_id)]


async def test_what_it_did_not_refuse_goes_on_when_the_charger_is_back() -> None:
    out = judging()
    await begun(out)
    enforce(out)
    await settle()
    assert stops(out) == []


async def test_a_yes_stops_nothing_and_is_remembered() -> None:
    out = judging()
    session = await begun(out)
    out.peer.accepted_tags.clear()
    heed(out, session.session_id, CARD.token, ACCEPTED)
    await settle()
    assert stops(out) == []
    assert known(out, CARD.token) == ACCEPTED


@pytest.mark.parametrize(("again", "stopped"), [(False, 1), (True, 0)])
async def test_a_card_in_use_elsewhere_is_a_no_unless_that_is_the_very_session(*, again: bool, stopped: int) -> None:
    out = judging()
    session = await begun(out)
    heed(out, session.session_id, CARD.token, card(Verdict.CONCURRENT_TX), again=again)
    await settle()
    assert len(stops(out)) == stopped


async def test_a_session_with_a_card_of_the_house_goes_on_whatever_it_says() -> None:
    out = judging()
    session = await begun(out, "anna")
    heed(out, session.session_id, IdToken("anna"), card(Verdict.BLOCKED))
    await settle()
    assert stops(out) == []


async def test_so_does_another_s(  # as one that the owner started from afar
) -> None:
    out = judging()
    await out.arbitration.dispatcher.start_for(OWNER, out.station, requests.Start(id_tag="GUEST"))
    session = await begun(out, "GUEST")
    heed(out, session.session_id, IdToken("GUEST"), card(Verdict.INVALID))
    await settle()
    assert session.provider == OWNER
    assert stops(out) == []


async def test_what_a_service_without_authority_says_is_only_read() -> None:
    out = judging()
    session = await begun(out)
    other = an_outstation(arbitration=out.arbitration, id="fleet")
    heed(other, session.session_id, CARD.token, card(Verdict.BLOCKED))
    await settle()
    assert stops(out) == []


async def test_a_no_to_a_session_that_is_over_does_nothing() -> None:
    out = judging()
    session = await begun(out)
    await out.hub.close_session(out.station, out.station.ordered()[0])
    heed(out, session.session_id, CARD.token, card(Verdict.BLOCKED))
    await settle()
    assert stops(out) == []
