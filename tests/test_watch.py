"""Whoever may not keep what it holds loses it in time, however much is heard of other chargers meanwhile."""

from __future__ import annotations

import asyncio
from datetime import time, timedelta
from itertools import cycle, groupby

import pytest

from ocpp_mqtt_proxy.arbitration import watch, wishes
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch, review
from ocpp_mqtt_proxy.core.control import Limit, Plan
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Schedule
from ocpp_mqtt_proxy.core.model import Amps, IdToken, Place, Status
from ocpp_mqtt_proxy.core.reports import Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import ControlClass, PresenceRule, Rules, Terms
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.requests import Start
from tests.adapters.mqtt_rig import until
from tests.fakes import FakeClock, FakeLink, a_charger, a_hub, an_arbitration, providers


def limits(link: FakeLink) -> list[float]:
    """What a charger was asked to keep to one after another, what it falls back to aside."""
    put = (order.limit for order in link.asked if isinstance(order, SetLimit) and not order.base)
    return [amps for amps, _ in groupby(put)]


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
    periods = (Period(0, 16), Period(0.05, 8))
    station.control.plans["x"] = Plan((ChargingProfile(Schedule(periods, start=now)),))
    await review(arbitration, station)
    work = asyncio.create_task(Watch(arbitration, hub.bus.mailbox("arbiter", only=WATCHED)).run())
    await asyncio.sleep(0)  # it looks at when to look again
    clock.pass_(milliseconds=60)
    try:
        await until(lambda: station.bound == Amps(8))
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert limits(link) == [16, 8]


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


async def test_a_provider_s_sessions_draw_no_more_than_the_configuration_allows_it() -> None:
    hub, link = a_hub(), FakeLink()
    station = a_charger(hub, link)
    terms = {"x": Terms("x", presence=PresenceRule.ANY, max_current=Amps(10))}
    arbitration = an_arbitration(hub, Rules(providers=terms))
    await wishes.start(arbitration, "x", station.id, Start(connector=1, id_tag="A"))
    begun = hub.hear(station.id, TransactionReported(Phase.STARTED, None, hub.clock.now(), Place(1, 1), IdToken("A")))
    assert isinstance(begun, Delayed)
    await begun.answer
    await review(arbitration, station)
    assert limits(link) == [10]
    assert (station.bound, station.connectors[1].limited_by) == (Amps(10), "x")
    (session,) = station.sessions()
    ended = hub.hear(station.id, TransactionReported(Phase.ENDED, session.transaction_id, hub.clock.now()))
    assert isinstance(ended, Delayed)
    await ended.answer
    await review(arbitration, station)
    assert station.bound == station.limit


async def test_what_the_configuration_allows_a_provider_s_session_holds_outside_its_hours_too() -> None:
    hub, link = a_hub(), FakeLink()
    station = a_charger(hub, link)
    night = Window(time(23), time(7))
    terms = {"x": Terms("x", presence=PresenceRule.ANY, schedule=(night,), max_current=Amps(10))}
    session = station.connectors[1].session = Session("test-1", "CP1", 1, "7", hub.clock.now(), "A")
    session.claim("x", hub.clock.now(), station.plan.prices)
    await review(an_arbitration(hub, Rules(providers=terms)), station)
    assert (limits(link), station.connectors[1].limited_by) == ([10], "x")


async def test_a_schedule_that_would_begin_with_charging_is_not_written_over_and_over_while_nothing_charges() -> None:
    """Its steps lie ever as far ahead: they are put once a transaction has begun."""
    hub, link = a_hub(), FakeLink()
    clock = hub.clock
    assert isinstance(clock, FakeClock)
    station = a_charger(hub, link)
    station.behind = timedelta(0)
    arbitration = an_arbitration(hub, Rules(providers=providers("x")))
    steps = Schedule((Period(0, 10), Period(300, 32)))
    relative = ChargingProfile(steps, kind=Kind.RELATIVE, installed=clock.now())
    assert (await wishes.set_profile(arbitration, "x", "CP1", relative)).ok
    link.asked.clear()
    for _ in range(720):
        clock.pass_(seconds=5)
        await review(arbitration, station)
    assert link.asked == []
    session = station.connectors[1].session = Session("test-1", "CP1", 1, "7", clock.now(), id_tag="A")
    station.book.add(session)
    await review(arbitration, station)
    order = link.asked[-1]
    assert isinstance(order, SetLimit)
    assert (order.limit, order.later) == (Amps(10), ((300.0, Amps(32)),))
