"""Tells a 2.x service when others limit a charger, otherwise than they did, or no longer (K12, K13; semantics §6.14).

1.6 has no words for it: there it shows in the current offered. Who the others are is not its business: to it, it is the
house's energy management.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.events import (
    ChargerLimited,
    Fact,
    LimitChanged,
    LimitsChanged,
    ModeChanged,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
)
from ocpp_mqtt_proxy.core.model import Place, Version
from ocpp_mqtt_proxy.core.reports import LimitCleared, LimitReported
from ocpp_mqtt_proxy.ocppj.schedules import EMS
from ocpp_mqtt_proxy.services.obeying.constraints import SIGNIFICANCE, of_others
from ocpp_mqtt_proxy.services.outstation import Outstation

_MATTER = (ChargerLimited, LimitChanged, LimitsChanged, ModeChanged, SessionEnded, SessionStarted, SessionUpdated)
"""Facts that may change what others allow."""


def follow(out: Outstation, facts: Iterable[Fact]) -> None:
    """Tell what of this changed what others allow."""
    if any(isinstance(fact, _MATTER) for fact in facts):
        tell(out)


def tell_all(out: Outstation) -> None:
    """Tell a service that has just accepted us what others allow: what it was told before may not have come."""
    out.constrained = dict.fromkeys(out.constrained)
    tell(out)


def tell(out: Outstation) -> None:
    """Tell of each EVSE what others allow there, where the service was told something else."""
    if not out.accepted or out.version is Version.V16:
        return
    now = out.hub.clock.now().replace(microsecond=0)
    for connector in out.station.ordered():
        if out.station.evse_number(connector.place) == connector.number:
            _tell(out, connector, now)


def _tell(out: Outstation, connector: Connector, now: datetime) -> None:
    profile, before = of_others(out, connector, now), out.constrained.get(connector.number)
    place = Place(out.place(connector).evse)
    if profile is None:
        if connector.number in out.constrained:
            del out.constrained[connector.number]
            out.report(LimitCleared(place, EMS))
        return
    amps = profile.schedule.periods[0].limit
    if before is None or abs(amps - before) * 100 > SIGNIFICANCE * before:
        out.constrained[connector.number] = amps
        out.report(LimitReported(place, EMS, profile.schedule))
