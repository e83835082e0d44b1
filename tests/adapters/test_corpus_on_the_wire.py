"""Every frame of the corpus, sent by a charger over a real WebSocket to the running service."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.commands import GetConfiguration, Message, Order, Reason, Reset, Trigger
from ocpp_mqtt_proxy.core.model import Place, Target, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.ocppj.judge import assert_valid, right_outcomes
from tests.ocppj.rows import CALL, ERROR, RESULT, RESULT_ERROR, SEND, Row, by_row, rows, valid
from tests.running import PATIENCE, Running, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

V16, V201, V21 = Version
NOTHING = {"Drop", "Ignore", "NoReply"}

MAX_FRAME = Budget().message
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One service for all rows; each row is a charger of its own."""
    async with running(tmp_path_factory.mktemp("corpus"), None) as started:
        yield started


@pytest.fixture(autouse=True)
def _nothing_fails_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An error answered because the service itself failed is no right outcome."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@dataclass
class Wire:
    """A charger that sends what it is told.

    What it is `asked` it refuses, by an error or, where there is one, by the same `reply` to all; calls that are
    `held` it leaves open.
    """

    charger_id: str
    version: Version
    socket: ClientConnection
    answers: list[list[Any]] = field(default_factory=list)
    held: tuple[str, dict[str, Any]] | None = None
    held_id: str | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reply: dict[str, Any] | None = None
    closed: int | None = None
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                frame = json.loads(message)
                if frame[0] == CALL:
                    await self._asked(frame)
                else:
                    await self._note(partial(self.answers.append, frame))
        await self._note(partial(setattr, self, "closed", self.socket.close_code))

    async def _asked(self, frame: list[Any]) -> None:
        _, message_id, action, payload = frame
        if (action, payload) == self.held:
            await self._note(partial(setattr, self, "held_id", message_id))
            return
        error = [ERROR, message_id, "NotImplemented", "", {}]
        await self.socket.send(json.dumps(error if self.reply is None else [RESULT, message_id, self.reply]))
        await self._note(partial(self.asked.append, (action, payload)))

    async def _note(self, change: Callable[[], object]) -> None:
        async with self._news:
            change()
            self._news.notify_all()

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: condition() or self.closed is not None)

    async def send(self, data: str | bytes | list[Any], *, binary: bool = False) -> None:
        """Send text, whatever is in it, or bytes; a list as JSON."""
        given = json.dumps(data) if isinstance(data, list) else data
        with contextlib.suppress(ConnectionClosed):
            await self.socket.send(given, text=not binary)

    def of(self, message_id: Any) -> list[list[Any]]:
        """What was answered to an id, as exactly that id."""
        return [frame for frame in self.answers if frame[1] == message_id and type(frame[1]) is type(message_id)]

    async def answer(self, frame: list[Any]) -> list[Any]:
        """Send a call and wait for its answer."""
        await self.send(frame)
        await self.until(lambda: self.of(frame[1]))
        return self.of(frame[1])[0]

    async def is_alive(self) -> bool:
        """Whether the charger is still answered; all that came before this has then been read by the service."""
        beat = f"beat-{next(_numbers)}"
        await self.send([CALL, beat, "Heartbeat", {}])
        await self.until(lambda: self.of(beat))
        alive = [frame for frame in self.answers if frame[1] == beat]
        self.answers = [frame for frame in self.answers if frame[1] != beat]
        return [frame[0] for frame in alive] == [RESULT]


@contextlib.asynccontextmanager
async def wire(service: Running, version: Version, called: str = "") -> AsyncIterator[Wire]:
    """A charger of its own, connected."""
    charger_id = called or f"row{next(_numbers)}"
    protocols = [Subprotocol(DIALECTS[version].subprotocol)]
    async with connect(f"{service.chargers}/{charger_id}", subprotocols=protocols, compression=None) as socket:
        charger = Wire(charger_id, version, socket)
        reader = asyncio.create_task(charger.read())
        try:
            yield charger
        finally:
            await socket.close()
            await reader


