"""Transactions told by us, as a 1.6 charge point: by the CSMS's own numbers, in order, for certain."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.services import redial
from ocpp_mqtt_proxy.services.ports import NoAnswer
from tests.conformance.cases import case
from tests.conformance.central import Answering, Central, Desk, Served, provider, service
from tests.conformance.charger import Charger, Payload, Unable
from tests.running import running
from tests.services.test_courier import a_bench, refusing

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", ["1.6"], indirect=True, scope="module"),
]

STEPS = ("StartTransaction", "MeterValues", "StopTransaction")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is gone is dialled again at once; else a second or more later."""
    monkeypatch.setattr(redial, "FIRST", 0.01)


def of_sessions(desk: Desk) -> list[str]:
    """What it heard of transactions, in order."""
    return [action for action, _ in desk.calls if action in STEPS]


def billed(desk: Desk, number: int) -> int:
    """What it would bill for a transaction, in Wh."""
    begun = desk.told("StartTransaction")[number - desk.central.first - 1]["meterStart"]
    (ended,) = [one["meterStop"] for one in desk.told("StopTransaction") if one["transactionId"] == number]
    return int(ended) - int(begun)


async def attempts(desk: Desk, number: int) -> None:
    """How often we try, one try after the other at once."""
    for key, value in (("TransactionMessageAttempts", number), ("TransactionMessageRetryInterval", 0)):
        assert await desk.ask("ChangeConfiguration", key=key, value=str(value)) == {"status": "Accepted"}


def failing(times: int, then: Payload) -> Answering:
    """An error so many times, and then an answer."""
    left = [Unable("InternalError")] * times

    def answer(_: Payload) -> Payload | Unable:
        return left.pop() if left else then

    return answer


def started(number: int) -> Payload:
    return {"transactionId": number, "idTagInfo": {"status": "Accepted"}}


# By its own numbers


@case("16_CP_IDS")
async def test_all_of_a_transaction_is_told_by_the_csms_s_number(box: Charger, desk: Desk) -> None:
    ours = await box.start(register=1000)
    await box.read(1500)
    await box.stop(register=3000)
    stop = await desk.until("StopTransaction")
    number = desk.central.first + 1
    assert ours != str(number)
    assert (stop["transactionId"], desk.told("MeterValues")[0]["transactionId"]) == (number, number)
    assert of_sessions(desk) == list(STEPS)
    assert billed(desk, number) == 2000


@case("16_CP_IDS")
async def test_readings_wait_until_the_number_is_known(box: Charger, desk: Desk) -> None:
    desk.answers["StartTransaction"] = None
    await box.start()
    await box.read(1500)
    await box.stop()
    await desk.until("StartTransaction")
    assert of_sessions(desk) == ["StartTransaction"]
    await desk.answer()
    await desk.until("StopTransaction")
    assert {told["transactionId"] for told in desk.told("MeterValues")} == {desk.central.first + 1}
    assert of_sessions(desk) == list(STEPS)


@case("16_CP_IDS")
async def test_where_the_start_failed_for_good_the_number_is_none(box: Charger, desk: Desk) -> None:
    await attempts(desk, 1)
    desk.answers["StartTransaction"] = Unable("InternalError")
    await box.start()
    await box.stop()
    assert (await desk.until("StopTransaction"))["transactionId"] == -1
    assert len(desk.told("StartTransaction")) == 1


# As often as it takes


@case("16_CP_RETRY")
async def test_what_is_answered_with_an_error_is_told_again_as_it_was_and_in_order(box: Charger, desk: Desk) -> None:
    await attempts(desk, 3)
    desk.answers["StartTransaction"] = failing(2, started(77))
    desk.answers["StopTransaction"] = failing(2, {})
    await box.start()
    await box.read(1500)
    await box.stop()
    await desk.until("StopTransaction", number=3)
    assert of_sessions(desk) == ["StartTransaction"] * 3 + ["MeterValues"] + ["StopTransaction"] * 3
    first, *again = desk.told("StartTransaction")
    assert again == [first, first]
    assert {told["transactionId"] for told in desk.told("StopTransaction")} == {77}


