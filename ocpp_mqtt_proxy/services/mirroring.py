"""What a service must hear of sessions, for certain and in order: what a charger said, or we decided (contract §9).

Sessions are compared with what the service knows of them, so that it does not matter how one became the service's own:
by its card, by a start from afar, by the owner's word in mid-session, or because the service is new. It hears of each
once that it began, first, and once that it ended, last (I3); a charger's repetitions bring no facts and no messages.

Messages hold the charger's ids and places; `wording` finds the service's when they are told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ocpp_mqtt_proxy.core import instants
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import (
    ChargerConnected,
    Fact,
    LimitChanged,
    MeterRead,
    SecurityNoticed,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
)
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.model import ChargingState, IdToken, Sample, Status, StopReason, TokenKind, Version, WattHours
from ocpp_mqtt_proxy.core.outgoing import Outgoing, Told
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.reports import (
    MeterReported,
    Phase,
    Report,
    SecurityReported,
    StatusReported,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.transactions import STALE
from ocpp_mqtt_proxy.services import shown
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import Mirroring

log = logging.getLogger(__name__)

_STATES = {
    Status.PREPARING: ChargingState.EV_CONNECTED,
    Status.CHARGING: ChargingState.CHARGING,
    Status.SUSPENDED_EV: ChargingState.SUSPENDED_EV,
    Status.SUSPENDED_EVSE: ChargingState.SUSPENDED_EVSE,
    Status.FINISHING: ChargingState.EV_CONNECTED,
}
"""A transaction's state where the charger tells only its connector's (semantics §10.4)."""

_BY_CONTEXT = {"Sample.Clock": "meter_value_clock", "Trigger": "trigger"}
_PERIODIC = "meter_value_periodic"
"""Why readings are told, by their context (semantics §10.1)."""

_READINGS = frozenset({"", _PERIODIC, "meter_value_clock"})
"""Reasons that are of no account without readings."""


def follow(out: Outstation, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
    """What a service must hear of what was just heard of its charger, to be written down with it. Never waits."""
    news = _news(out, facts)
    if out.caught_up and not news:
        return []
    following = _Following(out, report, facts[0].at if facts else out.hub.clock.now())
    for session_id, (session, of_it) in news.items():
        if session_id:
            following.session(session, of_it)
        else:
            following.security(of_it)
    if not out.caught_up:
        following.catch_up()
    return [*following.messages, out.peer] if following.changed else following.messages


_News = dict[str, tuple[Session, list[Fact]]]
"""Sessions to look at, with what happened to them; under no id what is of no session."""


def _news(out: Outstation, facts: Sequence[Fact]) -> _News:
    """What is of account for the service. Called for all that a charger sends: nothing must cost next to nothing."""
    station = out.station
    news: _News = {}
    for fact in facts:
        kind = type(fact)
        if kind in _OF_SESSIONS:
            session = _session_of(out, fact)
            if session is not None:
                news.setdefault(session.session_id, (session, []))[1].append(fact)
        elif kind is SecurityNoticed and _hears_of_security(out):
            news.setdefault("", (_NO_SESSION, []))[1].append(fact)
        elif kind is ChargerConnected:
            out.caught_up = False
    for connector in station.connectors.values():
        session = connector.session
        if session is not None and session.session_id not in news and _is_amiss(out, session):
            news[session.session_id] = (session, [])
    return news


def _session_of(out: Outstation, fact: Fact) -> Session | None:
    if isinstance(fact, LimitChanged):
        return _slowed(out, fact)
    if isinstance(fact, MeterRead):
        return out.station.book.find(fact.transaction_id)
    return fact.session  # type: ignore[attr-defined, no-any-return] # the others have it


def _slowed(out: Outstation, fact: LimitChanged) -> Session | None:
    """The session that may draw more or less than before because of somebody else than the service (K11.FR.04).

    1.6 has no such message.
    """
    (before, by), now = out.bound.get(fact.connector, (fact.effective, out.id)), (fact.effective, fact.by)
    out.bound[fact.connector] = now
    released = by != out.id and fact.effective > before
    if out.version is Version.V16 or (fact.by == out.id and not released):
        return None
    connector = out.station.connectors.get(fact.connector)
    return connector.session if connector is not None else None


_OF_SESSIONS = frozenset({LimitChanged, MeterRead, SessionStarted, SessionUpdated, SessionEnded})
_NO_SESSION = Session("", "", 0, "", instants.EARLIEST)


def noticed(out: Outstation, event: str, info: str) -> Outgoing:
    """A security event of our own link to a service, for it to hear of once it is reached again (A04.FR.02)."""
    now = out.hub.clock.now()
    told = SecurityReported(event, now, info)
    return Outgoing(out.id, out.charger_id, out.outbox.number(), now, told)


def _hears_of_security(out: Outstation) -> bool:
    """Security events are for who is in charge, and for who hears all (semantics §9.5)."""
    return out.plan.mirrors is Mirroring.ALL or ControlClass.MANAGEMENT in out.plan.authority


def _is_amiss(out: Outstation, session: Session) -> bool:
    """Whether the service does not know of a running session what it should."""
    known = out.peer.theirs(session.session_id)
    return is_told(out, session) is not (known is not None and not known.over)


def is_told(out: Outstation, session: Session) -> bool:
    """Whether a service is told of a session (contract §3 `mirror`)."""
    mirrors = out.plan.mirrors
    return mirrors is Mirroring.ALL or (mirrors is Mirroring.OWN and session.provider == out.id)


def _is_whole(out: Outstation, session: Session) -> bool:
    """Whether the service hears of it from its own start, and not from where it got it."""
    return out.plan.mirrors is Mirroring.ALL or len(session.parts) == 1


def is_own(out: Outstation, session: Session) -> bool:
    """Whether a session is the service's, or was: then it is shown its card."""
    return any(part.provider == out.id for part in session.parts)


