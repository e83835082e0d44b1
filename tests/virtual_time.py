"""An event loop on which time passes at once: where nothing is to be done, the clock jumps to the next thing that is."""

from __future__ import annotations

import asyncio
import selectors
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy.ports import Clock
from tests.fakes import NOON


class _Jumping(selectors.SelectSelector):
    """A selector that does not wait: it puts the loop's time on by as much."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for nothing"
        self.passed += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with time of its own; what waits on it waits for no real time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed

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
    """The clock on the wall of a virtual loop: noon when it began."""

    loop: VirtualLoop

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.loop.time())
