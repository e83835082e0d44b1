"""A CSMS that accepts everything and thinks of nothing, behind the bare relay: `python -m tests.bench.csms PORT`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.bench.loop import run

SUBPROTOCOLS = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]

_AT = b'"currentTime":"2026-01-01T00:00:00Z"'
_ANSWERS = {
    b"BootNotification": b"{" + _AT + b',"interval":300,"status":"Accepted"}',
    b"Heartbeat": b"{" + _AT + b"}",
    b"StopTransaction": b'{"idTagInfo":{"status":"Accepted"}}',
}
_transactions = itertools.count(1)


def answer(frame: bytes) -> bytes:
    """The answer to a call."""
    _, number, _, action, _ = frame.split(b'"', 4)
    if action == b"StartTransaction":
        payload = b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}' % next(_transactions)
    else:
        payload = _ANSWERS.get(action, b"{}")
    return b'[3,"' + number + b'",' + payload + b"]"


async def _converse(socket: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.send(answer(await socket.recv(decode=False)), text=True)


async def main() -> None:
    """Serve, for ever."""
    async with serve(
        _converse, "127.0.0.1", int(sys.argv[1]), subprotocols=SUBPROTOCOLS, compression=None, backlog=2048
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    run(main())
