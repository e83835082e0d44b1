"""A link to a service: one call of ours open, every call of theirs answered, and nothing they send ends it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.services.link import MAX_AT_ONCE
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Payload
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode, spelled
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused, Said, Unanswered
from tests.adapters.services_rig import QUICK, a_dialer, listening, talking

V16, V201, V21 = Version.V16, Version.V201, Version.V21
ACCEPTED: Payload = {"status": "Accepted"}
TIME = {"currentTime": "2026-03-14T12:00:00Z"}

every_version = pytest.mark.parametrize("version", DIALECTS)


async def agree(_: str, __: Object) -> Payload:
    return ACCEPTED


# Calls of ours


@every_version
async def test_a_call_is_answered_by_what_the_service_says(version: Version) -> None:
    async with talking(version) as talk:
        assert talk.link.version is version
        assert await talk.is_well()
        assert (talk.link.traffic.sent, talk.link.traffic.received) == (1, 1)


@every_version
async def test_one_call_is_open_at_a_time_and_the_others_follow_in_order(version: Version) -> None:
    async with talking(version) as talk:
        asked = [
            asyncio.create_task(talk.link.call("DataTransfer", {"vendorId": "x", "messageId": f"{number}"}))
            for number in range(5)
        ]
        ids = set()
        for number in range(5):
            _, message_id, _, payload = await talk.hear()
            assert payload["messageId"] == f"{number}"
            assert await _hears_nothing(talk.socket)
            ids.add(message_id)
            await talk.say(3, message_id, {"status": "Accepted", "data": f"{number}"})
        assert [(await one)["data"] for one in asked] == [f"{number}" for number in range(5)]
        assert len(ids) == 5


async def _hears_nothing(socket: Any) -> bool:
    """Whether nothing is on its way: a pong comes after all that was sent before it."""
    await (await socket.ping())
    try:
        async with asyncio.timeout(0):
            await socket.recv()
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize(
    ("answer", "became"),
    [((3, {"status": "Accepted"}), "{'status': 'Accepted'}"), ((4, "GenericError", "no", {}), "no")],
)
async def test_who_asks_hears_what_became_of_it_without_waiting(answer: tuple[Any, ...], became: str) -> None:
    async with talking(V16) as talk:
        heard: asyncio.Queue[Said] = asyncio.Queue()
        talk.link.ask("DataTransfer", {"vendorId": "x"}, heard.put_nowait)
        await talk.say(answer[0], await talk.hear_call("DataTransfer"), *answer[1:])
        assert became in str(await heard.get())


async def test_who_asks_hears_too_that_the_link_is_lost() -> None:
    async with talking(V16) as talk:
        heard: asyncio.Queue[Said] = asyncio.Queue()
        talk.link.ask("DataTransfer", {"vendorId": "x"}, heard.put_nowait)
        talk.socket.transport.abort()
        assert isinstance(await heard.get(), LinkLost)
        talk.link.ask("DataTransfer", {"vendorId": "x"}, heard.put_nowait)
        assert isinstance(heard.get_nowait(), LinkLost)


async def test_a_call_without_an_answer_gives_way_and_a_late_answer_is_dropped() -> None:
    async with talking(V16) as talk:
        silent = asyncio.create_task(talk.link.call("Heartbeat", {}, 0.02))
        late = await talk.hear_call("Heartbeat")
        with pytest.raises(NoAnswer, match=r"the service did not answer Heartbeat in 0\.02 s"):
            await silent
        after = asyncio.create_task(talk.link.call("Heartbeat", {}))
        message_id = await talk.hear_call("Heartbeat")
        await talk.say(3, late, {"currentTime": "yesterday"})
        await talk.say(3, message_id, TIME)
        assert await after == TIME


async def test_who_stops_waiting_leaves_an_open_call_open_and_one_that_waits_unsent() -> None:
    async with talking(V16) as talk:
        calls = [asyncio.create_task(talk.link.call(action, {})) for action in ("Heartbeat", "Never", "Heartbeat")]
        first = await talk.hear_call("Heartbeat")
        calls[0].cancel()
        calls[1].cancel()
        assert await _hears_nothing(talk.socket)
        await talk.say(3, first, TIME)
        await talk.say(3, await talk.hear_call("Heartbeat"), TIME)
        assert await calls[2] == TIME


@pytest.mark.parametrize("code", ["FormationViolation", "FormatViolation"])
async def test_an_error_for_an_answer_is_told_with_its_code_however_it_is_spelled(code: str) -> None:
    async with talking(V16) as talk:
        asked = asyncio.create_task(talk.link.call("Heartbeat", {}))
        await talk.say(4, await talk.hear_call("Heartbeat"), code, "no such thing", {})
        with pytest.raises(Refused, match="no such thing") as refused:
            await asked
        assert refused.value.error.code is ErrorCode.FORMAT_VIOLATION


async def test_a_call_is_lost_with_its_link_at_once_and_so_are_later_ones() -> None:
    async with talking(V16) as talk:
        calls = [asyncio.create_task(talk.link.call("Heartbeat", {})) for _ in range(2)]
        await talk.hear_call("Heartbeat")
        talk.socket.transport.abort()
        for call in calls:
            with pytest.raises(LinkLost):
                await call
        assert await talk.link.wait_closed()
        with pytest.raises(LinkLost):
            await talk.link.call("Heartbeat", {})


@every_version
async def test_an_answer_that_breaks_its_schema_is_used_and_counted(version: Version) -> None:
    async with talking(version) as talk:
        asked = asyncio.create_task(talk.link.call("Heartbeat", {}))
        await talk.say(3, await talk.hear_call("Heartbeat"), TIME | {"mood": "good"})
        assert (await asked)["currentTime"] == TIME["currentTime"]
        assert talk.link.traffic.violations == 1
        assert await talk.is_well()


async def test_a_2_1_service_is_told_when_its_answer_lacks_something() -> None:
    async with talking(V21) as talk:
        asked = asyncio.create_task(talk.link.call("Heartbeat", {}))
        message_id = await talk.hear_call("Heartbeat")
        await talk.say(3, message_id, {})
        assert await asked == {}
        assert (await talk.hear())[:3] == [5, message_id, "OccurrenceConstraintViolation"]


async def test_a_message_that_is_never_answered_waits_for_nobody() -> None:
    stream = {"id": 1, "pending": 0, "basetime": "2026-03-14T12:00:00Z", "data": [{"t": 0, "v": "1"}]}
    async with talking(V21) as talk:
        asked = asyncio.create_task(talk.link.call("Heartbeat", {}))
        message_id = await talk.hear_call("Heartbeat")
        assert await talk.link.call("NotifyPeriodicEventStream", stream) == {}
        told = await talk.hear()
        assert (told[0], told[2:]) == (6, ["NotifyPeriodicEventStream", stream])
        await talk.say(3, message_id, TIME)
        assert await asked == TIME


async def test_what_is_told_on_a_link_that_is_gone_is_lost() -> None:
    async with talking(V21) as talk:
        talk.link.part("enough")
        with pytest.raises(LinkLost):
            await talk.link.call("NotifyPeriodicEventStream", {})


async def test_a_call_of_ours_that_breaks_its_schema_goes_and_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async with talking(V16) as talk:
        asked = asyncio.create_task(talk.link.call("StatusNotification", {"connectorId": "one"}))
        await talk.say(3, await talk.hear_call("StatusNotification"), {})
        await asked
        assert talk.link.traffic.faults == 1
        assert "our StatusNotification breaks its schema" in caplog.text


# Calls of theirs


@every_version
async def test_a_call_is_answered_while_ours_is_open(version: Version) -> None:
    async with talking(version, agree) as talk:
        asked = asyncio.create_task(talk.link.call("Heartbeat", {}))
        message_id = await talk.hear_call("Heartbeat")
        await talk.say(2, "theirs", "ClearCache", {})
        assert await talk.hear() == [3, "theirs", ACCEPTED]
        await talk.say(3, message_id, TIME)
        assert await asked == TIME


async def test_an_answerer_may_call_the_service() -> None:
    async def ask_back(_: str, __: Object) -> Payload:
        assert await talk.link.call("Heartbeat", {}) == TIME
        return ACCEPTED

    async with talking(V16, ask_back) as talk:
        await talk.say(2, "theirs", "ClearCache", {})
        await talk.say(3, await talk.hear_call("Heartbeat"), TIME)
        assert await talk.hear() == [3, "theirs", ACCEPTED]


async def test_what_is_told_because_of_a_call_comes_after_its_answer() -> None:
    told: list[asyncio.Task[Object]] = []

    async def answer(_: str, __: Object) -> Payload:
        told.append(asyncio.create_task(talk.link.call("Heartbeat", {})))
        return ACCEPTED

    async with talking(V16, answer) as talk:
        await talk.say(2, "theirs", "TriggerMessage", {"requestedMessage": "Heartbeat"})
        assert await talk.hear() == [3, "theirs", ACCEPTED]
        await talk.say(3, await talk.hear_call("Heartbeat"), TIME)
        await told[0]


async def test_what_a_service_asks_right_after_its_answer_is_heard_after_it() -> None:
    heard: list[str] = []

    async def answer(action: str, _: Object) -> Payload:
        heard.append(action)
        return ACCEPTED

    async def boot() -> None:
        await talk.link.call("BootNotification", {"chargePointVendor": "x", "chargePointModel": "y"})
        heard.append("the boot's answer")

    async with talking(V16, answer) as talk:
        booting = asyncio.create_task(boot())
        message_id = await talk.hear_call("BootNotification")
        yes = json.dumps([3, message_id, TIME | {"status": "Accepted", "interval": 300}])
        both = [yes, json.dumps([2, "at once", "ClearCache", {}])]
        talk.socket.transport.write(b"".join(_text(frame) for frame in both))
        await booting
        await talk.hear()
        assert heard == ["the boot's answer", "ClearCache"]


def _text(message: str) -> bytes:
    """A server's frame, shorter than 126 bytes."""
    return bytes([0x81, len(message)]) + message.encode()


