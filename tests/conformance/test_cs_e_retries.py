"""What a service's CSMS does not take is sent again as often as it wants, and then no more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from tests.conformance.cases import case
from tests.conformance.central import Central, Desk, Served, service
from tests.conformance.charger import Charger, Payload, Unable, wh
from tests.running import running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", ["2.0.1"], indirect=True, scope="module"),
]

PATIENCE = 1.0
"""Seconds after which the CSMS counts as silent."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The service with a CSMS that is not waited for long."""
    async with Central.of(request.param) as central:
        given: dict[str, Any] = {"ocpp_services": [service(central, authority=["transactions"])]}
        async with running(tmp_path_factory.mktemp("served"), None, **given) as one:
            dialer = one.app.services.dialer
            dialer.timing = replace(dialer.timing, call=PATIENCE)
            yield Served(central, one.chargers)


@pytest_asyncio.fixture(loop_scope="module")
async def desk(served: Served, box: Charger) -> Desk:
    """A CSMS that wants everything twice at most, and the second time at once."""
    desk = served.central.desk(box.id)
    for variable, value in (("MessageAttempts", "2"), ("MessageAttemptInterval", "0")):
        named = {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": variable, "instance": "TransactionEvent"},
        }
        answer = await desk.ask("SetVariables", setVariableData=[{**named, "attributeValue": value}])
        assert [one["attributeStatus"] for one in answer["setVariableResult"]] == ["Accepted"]
    return desk


def refusing(register: float, no: Unable | None, times: int = 1000) -> Callable[[Payload], Payload | Unable | None]:
    """Takes everything but a reading, that so many times."""
    left = times

    def answer(told: Payload) -> Payload | Unable | None:
        nonlocal left
        if reading(told) != register or not left:
            return {"idTokenInfo": {"status": "Accepted"}} if "idToken" in told else {}
        left -= 1
        return no

    return answer


def reading(told: Payload) -> float | None:
    values = told.get("meterValue")
    return float(values[-1]["sampledValue"][-1]["value"]) if values else None


async def read(box: Charger, register: float) -> None:
    await box.event("Updated", "MeterValuePeriodic", info={"chargingState": "Charging"}, meterValue=wh(register))


def periodic(desk: Desk) -> list[tuple[float | None, int]]:
    """Readings as they were told, with their numbers."""
    events = [told for told in desk.told("TransactionEvent") if told["triggerReason"] == "MeterValuePeriodic"]
    return [(reading(told), told["seqNo"]) for told in events]


WAYS = pytest.mark.parametrize("no", [None, Unable("InternalError")], ids=["silent", "callerror"])


@WAYS
@case("TC_E_41_CS", "TC_E_50_CS")
async def test_what_is_never_taken_is_sent_as_often_as_wanted_and_then_no_more(
    box: Charger, desk: Desk, no: Unable | None
) -> None:
    await box.charge()
    desk.answers["TransactionEvent"] = refusing(1500, no)
    await read(box, 1500)
    await read(box, 2000)
    await desk.event("Updated", "MeterValuePeriodic", number=3)
    (first, number), again, after = periodic(desk)
    assert (first, again) == (1500, (1500, number))
    assert after[0] == 2000


@WAYS
@case("TC_E_42_CS", "TC_E_51_CS")
async def test_what_is_taken_the_second_time_is_sent_no_third_time(box: Charger, desk: Desk, no: Unable | None) -> None:
    await box.charge()
    desk.answers["TransactionEvent"] = refusing(1500, no, times=1)
    await read(box, 1500)
    await read(box, 2000)
    await desk.event("Updated", "MeterValuePeriodic", number=3)
    (_, number), *later = periodic(desk)
    assert later == [(1500, number), (2000, number + 1)]
