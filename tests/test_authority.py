"""Providers are asked about cards: whom, for how long, whose word counts, and what a charger hears meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Arbitration, owner
from ocpp_mqtt_proxy.authority import MOST_CLOSED, PATIENCE_SECONDS, Authority
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, INVALID, REFUSAL_KEPT, House, UnknownTag
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, StartCharging, StopCharging, done, refused
from ocpp_mqtt_proxy.core.errors import UnknownCharger
from ocpp_mqtt_proxy.core.events import AuthorizationAsked, CardDecided, ControlRefused
from ocpp_mqtt_proxy.core.model import OWNER, IdToken, Verdict, Version
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    Answer,
    Authorization,
    AuthorizationAnswer,
    AuthorizationRequested,
    HeartbeatReported,
    Phase,
    Report,
    TimeAnswer,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Delayed
from tests.core.yard import energy, event, meter, start, stop
from tests.fakes import FakeClock, FakeLedger, FakeLink, a_charger, a_hub, an_arbitration
from tests.running import PATIENCE

TRANSACTIONS = ControlClass.TRANSACTIONS
BLOCKED = Authorization(Verdict.BLOCKED)
CARD = AuthorizationRequested(IdToken("04A1B2C3"))
TAG = CARD.token.tag
NEVER, AT_ONCE = 3600.0, 0.0


def of_equals(*ids: str, **terms: Any) -> dict[str, Terms]:
    return {one: Terms(one, presence=PresenceRule.ANY, **terms) for one in ids}


@dataclass
class Scene:
    """A charger, providers that are connected, and what is told. Nobody's patience ends but where a test says so."""

    rules: Rules = field(
        default_factory=lambda: Rules(providers=of_equals("first", "second", "third"), preferred="first")
    )
    present: tuple[str, ...] = ("first", "second", "third")
    patience: float = NEVER
    grace: float = NEVER
    link: FakeLink = field(default_factory=FakeLink)

    def __post_init__(self) -> None:
        self.hub = a_hub()
        self.hub.house = House(cards={"anna": "Anna"}, open_to_all=False)
        self.station: Station = a_charger(self.hub, self.link)
        self.arbitration: Arbitration = an_arbitration(self.hub, self.rules)
        for provider in self.present:
            self.arbitration.arrived(provider)
        self.authority = self.hub.authority = Authority(self.arbitration, self.patience, self.grace)
        self.told: Mailbox = self.hub.bus.mailbox("test")
        self.facts: list[Any] = []

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.hub.clock, FakeClock)
        return self.hub.clock

    @property
    def ledger(self) -> FakeLedger:
        assert isinstance(self.hub.ledger, FakeLedger)
        return self.hub.ledger

    def events(self, kind: type[Any]) -> list[Any]:
        self.facts += self.told.take_now()
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def asked(self) -> list[str]:
        """Who was asked, in order."""
        return [fact.provider for fact in self.events(AuthorizationAsked)]

    def says(self, provider: str, said: Authorization, request_id: str | None = None) -> bool:
        """A provider answers the last question."""
        last = request_id or self.events(AuthorizationAsked)[-1].request_id
        return self.authority.answer(provider, last, said)

    def put(self, report: Report = CARD) -> asyncio.Future[Answer]:
        """What a charger says that has to wait for its answer."""
        answer = self.hub.hear("CP1", report)
        assert isinstance(answer, Delayed)
        return answer.answer

    async def verdict(self, report: Report = CARD) -> Verdict:
        """The verdict on a card that is answered at once, disk aside."""
        answer = self.hub.hear("CP1", report)
        return verdict(await answer.answer if isinstance(answer, Delayed) else answer)

    def holder(self) -> str | None:
        return self.station.control.holder(TRANSACTIONS)

    def decided(self) -> list[tuple[str, bool, str]]:
        """The audit log: who, yes or no, and why not."""
        written = [*self.ledger.noted, *self.ledger.recorded]
        return [(d.provider, d.granted, d.reason) for d in written if isinstance(d, Decided)]

    def session(self) -> Session:
        session = next(self.station.sessions(), None)
        assert session is not None
        return session


