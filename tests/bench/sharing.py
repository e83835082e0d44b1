"""A hundred backends that hear everything, one of which reads nothing: what that costs a charger."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from tests.bench.chargers import Fleet, fleet
from tests.bench.figures import Figure, Section, at
from tests.bench.plan import Plan

BACKENDS = 100
QUIET, QUIET_SECONDS = 4, 0.3
"""As often must it be the same after so long until no more events come."""

PACES = (("20 frames/s", 2, 20.0, 10), ("200 frames/s", 20, 200.0, 5))
"""Name, chargers, frames a second, and seconds of a round."""


class Crowd:
    """The backends, in a program of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> list[int]:
        """How many events each has heard, once no more come."""
        same, now = 0, [-1]
        while same < QUIET:
            await asyncio.sleep(QUIET_SECONDS)
            before, now = now, json.loads(await self._ask())
            same = same + 1 if now == before else 0
        return now

    async def _ask(self) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return await self._process.stdout.readline()


@contextlib.asynccontextmanager
async def crowd(port: int, count: int) -> AsyncIterator[Crowd]:
    """Backends that have subscribed."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.bench.readers", str(port), str(count))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield Crowd(process)
    finally:
        process.terminate()
        await process.wait()


async def backends(plan: Plan) -> Section:
    """The same frames on two proxies, one with a hundred backends and one with none, round about."""
    figures: list[Figure] = []
    lost = Figure("events that backends which read have lost", "", "", 0)
    async with AsyncExitStack() as stack:
        alone, crowded = [stack.enter_context(plan.proxy()) for _ in range(2)]
        before = crowded.memory_kib()
        there = await stack.enter_async_context(crowd(crowded.port, BACKENDS))
        for name, chargers, per_second, seconds in PACES:
            middle = Figure(f"round trip p50, {name}", "ms", "no backend", 1.5)
            late = Figure(f"round trip p99, {name}", "ms", "no backend", 1.5)
            frames, pause = int(per_second * seconds), chargers / per_second
            async with (
                fleet(alone.chargers, plan.script, chargers) as few,
                fleet(crowded.chargers, plan.script, chargers) as many,
            ):
                await asyncio.gather(few.meter(frames, pause=pause), many.meter(frames, pause=pause))
                for _ in range(plan.rounds):
                    base = await _times(few, frames, pause)
                    heard = await there.heard()
                    ours = await _times(many, frames, pause)
                    more = [now - then for now, then in zip(await there.heard(), heard, strict=True)]
                    lost.add(sum(frames - one for one in more))
                    middle.add(at(0.5, ours) * 1e3, at(0.5, base) * 1e3)
                    late.add(at(0.99, ours) * 1e3, at(0.99, base) * 1e3)
            figures += [middle, late]
        grown = (crowded.memory_kib() - before) / 1024
    remark = f"the proxy grew by {grown:.1f} MiB from before the first backend and charger"
    return Section(f"{BACKENDS} backends, one of them stalled, against none", [*figures, lost], [remark])


async def _times(charging: Fleet, frames: int, pause: float) -> list[float]:
    await charging.meter(frames, pause=pause)
    return charging.times
