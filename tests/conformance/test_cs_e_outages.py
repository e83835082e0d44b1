"""Transactions during outages of a service's CSMS: nothing is lost, and the CSMS can tell what it missed.

Of one version: each costs the wait before it is dialled again, and 2.1 is delivered to in the same way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.central import Desk, Served
from tests.conformance.charger import BEGIN, END, Charger, token, wh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", ["2.0.1"], indirect=True, scope="module"),
]


@asynccontextmanager
async def outage(served: Served) -> AsyncIterator[None]:
    """The CSMS is gone meanwhile."""
    await served.central.close()
    yield
    await served.central.open()


def since(desk: Desk, number: int) -> list[dict[str, Any]]:
    """The events told after so many."""
    return desk.told("TransactionEvent")[number:]


def phases(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(told["eventType"], told["triggerReason"]) for told in events]


def registers(events: list[dict[str, Any]]) -> list[float]:
    return [told["meterValue"][-1]["sampledValue"][-1]["value"] for told in events if "meterValue" in told]


def is_whole(desk: Desk) -> None:
    """One transaction, no number left out."""
    events = desk.told("TransactionEvent")
    assert len({told["transactionInfo"]["transactionId"] for told in events}) == 1
    assert [told["seqNo"] for told in events] == list(range(len(events)))


async def read(box: Charger, register: float) -> None:
    await box.event("Updated", "MeterValuePeriodic", info={"chargingState": "Charging"}, meterValue=wh(register))


@case("TC_E_40_CS")
async def test_what_happens_in_an_outage_is_told_after_it_in_order_as_offline(
    served: Served, box: Charger, desk: Desk
) -> None:
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    before = len(desk.told("TransactionEvent"))
    async with outage(served):
        await read(box, 1500)
        await read(box, 2000)
    await desk.event("Updated", "MeterValuePeriodic", number=2)
    missed = since(desk, before)
    assert registers(missed) == [1500, 2000]
    assert [told.get("offline") for told in missed] == [True, True]
    await read(box, 2500)
    now = await desk.event("Updated", "MeterValuePeriodic", number=3)
    assert not now.get("offline", False)
    is_whole(desk)


@case("TC_E_43_CS")
async def test_a_transaction_that_came_and_went_in_an_outage_is_told_whole(
    served: Served, box: Charger, desk: Desk
) -> None:
    async with outage(served):
        await box.tell_status("Occupied")
        await box.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"}, meterValue=wh(1000, BEGIN))
        await read(box, 1700)
        await box.unplug(2500)
    await desk.event("Ended")
    events = desk.told("TransactionEvent")
    assert [told["eventType"] for told in events] == ["Started", "Updated", "Ended"]
    assert all(told["offline"] for told in events)
    assert registers(events) == [1000, 1700, 2500]
    is_whole(desk)


@case("TC_E_44_CS")
async def test_a_stop_in_an_outage_is_told_after_it(served: Served, box: Charger, desk: Desk) -> None:
    await box.charge()
    await desk.event("Updated", "ChargingStateChanged")
    async with outage(served):
        info = {"chargingState": "EVConnected", "stoppedReason": "Local"}
        await box.event("Ended", "StopAuthorized", idToken=token(), info=info, meterValue=wh(3000, END))
        await box.tell_status("Available")
    told = await desk.event("Ended", "StopAuthorized")
    assert told["offline"] is True
    assert told["idToken"] == token()
    assert registers([told]) == [3000]
    is_whole(desk)
    await desk.status("Available")
