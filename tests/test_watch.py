"""Whoever may not keep what it holds loses it in time, however much is heard of other chargers meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import cycle

import pytest

from ocpp_mqtt_proxy.arbitration import watch
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch, review
from ocpp_mqtt_proxy.core.commands import SetLimit
from ocpp_mqtt_proxy.core.control import Limit, Plan
from ocpp_mqtt_proxy.core.model import Amps, Place, Status
from ocpp_mqtt_proxy.core.profile import Kind, Profile, Schedule, Step
from ocpp_mqtt_proxy.core.reports import StatusReported
from ocpp_mqtt_proxy.core.sharing import ControlClass, Rules
from tests.adapters.mqtt_rig import until
from tests.fakes import FakeClock, FakeLink, a_charger, a_hub, an_arbitration, providers


async def test_an_idle_holder_loses_its_class_while_another_charger_talks_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.05)
    hub = a_hub()
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    held, talker = (a_charger(hub, FakeLink(), charger_id) for charger_id in ("CP1", "CP2"))
    watching = Watch(an_arbitration(hub, Rules(providers=providers("x"))), hub.bus.mailbox("arbiter", only=WATCHED))
    held.control.grant("x", ControlClass.TRANSACTIONS, clock.now() - timedelta(hours=1))
    work = asyncio.create_task(watching.run())
    try:
        async with asyncio.timeout(10):
            for status in cycle((Status.AVAILABLE, Status.FAULTED)):
                hub.hear(talker.id, StatusReported(Place(1), status, clock.now()))
                await asyncio.sleep(0.001)
                if held.control.holder(ControlClass.TRANSACTIONS) is None:
                    break
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_a_profile_goes_on_to_its_next_step_when_that_is_due_and_not_seconds_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 3600.0)
    hub, link = a_hub(), FakeLink()
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    station = a_charger(hub, link)
    arbitration = an_arbitration(hub, Rules(providers=providers("x")))
    now = clock.now()
    steps = (Step(timedelta(0), 16), Step(timedelta(milliseconds=50), 8))
    station.control.plans["x"] = Plan(Profile(Kind.ABSOLUTE, Schedule(steps, start=now)))
    await review(arbitration, station)
    work = asyncio.create_task(Watch(arbitration, hub.bus.mailbox("arbiter", only=WATCHED)).run())
    await asyncio.sleep(0)  # it looks at when to look again
    clock.pass_(milliseconds=60)
    try:
        await until(lambda: station.bound == Amps(8))
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert [order.limit for order in link.asked if isinstance(order, SetLimit)] == [Amps(16), Amps(8)]


async def test_a_limit_left_behind_over_a_restart_runs_out_unless_its_provider_comes_again() -> None:
    hub = a_hub()
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    station = a_charger(hub, FakeLink())
    station.control.limits.update({"x": Limit(Amps(10)), "y": Limit(Amps(12))})
    arbitration = an_arbitration(hub, Rules(providers=providers("x", "y")))
    arbitration.arrived("y")
    clock.pass_(seconds=61)
    await review(arbitration, station)
    assert station.control.limits.keys() == {"y"}
