"""What arrives on MQTT: how soon, and what becomes of a flood."""

from __future__ import annotations

import asyncio
import json
import urllib.request

from tests.bench import mqtt
from tests.bench.chargers import Fleet, fleet
from tests.bench.figures import Figure, Section, at
from tests.bench.plan import Plan
from tests.bench.processes import Program
from tests.bench.speed import PER_SECOND

SECONDS = 3
ANSWER_SECONDS = 60.0


async def latency(plan: Plan) -> Section:
    """From a charger's frame to whoever listens on MQTT, beside a bare publish."""
    middle = Figure(f"frame to MQTT p50, {PER_SECOND} frames/s", "ms", "bare publish", 5.0)
    late = Figure(f"frame to MQTT p99, {PER_SECOND} frames/s", "ms", "bare publish")
    pause = plan.chargers / PER_SECOND
    with plan.proxy() as proxy:
        async with (
            fleet(proxy.chargers, plan.script, plan.chargers) as charging,
            mqtt.Listener.on(plan.broker, proxy.base) as listener,
        ):
            await charging.meter(PER_SECOND, listener.note, pause)  # to warm up, and to learn an event's size
            await proxy.settle()
            for _ in range(plan.rounds):
                base = await mqtt.bare(plan.broker, PER_SECOND, SECONDS * PER_SECOND, listener.size)
                listener.seconds.clear()
                await charging.meter(SECONDS * PER_SECOND, listener.note, pause)
                await proxy.settle()
                ours = sorted(listener.seconds)
                middle.add(at(0.5, ours) * 1e3, at(0.5, base) * 1e3)
                late.add(at(0.99, ours) * 1e3, at(0.99, base) * 1e3)
            lost = len(listener.sent)
    remark = f"an event: {listener.size} bytes, and so the bare publish; events that never came: {lost}"
    return Section("The way to MQTT", [middle, late], [remark])


async def flood(plan: Plan) -> Section:
    """What becomes of every frame of a flood: answered, and published or counted as dropped."""
    figures: list[Figure] = []
    remarks: list[str] = []
    each = plan.frames // plan.chargers
    for name, at_once in (("flood", 1), (f"babble, {each} calls open", each)):
        unanswered = Figure(f"{name}: frames unanswered", "", "", 0)
        uncounted = Figure(f"{name}: frames lost and not counted", "", "", 0)
        stale = Figure(f"{name}: chargers shown with an older reading", "", "", 0)
        with plan.proxy() as proxy:
            async with (
                fleet(proxy.chargers, plan.script, plan.chargers) as charging,
                mqtt.Listener.on(plan.broker, proxy.base) as listener,
            ):
                into = (unanswered, uncounted, stale)
                remarks += [await _flood(plan, proxy, charging, listener, at_once, into) for _ in range(plan.rounds)]
        figures += [unanswered, uncounted, stale]
    return Section(f"Floods of {plan.frames} readings", figures, remarks)


async def _flood(
    plan: Plan,
    proxy: Program,
    charging: Fleet,
    listener: mqtt.Listener,
    at_once: int,
    into: tuple[Figure, Figure, Figure],
) -> str:
    unanswered, uncounted, stale = into
    listener.sent.clear()
    listener.seconds.clear()
    before = await asyncio.to_thread(_dropped, proxy)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await charging.meter(plan.frames, listener.note, at_once=at_once)
    except (TimeoutError, ConnectionError) as error:
        print(f"  the flood broke off: {error!r}")
    await proxy.settle()
    await listener.settle()
    dropped = await asyncio.to_thread(_dropped, proxy) - before
    answered, published = len(charging.times), len(listener.seconds)
    unanswered.add(charging.sent - answered)
    uncounted.add(max(0, charging.sent - published - dropped))
    last = {charger.id: charger.register for charger in charging.chargers}
    shown = await mqtt.last_readings(plan.broker, proxy.base, len(last))
    stale.add(sum(shown[charger] != register for charger, register in last.items()))
    slowest = max(listener.seconds, default=0.0)
    return (
        f"{at_once} open at once: {charging.sent} sent, {answered} answered, {published} published, "
        f"{dropped} dropped and counted; the slowest took {slowest:.1f} s to MQTT"
    )


def _dropped(proxy: Program) -> int:
    """Events that the proxy says it dropped, wherever."""
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}/status") as answer:
        return int(json.load(answer)["mqtt"]["dropped"])
