"""The yardstick: a relay on `websockets` and uvloop that does nothing else: `python -m tests.bench.relay PORT CSMS_URL`."""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.bench.frames import VERSIONS
from tests.bench.loop import run


async def _pump(source: ClientConnection | ServerConnection, sink: ClientConnection | ServerConnection) -> None:
    async for message in source:
        await sink.send(message)


async def _converse(charger: ServerConnection) -> None:
    assert charger.request is not None
    offer = [charger.subprotocol] if charger.subprotocol else None
    async with connect(sys.argv[2] + charger.request.path, subprotocols=offer, compression=None) as csms:
        pumps = [asyncio.create_task(_pump(charger, csms)), asyncio.create_task(_pump(csms, charger))]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()


async def main() -> None:
    """Serve, for ever."""
    spoken = [Subprotocol(f"ocpp{version}") for version in VERSIONS]
    port = int(sys.argv[1])
    async with serve(_converse, "127.0.0.1", port, subprotocols=spoken, compression=None, backlog=2048):
        await asyncio.Event().wait()


if __name__ == "__main__":
    run(main())
