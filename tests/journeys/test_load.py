"""Chargers that flood, babble, stall and storm harm only themselves; all of it is answered or counted."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy.adapters.chargers.link import Timing
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.hearing import MAX_VARIABLES
from ocpp_mqtt_proxy.core.station import MAX_CONNECTORS
from tests.adapters.raw import TEXT, RawCharger, frame, knocking
from tests.brokers import Broker
from tests.running import PATIENCE, QUICK, Running, Watcher, running

OCPP16, OCPP201 = ["ocpp1.6"], ["ocpp2.0.1"]
NOON = "2026-03-14T12:00:00Z"
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
FLOOD = 2000
SOME = 800
"""Messages that a broker keeps for a reader who is slow to take them."""

CROWD = 200


def call(number: object, action: str, payload: dict[str, Any] | None = None) -> bytes:
    """A call as a frame."""
    return frame(TEXT, json.dumps([2, number, action, payload or {}]).encode())


def meter(watts: int) -> dict[str, Any]:
    """Readings of now: old ones are not shown as live."""
    now = datetime.now(UTC).isoformat()
    value = {"value": str(watts), "measurand": "Power.Active.Import", "unit": "W"}
    return {"connectorId": 1, "meterValue": [{"timestamp": now, "sampledValue": [value]}]}


async def answers(charger: RawCharger, count: int) -> list[list[Any]]:
    """So many answers, in the order they come; what the proxy asks is passed over."""
    found: list[list[Any]] = []
    while len(found) < count:
        message = await charger.message()
        if message[0] != 2:
            found.append(message)
    return found


async def is_served(charger: RawCharger) -> bool:
    return bool((await charger.call("Heartbeat"))[0] == 3)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.005)


async def shown(service: Running) -> dict[str, Any]:
    async with httpx.AsyncClient() as http:
        return dict((await http.get(f"{service.http}/status")).json())


@contextlib.asynccontextmanager
async def serving(
    folder: Path, broker: Broker | None = None, timing: Timing = QUICK, **budget: Any
) -> AsyncIterator[Running]:
    async with running(folder, broker, timing, budget=Budget(**budget)) as service:
        yield service


def at(service: Running, charger_id: str, subprotocols: list[str] = OCPP16, **given: Any) -> Any:
    """A charger at the service's door."""
    return knocking(service.app.port, f"/charger/{charger_id}", subprotocols, **given)


# Floods