def said(frame: list[Any]) -> set[str]:
    """An answer in the corpus's words."""
    if frame[0] == ERROR:
        return {f"CallError:{frame[2]}", "CallError:*"}
    if frame[0] == RESULT_ERROR:
        return {f"CallResultError:{frame[2]}"}
    status = frame[2].get("status")
    return {"CallResult", "Accept-both", f"CallResult:{status}"}


# What is valid


@by_row(valid(from_charger=True, kind=CALL))
async def test_every_valid_call_has_one_valid_answer_with_its_own_id(service: Running, row: Row) -> None:
    async with wire(service, row.version) as charger:
        kind, message_id, payload = await charger.answer(row.fields["frame"])
        assert (kind, message_id) == (RESULT, row.message_id)
        assert_valid(row.version, row.action, payload, response=True)
        assert await charger.is_alive()
        assert len(charger.answers) == 1


@by_row(valid(from_charger=True, kind=SEND))
async def test_what_wants_no_answer_gets_none_and_is_counted_as_good(service: Running, row: Row) -> None:
    async with wire(service, row.version) as charger:
        await charger.send(row.fields["frame"])
        assert await charger.is_alive()
        assert charger.answers == []
        counters = service.app.gate.present[charger.charger_id].link.counters
        assert (counters.bad_frames, counters.refused) == (0, 0)


@pytest.mark.parametrize(
    "frame", [[6, "s", "Heartbeat", {}], [6, "s", "Oops", {}], [6, "s", "NotifyPeriodicEventStream", {}]]
)
async def test_what_wants_no_answer_gets_none_however_wrong(service: Running, frame: list[Any]) -> None:
    async with wire(service, V21) as charger:
        await charger.send(frame)
        assert await charger.is_alive()
        assert charger.answers == []
        assert service.app.gate.present[charger.charger_id].link.counters.refused == 1


async def test_a_charger_that_cannot_use_our_answer_is_counted_and_not_answered(service: Running) -> None:
    async with wire(service, V21) as charger:
        await charger.answer([CALL, "1", "Heartbeat", {}])
        charger.answers.clear()
        await charger.send([RESULT_ERROR, "1", "FormatViolation", "no time in it", {}])
        assert await charger.is_alive()
        assert charger.answers == []
        assert service.app.gate.present[charger.charger_id].link.counters.unused == 1


# What is not

ELSEWHERE: list[tuple[str, Callable[[Row], bool]]] = [
    ("an upgrade request: tests/adapters/test_gate.py sends them", lambda row: "handshake" in row.fields),
    ("a CSMS speaks: tests/ocppj/test_obey.py answers it; none connects yet", lambda row: not row.from_charger),
]
"""Rows that are not sent here, and why."""


def _why_not(row: Row) -> list[str]:
    return [reason for reason, applies in ELSEWHERE if applies(row)]


ODD = rows("malformed", "quirks")
DRIVEN = [row for row in ODD if not _why_not(row)]


def is_answer(row: Row) -> bool:
    """Whether a row answers a call of ours."""
    return "$PENDING" in json.dumps(row.fields) or "setup" in row.fields


async def test_every_row_is_sent_or_has_one_reason_why_not() -> None:
    assert [len(_why_not(row)) for row in ODD if row not in DRIVEN] == [1] * (len(ODD) - len(DRIVEN))
    assert {reason for row in ODD for reason in _why_not(row)} == {reason for reason, _ in ELSEWHERE}
    assert len(DRIVEN) > len(ODD) * 0.8


@by_row([row for row in DRIVEN if not is_answer(row)])
async def test_every_odd_frame_has_an_outcome_that_the_corpus_takes(service: Running, row: Row) -> None:
    async with wire(service, row.version) as charger:
        calls = await _send(charger, row)
        alive = await charger.is_alive()
        right = set(right_outcomes(row))
        if calls and not right & NOTHING:
            await charger.until(lambda: len(charger.answers) >= len(calls))
        _judge(charger, row, calls, right, alive=alive)


