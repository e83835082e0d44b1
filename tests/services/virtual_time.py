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

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.loop.elapsed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing of the outside reaches it: for what is all in memory."""

    elapsed = 0.0

    def __init__(self) -> None:
        selector = _Leaping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since it began."""
        return self.elapsed


@dataclass
class LoopClock(Clock):
    """The house's clock goes as the loop's time does."""

    loop: asyncio.AbstractEventLoop

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.loop.time())


def in_no_time(work: Coroutine[Any, Any, T]) -> T:
    """Run something on a loop with a time of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