async def test_calls_that_come_at_once_are_each_answered_as_they_are_ready() -> None:
    ready = {name: asyncio.Event() for name in ("first", "second")}

    async def answer(_: str, payload: Object) -> Payload:
        await ready[str(payload["vendorId"])].wait()
        return {"status": "Accepted", "data": payload["vendorId"]}

    async with talking(V16, answer) as talk:
        for name in ready:
            await talk.say(2, name, "DataTransfer", {"vendorId": name})
        for name in ("second", "first"):
            ready[name].set()
            assert await talk.hear() == [3, name, {"status": "Accepted", "data": name}]


async def test_a_service_that_floods_is_refused_and_can_be_talked_to_all_the_same() -> None:
    enough = asyncio.Event()

    async def slow(_: str, __: Object) -> Payload:
        await enough.wait()
        return ACCEPTED

    async with talking(V201, slow) as talk:
        for number in range(MAX_AT_ONCE + 3):
            await talk.say(2, f"{number}", "ClearCache", {})
        refused = [await talk.hear() for _ in range(3)]
        assert [frame[:3] for frame in refused] == [[4, f"{MAX_AT_ONCE + n}", "GenericError"] for n in range(3)]
        assert await talk.is_well()
        enough.set()
        answered = [await talk.hear() for _ in range(MAX_AT_ONCE)]
        assert {frame[1] for frame in answered} == {f"{number}" for number in range(MAX_AT_ONCE)}
        assert talk.link.traffic.refused == 3


