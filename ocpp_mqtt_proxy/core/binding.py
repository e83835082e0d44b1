"""What a charger confirmed of our profiles, and what binds its connectors by that.

A session's own profile is a TxProfile: it overrules the defaults in the charger while its transaction runs, and goes
with it (1.6 §3.13.1, K01.FR.16).
"""

from __future__ import annotations

from ocpp_mqtt_proxy.core import explaining, obedience
from ocpp_mqtt_proxy.core.audit import Cause
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import LimitChanged, LimitsChanged
from ocpp_mqtt_proxy.core.forms import at_its_level
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import Held, for_good
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, Layer, SetLimit
from ocpp_mqtt_proxy.core.model import OWNER, Amps, Target
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import Want, shown


def limited(hearing: Hearing, order: SetLimit) -> None:
    """The charger took a limit. What it did by its own clock until now is told first."""
    settle(hearing)
    memory, held = hearing.station.memory, order.held(hearing.now)
    if order.base:
        memory.safe = order.limit
        memory.form = memory.form or order.form
        hearing.keep(memory)
    elif order.transaction_id is None or order.at.connector == 0:
        _all_limited(hearing, order, held)
    else:
        _session_limited(hearing, order, held, hearing.station.book.find(order.transaction_id))
    settle(hearing, order)


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


def takes_less(hearing: Hearing, refused: SetLimit, taken: SetLimit) -> None:
    """The charger took what is plainer than what it had refused: it takes fewer steps or none, or no duration."""
    memory = hearing.station.memory
    if refused.later:
        memory.most_periods = 1 + len(taken.later)
    else:
        memory.untimed = True
    hearing.keep(memory)


def learns_levels(hearing: Hearing) -> None:
    """The charger says how high its stack levels go: a form that it took before goes with those."""
    memory, station = hearing.station.memory, hearing.station
    known = (memory.form, memory.session_form)
    memory.form, memory.session_form = (at_its_level(station, form) if form else None for form in known)
    if known != (memory.form, memory.session_form):
        hearing.keep(memory)


def learns_anew(hearing: Hearing) -> None:
    """The charger booted: with another firmware it may take more."""
    memory = hearing.station.memory
    if (memory.untimed, memory.flat, memory.most_periods) != (False, False, None):
        memory.untimed, memory.flat, memory.most_periods = False, False, None
        hearing.keep(memory)


def lost(hearing: Hearing, want: Want) -> None:
    """The charger may have lost a profile and does not take it again: it has it, or what lies below that counts."""
    memory, session = hearing.station.memory, want.session
    if session is not None:
        held, session.held = session.held, None
        hearing.keep(session)
    elif want.layer is Layer.BASE:
        held, memory.safe = None if memory.safe is None else for_good(memory.safe, hearing.now), None
    else:
        held, memory.installed = memory.installed, None
    if held is not None:
        memory.asked[want.key] = held
    hearing.keep(memory)
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


def ended(hearing: Hearing, connector: Connector) -> None:
    """What the session had of its own binds no more; where the charger keeps it all the same, it has to go."""
    station, over = hearing.station, connector.last_session
    if over is not None:
        station.is_sure_of(over.session_id)
        station.failed.pop(over.session_id, None)
        if station.memory.asked.pop(over.session_id, None) is not None:  # it went with its transaction
            hearing.keep(station.memory)
        if over.state is State.CLOSED:
            _may_take_its_own(hearing)
    if connector.number in station.memory.lowered:
        station.due.append(ClearLimit(Target(connector.number, connector.place)))
    settle(hearing, cause=Cause.ENDED)


def _may_take_its_own(hearing: Hearing) -> None:
    """The charger may take a profile of a transaction after all: one that was over it had to refuse (K01.FR.33)."""
    memory = hearing.station.memory
    if memory.session_form is not None and memory.session_form.purpose is not None:
        memory.session_form = None
        hearing.keep(memory)


def settle(hearing: Hearing, order: SetLimit | None = None, cause: Cause | None = None) -> None:
    """What binds the connectors by now, of what the charger holds: since it confirmed an order, or for a cause."""
    for connector in hearing.station.ordered():
        effective = shown(hearing.station, connector, hearing.now)
        if effective is not None:
            _bind(hearing, connector, effective, order, cause)


def _bind(hearing: Hearing, connector: Connector, effective: Amps, order: SetLimit | None, cause: Cause | None) -> None:
    by, before = _whose(hearing.station, connector, effective), connector.effective_limit
    if (effective, by) == (before, connector.limited_by):
        return
    why = cause or explaining.cause_of(hearing, connector, effective, order)
    obedience.begin(hearing, connector, effective)
    connector.effective_limit, connector.limited_by, connector.bound_at = effective, by, hearing.now
    hearing.keep(connector)
    hearing.tell(LimitChanged, connector, effective=effective, by=by, verified=connector.limit_verified is True)
    explaining.change(hearing, connector, before, why)


def _whose(station: Station, connector: Connector, effective: Amps) -> str:
    """Whose limit it is that binds; the owner's own, where two are the same, and where it is the safe current.

    What others allow there now, less or more, is not theirs before it has been put; nor is what they allowed before
    the owner's.
    """
    session, own = connector.session, station.ceiling_of(connector.number)
    if effective >= (own if session is None else session.within(own)):
        return OWNER
    others = station.allowed.get(connector.number) or _others(station)
    by = next((by for by, amps in sorted(others.items()) if amps == effective), None)
    if by is None and (effective == connector.effective_limit or min(others.values(), default=effective) < effective):
        by = connector.limited_by
    return by or OWNER


def _others(station: Station) -> dict[str, Amps]:
    return {station.provided.by: station.provided.amps} if station.provided is not None else {}
