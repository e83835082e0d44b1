"""Limits on a charger: of the providers' in force and its group's the smallest binds, below the owner's ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.lines import (
    Look,
    beginning,
    in_all,
    lines,
    look,
    planned,
    spot_of,
    spots_in_use,
    standing,
)
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.held import Steps
from ocpp_mqtt_proxy.core.limits import composite
from ocpp_mqtt_proxy.core.limits.composite import Now
from ocpp_mqtt_proxy.core.limits.line import Line, added, changed, constant, least as least_of
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.station import Provided, Station

AHEAD = 1860.0
"""Seconds that are reckoned ahead for what is put to a charger: as long as any profile in use lasts, and a little."""

_NOW = 1e-6


def least(arbitration: Arbitration, station: Station, now: datetime) -> Provided | None:
    """The smallest limit of a provider that is in force; below what a car takes it is 0."""
    return _smallest(lines(look(arbitration, station, now, _NOW), spots_in_use(station)))


def _smallest(of_all: Mapping[str, Line]) -> Provided | None:
    """Which of several binds at once; of two that are the same the first by its name."""
    found = ((line[0][1], by) for by, line in of_all.items())
    return min((Provided(Amps(amps), by) for amps, by in found if amps is not None), default=None)


def said(at: Look) -> dict[str, Amps]:
    """What each provider's own limit and profiles allow now, in force or not: the smaller of them."""
    spots, limits = spots_in_use(at.station), at.station.control.limits
    found: dict[str, Amps] = {}
    for voice in at.voices:
        limit = limits.get(voice.provider)
        told = [planned(at, voice, spot)[0][1] for spot in spots]
        told += [limit.amps] if limit is not None and limit.lasts(at.now) else []
        if binding := [amps for amps in told if amps is not None]:
            found[voice.provider] = Amps(min(binding))
    return found


def own(arbitration: Arbitration, station: Station, provider: str, now: datetime) -> Amps | None:
    """What a provider's own limit and profiles allow now; None where neither binds."""
    return said(look(arbitration, station, now, _NOW)).get(provider)


def plan_now(station: Station, provider: str, now: datetime, ahead: float = 0.0) -> Now:
    """What a provider's profiles allow now on the connectors in use, and when that changes within so many seconds."""
    profiles = standing(station, provider, now)
    found = [composite.now(profiles, spot, now, ahead) for spot in spots_in_use(station)] if profiles else []
    amps = min((one.amps for one in found if one.amps is not None), default=None)
    return Now(amps, min((one.until for one in found if one.until is not None), default=None))


# What chargers are to keep to


def steer(arbitration: Arbitration) -> None:
    """From now on chargers are steered by what is reckoned here."""
    arbitration.dispatcher.steering.reckon = partial(reckon, arbitration)


async def rebind(arbitration: Arbitration, station: Station, *, eager: bool = False, anew: bool = False) -> Outcome:
    """Have the charger keep to the limits that are in force now; nothing is sent where that changes nothing.

    What raises waits for some calm, unless `eager`; what lowers and was refused just now for a while, unless `anew`.
    """
    return await arbitration.dispatcher.steering.follow(station, eager=eager, anew=anew)


def reckon(arbitration: Arbitration, station: Station) -> None:
    """Reckon what binds each connector now and for a while (`Station.ahead`), and the least of it (`provided`)."""
    control = station.control
    station.sole()
    if not control.limiting and not station.external and station.share is None and not any(station.sessions()):
        control.allowing, station.provided, station.ahead, station.allowed = {}, None, {}, {}
        return
    at = look(arbitration, station, arbitration.hub.clock.now(), AHEAD)
    control.allowing = said(at)
    every = {one.number: lines(at, [spot_of(station, one)]) for one in station.ordered()}
    found = (_smallest(every[one.number]) for one in station.in_use())
    station.provided = min((one for one in found if one is not None), default=None)
    station.ahead = {number: _steps(station, of_all, at.now) for number, of_all in every.items()}
    station.allowed = {number: _at_once(of_all) for number, of_all in every.items()}


def _at_once(of_all: Mapping[str, Line]) -> dict[str, Amps]:
    """What each allows now, who allows anything."""
    return {by: Amps(line[0][1]) for by, line in of_all.items() if line[0][1] is not None}


def _steps(station: Station, of_all: Mapping[str, Line], now: datetime) -> Steps:
    free = station.plan.max_current
    return tuple(
        (now + timedelta(seconds=after), free if amps is None else Amps(min(amps, free)))
        for after, amps in least_of(of_all.values())
    )


def next_change(station: Station, now: datetime) -> datetime | None:
    """When what binds goes on to its next step, as it was reckoned last."""
    return min((at for steps in station.ahead.values() for at, _ in steps if at > now), default=None)


# What will flow


def merged(
    arbitration: Arbitration, station: Station, connector: Connector | None, now: datetime, seconds: float
) -> Line:
    """What binds from now on in A per phase, all that have a say taken together; of the whole charger the sum (K08).

    As it stands now: who has a say may change. Where no transaction runs, as if one began now (K08.FR.06).
    """
    at = look(arbitration, station, now, seconds)
    if connector is not None:
        return _merged(at, connector)
    station.sole()
    total = added(_merged(at, one) for one in station.ordered())
    return least_of([total, *in_all(at)])


def beside(
    arbitration: Arbitration, station: Station, connector: Connector, provider: str, now: datetime, seconds: float
) -> Line:
    """What binds on a connector but for what one provider set itself (K12)."""
    return _merged(look(arbitration, station, now, seconds), connector, without=provider)


def _merged(at: Look, connector: Connector, without: str | None = None) -> Line:
    station, session = at.station, connector.session
    every = lines(at, beginning([spot_of(station, connector)], at.now), without)
    line = least_of([constant(station.ceiling_of(connector.number)), *every.values()])
    if session is None or session.provider == without:
        return line
    return changed(line, lambda amps: session.within(Amps(amps)))