async def test_every_frame_of_a_flood_is_answered_in_order_while_others_are_served(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, at(service, "FLOOD") as flooder, at(service, "CP1") as other:
        flooder.write(b"".join(call(number, "MeterValues", meter(number)) for number in range(FLOOD)))
        served = 0
        answering = asyncio.create_task(answers(flooder, FLOOD))
        while not answering.done():
            served += await is_served(other)
        assert [answer[:2] for answer in answering.result()] == [[3, number] for number in range(FLOOD)]
        assert served > 1
        assert (await shown(service))["chargers"]["FLOOD"]["traffic"]["frames"] == FLOOD


async def test_of_a_flood_what_does_not_come_to_mqtt_is_counted(tmp_path: Path, mqtt5: Broker) -> None:
    async with serving(tmp_path, mqtt5) as service, at(service, "CP1") as flooder:
        mqtt, charger = service.app.mqtt, f"{service.base}/charger/CP1"
        assert mqtt is not None
        async with Watcher.at(mqtt5, f"{charger}/event", "nothing") as watcher:
            flooder.write(b"".join(call(number, "MeterValues", meter(number)) for number in range(SOME)))
            await answers(flooder, SOME)
            await mqtt.idle()
            dropped = mqtt.counters.dropped + sum(box.dropped for box in service.app.bus.mailboxes)
            events = watcher.all[f"{charger}/event/meter"]
            await watcher.until(lambda: len(events) + dropped >= SOME)
        async with Watcher.at(mqtt5, charger, "nothing") as watcher:
            await watcher.value("connector/1/power", str(SOME - 1))


async def test_a_charger_slowed_down_is_answered_in_full_and_shown(tmp_path: Path) -> None:
    async with serving(tmp_path, burst=1000, allowance=2_000_000) as service, at(service, "CP1") as flooder:
        flooder.write(b"".join(call(number, "Heartbeat") for number in range(FLOOD)))
        assert len(await answers(flooder, FLOOD)) == FLOOD
        traffic = (await shown(service))["chargers"]["CP1"]["traffic"]
        assert traffic["excess"]["slowed"] > 0
        assert service.app.bridge.health()["over_budget"]["CP1"].slowed > 0


async def test_a_flood_of_starts_waits_for_the_disk_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, at(service, "FLOOD") as flooder, at(service, "CP1") as other:
        start = {"connectorId": 1, "idTag": "A", "timestamp": NOON}
        flooder.write(
            b"".join(call(n, "StartTransaction", start | {"meterStart": n}) for n in range(200)),
        )
        answering = asyncio.create_task(answers(flooder, 200))
        while not answering.done():
            assert await is_served(other)
        assert {answer[0] for answer in answering.result()} == {3}


# Babble


BABBLE = {
    "no JSON": frame(TEXT, b"nonsense"),
    "no array": frame(TEXT, b"{}"),
    "an empty frame": frame(TEXT, b""),
    "no text": frame(2, b"\xff\xfe"),
    "answers that nobody waits for": frame(TEXT, b'[3,"x",{}]'),
    "an action that is none": call("x", "NoSuchThing"),
    "a payload that makes no sense": call("x", "MeterValues", {"connectorId": [], "meterValue": 7}),
}


@pytest.mark.parametrize("babble", BABBLE.values(), ids=BABBLE)
async def test_a_babbling_charger_keeps_its_socket_and_holds_up_nobody(tmp_path: Path, babble: bytes) -> None:
    async with serving(tmp_path) as service, at(service, "BABBLE") as babbler, at(service, "CP1") as other:
        babbler.write(babble * 500 + call("end", "Heartbeat"))
        while (await babbler.message())[:2] != [3, "end"]:
            pass
        assert await is_served(other)
        assert service.app.gate.counted("BABBLE").frames == 501


async def test_a_message_too_long_is_refused_by_its_id_and_counted(tmp_path: Path) -> None:
    async with serving(tmp_path, message=20_000) as service, at(service, "CP1") as charger:
        charger.write(call("long", "DataTransfer", {"vendorId": "x", "data": "x" * 50_000}))
        assert (await answers(charger, 1))[0][:3] == [4, "long", "FormationViolation"]
        assert await is_served(charger)
        traffic = (await shown(service))["chargers"]["CP1"]["traffic"]
        assert (traffic["bad_frames"], traffic["excess"]["too_long"]) == (1, 1)


async def test_an_answer_too_long_fails_what_was_asked_at_once(tmp_path: Path) -> None:
    patient = replace(QUICK, call=3600)
    async with serving(tmp_path, timing=patient, message=20_000) as service, at(service, "CP1") as charger:
        await charger.call("BootNotification", BOOT)
        while (asked := await charger.message())[2] != "GetConfiguration":
            pass
        charger.write(frame(TEXT, json.dumps([3, asked[1], {"unknownKey": ["x" * 30_000]}]).encode()))
        assert (await charger.message())[0] == 2  # what comes next: it is not waited for in vain


async def test_a_device_model_that_never_ends_is_kept_as_far_as_any_goes(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, at(service, "CP1", OCPP201) as charger:
        for number in range(MAX_VARIABLES // 2000 + 2):
            data = [_variable(f"V{number}-{n}") for n in range(2000)]
            report = {"requestId": 1, "generatedAt": NOON, "seqNo": number, "tbc": True, "reportData": data}
            assert (await charger.call("NotifyReport", report))[0] == 3
        collecting = service.app.hub.station("CP1").collecting
        assert collecting is not None
        assert len(collecting.variables) == MAX_VARIABLES


def _variable(name: str) -> dict[str, Any]:
    return {"component": {"name": "C"}, "variable": {"name": name}, "variableAttribute": [{"value": "1"}]}


async def test_connectors_without_end_are_as_many_as_any_charger_has(tmp_path: Path) -> None:
    async with serving(tmp_path) as service, at(service, "CP1") as charger:
        status = {"errorCode": "NoError", "status": "Available"}
        calls = [call(n, "StatusNotification", status | {"connectorId": n}) for n in range(1, 300)]
        charger.write(b"".join(calls))
        assert {answer[0] for answer in await answers(charger, len(calls))} == {3}
        assert len(service.app.hub.station("CP1").connectors) == MAX_CONNECTORS


# Stalls and storms


async def test_a_charger_that_does_not_read_is_cut_and_others_are_served(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, write_seconds=0.2) as service,
        at(service, "STALLED") as stalled,
        at(service, "CP1") as other,
    ):
        flooding = asyncio.create_task(_flood(stalled))
        await until(lambda: service.app.gate.counted("STALLED").excess.unread)
        assert await is_served(other)
        await until(lambda: "STALLED" not in service.app.gate.present)
        assert await is_served(other)
        assert not service.app.hub.station("STALLED").connected
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def _flood(charger: RawCharger) -> None:
    """Its answers are as long as its ids, so that they soon fill what the system buffers."""
    while True:
        charger.write(call("x" * 100_000, "Heartbeat"))
        await charger.writer.drain()


async def test_a_charger_that_reboots_without_end_is_refused_for_a_while(tmp_path: Path) -> None:
    async with serving(tmp_path, visits=10, visits_per_second=0.01) as service, at(service, "CP1") as other:
        answered: Counter[int] = Counter()
        for _ in range(25):
            async with at(service, "STORM") as charger:
                answered[charger.status] += 1
                if charger.status == 101:
                    await charger.call("BootNotification", BOOT)
        assert answered == {101: 10, 429: 15}
        assert await is_served(other)
        assert service.app.bridge.health()["refused_handshakes"] == {"429": 15}


async def test_who_knocks_and_says_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    async with serving(tmp_path, knocking=50) as service, contextlib.AsyncExitStack() as stack:
        silent = [await asyncio.open_connection("127.0.0.1", service.app.port) for _ in range(200)]
        for _, writer in silent:
            stack.callback(writer.transport.abort)
        async with at(service, "CP1") as charger:
            assert await is_served(charger)
        door = service.app.bridge.door
        assert door is not None
        assert door.counters.cut >= 150


async def test_hundreds_of_chargers_come_at_once_and_are_all_served_and_shown(tmp_path: Path, mqtt5: Broker) -> None:
    async with serving(tmp_path, mqtt5) as service, contextlib.AsyncExitStack() as inside:
        watcher = await inside.enter_async_context(Watcher.at(mqtt5, f"{service.base}/bridge", "nothing"))
        come = (inside.enter_async_context(at(service, f"CP{number}")) for number in range(CROWD))
        chargers = await asyncio.gather(*come)
        boots = (charger.call("BootNotification", BOOT) for charger in chargers)
        assert {answer[2]["status"] for answer in await asyncio.gather(*boots)} == {"Accepted"}
        await watcher.value("chargers_connected", str(CROWD))
        assert all(await asyncio.gather(*map(is_served, chargers)))
        mqtt = service.app.mqtt
        assert mqtt is not None
        topics = [f"{service.base}/charger/CP{number}/availability" for number in range(CROWD)]
        await until(lambda: all(map(mqtt.delivered, topics)))
