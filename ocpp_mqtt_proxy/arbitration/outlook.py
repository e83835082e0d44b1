"""What will flow at most in the time to come, as it stands now: what binds, when that changes, and whose it is.

It goes on from what binds now (`limits.least`): the owner's ceiling, and what all others allow (`lines`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.lines import beginning, lines, look, spots_in_use
from ocpp_mqtt_proxy.core.limits.line import Line, constant, lowest
from ocpp_mqtt_proxy.core.limits.outlook import Outlook, Step
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.station import Station

DAY = timedelta(days=1)

MAX_STEPS = 96
"""Steps that are told: one for each quarter of an hour of a day. Home Assistant's books take no attributes of more
than 16 KiB."""


def outlook(arbitration: Arbitration, station: Station, now: datetime, ahead: timedelta = DAY) -> Outlook:
    """What may flow on each connector in use from now on. Where there are too many steps it ends before."""
    every = {OWNER: constant(station.limit)}  # the owner first: to it belongs what two want
    spots = beginning(spots_in_use(station), now)
    every |= lines(look(arbitration, station, now, ahead.total_seconds()), spots)
    steps = tuple(_steps(station, every, now))
    until = steps[MAX_STEPS].at if len(steps) > MAX_STEPS else now + ahead
    return Outlook(now, until, steps[:MAX_STEPS])


def _steps(station: Station, every: Mapping[str, Line], now: datetime) -> Iterator[Step]:
    sessions = [connector.session for connector in station.ordered() if connector.session is not None]
    last: tuple[Amps, str] | None = None
    for after, amps, by in lowest(every):
        ceiling = Amps(amps if amps is not None else station.limit)
        most = max((session.within(ceiling) for session in sessions), default=ceiling)
        told = (most, by if by is not None and most == ceiling else OWNER)
        if told != last:
            yield Step(_after(now, after), *told)
            last = told


def _after(now: datetime, seconds: float) -> datetime:
    """To the millisecond, as times are told."""
    return datetime.fromtimestamp(round(now.timestamp() + seconds, 3), UTC) if seconds else now