@every_version
async def test_a_call_that_cannot_be_answered_gets_an_error_in_the_version_s_own_spelling(version: Version) -> None:
    async def refuse(_: str, __: Object) -> Payload:
        raise CallRefused(ErrorCode.FORMAT_VIOLATION, "no")

    async with talking(version, refuse) as talk:
        await talk.say(2, "theirs", "ClearCache", {})
        assert await talk.hear() == [4, "theirs", spelled(ErrorCode.FORMAT_VIOLATION, version), "no", {}]
        assert talk.link.traffic.refused == 1


@pytest.mark.parametrize("given", [{"status": "Perhaps"}, {}, {"status": object()}, {"status": "Accepted", "x": 1}])
@every_version
async def test_an_answer_of_ours_that_breaks_its_schema_never_goes_out(
    version: Version, given: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_: str, __: Object) -> Payload:
        return given

    async with talking(version, answer) as talk:
        await talk.say(2, "theirs", "ClearCache", {})
        assert (await talk.hear())[:3] == [4, "theirs", "InternalError"]
        assert any(record.levelname == "ERROR" for record in caplog.records)
        assert await talk.is_well()


async def test_a_fault_of_ours_costs_one_answer_only(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: str, __: Object) -> Payload:
        raise KeyError("a fault")

    async with talking(V16, fail) as talk:
        await talk.say(2, "theirs", "ClearCache", {})
        assert (await talk.hear())[:3] == [4, "theirs", "InternalError"]
        assert "ClearCache could not be handled" in caplog.text
        assert await talk.is_well()


