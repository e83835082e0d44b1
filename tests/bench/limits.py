"""What it takes to work out what binds, and the plan of the next day, where five providers want many things."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from statistics import median

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.limits import least, merged, reckon
from ocpp_mqtt_proxy.arbitration.outlook import outlook
from ocpp_mqtt_proxy.core import control
from ocpp_mqtt_proxy.core.limits.profile import DAILY, ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import wants
from tests.bench.figures import Figure, Section
from tests.bench.plan import Plan
from tests.fakes import NOON, FakeLink, a_charger, a_hub, an_arbitration, providers

PROVIDERS, PROFILES, PERIODS = 5, 10, 24
TIMES = 30
"""Of each a round, of which the median counts."""

GOAL_MS = 5.0
DAY_SECONDS = 86_400.0


async def limits(plan: Plan) -> Section:
    """Everything anew each time: nothing is kept from one to the next. Processor time: others may need the machine."""
    arbitration = _house()
    station = arbitration.hub.station("CP1")
    figures = [Figure(name, "ms", goal=GOAL_MS) for name in WORKED_OUT]
    for _ in range(plan.rounds):
        for figure, work in zip(figures, WORKED_OUT.values(), strict=True):
            figure.add(median(_times(work, arbitration, station)))
    steps = len(outlook(arbitration, station, NOON).steps)
    heading = f"What binds: {PROVIDERS} providers with {PROFILES} profiles of {PERIODS} periods each"
    return Section(heading, figures, [f"the plan has {steps} steps"])


def _times(work: Work, arbitration: Arbitration, station: Station) -> list[float]:
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        work(arbitration, station, NOON)
        taken.append((time.process_time() - began) * 1e3)
    return taken


Work = Callable[[Arbitration, Station, datetime], object]


def _both(arbitration: Arbitration, station: Station, now: datetime) -> None:
    least(arbitration, station, now)
    outlook(arbitration, station, now)


def _anew(arbitration: Arbitration, station: Station, now: datetime) -> None:
    """All that is done where something changed: what binds, with all its steps, and what has to be put for that."""
    reckon(arbitration, station)
    list(wants(station, now))


def _schedule(arbitration: Arbitration, station: Station, now: datetime) -> None:
    merged(arbitration, station, None, now, DAY_SECONDS)


WORKED_OUT: dict[str, Work] = {
    "what binds now": least,
    "one charger anew: what binds, and what is put": _anew,
    "what binds now, and the plan of a day": _both,
    "a composite schedule of a day, of the whole charger": _schedule,
}


def _house() -> Arbitration:
    """A charger with a session, and providers whose profiles of different purposes have gaps for those below."""
    hub = a_hub()
    station = a_charger(hub, FakeLink())
    station.connectors[1].session = Session("bench-1", "CP1", 1, "7", NOON)
    want_much(station, Random(1))
    return an_arbitration(hub, Rules(providers=providers(*NAMES)))


NAMES = [f"provider{number}" for number in range(PROVIDERS)]


def want_much(station: Station, random: Random) -> None:
    """Give every provider profiles on a charger."""
    for name in NAMES:
        station.control.plans[name] = control.Plan(tuple(_profile(random, number) for number in range(PROFILES)))


def _profile(random: Random, number: int) -> ChargingProfile:
    """In steps at odd minutes of most of an hour, a good part of each day, begun some time ago."""
    seconds = random.randrange(1200, 3600)
    periods = tuple(Period(float(seconds * step), random.randrange(60, 320) / 10) for step in range(PERIODS))
    return ChargingProfile(
        Schedule(periods, start=NOON - timedelta(minutes=random.randrange(3000)), duration=float(seconds * PERIODS)),
        purpose=Purpose.STATION_MAX if number < PROFILES // 2 else Purpose.DEFAULT,
        kind=Kind.RECURRING,
        id=number + 1,
        level=number,
        every=DAILY,
        installed=NOON,
    )
