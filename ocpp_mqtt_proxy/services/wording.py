"""What waits for a service, in the words of its version: its own ids, places and tags, and how far it has been told.

`calls` says how a message is told, `learn` takes what an answer teaches, `told` notes that it is done. A message is
worded when it is told, not when it is written down, because a 1.6 service gives a transaction's id only when it
hears of its start (semantics §4.1).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from ocpp_mqtt_proxy.core.events import CardDecided
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import (
    CURRENT_OFFERED,
    ENERGY,
    IdToken,
    Place,
    Reading,
    Sample,
    Signed,
    Verdict,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.peer import MOST_TRANSACTIONS, PeerTransaction
from ocpp_mqtt_proxy.core.reports import Authorization, Phase, SecurityReported, TransactionAnswer, TransactionReported
from ocpp_mqtt_proxy.ocppj.dialect import Calls
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.services import referee, tags
from ocpp_mqtt_proxy.services.outstation import Outstation

log = logging.getLogger(__name__)

NEVER_STARTED = "-1"
"""A 1.6 transaction whose start was never answered (errata 3.18)."""

MOST_ID = 36
"""Characters of a 2.x transaction's id."""

BEGIN, END = "Transaction.Begin", "Transaction.End"


def calls(out: Outstation, outgoing: Outgoing) -> Calls:
    """The calls that tell a message, in order; none where there is nothing to say in the service's version."""
    told = outgoing.told
    if isinstance(told, SecurityReported):
        return out.dialect.say[SecurityReported].encode(_event(out, told))
    known = out.peer.transactions.get(outgoing.session_id)
    if known is None:
        return []
    said = _for_16(out, told, known) if out.version is Version.V16 else _for_2x(out, outgoing, told, known)
    return out.dialect.say[TransactionReported].encode(said) if said is not None else []


def _event(out: Outstation, told: SecurityReported) -> SecurityReported:
    """A security event by the name that the service's version has for it (1.6 whitepaper, 2.x Part 2 appendix 1)."""
    named = next((pair for pair in _EVENTS if told.type in pair), None)
    return told if named is None else replace(told, type=named[out.version is not Version.V16])


_EVENTS = (("InvalidCentralSystemCertificate", "InvalidCsmsCertificate"),)
"""Events whose names 1.6 and 2.x do not have in common."""


def learn(out: Outstation, outgoing: Outgoing, action: str, payload: Object) -> None:
    """What the answer to a call teaches: the service's id of the transaction, and what it thinks of the card.

    Raises ValueError for an answer to a start that names no transaction: nothing more could be told of it.
    """
    known, report = out.peer.transactions.get(outgoing.session_id), outgoing.told
    if known is None or isinstance(report, SecurityReported) or action not in _ANSWERED_WITH_A_VERDICT:
        return
    answer = out.dialect.say[TransactionReported].read(payload)
    assert isinstance(answer, TransactionAnswer)
    if action == "StartTransaction":
        if not answer.transaction_id:
            raise ValueError("the answer to StartTransaction names no transaction")
        known.theirs = answer.transaction_id
    token = report.token or known.token
    if answer.authorization is not None and token is not None:
        _judged(out, outgoing, known, token, answer.authorization)


_ANSWERED_WITH_A_VERDICT = frozenset({"StartTransaction", "TransactionEvent"})
"""That of a StopTransaction is about a card that is done charging."""


def told(out: Outstation, outgoing: Outgoing, said: Calls) -> None:
    """A message was answered or given up, said in these calls; in none where there was nothing to say."""
    known, report = out.peer.transactions.get(outgoing.session_id), outgoing.told
    if known is None or isinstance(report, SecurityReported):
        return
    if said:
        known.started = True
        known.seq += len(said) if out.version is not Version.V16 else 0
    if report.phase is Phase.ENDED:
        known.ended = True
        _forget_the_oldest(out)


def _forget_the_oldest(out: Outstation) -> None:
    done = [key for key, known in out.peer.transactions.items() if known.ended]
    for key in done[: max(0, len(done) - MOST_TRANSACTIONS)]:
        del out.peer.transactions[key]


def _judged(out: Outstation, outgoing: Outgoing, known: PeerTransaction, token: IdToken, said: Authorization) -> None:
    """A service's word on a card counts where it has authority; everybody's no is logged and shown (semantics §5.1)."""
    if said.verdict is not Verdict.ACCEPTED:
        log.warning("%s: the card of session %s is %s there", out.name, known.session_id, said.verdict)

        def tell(hearing: Hearing) -> None:
            hearing.tell(CardDecided, id_tag=token.tag, verdict=said.verdict, by=out.id)

        out.hub.apply(out.station, tell)
    referee.heed(out, known.session_id, token, said, again=_is_late(out, outgoing))


def _is_late(out: Outstation, outgoing: Outgoing) -> bool:
    """Whether it happened before the service accepted us on this link (E04.FR.03)."""
    return out.accepted_at is None or outgoing.heard_at < out.accepted_at


# For a 1.6 service


def _for_16(out: Outstation, report: TransactionReported, known: PeerTransaction) -> TransactionReported | None:
    """A start waits for a card and a register, and what follows for the start (semantics §4.3)."""
    if not known.started:
        return None if report.phase is Phase.ENDED else _start_for_16(out, report, known)
    if report.phase is Phase.STARTED:
        return None
    token = tags.told(out, report.token) if report.token is not None else None
    place, theirs = Place(known.connector, 1), _number(known)
    samples = report.samples or _offered(out, report, known)
    return replace(report, transaction_id=theirs, place=place, token=token, samples=samples)


