"""A charger's conversation: its calls answered, ours put only when it is ready, its boot and its silence seen to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK

from ocpp_mqtt_proxy.adapters.chargers.link import MAX_UNANSWERED, Link, Timing
from ocpp_mqtt_proxy.budget import Excess
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.commands import ClearCache, Outcome, Reason, Result
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import Amps, Place, Target, Version
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.steering import SHOWN
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.adapters.raw import RawCharger, knocking
from tests.fakes import NOON, FakeClock, FakeLedger, a_hub
from tests.running import QUICK, running

AT_ONCE = Timing(boot_grace=60, boot_patience=60, calm=0, call=60, silence=3600)
"""Nothing happens by the clock."""

BOOT_2X: dict[str, Any] = {"chargingStation": {"vendorName": "ABB", "model": "Terra"}, "reason": "PowerUp"}
BOOT: dict[Version, dict[str, Any]] = dict.fromkeys(DIALECTS, BOOT_2X) | {
    Version.V16: {"chargePointVendor": "ABB", "chargePointModel": "Terra"}
}
SOLICITED: dict[Version, dict[str, Any]] = dict.fromkeys(DIALECTS, BOOT_2X | {"reason": "Triggered"}) | {
    Version.V16: BOOT[Version.V16]
}
LIMIT = "SetChargingProfile"

Reply = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def accepts(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What agrees to everything and knows no setting."""
    if action == "GetVariables":
        return {
            "getVariableResult": [
                {"attributeStatus": "UnknownVariable", "component": asked["component"], "variable": asked["variable"]}
                for asked in payload["getVariableData"]
            ]
        }
    return {} if action == "GetConfiguration" else {"status": "Accepted"}


