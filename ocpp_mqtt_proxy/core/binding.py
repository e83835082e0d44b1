"""What a charger confirmed of our profiles, and what binds its connectors by that; whose session a start begins.

A session's own profile is a TxProfile: it overrules the defaults in the charger while its transaction runs, and goes
with it (1.6 §3.13.1, K01.FR.16).
"""

from __future__ import annotations

from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, Decision
from ocpp_mqtt_proxy.core.commands import StartCharging
from ocpp_mqtt_proxy.core.connector import Connector, Promise
from ocpp_mqtt_proxy.core.events import LimitChanged, LimitsChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, SetLimit
from ocpp_mqtt_proxy.core.model import OWNER, Amps, IdToken, Target
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import shown


def limited(hearing: Hearing, order: SetLimit) -> None:
    """The charger took a limit."""
    memory, held = hearing.station.memory, order.held(hearing.now)
    if order.base:
        memory.safe = order.limit
        memory.form = memory.form or order.form
        hearing.keep(memory)
    elif order.transaction_id is None or order.at.connector == 0:
        _all_limited(hearing, order, held)
    else:
        _session_limited(hearing, order, held, hearing.station.book.find(order.transaction_id))
    settle(hearing)


def _all_limited(hearing: Hearing, order: SetLimit, held: Held) -> None:
    memory = hearing.station.memory
    memory.form, memory.installed = order.form, held
    if order.transaction_id is not None:
        memory.session_form = order.form
    hearing.keep(memory)


def _session_limited(hearing: Hearing, order: SetLimit, held: Held, session: Session | None) -> None:
    if session is None or not session.running:
        return
    memory = hearing.station.memory
    memory.session_form, session.held = order.form, held
    if order.stands_for_a_transaction:
        memory.lowered.add(session.connector)
    hearing.keep(memory, session)


def ceiling(hearing: Hearing, amps: Amps) -> None:
    """The charger keeps to a ceiling of the owner's."""
    memory, station = hearing.station.memory, hearing.station
    memory.earlier_limit = station.limit or memory.earlier_limit
    if amps != memory.limit:
        memory.limit = amps
        hearing.tell(LimitsChanged)  # though a provider's may go on to bind
    hearing.keep(memory)
    settle(hearing)


def paused(hearing: Hearing, session: Session, *, paused: bool) -> None:
    """A transaction is paused, or goes on."""
    session.paused = paused
    hearing.keep(session)
    settle(hearing)


def takes_no_base(hearing: Hearing) -> None:
    """The charger takes no second default below the first."""
    hearing.station.memory.flat = True
    hearing.keep(hearing.station.memory)


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
        session.limit = promise.limit
        session.held = None if promise.installed is None else Held(((hearing.now, promise.installed),))
        settle(hearing)


def ended(hearing: Hearing, connector: Connector) -> None:
    """What the session had of its own binds no more; where the charger keeps it all the same, it has to go."""
    if connector.number in hearing.station.memory.lowered:
        hearing.station.due.append(ClearLimit(Target(connector.number, connector.place)))
    settle(hearing)


def settle(hearing: Hearing) -> None:
    """What binds the connectors by now, of what the charger holds."""
    for connector in hearing.station.ordered():
        effective = shown(hearing.station, connector, hearing.now)
        if effective is not None:
            _bind(hearing, connector, effective)


def _bind(hearing: Hearing, connector: Connector, effective: Amps) -> None:
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
