"""Whose turn it is. Long work goes in short steps: what is done for every charger must not hold one of them up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress


async def in_turns(steps: Iterable[object]) -> None:
    """Take the steps, and let everybody else have their turn after each."""
    for _ in steps:
        await asyncio.sleep(0)


def at_once(steps: Iterable[object]) -> None:
    """Take the steps without a pause."""
    for _ in steps:
        pass


async def within(seconds: float, event: asyncio.Event) -> bool:
    """Whether an event comes within a time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


class Turnstile:
    """Lets one through in each step of the event loop, in order.

    Many that begin at once would otherwise do so in one step, and whoever has a socket to be read would wait for all.
    """

    def __init__(self) -> None:
        self._closed = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def turn(self) -> None:
        """Wait for one's turn; not at all where nobody else had this step's."""
        loop = asyncio.get_running_loop()
        if not self._closed:
            self._closed = True
            loop.call_soon(self._open, loop)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # nobody waits for it any more
                turn.set_result(None)
                loop.call_soon(self._open, loop)
                return
        self._closed = False
