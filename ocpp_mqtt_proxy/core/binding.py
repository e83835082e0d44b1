"""Which limit binds on a connector: the owner's ceiling, or less by a provider or by a limit of its session's own.

A session's own limit is a TxProfile: it overrules our default profile in the charger while its transaction
runs, and goes with it (1.6 §3.13.1, K01.FR.16). It must therefore never be above the ceiling.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, Decision
from ocpp_mqtt_proxy.core.commands import ClearLimit, ProfileForm, SetLimit, StartCharging, Target
from ocpp_mqtt_proxy.core.connector import Connector, Promise
from ocpp_mqtt_proxy.core.events import LimitChanged, LimitsChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.model import OWNER, Amps, IdToken
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station

_AGO = timedelta(minutes=1)
"""How long ago a schedule began that is to hold from now on: chargers' clocks are not quite ours (1.6 §5.16.4)."""


LEAST_CURRENT = Amps(6)
"""What a car takes at least (IEC 61851-1)."""


def usable(amps: float) -> Amps:
    """A limit as cars take it: nothing where it is less than the least that they take."""
    return Amps(amps) if amps >= LEAST_CURRENT else Amps(0)


def ceiling_order(station: Station, limit: Amps, now: datetime) -> SetLimit:
    """An order for the owner's ceiling in A per phase, or a provider's limit below it, for every transaction.

    In the form that the charger took last.
    """
    least = limit if station.provided is None else min(limit, station.provided.amps)
    form = station.memory.form or ProfileForm()
    return SetLimit(Target(), least, now - _AGO, station.plan.phases, form, ceiling=limit)


def session_order(station: Station, session: Session, limit: Amps, now: datetime) -> SetLimit:
    """An order for a limit of one transaction, in the form that the charger took last. Raises UnknownConnector."""
    order = replace(ceiling_order(station, limit, now), limit=limit, ceiling=None)
    form = station.memory.session_form or replace(order.form, purpose=None)
    return shaped(station, replace(order, transaction_id=session.transaction_id), session, form)


def within_what_binds(station: Station, order: SetLimit) -> SetLimit:
    """An order as it may be put now, where less was allowed since it was made."""
    provided = station.provided
    return order if provided is None else replace(order, limit=min(order.limit, provided.amps))


def shaped(station: Station, order: SetLimit, session: Session | None, form: ProfileForm) -> SetLimit:
    """An order in a form. What outlasts its transaction takes the ceiling's own place, where that is no one else's."""
    shape = replace(order, form=form)
    if session is None:
        return shape
    connector = station.connector(session.connector)
    ours = shape.stands_for_a_transaction and station.sole() is connector
    return replace(shape, at=Target() if ours else Target(connector.number, connector.place))


def restoring(station: Station, connector: Connector, now: datetime) -> SetLimit | ClearLimit:
    """An order that takes away what outlasted its transaction."""
    if station.sole() is connector:
        return ceiling_order(station, station.limit, now)
    return ClearLimit(Target(connector.number, connector.place))


def limited(hearing: Hearing, order: SetLimit) -> None:
    """The charger took a limit."""
    if order.transaction_id is None:
        _all_limited(hearing, order)
    else:
        _session_limited(hearing, order, hearing.station.book.find(order.transaction_id))


def _all_limited(hearing: Hearing, order: SetLimit) -> None:
    station = hearing.station
    if order.ceiling is not None:
        station.earlier_limit = station.limit or station.earlier_limit
        if order.ceiling != station.memory.limit:
            hearing.tell(LimitsChanged)  # though a provider's may go on to bind
        station.memory.limit = order.ceiling
    station.memory.form, station.memory.installed = order.form, order.limit
    if (only := station.sole()) is not None:
        station.memory.lowered.discard(only.number)
    hearing.keep(station.memory)
    for connector in station.ordered():
        if order.at.connector in (0, connector.number):
            _bind(hearing, connector, order.limit)