async def test_a_call_that_is_to_have_no_answer_has_none() -> None:
    async def say_nothing(_: str, __: Object) -> Payload:
        raise Unanswered("the service rejected us")

    async with talking(V16, say_nothing) as talk:
        await talk.say(2, "theirs", "ClearCache", {})
        assert await talk.is_well()
        assert talk.link.traffic.refused == 1


async def test_an_answer_that_is_ready_when_the_link_is_gone_goes_nowhere() -> None:
    asked, lost = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def slow(_: str, __: Object) -> Payload:
        asked.set()
        await lost.wait()
        done.append("worked out to its end")
        return ACCEPTED

    async with talking(V16, slow) as talk:
        await talk.say(2, "theirs", "ClearCache", {})
        await asked.wait()
        talk.socket.transport.abort()
        await talk.link.wait_closed()
        lost.set()
        await asyncio.sleep(0)
        assert done


# Frames that are none

NONSENSE = ["", "{", "{}", "[]", "null", "17", '["2","a","ClearCache",{}]', "[2]"]
"""Frames without an id to answer by."""


@pytest.mark.parametrize("frame", NONSENSE)
@every_version
async def test_nonsense_is_answered_as_the_version_says_and_ends_nothing(version: Version, frame: str) -> None:
    async with talking(version) as talk:
        await talk.socket.send(frame)
        if version is not V16:
            assert (await talk.hear())[:3] == [4, "-1", "RpcFrameworkError"]
        assert await talk.is_well()
        assert talk.link.traffic.bad_frames == 1


MISSHAPEN: list[tuple[list[Any], ErrorCode]] = [
    ([2, "a"], ErrorCode.RPC_FRAMEWORK_ERROR),
    ([2, "a", 7, {}], ErrorCode.RPC_FRAMEWORK_ERROR),
    ([2, "a", "ClearCache", "x"], ErrorCode.FORMAT_VIOLATION),
]


@pytest.mark.parametrize(("frame", "code"), MISSHAPEN, ids=str)
@every_version
async def test_a_call_that_is_misshapen_is_refused_by_its_id(
    version: Version, frame: list[Any], code: ErrorCode
) -> None:
    async with talking(version) as talk:
        await talk.say(*frame)
        assert (await talk.hear())[:3] == [4, "a", spelled(code, version)]
        assert await talk.is_well()


@every_version
async def test_a_message_type_that_is_none_is_refused_in_2_0_1_alone(version: Version) -> None:
    async with talking(version) as talk:
        await talk.say(9, "a", "ClearCache", {})
        if version is V201:
            assert (await talk.hear())[:3] == [4, "a", "MessageTypeNotSupported"]
        assert await talk.is_well()


async def test_in_2_1_what_wants_no_answer_gets_none() -> None:
    async with talking(V21) as talk:
        await talk.say(6, "a", "NotifyPeriodicEventStream", {})
        await talk.say(5, "b", "FormatViolation", "could not use your answer", {})
        assert await talk.is_well()
        assert (talk.link.traffic.refused, talk.link.traffic.unused) == (1, 1)


