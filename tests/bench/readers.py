"""`python -m tests.bench.readers PORT COUNT`: backends that hear everything, and one beside them that reads nothing.

Says `ready` once all have subscribed. A line on its input is answered with how many events each has heard.
Backends are on other machines: here they get what processor time the proxy leaves.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys

MASK = bytes(4)
SUBSCRIBE = b'{"id": 1, "action": "subscribe", "events": ["meter"]}'


class Reader(asyncio.Protocol):
    """One backend. Frames are counted by their heads alone: what is in them costs the machine nothing."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.frames = -1  # the answer to the subscription is no event
        self.subscribed = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._data = bytearray()
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /backend?id={self.name} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        transport.write(head.encode() + bytes((0x81, 0x80 | len(SUBSCRIBE))) + MASK + SUBSCRIBE)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 101 " in head, bytes(head)
            self._open, self._data = True, rest
        self._count()

    def _count(self) -> None:
        at, data = 0, self._data
        while len(data) >= at + 2:
            length, first = data[at + 1], at + 2
            if length == 126:
                if len(data) < at + 4:
                    break
                length, first = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            if len(data) < first + length:
                break
            self.frames += data[at] == 0x81
            if data[at] == 0x89 and self.transport is not None:  # a ping
                self.transport.write(bytes((0x8A, 0x80 | length)) + MASK + data[first : first + length])
            at = first + length
        del data[:at]
        if self.frames >= 0 and not self.subscribed.done():
            self.subscribed.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError(f"{self.name} was cut off: {exc}"))


async def main(port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    readers = [Reader(f"backend{number}", port) for number in range(count)]
    for reader in readers:
        await loop.create_connection(lambda one=reader: one, "127.0.0.1", port)  # type: ignore[misc]  # of the loop
    await asyncio.gather(*(reader.subscribed for reader in readers))
    stalled = readers.pop()
    assert stalled.transport is not None
    stalled.transport.pause_reading()
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps([reader.frames for reader in readers]), flush=True)


if __name__ == "__main__":
    os.nice(5)
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
