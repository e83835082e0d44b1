"""What others allow at most, as a service is shown it: profiles that no CSMS set (K12.FR.05; semantics §6.14).

The house, the owner and other providers are one to it: what they come to together, as it stands now. Who they are, and
what each of them wants, is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy.arbitration.limits import beside
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Period, Purpose, Schedule, rounded
from ocpp_mqtt_proxy.core.limits.rules import MAX_PERIODS, Criteria
from ocpp_mqtt_proxy.ocppj import schedules
from ocpp_mqtt_proxy.services.outstation import Outstation

SIGNIFICANCE = 1
"""By how many percent what others allow must change for a service to be told (LimitChangeSignificance)."""

AHEAD = 86_400
"""Seconds that are told: others may think again by then."""


def found(out: Outstation, wanted: Criteria) -> Iterator[schedules.Reported]:
    """The constraints that match, one for each EVSE that others limit."""
    now = out.hub.clock.now().replace(microsecond=0)
    for connector in out.station.ordered():
        if out.station.evse_number(connector.place) != connector.number:
            continue  # it shares its EVSE's
        profile = of_others(out, connector, now)
        if profile is not None and wanted.match(profile):
            yield schedules.Reported(profile, out.place(connector).evse, source=schedules.EMS)


def of_others(out: Outstation, connector: Connector, now: datetime) -> ChargingProfile | None:
    """What others allow on a connector; None where that is as much as it could have anyway.

    Its id is below 0: those that a CSMS gives are not (K12.FR.05).
    """
    free = out.station.plan.max_current
    line = beside(out.arbitration, out.station, connector, out.id, now, AHEAD)
    steps = {int(at): float(rounded(free if amps is None else amps)) for at, amps in line if at < AHEAD}
    if all(amps >= free for amps in steps.values()):
        return None
    periods = tuple(Period(at, amps) for at, amps in sorted(steps.items())[:MAX_PERIODS])
    schedule = Schedule(periods, start=now, duration=AHEAD, id=connector.number)
    return ChargingProfile(schedule, Purpose.EXTERNAL, id=-connector.number, connector=connector.number)
