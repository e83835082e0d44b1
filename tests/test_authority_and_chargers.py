"""What a charger hears while providers are asked about a card, and after it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import owner
from ocpp_mqtt_proxy.authority import MOST_CLOSED
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, INVALID, REFUSAL_KEPT, House, UnknownTag
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, StartCharging, StopCharging, done, refused
from ocpp_mqtt_proxy.core.errors import UnknownCharger
from ocpp_mqtt_proxy.core.events import AuthorizationAsked, CardDecided
from ocpp_mqtt_proxy.core.model import OWNER, IdToken, Verdict, Version
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    Authorization,
    AuthorizationRequested,
    HeartbeatReported,
    Phase,
    Report,
    TimeAnswer,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.hub import Delayed
from tests.asking import (
    AT_ONCE,
    BLOCKED,
    CARD,
    NEVER,
    TAG,
    Scene,
    of_equals,
    settle,
    verdict,
    within_patience,
)
from tests.core.yard import energy, event, meter, start, stop
from tests.fakes import FakeLink


@pytest.fixture
async def scene() -> Scene:
    return Scene()


# Reports of one charger


async def test_while_a_start_waits_the_charger_s_other_reports_wait_in_order(scene: Scene) -> None:
    begun = scene.put(start(1000, scene.clock.at, tag=TAG))
    read = scene.put(meter(energy(1500), at=scene.clock.at))
    await settle()
    assert not read.done()
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


async def test_nor_where_its_start_comes_before_the_answer(scene: Scene) -> None:
    scene.put()
    scene.says("first", ACCEPTED)
    await scene.put(start(1000, tag=TAG))
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    scene.put(AuthorizationRequested(IdToken("COLLEAGUE")))
    begun = scene.put(start(5000, tag="COLLEAGUE"))
    await settle()
    scene.says("first", ACCEPTED)
    assert await within_patience(begun) is Verdict.INVALID


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


async def test_a_late_no_changes_nothing_though_it_is_forgotten_who_accepted() -> None:
    scene = Scene(grace=AT_ONCE, present=("first", "second"))
    answer = scene.put()
    scene.says("second", ACCEPTED)
    await within_patience(answer)
    await scene.verdict(start(1000, tag=TAG))
    scene.station.control.cards.forget(TAG)
    scene.says("first", BLOCKED)
    await settle()
    assert stops(scene) == []


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


async def test_until_they_are_many_none_is(hasty: Scene) -> None:
    request = await late(hasty)
    for _ in range(MOST_CLOSED - 1):
        await late(hasty)
    assert hasty.says("first", ACCEPTED, request)


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


async def test_a_card_of_the_house_stays_its_own_though_a_provider_starts_with_its_tag(scene: Scene) -> None:
    await scene.arbitration.dispatcher.start_for("third", scene.station, requests.Start(id_tag="anna"))
    await scene.verdict(AuthorizationRequested(IdToken("anna")))
    assert [fact.by for fact in scene.events(CardDecided)] == ["house"]


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
    """A service with authority over a charger's transactions. `says` None: nothing will come from it."""

    id: str = "csms"
    patience: float = NEVER
    says: Authorization | None = ACCEPTED
    down: Authorization = INVALID
    asked: list[str] = field(default_factory=list)
    speaks: asyncio.Event = field(default_factory=asyncio.Event)

    async def authorize(self, charger_id: str, token: IdToken) -> Authorization | None:
        self.asked.append(f"{charger_id} {token.tag}")
        if self.patience == AT_ONCE:
            await self.speaks.wait()
        return self.says

    def while_down(self, charger_id: str, token: IdToken) -> Authorization:
        return self.down


def judged_by(referee: FakeReferee) -> Scene:
    scene = Scene(Rules(providers=of_equals("first", "csms")), ("first",))
    scene.authority.referee_for = lambda _: referee
    return scene


async def speaks(referee: FakeReferee, said: Authorization | None) -> None:
    """It answers at last."""
    referee.says = said
    referee.speaks.set()
    await settle()


async def test_a_service_with_authority_is_asked_alone() -> None:
    referee = FakeReferee()
    scene = judged_by(referee)
    assert await within_patience(scene.put()) is Verdict.ACCEPTED
    assert referee.asked == [f"CP1 {TAG}"]
    assert scene.asked() == []
    assert scene.holder() == "csms"


async def test_a_service_without_authority_is_not_waited_for() -> None:
    scene = Scene(Rules(providers=of_equals("csms")), ("csms",))
    scene.authority.is_service = lambda provider: provider == "csms"
    assert await scene.verdict() is Verdict.INVALID
    assert scene.asked() == []


async def test_a_card_of_the_house_is_not_put_to_it() -> None:
    referee = FakeReferee(says=BLOCKED)
    assert await judged_by(referee).verdict(AuthorizationRequested(IdToken("anna"))) is Verdict.ACCEPTED
    assert referee.asked == []


