"""What follows from transactions and readings: which session they belong to, and what it counts.

Repeated messages change nothing; unknown ids are always confirmed, or the charger would repeat them for ever
and block its queue (1.6 §3.7.1, errata 3.18). A start that never came is made up for by what did.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core.connector import BACKLOG, Connector
from ocpp_mqtt_proxy.core.events import MeasurandsSeen, MeterRead, SessionEnded, SessionStarted, SessionUpdated
from ocpp_mqtt_proxy.core.hearing import Hear, Hearing, decided, tell_decision, tell_status
from ocpp_mqtt_proxy.core.model import ChargingState, IdToken, Sample, Status, StopReason, Verdict, WattHours
from ocpp_mqtt_proxy.core.readings import energy_of
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
from ocpp_mqtt_proxy.core.station import REGISTER

BEGIN = frozenset({"Transaction.Begin"})
END = frozenset({"Transaction.End"})

STALE = timedelta(minutes=15)
"""How long a connector may be available while a session runs on it before we close the session."""

_NO_TRANSACTION = frozenset({None, "0", ""})
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


def _verdict(hearing: Hearing, token: IdToken) -> Authorization:
    """The verdict on a transaction's card; told only where it is a no, because a yes was told before."""
    decision = decided(hearing)
    if decision.authorization.verdict is not Verdict.ACCEPTED:
        tell_decision(hearing, token, decision)
    return decision.authorization


def _started(hearing: Hearing, report: TransactionReported) -> Session | None:
    connector = _connector(hearing, report)
    if connector is None:
        return None
    known = _known_start(hearing, connector, report)
    if missed := _missed_start(hearing, known or connector.session, report):
        return _complete(hearing, missed, report)
    if known is not None:
        hearing.keep(known, hearing.numbers, durable=True)
        return known
    if connector.session is not None:
        _close(hearing, connector, StopReason.OTHER)
    return _open(hearing, connector, report)


def _connector(hearing: Hearing, report: TransactionReported) -> Connector | None:
    """Where a transaction is; connector 0 and no place at all mean the only one."""
    connector = hearing.station.at(report.place) if report.place else None
    return connector or hearing.station.sole()


def _known_start(hearing: Hearing, connector: Connector, report: TransactionReported) -> Session | None:
    book = hearing.station.book
    if report.transaction_id is not None:
        return book.find(report.transaction_id)
    key = _start_key(connector, report)
    return book.started(key) if key else None


def _start_key(connector: Connector, report: TransactionReported) -> StartKey | None:
    if report.transaction_id is not None or report.meter_start is None:
        return None
    tag = report.token.tag.lower() if report.token else ""
    return StartKey(connector.number, tag, report.meter_start, report.at)


def _missed_start(hearing: Hearing, session: Session | None, report: TransactionReported) -> Session | None:
    """The session that was adopted before its start came, where this is that start."""
    if session is None or not session.adopted or not session.running:
        return None
    same = report.transaction_id in (None, session.transaction_id)
    return session if same and hearing.settle(report.at) <= session.started_at else None


def _open(hearing: Hearing, connector: Connector, report: TransactionReported, *, adopted: bool = False) -> Session:
    """A session begins. It is on disk before the charger hears of it (contract §9)."""
    at, before = hearing.settle(report.at), connector.status
    session = Session(
        session_id=hearing.numbers.session(),
        charger=hearing.station.id,
        connector=connector.number,
        transaction_id=report.transaction_id or hearing.numbers.transaction(),
        started_at=at,
        id_tag=report.token.tag if report.token else None,
        currency=hearing.station.plan.tariff.currency,
        start_key=_start_key(connector, report),
        remote_start_id=report.remote_start_id,
        reservation_id=report.reservation_id,
        adopted=adopted,
    )
    _enter(hearing, connector, session)
    _begin_counting(connector, session, report, at)
    _go_on(hearing, session, report)
    hearing.tell(SessionStarted, connector, session=session)
    _tell_if_changed(hearing, connector, before)
    return session


def _enter(hearing: Hearing, connector: Connector, session: Session) -> None:
    hearing.station.book.add(session)
    connector.open(session)
    hearing.keep(session, hearing.numbers, connector, durable=True)


def _begin_counting(connector: Connector, session: Session, report: TransactionReported, at: datetime) -> None:
    """Count from the register at the start; where there is none, from the first reading to come.

    Not from the last one known: what flowed unseen since then was not this session's.
    """
    start = report.meter_start
    if start is None:
        start = _first_energy(report.samples)
    if start is not None:
        session.begin(start, at)
        connector.register.read(start, at)