def verdict(answer: Answer) -> Verdict:
    assert isinstance(answer, AuthorizationAnswer | TransactionAnswer)
    assert answer.authorization is not None
    return answer.authorization.verdict


async def within_patience(answer: asyncio.Future[Answer]) -> Verdict:
    async with asyncio.timeout(PATIENCE):
        return verdict(await answer)


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


# Reports of one charger


async def test_while_a_start_waits_the_charger_s_other_reports_wait_in_order(scene: Scene) -> None:
    begun = scene.put(start(1000, scene.clock.at, tag=TAG))
    read = scene.put(meter(energy(1500), at=scene.clock.at))
    assert list(scene.station.sessions()) == []
    scene.says("first", ACCEPTED)
    assert await within_patience(begun) is Verdict.ACCEPTED
    assert await read == Acknowledged()
    assert scene.session().energy == 500


async def test_a_second_start_waits_for_its_own_card_behind_the_first(scene: Scene) -> None:
    answers = [scene.put(start(1000, tag=TAG)), scene.put(start(1000, tag="OTHER"))]
    scene.says("first", ACCEPTED)
    assert await within_patience(answers[0]) is Verdict.ACCEPTED
    await settle()
    assert scene.asked()[3:] == ["first"]  # whose transaction runs by now
    scene.says("first", BLOCKED)
    assert await within_patience(answers[1]) is Verdict.BLOCKED


async def test_a_heartbeat_and_a_card_wait_for_nothing(scene: Scene) -> None:
    scene.put(start(1000, tag=TAG))
    assert scene.hub.hear("CP1", HeartbeatReported()) == TimeAnswer(scene.clock.at)
    assert await scene.verdict(AuthorizationRequested(IdToken("anna"))) is Verdict.ACCEPTED


async def test_after_the_wait_reports_are_heard_at_once_again(scene: Scene) -> None:
    answer = scene.put(start(1000, tag=TAG))
    scene.says("first", ACCEPTED)
    await answer
    assert scene.hub.hear("CP1", meter(energy(1500))) == Acknowledged()


async def test_a_start_that_waited_is_on_disk_before_it_is_answered(scene: Scene) -> None:
    scene.ledger.open.clear()
    answer = scene.put(start(1000, tag=TAG))
    scene.says("first", ACCEPTED)
    await settle()
    assert not answer.done()
    scene.ledger.open.set()
    await within_patience(answer)
    assert [change.provider for change in scene.ledger.recorded if isinstance(change, Session)] == ["first"]


async def test_a_session_is_recorded_though_its_charger_left_before_the_verdict(scene: Scene) -> None:
    answer = scene.put(start(1000, tag=TAG))
    scene.hub.disconnect("CP1", scene.link, "gone")
    scene.says("first", ACCEPTED)
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert (scene.session().provider, scene.holder()) == ("first", "first")


async def test_a_charger_that_is_forgotten_meanwhile_is_not_written_down_again(scene: Scene) -> None:
    answer = scene.put(start(1000, tag=TAG))
    await scene.hub.forget("CP1")
    scene.says("first", ACCEPTED)
    with pytest.raises(UnknownCharger):
        await answer
    assert scene.ledger.recorded == []


async def test_an_end_waits_for_nobody(scene: Scene) -> None:
    begun = scene.put(start(1000, tag="anna"))
    await begun
    session = scene.session()
    assert await scene.put(stop(session.transaction_id, 2000, tag=TAG)) == TransactionAnswer(session.transaction_id)
    assert scene.asked() == []