async def _send(charger: Wire, row: Row) -> list[list[Any]]:
    """Send a row; the calls in it that can be answered by their id."""
    if "context" in row.fields:
        frames = await _after_its_start(charger, row)
    else:
        frames = row.fields.get("sequence") or ([row.fields["frame"]] if "frame" in row.fields else [])
    for frame in frames:
        await charger.send(await _with_id(charger, frame))
    if not frames:
        for data in row.wire:
            await charger.send(data, binary=row.fields.get("opcode") == "binary")
    return [frame for frame in frames if len(frame) > 1 and frame[0] == CALL and isinstance(frame[1], str | int)]


async def _after_its_start(charger: Wire, row: Row) -> list[list[Any]]:
    """Have the transaction run that the row is about, and name it as we do."""
    start = {"connectorId": 1, "idTag": "A", "timestamp": "2026-03-14T08:00:00Z", **row.fields["context"]}
    answer = await charger.answer([CALL, "start", "StartTransaction", start])
    charger.answers.clear()
    kind, message_id, action, payload = row.fields["frame"]
    return [[kind, message_id, action, payload | {"transactionId": answer[2]["transactionId"]}]]


async def _with_id(charger: Wire, frame: list[Any]) -> list[Any]:
    """A frame, with the transaction id that we gave in place of `$ID`."""
    if "$ID" not in json.dumps(frame):
        return frame
    await charger.until(lambda: any(frame[0] == RESULT for frame in charger.answers))
    (given,) = {frame[2]["transactionId"] for frame in charger.answers if "transactionId" in frame[2]}
    return list(json.loads(json.dumps(frame).replace('"$ID"', str(given))))


def _judge(charger: Wire, row: Row, calls: list[list[Any]], right: set[str], *, alive: bool) -> None:
    if charger.closed is not None:
        assert right & {f"Close:{charger.closed}", "Close:*"}
        return
    assert alive
    assert charger.answers or right & NOTHING
    for frame in charger.answers:
        assert said(frame) & right
    _judge_ids(charger, row, calls)
    for call in calls:
        for frame in charger.of(call[1]):
            if frame[0] == RESULT:
                assert_valid(row.version, call[2], frame[2], response=True)


def _judge_ids(charger: Wire, row: Row, calls: list[list[Any]]) -> None:
    """Each answer bears its call's id, as it came; without a readable one, the id that the row says."""
    sent = [call[1] for call in calls]
    if not calls and "frame" in row.fields and len(row.fields["frame"]) > 1:
        sent = [row.fields["frame"][1]]
    for frame in charger.answers:
        assert frame[1] in sent or frame[0] == RESULT or frame[1] == row.fields.get("error_id", "-1")
    if calls and charger.answers:
        assert sorted(map(str, sent)) == sorted(str(frame[1]) for frame in charger.answers)


@by_row([row for row in DRIVEN if "sequence" in row.fields and "StartTransaction" in json.dumps(row.fields)])
async def test_a_start_told_again_is_the_same_transaction(service: Running, row: Row) -> None:
    async with wire(service, row.version) as charger:
        calls = await _send(charger, row)
        await charger.until(lambda: len(charger.answers) == len(calls))
        first, again = (charger.of(call[1])[0][2] for call in calls if call[2] == "StartTransaction")
        assert first == again
        assert first["idTagInfo"]["status"] == "Accepted"


# Answers to calls of ours

ORDERS: dict[str, Order] = {
    "GetConfiguration": GetConfiguration(("OnlyAskedHere",)),
    "Reset": Reset(hard=True),
    "TriggerMessage": Trigger(Message.METER, Target(7, Place(7, 1))),
}
"""Orders that nobody else in the service gives."""


