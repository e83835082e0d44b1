"""Home Assistant's WebSocket API: logging in, asking, hearing of entities, noticing silence."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from websockets.asyncio.client import ClientConnection, connect

PATH = "/api/websocket"


class Lost(Exception):
    """The conversation cannot go on; another may."""


class NotLetIn(Lost):
    """The token is not taken: trying again soon is no use, and makes Home Assistant ban our address."""


class Denied(Lost):
    """What was asked for was not done. Whoever asked may let the conversation go on."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API is, as a WebSocket URL, and what lets us in."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, url: str, token: str) -> Endpoint:
        """The API of a Home Assistant that people know as `http(s)://…`."""
        base = url.rstrip("/").removesuffix(PATH)
        scheme, _, rest = base.partition("://")
        return cls(f"{scheme.replace('http', 'ws')}://{rest}{PATH}", token)

    @property
    def place(self) -> str:
        """Where it is, without secrets."""
        return urlsplit(self.url).hostname or "?"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: an answer may take `answer`; silence is broken every `ping`."""

    answer: float = 10.0
    ping: float = 5.0


class Message(BaseModel):
    """What Home Assistant says, as far as we read it."""

    model_config = ConfigDict(strict=True)

    type: str
    id: int = 0
    success: bool = False
    error: dict[str, Any] | None = None
    event: dict[str, Any] | None = None


def read(text: str | bytes) -> Message:
    """A message. Raises Lost where it is none."""
    try:
        return Message.model_validate(orjson.loads(text))
    except (orjson.JSONDecodeError, ValidationError):
        raise Lost("it says what cannot be understood") from None


class Connection:
    """A conversation after the login. `read_events` has to run for anything else to be answered."""

    def __init__(self, socket: ClientConnection, pace: Pace) -> None:
        self._socket = socket
        self._pace = pace
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}

    async def log_in(self, token: str) -> None:
        """Say who we are. Raises NotLetIn, Lost, TimeoutError."""
        async with asyncio.timeout(self._pace.answer):
            said = read(await self._socket.recv())
            if said.type == "auth_required":
                await self._send({"type": "auth", "access_token": token})
                said = read(await self._socket.recv())
        if said.type == "auth_invalid":
            raise NotLetIn("it does not take the token")
        if said.type != "auth_ok":
            raise Lost(f"it answers the login with {said.type[:50]!r}")

    async def ask(self, kind: str, **fields: object) -> None:
        """Have something done; returns when it is. Raises Denied, TimeoutError."""
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._pace.answer):
                await self._send({"id": number, "type": kind, **fields})
                said = await answer
        finally:
            del self._asked[number]
        if said.type == "result" and not said.success:
            raise Denied(str((said.error or {}).get("message") or "no reason given")[:200])

    async def call(self, service: str, **data: object) -> None:
        """Call a service, as `input_boolean.turn_on`. Raises Denied, TimeoutError."""
        domain, _, name = service.partition(".")
        await self.ask("call_service", domain=domain, service=name, service_data=data)

    async def read_events(self, hear: Callable[[dict[str, Any]], None]) -> None:
        """Give events and answers to whom they are for, until the connection is lost. Raises Lost."""
        async for text in self._socket:
            said = read(text)
            if said.event is not None:
                hear(said.event)
            elif (answer := self._asked.get(said.id)) is not None and not answer.done():
                answer.set_result(said)
        raise Lost("it closed the connection")

    async def keep_alive(self) -> None:
        """Notice, for ever, when nobody is there any more. Raises TimeoutError."""
        while True:
            await asyncio.sleep(self._pace.ping)
            await self.ask("ping")

    async def _send(self, message: dict[str, object]) -> None:
        await self._socket.send(orjson.dumps(message).decode())


@asynccontextmanager
async def connected(endpoint: Endpoint, pace: Pace) -> AsyncIterator[Connection]:
    """A conversation, logged in. Raises NotLetIn, Lost, TimeoutError, OSError, WebSocketException."""
    async with connect(
        endpoint.url, compression=None, ping_interval=None, open_timeout=pace.answer, close_timeout=1, proxy=None
    ) as socket:
        connection = Connection(socket, pace)
        await connection.log_in(endpoint.token)
        yield connection
