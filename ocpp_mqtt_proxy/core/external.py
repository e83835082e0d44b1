"""Limits that somebody else puts on a charger, at the charger itself: the house's energy manager, the grid (K12, K13).

The charger keeps to them whatever it is told, so they bind beside everybody's. What a CSMS set is no such limit: it
is ours, told back to us.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp_mqtt_proxy.core.events import ChargerLimited
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Purpose
from ocpp_mqtt_proxy.core.limits.rules import schedule_fault
from ocpp_mqtt_proxy.core.model import Place
from ocpp_mqtt_proxy.core.reports import Acknowledged, Answer, LimitCleared, LimitReported

CSO = "CSO"
"""The source of what a CSMS set."""

MOST = 64
"""Limits that are kept; more is a charger that babbles."""


def limited(hearing: Hearing, report: LimitReported) -> Answer:
    """A source limits a place. It takes the place of what it said before; nobody knows what an untold one allows."""
    number = _number(hearing, report.place)
    if report.source != CSO and number is not None:
        known = {key: one for key, one in hearing.station.external.items() if key != (report.source, number)}
        profile = _profile(hearing, report, number)
        if profile is not None and len(known) < MOST:
            known[report.source, number] = profile
        _set(hearing, known)
    return Acknowledged()


def cleared(hearing: Hearing, report: LimitCleared) -> Answer:
    """A source limits a place no longer; without an EVSE none at all."""
    number = _number(hearing, report.place)
    gone = {key for key in hearing.station.external if key[0] == report.source and number in (0, key[1])}
    _set(hearing, {key: one for key, one in hearing.station.external.items() if key not in gone})
    return Acknowledged()


def _set(hearing: Hearing, known: dict[tuple[str, int], ChargingProfile]) -> None:
    if known != hearing.station.external:
        hearing.station.external = known
        hearing.tell(ChargerLimited)


def _number(hearing: Hearing, place: Place) -> int | None:
    """The number that profiles of an EVSE go by; 0 for the whole charger, None for an EVSE that cannot be."""
    if not place.evse:
        return 0
    if hearing.station.at(place) is None:
        return None
    return hearing.station.evse_number(place)


def _profile(hearing: Hearing, report: LimitReported, number: int) -> ChargingProfile | None:
    """What is allowed, where it is told and makes sense."""
    if report.schedule is None:
        return None
    kind = Kind.RELATIVE if report.schedule.start is None else Kind.ABSOLUTE
    profile = ChargingProfile(report.schedule, Purpose.EXTERNAL, kind, connector=number, installed=hearing.now)
    return None if schedule_fault(profile) else profile


RULES: dict[type, Callable[[Hearing, Any], Answer]] = {LimitReported: limited, LimitCleared: cleared}
"""What each report means."""
