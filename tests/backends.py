"""Backends in tests: a WebSocket that speaks JSON, as anybody's would."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.running import PATIENCE, Running


def provider(name: str, /, **given: Any) -> dict[str, Any]:
    """A provider's configuration: it may act at any time, and its token is `<name>-token`."""
    return {"id": name, "token": f"{name}-token", "presence": "any", **given}


@dataclass
class Backend:
    """An open socket of a backend, and all that came on it."""

    socket: ClientConnection
    heard: list[dict[str, Any]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [message for message in self.heard if message["type"] == "event"]

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                async with self._news:
                    self.heard.append(json.loads(text))
                    self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message."""

        def first() -> dict[str, Any] | None:
            return next((message for message in self.heard if found(message)), None)

        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while (message := first()) is None:
                    await self._news.wait()
                return message
        except TimeoutError:
            raise AssertionError(f"did not come; heard: {self.heard[-20:]}") from None

    async def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event of a kind, with some fields."""
        wanted = {"type": "event", "event": kind, **fields}
        return await self.until(lambda message: wanted.items() <= message.items())

    async def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        number = f"b{next(self._numbers)}"
        await self.socket.send(json.dumps({"id": number, "action": action, **arguments}))
        return await self.until(lambda message: message["type"] == "response" and message["id"] == number)

    async def does(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Ask for what is done; its result."""
        answer = await self.ask(action, **arguments)
        assert answer["status"] == "ok", answer
        return dict(answer["result"])

    async def refused(self, action: str, **arguments: Any) -> str:
        """Ask for what is refused; the reason."""
        answer = await self.ask(action, **arguments)
        assert answer["status"] == "refused", answer
        return str(answer["reason"])


def address(service: Running, **query: str) -> str:
    return f"ws://127.0.0.1:{service.app.port}/backend?{urlencode(query)}"


@contextlib.asynccontextmanager
async def backend(
    service: Running, name: str, *events: str, token: str | None = None, **options: Any
) -> AsyncIterator[Backend]:
    """A backend that is connected, with its token, and hears of some kinds of events."""
    bearer = {"Authorization": f"Bearer {token if token is not None else f'{name}-token'}"}
    async with connect(address(service, id=name), additional_headers=bearer, max_size=None, **options) as socket:
        one = Backend(socket)
        reading = asyncio.create_task(one.read())
        try:
            if events:
                await one.does("subscribe", events=list(events))
            yield one
        finally:
            await socket.close()
            await reading
