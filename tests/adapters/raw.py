"""A charger made of bytes: a socket, a request as sloppy as wanted, and frames by hand (RFC 6455)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import struct
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PATIENCE = 15.0


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A client's frame. Its mask is zero, so the payload can be read in a dump."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b""
    if not length:
        length = struct.pack("!BH", 0xFE, size) if size < 65536 else struct.pack("!BQ", 0xFF, size)
    return bytes([(0x80 if final else 0) | opcode]) + length + bytes(4) + payload


def request(path: str, subprotocols: Iterable[str] = (), headers: Mapping[str, str | None] | None = None) -> bytes:
    """An upgrade request. A header that is None is left out."""
    wanted: dict[str, str | None] = {
        "Host": "proxy",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": ", ".join(subprotocols) or None,
    }
    wanted |= headers or {}
    lines = [f"{name}: {value}" for name, value in wanted.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def basic(user: str, password: str | bytes) -> str:
    """An Authorization header's value."""
    secret = password.encode() if isinstance(password, str) else password
    return "Basic " + base64.b64encode(user.encode() + b":" + secret).decode()


@dataclass
class RawCharger:
    """The client's end of a connection; `status` and `headers` once a response was read."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def send(self, message: Any) -> None:
        """Send a JSON text message."""
        self.write(frame(TEXT, json.dumps(message).encode()))

    async def read_head(self) -> None:
        """Read a response's head."""
        async with asyncio.timeout(PATIENCE):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        pairs = (line.partition(":") for line in head[1:] if line)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}

    async def read_body(self) -> bytes:
        return await self.reader.readexactly(int(self.headers["content-length"]))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload."""
        async with asyncio.timeout(PATIENCE):
            first, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> Any:
        """The next text message, from JSON; pings are answered on the way."""
        while True:
            opcode, payload = await self.frame()
            if opcode == PING:
                self.write(frame(PONG, payload))
                continue
            assert opcode == TEXT, (opcode, payload)
            return json.loads(payload)

    async def call(self, action: str, payload: dict[str, Any] | None = None, message_id: str = "m1") -> list[Any]:
        """Send a CALL and wait for its answer; what the CSMS asks meanwhile is left unanswered."""
        self.send([2, message_id, action, payload or {}])
        while True:
            answer = await self.message()
            if answer[0] != 2:
                assert answer[1] == message_id
                return list(answer)

    async def close_code(self) -> int:
        """The code that the server closes with; what it says before is skipped."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big")

    async def rest(self) -> bytes:
        """Wait until the connection ends; what was said until then."""
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                return await self.reader.read()
        return b""

    async def is_cut(self) -> bool:
        """Wait until the connection ends; whether that was without a word."""
        return await self.rest() == b""


@contextlib.asynccontextmanager
async def connection(port: int, source: str = "127.0.0.1") -> AsyncIterator[RawCharger]:
    """A TCP connection to a port of this machine, from an address of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        yield RawCharger(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def knocking(
    port: int,
    path: str,
    subprotocols: Iterable[str] = (),
    headers: Mapping[str, str | None] | None = None,
    *,
    source: str = "127.0.0.1",
) -> AsyncIterator[RawCharger]:
    """A charger that has asked for an upgrade and read the answer."""
    async with connection(port, source) as charger:
        charger.write(request(path, subprotocols, headers))
        await charger.read_head()
        yield charger


def is_blocked(connection: ServerConnection) -> bool:
    """Whether the server's writing waits for a peer that does not read."""
    low, _ = connection.transport.get_write_buffer_limits()
    return connection.transport.get_write_buffer_size() > low
