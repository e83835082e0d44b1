"""Whoever may not keep what it holds loses it in time, however much is heard of other chargers meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import cycle

import pytest

from ocpp_mqtt_proxy.arbitration import watch
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch
from ocpp_mqtt_proxy.core.model import Place, Status
from ocpp_mqtt_proxy.core.reports import StatusReported
from ocpp_mqtt_proxy.core.sharing import ControlClass, Rules
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
