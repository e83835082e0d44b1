"""What anything that happens to a charger means: the way into the domain.

`hear` takes a report, `confirm` an order that the charger agreed to, `connect` and `disconnect` its socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ocpp_mqtt_proxy.core import binding, clock, external, starting, transactions
from ocpp_mqtt_proxy.core.authorization import Decision
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.commands import ChangeAvailability, Order, SetConfiguration, StartCharging
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import (
    ChargerConnected,
    ChargerDisconnected,
    Fact,
)
from ocpp_mqtt_proxy.core.hearing import RULES as EVERYDAY, Change, Hearing, fall_silent, set_operative
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, SetLimit
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import Answer, Report
from ocpp_mqtt_proxy.core.settings import Told
from ocpp_mqtt_proxy.core.station import Station

_RULES = EVERYDAY | transactions.RULES | external.RULES


@dataclass(slots=True)
class Heard:
    """What follows: the answer, the facts, and what to write down (first, where `durable`)."""

    answer: Answer | None
    facts: list[Fact] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    durable: bool = False


def _heard(hearing: Hearing, answer: Answer | None = None) -> Heard:
    return Heard(answer, hearing.facts, hearing.changes, hearing.durable)


def hear(station: Station, report: Report, now: datetime, numbers: Numbers, decision: Decision | None = None) -> Heard:
    """Apply a report. `decision` is needed where the report shows a card."""
    hearing = Hearing(station, now, numbers, decision)
    station.last_heard, error = now, clock.error(station)
    answer = _RULES[type(report)](hearing, report)
    clock.doubt(station, error, now)
    transactions.close_stale(hearing)
    return _heard(hearing, answer)


def connect(station: Station, version: Version, address: str, now: datetime, numbers: Numbers) -> Heard:
    """The charger's socket is open."""
    hearing = Hearing(station, now, numbers)
    station.connected = True
    station.address = address
    station.connected_since = station.last_heard = now
    station.connects += 1
    station.behind, station.may_have_set_clock = None, True
    station.memory.version = version
    station.memory.first_seen = station.memory.first_seen or now
    station.memory.last_seen = now
    hearing.keep(station.memory)
    hearing.tell(ChargerConnected, address=address)
    return _heard(hearing)


def disconnect(station: Station, reason: str, now: datetime, numbers: Numbers) -> Heard:
    """The charger's socket is gone. What it did last stays shown; whether it still does nobody knows."""
    hearing = Hearing(station, now, numbers)
    station.connected = False
    station.connected_since = None
    station.memory.last_seen = now
    hearing.keep(station.memory)
    hearing.tell(ChargerDisconnected, address=station.address, reason=reason)
    return _heard(hearing)


def close_session(station: Station, connector: Connector, now: datetime, numbers: Numbers) -> Heard:
    """The owner says that a session is over."""
    hearing = Hearing(station, now, numbers)
    transactions.close_session(hearing, connector)
    return _heard(hearing)


def infer(station: Station, connector: Connector, now: datetime, numbers: Numbers) -> Heard:
    """A connector does not say what it does: from now on its transactions tell, and the charger as a whole."""
    hearing = Hearing(station, now, numbers)
    fall_silent(hearing, connector)
    return _heard(hearing)


def confirm(station: Station, order: Order, now: datetime, numbers: Numbers) -> Heard:
    """The charger has done what was asked; only now is it a fact."""
    hearing = Hearing(station, now, numbers)
    match order:
        case SetLimit():
            binding.limited(hearing, order)
        case ClearLimit():
            binding.cleared(hearing, order)
        case StartCharging():
            starting.promised(hearing, order)
        case SetConfiguration():
            station.settings = Told()
        case ChangeAvailability(at=at) if at.connector == 0:
            set_operative(hearing, operative=order.operative)
    return _heard(hearing)
