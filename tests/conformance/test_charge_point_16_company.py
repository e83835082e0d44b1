"""Several CSMSs at once, for each of which we are its 1.6 charge point: none of them is in another's way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ocpp_mqtt_proxy.demo.broker import free_port
from tests.conformance.cases import case
from tests.conformance.central import USUAL_SETTINGS, Central, Desk, provider, service
from tests.conformance.charger import CARD, Charger, Payload, now
from tests.running import running

STEPS = ("StartTransaction", "MeterValues", "StopTransaction")

NOISE = (
    "",
    "nonsense",
    "{}",
    "[]",
    "[2]",
    '[3, "nobody", {}]',
    '[4, "nobody", "Oops", "", {}]',
    '[2, "n1", "Reset", []]',
    '[2, "n2", 5, {}]',
    '[9, "n3", "Reset", {}]',
    '[2, "n4", "DataTransfer",' + '{"a":' * 60 + "1" + "}" * 60 + "]",
)
"""Frames that are none, and answers to nothing."""


@contextlib.asynccontextmanager
async def between(folder: Path, *services: Payload) -> AsyncIterator[Charger]:
    """A charger behind us that is available, with these services before us; a later one goes before an earlier one."""
    given: dict[str, Any] = {
        "ocpp_services": list(services),
        "providers": [{**provider(one["id"]), "priority": rank} for rank, one in enumerate(services)],
        "rate_limit_seconds": 0,
        "unknown_id_tag": "accept",
    }
    async with running(folder, None, **given) as proxy, Charger.at(proxy.chargers, "1.6", "CP1") as box:
        box.settings |= USUAL_SETTINGS["1.6"]
        await box.boot()
        await box.tell_status("Available")
        yield box


@contextlib.asynccontextmanager
async def two(folder: Path, *firsts: int) -> AsyncIterator[tuple[Charger, Desk, Desk]]:
    """A charger, and the desks of two CSMSs that have accepted us; each has numbers of its own."""
    async with (
        Central.of("1.6", firsts[0]) as one,
        Central.of("1.6", firsts[1]) as other,
        between(folder, service(one, "one"), service(other, "other")) as box,
    ):
        for central in (one, other):
            await central.desk("CP1").status("Available")
        yield box, one.desk("CP1"), other.desk("CP1")


def of_sessions(desk: Desk) -> list[str]:
    return [action for action, _ in desk.calls if action in STEPS]


async def status_of(desk: Desk, action: str, **payload: Any) -> str:
    return str((await desk.ask(action, **payload))["status"])


async def start(box: Charger, desk: Desk) -> str:
    """A session of a CSMS's own; the charger's number of it."""
    before = len(box.asked("RemoteStartTransaction"))
    assert await status_of(desk, "RemoteStartTransaction", idTag=CARD, connectorId=1) == "Accepted"
    assert len(box.asked("RemoteStartTransaction")) == before + 1
    return await box.start()


# Equal ids


@case("16_CP_EQUAL_IDS")
async def test_equal_numbers_of_transactions_mean_each_csms_s_own(tmp_path: Path) -> None:
    async with two(tmp_path, 700, 699) as (box, one, other):
        first = await start(box, one)
        await one.until("StartTransaction")
        await box.stop()
        await one.until("StopTransaction")
        await other.until("StopTransaction")
        second = await start(box, other)
        for desk in (one, other):
            await desk.until("StartTransaction", number=2)
            await desk.status("Charging")
        assert await status_of(one, "RemoteStopTransaction", transactionId=701) == "Rejected"
        assert await status_of(other, "RemoteStopTransaction", transactionId=701) == "Accepted"
        assert first != second
        assert box.asked("RemoteStopTransaction") == [{"transactionId": int(second)}]
        await box.stop(register=5000)
        await one.until("StopTransaction", number=2)
        await other.until("StopTransaction", number=2)
        assert [told["transactionId"] for told in one.told("StopTransaction")] == [701, 702]
        assert [told["transactionId"] for told in other.told("StopTransaction")] == [700, 701]


@case("16_CP_EQUAL_IDS", "16_CP_COMPOSITE")
async def test_equal_ids_of_profiles_mean_each_csms_s_own(tmp_path: Path) -> None:
    async with two(tmp_path, 700, 700) as (_, one, other):
        for desk, amps in ((one, 16.0), (other, 10.0)):
            asked = {"connectorId": 1, "csChargingProfiles": a_profile(amps)}
            assert await status_of(desk, "SetChargingProfile", **asked) == "Accepted"
        assert await flows(one) == await flows(other) == 10.0
        assert await status_of(other, "ClearChargingProfile", id=41) == "Accepted"
        assert await status_of(other, "ClearChargingProfile", id=41) == "Unknown"
        assert await flows(one) == await flows(other) == 16.0


def a_profile(amps: float) -> Payload:
    periods = [{"startPeriod": 0, "limit": amps}]
    schedule = {"startSchedule": now(), "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    told = {"chargingProfileId": 41, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile"}
    return {**told, "chargingProfileKind": "Absolute", "chargingSchedule": schedule}


async def flows(desk: Desk) -> float:
    """What may flow now, in A."""
    answer = await desk.ask("GetCompositeSchedule", connectorId=1, duration=300, chargingRateUnit="A")
    return float(answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])


@case("16_CP_EQUAL_IDS")
async def test_equal_ids_of_reservations_mean_each_csms_s_own(tmp_path: Path) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    reserve = {"connectorId": 1, "expiryDate": until, "idTag": CARD, "reservationId": 9}
    async with two(tmp_path, 700, 700) as (box, one, other):
        assert await status_of(one, "ReserveNow", **reserve) == "Accepted"
        assert await status_of(other, "CancelReservation", reservationId=9) == "Rejected"
        assert box.asked("CancelReservation") == []
        assert await status_of(one, "CancelReservation", reservationId=9) == "Accepted"
        assert box.asked("CancelReservation") == [{"reservationId": box.asked("ReserveNow")[0]["reservationId"]}]
        assert await status_of(other, "ReserveNow", **reserve) == "Accepted"
        before, after = (asked["reservationId"] for asked in box.asked("ReserveNow"))
        assert before != after


@case("16_CP_EQUAL_IDS")
async def test_equal_ids_of_messages_have_each_their_own_answer(tmp_path: Path) -> None:
    async with two(tmp_path, 700, 700) as (_, one, other):
        answers = await asyncio.gather(
            one.demand("GetConfiguration", {"key": ["HeartbeatInterval"]}, number="same"),
            other.demand("RemoteStopTransaction", {"transactionId": 5}, number="same"),
        )
        known = [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}]
        assert list(answers) == [{"configurationKey": known, "unknownKey": []}, {"status": "Rejected"}]


@case("16_CP_TRIGGER")
async def test_what_one_wants_to_hear_the_other_does_not(tmp_path: Path) -> None:
    async with two(tmp_path, 700, 700) as (_, one, other):
        heard = [len(desk.told("StatusNotification")) for desk in (one, other)]
        await one.ask("TriggerMessage", requestedMessage="StatusNotification", connectorId=1)
        await one.until("StatusNotification", number=heard[0] + 1)
        await other.ask("TriggerMessage", requestedMessage="Heartbeat")
        await other.until("Heartbeat")
        assert len(other.told("StatusNotification")) == heard[1]


# Bad company


async def charge(box: Charger) -> None:
    await box.start(register=1000)
    await box.read(1500)
    await box.stop(register=3000)


@case("16_CP_BAD_COMPANY")
async def test_one_that_takes_its_time_holds_nobody_up(tmp_path: Path) -> None:
    async with (
        Central.of("1.6") as slow,
        Central.of("1.6") as well,
        between(tmp_path, service(slow, "slow"), service(well, "well")) as box,
    ):
        late, quick = slow.desk("CP1"), well.desk("CP1")
        for desk in (late, quick):
            await desk.status("Available")
        late.answers |= dict.fromkeys((*STEPS, "StatusNotification"))
        await charge(box)
        await quick.until("StopTransaction")
        assert of_sessions(quick) == list(STEPS)
        assert of_sessions(late) == [] or of_sessions(late) == ["StartTransaction"]
        late.answers.clear()
        await late.wait(lambda: late.kept_waiting)
        await late.answer()
        await late.until("StopTransaction")
        assert of_sessions(late) == list(STEPS)


@case("16_CP_BAD_COMPANY")
async def test_one_that_is_dead_holds_nobody_up(tmp_path: Path) -> None:
    dead = {"id": "dead", "url": f"ws://127.0.0.1:{free_port()}/ocpp", "version": "1.6", "mirror": "all"}
    async with Central.of("1.6") as well, between(tmp_path, dead, service(well, "well")) as box:
        desk = well.desk("CP1")
        await desk.status("Available")
        await charge(box)
        await desk.until("StopTransaction")
        assert of_sessions(desk) == list(STEPS)


@case("16_CP_BAD_COMPANY")
async def test_one_that_talks_nonsense_hurts_nobody(tmp_path: Path) -> None:
    async with (
        Central.of("1.6") as mad,
        Central.of("1.6") as well,
        between(tmp_path, service(mad, "mad"), service(well, "well")) as box,
    ):
        nonsense, desk = mad.desk("CP1"), well.desk("CP1")
        for one in (nonsense, desk):
            await one.status("Available")
        nonsense.answers |= {action: {"nonsense": [1]} for action in (*STEPS, "StatusNotification")}
        for frame in NOISE:
            await nonsense.blurt(frame)
        asked = len(box.calls)
        await charge(box)
        await desk.until("StopTransaction")
        assert of_sessions(desk) == list(STEPS)
        assert [action for action, _ in box.calls[asked:] if action in ("Reset", "DataTransfer")] == []
