"""The load: chargers that say one thing at a time, as fast as they are answered."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.bench.frames import Script, fill

_TRANSACTION = re.compile(rb'"transactionId":\s*(\d+)')
_transactions = itertools.count(1)
_registers: Counter[str] = Counter()
"""Wh that each charger's meter shows; it goes on from one visit to the next."""

AT_ONCE = 50
"""Connections opened at once."""

Sent = Callable[[str, int], None]
"""Told of a charger's id and register before each meter frame."""


@dataclass
class Charger:
    """A charger, connected."""

    id: str
    script: Script
    socket: ClientConnection
    number: int = 0
    transaction: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def register(self) -> int:
        """What its meter shows, in Wh."""
        return _registers[self.id]

    async def say(self, template: bytes) -> bytes:
        """Make a call; its answer."""
        self.number += 1
        frame = fill(template, number=self.number, wh=self.register, tx=self.transaction)
        began = time.perf_counter()
        await self.socket.send(frame, text=True)
        answer = await self._answer()
        self.times.append(time.perf_counter() - began)
        return answer

    async def _answer(self) -> bytes:
        """The answer; calls that come in meanwhile are declined."""
        while True:
            message = await self.socket.recv(decode=False)
            if message[1:2] == b"3":
                return message
            if message[1:2] == b"4":
                raise RuntimeError(f"{self.id} was refused: {message[:200]!r}")
            number = message.split(b'"', 2)[1]
            await self.socket.send(b'[4,"' + number + b'","NotSupported","",{}]', text=True)

    async def arrive(self) -> None:
        """Boot and begin to charge."""
        await self.say(self.script.boot)
        await self.say(self.script.status)
        self.transaction = next(_transactions)
        given = _TRANSACTION.search(await self.say(self.script.start))
        self.transaction = int(given[1]) if given else self.transaction

    async def meter(self, frames: int, sent: Sent | None = None, pause: float = 0.0) -> None:
        """Send readings, one after the other."""
        self.times.clear()
        for _ in range(frames):
            _registers[self.id] += 1
            if sent is not None:
                sent(self.id, self.register)
            await self.say(self.script.meter)
            if pause:
                await asyncio.sleep(pause)


@dataclass
class Fleet:
    """Chargers that charge."""

    chargers: list[Charger]

    async def meter(self, frames: int, sent: Sent | None = None, pause: float = 0.0) -> float:
        """Have all together send so many frames, `pause` seconds between two of each; the seconds that took."""
        began = time.perf_counter()
        each = frames // len(self.chargers)

        async def meter(index: int, charger: Charger) -> None:
            await asyncio.sleep(pause * index / len(self.chargers))
            await charger.meter(each, sent, pause)

        await asyncio.gather(*(meter(index, charger) for index, charger in enumerate(self.chargers)))
        return time.perf_counter() - began

    @property
    def times(self) -> list[float]:
        """Every round trip of the last readings, sorted, in seconds."""
        return sorted(t for charger in self.chargers for t in charger.times)


@contextlib.asynccontextmanager
async def connected(url: str, subprotocol: str, count: int) -> AsyncIterator[dict[str, ClientConnection]]:
    """Open sockets by charger id; closed at the end."""
    async with contextlib.AsyncExitStack() as open_sockets:
        door = asyncio.Semaphore(AT_ONCE)

        async def dial(charger_id: str) -> tuple[str, ClientConnection]:
            offer = [Subprotocol(subprotocol)]
            async with door:
                socket = connect(f"{url}/{charger_id}", subprotocols=offer, compression=None, ping_interval=None)
                return charger_id, await open_sockets.enter_async_context(socket)

        yield dict(await asyncio.gather(*(dial(f"B{number:04d}") for number in range(count))))


@contextlib.asynccontextmanager
async def fleet(url: str, script: Script, count: int) -> AsyncIterator[Fleet]:
    """Chargers that have arrived; their transactions end with them."""
    async with connected(url, script.subprotocol, count) as sockets:
        chargers = [Charger(charger_id, script, socket) for charger_id, socket in sockets.items()]
        await asyncio.gather(*(charger.arrive() for charger in chargers))
        yield Fleet(chargers)
        await asyncio.gather(*(charger.say(script.stop) for charger in chargers))