SMALL = Budget(message=2000)


async def test_a_call_that_is_too_long_to_hold_is_refused_and_the_link_stays() -> None:
    async with talking(V16, budget=SMALL) as talk:
        await talk.say(2, "long", "DataTransfer", {"vendorId": "x" * 5000})
        assert (await talk.hear())[:3] == [4, "long", "FormationViolation"]
        assert await talk.is_well()
        assert talk.link.traffic.excess.too_long == 1


async def test_an_answer_that_is_too_long_to_hold_is_as_good_as_an_error() -> None:
    async with talking(V16, budget=SMALL) as talk:
        asked = asyncio.create_task(talk.link.call("Heartbeat", {}))
        await talk.say(3, await talk.hear_call("Heartbeat"), TIME | {"more": "x" * 5000})
        with pytest.raises(Refused, match="longer than any message may be"):
            await asked
        assert await talk.is_well()


async def test_a_service_beyond_its_budget_is_slowed_and_heard_all_the_same() -> None:
    budget = Budget(allowance=10_000_000, burst=100_000)
    async with talking(V16, agree, budget=budget) as talk:
        for number in range(20):
            await talk.say(2, f"{number}", "DataTransfer", {"vendorId": "x", "data": "y" * 20_000})
            assert (await talk.hear())[:2] == [3, f"{number}"]
        assert talk.link.traffic.excess.slowed >= 1


async def test_a_service_that_does_not_read_is_cut() -> None:
    async def much(_: str, __: Object) -> Payload:
        return {"status": "Accepted", "data": "x" * 1_000_000}

    async with talking(V16, much, budget=Budget(write_seconds=0.05)) as talk:
        talk.socket.transport.pause_reading()
        for number in range(MAX_AT_ONCE):
            talk.socket.transport.write(_text(json.dumps([2, f"{number}", "DataTransfer", {"vendorId": "x"}])))
        assert "it read nothing for 0.05 s" in await talk.link.wait_closed()


# Its end, and what is told of it


async def test_how_a_link_came_to_its_end_is_told_in_words() -> None:
    async with talking(V16) as talk:
        await talk.socket.close(4000, "gone for lunch")
        assert "gone for lunch" in await talk.link.wait_closed()


async def test_a_link_that_we_part_is_closed_as_going_away_for_our_reason() -> None:
    async with talking(V16) as talk:
        talk.link.part("the service was disabled")
        assert await talk.link.wait_closed() == "the service was disabled"
        await talk.socket.wait_closed()
        assert (talk.socket.close_code, talk.socket.close_reason) == (1001, "the service was disabled")


async def test_frames_are_logged_where_that_is_asked_for_with_tags_and_passwords_masked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with talking(V16, agree, log_frames=True) as talk:
        await talk.say(2, "a", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "SECRET7"})
        await talk.hear()
        asked = asyncio.create_task(talk.link.call("Authorize", {"idTag": "SECRET7"}))
        await talk.say(3, await talk.hear_call("Authorize"), {"idTagInfo": ACCEPTED})
        await asked
    lines = [record.getMessage() for record in caplog.records if " < " in record.getMessage()]
    assert [line.split(" ", 4)[:4] for line in lines] == [["CP1", "at", "billing", "<"]] * 2
    assert "CP1 at billing > " in caplog.text
    assert "SECRET" not in caplog.text


async def test_frames_are_not_logged_unasked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with talking(V16) as talk:
        assert await talk.is_well()
    assert "Heartbeat" not in caplog.text


async def test_what_went_over_earlier_links_stays_counted() -> None:
    dialer = a_dialer(timing=QUICK)
    async with listening() as service:
        for count in (1, 2):
            link = await dialer(service.plan(), "CP1", (V16,), agree)
            socket = await service.socket()
            await socket.send('[2,"a","ClearCache",{}]')
            await socket.recv()
            link.part("over")
            await link.wait_closed()
            assert dialer.traffic("billing", "CP1").shown()["received"] == count
        assert dialer.traffic("billing", "CP2").received == 0