def _first_energy(samples: tuple[Sample, ...]) -> WattHours | None:
    """The register where a transaction began: of that context, else the first there is."""
    for contexts in (BEGIN, None):
        for sample in samples:
            energy = energy_of(sample.readings, contexts)
            if energy is not None:
                return WattHours(energy)
    return None


def _complete(hearing: Hearing, session: Session, report: TransactionReported) -> Session:
    """The start of an adopted session has come after all: it gets its id, card and beginning."""
    connector = hearing.station.connectors[session.connector]
    session.adopted = False
    session.started_at = hearing.settle(report.at)
    session.id_tag = report.token.tag if report.token else session.id_tag
    session.start_key = _start_key(connector, report)
    counted = session.register.raw if session.register else None
    _begin_counting(connector, session, report, session.started_at)
    if counted is not None:
        session.read(WattHours(counted), hearing.now, hearing.station.plan.tariff)
    if report.transaction_id is None:
        hearing.station.book.rename(session, hearing.numbers.transaction())
    hearing.keep(session, hearing.numbers, durable=True)
    return session


def _updated(hearing: Hearing, report: TransactionReported) -> Session | None:
    session = hearing.station.book.find(report.transaction_id)
    if session is None:
        connector = _connector(hearing, report)
        if connector is None or report.transaction_id is None:
            return None
        if connector.session is not None:
            _close(hearing, connector, StopReason.OTHER)
        return _open(hearing, connector, report, adopted=True)
    _go_on(hearing, session, report)
    if session.running:
        connector = hearing.station.connectors[session.connector]
        hearing.keep(session)
        hearing.tell(
            SessionUpdated,
            connector,
            session=session,
            charging_state=report.charging_state,
            trigger=report.trigger,
        )
    return session


def _go_on(hearing: Hearing, session: Session, report: TransactionReported) -> None:
    """What every event of a transaction may bring: its number, card, charging state and readings."""
    if report.seq_no is not None:
        session.sequence.take(report.seq_no)
    if report.token is not None and session.id_tag is None:
        session.id_tag = report.token.tag
    connector = hearing.station.connectors[session.connector]
    if connector.session is session and report.charging_state is not None:
        _charging_state(hearing, connector, session, report.charging_state)
    _read(hearing, connector, session, report.samples)


def _charging_state(hearing: Hearing, connector: Connector, session: Session, state: ChargingState) -> None:
    before = connector.status
    session.charging_state = state
    session.offered = session.offered or state in (ChargingState.CHARGING, ChargingState.SUSPENDED_EV)
    connector.settle()
    _tell_if_changed(hearing, connector, before)


def _tell_if_changed(hearing: Hearing, connector: Connector, before: Status) -> None:
    """A 2.x status follows from the transaction too."""
    if connector.status is not before:
        tell_status(hearing, connector)


def _ended(hearing: Hearing, report: TransactionReported) -> Session | None:
    session = hearing.station.book.find(report.transaction_id) or _ended_unseen(hearing, report)
    if session is None or session.state is State.ENDED:
        return session
    connector = hearing.station.connectors[session.connector]
    if report.seq_no is not None:
        session.sequence.take(report.seq_no)
    _read(hearing, connector, session, report.samples[:-1], live=False)
    _read(hearing, connector, session, report.samples[-1:])
    at, stop = hearing.settle(report.at), _stop_reading(report)
    if stop is not None:
        connector.register.read(stop, at)
    session.end(stop, at, report.stop_reason, hearing.station.plan.tariff)
    _finish(hearing, connector, session)
    return session


def _finish(hearing: Hearing, connector: Connector, session: Session) -> None:
    """A session is over; that is on disk before the charger hears of it, because it forgets then."""
    before = connector.status
    if connector.session is session:
        connector.finish()
    hearing.keep(session, connector, durable=True)
    hearing.tell(SessionEnded, connector, session=session)
    _tell_if_changed(hearing, connector, before)


def _ended_unseen(hearing: Hearing, report: TransactionReported) -> Session | None:
    """The end of a transaction whose start we never saw.

    A 2.x id names its transaction for ever: its end is all we shall have of it. A 1.6 id may be -1, another
    CSMS's or nonsense: it ends what runs, where that is one session and the register has not fallen.
    """
    if report.meter_stop is None:
        connector = _connector(hearing, report)
        if connector is None or connector.session is not None:
            return None
        begun = replace(report, meter_start=_first_energy(report.samples), samples=())
        return _open(hearing, connector, begun, adopted=True)
    running = list(hearing.station.sessions())
    if len(running) != 1 or (running[0].meter_start or 0) > report.meter_stop:
        return None
    same_card = report.token is None or running[0].id_tag in (None, report.token.tag)
    return running[0] if same_card else None