def _session_limited(hearing: Hearing, order: SetLimit, session: Session | None) -> None:
    """Nothing at all is a pause, unless the ceiling is 0 itself. From now on the session has its own profile."""
    if session is None or not session.running:
        return
    ceiling = hearing.station.bound
    _remember_form(hearing, order, session)
    session.paused, session.installed = order.limit == Amps(0) and ceiling > 0, order.limit
    if not session.limit and not session.paused:
        session.limit = hearing.station.plan.max_current
    hearing.keep(session)
    _bind(hearing, hearing.station.connectors[session.connector], ceiling)


def _remember_form(hearing: Hearing, order: SetLimit, session: Session) -> None:
    memory = hearing.station.memory
    memory.session_form = order.form
    if order.stands_for_a_transaction and order.limit < hearing.station.bound:
        memory.lowered.add(session.connector)
    else:
        memory.lowered.discard(session.connector)
    hearing.keep(memory)


def cleared(hearing: Hearing, order: ClearLimit) -> None:
    """The charger took our profile of a connector away."""
    memory = hearing.station.memory
    if order.at.connector in memory.lowered:
        memory.lowered.discard(order.at.connector)
        hearing.keep(memory)


def promised(hearing: Hearing, order: StartCharging) -> None:
    """The charger may start a session for somebody; its card tells which it is.

    The card is good until then, whatever anybody says (contract §8): many chargers ask (1.6 §5.11, F01.FR.01).
    """
    connector = hearing.station.connectors.get(order.at.connector)
    if connector is not None:
        until = hearing.now + ACCEPTANCE_KEPT
        own = order.limit if order.wanted is None else order.wanted
        tag, number = order.id_tag.lower(), order.remote_start_id
        connector.promised = Promise(tag, until, order.provider, own, number, order.limit)
        hearing.station.remember(order.id_tag, _good_for(hearing, order), hearing.now)
        hearing.keep(hearing.station.control)
        begun(hearing, connector)


def _good_for(hearing: Hearing, order: StartCharging) -> Decision:
    """The verdict on the card of a start; one of the same requester's stands, with its group."""
    known = hearing.station.recall(order.id_tag, hearing.now)
    if known is not None and known.accepted and known.by == order.provider:
        return known
    return Decision(ACCEPTED, order.provider, of_provider=order.provider != OWNER)


def withdrawn(hearing: Hearing, order: StartCharging) -> None:
    """The charger will not start it."""
    connector = hearing.station.connectors.get(order.at.connector)
    if connector is not None:
        connector.promised = None
        hearing.station.control.cards.forget(order.id_tag)
        hearing.keep(hearing.station.control)


def begun(hearing: Hearing, connector: Connector) -> None:
    """A session runs; where it is the one that was promised, it has the limit that goes with it.

    A 1.6 charger does not say which start from afar it followed. One that began with the cable shows by its card.
    """
    session = connector.session
    if session is None or connector.promised is None or session.awaits_card:
        return
    promise, connector.promised = connector.promised, None
    its = session.id_tag is not None and promise.meant_for(IdToken(session.id_tag), hearing.now)
    if its:
        session.remote_start_id = session.remote_start_id or promise.number
        hearing.keep(session)
    if its and promise.limit is not None:
        session.limit, session.installed = promise.limit, promise.installed
        _bind(hearing, connector, hearing.station.bound)


def ended(hearing: Hearing, connector: Connector) -> None:
    """What the session had of its own binds no more; where the charger keeps it all the same, it has to go."""
    if connector.number in hearing.station.memory.lowered:
        hearing.station.due.append(restoring(hearing.station, connector, hearing.now))
    if connector.session is None and connector.effective_limit is not None:
        _bind(hearing, connector, hearing.station.bound)


def _bind(hearing: Hearing, connector: Connector, ceiling: Amps) -> None:
    effective = connector.session.within(ceiling) if connector.session else ceiling
    by = _whose(hearing.station, effective)
    if (effective, by) == (connector.effective_limit, connector.limited_by):
        return
    connector.effective_limit, connector.limited_by = effective, by
    hearing.keep(connector)
    hearing.tell(LimitChanged, connector, effective=effective, by=by)


def _whose(station: Station, effective: Amps) -> str:
    """Whose limit it is that binds; the owner's own, where two are the same."""
    provided = station.provided
    return provided.by if provided and provided.amps <= effective and provided.amps < station.limit else OWNER
