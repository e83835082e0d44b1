"""The front door: one listening socket for chargers, API and page (contract §4).

A connection is looked at until its first request head is whole. An upgrade to WebSocket goes to `websockets`,
everything else to uvicorn's HTTP protocol; from then on neither costs anything of ours per byte. What does
not finish its head in time is cut.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0
"""How long a request head may take."""

MAX_HEAD = 16 * 1024
"""Bytes of a request head."""

MAX_FRAME = 1024 * 1024
"""Bytes of a WebSocket message; device-model reports are the longest there are."""

CLOSE_SECONDS = 3.0
"""How long a peer may take to close before it is cut, so that a stop ends in time."""

PONG_SECONDS = 30.0
"""How long a pong may take before a link counts as dead."""

MAX_HTTP = 100
"""HTTP connections at once."""

Admit = Callable[[ServerConnection, Request], Awaitable[Response | None]]
Converse = Callable[[ServerConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SocketRoute:
    """Who takes WebSocket upgrades, and by which path: `matches` gets the path without its query."""

    matches: Callable[[str], bool]
    admit: Admit
    converse: Converse


@dataclass
class Door:
    """A listening port. `routes` are asked in order; without any, upgrades are plain HTTP requests."""

    app: Any
    routes: list[SocketRoute] = field(default_factory=list)
    head_seconds: float = HEAD_SECONDS
    knocking: set[Doorman] = field(default_factory=set)
    _taken: WeakKeyDictionary[ServerConnection, SocketRoute] = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        config = uvicorn.Config(
            self.app,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_HTTP,
            h11_max_incomplete_event_size=MAX_HEAD,
        )
        config.load()
        self._http_config = config
        self._http_state = ServerState()

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen; the port, which is the one asked for unless that was 0. Raises OSError."""
        quiet = logging.getLogger("websockets.server")
        quiet.setLevel(logging.ERROR)  # it tells of every server and connection
        self._server: Server = await serve(
            self._converse,
            host,
            port,
            ssl=tls,
            process_request=self._admit,
            select_subprotocol=_the_one_left,
            compression=None,
            server_header=None,
            open_timeout=HEAD_SECONDS,
            ping_interval=30,
            ping_timeout=PONG_SECONDS,
            close_timeout=CLOSE_SECONDS,
            max_size=MAX_FRAME,
            logger=quiet,
            create_connection=cast("Any", self._doorman),
            backlog=2048,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take nobody in any more and close every connection: WebSockets with 1001, stalled peers after 3 s."""
        self._server.close()
        for knocking in list(self.knocking):
            knocking.cut()
        for protocol in list(self._http_state.connections):
            protocol.shutdown()
        try:
            async with asyncio.timeout(CLOSE_SECONDS + 1):
                await self._server.wait_closed()
        except TimeoutError:
            log.warning("some connections did not close in time")

    def _doorman(self, *args: Any, **kwargs: Any) -> Doorman:  # noqa: ANN401
        """What `websockets` takes for its connection: it may yet become one."""
        return Doorman(self, ServerConnection(*args, **kwargs))

    def http(self) -> asyncio.Protocol:
        """A protocol for plain HTTP."""
        return H11Protocol(self._http_config, self._http_state, {})

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        for route in self.routes:
            if route.matches(path):
                self._taken[connection] = route
                refusal = await route.admit(connection, request)
                if refusal is not None:
                    del self._taken[connection]
                return refusal
        return connection.respond(404, "no WebSocket is served here\n")

    async def _converse(self, connection: ServerConnection) -> None:
        await self._taken.pop(connection).converse(connection)


def _the_one_left(_: ServerConnection, offered: Any) -> Subprotocol | None:  # noqa: ANN401
    """The route has left only the subprotocol to confirm in the request, or none."""
    return offered[0] if offered else None


class Doorman(asyncio.Protocol):
    """Holds a connection until its first request head tells where it goes."""

    def __init__(self, door: Door, websocket: ServerConnection) -> None:
        self.protocol = websocket.protocol  # `websockets` takes us for its connection and looks here
        self._door = door
        self._websocket = websocket
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody knocks; they have a while to say what they want."""
        self._transport = cast("asyncio.Transport", transport)
        self._door.knocking.add(self)
        self._deadline = asyncio.get_running_loop().call_later(self._door.head_seconds, self.cut)

    def data_received(self, data: bytes) -> None:
        """Gather the head."""
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._hand_over()
        elif len(self._head) > MAX_HEAD:
            self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """They left."""
        self._leave()

    def cut(self) -> None:
        """Out of patience."""
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._door.knocking.discard(self)

    def _hand_over(self) -> None:
        assert self._transport is not None
        self._leave()
        upgrade = self._door.routes and wants_websocket(bytes(self._head))
        protocol = self._websocket if upgrade else self._door.http()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(bytes(self._head))


def wants_websocket(head: bytes) -> bool:
    """Whether a request head asks for a WebSocket, by its Upgrade header alone: some leave Connection out."""
    for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"upgrade" and b"websocket" in value.lower():
            return True
    return False
