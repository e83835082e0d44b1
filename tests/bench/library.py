"""The other yardstick: a CSMS as the `ocpp` package's documentation has it: `python -m tests.bench.library PORT`.

Its default configuration: `ChargePoint.start`, which routes each message with its schema's validation. It accepts
everything, on asyncio's own loop, as there.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from types import ModuleType
from typing import Any

from ocpp.charge_point import ChargePoint
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16, call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21, call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201, call_result as result201
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

AT = "2026-01-01T00:00:00Z"
ACCEPTED = {"status": "Accepted"}
_transactions = itertools.count(1)


class Charger16(ChargePoint16):
    """A 1.6 charger as this CSMS sees it."""

    @on("BootNotification")
    def boot(self, **_: Any) -> Any:
        return result16.BootNotification(current_time=AT, interval=300, status="Accepted")

    @on("StatusNotification")
    def status(self, **_: Any) -> Any:
        return result16.StatusNotification()

    @on("StartTransaction")
    def start_transaction(self, **_: Any) -> Any:
        return result16.StartTransaction(transaction_id=next(_transactions), id_tag_info=ACCEPTED)

    @on("MeterValues")
    def meter(self, **_: Any) -> Any:
        return result16.MeterValues()

    @on("StopTransaction")
    def stop_transaction(self, **_: Any) -> Any:
        return result16.StopTransaction(id_tag_info=ACCEPTED)


def charger2(base: type[Any], result: ModuleType) -> type[ChargePoint]:
    """A 2.x charger as this CSMS sees it."""

    class Charger2(base):
        @on("BootNotification")
        def boot(self, **_: Any) -> Any:
            return result.BootNotification(current_time=AT, interval=300, status="Accepted")

        @on("StatusNotification")
        def status(self, **_: Any) -> Any:
            return result.StatusNotification()

        @on("TransactionEvent")
        def event(self, **_: Any) -> Any:
            return result.TransactionEvent()

    return Charger2


CHARGERS: dict[str, type[ChargePoint]] = {
    "ocpp1.6": Charger16,
    "ocpp2.0.1": charger2(ChargePoint201, result201),
    "ocpp2.1": charger2(ChargePoint21, result21),
}


async def _converse(socket: ServerConnection) -> None:
    assert socket.request is not None
    assert socket.subprotocol is not None
    charger = CHARGERS[socket.subprotocol](socket.request.path.rpartition("/")[2], socket)
    try:
        await charger.start()
    except ConnectionClosed:
        return


async def main() -> None:
    """Serve, for ever."""
    spoken = [Subprotocol(name) for name in CHARGERS]
    port = int(sys.argv[1])
    async with serve(_converse, "127.0.0.1", port, subprotocols=spoken, compression=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
