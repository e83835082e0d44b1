"""A client of the broker as cheap as Python has it (MQTT 3.1.1, which every broker speaks), and what is heard with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count

from ocpp_mqtt_proxy.demo.broker import Started
from tests.bench.frames import REGISTER

_CONNACK, _PUBLISH, _SUBACK = 0x20, 0x30, 0x90
_names = count()

Heard = Callable[[str, bytes], None]
"""Told of a topic and a payload."""


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _packet(kind: int, body: bytes) -> bytes:
    size, length = bytearray(), len(body)
    while True:
        length, digit = length >> 7, length & 127
        size.append(digit | 128 if length else digit)
        if not length:
            return bytes((kind,)) + bytes(size) + body


class Client(asyncio.Protocol):
    """One connection to the broker."""

    def __init__(self, heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        self.connected: asyncio.Future[None] = loop.create_future()
        self.subscribed: asyncio.Future[None] = loop.create_future()
        self._heard = heard
        self._rest = b""
        self._transport: asyncio.WriteTransport | None = None
        self._number = 0

    def _write(self, packet: bytes) -> None:
        assert self._transport is not None, "the broker hung up"
        self._transport.write(packet)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello, for a session that never needs a ping."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is none of asyncio's classes
        self._write(_packet(0x10, _text("MQTT") + b"\x04\x02\x00\x00" + _text(f"bench-{next(_names)}")))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody write any more."""
        self._transport = None

    def subscribe(self, pattern: str) -> None:
        """Hear of topics, with QoS 0."""
        self._write(_packet(0x82, b"\x00\x01" + _text(pattern) + b"\x00"))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, as the proxy does; does not wait for the acknowledgement."""
        self._number = self._number % 65_535 + 1
        self._write(_packet(0x32, _text(topic) + self._number.to_bytes(2, "big") + payload))

    def close(self) -> None:
        """Say goodbye."""
        if self._transport is not None:
            self._transport.write(b"\xe0\x00")
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take packets."""
        data = self._rest + data
        at = 0
        while (found := _length(data, at + 1)) is not None and found[0] + found[1] <= len(data):
            start, length = found
            self._take(data[at] & 0xF0, data[start : start + length])
            at = start + length
        self._rest = data[at:]

    def _take(self, kind: int, body: bytes) -> None:
        if kind == _PUBLISH:
            end = 2 + int.from_bytes(body[:2], "big")
            self._heard(body[2:end].decode(), body[end:])
        elif kind == _CONNACK:
            self.connected.set_result(None)
        elif kind == _SUBACK:
            self.subscribed.set_result(None)


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Where a packet's body starts and how long it is; None where that has not come yet."""
    length = 0
    for position, digit in enumerate(data[at : at + 4]):
        length |= (digit & 127) << (7 * position)
        if digit < 128:
            return at + position + 1, length
    return None


@contextlib.asynccontextmanager
async def client(broker: Started, heard: Heard, pattern: str = "") -> AsyncIterator[Client]:
    """A client, connected and subscribed."""
    loop = asyncio.get_running_loop()
    _, one = await loop.create_connection(lambda: Client(heard), "127.0.0.1", broker.port)
    try:
        async with asyncio.timeout(10):
            await one.connected
            if pattern:
                one.subscribe(pattern)
                await one.subscribed
        yield one
    finally:
        one.close()


@dataclass
class Listener:
    """Hears the meter events and tells how long each was under way. Frames are told apart by their register."""

    sent: dict[tuple[str, int], float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    size: int = 0

    def note(self, charger: str, register: int) -> None:
        """A frame is about to be sent."""
        self.sent[charger, register] = time.perf_counter()

    def hear(self, _: str, payload: bytes) -> None:
        """An event came in."""
        now = time.perf_counter()
        event = json.loads(payload)
        register = next(r["value"] for r in event["readings"] if r["measurand"] == REGISTER)
        began = self.sent.pop((event["charger"], int(register)), None)
        if began is not None:
            self.seconds.append(now - began)
            self.size = len(payload)

    @classmethod
    @contextlib.asynccontextmanager
    async def on(cls, broker: Started, base: str) -> AsyncIterator[Listener]:
        """Listen to a proxy's meter events."""
        listener = cls()
        async with client(broker, listener.hear, f"{base}/charger/+/event/meter"):
            yield listener

    async def settle(self) -> None:
        """Wait until nothing more comes."""
        heard = -1
        while heard != len(self.seconds):
            heard = len(self.seconds)
            await asyncio.sleep(0.3)


async def last_readings(broker: Started, base: str, wanted: int) -> dict[str, int]:
    """The retained register of each charger, as a client sees it that comes now."""
    found: dict[str, int] = {}
    complete = asyncio.Event()

    def hear(topic: str, payload: bytes) -> None:
        found[topic.removeprefix(base).split("/")[2]] = int(json.loads(payload)[REGISTER]["total"])
        if len(found) == wanted:
            complete.set()

    async with client(broker, hear, f"{base}/charger/+/connector/1/meter"), asyncio.timeout(10):
        await complete.wait()
    return found


async def bare(broker: Started, per_second: float, many: int, size: int) -> list[float]:
    """Seconds from a bare publish of so many bytes to its arrival, sorted."""
    seconds: list[float] = []
    complete = asyncio.Event()

    def hear(_: str, payload: bytes) -> None:
        seconds.append(time.perf_counter() - float(payload.partition(b" ")[0]))
        if len(seconds) == many:
            complete.set()

    async with client(broker, lambda *_: None) as publisher, client(broker, hear, "bench/bare"):
        due = time.perf_counter()
        for _ in range(many):
            publisher.publish("bench/bare", (b"%.9f " % time.perf_counter()).ljust(size, b"x"))
            due += 1 / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        async with asyncio.timeout(10):
            await complete.wait()
    return sorted(seconds)
