"""A thousand chargers: what each holds while it idles, and whether the crowd makes a frame dearer."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, AsyncExitStack

from tests.bench import processes
from tests.bench.chargers import Charger, arrived, fleet
from tests.bench.figures import Figure, Section
from tests.bench.plan import Plan
from tests.bench.processes import Program

PER_CHARGER_SECONDS = 10.0
"""Each of many chargers sends a frame so often; the few send as many in all."""

ROUND_SECONDS = 10.0
ARRIVAL_SECONDS = 30.0
"""Over which the many arrive: the proxy's ping interval, so that pings do not come in bursts."""

QUIET_SECONDS = 3.0
"""Without a question to any charger, all are commissioned: it waits less before the first and between two."""

WARM_SECONDS = 10.0
"""A frame of each, so that all are known and shown."""


async def memory(plan: Plan) -> Section:
    """What an idle charger holds: booted and commissioned, against the same number on the relay."""
    held = Figure(f"memory per idle charger at {plan.many}", "KiB", "", 75.0)
    against_relay = Figure(f"memory per idle charger at {plan.many}", "KiB", "relay")
    whole = Figure("  in all, with them", "MiB", "relay")
    orders = 0
    for _ in range(plan.rounds):
        its, its_whole, _ = await _memory(plan, processes.relay())
        mine, my_whole, orders = await _memory(plan, plan.proxy())
        held.add(mine)
        against_relay.add(mine, its)
        whole.add(my_whole / 1024, its_whole / 1024)
    remark = (
        f"growth from before the first charger; each answered {orders / plan.many:.1f} questions of the proxy first"
    )
    return Section("Memory, a fresh program each round", [held, against_relay, whole], [remark])


async def _memory(plan: Plan, starting: AbstractContextManager[Program]) -> tuple[float, float, int]:
    """KiB per charger and in all, and the questions that were asked."""
    with starting as program:
        await program.settle()
        before = program.memory_kib()
        async with arrived(program.chargers, plan.script, plan.many) as chargers:
            asked = await _commissioned(chargers)
            await program.settle()
            after = program.memory_kib()
        program.process.kill()  # to take leave of a thousand takes time, and is not what is measured
    return (after - before) / plan.many, after, asked


async def _commissioned(chargers: list[Charger]) -> int:
    """Wait until nobody is asked any more; how often they were in all."""
    before, asked = -1, 0
    while asked != before:
        before = asked
        await asyncio.sleep(QUIET_SECONDS)
        asked = sum(charger.orders for charger in chargers)
    return asked


async def scale(plan: Plan) -> Section:
    """The same frames a second from many chargers and from few, at the same time on two proxies."""
    per_second = plan.many / PER_CHARGER_SECONDS
    figure = Figure(f"processor time per frame, {per_second:g} frames/s", "µs", f"{plan.chargers} chargers", 1.3)
    heading = f"{plan.many} chargers, a frame each {PER_CHARGER_SECONDS:g} s, against {plan.chargers}"
    async with AsyncExitStack() as stack:
        programs = [stack.enter_context(plan.proxy()) for _ in range(2)]
        numbers = (plan.many, plan.chargers)
        fleets = await asyncio.gather(
            *(
                stack.enter_async_context(fleet(program.chargers, plan.script, number, ARRIVAL_SECONDS))
                for program, number in zip(programs, numbers, strict=True)
            )
        )
        idle = await _spent(programs, ROUND_SECONDS)
        seconds = WARM_SECONDS + plan.rounds * ROUND_SECONDS
        streams = [
            asyncio.create_task(one.meter(int(per_second * seconds), pause=number / per_second))
            for one, number in zip(fleets, numbers, strict=True)
        ]
        await asyncio.sleep(WARM_SECONDS)
        for _ in range(plan.rounds):
            sent = [one.sent for one in fleets]
            spent = await _spent(programs, ROUND_SECONDS)
            figure.add(*(s / (one.sent - n) * 1e6 for s, one, n in zip(spent, fleets, sent, strict=True)))
        await asyncio.gather(*streams)
    busy = " and ".join(f"{s / ROUND_SECONDS:.1%}" for s in idle)
    return Section(heading, [figure], [f"idle, they take {busy} of a core (pings); it is within the figures above"])


async def _spent(programs: list[Program], seconds: float) -> list[float]:
    before = [program.processor_seconds() for program in programs]
    await asyncio.sleep(seconds)
    return [program.processor_seconds() - b for program, b in zip(programs, before, strict=True)]
