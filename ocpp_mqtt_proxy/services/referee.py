"""A service with authority over transactions judges cards (contract §3 `authority`, semantics §5).

It is asked by `Authorize`, as a charger would. What it accepted is remembered: that may charge while it cannot be
asked, if the owner wants it so. The start of a transaction it judges once more, when it hears of it: that may be long
after the charger was answered, so a no then has to stop what runs (semantics §5.3).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.authority import Referee
from ocpp_mqtt_proxy.core.authorization import ACCEPTED, INVALID, Decision, key_of, of
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import IdToken, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization, AuthorizationAnswer, AuthorizationRequested
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.ocppj.fields import Object, child, text
from ocpp_mqtt_proxy.services import tags
from ocpp_mqtt_proxy.services.obeying import cards
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import WhileDown
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused

log = logging.getLogger(__name__)

KEPT = timedelta(days=365)
"""How long a card that was accepted without an end counts as known."""

MOST_KNOWN = 500
"""Cards known per service and charger; those whose time is up first go first."""

REFRESHED = timedelta(days=1)
"""A card that is known for about as long already need not be written down again."""


def referee_of(outstations: Iterable[Outstation]) -> Referee | None:
    """Who judges a charger's cards, of the services that see it: the one with authority, unless it is switched off."""
    return next((ServiceReferee(out) for out in outstations if _judges(out)), None)


def _judges(out: Outstation) -> bool:
    on = out.plan.enabled and not out.switched_off
    return on and ControlClass.TRANSACTIONS in out.plan.authority


@dataclass(frozen=True, slots=True)
class ServiceReferee:
    """One service with authority over one charger's transactions. Fulfils `authority.Referee`."""

    out: Outstation

    @property
    def id(self) -> str:
        """The service, as a provider."""
        return self.out.id

    @property
    def patience(self) -> float:
        """How long it may take, in seconds."""
        return self.out.plan.patience

    async def authorize(self, charger_id: str, token: IdToken) -> Authorization | None:
        """Its own word, however late; None, and that at once, where none will come. Never raises."""
        if not self.out.accepted:
            return None
        try:
            said = await self._ask(token)
        except (LinkLost, NoAnswer, Refused) as error:
            log.info("%s: %s did not judge a card: %s", charger_id, self.id, error)
            return None
        if said is not None:
            learn(self.out, token, said)
        return said

    async def _ask(self, token: IdToken) -> Authorization | None:
        """None for an answer that is none."""
        row = self.out.dialect.say[AuthorizationRequested]
        [(action, payload)] = row.encode(AuthorizationRequested(tags.told(self.out, token)))
        said = await self.out.call(action, payload)
        answer = row.read(said)
        return answer.authorization if isinstance(answer, AuthorizationAnswer) and _judged(said) else None

    def while_down(self, charger_id: str, token: IdToken) -> Authorization:
        """What holds of a card while it cannot be asked (contract §3 `authority_down`)."""
        rule = self.out.plan.while_down
        log.info("%s: %s cannot be asked about a card: %s", charger_id, self.id, rule)
        if rule is WhileDown.ACCEPT_KNOWN:
            return known(self.out, token) or INVALID
        return ACCEPTED if rule is WhileDown.ACCEPT else INVALID


def _judged(answer: Object) -> bool:
    info = child(answer, "idTagInfo") or child(answer, "idTokenInfo")
    return bool(text(info, "status"))


# What it accepted before


def known(out: Outstation, token: IdToken) -> Authorization | None:
    """What a service is known to think of a card; None where it said nothing of it. Its list beats the rest (C14)."""
    if listed := cards.known(out, token):
        return listed
    until = out.peer.accepted_tags.get(key_of(token.tag))
    return ACCEPTED if until is not None and out.hub.clock.now() < until else None


def learn(out: Outstation, token: IdToken, said: Authorization) -> None:
    """A service judged a card: remember what it accepts, and forget what it accepts no more.

    That the card charges elsewhere is of no consequence to that (1.6 §5.1 ConcurrentTx).
    """
    accepted, key = out.peer.accepted_tags, key_of(token.tag)
    if said.verdict is Verdict.ACCEPTED:
        _remember(out, key, said)
    elif said.verdict is not Verdict.CONCURRENT_TX and accepted.pop(key, None) is not None:
        out.keep()


def _remember(out: Outstation, key: str, said: Authorization) -> None:
    accepted, now = out.peer.accepted_tags, out.hub.clock.now()
    until, before = said.expires or now + KEPT, accepted.get(key)
    if before == until or (said.expires is None and before is not None and abs(until - before) < REFRESHED):
        return
    accepted[key] = until
    for oldest in sorted(accepted, key=lambda one: accepted[one])[: max(0, len(accepted) - MOST_KNOWN)]:
        del accepted[oldest]
    out.keep()


# What it says of a transaction


def heed(out: Outstation, session_id: str, token: IdToken, said: Authorization, *, again: bool = False) -> None:
    """A service said of a transaction's card what it thinks, when it heard of the transaction: act upon it.

    A no of the authority stops its own session (semantics §5.3); others' sessions, and those with the house's cards,
    are not its to stop. `again` where the service may have heard of the transaction before: then ConcurrentTx may mean
    that very transaction (semantics §5.7).
    """
    if not _judges(out):
        return
    learn(out, token, said)
    itself = again and said.verdict is Verdict.CONCURRENT_TX
    session = _session(out, session_id)
    if said.verdict is Verdict.ACCEPTED or itself or session is None or out.hub.house.knows(token):
        return
    log.warning("%s: %s does not accept the card of a session that runs: %s", out.charger_id, out.id, said.verdict)
    out.hub.apply(out.station, lambda hearing: _refuse(hearing, out.id, token, said))
    _stop(out, session)


def enforce(out: Outstation) -> None:
    """The charger is back: what the service refused while it was away is stopped now, where it still runs."""
    if not _judges(out):
        return
    for session in out.station.sessions():
        decision = out.station.recall(session.id_tag or "", out.hub.clock.now())
        refused = decision is not None and decision.provider == out.id and not decision.accepted
        if refused and session.provider == out.id:
            _stop(out, session)


def _stop(out: Outstation, session: Session) -> None:
    arbitration, stop = out.arbitration, requests.Stop(transaction_id=session.transaction_id)
    out.errand(arbitration.dispatcher.carry_out(lambda: wishes.stop(arbitration, out.id, out.charger_id, stop)))


def _session(out: Outstation, session_id: str) -> Session | None:
    """A session of the service's own that runs."""
    own = (session for session in out.station.sessions() if session.provider == out.id)
    return next((session for session in own if session.session_id == session_id), None)


def _refuse(hearing: Hearing, service: str, token: IdToken, said: Authorization) -> None:
    decision = Decision(of(service, said), service, of_provider=True)
    hearing.station.remember(token.tag, decision, hearing.now)
    hearing.keep(hearing.station.control)
