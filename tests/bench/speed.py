"""Round trips and processor time, beside the bare relay and the `ocpp` package's CSMS."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.bench import processes
from tests.bench.chargers import Fleet, fleet
from tests.bench.figures import Figure, Section, at
from tests.bench.frames import fill
from tests.bench.plan import Plan
from tests.bench.processes import Program

PER_SECOND = 200
LIBRARY_SHARE = 5
"""The `ocpp` package's CSMS gets a frame in five: it takes that much longer, and is as exactly measured."""


@dataclass(frozen=True)
class Side:
    """A program and the chargers that stay connected to it over all rounds."""

    program: Program
    fleet: Fleet


@dataclass(frozen=True)
class Round:
    """Of one round: seconds in all, round trips, processor seconds while frames came and until all was done."""

    seconds: float
    times: list[float]
    busy: float
    done: float

    @property
    def microseconds(self) -> float:
        """Processor time per frame, everything that follows from it included."""
        return self.done / len(self.times) * 1e6


async def _side(stack: AsyncExitStack, plan: Plan, program: Program, chargers: int) -> Side:
    """A program warmed up: its chargers' first readings teach it what there is."""
    side = Side(program, await stack.enter_async_context(fleet(program.chargers, plan.script, chargers)))
    await one_round(side, max(chargers, plan.frames // 10))
    return side


async def one_round(side: Side, frames: int, pause: float = 0.0) -> Round:
    """Have the chargers of a side send readings, and everything that follows from them done."""
    program = side.program
    await program.settle()
    before = program.processor_seconds()
    seconds = await side.fleet.meter(frames, pause=pause)
    busy = program.processor_seconds() - before
    await program.settle()
    return Round(seconds, side.fleet.times, busy, program.processor_seconds() - before)


async def round_trips(plan: Plan) -> Section:
    """How long a charger waits for its answer: alone, at a pace, and among others that never pause."""
    kinds = (
        ("round trip p50, one charger", 1, max(1, plan.frames // 5), 0.0),
        (f"round trip p50, {PER_SECOND} frames/s", plan.chargers, 2 * PER_SECOND, plan.chargers / PER_SECOND),
        (f"round trip p50, {plan.chargers} chargers, saturated", plan.chargers, plan.frames, 0.0),
    )
    figures = []
    for name, chargers, frames, pause in kinds:
        middle, late = Figure(name, "ms", "relay", 0.8), Figure(name.replace("p50", "p99"), "ms", "relay")
        async with AsyncExitStack() as stack:
            relay, proxy = stack.enter_context(processes.relay()), stack.enter_context(plan.proxy())
            base, ours = await _side(stack, plan, relay, chargers), await _side(stack, plan, proxy, chargers)
            for _ in range(plan.rounds):
                its = (await one_round(base, frames, pause)).times
                mine = (await one_round(ours, frames, pause)).times
                middle.add(at(0.5, mine) * 1e3, at(0.5, its) * 1e3)
                late.add(at(0.99, mine) * 1e3, at(0.99, its) * 1e3)
        figures += [middle, late]
    return Section("Round trip of a reading (one hop against the relay's two)", figures)


async def processor(plan: Plan) -> Section:
    """Processor time per reading, until it is published and written down."""
    against_relay = Figure("processor time per reading", "µs", "relay", 2.0)
    against_library = Figure("processor time per reading", "µs", "ocpp library", 0.12)
    before_answer = Figure("  of that while frames came", "µs", "relay")
    rate = Figure("  readings a second", "", "relay")
    share = []
    async with AsyncExitStack() as stack:
        programs = [stack.enter_context(start) for start in (processes.relay(), plan.proxy(), processes.library())]
        base, ours, slow = [await _side(stack, plan, program, plan.chargers) for program in programs]
        for _ in range(plan.rounds):
            its, mine = await one_round(base, plan.frames), await one_round(ours, plan.frames)
            librarys = await one_round(slow, max(plan.chargers, plan.frames // LIBRARY_SHARE))
            against_relay.add(mine.microseconds, its.microseconds)
            against_library.add(mine.microseconds, librarys.microseconds)
            before_answer.add(mine.busy / len(mine.times) * 1e6, its.busy / len(its.times) * 1e6)
            rate.add(len(mine.times) / mine.seconds, len(its.times) / its.seconds)
            share.append(mine.busy / mine.seconds)
    size = len(fill(plan.script.meter, number=1, wh=1_000_000, tx=1))
    remark = f"a reading: 12 samples, about {size / 1000:.1f} kB; the proxy took {max(share):.0%} of a core at most"
    heading = f"{plan.chargers} chargers, saturated, {plan.frames} readings a round"
    return Section(heading, [against_relay, against_library, before_answer, rate], [remark])
