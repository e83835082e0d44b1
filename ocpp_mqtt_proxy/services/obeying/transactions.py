"""Start, stop, unlock and reserve for a service: a provider like any other, with ids and places of its own."""

from __future__ import annotations

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    CheckTransaction,
    Outcome,
    Reason,
    Reserve,
    StartCharging,
    StopCharging,
    Unlock,
    done,
    refused,
)
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import Status, Target, Version
from ocpp_mqtt_proxy.core.peer import remember
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services import states, tags
from ocpp_mqtt_proxy.services.obeying import places, profiles, waiting
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

MOST_REMEMBERED = 100
"""Starts and reservations whose ids are remembered of each service and charger; the oldest go first."""

STOPPING_SECONDS = 10.0
"""How long the end of a transaction is waited for before its cable is released."""

_FREE = frozenset({Status.AVAILABLE, Status.PREPARING})


# Starting


async def _start(out: Outstation, order: StartCharging) -> Outcome:
    """RemoteStartTransaction (1.6 §5.11), RequestStartTransaction (F01, F02)."""
    connector = _startable(out, order.at)
    if isinstance(connector, Outcome):
        return connector
    if order.beyond:
        return refused(Reason.INVALID, order.beyond)
    if order.profile is None:
        return await _start_at(out, order, connector)
    return await profiles.starting(out, connector, order.profile, lambda: _start_at(out, order, connector))


def _startable(out: Outstation, at: Target) -> Connector | Outcome:
    """Where a transaction can start: of several connectors one with a car before one that is free; or why nowhere.

    One transaction per EVSE (F01.FR.24), and none where the service wants nothing to start (G03).
    """
    meant = places.connectors(out, at)
    idle = [one for one in meant if one.taken is None and not states.is_shut_out(out, one)]
    if not idle or (at.place.evse and len(idle) < len(meant)):
        return refused(Reason.HELD_BY_OTHER, "a transaction runs there")
    usable = [one for one in idle if one.session is not None or not states.is_taken_out(out, one.number)]
    if not usable:
        return refused(Reason.CHARGER_UNAVAILABLE, f"{out.id} took it out of service")
    return min(usable, key=lambda one: (one.plugged_in is not True, one.status not in _FREE, one.number))


async def _start_at(out: Outstation, order: StartCharging, connector: Connector) -> Outcome:
    """The service's id is known before the charger is asked: it may begin before it answers.

    A profile that came with it binds like all of the service's: as a limit of the session its first period would hold
    for ever.
    """
    number = out.arbitration.dispatcher.next_id()
    if out.version is not Version.V16:
        _remember(out, out.peer.remote_starts, number, order.remote_start_id)
    request = requests.Start(connector=connector.number, id_tag=tags.meant(out, order.id_tag) or None)
    outcome = await wishes.start(out.arbitration, out.id, out.charger_id, request, number, order.kind)
    if not outcome.ok and out.peer.remote_starts.pop(number, None) is not None:
        out.keep()
    # A transaction's id in the answer would be the charger's own (F01.FR.13): its events bring the service's.
    return done() if outcome.ok else outcome


def _remember(out: Outstation, table: dict[int, int], key: int, value: int) -> None:
    remember(table, key, value, MOST_REMEMBERED)
    out.keep()


# Stopping


def _named(out: Outstation, their_id: str) -> Session | None:
    """The session that runs under this id for a service; nobody else's ids are known to it (semantics §4.1.4)."""
    known = out.peer.running(their_id)
    if known is None:
        return None
    return next((one for one in out.station.sessions() if one.session_id == known.session_id), None)


async def _stop(out: Outstation, order: StopCharging) -> Outcome:
    """RemoteStopTransaction (1.6 §5.12), RequestStopTransaction (F03)."""
    session = _named(out, order.transaction_id)
    if session is None:
        return refused(Reason.NOT_YOURS, f"no transaction {order.transaction_id} of yours runs")
    request = requests.Stop(transaction_id=session.transaction_id)
    return await wishes.stop(out.arbitration, out.id, out.charger_id, request)


