"""The front door: one listening socket for chargers, API and page (contract §4).

A connection is looked at until its first request head is whole. An upgrade to WebSocket goes to `websockets`,
everything else to uvicorn's HTTP protocol; from then on neither costs anything of ours per byte. What is no
HTTP, or does not finish its head in time, is cut.

What `websockets` would log of a handshake may hold a password or token, so it logs nothing: we do.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast
from weakref import WeakKeyDictionary

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState
from websockets.asyncio.server import Server, serve
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.budget import Buckets, Budget, network_of
from ocpp_mqtt_proxy.framing import Framing
from ocpp_mqtt_proxy.sockets import Connection

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

CLOSE_SECONDS = 3.0
"""How long a peer may take to close before it is cut, so that a stop ends in time."""

MAX_HTTP = 100
"""HTTP connections at once."""

OPEN_FILES = 16_384
"""Open files we ask the system for: a socket each, and far more than we use."""

SPARE_FILES = 150
"""Open files that are no WebSockets: HTTP connections, the store, the broker, services."""

TLS_RECORD = 0x16
"""What a TLS client says first."""

_SILENT = logging.getLogger(f"{__name__}.websockets")
_SILENT.disabled = True

Admit = Callable[[Connection, Request], Awaitable[Response | None]]
Converse = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SocketRoute:
    """Who takes WebSocket upgrades, and by which path: `matches` gets the path without its query."""

    matches: Callable[[str], bool]
    admit: Admit
    converse: Converse


@dataclass(slots=True)
class Counters:
    """What the door did not let in at once.

    Connections `cut` before they had said anything whole, or because their address knocks far too often;
    handshakes `delayed` because it knocks too often; those refused because every place is taken (`full`).
    """

    cut: int = 0
    delayed: int = 0
    full: int = 0


@dataclass
class Door:
    """A listening port. `routes` are asked in order; without any, upgrades are plain HTTP requests."""

    app: Any
    routes: list[SocketRoute] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)
    counters: Counters = field(default_factory=Counters)
    knocking: dict[Doorman, None] = field(default_factory=dict)
    _taken: WeakKeyDictionary[Connection, SocketRoute] = field(default_factory=WeakKeyDictionary)
    _talking: set[Connection] = field(default_factory=set)

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
            h11_max_incomplete_event_size=self.budget.head,
        )
        config.load()
        self._http_config = config
        self._http_state = ServerState()
        self._pace = Buckets(self.budget.handshakes_per_second, self.budget.handshakes)

    async def open(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen; the port, which is the one asked for unless that was 0. Raises OSError."""
        self._places = min(self.budget.sockets, open_files() - SPARE_FILES)
        self._server: Server = await serve(
            cast("Any", self._converse),
            host,
            port,
            ssl=tls,
            process_request=cast("Any", self._admit),
            process_response=cast("Any", self._answered),
            compression=None,
            server_header=None,
            open_timeout=self.budget.head_seconds,
            ping_interval=None,  # the routes see to their links
            close_timeout=CLOSE_SECONDS,
            logger=_SILENT,
            create_connection=cast("Any", self._doorman),
            backlog=2048,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take nobody in any more and close every connection: WebSockets with 1001; who stalls is cut after 4 s."""
        self._server.close()
        for knocking in list(self.knocking):
            knocking.cut()
        for protocol in list(self._http_state.connections):
            protocol.shutdown()
        if not await self._closed():
            self._cut()
            await self._closed()

    async def _closed(self) -> bool:
        try:
            async with asyncio.timeout(CLOSE_SECONDS + 1):
                await self._server.wait_closed()
        except TimeoutError:
            return False
        return True

    def _cut(self) -> None:
        """Leave those that do not even read: nothing can be written to them, so nothing ends by itself."""
        log.warning("%d connections did not close in time and are cut", len(self._talking))
        for connection in self._talking:
            connection.transport.abort()
        for protocol in list(self._http_state.connections):
            protocol.transport.abort()

    def _doorman(self, _: ServerProtocol, server: Server, **options: Any) -> Doorman:  # noqa: ANN401
        """What `websockets` takes for its connection: it may yet become one."""
        framing = Framing(self.budget.message, select_subprotocol=_the_one_left, logger=_SILENT)
        return Doorman(self, Connection(framing, server, budget=self.budget, **options))

    def wait(self, address: str, now: float) -> float | None:
        """The seconds that a handshake from an address has to wait for its turn; None if that is too long."""
        bucket = self._pace.of(network_of(address), now)
        seconds = bucket.take(1, now)
        if seconds > self.budget.head_seconds:
            bucket.take(-1, now)
            return None
        self.counters.delayed += seconds > 0
        return seconds

    def http(self) -> asyncio.Protocol:
        """A protocol for plain HTTP, which never logs a request: its query may hold a token."""
        protocol = H11Protocol(self._http_config, self._http_state, {})
        protocol.access_log = False
        return protocol

    async def _admit(self, connection: Connection, request: Request) -> Response | None:
        path = plain_path(request.path)
        route = next((route for route in self.routes if route.matches(path)), None)
        if route is None:
            return connection.respond(404, "no WebSocket is served here\n")
        if len(self._talking) >= self._places:
            self.counters.full += 1
            log.warning("%s: refused: all %d places are taken", connection.remote_address, self._places)
            return connection.respond(503, "too many are connected\n")
        try:
            refusal = await route.admit(connection, request)
        except Exception:  # websockets would log the request, and with it a password
            log.exception("a fault of ours: nobody comes in at %r", path)
            return connection.respond(500, "a fault of the server's\n")
        if refusal is None:
            self._taken[connection] = route
        return refusal

    def _answered(self, connection: Connection, _: Request, response: Response) -> None:
        """Say why a handshake came to nothing that was not refused."""
        if connection in self._taken and response.status_code != 101:
            log.warning("no WebSocket with %s: %s", connection.remote_address, connection.protocol.handshake_exc)

    async def _converse(self, connection: Connection) -> None:
        self._talking.add(connection)
        try:
            await self._taken.pop(connection).converse(connection)
        except Exception:  # only to say so: it goes on
            log.exception("a fault of ours: a conversation is closed")
            raise
        finally:
            self._talking.discard(connection)


def plain_path(target: str) -> str:
    """The path of a request's target, extra slashes in front forgiven."""
    return "/" + target.partition("?")[0].lstrip("/")


def open_files() -> int:
    """How many files we may have open, once the system's limit on it was raised as far as it goes."""
    if sys.platform == "win32":
        return OPEN_FILES  # there is no such limit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS promises more than it gives
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def _the_one_left(_: ServerProtocol, offered: Any) -> Subprotocol | None:  # noqa: ANN401
    """The route has left only the subprotocol to confirm in the request, or none."""
    return offered[0] if offered else None


class Doorman(asyncio.Protocol):
    """Holds a connection until its first request head tells where it goes, and until it is its address's turn."""

    def __init__(self, door: Door, websocket: Connection) -> None:
        self.protocol = websocket.protocol  # `websockets` takes us for its connection and looks here
        self._door = door
        self._websocket = websocket
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._turn: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody knocks; they have a while to say what they want."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._door.knocking) >= self._door.budget.knocking:
            next(iter(self._door.knocking)).cut()
        self._door.knocking[self] = None
        self._deadline = asyncio.get_running_loop().call_later(self._door.budget.head_seconds, self.cut)

    def data_received(self, data: bytes) -> None:
        """Gather the head. What does not begin with a method's letter is no HTTP."""
        self._head += data
        if not self._head[:1].isalpha():
            self._turn_away()
        elif b"\r\n\r\n" in self._head:
            self._show_in()
        elif len(self._head) > self._door.budget.head:
            self.cut()

    def _turn_away(self) -> None:
        if self._head[0] == TLS_RECORD and self._transport is not None:
            peer = self._transport.get_extra_info("peername")
            log.warning("%s speaks TLS to a port without: the charger's address must begin with ws://", peer)
        self.cut()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """They left."""
        self._leave()

    def cut(self) -> None:
        """Out of patience."""
        self._door.counters.cut += 1
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        self._deadline.cancel()
        if self._turn is not None:
            self._turn.cancel()
        self._door.knocking.pop(self, None)

    def _show_in(self) -> None:
        """HTTP has limits of its own; a handshake may have to wait, and meanwhile is read no further."""
        if not (self._door.routes and wants_websocket(bytes(self._head))):
            self._hand_over(self._door.http())
        elif self._turn is None:
            self._take_turn()

    def _take_turn(self) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        seconds = self._door.wait(_address(self._transport), loop.time())
        if seconds is None:
            self.cut()
        elif seconds:
            self._transport.pause_reading()
            self._turn = loop.call_later(seconds, self._hand_over, self._websocket)
        else:
            self._hand_over(self._websocket)

    def _hand_over(self, protocol: asyncio.Protocol) -> None:
        assert self._transport is not None
        self._leave()
        self._transport.set_protocol(protocol)
        self._transport.resume_reading()
        protocol.connection_made(self._transport)
        protocol.data_received(bytes(self._head))


def _address(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def wants_websocket(head: bytes) -> bool:
    """Whether a request head asks for a WebSocket, by its Upgrade header alone: some leave Connection out."""
    for line in head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"upgrade" and b"websocket" in value.lower():
            return True
    return False
