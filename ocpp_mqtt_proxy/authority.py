"""Who decides on cards: the house, what was decided before, and providers that are asked (contract §3, §6, §7).

Asked are those that are connected and that the rules would let act now. All hear at once, because a charger waits. The
first that accepts has the charger's transactions and the session; but one that goes before it (holder, preferred,
priority) gets `GRACE_SECONDS` more, so that an order that the owner set does not depend on who is a little faster.
Where none accepts within `PATIENCE_SECONDS` the card is invalid, by nobody.

Where a service has authority over a charger's transactions it alone is asked, if the rules let it. While it cannot be,
or is silent for too long, what its configuration says of that holds, until it speaks after all.

A card that is shown is asked about anew unless it was accepted a short time ago. The start that follows gets the
verdict that the card got, a no too. The end of a transaction waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Protocol

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Arbitration, Wish
from ocpp_mqtt_proxy.bus import LOSSY, Mailbox
from ocpp_mqtt_proxy.core.arbiter import Grant, Intent, decide
from ocpp_mqtt_proxy.core.authorization import (
    ACCEPTANCE_KEPT,
    INVALID,
    NOBODY,
    Decision,
    Question,
    key_of,
    of,
)
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import AuthorizationAsked
from ocpp_mqtt_proxy.core.hearing import Hearing, tell_decision
from ocpp_mqtt_proxy.core.model import OWNER, IdToken
from ocpp_mqtt_proxy.core.reports import Authorization, Phase, Report, TransactionReported, card_of
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.world import busy, world_of

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3.0
GRACE_SECONDS = 0.3

MOST_CLOSED = 100
"""Questions that are over and may still be answered."""

TRANSACTIONS = ControlClass.TRANSACTIONS


class Referee(Protocol):
    """A service with authority over the transactions of a charger."""

    @property
    def id(self) -> str:
        """The service, as a provider."""

    @property
    def patience(self) -> float:
        """How long it may take, in seconds."""

    async def authorize(self, charger_id: str, token: IdToken) -> Authorization | None:
        """Its own word, however late it comes; None, and that at once, where none will come. Never raises."""

    def while_down(self, charger_id: str, token: IdToken) -> Authorization:
        """What holds of a card while it cannot be asked (contract §3 `authority_down`)."""


@dataclass(slots=True)
class Asking:
    """A question that is put to providers, and was until it is over: then `decision` is there.

    `starting` where a transaction begins with the card. `spoken` once somebody accepts, `settled` once no answer
    would change anything. `provisional` while the decision is not the word of the service that is asked, but what holds
    without it.
    """

    station: Station
    question: Question
    until: datetime
    connector: Connector | None = None
    starting: bool = False
    id: str = field(default_factory=lambda: token_hex(8))
    spoken: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    decision: Decision | None = None
    provisional: bool = False
    task: asyncio.Task[Decision] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The charger and the card: what is asked about only once at a time."""
        return self.station.id, key_of(self.question.token.tag)


