"""A charger that is busy for a while: what waits for it goes in order, and only where it is wanted by then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Order, Outcome
from tests.fakes import FakeLink


@dataclass
class BusyLink(FakeLink):
    """A charger's socket; while it is not `free` orders wait. `offered` are those that came to wait or went."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    offered: list[Order] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, order: Order, still: Callable[[], bool] | None = None) -> Outcome:
        self.offered.append(order)
        self._news.set()
        await self.free.wait()
        if still is not None and not still():
            return WITHDRAWN
        return await super().send(order)

    async def waited_for(self, count: int = 1) -> None:
        """Wait until so many orders came."""
        async with asyncio.timeout(10):
            while len(self.offered) < count:
                self._news.clear()
                await self._news.wait()