@dataclass(slots=True)
class _Following:
    """What follows for one service from one report, or from a decision of ours. `now` is by our clock."""

    out: Outstation
    report: Report | None
    now: datetime
    messages: list[Change] = field(default_factory=list)
    changed: bool = False

    # One session

    def session(self, session: Session, facts: list[Fact]) -> None:
        """Tell what is new of a session."""
        kinds = {type(fact) for fact in facts}
        known = self.out.peer.theirs(session.session_id)
        begins = self._begins(session, known, kinds)
        if begins:
            known = self._begin(session, known, kinds)
        if known is None or known.over:
            self._too_late(known, kinds)
            return
        if known.ours != session.transaction_id:
            known.ours, self.changed = session.transaction_id, True
        self._note_card_and_register(session, known)
        told = Phase.STARTED if SessionStarted in kinds and not session.adopted else Phase.ENDED
        if kinds - {SessionEnded} and not self._is_of(told):
            self._go_on(session, known, facts)
        if SessionEnded in kinds:
            self._end(session, known, self._last_word(session, known))
        elif session.running and not is_told(self.out, session):
            self._end(session, known, self._taken_away(session))

    def _begins(self, session: Session, known: PeerTransaction | None, kinds: set[type]) -> bool:
        """Whether the service is to hear that it begins: once, or once more where it was taken away and given back."""
        if not is_told(self.out, session):
            return False
        if known is None:
            return session.running or SessionStarted in kinds
        return known.over and session.running

    def _is_of(self, phase: Phase) -> bool:
        return isinstance(self.report, TransactionReported) and self.report.phase is phase

    def _too_late(self, known: PeerTransaction | None, kinds: set[type]) -> None:
        """What comes after the end has been told changes nothing there (semantics §4.1.7)."""
        if known is not None and SessionEnded in kinds:
            log.info("%s: the end of session %s was told before; a later word is kept here", self.out.name, known.key)

    # Its beginning

    def _begin(self, session: Session, before: PeerTransaction | None, kinds: set[type]) -> PeerTransaction:
        """It begins for the service: from its own start, or where it became the service's in mid-session."""
        known = self._enter(session, before)
        connector = self.out.station.connectors[session.connector]
        whole = _is_whole(self.out, session) and known.turn == 1
        report = self.report
        if isinstance(report, TransactionReported) and self._is_of(Phase.STARTED) and SessionStarted in kinds:
            told = replace(report, transaction_id=session.transaction_id, samples=self._samples(known, session, report))
        else:
            state = session.charging_state or _STATES.get(connector.status)
            told = TransactionReported(Phase.STARTED, session.transaction_id, None, charging_state=state)
        told.at = session.started_at if whole else session.parts[-1].started_at
        told.place, told.token, told.meter_start = connector.place, known.token, known.meter_start
        told.charging_state = told.charging_state or _STATES.get(connector.status)
        if whole:
            told.reservation_id, told.remote_start_id = session.reservation_id, session.remote_start_id
        if told.remote_start_id is not None:
            told.trigger = "remote_start"
        self._tell(told, known)
        return known

    def _enter(self, session: Session, before: PeerTransaction | None) -> PeerTransaction:
        known = PeerTransaction(
            session.session_id,
            session.transaction_id,
            connector=session.connector,
            before=0.0 if _is_whole(self.out, session) else session.energy - session.parts[-1].energy,
            turn=before.turn + 1 if before else 1,
        )
        self.out.peer.transactions[known.key] = known
        self.changed = True
        self._note_card_and_register(session, known)
        if known.meter_start is None:
            known.meter_start = _register_of(self.out.station.connectors[session.connector])
        return known

    def _note_card_and_register(self, session: Session, known: PeerTransaction) -> None:
        if known.token is None and session.id_tag is not None:
            known.token = self._card(session, self._shown(session))
            self.changed = True
        if known.meter_start is None and session.meter_start is not None:
            known.meter_start = WattHours(session.meter_start + known.before)
            self.changed = True

    def _shown(self, session: Session) -> IdToken:
        """The session's card, as whole as it is known: a book keeps its tag alone."""
        token = self.report.token if isinstance(self.report, TransactionReported) else None
        if token is not None and session.id_tag is not None and token.tag.lower() == session.id_tag.lower():
            return token
        return IdToken(session.id_tag or "")

    def _card(self, session: Session, token: IdToken) -> IdToken:
        """A card as the service may see it: another's is replaced where the configuration says by what."""
        if self.out.plan.id_tag and not is_own(self.out, session):
            return IdToken(self.out.plan.id_tag)
        afar = session.remote_start_id is not None and token.kind is None
        return replace(token, kind=TokenKind.CENTRAL) if afar else token

    # How it goes on

    def _go_on(self, session: Session, known: PeerTransaction, facts: list[Fact]) -> None:
        """One message for all that one report brought."""
        if self._is_repeated(known):
            return
        told = self._as_reported(session, known) or self._as_followed(facts)
        updated = any(isinstance(fact, SessionUpdated | LimitChanged) for fact in facts)
        if not told.samples and (not updated or (told.trigger in _READINGS and told.charging_state is None)):
            return
        told.transaction_id, told.place = session.transaction_id, None
        told.remote_start_id, told.reservation_id = session.remote_start_id, session.reservation_id
        if not known.started:  # a 1.6 service may have waited for a card, or for a register
            told.meter_start = known.register(session.energy)
        self._tell(told, known)

    def _is_repeated(self, known: PeerTransaction) -> bool:
        """Whether the charger sends again what it sent last: it had no answer to it."""
        report, lately = self.report, self.out.lately
        if not isinstance(report, TransactionReported | MeterReported):
            return False
        repeated = lately.get(known.key) == report and _tells_when(report)
        lately[known.key] = report
        return repeated

    def _as_reported(self, session: Session, known: PeerTransaction) -> TransactionReported | None:
        """What the charger said of it."""
        report = self.report
        if isinstance(report, TransactionReported):
            if report.phase is Phase.ENDED:
                return None  # of another session
            token = self._card(session, report.token) if report.token is not None else None
            at, samples = instants.settle(report.at, self.now), self._samples(known, session, report)
            return replace(report, phase=Phase.UPDATED, at=at, token=token, meter_start=None, samples=samples)
        if not isinstance(report, MeterReported):
            return None
        samples = self._samples(known, session, report)
        read_at = samples[-1].at if samples else self.now
        return TransactionReported(Phase.UPDATED, None, read_at, trigger=_trigger_of(samples), samples=samples)

    def _as_followed(self, facts: list[Fact]) -> TransactionReported:
        """What followed from something else: from a connector's state, most of all."""
        at = instants.settle(self.report.at, self.now) if isinstance(self.report, StatusReported) else self.now
        told = TransactionReported(Phase.UPDATED, None, at)
        if any(isinstance(fact, LimitChanged) for fact in facts):
            told.trigger = "charging_rate_changed"
        for fact in facts:
            if isinstance(fact, SessionUpdated):
                told.charging_state = fact.charging_state or told.charging_state
                told.trigger = fact.trigger or told.trigger
        return told

    def _samples(
        self, known: PeerTransaction, session: Session, report: TransactionReported | MeterReported
    ) -> tuple[Sample, ...]:
        samples = shown.of_one_register(known, session, shown.settled(report.samples, self.now))
        return shown.as_wanted(self.out, known.key, samples)

    # Its end

    def _end(self, session: Session, known: PeerTransaction, told: TransactionReported) -> None:
        """It is over for the service: it ended, or is another's from now on."""
        if known.meter_start is None:  # no register was ever read: a 1.6 service can hear of it only now
            start = TransactionReported(Phase.STARTED, known.ours, session.started_at, meter_start=WattHours(0))
            self._tell(replace(start, place=self.out.station.connectors[session.connector].place), known)
        told.meter_stop = known.register(session.energy)
        self._tell(told, known)
        known.over = self.changed = True
        self._forget(known)

    def _last_word(self, session: Session, known: PeerTransaction) -> TransactionReported:
        """What the charger said of its end, where it did."""
        report = self.report
        if not isinstance(report, TransactionReported) or not self._is_of(Phase.ENDED) or session.state is State.CLOSED:
            return _end_of(session)
        token = self._card(session, report.token) if report.token is not None else None
        samples = self._samples(known, session, report)
        return replace(
            _end_of(session),
            trigger=report.trigger,
            charging_state=report.charging_state,
            token=token,
            offline=report.offline,
            samples=samples,
        )

    def _taken_away(self, session: Session) -> TransactionReported:
        at = session.parts[-1].started_at
        return TransactionReported(Phase.ENDED, session.transaction_id, at, stop_reason=StopReason.OTHER)

    def _forget(self, known: PeerTransaction) -> None:
        out = self.out
        out.lately.pop(known.key, None)
        for series in [series for series in out.sampled if series.startswith(f"{known.key} ")]:
            del out.sampled[series]

    # Besides

    def catch_up(self) -> None:
        """End what ended while nobody looked: the service was switched off, or the charger gone."""
        out = self.out
        out.caught_up = True
        for known in list(self._open()):
            session = out.station.book.find(known.ours)
            if session is None:
                told = TransactionReported(Phase.ENDED, known.ours, self.now, stop_reason=StopReason.OTHER)
                self._tell(replace(told, meter_stop=known.meter_start), known)
                known.over = self.changed = True
                self._forget(known)
            elif not session.running and not self._awaits_its_end(session):
                self._note_card_and_register(session, known)
                self._end(session, known, _end_of(session))

    def _open(self) -> Iterator[PeerTransaction]:
        return (known for known in self.out.peer.transactions.values() if not known.over)

    def _awaits_its_end(self, session: Session) -> bool:
        """Whether it came late from a charger's backlog, and its end is yet to come."""
        backlog = session.state is State.CLOSED and session.ended_at == session.started_at
        return backlog and self.out.station.connected and self.now - session.started_at < 100 * STALE

    def security(self, facts: list[Fact]) -> None:
        """The charger noticed something: told for certain too (A04.FR.02)."""
        for fact in facts:
            if isinstance(fact, SecurityNoticed):
                self._queue(SecurityReported(fact.type, fact.noticed_at, fact.info))

    def _tell(self, told: TransactionReported, known: PeerTransaction) -> None:
        self._queue(told, known.key)

    def _queue(self, told: Told, key: str = "") -> None:
        out = self.out
        self.messages.append(Outgoing(out.id, out.charger_id, out.outbox.number(), self.now, told, key))


def _end_of(session: Session) -> TransactionReported:
    """The end of a session as we have it."""
    return TransactionReported(
        Phase.ENDED,
        session.transaction_id,
        session.ended_at,
        stop_reason=session.reason,
        remote_start_id=session.remote_start_id,
    )


def _register_of(connector: Connector) -> WattHours | None:
    """The connector's register as last read: where a session begins whose charger gives none (semantics §4.3.2)."""
    return None if connector.register.raw is None else WattHours(connector.register.raw)


def _tells_when(report: TransactionReported | MeterReported) -> bool:
    """Whether a report has a time, so that another one like it is the same."""
    if isinstance(report, TransactionReported):
        return instants.tells(report.at)
    return any(instants.tells(sample.at) for sample in report.samples)


def _trigger_of(samples: Sequence[Sample]) -> str:
    """Why a 1.6 charger tells readings."""
    contexts = [reading.context for sample in samples for reading in (*sample.readings, *sample.sealed)]
    return _BY_CONTEXT.get(contexts[0], _PERIODIC) if contexts else _PERIODIC
