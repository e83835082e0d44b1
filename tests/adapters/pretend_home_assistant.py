"""A Home Assistant that a test directs: its WebSocket API, as far as we use it, and all that may go wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]
TOKEN = "let-me-in"
PATIENCE = 10.0


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.001)


@dataclass
class PretendHome:
    """Entities, as the API tells of them. `broken` entities are not switched; `mute` answers nothing but logins.

    A service that is called waits while it is not `open`. `tokens` holds what was presented, `subscribed` what was
    asked to be told of, by each connection.
    """

    states: dict[str, str] = field(default_factory=dict)
    port: int = 0
    mute: bool = False
    deaf: bool = False
    denies: str = ""
    greeting: str = "auth_required"
    open: asyncio.Event = field(default_factory=asyncio.Event)
    broken: set[str] = field(default_factory=set)
    tokens: list[str] = field(default_factory=list)
    subscribed: list[list[str]] = field(default_factory=list)
    calls: list[tuple[str, Json]] = field(default_factory=list)
    notifications: dict[str, Json] = field(default_factory=dict)
    _server: Server | None = None
    _followers: dict[ServerConnection, tuple[int, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, or start again: it remembers its states, not its notifications."""
        self.notifications.clear()
        self._server = await serve(self._converse, "127.0.0.1", self.port, compression=None)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    # What happens in it

    async def put(self, entity: str, state: str) -> None:
        """Somebody, or something, changed a state."""
        new = entity not in self.states
        if self.states.get(entity) != state:
            self.states[entity] = state
            told = {"a": {entity: _whole(state)}} if new else {"c": {entity: {"+": {"s": state, "lc": 2.5, "c": "02"}}}}
            await self.tell(entity, told)

    async def remove(self, entity: str) -> None:
        del self.states[entity]
        await self.tell(entity, {"r": [entity]})

    async def tell(self, entity: str, event: Any) -> None:
        """Tell this to all who listen to an entity."""
        for socket, (number, wanted) in list(self._followers.items()):
            if entity in wanted:
                await self._say(socket, {"id": number, "type": "event", "event": event})

    async def say(self, text: str | bytes) -> None:
        """Say something, whatever it is, to everybody."""
        for socket in list(self._followers):
            await socket.send(text)

    def drop(self) -> None:
        """Cut all connections, as a network does."""
        for socket in list(self._followers):
            socket.transport.abort()

    @property
    def followers(self) -> int:
        return len(self._followers)

    # The API

    async def _converse(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            if await self._let_in(socket):
                async for text in socket:
                    if not self.mute:
                        await self._answer(socket, json.loads(text))
        self._followers.pop(socket, None)

    async def _let_in(self, socket: ServerConnection) -> bool:
        if self.deaf:
            await socket.wait_closed()
        await self._say(socket, {"type": self.greeting, "ha_version": "2026.11.0"})
        said = json.loads(await socket.recv())
        self.tokens.append(said["access_token"])
        good: bool = said == {"type": "auth", "access_token": TOKEN}
        await self._say(socket, {"type": "auth_ok" if good else "auth_invalid"})
        return good

    async def _answer(self, socket: ServerConnection, said: Json) -> None:
        number = said["id"]
        if said["type"] == "ping":
            await self._say(socket, {"id": number, "type": "pong"})
            return
        if said["type"] in self.denies:
            error = {"code": "unauthorized", "message": "Unauthorized"}
            await self._say(socket, {"id": number, "type": "result", "success": False, "error": error})
            return
        if said["type"] == "call_service":
            await self._serve(f"{said['domain']}.{said['service']}", said["service_data"])
        await self._say(socket, {"id": number, "type": "result", "success": True, "result": None})
        if said["type"] == "subscribe_entities":
            self.subscribed.append(said["entity_ids"])
            self._followers[socket] = (number, said["entity_ids"])
            there = {e: _whole(self.states[e]) for e in said["entity_ids"] if e in self.states}
            await self._say(socket, {"id": number, "type": "event", "event": {"a": there}})

    async def _serve(self, service: str, data: Json) -> None:
        self.calls.append((service, data))
        await self.open.wait()
        if service.startswith("input_boolean.turn_"):
            entity = data["entity_id"]
            if entity in self.states and entity not in self.broken:
                await self.put(entity, service.removeprefix("input_boolean.turn_"))
        elif service == "persistent_notification.create":
            self.notifications[data["notification_id"]] = data
        elif service == "persistent_notification.dismiss":
            self.notifications.pop(data["notification_id"], None)

    async def _say(self, socket: ServerConnection, message: Json) -> None:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(json.dumps(message))


def _whole(state: str) -> Json:
    return {"s": state, "a": {"friendly_name": "Anna"}, "c": "01", "lc": 1.5}


@contextlib.asynccontextmanager
async def pretend_home(**states: str) -> AsyncIterator[PretendHome]:
    """A Home Assistant while it runs; entities by their ids, with `__` for the dot."""
    home = PretendHome({entity.replace("__", "."): state for entity, state in states.items()})
    await home.start()
    try:
        yield home
    finally:
        await home.stop()
