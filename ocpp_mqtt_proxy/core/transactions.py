"""What follows from transactions and readings: which session they belong to, and what it counts.

Repeated messages change nothing; unknown ids are always confirmed, or the charger would repeat them for ever
and block its queue (1.6 §3.7.1, errata 3.18). A start that never came is made up for by what did.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core import binding, controlling, instants, starting
from ocpp_mqtt_proxy.core.book import names_nothing
from ocpp_mqtt_proxy.core.connector import BACKLOG, Connector
from ocpp_mqtt_proxy.core.events import SessionEnded, SessionStarted, SessionUpdated
from ocpp_mqtt_proxy.core.hearing import Hear, Hearing, fall_silent, tell_decision, tell_status
from ocpp_mqtt_proxy.core.metering import first_energy, last_energy, take
from ocpp_mqtt_proxy.core.model import OWNER, ChargingState, IdToken, Status, StopReason, Version, WattHours
from ocpp_mqtt_proxy.core.parts import opening
from ocpp_mqtt_proxy.core.register import credible
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    Answer,
    Authorization,
    MeterReported,
    Phase,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.session import Session, StartKey, State

STALE = timedelta(minutes=15)
"""How long a connector may be available while a session runs on it before we close the session."""

_RUNNING_STATUS = frozenset({Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE})


def transaction(hearing: Hearing, report: TransactionReported) -> Answer:
    """A transaction message of either version."""
    authorization = _verdict(hearing, report.token) if report.token else None
    match report.phase:
        case Phase.STARTED:
            session = _started(hearing, report)
        case Phase.UPDATED:
            session = _updated(hearing, report)
        case Phase.ENDED:
            session = _ended(hearing, report)
    known = session.transaction_id if session else report.transaction_id
    return TransactionAnswer(known or "0", authorization)


def _verdict(hearing: Hearing, token: IdToken) -> Authorization | None:
    """The verdict on a transaction's card, where there is one: an end waits for nobody's.

    Told only where it is a no or was just asked for, because any other yes was told before.
    """
    decision = hearing.decision
    if decision is None:
        return None
    if decision.asked or not decision.accepted:
        tell_decision(hearing, token, decision)
    return decision.authorization


def _find(hearing: Hearing, transaction_id: str | None) -> Session | None:
    """The session of a transaction id, running or over. In 1.6 some ids name nothing, though many may have them."""
    nameless = transaction_id is None or (hearing.station.version is Version.V16 and names_nothing(transaction_id))
    return None if nameless else hearing.station.book.find(transaction_id)


# Started


def _started(hearing: Hearing, report: TransactionReported) -> Session | None:
    connector = _connector(hearing, report)
    if connector is None:
        return None
    known = _known_start(hearing, connector, report)
    if missed := _missed_start(hearing, known or connector.session, report):
        return _complete(hearing, missed, report)
    if known is not None:
        _accepted_after_all(hearing, connector, known, report)
        hearing.keep(known, hearing.numbers, durable=True)
        return known
    _close_for(hearing, connector, report)
    return _open(hearing, connector, report)


def _accepted_after_all(hearing: Hearing, connector: Connector, session: Session, report: TransactionReported) -> None:
    """A start is repeated, and by now a provider takes its card."""
    decision = hearing.decision
    if report.token is not None and session.provider == OWNER and decision is not None and decision.of_provider:
        controlling.claimed(hearing, session, connector, report.token)


def _connector(hearing: Hearing, report: TransactionReported) -> Connector | None:
    """Where a transaction is; connector 0 and no place at all mean the only one."""
    connector = hearing.station.at(report.place) if report.place else None
    return connector or hearing.station.sole()


def _known_start(hearing: Hearing, connector: Connector, report: TransactionReported) -> Session | None:
    """The session of this start, where it came before.

    Without a time that tells, two starts can look the same: then only one that still runs is a repeat.
    """
    if report.transaction_id is not None:
        return hearing.station.book.find(report.transaction_id)
    key = _start_key(connector, report)
    session = hearing.station.book.started(key) if key else None
    return session if session and (session.running or instants.tells(report.at)) else None


def _start_key(connector: Connector, report: TransactionReported) -> StartKey | None:
    if report.transaction_id is not None or report.meter_start is None:
        return None
    tag = report.token.tag.lower() if report.token else ""
    return StartKey(connector.number, tag, report.meter_start, report.at)


def _missed_start(hearing: Hearing, session: Session | None, report: TransactionReported) -> Session | None:
    """The session that was adopted before its start came, where this is that start."""
    if session is None or not session.adopted or not session.running:
        return None
    if report.transaction_id is not None:
        return session if report.transaction_id == session.transaction_id else None
    return session if hearing.settle(report.at) <= session.started_at else None


def _close_for(hearing: Hearing, connector: Connector, report: TransactionReported) -> bool:
    """Make room for a transaction that we know nothing of; False where it is older than the one that runs.

    Older by its time, and not newer by its register: clocks of chargers are off more often than meters.
    """
    running = connector.session
    if running is None:
        return True
    at, start = hearing.settle(report.at), _meter_start(report)
    newer = start is not None and running.meter_start is not None and start > running.meter_start
    if at < running.started_at and not newer:
        return False
    _close(hearing, connector, StopReason.OTHER, at)
    return True


def _open(hearing: Hearing, connector: Connector, report: TransactionReported, *, adopted: bool = False) -> Session:
    """A session begins. It is on disk before the charger hears of it (contract §9).

    Where another runs, this one was before it and comes late: it counts as closed until its end comes too.
    """
    at, before, prices = hearing.settle(report.at), connector.status, hearing.station.plan.prices
    session = Session(
        session_id=hearing.numbers.session(),
        charger=hearing.station.id,
        connector=connector.number,
        transaction_id=report.transaction_id or _fresh_id(hearing),
        started_at=at,
        id_tag=report.token.tag if report.token else None,
        cost_currency=prices.owner.currency,
        parts=[opening(controlling.provider_of(hearing, connector, report.token), at, prices)],
        start_key=_start_key(connector, report),
        adopted=adopted,
    )
    _enter(hearing, connector, session)
    if session.running:
        controlling.begun(hearing, session)
    _begin_counting(connector, session, report, at)
    _go_on(hearing, session, report)
    hearing.tell(SessionStarted, connector, session=session)
    _tell_if_changed(hearing, connector, before)
    if hearing.station.version is Version.V16:
        fall_silent(hearing, connector)
    starting.begun(hearing, connector)
    return session


def _fresh_id(hearing: Hearing) -> str:
    """An id for a 1.6 transaction; none that the charger brought along from another CSMS."""
    number = hearing.numbers.transaction()
    while hearing.station.book.find(number):
        number = hearing.numbers.transaction()
    return number


def _enter(hearing: Hearing, connector: Connector, session: Session) -> None:
    hearing.station.book.add(session)
    if connector.session is None:
        connector.open(session)
    else:
        session.close(session.started_at, StopReason.OTHER)
    hearing.keep(session, hearing.numbers, connector, durable=True)


def _begin_counting(connector: Connector, session: Session, report: TransactionReported, at: datetime) -> None:
    """Count from the register at the start; where there is none, from the first reading to come.

    Not from the last one known: what flowed unseen since then was not this session's.
    """
    start = _meter_start(report)
    if start is not None:
        session.begin(start, at)
        connector.count(start, at)


def _meter_start(report: TransactionReported) -> WattHours | None:
    start = credible(report.meter_start)
    return first_energy(report.samples) if start is None else start


def _complete(hearing: Hearing, session: Session, report: TransactionReported) -> Session:
    """The start of an adopted session has come after all: it gets its id, card and beginning."""
    connector = hearing.station.connectors[session.connector]
    session.adopted = False
    session.began(min(session.started_at, hearing.settle(report.at)))
    if report.token is not None:
        session.id_tag = report.token.tag
        controlling.claimed(hearing, session, connector, report.token)
    session.start_key = _start_key(connector, report)
    counted = session.register.raw if session.register else None
    _begin_counting(connector, session, report, session.started_at)
    if counted is not None:
        session.read(WattHours(counted), hearing.now, hearing.station.plan.prices)
    if report.transaction_id is None:
        hearing.station.book.rename(session, _fresh_id(hearing))
    _go_on(hearing, session, report)
    hearing.keep(session, hearing.numbers, connector, durable=True)
    _tell_updated(hearing, connector, session, report)
    return session


# Updated


def _updated(hearing: Hearing, report: TransactionReported) -> Session | None:
    session = _find(hearing, report.transaction_id)
    if session is None:
        connector = _connector(hearing, report)
        if connector is None or report.transaction_id is None or not _close_for(hearing, connector, report):
            return None
        return _open(hearing, connector, report, adopted=True)
    before = session.charging_state
    _go_on(hearing, session, report)
    if session.running:
        connector = hearing.station.connectors[session.connector]
        hearing.keep(session)
        if report.trigger not in _READINGS or session.charging_state is not before:
            _tell_updated(hearing, connector, session, report)
    return session


def _tell_updated(hearing: Hearing, connector: Connector, session: Session, report: TransactionReported) -> None:
    state, trigger = report.charging_state, report.trigger
    hearing.tell(SessionUpdated, connector, session=session, charging_state=state, trigger=trigger)


_READINGS = frozenset({"meter_value_periodic", "meter_value_clock"})
"""What brings readings alone is told as a reading, as it is for a 1.6 charger."""


def _go_on(hearing: Hearing, session: Session, report: TransactionReported) -> None:
    """What every event of a transaction may bring: its number, card, order, charging state and readings."""
    if report.seq_no is not None:
        session.sequence.take(report.seq_no)
    connector = hearing.station.connectors[session.connector]
    if report.token is not None and session.id_tag is None:
        session.id_tag = report.token.tag
        controlling.claimed(hearing, session, connector, report.token)
        starting.begun(hearing, connector)
    # The first event with one may be a later one: a remote start of a transaction that had begun (F02.FR.01).
    session.remote_start_id = session.remote_start_id or report.remote_start_id
    session.reservation_id = session.reservation_id or report.reservation_id
    if connector.session is session and report.charging_state is not None:
        _charging_state(hearing, connector, session, report.charging_state, hearing.settle(report.at))
    take(hearing, connector, session, report.samples)


def _charging_state(
    hearing: Hearing, connector: Connector, session: Session, state: ChargingState, at: datetime
) -> None:
    """Take a charging state; one that is older than what we know is passed over."""
    if session.charging_state_at is not None and at < session.charging_state_at:
        return
    before = connector.status
    session.charging_state, session.charging_state_at = state, at
    session.offered = session.offered or state in (ChargingState.CHARGING, ChargingState.SUSPENDED_EV)
    connector.settle()
    _tell_if_changed(hearing, connector, before)


def _tell_if_changed(hearing: Hearing, connector: Connector, before: Status) -> None:
    """A 2.x status follows from the transaction too."""
    if connector.status is not before:
        tell_status(hearing, connector)


# Ended


def _ended(hearing: Hearing, report: TransactionReported) -> Session | None:
    session = _find(hearing, report.transaction_id) or _ended_unseen(hearing, report)
    if session is None:
        return None
    if session.state is State.ENDED:
        hearing.keep(session, durable=True)
        return session
    connector = hearing.station.connectors[session.connector]
    if report.seq_no is not None:
        session.sequence.take(report.seq_no)
    take(hearing, connector, session, report.samples[:-1], live=False)
    take(hearing, connector, session, report.samples[-1:])
    at, stop = hearing.settle(report.at), _meter_stop(report)
    if stop is not None:
        connector.count(stop, at)
    session.end(stop, at, report.stop_reason, hearing.station.plan.prices)
    _finish(hearing, connector, session)
    return session


def _meter_stop(report: TransactionReported) -> WattHours | None:
    stop = credible(report.meter_stop)
    return last_energy(report.samples) if stop is None else stop


def _finish(hearing: Hearing, connector: Connector, session: Session) -> None:
    """A session is over; that is on disk before the charger hears of it, because it forgets then."""
    before = connector.status
    if connector.session is session:
        connector.finish()
    hearing.keep(session, connector, durable=True)
    controlling.ended(hearing, session)
    hearing.tell(SessionEnded, connector, session=session)
    _tell_if_changed(hearing, connector, before)
    binding.ended(hearing, connector)


def _ended_unseen(hearing: Hearing, report: TransactionReported) -> Session | None:
    """The end of a transaction whose start we never saw.

    A 2.x id names its transaction for ever: its end is all we shall have of it. A 1.6 id may be -1, another
    CSMS's or nonsense: it ends what runs, where that is one session that it fits.
    """
    if hearing.station.version is Version.V16:
        fitting = [session for session in hearing.station.sessions() if _fits(hearing, session, report)]
        return fitting[0] if len(fitting) == 1 else None
    connector = _connector(hearing, report)
    if connector is None:
        return None
    return _open(hearing, connector, _beginning(report), adopted=True)


def _beginning(report: TransactionReported) -> TransactionReported:
    """What the end of a transaction tells of its beginning: time and register of its first readings."""
    first = report.samples[0].at if report.samples else None
    at = first if instants.tells(first) else report.at
    return replace(report, at=at, meter_start=first_energy(report.samples), samples=(), charging_state=None)


def _fits(hearing: Hearing, session: Session, report: TransactionReported) -> bool:
    """Whether an end can be a session's: not before it began, the register not below, the card the same."""
    if hearing.settle(report.at) < session.started_at:
        return False
    if report.meter_stop is not None and report.meter_stop < (session.meter_start or 0):
        return False
    return report.token is None or session.id_tag is None or session.id_tag.lower() == report.token.tag.lower()


