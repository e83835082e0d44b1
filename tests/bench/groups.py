"""How long it takes to share one fuse out anew among many chargers, on each of which five providers want many things."""

from __future__ import annotations

import asyncio
import time
from random import Random

from ocpp_mqtt_proxy.arbitration.groups import Groups
from ocpp_mqtt_proxy.arbitration.limits import reckon
from ocpp_mqtt_proxy.core.groups import Group
from ocpp_mqtt_proxy.core.house_load import HouseLoad
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.plan import Plan as ChargerPlan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import wants
from ocpp_mqtt_proxy.hub import Hub
from tests.bench.figures import Figure, Section
from tests.bench.limits import NAMES, PERIODS, PROFILES, PROVIDERS, want_much
from tests.bench.plan import Plan
from tests.fakes import FakeLink, a_charger, a_hub, an_arbitration, providers

GOAL_MS = 50
CHARGERS = 32
TIMES = 20


async def groups(plan: Plan) -> Section:
    """All charge, and the house takes another current each time. Processor time."""
    shared = Figure(f"one fuse shared out among {CHARGERS} chargers", "ms", "", GOAL_MS)
    put = Figure("the same, and what is put to each of them", "ms", "", GOAL_MS)
    arbitration = an_arbitration(a_street(), Rules(providers=providers(*NAMES)))
    stations = arbitration.hub.stations.values()
    sharing = Groups(arbitration, [_fuse()], lambda _: ChargerPlan())
    for number in range(plan.rounds):
        sharing_took = putting_took = 0.0
        for second in range(TIMES):
            began = time.process_time()
            sharing.house_takes("fuse", Amps(number + second))
            sharing_took += (middle := time.process_time()) - began
            for station in stations:
                reckon(arbitration, station)
                list(wants(station, arbitration.hub.clock.now()))
            putting_took += time.process_time() - middle
        shared.add(sharing_took / TIMES * 1000)
        put.add((sharing_took + putting_took) / TIMES * 1000)
        await asyncio.sleep(0.1)  # the chargers do as they were told
    remark = f"{PROVIDERS} providers with {PROFILES} profiles of {PERIODS} periods on each; the wire aside"
    return Section("Groups", [shared, put], [remark])


def a_street() -> Hub:
    """Chargers of one group, connected and charging."""
    hub, random = a_hub(ChargerPlan(group="fuse")), Random(1)
    for number in range(CHARGERS):
        _charging(hub, a_charger(hub, FakeLink(), f"CP{number}"), random)
    return hub


def _charging(hub: Hub, station: Station, random: Random) -> None:
    station.memory.accepted = True
    station.connectors[1].session = Session(f"s-{station.id}", station.id, 1, "7", hub.clock.now(), "CARD")
    want_much(station, random)


def _fuse() -> Group:
    return Group("fuse", tuple(f"CP{number}" for number in range(CHARGERS)), Amps(250), HouseLoad())