async def test_a_card_shown_in_a_running_transaction_is_asked_about(scene: Scene) -> None:
    scene.station.memory.version = Version.V201
    await scene.put(event(Phase.STARTED))
    answer = scene.put(event(Phase.UPDATED, token=IdToken(TAG)))
    scene.says("second", ACCEPTED)
    scene.says("first", INVALID)
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert scene.session().provider == "second"


# Stopping with another card


async def test_a_second_card_may_stop_a_session_though_its_provider_may_start_none(scene: Scene) -> None:
    scene.put()
    scene.says("first", ACCEPTED)
    await scene.put(start(1000, tag=TAG))
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    answer = scene.put(AuthorizationRequested(IdToken("COLLEAGUE")))
    assert scene.asked()[3:] == ["first"]
    scene.says("first", Authorization(Verdict.ACCEPTED, "STAFF"))
    assert await within_patience(answer) is Verdict.ACCEPTED
    assert scene.holder() is None


async def test_but_it_starts_none_then(scene: Scene) -> None:
    scene.put()
    scene.says("first", ACCEPTED)
    await scene.put(start(1000, tag=TAG))
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    answer = scene.put(AuthorizationRequested(IdToken("COLLEAGUE")))
    scene.says("first", ACCEPTED)
    await answer
    assert await scene.verdict(start(5000, tag="COLLEAGUE")) is Verdict.INVALID


# Late answers


async def late(scene: Scene, *reports: Report) -> str:
    """A question that nobody answered in time, and what the charger said after it."""
    await within_patience(scene.put())
    for report in reports:
        await scene.verdict(report)
    return str(scene.events(AuthorizationAsked)[-1].request_id)


@pytest.fixture
async def hasty() -> Scene:
    """Nobody is waited for."""
    return Scene(patience=AT_ONCE, present=("first", "second"))


async def test_a_late_yes_is_told_and_good_for_the_next_time(hasty: Scene) -> None:
    request = await late(hasty)
    assert hasty.says("first", ACCEPTED, request)
    assert [(fact.verdict, fact.by) for fact in hasty.events(CardDecided)][1:] == [(Verdict.ACCEPTED, "first")]
    assert await hasty.verdict() is Verdict.ACCEPTED
    assert hasty.holder() == "first"


def stops(scene: Scene) -> list[Order]:
    return [order for order in scene.link.asked if isinstance(order, StopCharging)]