async def _check(out: Outstation, order: CheckTransaction) -> Outcome:
    """GetTransactionStatus (E14): answered by us, for what waits is with us."""
    waits = out.outbox.depth(out.id, out.charger_id).messages > 0
    if not order.transaction_id:
        return done(waiting=waits)
    known = out.peer.named(order.transaction_id)
    of_it = known is not None and waits and await _waits(out, known.key)
    return done(running=_named(out, order.transaction_id) is not None, waiting=of_it)


async def _waits(out: Outstation, key: str) -> bool:
    """Whether anything of a transaction waits (E14.FR.04); while the disk does not tell, something may."""
    try:
        return await out.outbox.holds(out.id, out.charger_id, key)
    except LedgerFailed:
        return True


# The cable


async def _unlock(out: Outstation, order: Unlock) -> Outcome:
    """UnlockConnector: 1.6 stops what runs there first (§5.18), 2.x refuses (F05.FR.02)."""
    connector = places.connector(out, order.at)
    if connector is None:
        return refused(Reason.UNKNOWN_CONNECTOR, "a connector must be named")
    if connector.session is not None and out.version is not Version.V16:
        return refused(Reason.NOT_YOURS, "a transaction runs there")
    request = requests.Unlock(connector=connector.number)
    return await wishes.unlock(out.arbitration, out.id, out.charger_id, request, lambda: _stopped(out, connector))


async def _stopped(out: Outstation, connector: Connector) -> Outcome | None:
    """A 2.x charger does not stop by itself for that, as a 1.6 one does. None where nothing runs."""
    session = connector.session
    if session is None or out.station.version is Version.V16:
        return None
    request = requests.Stop(transaction_id=session.transaction_id)
    outcome = await wishes.stop(out.arbitration, out.id, out.charger_id, request)
    if outcome.ok:
        await waiting.until(out, lambda: connector.session is not session, STOPPING_SECONDS)
    return outcome


# Reservations


async def _reserve(out: Outstation, order: Reserve) -> Outcome:
    """ReserveNow (1.6 §5.13, H01): under a number of ours; the same again replaces (H01.FR.02)."""
    if order.until <= out.hub.clock.now():
        return refused(Reason.INVALID, "it would have expired already")
    connector = _startable(out, order.at)
    tag = tags.meant(out, order.id_tag)
    if isinstance(connector, Outcome):
        return connector
    if not tag:
        return refused(Reason.INVALID, "a reservation is for a card")
    asked = {"id_tag": tag, "until": order.until.isoformat(), "connector": connector.number}
    request = requests.Reserve.model_validate(asked)
    number = out.peer.reservations.get(order.reservation_id) or out.arbitration.dispatcher.next_id()
    outcome = await wishes.reserve(out.arbitration, out.id, out.charger_id, request, number, order.kind)
    if outcome.ok:
        _remember(out, out.peer.reservations, order.reservation_id, number)
    return outcome


async def _cancel(out: Outstation, order: CancelReservation) -> Outcome:
    """CancelReservation (1.6 §5.1, H02)."""
    number = out.peer.reservations.get(order.reservation_id)
    if number is None:
        return refused(Reason.NOT_YOURS, "no reservation of yours has this id")
    request = requests.CancelReservation(reservation_id=number)
    outcome = await wishes.cancel_reservation(out.arbitration, out.id, out.charger_id, request)
    if outcome.ok:
        out.peer.reservations.pop(order.reservation_id, None)
        out.keep()
    return outcome


HANDLERS: Handlers = {
    CancelReservation: _cancel,
    CheckTransaction: _check,
    Reserve: _reserve,
    StartCharging: _start,
    StopCharging: _stop,
    Unlock: _unlock,
}
