"""From a new process to the first charger that is accepted."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager

from tests.bench import books
from tests.bench.chargers import Charger
from tests.bench.figures import Figure, Section
from tests.bench.plan import Plan
from tests.bench.processes import Program, starting_proxy
from tests.bench.wire import dial

GOAL_SECONDS = 1.5
SESSIONS = 100_000
RETRY_SECONDS = 0.005


async def start(plan: Plan) -> Section:
    """With nothing in the store, and with a past in it."""
    empty = Figure("process start to first accepted charger, empty store", "s", "", GOAL_SECONDS)
    past = f"{plan.many} chargers, {SESSIONS} sessions"
    full = Figure(f"… with a store of {past}", "s", "", GOAL_SECONDS)
    store = plan.folder / "past.db"
    await books.fill(store, plan.many, SESSIONS)
    await _accepted(plan, starting_proxy(plan.folder, plan.broker))  # once: modules compiled, files read
    for _ in range(plan.rounds):
        empty.add(await _accepted(plan, starting_proxy(plan.folder, plan.broker)))
        full.add(await _accepted(plan, starting_proxy(plan.folder, plan.broker, store)))
    remark = f"modules compiled before, as installed; the store of the past takes {store.stat().st_size / 1e6:.0f} MB"
    return Section("Start, a new process each time", [empty, full], [remark])


async def _accepted(plan: Plan, starting: AbstractContextManager[Program]) -> float:
    """Seconds until a charger is."""
    began = time.perf_counter()
    with starting as program:
        while program.process.poll() is None:
            charger = Charger("B0000", plan.script)
            try:
                await dial(f"{program.chargers}/{charger.id}", plan.script.subprotocol, charger)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await charger.arrive()
            seconds = time.perf_counter() - began
            charger.close()
            return seconds
    raise RuntimeError("the proxy does not start")