@dataclass
class Charger:
    """The charger at the other end of a socket that is none: it answers as `reply` says; None is silence."""

    reply: Reply = accepts
    asked: list[str] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[object, list[Any]] = field(default_factory=dict)
    closed: ConnectionClosed | None = None
    held: bool = False
    excess: Excess = field(default_factory=Excess)
    _take: Callable[[bytes], None] | None = None
    _unheard: list[bytes] = field(default_factory=list)
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    # What the link sees of it

    def listen(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def put(self, message: bytes) -> bool:
        if self.closed is not None:
            return False
        frame = json.loads(message)
        if frame[0] == 2:
            self.asked.append(frame[2])
            self.payloads.append(frame[3])
            answer = self.reply(frame[2], frame[3])
            if answer is not None:
                self.say([3, frame[1], answer])
        else:
            self.answers[frame[1]] = frame
        self._news.set()
        return True

    def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False
        self._deliver()

    def part(self, reason: str) -> None:
        self._take = None
        self.leave()

    async def wait_closed(self) -> None:
        await self._left.wait()
        self._deliver()

    @property
    def farewell(self) -> str:
        return str(self.closed)

    # What the test does with it

    def say(self, frame: Any) -> None:
        self.say_bytes(json.dumps(frame).encode())

    def say_bytes(self, data: bytes) -> None:
        self._unheard.append(data)
        asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        while self._unheard and not self.held and self._take is not None:
            self._take(self._unheard.pop(0))

    def leave(self, how: ConnectionClosed | None = None) -> None:
        self.closed = how or ConnectionClosedError(None, None)
        self._left.set()

    async def call(self, action: str, payload: dict[str, Any] | None = None, message_id: object = "m1") -> list[Any]:
        self.say([2, message_id, action, payload or {}])
        await self.until(lambda: message_id in self.answers)
        return self.answers.pop(message_id)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()


@dataclass
class Conversation:
    link: Link
    charger: Charger
    hub: Hub
    version: Version

    async def boot(self) -> None:
        answer = await self.charger.call("BootNotification", BOOT[self.version])
        assert answer[2]["status"] == "Accepted"

    @property
    def ledger(self) -> FakeLedger:
        assert isinstance(self.hub.ledger, FakeLedger)
        return self.hub.ledger


@contextlib.asynccontextmanager
async def conversing(
    version: Version = Version.V16,
    timing: Timing = AT_ONCE,
    reply: Reply = accepts,
    plan: Plan | None = None,
    *,
    log_frames: bool = False,
) -> AsyncIterator[Conversation]:
    hub, charger = a_hub(plan), Charger(reply)
    link = Link("CP1", DIALECTS[version], charger, hub, Commissioning(hub), timing, log_frames=log_frames)
    hub.connect("CP1", link, "127.0.0.1")
    running = asyncio.create_task(link.run())
    try:
        yield Conversation(link, charger, hub, version)
    finally:
        if charger.closed is None:
            charger.leave()
        async with asyncio.timeout(10):
            await running


# Before and after the boot


@pytest.mark.parametrize("version", DIALECTS)
async def test_nothing_is_sent_before_the_boot_is_answered(version: Version) -> None:
    async with conversing(version) as c:
        asking = asyncio.create_task(c.link.send(ClearCache()))
        assert (await c.charger.call("Heartbeat"))[0] == 3
        assert not c.charger.asked
        await c.boot()
        assert (await asking).ok
        assert "ClearCache" in c.charger.asked


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_charger_that_does_not_boot_is_asked_to(version: Version) -> None:
    async with conversing(version, replace(AT_ONCE, boot_grace=0)) as c:
        await c.charger.until(lambda: c.charger.asked)
        assert c.charger.asked == ["TriggerMessage"]
        assert c.charger.payloads[0]["requestedMessage"] == "BootNotification"
        await c.charger.call("BootNotification", SOLICITED[version])
        assert (await c.link.send(ClearCache())).ok


async def test_a_charger_that_will_not_boot_is_taken_as_it_is_without_delay() -> None:
    async with conversing(timing=replace(AT_ONCE, boot_grace=0), reply=lambda *_: {"status": "Rejected"}) as c:
        assert (await c.link.send(ClearCache())).reason is Reason.CHARGER_REJECTED


async def test_a_charger_that_promises_a_boot_and_keeps_silent_is_not_waited_for_for_ever() -> None:
    async with conversing(timing=replace(AT_ONCE, boot_grace=0, boot_patience=0.01)) as c:
        assert (await c.link.send(ClearCache())).ok


async def test_an_order_does_not_wait_for_a_boot_for_ever() -> None:
    async with conversing(timing=replace(AT_ONCE, call=0.01)) as c:
        outcome = await c.link.send(ClearCache())
        assert (outcome.status, outcome.reason) == (Result.ERROR, Reason.TIMEOUT)
        assert not c.charger.asked


def _has_a_ceiling(c: Conversation) -> None:
    memory = c.hub.station("CP1").memory
    memory.limit, memory.form, memory.safe = Amps(10), ProfileForm(1), Amps(6)
    memory.installed = Held(((NOON, Amps(10)),), NOON + SHOWN)


def _was_limited(c: Conversation, times: int) -> bool:
    """Whether both its profiles were put so often: the ceiling's, and what is safe below it."""
    return c.charger.asked.count(LIMIT) == 2 * times


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_boot_that_was_asked_for_is_no_reboot(version: Version) -> None:
    async with conversing(version, replace(AT_ONCE, boot_grace=0)) as c:
        _has_a_ceiling(c)
        await c.charger.until(lambda: c.charger.asked)
        await c.charger.call("BootNotification", SOLICITED[version])
        await c.charger.until(lambda: c.charger.asked[-1] == "TriggerMessage" and len(c.charger.asked) > 1)
        assert LIMIT not in c.charger.asked


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_boot_puts_the_ceiling_again_and_so_does_every_later_one(version: Version) -> None:
    async with conversing(version) as c:
        _has_a_ceiling(c)
        for times in (1, 2):
            await c.boot()
            await c.charger.until(partial(_was_limited, c, times))


async def test_a_2_x_charger_that_says_it_powered_up_did_though_it_was_asked() -> None:
    async with conversing(Version.V201, replace(AT_ONCE, boot_grace=0)) as c:
        _has_a_ceiling(c)
        await c.charger.until(lambda: c.charger.asked)
        await c.boot()
        await c.charger.until(lambda: LIMIT in c.charger.asked)


async def test_a_charger_that_answers_nothing_is_served_all_the_same() -> None:
    async with conversing(timing=replace(AT_ONCE, call=0.01), reply=lambda *_: None) as c:
        await c.boot()
        await c.charger.until(lambda: len(c.charger.asked) > 1)
        assert (await c.charger.call("Heartbeat"))[0] == 3


# Its calls and ours


async def test_a_charger_may_be_asked_in_the_middle_of_its_own_call_and_the_other_way_round() -> None:
    def thinks(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        return None if action == "ClearCache" else accepts(action, payload)

    async with conversing(reply=thinks) as c:
        await c.boot()
        asking = asyncio.create_task(c.link.send(ClearCache()))
        await c.charger.until(lambda: "ClearCache" in c.charger.asked)
        assert (await c.charger.call("Heartbeat"))[0] == 3
        assert not asking.done()


START_2X: dict[str, Any] = {
    "eventType": "Started",
    "timestamp": "2026-03-14T12:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t1"},
    "evse": {"id": 1, "connectorId": 1},
    "idToken": {"idToken": "A", "type": "ISO14443"},
}
START: dict[Version, dict[str, Any]] = dict.fromkeys(DIALECTS, START_2X) | {
    Version.V16: {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-03-14T12:00:00Z"}
}
STARTED: dict[Version, str] = dict.fromkeys(DIALECTS, "TransactionEvent") | {Version.V16: "StartTransaction"}


@pytest.mark.parametrize("version", DIALECTS)
async def test_our_calls_are_answered_while_the_disk_is_slow(version: Version) -> None:
    async with conversing(version) as c:
        await c.boot()
        c.ledger.open.clear()
        starting = asyncio.create_task(c.charger.call(STARTED[version], START[version], "start"))
        assert (await c.link.send(ClearCache())).ok
        assert (await c.charger.call("Heartbeat"))[0] == 3
        assert not starting.done()
        c.ledger.open.set()
        assert (await starting)[0] == 3


@pytest.mark.parametrize("version", DIALECTS)
async def test_what_cannot_be_written_down_is_not_acknowledged(version: Version) -> None:
    async with conversing(version) as c:
        c.ledger.broken = True
        answer = await c.charger.call(STARTED[version], START[version])
        assert answer[:3] == [4, "m1", "InternalError"]
        c.ledger.broken = False
        assert (await c.charger.call(STARTED[version], START[version], "m2"))[0] == 3


async def test_so_many_messages_wait_for_the_disk_and_all_are_answered_in_the_end() -> None:
    async with conversing() as c:
        c.ledger.open.clear()
        for number in range(MAX_UNANSWERED + 3):
            c.charger.say([2, f"s{number}", "StartTransaction", START[Version.V16] | {"meterStart": number}])
        c.charger.say([2, "h", "Heartbeat", {}])
        await asyncio.sleep(0)
        assert "h" not in c.charger.answers
        c.ledger.open.set()
        await c.charger.until(lambda: len(c.charger.answers) == MAX_UNANSWERED + 4)


async def test_a_message_that_waits_for_the_disk_is_written_though_the_charger_leaves() -> None:
    async with conversing() as c:
        c.ledger.open.clear()
        c.charger.say([2, "s", "StartTransaction", START[Version.V16]])
        c.charger.leave()
        asyncio.get_running_loop().call_later(0.01, c.ledger.open.set)
    assert c.ledger.recorded


IDS = ["", "1", "x" * 36, "x" * 5000, "Ü\u2028\U0001f50c", "\\\"'", 5, -1, 12345678901234567890]


@pytest.mark.parametrize("message_id", IDS, ids=[repr(i)[:20] for i in IDS])
@pytest.mark.parametrize("version", DIALECTS)
async def test_an_answer_has_the_call_s_id_as_it_came(version: Version, message_id: object) -> None:
    async with conversing(version) as c:
        assert (await c.charger.call("Heartbeat", {}, message_id))[:2] == [3, message_id]
        assert (await c.charger.call("NoSuchThing", {}, message_id))[:3] == [4, message_id, "NotImplemented"]


@pytest.mark.parametrize("data", [b"", b"{}", b"nonsense", b"\xff\xfe", b"[]", b"[3]", b"[4]", b'[3,"x",{}]'])
@pytest.mark.parametrize("version", DIALECTS)
async def test_nonsense_closes_nothing(version: Version, data: bytes) -> None:
    async with conversing(version) as c:
        c.charger.say_bytes(data)
        assert (await c.charger.call("Heartbeat"))[0] == 3


class Uncertain(FakeClock):
    """A clock with a bug."""

    def now(self) -> Any:
        raise RuntimeError("a bug")


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_fault_of_ours_costs_a_message_and_not_the_socket(
    version: Version, caplog: pytest.LogCaptureFixture
) -> None:
    async with conversing(version) as c:
        clock, c.hub.clock = c.hub.clock, Uncertain()
        assert (await c.charger.call("Heartbeat"))[:3] == [4, "m1", "InternalError"]
        c.hub.clock = clock
        assert (await c.charger.call("Heartbeat"))[0] == 3
    assert "CP1: Heartbeat could not be handled" in caplog.text


# Readings: their answer says nothing and waits for nothing

AT = "2026-03-14T12:00:00Z"


def readings(version: Version, transaction_id: Any) -> tuple[str, dict[str, Any]]:
    if version is Version.V16:
        values = [{"timestamp": AT, "sampledValue": [{"value": "2000"}]}]
        return "MeterValues", {"connectorId": 1, "transactionId": transaction_id, "meterValue": values}
    sample = [{"timestamp": AT, "sampledValue": [{"value": 2000}]}]
    event = {"eventType": "Updated", "timestamp": AT, "triggerReason": "MeterValuePeriodic", "seqNo": 1}
    return "TransactionEvent", event | {"transactionInfo": {"transactionId": str(transaction_id)}, "meterValue": sample}


async def started(c: Conversation) -> Any:
    """A transaction runs; its id."""
    answer = await c.charger.call(STARTED[c.version], START[c.version])
    return answer[2].get("transactionId", "t1")


@pytest.mark.parametrize("version", DIALECTS)
async def test_readings_of_a_known_transaction_are_answered_with_nothing_and_heard(version: Version) -> None:
    async with conversing(version) as c:
        action, payload = readings(version, await started(c))
        assert await c.charger.call(action, payload) == [3, "m1", {}]
        (session,) = c.hub.station("CP1").sessions()
        assert session.register is not None
        assert session.register.raw == 2000


@pytest.mark.parametrize("version", DIALECTS)
async def test_readings_of_an_unknown_transaction_are_answered_once_it_is_on_disk(version: Version) -> None:
    async with conversing(version) as c:
        c.ledger.open.clear()
        action, payload = readings(version, 4711)
        c.charger.say([2, "m2", action, payload])
        assert await c.charger.call("Heartbeat")
        assert "m2" not in c.charger.answers
        c.ledger.open.set()
        await c.charger.until(lambda: "m2" in c.charger.answers)
        assert c.charger.answers["m2"] == [3, "m2", {}]


@pytest.mark.parametrize("version", DIALECTS)
async def test_readings_that_we_fail_on_are_answered_once(version: Version, caplog: pytest.LogCaptureFixture) -> None:
    async with conversing(version) as c:
        action, payload = readings(version, await started(c))
        clock, c.hub.clock = c.hub.clock, Uncertain()
        assert await c.charger.call(action, payload) == [3, "m1", {}]
        c.hub.clock = clock
        assert (await c.charger.call("Heartbeat", message_id="m2"))[0] == 3
        assert not c.charger.answers
    assert f"CP1: {action} could not be handled" in caplog.text


@pytest.mark.parametrize("version", DIALECTS)
async def test_that_a_stale_session_cannot_be_written_costs_readings_no_second_answer(version: Version) -> None:
    """Readings may end a session whose cable is long out; that is written, whoever was answered."""
    async with conversing(version) as c:
        action, payload = readings(version, await started(c))
        connector = c.hub.station("CP1").connectors[1]
        connector.report("available", c.hub.clock.now())
        connector.says_occupied = True
        connector.settle()
        assert isinstance(c.hub.clock, FakeClock)
        c.hub.clock.pass_(hours=1)
        c.ledger.broken = True
        assert await c.charger.call(action, payload) == [3, "m1", {}]
        assert (await c.charger.call("Heartbeat", message_id="m2"))[0] == 3
        assert not c.charger.answers


class Buggy(FakeLedger):
    async def record(self, changes: Any) -> None:
        raise RuntimeError("a bug")


async def test_a_fault_of_ours_after_the_disk_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    async with conversing() as c:
        c.hub.ledger = Buggy()
        answer = await c.charger.call("StartTransaction", START[Version.V16])
        assert answer[:3] == [4, "m1", "InternalError"]
    assert "StartTransaction could not be handled" in caplog.text


# The end


async def test_orders_fail_at_once_when_the_charger_leaves() -> None:
    async with conversing(reply=lambda *_: None) as c:
        await c.boot()
        asking = [asyncio.create_task(c.link.send(ClearCache())) for _ in range(3)]
        await c.charger.until(lambda: c.charger.asked)
        c.charger.leave()
        outcomes: list[Outcome] = await asyncio.gather(*asking)
        outcomes.append(await c.link.send(ClearCache()))
        assert {outcome.reason for outcome in outcomes} == {Reason.CHARGER_OFFLINE}


async def test_orders_that_wait_for_a_boot_fail_at_once_when_the_charger_leaves() -> None:
    async with conversing() as c:
        asking = asyncio.create_task(c.link.send(ClearCache()))
        await asyncio.sleep(0)
        c.charger.leave()
        assert (await asking).reason is Reason.CHARGER_OFFLINE


async def test_why_a_charger_left_is_known() -> None:
    async with conversing() as c:
        c.charger.leave(ConnectionClosedOK(None, None))
    assert c.link.closing == "no close frame received or sent"


async def test_the_first_reason_to_close_counts() -> None:
    async with conversing() as c:
        c.link.close("forgotten by the owner")
        c.link.close("something else")
    assert c.link.closing == "forgotten by the owner"


NEVER_LONG = replace(AT_ONCE, silence=0.01, call=0.01)
NO_HEARTBEAT = Plan(heartbeat_interval=0)


async def test_a_charger_that_is_silent_for_too_long_is_asked_and_then_closed() -> None:
    async with conversing(timing=NEVER_LONG, reply=lambda *_: None, plan=NO_HEARTBEAT) as c:
        await c.boot()
        async with asyncio.timeout(10):
            await c.charger.wait_closed()
        assert c.link.closing == "not a word for too long"
        assert c.charger.asked[-1] == "TriggerMessage"
        assert c.charger.payloads[-1]["requestedMessage"] == "Heartbeat"


async def test_a_silent_charger_that_answers_stays() -> None:
    def heartbeats() -> int:
        return sum(payload.get("requestedMessage") == "Heartbeat" for payload in c.charger.payloads)

    async with conversing(timing=replace(NEVER_LONG, call=60), plan=NO_HEARTBEAT) as c:
        await c.boot()
        await c.charger.until(lambda: heartbeats() > 2)
        assert c.link.closing is None


async def test_silence_is_judged_by_the_heartbeat_where_that_is_longer() -> None:
    async with conversing(timing=NEVER_LONG, reply=lambda *_: None, plan=Plan(heartbeat_interval=3600)) as c:
        await c.boot()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await c.charger.wait_closed()
        assert "Heartbeat" not in [payload.get("requestedMessage") for payload in c.charger.payloads]


# What is logged


async def test_frames_are_logged_without_tags_and_passwords(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with conversing(log_frames=True) as c:
        await c.charger.call("Authorize", {"idTag": "04A1B2C3"})
        c.charger.say(
            [3, "x", {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": "s3cret"}]}]
        )
        await c.charger.call("Heartbeat")
    assert '"idTag": "***C3"' in caplog.text
    assert "04A1B2C3" not in caplog.text
    assert "s3cret" not in caplog.text
    assert "CP1 > " in caplog.text


# A real socket


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_charger_on_a_real_socket_never_sees_two_calls_open(tmp_path: Path, version: Version) -> None:
    subprotocols = [DIALECTS[version].subprotocol]
    async with running(tmp_path, None, QUICK) as service, knocking(service.app.port, "/CP1", subprotocols) as charger:
        await charger.call("BootNotification", BOOT[version])
        link = service.app.gate.present["CP1"].link
        asking = asyncio.gather(*(link.send(ClearCache()) for _ in range(20)))
        await _answer_slowly(charger, 20)
        assert all(outcome.ok for outcome in await asking)


@pytest.mark.parametrize("version", DIALECTS)
async def test_what_limits_a_transaction_goes_after_the_answer_to_its_start(tmp_path: Path, version: Version) -> None:
    subprotocols = [DIALECTS[version].subprotocol]
    async with running(tmp_path, None, QUICK) as service, knocking(service.app.port, "/CP1", subprotocols) as charger:
        await charger.call("BootNotification", BOOT[version])
        service.app.hub.ledger = slow = FakeLedger()
        slow.open.clear()
        charger.send([2, "start", STARTED[version], START[version]])
        await _seen(charger, "before")
        (session,) = service.app.hub.station("CP1").sessions()
        limit = SetLimit(Target(1, Place(1, 1)), Amps(10), NOON, transaction_id=session.transaction_id)
        limiting = asyncio.create_task(service.app.gate.present["CP1"].link.send(limit))
        assert not {"start", LIMIT} & set(await _seen(charger, "meanwhile"))
        slow.open.set()
        seen = await _seen(charger, LIMIT)
        assert seen.index("start") < seen.index(LIMIT)
        assert (await limiting).ok


async def _seen(charger: RawCharger, last: str) -> list[str]:
    """The calls and answers that come until a call, or the answer to a call of the charger's that it makes now."""
    if last != LIMIT:
        charger.send([2, last, "Heartbeat", {}])
    seen: list[str] = []
    while last not in seen:
        message = await charger.message()
        seen.append(message[2] if message[0] == 2 else message[1])
        if message[0] == 2:
            charger.send([3, message[1], accepts(message[2], message[3])])
    return seen


async def _answer_slowly(charger: RawCharger, count: int) -> None:
    """Answer after a call of its own has come back: had a second call been sent meanwhile, it would be seen."""
    answered = 0
    while answered < count:
        message = await charger.message()
        charger.send([2, f"h{answered}", "Heartbeat", {}])
        assert (await charger.message())[:2] == [3, f"h{answered}"]
        charger.send([3, message[1], accepts(message[2], message[3])])
        answered += message[2] == "ClearCache"
