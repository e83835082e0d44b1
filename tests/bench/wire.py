"""WebSockets as cheap as Python has them: whole text frames, no compression, nothing checked that need not be.

The load, and the CSMS behind the relay, must not take the processor time of what is measured.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from urllib.parse import urlsplit

_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A
_MASKED = 0x80
_NO_MASK = bytes(4)
"""The client's masking key: it makes masking nothing, for us."""

_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Wire(asyncio.Protocol):
    """One end of a connection. Override `hear` and `lost`."""

    masks = True

    def __init__(self) -> None:
        self._rest = b""
        self.transport: asyncio.Transport | None = None
        self.head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def hear(self, text: bytes, key: bytes) -> None:
        """A text came in, as it is on the wire: masked with `key` where that is not empty."""

    def lost(self) -> None:
        """The connection is gone."""

    def send(self, text: bytes) -> None:
        """Send a text."""
        self._send(_TEXT, text)

    def close(self) -> None:
        """Say goodbye and close."""
        self._send(_CLOSE, b"\x03\xe8")
        if self.transport is not None:
            self.transport.close()

    def _send(self, kind: int, payload: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        length, masked = len(payload), _MASKED if self.masks else 0
        if length < 126:
            head = bytes((kind, masked | length))
        elif length < 65_536:
            head = bytes((kind, masked | 126, length >> 8, length & 255))
        else:
            head = bytes((kind, masked | 127)) + length.to_bytes(8, "big")
        self.transport.write(head + (_NO_MASK + payload if self.masks else payload))

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's is none of asyncio's classes

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell."""
        self.transport = None
        if self.masks and not self.head.done():  # who serves waits for nobody's
            self.head.set_exception(ConnectionError("closed during the handshake"))
        self.lost()

    def data_received(self, data: bytes) -> None:
        """Take the handshake, then frames."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        if not self.head.done():
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            self.head.set_result(head)
            self.shake_hands(head)
        self._frames(data)

    def shake_hands(self, head: bytes) -> None:
        """The other end's half of the handshake has come."""

    def _frames(self, data: bytes) -> None:
        at, size = 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1] & 127, at + 2
            if length > 125:
                start += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : start], "big")
            if data[at + 1] & _MASKED:
                start += 4
            end = start + length
            if end > size:
                break
            key = data[start - 4 : start] if data[at + 1] & _MASKED else b""
            self._frame(data[at], data[start:end], key)
            at = end
        self._rest = data[at:]

    def _frame(self, kind: int, payload: bytes, key: bytes) -> None:
        if kind == _TEXT:
            self.hear(payload, key)
        elif kind == _PING:
            self._send(_PONG, unmasked(payload, key))
        elif kind == _CLOSE:
            self.close()
        else:
            assert kind == _PONG, f"a frame that is not expected here: {kind:#x}"


def unmasked(payload: bytes, key: bytes) -> bytes:
    """What was masked."""
    if not key:
        return payload
    mask = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(payload), "big")


async def dial(url: str, subprotocol: str, wire: Wire) -> None:
    """Connect a wire to a `ws:` URL. Raises OSError, ConnectionError where it is not taken."""
    to = urlsplit(url)
    await asyncio.get_running_loop().create_connection(lambda: wire, to.hostname or "127.0.0.1", to.port or 80)
    assert wire.transport is not None
    request = (
        f"GET {to.path or '/'} HTTP/1.1\r\nHost: {to.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    )
    wire.transport.write(request.encode())
    answer = await wire.head
    if not answer.startswith(b"HTTP/1.1 101") or subprotocol.encode() not in answer:
        status, *_ = answer.decode().splitlines()
        raise ConnectionError(f"{url} does not take {subprotocol}: {status}")


class Served(Wire):
    """The server's end. Takes whatever subprotocol is offered first."""

    masks = False

    def shake_hands(self, head: bytes) -> None:
        """Answer the handshake."""
        headers = dict(line.partition(": ")[::2] for line in head.decode().split("\r\n")[1:])
        by_name = {name.lower(): value for name, value in headers.items()}
        digest = hashlib.sha1((by_name["sec-websocket-key"] + _ACCEPT).encode(), usedforsecurity=False).digest()
        offered = by_name.get("sec-websocket-protocol", "").partition(",")[0].strip()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
            *([f"Sec-WebSocket-Protocol: {offered}"] if offered else []),
        ]
        assert self.transport is not None
        self.transport.write("\r\n".join([*lines, "", ""]).encode())


async def serve(wire: type[Served], port: int) -> None:
    """Serve, for ever, on 127.0.0.1."""
    server = await asyncio.get_running_loop().create_server(wire, "127.0.0.1", port, backlog=2048)
    async with server:
        await server.serve_forever()