@by_row([row for row in DRIVEN if is_answer(row) and "$PENDING" in json.dumps(row.fields)])
async def test_an_odd_answer_fails_the_caller_alone(service: Running, row: Row) -> None:
    text = row.wire[0]
    assert isinstance(text, str)
    action = text.partition("$PENDING:")[2].partition('"')[0]
    async with wire(service, row.version) as charger:
        charger.held = DIALECTS[row.version].put(ORDERS[action])
        asked = asyncio.create_task(service.app.hub.links[charger.charger_id].send(ORDERS[action]))
        await charger.until(lambda: charger.held_id)
        await charger.send(text.replace(f"$PENDING:{action}", str(charger.held_id)))
        outcome = await asked
        assert await charger.is_alive()
        if row.expect.startswith("CallResultError"):
            (complaint,) = charger.answers
            assert complaint[1] == charger.held_id
            assert said(complaint) & set(row.accept)
            assert not outcome.ok
            return
        assert charger.answers == []
        if row.expect == "AcceptResult":
            assert outcome.reason in (None, Reason.CHARGER_REJECTED)
        else:
            assert row.expect == "LocalFailure"
            assert not outcome.ok


@by_row([row for row in DRIVEN if is_answer(row) and "answered-before" in json.dumps(row.fields)])
async def test_a_second_answer_is_ignored(service: Running, row: Row) -> None:
    async with wire(service, row.version) as charger:
        charger.held = DIALECTS[row.version].put(ORDERS["Reset"])
        asked = asyncio.create_task(service.app.hub.links[charger.charger_id].send(ORDERS["Reset"]))
        await charger.until(lambda: charger.held_id)
        answer = row.fields["frame"]
        await charger.send([answer[0], charger.held_id, *answer[2:]])
        await charger.send([answer[0], charger.held_id, *answer[2:]])
        assert (await asked).ok
        assert await charger.is_alive()
        assert charger.answers == []


# Large, deep and strange


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_number_for_an_id_comes_back_as_a_number(service: Running, version: Version) -> None:
    async with wire(service, version) as charger:
        assert (await charger.answer([CALL, 12345, "Heartbeat", {}]))[:2] == [RESULT, 12345]


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("levels", [65, 250, 900])
async def test_data_nested_too_deep_is_refused_and_the_charger_stays(
    service: Running, version: Version, levels: int
) -> None:
    async with wire(service, version) as charger:
        await charger.send('[2,"deep","DataTransfer",{"vendorId":"x","data":' + "[" * levels + "]" * levels + "}]")
        assert await charger.is_alive()
        ((kind, message_id, *_),) = charger.answers
        assert (kind, message_id) == (ERROR, "deep")


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_frame_may_have_a_megabyte(service: Running, version: Version) -> None:
    shell = '[2,"big","DataTransfer",{"vendorId":"x","data":""}]'
    async with wire(service, version) as charger:
        await charger.send(shell.replace('""', '"' + "x" * (MAX_FRAME - len(shell)) + '"'))
        assert await charger.is_alive()
        assert [frame[:2] for frame in charger.answers] == [[RESULT, "big"]]


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_call_beyond_a_megabyte_is_refused_by_its_id(service: Running, version: Version) -> None:
    async with wire(service, version) as charger:
        await charger.send('[2,"big","DataTransfer",{"vendorId":"' + "x" * MAX_FRAME + '"}]')
        assert await charger.is_alive()
        assert [frame[:3] for frame in charger.answers] == [[ERROR, "big", said_of(version)]]


def said_of(version: Version) -> str:
    return "FormationViolation" if version is V16 else "FormatViolation"


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_megabyte_of_wrong_values_is_answered(service: Running, version: Version) -> None:
    payload = {"connectorId": 1, "evseId": 1, "meterValue": [1] * 300_000}
    async with wire(service, version) as charger:
        answer = await charger.answer([CALL, "wrong", "MeterValues", payload])
        assert answer == [RESULT, "wrong", {}]


@pytest.mark.parametrize("version", DIALECTS)
async def test_what_one_charger_sends_costs_another_nothing(service: Running, version: Version) -> None:
    unreadable = [row for row in DRIVEN if row.version is version and {"build", "raw", "raw_b64"} & row.fields.keys()]
    assert unreadable
    async with wire(service, version) as bystander:
        for row in unreadable:
            async with wire(service, version) as charger:
                await _send(charger, row)
                await charger.is_alive()
        assert await bystander.is_alive()
        assert bystander.answers == []
