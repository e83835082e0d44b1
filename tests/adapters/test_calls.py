"""Our calls to one charger: never two open, whatever is asked at once and whoever stops waiting."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.chargers.calls import Calls
from ocpp_mqtt_proxy.calling import MAX_WAITING, Caller, HungUp, Overtaken
from ocpp_mqtt_proxy.core.commands import (
    WITHDRAWN,
    ClearCache,
    GetConfiguration,
    GetInventory,
    Order,
    Outcome,
    RawCall,
    Reason,
    Reserve,
    Result,
)
from ocpp_mqtt_proxy.core.model import Target, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import RESULT_ERROR, CallError, CallResult, ErrorCode
from tests.fakes import NOON

V16 = DIALECTS[Version.V16]


class Line:
    """What a charger sees of our calls: those it was sent, and how many are open."""

    def __init__(self, seconds: float = 60, dialect: Any = V16) -> None:
        self.calls = Calls("CP1", dialect, self._transmit, seconds, self._violated)
        self.violations = 0
        self.complaints: list[list[Any]] = []
        self.sent: list[tuple[str, str, Any]] = []
        self.open: set[str] = set()
        self.most_open = 0
        self._asked = asyncio.Event()

    def _violated(self) -> None:
        self.violations += 1

    def _transmit(self, data: bytes) -> None:
        frame = json.loads(data)
        if frame[0] == RESULT_ERROR:
            self.complaints.append(frame)
            return
        _, message_id, action, payload = frame
        self.sent.append((message_id, action, payload))
        self.open.add(message_id)
        self.most_open = max(self.most_open, len(self.open))
        self._asked.set()

    def answer(self, number: int, payload: dict[str, object]) -> None:
        message_id = self.sent[number][0]
        self.open.discard(message_id)
        self.calls.take(CallResult(message_id, payload))

    async def asked_for(self, count: int) -> None:
        """Wait until so many calls have come."""
        async with asyncio.timeout(10):
            while len(self.sent) < count:
                self._asked.clear()
                await self._asked.wait()


@contextlib.asynccontextmanager
async def putting(line: Line, *orders: Order) -> AsyncIterator[list[asyncio.Task[Outcome]]]:
    """Orders put at once, in this order."""
    tasks = [asyncio.create_task(line.calls.put(order)) for order in orders]
    await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        line.calls.hang_up()
        await asyncio.gather(*tasks, return_exceptions=True)


def numbered(count: int) -> list[Order]:
    return [RawCall(f"Call{number}", {}) for number in range(count)]


@given(
    behaviour=st.lists(
        st.tuples(
            st.integers(0, 3),  # turns of the loop that the charger thinks for
            st.sampled_from(["result", "error", "twice", "strangely"]),
            st.none() | st.integers(0, 8),  # turns after which the asker leaves
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_charger_never_sees_two_calls_open(behaviour: list[tuple[int, str, int | None]]) -> None:
    asyncio.run(_never_two_open(behaviour))


async def _never_two_open(behaviour: list[tuple[int, str, int | None]]) -> None:
    line = Line()
    tasks = [asyncio.create_task(line.calls.put(order)) for order in numbered(len(behaviour))]
    leaving = [asyncio.create_task(_leave(task, b[2])) for task, b in zip(tasks, behaviour, strict=True)]
    for number, (turns, kind, _) in enumerate(behaviour):
        await line.asked_for(number + 1)
        for _ in range(turns):
            await asyncio.sleep(0)
        _answer(line, number, kind)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*leaving)
    assert line.most_open == 1
    assert [action for _, action, _ in line.sent] == [f"Call{number}" for number in range(len(behaviour))]
    for number, outcome in enumerate(outcomes):
        if isinstance(outcome, Outcome) and outcome.ok:
            assert outcome.result == {"of": number}


async def _leave(task: asyncio.Task[Outcome], after: int | None) -> None:
    if after is None:
        return
    for _ in range(after):
        await asyncio.sleep(0)
    task.cancel()


def _answer(line: Line, number: int, kind: str) -> None:
    message_id = line.sent[number][0]
    if kind == "strangely":
        line.calls.take(CallResult("nobody's", {"of": -1}))
    if kind == "error":
        line.open.discard(message_id)
        line.calls.take(CallError(message_id, ErrorCode.GENERIC_ERROR))
        return
    line.answer(number, {"of": number})
    if kind == "twice":
        line.answer(number, {"of": -1})


async def test_a_call_that_is_not_answered_in_time_fails_and_the_next_goes() -> None:
    line = Line(seconds=0.02)
    async with putting(line, *numbered(2)) as (silent, answered):
        await line.asked_for(2)
        line.answer(1, {"of": 1})
        assert (await answered).result == {"of": 1}
        outcome = await silent
        assert (outcome.status, outcome.reason) == (Result.ERROR, Reason.TIMEOUT)
        assert "did not answer Call0 in 0.02 s" in outcome.message


async def test_a_late_answer_is_dropped_and_closes_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    line = Line(seconds=0.02)
    async with putting(line, *numbered(2)) as (silent, answered):
        assert (await silent).reason is Reason.TIMEOUT
        await line.asked_for(2)
        line.answer(0, {"of": 0})
        line.answer(1, {"of": 1})
        assert (await answered).result == {"of": 1}
    assert "an answer that nobody waits for" in caplog.text


async def test_a_call_whose_turn_never_comes_says_so() -> None:
    line = Line(seconds=0.01)
    async with putting(line, *numbered(10)) as tasks:
        outcomes = await asyncio.gather(*tasks)
        assert {outcome.reason for outcome in outcomes} == {Reason.TIMEOUT}
        assert "busy with other calls" in outcomes[-1].message


async def test_who_stops_waiting_leaves_the_call_open() -> None:
    line = Line()
    async with putting(line, *numbered(2)) as (first, second):
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert len(line.sent) == 1
        line.answer(0, {})
        await line.asked_for(2)
        line.answer(1, {"of": 1})
        assert (await second).result == {"of": 1}


async def test_an_answer_that_nobody_waits_for_any_more_lets_the_next_call_go() -> None:
    frames: list[bytes] = []
    caller = Caller("CP1", "the charger", frames.append, 60)
    left, unsent, waiting = [caller.ask(f"Call{number}", {}) for number in range(3)]
    left.cancel()
    unsent.cancel()
    caller.take(CallResult(json.loads(frames[0])[1], {}))
    await asyncio.sleep(0)
    assert [json.loads(frame)[2] for frame in frames] == ["Call0", "Call2"]
    caller.take(CallResult(json.loads(frames[1])[1], {"of": 2}))
    assert (await waiting) == CallResult(json.loads(frames[1])[1], {"of": 2})


async def test_who_gets_an_answer_may_give_up_the_call_that_would_go_next() -> None:
    frames: list[bytes] = []
    caller = Caller("CP1", "the charger", frames.append, 60)
    first, second = (caller.ask(f"Call{number}", {}) for number in range(2))

    async def give_up_the_other() -> None:
        await first
        second.cancel()

    giving_up = asyncio.create_task(give_up_the_other())
    await asyncio.sleep(0)
    caller.take(CallResult(json.loads(frames[0])[1], {}))
    await giving_up
    await asyncio.sleep(0)
    assert len(frames) == 1


def asked(frames: list[bytes]) -> list[str]:
    return [json.loads(frame)[2] for frame in frames]


async def test_a_call_that_is_not_wanted_any_more_when_its_turn_comes_is_not_asked_and_the_next_goes() -> None:
    frames: list[bytes] = []
    wanted = True
    caller = Caller("CP1", "the charger", frames.append, 60)
    caller.ask("Call0", {})
    overtaken, other = caller.ask("Call1", {}, still=lambda: wanted), caller.ask("Call2", {}, still=lambda: True)
    wanted = False
    assert not overtaken.done()
    caller.take(CallResult(json.loads(frames[0])[1], {}))
    with pytest.raises(Overtaken):
        await overtaken
    assert asked(frames) == ["Call0", "Call2"]
    caller.take(CallResult(json.loads(frames[1])[1], {}))
    await other


async def test_one_that_is_not_wanted_as_it_is_entered_keeps_no_other_from_going() -> None:
    frames: list[bytes] = []
    caller = Caller("CP1", "the charger", frames.append, 60)
    with pytest.raises(Overtaken):
        await caller.ask("Call0", {}, still=lambda: False)
    caller.ask("Call1", {})
    assert asked(frames) == ["Call1"]


async def test_what_was_sent_is_answered_whether_or_not_it_is_wanted_by_then() -> None:
    frames: list[bytes] = []
    wanted = True
    caller = Caller("CP1", "the charger", frames.append, 60)
    answer = caller.ask("Call0", {}, still=lambda: wanted)
    wanted = False
    caller.take(CallResult(json.loads(frames[0])[1], {"of": 0}))
    assert (await answer) == CallResult(json.loads(frames[0])[1], {"of": 0})


async def test_an_order_that_is_overtaken_while_it_waits_is_withdrawn() -> None:
    line = Line()
    async with putting(line, *numbered(1)) as (first,):
        waiting = asyncio.create_task(line.calls.put(ClearCache(), lambda: False))
        await asyncio.sleep(0)
        assert not waiting.done()
        line.answer(0, {})
        assert await waiting is WITHDRAWN
        assert (await first).ok
        assert len(line.sent) == 1


async def test_a_call_that_nobody_waits_for_any_more_ends_in_time() -> None:
    next_went = asyncio.Event()
    frames: list[bytes] = []

    def transmit(frame: bytes) -> None:
        frames.append(frame)
        if len(frames) == 2:
            next_went.set()

    caller = Caller("CP1", "the charger", transmit, 60)
    left, waiting = caller.ask("Call0", {}, 0.01), caller.ask("Call1", {})
    left.cancel()
    await next_went.wait()
    waiting.cancel()
    caller.hang_up()
    with pytest.raises(HungUp):
        caller.ask("Call2", {})


async def test_only_so_many_calls_wait() -> None:
    line = Line()
    async with putting(line, *numbered(MAX_WAITING + 10)) as tasks:
        await line.asked_for(1)
        refused = [task.result() for task in tasks if task.done()]
        assert len(refused) == 10
        assert {(outcome.status, outcome.reason) for outcome in refused} == {(Result.ERROR, Reason.TIMEOUT)}


async def test_when_the_socket_closes_every_call_fails_at_once_and_later_ones_too() -> None:
    line = Line()
    async with putting(line, *numbered(3)) as tasks:
        await line.asked_for(1)
        line.calls.hang_up()
        outcomes = [*await asyncio.gather(*tasks), await line.calls.put(ClearCache())]
        assert {outcome.reason for outcome in outcomes} == {Reason.CHARGER_OFFLINE}
        assert len(line.sent) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (ErrorCode.NOT_IMPLEMENTED, Reason.NOT_SUPPORTED),
        (ErrorCode.NOT_SUPPORTED, Reason.NOT_SUPPORTED),
        (ErrorCode.INTERNAL_ERROR, Reason.CHARGER_REJECTED),
        (ErrorCode.GENERIC_ERROR, Reason.CHARGER_REJECTED),
    ],
)
async def test_an_error_for_an_answer_is_the_charger_s_no(code: ErrorCode, reason: Reason) -> None:
    line = Line()
    async with putting(line, ClearCache()) as (asking,):
        await line.asked_for(1)
        line.calls.take(CallError(line.sent[0][0], code, "vendor text"))
        outcome = await asking
        assert (outcome.status, outcome.reason) == (Result.REFUSED, reason)
        assert "vendor text" in outcome.message


async def test_what_a_version_has_not_is_refused_without_asking() -> None:
    line = Line()
    assert (await line.calls.put(GetInventory(1))).reason is Reason.NOT_SUPPORTED
    assert (await line.calls.put(Reserve(Target(1), 1, "x" * 36, NOON))).reason is Reason.NOT_SUPPORTED
    assert not line.sent


async def test_every_call_has_an_id_of_its_own() -> None:
    line = Line()
    async with putting(line, *numbered(5)) as tasks:
        for number in range(5):
            await line.asked_for(number + 1)
            line.answer(number, {})
        await asyncio.gather(*tasks)
    assert len({message_id for message_id, _, _ in line.sent}) == 5
    assert all(len(message_id) <= 36 for message_id, _, _ in line.sent)


async def test_an_order_that_comes_as_the_last_is_answered_gets_its_turn() -> None:
    line = Line()
    async with putting(line, ClearCache()) as (first,):
        await line.asked_for(1)
        second = asyncio.create_task(line.calls.put(ClearCache()))
        line.answer(0, {"status": "Accepted"})
        assert (await first).ok
        await line.asked_for(2)
        line.answer(1, {"status": "Accepted"})
        assert (await second).ok


# Answers that break their schema


@pytest.mark.parametrize("version", DIALECTS)
async def test_an_answer_that_is_of_no_use_is_counted_and_in_2_1_complained_of(version: Version) -> None:
    line = Line(dialect=DIALECTS[version])
    async with putting(line, ClearCache()) as (asked,):
        await line.asked_for(1)
        line.answer(0, {"status": "Done"})
        assert not (await asked).ok
    assert line.violations == 1
    told = [frame[:3] for frame in line.complaints]
    assert told == ([[RESULT_ERROR, line.sent[0][0], "PropertyConstraintViolation"]] if version is Version.V21 else [])


@pytest.mark.parametrize(
    ("order", "answer", "violations"),
    [
        (ClearCache(), {"status": "Accepted"}, 0),
        (ClearCache(), {"status": "Rejected"}, 0),
        (ClearCache(), {"status": "Accepted", "mood": "good"}, 1),
        (RawCall("ClearCache", {}), {"status": "Done"}, 1),
        (RawCall("OfAVendor", {}), {"status": "Done"}, 0),
        (RawCall("NotifyPeriodicEventStream", {}), {}, 0),
    ],
    ids=str,
)
async def test_an_answer_that_can_be_used_is_not_complained_of(
    order: Order, answer: dict[str, object], violations: int
) -> None:
    line = Line(dialect=DIALECTS[Version.V21])
    async with putting(line, order) as (asked,):
        await line.asked_for(1)
        line.answer(0, answer)
        await asked
    assert (line.violations, line.complaints) == (violations, [])


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
async def test_settings_without_a_result_are_no_settings(version: Version) -> None:
    line = Line(dialect=DIALECTS[version])
    async with putting(line, GetConfiguration(("A.B",))) as (asked,):
        await line.asked_for(1)
        line.answer(0, {})
        assert (await asked).reason is Reason.INVALID
    assert len(line.complaints) == (version is Version.V21)