async def test_nor_is_it_asked_where_the_rules_do_not_let_it_act() -> None:
    referee = FakeReferee()
    scene = judged_by(referee)
    scene.arbitration.house.disabled |= {"csms"}
    assert await scene.verdict() is Verdict.INVALID
    assert referee.asked == []


async def test_its_no_is_the_charger_s_answer() -> None:
    scene = judged_by(FakeReferee(says=BLOCKED))
    assert await within_patience(scene.put()) is Verdict.BLOCKED
    assert [(fact.verdict, fact.by) for fact in scene.events(CardDecided)] == [(Verdict.BLOCKED, "csms")]


async def test_a_session_with_a_card_that_it_accepted_is_its_own() -> None:
    scene = judged_by(FakeReferee())
    await within_patience(scene.put())
    await scene.verdict(start(1000, tag=TAG))
    assert scene.session().provider == "csms"


@pytest.mark.parametrize(("down", "verdict"), [(ACCEPTED, Verdict.ACCEPTED), (INVALID, Verdict.INVALID)])
async def test_while_it_is_down_what_the_owner_said_of_that_holds_at_once(
    down: Authorization, verdict: Verdict
) -> None:
    scene = judged_by(FakeReferee(says=None, down=down))
    assert await within_patience(scene.put()) is verdict


async def test_silent_for_too_long_it_counts_as_down() -> None:
    scene = judged_by(FakeReferee(patience=AT_ONCE, down=ACCEPTED))
    assert await within_patience(scene.put()) is Verdict.ACCEPTED
    await scene.verdict(start(1000, tag=TAG))
    assert scene.session().provider == "csms"


async def test_its_yes_does_not_count_where_the_rules_changed_meanwhile() -> None:
    scene = judged_by(FakeReferee(patience=AT_ONCE, down=ACCEPTED))
    answer = scene.put()
    await owner.set_mode(scene.arbitration, "CP1", OWNER, "test")
    assert await within_patience(answer) is Verdict.INVALID


async def test_its_late_yes_is_good_for_the_next_time() -> None:
    referee = FakeReferee(patience=AT_ONCE)
    scene = judged_by(referee)
    assert await within_patience(scene.put()) is Verdict.INVALID
    await speaks(referee, ACCEPTED)
    assert await scene.verdict() is Verdict.ACCEPTED
    assert len(referee.asked) == 1


async def test_its_late_no_stops_what_was_accepted_in_its_absence() -> None:
    referee = FakeReferee(patience=AT_ONCE, down=ACCEPTED)
    scene = judged_by(referee)
    await within_patience(scene.put())
    await scene.verdict(start(1000, tag=TAG))
    await speaks(referee, BLOCKED)
    assert stops(scene) == [StopCharging(scene.session().transaction_id)]


async def test_its_late_yes_to_what_was_accepted_in_its_absence_changes_nothing() -> None:
    referee = FakeReferee(patience=AT_ONCE, down=ACCEPTED)
    scene = judged_by(referee)
    await within_patience(scene.put())
    await scene.verdict(start(1000, tag=TAG))
    await speaks(referee, ACCEPTED)
    assert stops(scene) == []
    assert len(scene.events(CardDecided)) == 1


async def test_its_late_no_leaves_a_start_from_afar_with_the_same_tag_alone() -> None:
    referee = FakeReferee(patience=AT_ONCE, down=ACCEPTED)
    scene = judged_by(referee)
    await within_patience(scene.put())
    await scene.arbitration.dispatcher.start_for("first", scene.station, requests.Start(id_tag=TAG))
    await scene.verdict(start(1000, tag=TAG))
    await speaks(referee, BLOCKED)
    assert stops(scene) == []


# Whenever the verdict comes


def visit(scene: Scene) -> list[Report]:
    """A 2.x transaction from plug to end, told without a pause."""
    at = scene.clock.at
    return [
        event(Phase.STARTED, energy(1000), at=at, token=IdToken(TAG)),
        event(Phase.UPDATED, energy(2000), at=at + timedelta(minutes=30)),
        meter(energy(2000), at=at + timedelta(minutes=31)),
        event(Phase.UPDATED, energy(3000), at=at + timedelta(hours=1)),
        event(Phase.ENDED, energy(4000), at=at + timedelta(hours=2)),
    ]


@pytest.mark.parametrize("heard", range(1, 6))
async def test_a_whole_transaction_counts_the_same_whenever_the_verdict_comes(heard: int) -> None:
    scene = Scene(present=("first",))
    scene.station.memory.version = Version.V201
    reports = visit(scene)
    answers = [scene.put(report) for report in reports[:heard]]
    scene.says("first", ACCEPTED)
    await asyncio.gather(*answers)
    for report in reports[heard:]:
        scene.hub.hear("CP1", report)
    await settle()
    session = scene.station.book.find("tx-1")
    assert session is not None
    assert (session.energy, session.state, [part.provider for part in session.parts]) == (3000, "ended", ["first"])