async def settle() -> None:
    """Let what was begun come as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_late_no_stops_what_runs_with_the_card(hasty: Scene) -> None:
    request = await late(hasty, start(1000, tag=TAG))
    hasty.says("first", BLOCKED, request)
    await settle()
    assert stops(hasty) == [StopCharging(hasty.session().transaction_id)]
    assert await hasty.verdict(start(1000, tag=TAG)) is Verdict.BLOCKED


async def test_a_late_no_stops_no_other_card_s_session(hasty: Scene) -> None:
    request = await late(hasty, start(1000, tag="anna"))
    hasty.says("first", BLOCKED, request)
    await settle()
    assert stops(hasty) == []


@pytest.mark.parametrize("said", [ACCEPTED, BLOCKED])
async def test_what_others_say_late_changes_nothing_where_one_accepted(said: Authorization) -> None:
    scene = Scene(grace=AT_ONCE, present=("first", "second"))
    answer = scene.put()
    scene.says("second", ACCEPTED)
    await within_patience(answer)
    await scene.verdict(start(1000, tag=TAG))
    assert scene.says("first", said)
    await settle()
    assert stops(scene) == []
    assert (scene.holder(), scene.session().provider) == ("second", "second")
    assert len(scene.events(CardDecided)) == 1


async def test_a_late_no_changes_nothing_where_another_accepted_late(hasty: Scene) -> None:
    request = await late(hasty, start(1000, tag=TAG))
    hasty.says("second", ACCEPTED, request)
    hasty.says("first", BLOCKED, request)
    await settle()
    assert stops(hasty) == []


async def test_what_is_long_over_is_over(hasty: Scene) -> None:
    request = await late(hasty)
    hasty.clock.at += ACCEPTANCE_KEPT + REFUSAL_KEPT
    assert not hasty.says("first", ACCEPTED, request)


async def test_of_many_questions_that_are_over_the_oldest_are_forgotten(hasty: Scene) -> None:
    request = await late(hasty)
    for _ in range(MOST_CLOSED):
        await late(hasty)
    assert not hasty.says("first", ACCEPTED, request)


# A start from afar


async def test_the_tag_of_a_provider_s_start_is_good_while_the_charger_still_thinks_about_it() -> None:
    answers: list[Verdict] = []

    def ask_first(order: Order) -> Outcome:
        answers.append(verdict_at_once(asking, AuthorizationRequested(IdToken("GUEST"))))
        return done()

    asking = scene = Scene(link=FakeLink(answer=ask_first))
    request = requests.Start(id_tag="GUEST")
    outcome = await scene.arbitration.dispatcher.start_for("third", scene.station, request)
    assert outcome.ok
    assert answers == [Verdict.ACCEPTED]
    assert scene.asked() == []
    await scene.verdict(start(1000, tag="GUEST"))
    assert scene.session().provider == "third"


def verdict_at_once(scene: Scene, report: Report) -> Verdict:
    answer = scene.hub.hear("CP1", report)
    assert not isinstance(answer, Delayed)
    return verdict(answer)


async def test_a_start_that_the_charger_refuses_makes_no_tag_good() -> None:
    scene = Scene(link=FakeLink(answer=lambda _: refused(Reason.CHARGER_REJECTED)), present=())
    await scene.arbitration.dispatcher.start_for("third", scene.station, requests.Start(id_tag="GUEST"))
    assert await scene.verdict(AuthorizationRequested(IdToken("GUEST"))) is Verdict.INVALID


async def test_the_owner_s_start_is_good_though_strangers_are_rejected(scene: Scene) -> None:
    scene.hub.house = House(unknown=UnknownTag.REJECT, open_to_all=False)
    await scene.arbitration.dispatcher.start_for(OWNER, scene.station, requests.Start(id_tag="GUEST"))
    assert isinstance(scene.link.asked[0], StartCharging)
    assert await scene.verdict(AuthorizationRequested(IdToken("GUEST"))) is Verdict.ACCEPTED
    assert await scene.verdict(CARD) is Verdict.INVALID
    assert scene.asked() == []


async def test_a_provider_s_start_is_good_no_more_once_the_owner_took_over(scene: Scene) -> None:
    await scene.arbitration.dispatcher.start_for("third", scene.station, requests.Start(id_tag="GUEST"))
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    assert await scene.verdict(AuthorizationRequested(IdToken("GUEST"))) is Verdict.INVALID


# A service with authority


@dataclass
class FakeReferee:
    """A service with authority over a charger's transactions."""

    id: str = "csms"
    patience: float = NEVER
    says: Authorization | None = ACCEPTED
    asked: list[str] = field(default_factory=list)

    async def authorize(self, charger_id: str, token: IdToken) -> Authorization | None:
        self.asked.append(f"{charger_id} {token.tag}")
        return self.says


def judged_by(referee: FakeReferee) -> Scene:
    scene = Scene(Rules(providers=of_equals("first", "csms")), ("first",))
    scene.authority.referee_for = lambda _: referee
    return scene


async def test_a_service_with_authority_is_asked_alone() -> None:
    referee = FakeReferee()
    scene = judged_by(referee)
    assert await within_patience(scene.put()) is Verdict.ACCEPTED
    assert referee.asked == [f"CP1 {TAG}"]
    assert scene.asked() == []
    assert scene.holder() == "csms"


async def test_a_service_that_says_nothing_in_time_accepts_nobody() -> None:
    scene = judged_by(FakeReferee(says=None, patience=AT_ONCE))
    assert await within_patience(scene.put()) is Verdict.INVALID
