"""An event loop whose time is its own: it stands while there is something to do, and leaps to what is due next.

Minutes pass in milliseconds, and the same happens in the same order each time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ocpp_mqtt_proxy.ports import Clock
from tests.fakes import NOON

T = TypeVar("T")


class Stuck(AssertionError):
    """Everybody waits, and nothing will ever come."""


class _Leaping(selectors.SelectSelector):
    """Where a loop would sleep, its time goes on."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.elapsed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing of the outside reaches it: for what is all in memory."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Seconds since it began."""
        return self._leaping.elapsed

    def finish(self) -> None:
        """End whatever still runs, and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        self.run_until_complete(_gathered(*tasks))
        self.close()


async def _gathered(*tasks: asyncio.Task[Any]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class LoopClock(Clock):
    """The clock on the wall goes as the loop's time does: it is noon when that begins."""

    loop: asyncio.AbstractEventLoop

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.loop.time())


def in_no_time(work: Coroutine[Any, Any, T]) -> T:
    """Run something on a loop with a time of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
