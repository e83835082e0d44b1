"""What is measured. Each function takes the proxy and its yardstick in turn, round by round."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ocpp_mqtt_proxy.demo.broker import Started
from tests.bench import mqtt, processes
from tests.bench.chargers import Sent, connected, fleet
from tests.bench.figures import Figures, at
from tests.bench.frames import fill, script
from tests.bench.processes import Program

PER_SECOND = 200
"""Frames a second at which the way to MQTT is timed."""

IDLE_CHARGERS = 500
QUANTILES = (("p50, ms", 0.5), ("p99, ms", 0.99))


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    frames: int
    chargers: int
    version: str


@dataclass(frozen=True)
class Round:
    """What one round took: seconds, round trips, processor seconds under load and until all was done."""

    seconds: float
    times: list[float]
    busy: float | None
    done: float | None


async def _round(program: Program, plan: Plan, chargers: int, frames: int) -> Round:
    async with fleet(program.chargers, script(plan.version), chargers) as charging:
        await program.settle()
        before = program.processor_seconds()
        seconds = await charging.meter(frames)
        busy = program.processor_seconds()
        await program.settle()
        done = program.processor_seconds()
        return Round(seconds, charging.times, _since(before, busy), _since(before, done))


def _since(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


async def saturated(plan: Plan, relay: Program, proxy: Program) -> Figures:
    """Every charger sends as fast as it is answered."""
    figures = Figures(f"OCPP {plan.version}, {plan.chargers} chargers, saturated, {plan.frames} frames a round")
    await _compare(figures, plan, relay, proxy, plan.chargers, plan.frames)
    return figures


async def single(plan: Plan, relay: Program, proxy: Program) -> Figures:
    """One charger, which the machine has time for."""
    frames = max(1, plan.frames // 5)
    figures = Figures(f"OCPP {plan.version}, 1 charger, {frames} frames a round")
    await _compare(figures, plan, relay, proxy, 1, frames)
    return figures


async def _compare(figures: Figures, plan: Plan, relay: Program, proxy: Program, chargers: int, frames: int) -> None:
    for program in (relay, proxy):
        await _round(program, plan, chargers, max(chargers, frames // 10))  # to warm up
    for _ in range(plan.rounds):
        base = await _round(relay, plan, chargers, frames)
        ours = await _round(proxy, plan, chargers, frames)
        _add(figures, ours, base)


def _add(figures: Figures, ours: Round, base: Round) -> None:
    frames = len(ours.times) / 1e6
    for name, mine, its in (
        ("processor time per frame under load, µs", ours.busy, base.busy),
        ("processor time per frame until all is published, µs", ours.done, base.done),
    ):
        figures.add(name, None if mine is None else mine / frames, None if its is None else its / frames)
    for name, quantile in QUANTILES:
        figures.add(f"round trip {name}", at(quantile, ours.times) * 1e3, at(quantile, base.times) * 1e3)
    figures.add("frames a second", len(ours.times) / ours.seconds, len(base.times) / base.seconds)


async def flood(plan: Plan, proxy: Program, broker: Started) -> Figures:
    """What becomes of every frame of a flood on MQTT."""
    figures = Figures(f"OCPP {plan.version}, a flood of {plan.frames} frames on MQTT")
    dropped = await _dropped(proxy)
    async with (
        mqtt.Listener.on(broker, _base(proxy)) as listener,
        fleet(proxy.chargers, script(plan.version), plan.chargers) as charging,
    ):
        await charging.meter(plan.frames, listener.note)
        await proxy.settle()
        last = {charger.id: charger.register for charger in charging.chargers}
        shown = await mqtt.last_readings(broker, _base(proxy), len(last))
    dropped = await _dropped(proxy) - dropped
    arrived, lost = len(listener.seconds), len(listener.sent)
    uncounted = max(0, lost - dropped)
    figures.remark(f"readings that arrived {arrived}; events dropped and counted {dropped}; readings lost {uncounted}")
    stale = sum(shown[charger] != register for charger, register in last.items())
    figures.remark(f"chargers whose retained reading is not the last one: {stale} of {len(last)}")
    return figures


async def _dropped(proxy: Program) -> int:
    async with httpx.AsyncClient() as http:
        status = (await http.get(f"http://127.0.0.1:{proxy.port}/status")).json()
    return int(status["mqtt"]["dropped"])


def _base(proxy: Program) -> str:
    return f"ocpp{proxy.port}"


async def paced(plan: Plan, relay: Program, proxy: Program) -> Figures:
    """The charger's round trip when the machine has time."""
    figures = Figures(f"OCPP {plan.version}, {plan.chargers} chargers, {PER_SECOND} frames a second in all")
    for _ in range(plan.rounds):
        base, ours = await _pace(plan, relay), await _pace(plan, proxy)
        for name, quantile in QUANTILES:
            figures.add(f"round trip {name}", at(quantile, ours) * 1e3, at(quantile, base) * 1e3)
    return figures


async def to_mqtt(plan: Plan, proxy: Program, broker: Started) -> Figures:
    """How long a frame takes to whoever listens on MQTT."""
    figures = Figures(f"OCPP {plan.version}, {PER_SECOND} frames a second on MQTT", "publish")
    async with mqtt.Listener.on(broker, _base(proxy)) as listener:
        for _ in range(plan.rounds):
            base = await mqtt.bare(broker, PER_SECOND, PER_SECOND)
            listener.seconds.clear()
            await _pace(plan, proxy, listener.note)
            ours = sorted(listener.seconds)
            for name, quantile in QUANTILES:
                figures.add(f"frame to MQTT {name}", at(quantile, ours) * 1e3, at(quantile, base) * 1e3)
    return figures


async def _pace(plan: Plan, program: Program, sent: Sent | None = None) -> list[float]:
    async with fleet(program.chargers, script(plan.version), plan.chargers) as charging:
        await charging.meter(PER_SECOND, sent, plan.chargers / PER_SECOND)
        await program.settle()
        return charging.times


async def start_and_memory(plan: Plan, folder: Path, csms: Program, broker: Started) -> Figures:
    """From nothing to the first charger accepted, and what an idle charger holds."""
    figures = Figures(f"OCPP {plan.version}, from a cold start")
    for _ in range(min(3, plan.rounds)):
        base = await _cold(plan, processes.relay(csms))
        ours = await _cold(plan, processes.proxy(folder, broker))
        figures.add("process start to first accepted charger, s", ours[0], base[0])
        figures.add("memory with one charger, MiB", ours[1], base[1])
        figures.add(f"memory per idle charger at {IDLE_CHARGERS}, KiB", ours[2], base[2])
    return figures


async def _cold(plan: Plan, starting: AbstractContextManager[Program]) -> tuple[float, float | None, float | None]:
    began = time.perf_counter()
    with starting as program:
        await _accepted(program, plan)
        seconds = time.perf_counter() - began
        await program.settle()
        before = program.memory_kib()
        lines = script(plan.version)
        async with connected(program.chargers, lines.subprotocol, IDLE_CHARGERS) as sockets:
            for socket in sockets.values():
                await socket.send(fill(lines.boot, number=1, wh=0, tx=0), text=True)
                await socket.recv()
            await program.settle()
            grown = _since(before, program.memory_kib())
    return seconds, before and before / 1024, grown and grown / IDLE_CHARGERS


async def _accepted(program: Program, plan: Plan) -> None:
    """Return when a charger is."""
    while program.process.poll() is None:
        try:
            async with fleet(program.chargers, script(plan.version), 1):
                return
        except OSError:
            await asyncio.sleep(0.01)
    raise RuntimeError(f"{program.name} does not start")
