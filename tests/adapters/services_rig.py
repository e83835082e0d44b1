"""Services made of real WebSocket servers on this machine, and links that the tests' dialer opens to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, cast

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters.services.dial import Dialer, Timing
from ocpp_mqtt_proxy.adapters.services.link import Link
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import CALL
from ocpp_mqtt_proxy.services.plan import Credentials, ServicePlan
from ocpp_mqtt_proxy.services.ports import Answerer

PATIENCE = 10.0
PICK = "pick what is offered first"

Converse = Callable[[ServerConnection], Awaitable[None]]


@dataclass
class Service:
    """A service that listens. `requests` are the handshakes it got, `sockets` the connections in order."""

    port: int = 0
    secure: bool = False
    requests: list[Request] = field(default_factory=list)
    sockets: asyncio.Queue[ServerConnection] = field(default_factory=asyncio.Queue)

    def plan(self, *, url: str = "", **given: Any) -> ServicePlan:
        """How it is configured with us; given credentials by their fields."""
        names = Credentials.__dataclass_fields__.keys()
        credentials = Credentials(**{name: given.pop(name) for name in list(given) if name in names})
        scheme = "wss" if self.secure else "ws"
        url = url or f"{scheme}://127.0.0.1:{self.port}/ocpp"
        return ServicePlan("billing", url, credentials=credentials, **given)

    async def socket(self) -> ServerConnection:
        async with asyncio.timeout(PATIENCE):
            return await self.sockets.get()

    @property
    def header(self) -> str | None:
        """What the last visitor showed."""
        return self.requests[-1].headers.get("Authorization")


async def _stay(socket: ServerConnection) -> None:
    await socket.wait_closed()


@asynccontextmanager
async def listening(
    named: str | None = PICK,
    *,
    tls: SSLContext | None = None,
    converse: Converse = _stay,
    refuse: Callable[[ServerConnection, Request], Response | None] = lambda _, __: None,
) -> AsyncIterator[Service]:
    """A service on a port of this machine. `named` is the subprotocol that it confirms, or None."""
    service = Service(secure=tls is not None)

    def judge(socket: ServerConnection, request: Request) -> Response | None:
        service.requests.append(request)
        return refuse(socket, request)

    def confirm(_: ServerConnection, request: Request, response: Response) -> None:
        word = request.headers["Sec-WebSocket-Protocol"].split(",")[0] if named == PICK else named
        if word and response.status_code == 101:
            response.headers["Sec-WebSocket-Protocol"] = word

    async def take(socket: ServerConnection) -> None:
        service.sockets.put_nowait(socket)
        await converse(socket)

    async with serve(
        take,
        "127.0.0.1",
        0,
        ssl=tls,
        process_request=judge,
        process_response=cast("Any", confirm),
        max_size=None,
        ping_interval=None,
        close_timeout=1,
    ) as server:
        service.port = server.sockets[0].getsockname()[1]
        yield service


@asynccontextmanager
async def answering(reply: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    """A port where something answers the first bytes, then says no more: None is silence, empty closes."""

    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            said = reply(await reader.read(65_536))
            if said != b"":
                writer.write(said or b"")
                await reader.read()
            writer.close()
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*talks)


async def nothing(action: str, payload: Object) -> Payload:
    """An answerer that nobody should ask."""
    raise AssertionError(f"{action} {payload}")


QUICK = Timing(open=5, call=PATIENCE, ping=60, pong=60)


def a_dialer(**given: Any) -> Dialer:
    return Dialer(timing=given.pop("timing", QUICK), **given)


@dataclass
class Talk:
    """Both ends of a connection: our link, and the service's socket."""

    link: Link
    socket: ServerConnection

    async def say(self, *frame: Any) -> None:
        """The service sends a frame."""
        await self.socket.send(json.dumps(frame))

    async def hear(self) -> list[Any]:
        """The next frame that the service gets."""
        async with asyncio.timeout(PATIENCE):
            frame = json.loads(await self.socket.recv())
        assert isinstance(frame, list)
        return frame

    async def hear_call(self, action: str) -> str:
        """The id of the call that the service gets next."""
        frame = await self.hear()
        assert frame[0] == CALL
        assert frame[2] == action
        return str(frame[1])

    async def is_well(self) -> bool:
        """Whether a call of ours is answered."""
        asking = asyncio.create_task(self.link.call("Heartbeat", {}))
        message_id = await self.hear_call("Heartbeat")
        await self.say(3, message_id, {"currentTime": "2026-03-14T12:00:00Z"})
        return dict(await asking) == {"currentTime": "2026-03-14T12:00:00Z"}


@asynccontextmanager
async def talking(version: Version, answer: Answerer = nothing, **given: Any) -> AsyncIterator[Talk]:
    """A link to a service, in a version."""
    dialer = a_dialer(**given)
    async with listening() as service:
        link = await dialer(service.plan(), "CP1", (version,), answer)
        try:
            yield Talk(link, await service.socket())
        finally:
            link.part("the test is over")
            async with asyncio.timeout(PATIENCE):
                await link.wait_closed()
