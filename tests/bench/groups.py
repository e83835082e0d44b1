"""How long it takes to share one fuse out anew among many chargers, with what everybody else allows each of them."""

from __future__ import annotations

import asyncio
import time

from ocpp_mqtt_proxy.arbitration.groups import Groups
from ocpp_mqtt_proxy.core.control import Limit
from ocpp_mqtt_proxy.core.groups import Group
from ocpp_mqtt_proxy.core.house_load import HouseLoad
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Plan as ChargerPlan, Station
from ocpp_mqtt_proxy.hub import Hub
from tests.bench.figures import Figure, Section
from tests.bench.plan import Plan
from tests.fakes import FakeLink, a_charger, a_hub, an_arbitration, providers

GOAL_MS = 50
CHARGERS = 32
PROVIDERS = ("a", "b", "c", "d", "e")
TIMES = 20


async def groups(plan: Plan) -> Section:
    """All charge, and the house takes another current each time."""
    figure = Figure(f"one fuse shared out among {CHARGERS} chargers", "ms", "", GOAL_MS)
    sharing = Groups(
        an_arbitration(a_street(), Rules(providers=providers(*PROVIDERS))), [_fuse()], lambda _: ChargerPlan()
    )
    for number in range(plan.rounds):
        began = time.perf_counter()
        for second in range(TIMES):
            sharing.house_takes("fuse", Amps(number + second))
        figure.add((time.perf_counter() - began) / TIMES * 1000)
        await asyncio.sleep(0.1)  # the chargers do as they were told
    return Section(
        "Groups", [figure], [f"{len(PROVIDERS)} providers with a limit on each; what chargers are told aside"]
    )


def a_street() -> Hub:
    """Chargers of one group, connected and charging."""
    hub = a_hub(ChargerPlan(group="fuse"))
    for number in range(CHARGERS):
        _charging(hub, a_charger(hub, FakeLink(), f"CP{number}"))
    return hub


def _charging(hub: Hub, station: Station) -> None:
    station.memory.accepted = True
    station.connectors[1].session = Session(f"s-{station.id}", station.id, 1, "7", hub.clock.now(), "CARD")
    station.control.limits = {one: Limit(Amps(10 + number)) for number, one in enumerate(PROVIDERS)}


def _fuse() -> Group:
    return Group("fuse", tuple(f"CP{number}" for number in range(CHARGERS)), Amps(250), HouseLoad())
