"""What a charger's own clock shows: profiles begin and end by that.

What was put by a wrong idea of it may be over there already, or not have begun: once it shows, all of it is put again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core import instants
from ocpp_mqtt_proxy.core.doubt import lasting, may_have_lost, passing
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import EXACT


def error(station: Station) -> timedelta:
    """By how much a charger's clock is ahead of ours, as far as it has shown."""
    if station.clock_ahead > timedelta(0):
        return station.clock_ahead
    return -(station.behind or timedelta(0))


def hear(station: Station, at: datetime | None, now: datetime) -> datetime:
    """It told a time: the instant that it meant.

    What it had kept for later is old, so the latest counts, since it was told the time itself.
    """
    meant = instants.settle(at, now)
    if instants.tells(at):
        late, ahead = now - meant, instants.ahead(at, now)
        station.behind = late if station.behind is None else min(station.behind, late)
        station.clock_ahead = ahead if station.may_have_set_clock else max(station.clock_ahead, ahead)
        station.may_have_set_clock = False
    return meant


def doubt(station: Station, before: timedelta, now: datetime) -> None:
    """Put again what was put by another error of its clock (`before`), as far as the charger's memory bears it."""
    if abs(error(station) - before) <= EXACT:
        return
    if station.wear.passing.bears(now):
        may_have_lost(station, passing(station))
    if station.wear.lasting.bears(now):
        may_have_lost(station, lasting(station, now))