def _stop_reading(report: TransactionReported) -> WattHours | None:
    """The register where a transaction ended: its own field, else of that context, else the last there is."""
    if report.meter_stop is not None:
        return report.meter_stop
    for contexts in (END, None):
        for sample in reversed(report.samples):
            energy = energy_of(sample.readings, contexts)
            if energy is not None:
                return WattHours(energy)
    return None


def _close(hearing: Hearing, connector: Connector, reason: StopReason, at: datetime | None = None) -> None:
    """End a session that the charger no longer speaks of."""
    session = connector.session
    assert session is not None
    session.close(at or hearing.now, reason)
    _finish(hearing, connector, session)


def close_session(hearing: Hearing, connector: Connector) -> None:
    """The owner says that a session is over (contract §5, `close_session`)."""
    _close(hearing, connector, StopReason.OTHER)


def close_stale(hearing: Hearing) -> None:
    """Close what runs on a connector whose cable has been out for long: its end was lost."""
    for connector in hearing.station.connectors.values():
        left = connector.status is Status.AVAILABLE and connector.session is not None
        if left and connector.status_at and hearing.now - connector.status_at > STALE:
            _close(hearing, connector, StopReason.OTHER, connector.status_at)


def meter(hearing: Hearing, report: MeterReported) -> Answer:
    """Readings outside a 2.x transaction, or any of a 1.6 charger."""
    station = hearing.station
    connector = station.at(report.place)
    if connector is None and report.place.evse == 0:
        connector = station.sole()
    if connector is None:
        return Acknowledged()
    session = _session_of(hearing, connector, report)
    _read(hearing, connector, session, report.samples)
    return Acknowledged()


def _session_of(hearing: Hearing, connector: Connector, report: MeterReported) -> Session | None:
    """The session that readings count for: by id, else the one that runs there, else one whose start was missed."""
    if report.transaction_id in _NO_TRANSACTION:
        return connector.session
    known = hearing.station.book.find(report.transaction_id)
    if known is not None or connector.session is not None:
        return known or connector.session
    return _adopt(hearing, connector, report)


def _adopt(hearing: Hearing, connector: Connector, report: MeterReported) -> Session | None:
    """Readings of a transaction that we know nothing of: it is one whose start was lost.

    Only fresh readings count, none while the cable is out, and no negative id unless the connector says that
    it charges: a backlog, or an id that means nothing, must not raise a session from the dead.
    """
    assert report.transaction_id is not None
    at = hearing.settle(report.samples[0].at if report.samples else None)
    nonsense = report.transaction_id.startswith("-") and connector.status not in _RUNNING_STATUS
    if nonsense or connector.status is Status.AVAILABLE or hearing.now - at > BACKLOG:
        return None
    first = _first_energy(report.samples)
    start = TransactionReported(Phase.STARTED, report.transaction_id, at, meter_start=first)
    return _open(hearing, connector, start, adopted=True)


def _read(
    hearing: Hearing,
    connector: Connector,
    session: Session | None,
    samples: tuple[Sample, ...],
    *,
    live: bool = True,
) -> None:
    """Take readings into the connector and the session they count for."""
    for given in samples:
        sample = Sample(hearing.settle(given.at), given.readings)
        assert sample.at is not None
        energy = connector.read(sample, hearing.now)
        if session is not None and session.running and energy is not None:
            session.read(WattHours(energy), sample.at, hearing.station.plan.tariff)
            hearing.keep(session)
        if energy is not None:
            hearing.keep(connector)
        _remember_measurands(hearing, connector)
        if live:
            _tell_reading(hearing, connector, session, sample)


def _remember_measurands(hearing: Hearing, connector: Connector) -> None:
    """What was ever read stays known: it has an entity in Home Assistant."""
    memory = hearing.station.memory
    seen = connector.metrics.keys() | ({REGISTER} if connector.energy is not None else set())
    if not seen <= memory.measurands:
        memory.measurands |= seen
        hearing.keep(memory)
        hearing.tell(MeasurandsSeen, connector)


def _tell_reading(hearing: Hearing, connector: Connector, session: Session | None, sample: Sample) -> None:
    if not sample.readings:
        return
    hearing.tell(
        MeterRead,
        connector,
        readings=sample.readings,
        transaction_id=session.transaction_id if session else None,
        context=sample.readings[0].context,
        read_at=sample.at,
    )


RULES: dict[type, Hear] = {TransactionReported: transaction, MeterReported: meter}
