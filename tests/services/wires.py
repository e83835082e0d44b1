"""A WebSocket in memory, with a notary on it who sees every frame and knows what OCPP-J demands of ours.

I1: every call has one answer, with its own id. I2: one call of ours open at a time. Every call and answer of ours
fits its schema, and no id of a call of ours was ever anybody's before.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ocpp_mqtt_proxy.budget import Excess
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schema

CALL, RESULT, ERROR = 2, 3, 4

NEARLY = 0.001
"""Seconds that a timer may be early: loops round."""


@dataclass
class Notary:
    """What was seen that must not be; and the ids of all calls so far, ours and anybody's."""

    faults: list[str] = field(default_factory=list)
    ours: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)

    def deny(self, invariant: str, what: str) -> None:
        """An invariant does not hold."""
        self.faults.append(f"{invariant}: {what}")


@dataclass
class Wire:
    """One connection: our end is a socket as links want it, `hear` gets what we send, `say` sends to us.

    A call of ours may be given up after `patience` seconds. `unanswered` are the peer's calls, by their ids, `asked`
    the actions of those ids, `forgiven` ids in frames that are none, which may be answered by an error or not.
    While `silent` our end need not answer: it was rejected by a 1.6 peer (1.6 §4.2).
    """

    name: str
    version: Version
    patience: float
    notary: Notary
    hear: Callable[[bytes], None] = lambda _: None
    excess: Excess = field(default_factory=Excess)
    farewell: str = ""
    parted: str = ""
    unanswered: Counter[str] = field(default_factory=Counter)
    asked: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    excused: Counter[str] = field(default_factory=Counter)
    silent: bool = False
    forgiven: set[str] = field(default_factory=set)
    sent: list[Any] = field(default_factory=list)
    _open: tuple[str, float] | None = None
    _take: Callable[[bytes], None] | None = None
    _held: bool = False
    _waiting: list[bytes] = field(default_factory=list)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def stands(self) -> bool:
        """Whether it is open."""
        return not self._gone.is_set()

    # Our end

    def listen(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._go_on()

    def put(self, message: bytes) -> bool:
        if not self.stands:
            return False
        frame = orjson.loads(message)
        self.sent.append(frame)
        {CALL: self._we_ask, RESULT: self._we_answer, ERROR: self._we_refuse}.get(frame[0], self._other)(frame)
        asyncio.get_running_loop().call_soon(self._arrive, message)
        return True

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        self._go_on()

    def part(self, reason: str) -> None:
        self.parted = self.parted or (reason if self.stands else "")
        self._end(reason)

    async def wait_closed(self) -> None:
        await self._gone.wait()

    # The peer's end

    def say(self, frame: bytes) -> None:
        """The peer sends a frame, whatever it is."""
        if self.stands:
            self._note(frame)
            self._waiting.append(frame)
            asyncio.get_running_loop().call_soon(self._go_on)

    def ask(self, message_id: str, action: str, payload: object) -> None:
        """The peer calls."""
        if self.stands:
            (self.excused if self.silent else self.unanswered)[message_id] += 1
            self.asked[message_id].append(action)
            self.notary.others.add(message_id)
            self.say(orjson.dumps([CALL, message_id, action, payload]))

    def shout(self, frame: bytes) -> None:
        """The peer sends what is no message: where it has an id, it may be answered by an error."""
        try:
            read = orjson.loads(frame)
        except orjson.JSONDecodeError:
            read = None
        if self.stands and isinstance(read, list) and len(read) > 1 and isinstance(read[1], str):
            self.forgiven.add(read[1])
        self.say(frame)

    def close(self, reason: str = "gone") -> None:
        """The peer is gone."""
        self._go_on()
        self._end(reason)

    def _end(self, reason: str) -> None:
        self.farewell = self.farewell or reason
        self._gone.set()

    def _arrive(self, message: bytes) -> None:
        if self.stands:
            self.hear(message)

    def _go_on(self) -> None:
        while self._take is not None and self._waiting and not self._held and self.stands:
            self._take(self._waiting.pop(0))

    # What the notary sees

    def _note(self, frame: bytes) -> None:
        """An answer of the peer's ends a call of ours, where it is one."""
        try:
            read = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return
        whole = isinstance(read, list) and len(read) > 2 and read[0] in (RESULT, ERROR)
        if whole and self._open is not None and read[1] == self._open[0]:
            self._open = None

    def _we_ask(self, frame: list[Any]) -> None:
        _, message_id, action, payload = frame
        now = asyncio.get_running_loop().time()
        if self._open is not None and now - self._open[1] < self.patience - NEARLY:
            self.notary.deny("I2", f"{self.name} was sent {action} while {self._open[0]} was open")
        if message_id in self.notary.ours | self.notary.others:
            self.notary.deny("I4", f"{self.name} was sent {action} by an id that was somebody's: {message_id}")
        if fault := schema.check(self.version, action, payload):
            self.notary.deny("schema", f"{self.name} was sent {action} {payload}: {fault}")
        self.notary.ours.add(message_id)
        self._open = (message_id, now)

    def _we_answer(self, frame: list[Any]) -> None:
        _, message_id, payload = frame
        self._answered(message_id)
        known = [action for action in self.asked[message_id] if action in schema.actions(self.version)]
        found = [schema.check(self.version, action, payload, response=True) for action in known]
        if all(fault is not None for fault in found):
            self.notary.deny("schema", f"{self.name} was answered {self.asked[message_id]} {payload}: {found}")

    def _we_refuse(self, frame: list[Any]) -> None:
        if frame[1] != "-1" and frame[1] not in self.forgiven:  # what nobody can read (2.x)
            self._answered(frame[1])

    def _answered(self, message_id: str) -> None:
        if self.unanswered[message_id] <= 0 < self.excused[message_id]:
            self.excused[message_id] -= 1
            return
        if self.unanswered[message_id] <= 0:
            self.notary.deny("I1", f"{self.name} was answered {message_id!r}, which it did not ask, or twice")
        self.unanswered[message_id] -= 1

    def _other(self, frame: list[Any]) -> None:
        if self.version is not Version.V21:
            self.notary.deny("I1", f"{self.name} was sent a message of type {frame[0]}")
