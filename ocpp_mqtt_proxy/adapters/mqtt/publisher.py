"""The lane on which we publish: a connection of our own to the broker, beside the one that listens.

A charger's frame is a message, so its cost is the program's. aiomqtt takes a task, a future and half a dozen turns
of the loop for each; here all that waits is written at once, and an acknowledgement is a look into a dict.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import ExitStack
from typing import Protocol, cast

from ocpp_mqtt_proxy.adapters.mqtt import wire
from ocpp_mqtt_proxy.adapters.mqtt.outbox import Outbox, Outgoing

log = logging.getLogger(__name__)

WINDOWS = {0: 1, 1: 100, 2: 20}
"""Messages that the broker has not acknowledged, at most, by quality of service. MQTT 5 brokers may take fewer, and
say so. Those of 3.1.1 cannot: some take 100, and of quality 2 Mosquitto loses without a word what is beyond 20."""

CHUNK = 64 * 1024
"""Bytes that are written at once; then the transport has its say."""

CLOSING_SECONDS = 1.0
"""How long the last bytes may take when we go."""


class LaneLost(Exception):
    """The lane is closed, or was never opened; says why."""


class Lane(Protocol):
    """Takes what the outbox has, as fast as the broker takes it."""

    def wake(self) -> None:
        """There is something in the outbox; does not wait."""

    async def run(self) -> None:
        """Serve until it ends. Raises LaneLost, or what the connection's library does."""

    async def close(self) -> None:
        """Go, with a goodbye where there is somebody to hear it."""


async def open_lane(
    host: str, port: int, tls: ssl.SSLContext | None, outbox: Outbox, hello: wire.Connect, *, qos: int, patience: float
) -> OwnLane:
    """A lane of our own. `patience` is how long the broker may take to answer, in seconds. Raises LaneLost."""
    lane = OwnLane(outbox, hello, qos, patience)
    loop = asyncio.get_running_loop()
    with ExitStack() as on_failure:
        on_failure.callback(lane.abort)
        try:
            async with asyncio.timeout(patience):
                await loop.create_connection(lambda: lane, host, port, ssl=tls)
                await lane.welcomed()
        except OSError as error:  # a timeout and what TLS complains of are such too
            raise LaneLost(str(error) or "no answer") from error
        on_failure.pop_all()
    return lane