@pytest.mark.parametrize("failure", [NoAnswer("in time"), refusing(ErrorCode.INTERNAL_ERROR)], ids=str)
@case("16_CP_RETRY")
async def test_each_wait_is_longer_than_the_one_before(served: Served, failure: Exception) -> None:
    """By our own courier, since nobody waits for minutes."""
    bench = a_bench(Version.V16, failure, failure)
    bench.out.virtual.settings |= {"TransactionMessageAttempts": "3", "TransactionMessageRetryInterval": "40"}
    bench.put_session()
    await bench.courier.drain()
    assert bench.pauses == [40.0, 80.0]
    assert [action for action, _ in bench.sent] == ["StartTransaction"] * 3 + ["StopTransaction"]


@case("16_CP_RETRY")
async def test_after_the_last_attempt_what_follows_is_told(box: Charger, desk: Desk) -> None:
    await attempts(desk, 2)
    desk.answers["StopTransaction"] = failing(2, {})
    await box.start()
    await box.stop()
    await box.start(register=3000)
    await desk.until("StartTransaction", number=2)
    assert of_sessions(desk) == ["StartTransaction", "StopTransaction", "StopTransaction", "StartTransaction"]


@case("16_CP_RETRY", "16_CP_DOWN")
async def test_a_link_that_is_lost_costs_no_attempt(box: Charger, desk: Desk) -> None:
    await attempts(desk, 1)
    desk.answers["StartTransaction"] = None
    await box.start()
    before = await desk.until("StartTransaction")
    for number in (2, 3):
        assert desk.socket is not None
        await desk.socket.close()
        assert await desk.until("StartTransaction", number=number) == before
    desk.kept_waiting = desk.kept_waiting[-1:]
    await desk.answer()
    await box.stop()
    assert (await desk.until("StopTransaction"))["transactionId"] == desk.central.first + 1


# While it is down


@pytest.mark.parametrize("gone", ["start", "stop", "both"])
@case("16_CP_DOWN")
async def test_what_it_missed_it_is_told_in_order_once_it_is_back(
    served: Served, box: Charger, desk: Desk, gone: str
) -> None:
    if gone != "stop":
        await served.central.close()
    await box.start(register=1000)
    if gone == "start":
        await served.central.open()
        await desk.until("StartTransaction")
    if gone == "stop":
        await desk.until("StartTransaction")
        await served.central.close()
    await box.read(1500)
    await box.stop(register=3000)
    if gone != "start":
        await served.central.open()
    await desk.until("StopTransaction")
    assert of_sessions(desk) == list(STEPS)
    assert billed(desk, desk.central.first + 1) == 2000
    await desk.status("Available")


@case("16_CP_DOWN")
async def test_what_it_missed_outlives_a_restart_of_ours(served: Served, tmp_path: Path) -> None:
    async with Central.of("1.6") as central:
        given: Payload = {"ocpp_services": [service(central, authority=["transactions"])], "providers": [provider()]}
        desk = central.desk("CP1")
        async with running(tmp_path, None, **given) as one, Charger.at(one.chargers, "1.6", "CP1") as before:
            await before.boot()
            await before.tell_status("Available")
            await desk.status("Available")
            transaction = await before.start(register=1000)
            await desk.until("StartTransaction")
            await central.close()
            await before.read(1500)
        async with running(tmp_path, None, **given) as one, Charger.at(one.chargers, "1.6", "CP1") as after:
            after.transaction = transaction
            await after.stop(register=3000)
            await central.open()
            await desk.until("StopTransaction")
        assert of_sessions(desk) == list(STEPS)
        assert billed(desk, central.first + 1) == 2000
