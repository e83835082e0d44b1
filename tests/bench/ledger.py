"""Whether the books get slower the more is in them: pages, totals and the CSV of many sessions beside those of few."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import yaml

from ocpp_mqtt_proxy.adapters.store import Filter, Store, Wanted
from ocpp_mqtt_proxy.core.model import OWNER, StopReason, WattHours
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session, State
from tests.bench.books import BATCH, BEGAN
from tests.bench.figures import Figure, Section
from tests.bench.plan import Plan

FEW = 10_000
RATIO = 1.5
REPEATS = 20
PROVIDERS = (OWNER, "fleet", "night", "public")
CHARGERS, CARDS = 4, 12
HOUR = timedelta(hours=1)


async def ledger(plan: Plan) -> Section:
    """Everything twice: with few sessions, and with many."""
    few, many = plan.folder / "few.db", plan.folder / "many.db"
    await fill(few, FEW)
    began = time.perf_counter()
    await fill(many, plan.sessions)
    seconds = time.perf_counter() - began
    figures = [Figure(f"{name}, {plan.sessions:,} sessions", "ms", f"{FEW:,}", RATIO) for name in ASKED]
    for _ in range(plan.rounds):
        slow, quick = await _times(many), await _times(few)
        for figure, ours, base in zip(figures, slow, quick, strict=True):
            figure.add(ours, base)
    figures += [_csv(plan, few, many), *await _months(plan, many)]
    size = many.stat().st_size / 1e6
    remark = f"{size:.0f} MB on disk, written at {plan.sessions / seconds:,.0f} sessions a second, totals with them"
    return Section(f"The books of {plan.sessions:,} sessions", figures, [remark])


async def fill(file: Path, sessions: int) -> None:
    """Write a past: every tenth session changed hands."""
    store = Store(file)
    await store.open()
    await store.totals.reckon()
    for first in range(0, sessions, BATCH):
        await store.record([_session(number) for number in range(first, min(first + BATCH, sessions))])
    await store.close()


def _session(number: int) -> Session:
    began = BEGAN + timedelta(minutes=7 * number)
    provider = PROVIDERS[number % len(PROVIDERS)]
    other = PROVIDERS[(number + 1) % len(PROVIDERS)]
    money = {"energy": 3500.0, "cost": Decimal("1.05"), "charged": Decimal("1.75")}
    whole = Part(provider, began, began + HOUR, 7000.0, Decimal("2.10"), Decimal(0 if provider == OWNER else 3))
    halves = [Part(provider, began, began + HOUR / 2, **money), Part(other, began + HOUR / 2, began + HOUR, **money)]  # type: ignore[arg-type]
    return Session(
        session_id=f"bench-{number:07d}",
        charger=f"B{number % CHARGERS}",
        connector=1,
        transaction_id=str(number + 1),
        started_at=began,
        id_tag=f"CARD{number % CARDS}",
        meter_start=WattHours(number * 10.0),
        state=State.ENDED,
        ended_at=began + HOUR,
        meter_stop=WattHours(number * 10.0 + 7000),
        reason=StopReason.LOCAL,
        energy=7000.0,
        parts=halves if number % 10 == 0 else [whole],
    )


async def _deep(store: Store) -> None:
    """A page in the middle of all."""
    middle = BEGAN + timedelta(minutes=7 * FEW // 2)
    await store.sessions(Filter(provider="fleet", until=middle))


ASKED: dict[str, Callable[[Store], Awaitable[object]]] = {
    "a page of /sessions": lambda store: store.sessions(Filter()),
    "… of a charger": lambda store: store.sessions(Filter(charger="B1")),
    "… of a provider": lambda store: store.sessions(Filter(provider="night")),
    "… of both": lambda store: store.sessions(Filter(provider="night", charger="B2")),
    "… of both, who never met": lambda store: store.sessions(Filter(provider="nobody", charger="B2")),
    "… of a day": lambda store: store.sessions(Filter(since=BEGAN + 240 * HOUR, until=BEGAN + 264 * HOUR)),
    "… of a provider, further back": _deep,
    "totals of a month by provider": lambda store: store.totals.sums(Wanted("provider", "2024-02", "2024-02")),
    "totals of a month by card": lambda store: store.totals.sums(Wanted("tag", "2024-02", "2024-02")),
}
"""What is asked for."""


async def _times(file: Path) -> list[float]:
    """Milliseconds that each question takes, of a store that has been asked before."""
    store = Store(file)
    await store.open()
    taken = []
    for ask in ASKED.values():
        await ask(store)
        began = time.perf_counter()
        for _ in range(REPEATS):
            await ask(store)
        taken.append((time.perf_counter() - began) * 1000 / REPEATS)
    await store.close()
    return taken


def _csv(plan: Plan, few: Path, many: Path) -> Figure:
    """Memory that all sessions as CSV take, on the command line."""
    figure = Figure(f"memory of a CSV of {plan.sessions:,}", "MiB", f"{FEW:,}", 1.1)
    figure.add(_exported(plan, many), _exported(plan, few))
    return figure


def _exported(plan: Plan, file: Path) -> float:
    config = plan.folder / f"{file.stem}.yaml"
    config.write_text(yaml.safe_dump({"database": {"path": str(file)}, "timezone": "UTC"}))
    command = [sys.executable, "-m", "ocpp_mqtt_proxy", "export", "--config", str(config)]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    assert program.returncode == 0
    return usage.ru_maxrss / 1024


async def _months(plan: Plan, many: Path) -> list[Figure]:
    """All months at once, and a charger's end while that is asked for: for information."""
    everything, ending = Figure("totals of all months", "ms"), Figure("an end on disk meanwhile", "ms")
    store = Store(many)
    await store.open()
    for _ in range(plan.rounds):
        began = time.perf_counter()
        await store.totals.sums(Wanted("month"))
        everything.add((time.perf_counter() - began) * 1000)
        asking = asyncio.create_task(store.totals.sums(Wanted("tag")))
        began = time.perf_counter()
        await store.record([_session(plan.sessions - 1)])
        ending.add((time.perf_counter() - began) * 1000)
        await asking
    await store.close()
    return [everything, ending]
