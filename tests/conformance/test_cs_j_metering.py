"""Meter values: a service's CSMS hears of them idle and in a transaction, with their contexts."""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Desk
from tests.conformance.charger import BEGIN, END, Charger, Payload, token, wh

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

CLOCK = "Sample.Clock"


def shown(told: Payload) -> list[tuple[str, float]]:
    """The contexts and values of a message's readings."""
    return [(one["context"], one["value"]) for value in told["meterValue"] for one in value["sampledValue"]]


async def begin(box: Charger) -> None:
    info = {"chargingState": "Charging"}
    await box.event("Started", "Authorized", idToken=token(), info=info, meterValue=wh(1000, BEGIN))


async def read(box: Charger, trigger: str, register: float, context: str) -> None:
    await box.event("Updated", trigger, info={"chargingState": "Charging"}, meterValue=wh(register, context))


@case("TC_J_01_CS")
async def test_readings_by_the_clock_are_told_while_nothing_charges(box: Charger, desk: Desk) -> None:
    for at, register in (("2026-03-14T12:00:00Z", 1000), ("2026-03-14T12:15:00Z", 1001)):
        await box.say("MeterValues", evseId=1, meterValue=wh(register, CLOCK, at))
    await desk.until("MeterValues", number=2)
    told = desk.told("MeterValues")
    assert [one["evseId"] for one in told] == [1, 1]
    assert [shown(one) for one in told] == [[(CLOCK, 1000)], [(CLOCK, 1001)]]
    assert [one["meterValue"][0]["timestamp"] for one in told] == ["2026-03-14T12:00:00Z", "2026-03-14T12:15:00Z"]


@case("TC_J_02_CS")
async def test_readings_by_the_clock_are_told_with_the_transaction(box: Charger, desk: Desk) -> None:
    await begin(box)
    await read(box, "MeterValueClock", 1500, CLOCK)
    told = await desk.event("Updated", "MeterValueClock")
    assert shown(told) == [(CLOCK, 1500)]
    assert desk.told("MeterValues") == []


@case("TC_J_07_CS")
async def test_a_transaction_starts_with_a_reading(box: Charger, desk: Desk) -> None:
    await begin(box)
    told = await desk.event("Started")
    assert (BEGIN, 1000) in shown(told)
    assert (told["evse"], told["seqNo"]) == ({"id": 1, "connectorId": 1}, 0)


@case("TC_J_09_CS")
async def test_readings_of_a_transaction_are_told_as_they_come(box: Charger, desk: Desk) -> None:
    await begin(box)
    for register in (1500, 2000):
        await read(box, "MeterValuePeriodic", register, "Sample.Periodic")
    await desk.event("Updated", "MeterValuePeriodic", number=2)
    told = [one for one in desk.told("TransactionEvent") if one["triggerReason"] == "MeterValuePeriodic"]
    assert [shown(one) for one in told] == [[("Sample.Periodic", 1500)], [("Sample.Periodic", 2000)]]
    assert [one["seqNo"] for one in told] == [1, 2]


@case("TC_J_10_CS")
async def test_a_transaction_ends_with_a_reading(box: Charger, desk: Desk) -> None:
    await begin(box)
    await box.unplug(register=3000)
    told = await desk.event("Ended")
    assert shown(told)[-1] == (END, 3000)
