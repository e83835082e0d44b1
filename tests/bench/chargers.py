"""The load: chargers that say one thing at a time, as fast as they are answered or at a pace."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable

from tests.bench.frames import Script, fill
from tests.bench.obedience import obey
from tests.bench.wire import Wire, dial

_TRANSACTION = re.compile(rb'"transactionId":\s*(\d+)')
_transactions = itertools.count(1)
_registers: Counter[str] = Counter()
"""Wh that each charger's meter shows; it goes on from one visit to the next."""

AT_ONCE = 50
"""Connections opened at once."""

ANSWER_SECONDS = 60.0

Sent = Callable[[str, int], None]
"""Told of a charger's id and register before each meter frame."""

Answered = Callable[[bytes, float], None]
"""Told of an answer and how long it took."""


class Charger(Wire):
    """A charger. `times` are the round trips of its last readings; `orders` counts what it was asked for."""

    def __init__(self, charger_id: str, script: Script) -> None:
        super().__init__()
        self.id = charger_id
        self.script = script
        self.times: list[float] = []
        self.orders = 0
        self.sent = 0
        self._number = 0
        self._transaction = 0
        self._waiting: dict[bytes, tuple[float, Answered]] = {}
        self._later: deque[bytes] = deque()
        self._readings = 0
        self._pause = self._due = 0.0
        self._tell: Sent | None = None
        self._done: asyncio.Future[None] | None = None

    @property
    def register(self) -> int:
        """What its meter shows, in Wh."""
        return _registers[self.id]

    # Calls

    def call(self, template: bytes, then: Answered) -> None:
        """Make a call; does not wait."""
        self._number += 1
        frame = fill(template, number=self._number, wh=_registers[self.id], tx=self._transaction)
        self._waiting[b"m%d" % self._number] = (time.perf_counter(), then)
        self.send(frame)

    async def say(self, template: bytes) -> bytes:
        """Make a call; its answer."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.call(template, lambda text, _: answer.set_result(text))
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer

    def hear(self, text: bytes, key: bytes) -> None:
        """Take an answer, or obey."""
        now = time.perf_counter()
        number = text.split(b'"', 2)[1]
        if text[1:2] == b"2":
            self._obey(text)
            return
        if text[1:2] != b"3":
            raise RuntimeError(f"{self.id} was refused: {text[:200]!r}")
        began, then = self._waiting.pop(number)
        then(text, now - began)
        if self._later and not self._waiting:
            self.call(self._later.popleft(), lambda *_: None)

    def _obey(self, text: bytes) -> None:
        self.orders += 1
        _, number, action, payload = json.loads(text)
        answer, follows = obey(action, payload, self.script)
        self.send(json.dumps([3, number, answer], separators=(",", ":")).encode())
        if follows:
            self._later.append(follows)
            if not self._waiting:
                self.call(self._later.popleft(), lambda *_: None)

    def lost(self) -> None:
        """Whoever waits need not."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError(f"{self.id} was cut off"))

    # What it does

    async def arrive(self) -> None:
        """Boot and say how it is."""
        if b'"Accepted"' not in await self.say(self.script.boot):
            raise RuntimeError(f"{self.id} is not accepted")
        await self.say(self.script.status)

    async def begin(self) -> None:
        """Begin to charge."""
        self._transaction = next(_transactions)
        given = _TRANSACTION.search(await self.say(self.script.start))
        self._transaction = int(given[1]) if given else self._transaction

    async def meter(self, frames: int, sent: Sent | None = None, pause: float = 0.0, at_once: int = 1) -> None:
        """Send readings, `pause` seconds from one to the next where it can. Raises ConnectionError.

        `at_once` is how many wait for their answers: more than 1 is what OCPP does not allow.
        """
        loop = asyncio.get_running_loop()
        self.times.clear()
        self.sent, self._readings, self._pause, self._due, self._tell = 0, frames, pause, loop.time(), sent
        self._done = loop.create_future()
        for _ in range(min(at_once, frames)):
            self._read()
        await self._done

    def _read(self) -> None:
        self.sent += 1
        _registers[self.id] += 1
        if self._tell is not None:
            self._tell(self.id, _registers[self.id])
        self.call(self.script.meter, self._answered)

    def _answered(self, _: bytes, seconds: float) -> None:
        self.times.append(seconds)
        if self.sent < self._readings:
            if self._pause:
                loop = asyncio.get_running_loop()
                self._due = max(self._due + self._pause, loop.time())
                loop.call_at(self._due, self._read)
            else:
                self._read()
        elif len(self.times) == self._readings and self._done is not None:
            self._done.set_result(None)


class Fleet:
    """Chargers that charge."""

    def __init__(self, chargers: list[Charger]) -> None:
        self.chargers = chargers

    async def meter(self, frames: int, sent: Sent | None = None, pause: float = 0.0, at_once: int = 1) -> float:
        """Have all together send so many frames, `pause` seconds between two of each; the seconds that took."""
        began = time.perf_counter()
        each = frames // len(self.chargers)

        async def meter(index: int, charger: Charger) -> None:
            await asyncio.sleep(pause * index / len(self.chargers))
            await charger.meter(each, sent, pause, at_once)

        await asyncio.gather(*(meter(index, charger) for index, charger in enumerate(self.chargers)))
        return time.perf_counter() - began

    @property
    def times(self) -> list[float]:
        """Every round trip of the last readings, sorted, in seconds."""
        return sorted(t for charger in self.chargers for t in charger.times)

    @property
    def sent(self) -> int:
        """Readings sent by the last call of `meter` so far."""
        return sum(charger.sent for charger in self.chargers)


@contextlib.asynccontextmanager
async def arrived(url: str, script: Script, count: int, seconds: float = 0.0) -> AsyncIterator[list[Charger]]:
    """Chargers that have booted, over so many seconds; they leave at the end."""
    chargers = [Charger(f"B{number:04d}", script) for number in range(count)]
    door = asyncio.Semaphore(AT_ONCE)

    async def arrive(index: int, charger: Charger) -> None:
        await asyncio.sleep(seconds * index / count)
        async with door:
            await dial(f"{url}/{charger.id}", script.subprotocol, charger)
            await charger.arrive()

    try:
        await asyncio.gather(*(arrive(index, charger) for index, charger in enumerate(chargers)))
        yield chargers
    finally:
        for charger in chargers:
            charger.close()


@contextlib.asynccontextmanager
async def fleet(url: str, script: Script, count: int, seconds: float = 0.0) -> AsyncIterator[Fleet]:
    """Chargers that charge, arrived over so many seconds; their transactions end with them."""
    async with arrived(url, script, count, seconds) as chargers:
        for charger in chargers:
            await charger.begin()
        yield Fleet(chargers)
        await asyncio.gather(*(charger.say(script.stop) for charger in chargers if charger.transport is not None))
