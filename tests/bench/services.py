"""Services: what a call costs that one of them answers, beside the bare relay; and what five cost that only listen."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from tests.bench import processes
from tests.bench.chargers import fleet
from tests.bench.figures import Figure, Section, at
from tests.bench.plan import Plan
from tests.bench.processes import Program
from tests.bench.speed import Side, one_round

SERVICES = 5
PER_SECOND = 200

HOUSE = {"id_tags": [{"tag": "BENCH"}]}
"""The bench's card is one of the house's, or the services would be asked about it."""

Service = dict[str, object]


def service(name: str, csms: Program, **more: object) -> Service:
    """A service's configuration."""
    return {"id": name, "url": f"ws://127.0.0.1:{csms.port}/", **more}


async def relaying(plan: Plan) -> Section:
    """Calls that a service has to answer: charger, proxy, service, and back; the relay does nothing else."""
    script = replace(plan.script, meter=plan.script.transfer)
    kinds = (
        ("round trip p50, one charger", 1, max(1, plan.frames // 5), 0.0),
        (f"round trip p50, {PER_SECOND} calls/s", plan.chargers, 2 * PER_SECOND, plan.chargers / PER_SECOND),
    )
    figures, cost = [], Figure("processor time per call, saturated", "µs", "relay", 2.5)
    async with AsyncExitStack() as stack:
        relay, csms = stack.enter_context(processes.relay()), stack.enter_context(processes.csms())
        authority = service("billing", csms, authority=["management", "transactions"])
        proxy = stack.enter_context(plan.proxy(ocpp_services=[authority], **HOUSE))
        for name, chargers, frames, pause in kinds:
            figure = Figure(name, "ms", "relay", 1.3)
            async with fleet(relay.chargers, script, chargers) as few, fleet(proxy.chargers, script, chargers) as many:
                base, ours = Side(relay, few), Side(proxy, many)
                await asyncio.gather(few.meter(frames), many.meter(frames))
                for _ in range(plan.rounds):
                    its, mine = await one_round(base, frames, pause), await one_round(ours, frames, pause)
                    figure.add(at(0.5, mine.times) * 1e3, at(0.5, its.times) * 1e3)
            figures.append(figure)
        async with (
            fleet(relay.chargers, script, plan.chargers) as few,
            fleet(proxy.chargers, script, plan.chargers) as many,
        ):
            for _ in range(plan.rounds):
                its = await one_round(Side(relay, few), plan.frames)
                mine = await one_round(Side(proxy, many), plan.frames)
                cost.add(mine.microseconds, its.microseconds)
    return Section("Calls that a service answers (the relay's two hops against ours)", [*figures, cost])


async def mirroring(plan: Plan) -> Section:
    """Readings with five services that hear of everything, one of which reads nothing, and with none."""
    figures = []
    async with AsyncExitStack() as stack:
        heard, deaf = [stack.enter_context(processes.csms(stalled=stalled)) for stalled in (False, True)]
        services = [service(f"mirror{n}", deaf if n == 0 else heard, mirror="all") for n in range(SERVICES)]
        alone = stack.enter_context(plan.proxy(**HOUSE))
        mirrored = stack.enter_context(plan.proxy(ocpp_services=services, **HOUSE))
        for name, chargers, per_second, seconds in (("20 frames/s", 2, 20, 10), ("200 frames/s", 20, 200, 5)):
            middle = Figure(f"round trip p50, {name}", "ms", "no service", 1.5)
            late = Figure(f"round trip p99, {name}", "ms", "no service", 1.5)
            frames, pause = per_second * seconds, chargers / per_second
            async with (
                fleet(alone.chargers, plan.script, chargers) as few,
                fleet(mirrored.chargers, plan.script, chargers) as many,
            ):
                await asyncio.gather(few.meter(frames, pause=pause), many.meter(frames, pause=pause))
                for _ in range(plan.rounds):
                    its = await one_round(Side(alone, few), frames, pause)
                    mine = await one_round(Side(mirrored, many), frames, pause)
                    middle.add(at(0.5, mine.times) * 1e3, at(0.5, its.times) * 1e3)
                    late.add(at(0.99, mine.times) * 1e3, at(0.99, its.times) * 1e3)
            figures += [middle, late]
    return Section(f"{SERVICES} services that mirror everything, one of them stalled, against none", figures)