_OF_LIMITS = frozenset({"charging_rate_changed", "limit_set"})
"""Reasons of 2.x that 1.6 shows by the current offered (semantics §10.6)."""


def _offered(out: Outstation, report: TransactionReported, known: PeerTransaction) -> tuple[Sample, ...]:
    limit = out.station.connector(known.connector).effective_limit
    if report.trigger not in _OF_LIMITS or limit is None:
        return ()
    return (Sample(report.at, (Reading(CURRENT_OFFERED, limit, "A", context="Other"),)),)


def _start_for_16(out: Outstation, report: TransactionReported, known: PeerTransaction) -> TransactionReported | None:
    token = known.token or (IdToken(out.plan.id_tag) if out.plan.id_tag else None)
    start = known.meter_start if report.meter_start is None else report.meter_start
    if token is None or start is None:
        return None
    return replace(
        report,
        phase=Phase.STARTED,
        transaction_id=None,
        place=Place(known.connector, 1),
        token=tags.told(out, token),
        meter_start=start,
        reservation_id=_their_reservation(out, report.reservation_id),
    )


def _number(known: PeerTransaction) -> str:
    """The service's number of a transaction; one without is `NEVER_STARTED`."""
    try:
        return str(int(known.theirs or NEVER_STARTED))
    except ValueError:  # it spoke 2.x when this began
        return NEVER_STARTED


# For a 2.x service


def _for_2x(
    out: Outstation, outgoing: Outgoing, report: TransactionReported, known: PeerTransaction
) -> TransactionReported | None:
    starts = not known.started
    if report.phase is (Phase.ENDED if starts else Phase.STARTED):
        return None
    remote = out.peer.remote_starts.get(report.remote_start_id) if report.remote_start_id is not None else None
    afar = report.trigger == "remote_start" and remote is None
    return replace(
        report,
        phase=Phase.STARTED if starts else report.phase,
        transaction_id=_name(out, known),
        place=out.place(out.station.connector(known.connector)) if starts else report.place,
        token=tags.told(out, report.token) if report.token is not None else None,
        trigger="authorized" if afar else report.trigger,
        seq_no=known.seq,
        offline=report.offline or _is_late(out, outgoing),
        samples=_with_registers(report),
        reservation_id=_their_reservation(out, report.reservation_id),
        remote_start_id=remote,
    )


def _name(out: Outstation, known: PeerTransaction) -> str:
    """The transaction's id: the 2.x charger's own, else one of ours, made once and different for each service.

    Kept, so that the service's commands find it.
    """
    if known.theirs is None:
        own = out.station.version is not Version.V16 and known.turn == 1 and len(known.ours) <= MOST_ID
        made = str(uuid5(NAMESPACE_URL, f"{out.id}/{out.charger_id}/{known.key}"))
        known.theirs = known.ours if own else made
    return known.theirs


def _with_registers(report: TransactionReported) -> tuple[Sample, ...]:
    """The samples with the registers that 1.6 has in fields of their own (semantics §10.1).

    What is signed alone gets the number that 2.x wants beside it.
    """
    begin = report.meter_start if report.phase is Phase.STARTED else None
    samples = tuple(_unsealed(sample, report) for sample in report.samples)
    if begin is not None and not _shows_register(samples):
        samples = (_register(report, begin, BEGIN), *samples)
    if report.meter_stop is not None and not _shows_register(samples, END):
        samples = (*samples, _register(report, report.meter_stop, END))
    return samples


def _register(report: TransactionReported, value: WattHours, context: str) -> Sample:
    return Sample(report.at, (Reading(ENERGY, value, "Wh", context=context),))


def _shows_register(samples: tuple[Sample, ...], context: str | None = None) -> bool:
    """Whether the register is among the readings; with a context, in that one."""
    readings = (reading for sample in samples for reading in sample.readings)
    of_register = (reading for reading in readings if reading.measurand == ENERGY and reading.phase is None)
    return any(context in (None, reading.context) for reading in of_register)


def _unsealed(sample: Sample, report: TransactionReported) -> Sample:
    if not sample.sealed:
        return sample
    opened = [
        reading._replace(value=number, signed=_encoded(reading.signed))
        for reading in sample.sealed
        if (number := _number_of(reading, sample, report)) is not None
    ]
    return Sample(sample.at, (*sample.readings, *opened))


def _encoded(signed: Signed | None) -> Signed | None:
    """What 2.x wants to know of how it was signed, as far as it shows."""
    return signed._replace(encoding="OCMF") if signed and signed.data.startswith("OCMF|") else signed


def _number_of(sealed: Reading, sample: Sample, report: TransactionReported) -> float | None:
    """The number beside which a signature stands: read at the same time, or the transaction's own register."""
    like = (r.value for r in sample.readings if r.measurand == sealed.measurand and r.phase == sealed.phase)
    number = next(like, None)
    if number is None and sealed.measurand == ENERGY:
        return report.meter_start if sealed.context == BEGIN else report.meter_stop
    return number


def _their_reservation(out: Outstation, ours: int | None) -> int | None:
    """The service's id of a reservation, where it is its own."""
    return next((theirs for theirs, known in out.peer.reservations.items() if known == ours), None)