class Authority:
    """Decides on cards. Fulfils `ports.Authority`.

    `patience` with all that are asked and `grace` with those that go before are in seconds. `referee_for` tells the
    service with authority over a charger's transactions. Other services (`is_service`) are not asked: a CSMS is told
    what was decided, and its answer is read at most (semantics §5.1).
    """

    def __init__(
        self,
        arbitration: Arbitration,
        patience: float = PATIENCE_SECONDS,
        grace: float = GRACE_SECONDS,
        referee_for: Callable[[str], Referee | None] = lambda _: None,
        is_service: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.referee_for = referee_for
        self.is_service = is_service
        self._arbitration = arbitration
        self._hub = arbitration.hub
        self.patience = patience
        self.grace = grace
        self._open: dict[tuple[str, str], Asking] = {}
        self._by_id: dict[str, Asking] = {}
        self._errands: set[asyncio.Task[None]] = set()

    def decide(self, station: Station, report: Report) -> Decision | asyncio.Future[Decision] | None:
        """The verdict on a report's card, or one to come; None where there is no card, or none is needed."""
        token = card_of(report)
        if token is None:
            return None
        house = self._hub.house
        known = house.knows(token) or self._recall(station, token, report)
        if known is not None or not house.asks(token):
            return known or house.decide(token)
        if isinstance(report, TransactionReported) and report.phase is Phase.ENDED:
            return None
        return self._ask(station, token, report)

    def answer(self, provider: str, request_id: str, authorization: Authorization) -> bool:
        """A provider's answer to an `authorization_request`; False where it was not asked, or that is long over.

        The first answer counts. One that comes too late counts for the next time.
        """
        asking = self._by_id.get(request_id)
        if asking is None or provider not in asking.question.asked or self._is_long_over(asking):
            return False
        if provider in asking.question.answers and not asking.provisional:
            return True
        said = of(provider, authorization)
        asking.question.answers[provider] = said
        if asking.decision is None:
            self._look(asking)
        else:
            self._take_late(asking, asking.decision, Decision(said, provider, of_provider=True))
        return True

    # What was decided before

    def _recall(self, station: Station, token: IdToken, report: Report) -> Decision | None:
        """What was decided on a card, where it still stands and whose it is may still act."""
        decision, transaction = (
            station.recall(token.tag, self._hub.clock.now()),
            isinstance(report, TransactionReported),
        )
        if decision is None or not (decision.accepted or transaction):
            return None
        goes_on = isinstance(report, TransactionReported) and report.phase is not Phase.STARTED
        if decision.provider is None or not decision.accepted or goes_on:
            return decision
        connector = _place(station, report)
        intent = self._intent(station, decision.provider, connector, starting=transaction)
        return decision if intent and self._grant(station, decision.provider, connector, intent) else None

    def _intent(self, station: Station, provider: str, connector: Connector | None, *, starting: bool) -> Intent | None:
        """As what a provider may accept a card: to charge with; or where its session runs, to stop that."""
        stops = not starting and provider in busy(station)
        for intent in (Intent.ANSWER, Intent.EASE) if stops else (Intent.ANSWER,):
            request = _wish(provider, connector, intent).request
            world, now = world_of(station, self._arbitration.house, connector), self._hub.clock.now()
            if isinstance(decide(station.control, request, world, self._arbitration.rules, now), Grant):
                return intent
        return None

    def _grant(self, station: Station, provider: str, connector: Connector | None, intent: Intent) -> bool:
        """Whether the rules let a provider's yes count; it holds what it needs for that then."""
        return self._arbitration.judge(station, [_wish(provider, connector, intent)]) is None

    # Asking

    def _ask(self, station: Station, token: IdToken, report: Report) -> Decision | asyncio.Future[Decision]:
        """Put a question, or join it where it is put already."""
        starting = isinstance(report, TransactionReported) and report.phase is Phase.STARTED
        asking = self._open.get((station.id, key_of(token.tag)))
        if asking is None:
            connector = _place(station, report)
            referee = self.referee_for(station.id)
            asked = self._asked(station, connector, referee, starting=starting)
            if not asked:
                return Decision(INVALID, NOBODY)
            until = self._hub.clock.now() + timedelta(seconds=referee.patience if referee else self.patience)
            asking = Asking(station, Question(token, asked), until, connector)
            self._put(asking, referee)
        asking.starting = asking.starting or starting
        assert asking.task is not None
        return asyncio.shield(asking.task)

    def _asked(
        self, station: Station, connector: Connector | None, referee: Referee | None, *, starting: bool
    ) -> tuple[str, ...]:
        """Whom to ask, those first that go before others: a service with authority alone, or all that may act now."""
        rules, holder = self._arbitration.rules, station.control.holder(TRANSACTIONS)
        present = [one for one in self._arbitration.house.present if not self.is_service(one)]
        there = [referee.id] if referee else sorted(present)
        able = [provider for provider in there if (terms := rules.terms(provider)) and TRANSACTIONS in terms.roles]
        may = [provider for provider in able if self._may(station, provider, connector, starting=starting)]
        return tuple(sorted(may, key=lambda provider: (provider == holder, *rules.rank(provider)), reverse=True))

    def _may(self, station: Station, provider: str, connector: Connector | None, *, starting: bool) -> bool:
        """Whether a provider is to be asked; why one is not is in the audit log."""
        if self._intent(station, provider, connector, starting=starting):
            return True
        self._arbitration.consider(station, _wish(provider, connector, Intent.ANSWER))
        return False

    def _put(self, asking: Asking, referee: Referee | None) -> None:
        self._open[asking.key] = self._by_id[asking.id] = asking
        verdict = self._await(asking) if referee is None else self._consult(asking, referee)
        asking.task = asyncio.create_task(verdict, name=f"card at {asking.station.id}")
        if referee is None:
            self._hub.apply(asking.station, lambda hearing: _tell_asked(hearing, asking))

    async def _await(self, asking: Asking) -> Decision:
        """The verdict, when it is there or it takes too long."""
        with self._hub.bus.listening("card") as mailbox:
            watching = asyncio.create_task(self._watch(asking, mailbox))
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.patience):
                        await self._all_said(asking)
            finally:
                watching.cancel()
                del self._open[asking.key]
        return self._conclude(asking)

    async def _consult(self, asking: Asking, referee: Referee) -> Decision:
        """The verdict of a service with authority; or what holds without it, until it speaks after all."""
        station, question = asking.station, asking.question
        try:
            await asyncio.wait([self._errand(self._hear_out(asking, referee))], timeout=referee.patience)
        finally:
            del self._open[asking.key]
        if referee.id not in question.answers:
            asking.provisional = True
            question.answers[referee.id] = of(referee.id, referee.while_down(station.id, question.token))
        return self._conclude(asking)

    async def _hear_out(self, asking: Asking, referee: Referee) -> None:
        said = await referee.authorize(asking.station.id, asking.question.token)
        if said is not None:
            self.answer(referee.id, asking.id, said)

    async def _all_said(self, asking: Asking) -> None:
        await asking.spoken.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.grace):
                await asking.settled.wait()

    async def _watch(self, asking: Asking, mailbox: Mailbox) -> None:
        """Who leaves, or may not act any more, is not waited for."""
        self._look(asking)
        while True:
            if not all(isinstance(fact, LOSSY) for fact in await mailbox.take()):
                self._look(asking)

    def _look(self, asking: Asking) -> None:
        question = asking.question
        if question.settled(self._gone(asking)):
            asking.settled.set()
        if asking.settled.is_set() or any(question.acceptances()):
            asking.spoken.set()

    def _gone(self, asking: Asking) -> set[str]:
        """Who will not answer, or whose yes would not count."""
        here, asked = self._arbitration.house.present, asking.question.asked
        return {provider for provider in asked if provider not in here or not self._counts(asking, provider)}

    def _counts(self, asking: Asking, provider: str) -> bool:
        return self._intent(asking.station, provider, asking.connector, starting=asking.starting) is not None

    def _conclude(self, asking: Asking) -> Decision:
        """The first yes that the rules let count, else a no: that is the decision."""
        decision = next(filter(lambda yes: self._wins(asking, yes), asking.question.acceptances()), None)
        asking.decision = decision = decision or asking.question.refusal()
        self._remember(asking, decision)
        self._forget_oldest()
        return decision

    def _wins(self, asking: Asking, yes: Decision) -> bool:
        station, connector = asking.station, asking.connector
        intent = self._intent(station, yes.by, connector, starting=asking.starting) or Intent.ANSWER
        return self._grant(station, yes.by, connector, intent)

    def _remember(self, asking: Asking, decision: Decision) -> None:
        def remember(hearing: Hearing) -> None:
            asking.station.remember(asking.question.token.tag, decision, hearing.now)
            hearing.keep(asking.station.control)

        self._hub.apply(asking.station, remember)

    # Late answers

    def _is_long_over(self, asking: Asking) -> bool:
        return self._hub.clock.now() - asking.until > ACCEPTANCE_KEPT

    def _forget_oldest(self) -> None:
        over = [asking.id for asking in self._by_id.values() if asking.decision is not None]
        for request_id in over[: max(0, len(over) - MOST_CLOSED)]:
            del self._by_id[request_id]

    def _take_late(self, asking: Asking, decided: Decision, late: Decision) -> None:
        """An answer that came when all was over: of use where nobody had accepted the card, nor has since.

        Or where it was accepted in the absence of the one who has the say, and that one is here now.
        """
        token, absent = asking.question.token, asking.provisional
        asking.provisional = False
        since = asking.station.recall(token.tag, self._hub.clock.now())
        taken = since is not None and since.accepted and not (absent and since.by == late.by)
        if taken or (decided.accepted and (late.accepted or not absent)):
            return
        self._remember(asking, late)
        self._hub.apply(asking.station, lambda hearing: tell_decision(hearing, token, late))
        if not late.accepted:
            self._errand(self._stop(asking, late.by))

    async def _stop(self, asking: Asking, by: str) -> None:
        """Stop what runs with a card that somebody refuses and nobody with a say accepted (semantics §5.3).

        Not what another provider began from afar with the same tag.
        """
        for session in list(asking.station.sessions()):
            if key_of(session.id_tag or "") == asking.key[1] and session.provider in (OWNER, by):
                request = requests.Stop(transaction_id=session.transaction_id)
                await self._arbitration.dispatcher.submit(asking.station.id, request)

    def _errand(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task


def _wish(provider: str, connector: Connector | None, intent: Intent) -> Wish:
    return Wish(provider, TRANSACTIONS, "authorize", intent, connector)


def _place(station: Station, report: Report) -> Connector | None:
    """The connector at which a card is shown, where the report tells."""
    place = report.place if isinstance(report, TransactionReported) else None
    return station.at(place) if place else None


def _tell_asked(hearing: Hearing, asking: Asking) -> None:
    for provider in asking.question.asked:
        hearing.tell(
            AuthorizationAsked,
            asking.connector,
            provider=provider,
            request_id=asking.id,
            id_tag=asking.question.token.tag,
            until=asking.until,
        )
