"""What the tests of the MQTT session need: sessions with a broker, and brokers and lines that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from ocpp_mqtt_proxy.adapters.mqtt.session import Broker as Address, MqttSession, Pace
from ocpp_mqtt_proxy.config import Mqtt
from ocpp_mqtt_proxy.topics import Topics
from tests.brokers import Broker
from tests.fakes import FakeClock
from tests.running import PATIENCE

QUICK = Pace(retry=(0.01, 0.05), birth=(0.0, 0.0), letting_go=0.0)

_numbers = itertools.count(1)


def a_session(broker: Broker | Address | None, pace: Pace = QUICK, **config: Any) -> MqttSession:
    """A session, not yet running, with a tree of its own at a broker."""
    number = next(_numbers)
    base = config.setdefault("base_topic", f"s{number}")
    status = config.setdefault("status_topic", f"h{number}/status")
    address = Address(broker.host, broker.port) if isinstance(broker, Broker) else broker

    async def find() -> Address | None:
        return address

    return MqttSession(
        config=Mqtt(**config | {"status_topic": status}),
        topics=Topics(base),
        client_id=f"session-{number}",
        find_broker=find,
        clock=FakeClock(),
        pace=pace,
    )


@contextlib.asynccontextmanager
async def running(session: MqttSession, *, connected: bool = True) -> AsyncIterator[MqttSession]:
    """Run a session, and wait until it is there where wanted."""
    room = asyncio.create_task(session.run())
    try:
        if connected:
            await until(session.connected.is_set, room)
        yield session
    finally:
        while not room.done():  # before Python 3.12 a wait that ends just then loses a cancellation
            room.cancel()
            await asyncio.wait({room}, timeout=1)
        await asyncio.gather(room, return_exceptions=True)


async def until(condition: Callable[[], Any], room: asyncio.Task[Any] | None = None) -> Any:
    """Wait for what happens inside the program, looking again and again; its value."""
    async with asyncio.timeout(PATIENCE):
        while not (value := condition()):
            if room is not None and room.done():
                room.result()
            await asyncio.sleep(0.005)
    return value


@dataclass
class Heard:
    """What a client at a broker heard of some topics, in order, as topic, payload and whether it was retained."""

    client: aiomqtt.Client
    messages: list[tuple[str, str, bool]] = field(default_factory=list)
    properties: list[Any] = field(default_factory=list)

    def on(self, topic: str) -> list[str]:
        return [payload for heard, payload, _ in self.messages if heard == topic]

    async def wait(self, topic: str, payload: str) -> None:
        await until(lambda: payload in self.on(topic))


@contextlib.asynccontextmanager
async def listening(broker: Broker, *filters: str) -> AsyncIterator[Heard]:
    """A client that listens at a broker, and may publish."""
    protocol = aiomqtt.ProtocolVersion.V5 if broker.speaks_mqtt5 else aiomqtt.ProtocolVersion.V311
    async with aiomqtt.Client(broker.host, broker.port, protocol=protocol) as client:
        heard = Heard(client)
        reader = asyncio.create_task(_read(heard))
        for topic_filter in filters:
            await client.subscribe(topic_filter, qos=1)
        try:
            yield heard
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _read(heard: Heard) -> None:
    async for message in heard.client.messages:
        heard.messages.append((message.topic.value, bytes(message.payload).decode(), message.retain))
        heard.properties.append(message.properties)


async def retained(broker: Broker, base: str) -> dict[str, str]:
    """The tree that a newcomer finds at a broker."""
    async with listening(broker, f"{base}/#") as heard:
        await heard.client.publish(f"{base}/end", "all seen", qos=1)  # less would overtake
        await heard.wait(f"{base}/end", "all seen")
        return {topic: payload for topic, payload, kept in heard.messages if kept}


@dataclass
class Line:
    """A line to a broker that can be cut, held up and mended: a TCP relay."""

    to: Broker
    port: int = 0
    _server: asyncio.Server | None = None
    _ends: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Let nobody through any more, and tell neither end."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()
        self._server = None
        await asyncio.sleep(0)  # for the transports to close

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(self.to.host, self.to.port)
        self._ends += (writer, there_writer)
        with contextlib.suppress(OSError):
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def line_to(broker: Broker) -> AsyncIterator[Line]:
    line = Line(broker)
    await line.mend()
    try:
        yield line
    finally:
        await line.cut()


# Brokers made of a few bytes

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def stub(serve: Serve) -> AsyncIterator[Address]:
    """A broker that does with each connection what `serve` says."""
    conversations: dict[asyncio.StreamWriter, asyncio.Task[Any]] = {}

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations[writer] = asyncio.ensure_future(serve(reader, writer))
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            await conversations[writer]

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer, conversation in conversations.items():
            conversation.cancel()
            writer.transport.abort()
        await asyncio.gather(*conversations.values(), return_exceptions=True)
        await asyncio.sleep(0)  # for the transports to close


@contextlib.asynccontextmanager
async def one_connection_each(broker: Broker, refusal: bytes) -> AsyncIterator[Address]:
    """A broker that answers this to a client's second connection, and then closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connect = await reader.read(65536)
        if b"-out" in connect:
            writer.write(refusal)
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection(broker.host, broker.port)
        there_writer.write(connect)
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            there_writer.transport.abort()

    async with stub(serve) as address:
        yield address


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next MQTT packet: its first byte and its body."""
    kind = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        digit = (await reader.readexactly(1))[0]
        length |= (digit & 127) << shift
        shift += 7
        if digit < 128:
            return kind, await reader.readexactly(length)


def level(connect: bytes) -> int:
    """The protocol level of a CONNECT: 4 is 3.1.1, 5 is 5."""
    (name,) = struct.unpack("!H", connect[:2])
    return connect[2 + int(name)]