def _close(hearing: Hearing, connector: Connector, reason: StopReason, at: datetime) -> None:
    """End a session that the charger no longer speaks of."""
    session = connector.session
    assert session is not None
    session.close(at, reason)
    _finish(hearing, connector, session)


def close_session(hearing: Hearing, connector: Connector) -> None:
    """The owner says that a session is over (contract §5, `close_session`)."""
    _close(hearing, connector, StopReason.OTHER, hearing.now)


def close_stale(hearing: Hearing) -> None:
    """Close what runs on a connector whose cable was taken out since, and long ago: its end was lost."""
    for connector in hearing.station.connectors.values():
        session, since = connector.session, connector.status_at
        if session is None or since is None or connector.status is not Status.AVAILABLE:
            continue
        if session.started_at < since < hearing.now - STALE:
            _close(hearing, connector, StopReason.OTHER, since)


# Readings


def meter(hearing: Hearing, report: MeterReported) -> Answer:
    """Readings outside a 2.x transaction, or any of a 1.6 charger."""
    station = hearing.station
    connector = station.at(report.place)
    if connector is None and report.place.evse == 0:
        connector = station.sole()
    if connector is not None:
        take(hearing, connector, _session_of(hearing, connector, report), report.samples)
    return Acknowledged()


def _session_of(hearing: Hearing, connector: Connector, report: MeterReported) -> Session | None:
    """The session that readings count for: by id, else the one that runs there, else one whose start was missed."""
    known = _find(hearing, report.transaction_id) or connector.session
    if known is not None or report.transaction_id is None or not report.transaction_id.strip("0"):
        return known
    return _adopt(hearing, connector, report, report.transaction_id)


def _adopt(hearing: Hearing, connector: Connector, report: MeterReported, transaction_id: str) -> Session | None:
    """Readings of a transaction that we know nothing of: it is one whose start was lost.

    Only fresh readings count, none while the cable is out, and no negative id unless the connector says that
    it charges: a backlog, or an id that means nothing, must not raise a session from the dead.
    """
    at = hearing.settle(report.samples[0].at if report.samples else None)
    nonsense = names_nothing(transaction_id) and connector.status not in _RUNNING_STATUS
    if nonsense or connector.status is Status.AVAILABLE or hearing.now - at > BACKLOG:
        return None
    start = TransactionReported(Phase.STARTED, transaction_id, at, meter_start=first_energy(report.samples))
    return _open(hearing, connector, start, adopted=True)


RULES: dict[type, Hear] = {TransactionReported: transaction, MeterReported: meter}
