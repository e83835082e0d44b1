"""Messages that a service wants now: told from what we know, for it alone (semantics §7, TriggerMessage).

It is answered first; what it hears then follows (F06.FR.04). The charger is asked only for readings that are not
fresh, and what it sends then is told to nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import timedelta

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import Wish
from ocpp_mqtt_proxy.core.arbiter import Intent
from ocpp_mqtt_proxy.core.commands import Message, Outcome, Reason, Trigger, done, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import Sample, Version
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.reports import (
    DiagnosticsReported,
    FirmwareReported,
    HeartbeatReported,
    MeterReported,
    Phase,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services import shown, states
from ocpp_mqtt_proxy.services.living import TRIGGERED, UPDATING, UPLOADING
from ocpp_mqtt_proxy.services.obeying import places, waiting
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

FRESH = timedelta(seconds=60)
"""How old readings may be that are told without asking the charger for new ones."""

READING_SECONDS = 10.0
"""How long readings are waited for; then those that we have are told."""

IDLE = "idle"

_Tell = Callable[[Outstation, list[Connector]], Coroutine[None, None, None]]


async def _trigger(out: Outstation, order: Trigger) -> Outcome:
    """TriggerMessage (1.6 §5.17, F06), ExtendedTriggerMessage."""
    return _MESSAGES[order.message](out, order)


def _boot(out: Outstation, _: Trigger) -> Outcome:
    """In 2.x only for one that has not accepted us yet (F06.FR.17)."""
    if out.accepted and out.version is not Version.V16:
        return refused(Reason.INVALID, "it has accepted us")
    out.boot("triggered")
    return done()


def _heartbeat(out: Outstation, _: Trigger) -> Outcome:
    out.report(HeartbeatReported(), asked=True)
    return done()


def _status(out: Outstation, order: Trigger) -> Outcome:
    """Without a connector those of all, and of the charger."""
    meant = [one.number for one in places.connectors(out, order.at)] if order.at.place.evse else [None]
    for number in meant:
        for action, payload in states.now_of(out, number):
            out.tell(action, payload, asked=True)
    return done()


def _firmware(out: Outstation, _: Trigger) -> Outcome:
    """Of an update that it asked for itself; of others' it knows nothing."""
    told = (out.station.firmware_status or IDLE, out.awaits[UPDATING]) if UPDATING in out.awaits else (IDLE, None)
    out.report(FirmwareReported(*told), asked=True)
    return done()


def _diagnostics(out: Outstation, _: Trigger) -> Outcome:
    told = (out.station.diagnostics_status or IDLE, out.awaits[UPLOADING]) if UPLOADING in out.awaits else (IDLE, None)
    out.report(DiagnosticsReported(*told), asked=True)
    return done()


def _meter(out: Outstation, order: Trigger) -> Outcome:
    connectors = places.connectors(out, order.at)
    if not out.station.connected and all(one.meter is None for one in connectors):
        return refused(Reason.CHARGER_OFFLINE, "nothing was read yet, and the charger is not connected")
    return _after_this(out, _tell_readings, connectors)


def _transaction(out: Outstation, order: Trigger) -> Outcome:
    """Of the transactions that it knows (F06.FR.11); where there is none, there is nothing to tell."""
    connectors = [one for one in places.connectors(out, order.at) if _is_known(out, one)]
    if not connectors:
        return refused(Reason.INVALID, "no transaction of yours runs")
    return _after_this(out, _tell_transactions, connectors)


def _after_this(out: Outstation, tell: _Tell, connectors: list[Connector]) -> Outcome:
    """Tell once this is answered. Who asks faster than it can be told is refused: it would drown its own queue."""
    if out.overrun:
        return refused(Reason.RATE_LIMITED, "more of this waits to be told than is of use")
    out.errand(tell(out, connectors))
    return done()


_MESSAGES: dict[Message, Callable[[Outstation, Trigger], Outcome]] = {
    Message.BOOT: _boot,
    Message.DIAGNOSTICS: _diagnostics,
    Message.FIRMWARE: _firmware,
    Message.HEARTBEAT: _heartbeat,
    Message.METER: _meter,
    Message.STATUS: _status,
    Message.TRANSACTION: _transaction,
}


# Readings


def _is_known(out: Outstation, connector: Connector) -> bool:
    """Whether the service knows of the transaction that runs at a connector."""
    known = out.peer.theirs(connector.session.session_id) if connector.session else None
    return known is not None and known.begun and not known.over


async def _tell_readings(out: Outstation, connectors: list[Connector]) -> None:
    """1.6 tells those of a transaction with it; 2.x has another message for that (semantics §8.5)."""
    await _freshen(out, connectors)
    for connector in connectors:
        if out.version is Version.V16 and _is_known(out, connector):
            await _tell_transaction(out, connector)
        elif samples := _samples(connector):
            out.report(MeterReported(out.place(connector), samples), asked=True)


async def _tell_transactions(out: Outstation, connectors: list[Connector]) -> None:
    await _freshen(out, connectors)
    for connector in connectors:
        if _is_known(out, connector):
            await _tell_transaction(out, connector)


async def _tell_transaction(out: Outstation, connector: Connector) -> None:
    """In order with all else that is told of it, and for certain like that. Returns once it is on disk."""
    session, now = connector.session, out.hub.clock.now()
    known = out.peer.theirs(session.session_id) if session else None
    if session is None or known is None:
        return
    told = TransactionReported(
        phase=Phase.UPDATED,
        transaction_id=session.transaction_id,
        at=now,
        place=connector.place,
        trigger="trigger",
        charging_state=session.charging_state,
        samples=shown.of_one_register(known, session, shown.settled(_samples(connector), now)),
    )
    number = out.outbox.number()
    outgoing = Outgoing(out.id, out.charger_id, number, now, told, known.key)
    with suppress(LedgerFailed):  # it is written down when that can be done again
        await out.hub.record([outgoing])


def _samples(connector: Connector) -> tuple[Sample, ...]:
    """What was read last, as asked for."""
    meter = connector.meter
    return (Sample(meter.at, tuple(one._replace(context=TRIGGERED) for one in meter.readings)),) if meter else ()


async def _freshen(out: Outstation, connectors: Iterable[Connector]) -> None:
    """Have the charger read again what is old, if the rules let the service as much as look."""
    oldest = out.hub.clock.now() - FRESH
    for connector in connectors:
        before = connector.meter
        if before is not None and before.at is not None and before.at >= oldest:
            continue
        wish = Wish(out.id, ControlClass.TRANSACTIONS, "trigger", Intent.EASE, connector)
        if out.arbitration.judge(out.station, [wish]) is None:
            await _read_again(out, connector, before)


async def _read_again(out: Outstation, connector: Connector, before: Sample | None) -> None:
    request = requests.Trigger(message=Message.METER, connector=connector.number)
    outcome = await out.arbitration.dispatcher.submit(out.charger_id, request)
    if outcome.ok:
        await waiting.until(out, lambda: connector.meter is not before, READING_SECONDS)


HANDLERS: Handlers = {Trigger: _trigger}
