"""Whose session a start begins: what was promised to whom before, and what that has of its own.

A charger that agreed to start tells later that it did, and a 1.6 one not that it is this start that it followed.
"""

from __future__ import annotations

from ocpp_mqtt_proxy.core.audit import Cause
from ocpp_mqtt_proxy.core.authorization import ACCEPTANCE_KEPT, ACCEPTED, Decision
from ocpp_mqtt_proxy.core.binding import settle
from ocpp_mqtt_proxy.core.commands import StartCharging
from ocpp_mqtt_proxy.core.connector import Connector, Promise
from ocpp_mqtt_proxy.core.events import QuirksChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import for_good
from ocpp_mqtt_proxy.core.model import OWNER, Amps, IdToken
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.traits import STOP_IS_FINAL


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

    With nothing it is paused until it is switched on.
    A 1.6 charger does not say which start from afar it followed. One that began with the cable shows by its card.
    """
    session, station = connector.session, hearing.station
    station.forget_refusals()  # of when no car charged
    if session is None or connector.promised is None or session.awaits_card:
        return
    promise, connector.promised = connector.promised, None
    its = session.id_tag is not None and promise.meant_for(IdToken(session.id_tag), hearing.now)
    if its:
        session.remote_start_id = session.remote_start_id or promise.number
        hearing.keep(session)
    if its and promise.limit is not None:
        session.limit, session.paused = promise.limit or None, not promise.limit
        _may_have(hearing, session, promise.installed)
        settle(hearing, cause=Cause.BEGAN)


def _may_have(hearing: Hearing, session: Session, installed: Amps | None) -> None:
    """With the start the charger got a profile; that it took the start does not say that it took that too."""
    if installed is not None:
        hearing.station.memory.asked[session.session_id] = for_good(installed, hearing.now)
        hearing.station.doubted.add(session.session_id)
        hearing.keep(hearing.station.memory)


def starts_again(hearing: Hearing, *, after_a_stop: bool) -> None:
    """A start was taken, or refused, where the last transaction's cable is still in."""
    memory = hearing.station.memory
    if after_a_stop == (STOP_IS_FINAL in memory.learned):
        memory.learned ^= {STOP_IS_FINAL}
        hearing.keep(memory)
        hearing.tell(QuirksChanged)
