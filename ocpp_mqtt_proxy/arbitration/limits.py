"""The providers' limits on a charger: of those in force the smallest binds, below the owner's ceiling."""

from __future__ import annotations

from datetime import datetime

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.commands import Outcome, done
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.standing import limit_stands
from ocpp_mqtt_proxy.core.station import Provided, Station
from ocpp_mqtt_proxy.core.world import world_of

LEAST_CURRENT = Amps(6)
"""What a car takes at least (IEC 61851-1); less is nothing."""


def least(arbitration: Arbitration, station: Station, now: datetime) -> Provided | None:
    """The smallest limit of a provider that is in force; below what a car takes it is 0."""
    world, control = world_of(station, arbitration.house), station.control
    standing = [
        Provided(limit.amps if limit.amps >= LEAST_CURRENT else Amps(0), provider)
        for provider, limit in control.limits.items()
        if (limit.until is None or limit.until > now) and limit_stands(control, provider, world, arbitration.rules, now)
    ]
    return min(standing, default=None)


async def rebind(arbitration: Arbitration, station: Station) -> Outcome:
    """Have the charger keep to the limits that are in force now; nothing is sent where that changes nothing."""
    before, station.provided = station.bound, least(arbitration, station, arbitration.hub.clock.now())
    if station.bound == before:
        return done()
    return await arbitration.dispatcher.bind(station)