class OwnLane(asyncio.BufferedProtocol):
    """The connection. asyncio has switched Nagle's algorithm off."""

    def __init__(self, outbox: Outbox, hello: wire.Connect, qos: int, patience: float) -> None:
        self.is_open = False
        self._outbox = outbox
        self._hello = hello
        self._qos = qos
        self._tick = patience
        self._terms = wire.Connack(0)
        self._window = 0
        self._waiting: dict[int, Outgoing] = {}
        self._last_id = 0
        self._releases: list[bytes] = []
        self._heard = self._acknowledged = 0
        self._paused = self._woken = False
        self._fault = ""
        self._transport: asyncio.Transport | None = None
        self._decoder = wire.Decoder()
        self._buffer = memoryview(bytearray(16 * 1024))
        self._loop = asyncio.get_running_loop()
        self._welcome: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[str] = self._loop.create_future()

    # Its life

    async def welcomed(self) -> None:
        """Wait until the broker lets us in. Raises LaneLost."""
        await asyncio.wait((self._welcome, self._lost), return_when=asyncio.FIRST_COMPLETED)
        if not self.is_open:
            raise LaneLost(self._fault or self._lost.result())

    def _settle(self, terms: wire.Connack) -> None:
        """Keep to what the broker takes."""
        self._terms = terms
        if terms.server_keep_alive:
            self._tick = min(self._tick, terms.server_keep_alive / 2)
        if terms.maximum_qos < self._qos:
            log.warning("the broker takes no quality of service above %d: so we publish", terms.maximum_qos)
            self._qos = terms.maximum_qos
        self._window = min(WINDOWS[self._qos], terms.receive_maximum)
        if not terms.retain_available:
            log.warning("the broker retains nothing: who comes later does not see our states until they change")

    async def run(self) -> None:
        """Watch over the connection: a broker that is silent or acknowledges nothing is lost. Raises LaneLost."""
        pinged = False
        while True:
            heard, acknowledged, owed = self._heard, self._acknowledged, bool(self._waiting)
            await asyncio.wait((self._lost,), timeout=self._tick)
            if self._lost.done():
                raise LaneLost(f"the connection that publishes: {self._lost.result()}")
            if owed and self._waiting and acknowledged == self._acknowledged:
                self._break("it acknowledges nothing")
            elif heard != self._heard:
                pinged = False
            elif pinged:
                self._break("it is silent")
            else:
                pinged = True
                self._write(wire.PING)

    async def close(self) -> None:
        """Say goodbye and go; what the broker has not acknowledged is no longer waited for."""
        self._waiting.clear()
        if self._transport is None:
            return
        if self.is_open:
            self._write(wire.GOODBYE)
        self.is_open = False
        self._transport.close()
        await asyncio.wait((self._lost,), timeout=CLOSING_SECONDS)
        self.abort()

    def abort(self) -> None:
        """Go at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _break(self, why: str) -> None:
        self._fault = self._fault or why
        self.abort()

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves."""
        self._transport = cast("asyncio.Transport", transport)
        self._write(self._hello.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over; asyncio's transports bear no touch after that."""
        self.is_open = False
        self._transport = None
        if not self._lost.done():
            self._lost.set_result(self._fault or (str(exc) if exc else "it closed the connection"))

    def pause_writing(self) -> None:
        """The broker does not read as fast as we write: what comes waits in the outbox, which is bounded."""
        self._paused = True

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        self._flush()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio's signature)
        """Where what comes is put: answers are small, so it need not grow."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """The broker answers."""
        self._heard += 1
        try:
            for packet in self._decoder.packets(bytes(self._buffer[:nbytes])):
                self._hear(packet)
        except wire.Garbled as error:
            self._break(f"it sends {error}")
        self._flush()

    def _hear(self, packet: wire.Packet) -> None:
        if isinstance(packet, wire.Ack):
            self._hear_ack(packet)
        elif isinstance(packet, wire.Disconnect):
            self._break(f"it ends the session: {wire.reason(packet.reason, packet.text)}")
        elif self._welcome.done():
            raise wire.Garbled("a second welcome")
        else:
            self._hear_welcome(packet)

    def _hear_welcome(self, terms: wire.Connack) -> None:
        self._welcome.set_result(None)
        if terms.accepted:
            self._settle(terms)
            self.is_open = True
        else:
            self._break(wire.reason(terms.reason, terms.text))

    def _hear_ack(self, ack: wire.Ack) -> None:
        """What is acknowledged twice, or was never sent, is nobody's business."""
        message = self._waiting.get(ack.packet_id)
        if message is None:
            return
        self._acknowledged += 1
        if ack.reason >= wire.REFUSED:
            del self._waiting[ack.packet_id]
            self._outbox.drop(message, wire.reason(ack.reason), ack.text)
        elif ack.kind == wire.PUBREC:
            self._releases.append(wire.release(ack.packet_id))
        else:
            del self._waiting[ack.packet_id]
            self._outbox.sent(message)

    # Publishing

    def wake(self) -> None:
        """Publish what the outbox has, once in this turn of the loop however much comes."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._woken = False
        while self.is_open and not self._paused and (packets := self._batch()):
            self._write(b"".join(packets))

    def _batch(self) -> list[bytes]:
        """What may go now, but no more than is written at once."""
        packets, self._releases = self._releases, []
        size = 0
        while size < CHUNK and len(self._waiting) < self._window and (message := self._outbox.next()):
            if packet := self._packet(message):
                packets.append(packet)
                size += len(packet)
        return packets

    def _packet(self, message: Outgoing) -> bytes | None:
        """A message as it goes, now under way; None where it cannot go."""
        packet_id = self._free_id() if self._qos else 0
        try:
            packet = wire.publish(
                message.topic, message.payload, self._hello.version, packet_id, self._qos,
                retain=message.retain and self._terms.retain_available, correlation=message.correlation,
            )  # fmt: skip
        except wire.Unsendable as error:
            self._outbox.drop(message, str(error))
            return None
        if len(packet) > self._terms.maximum_packet_size:
            self._outbox.drop(message, wire.reason(0x95))
            return None
        if packet_id:
            self._waiting[packet_id] = message
        else:
            self._outbox.sent(message)
        return packet

    def _free_id(self) -> int:
        """A packet id that is not in use: 1 … 65535, round and round."""
        while True:
            self._last_id = self._last_id % 0xFFFF + 1
            if self._last_id not in self._waiting:
                return self._last_id

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
