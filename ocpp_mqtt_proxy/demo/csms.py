"""A billing company's CSMS for the demonstration: it accepts every charger and card, and prints what it would bill.

`python -m ocpp_mqtt_proxy.demo.csms PORT`; speaks every version that we do.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core.authorization import ACCEPTED
from ocpp_mqtt_proxy.core.metering import last_energy
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    Answer,
    AuthorizationAnswer,
    AuthorizationRequested,
    BootAnswer,
    BootReported,
    DataTransferAnswer,
    DataTransferReported,
    HeartbeatReported,
    Noted,
    NoticeReported,
    Phase,
    Report,
    TimeAnswer,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Dialect
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS, SUBPROTOCOLS

SERVICE = "billing"
HEARTBEAT_SECONDS = 60

_transactions = itertools.count(1)


def options(port: int) -> dict[str, object]:
    """What the service is told of it."""
    return {"id": SERVICE, "url": f"ws://127.0.0.1:{port}/ocpp", "mirror": "all", "id_tag": "HOUSE"}


async def converse(socket: ServerConnection) -> None:
    """Answer one charger until it goes."""
    dialect = DIALECTS[SUBPROTOCOLS[str(socket.subprotocol)]]
    charger = socket.request.path.rpartition("/")[2] if socket.request else ""
    try:
        async for message in socket:
            frame = rpc.parse(message if isinstance(message, bytes) else message.encode(), dialect.version)
            if isinstance(frame, rpc.Call):
                await socket.send(_answer(dialect, charger, frame).decode())
    except ConnectionClosed:
        pass


def _answer(dialect: Dialect, charger: str, call: rpc.Call) -> bytes:
    try:
        report, _ = dialect.decode(call.action, call.payload)
    except CallRefused as refusal:
        return rpc.encode_error(rpc.CallError(call.id, refusal.code, refusal.why), dialect.version)
    if isinstance(report, TransactionReported):
        _note(charger, report)
    return rpc.encode_result(call.id, dialect.reply(call.action, _words(report)))


def _words(report: Report) -> Answer:
    """Yes, to everything."""
    answer = _ANSWERS.get(type(report))
    return answer(report) if answer else Acknowledged()


def _transaction(report: TransactionReported) -> TransactionAnswer:
    verdict = ACCEPTED if report.token is not None else None
    return TransactionAnswer(report.transaction_id or str(next(_transactions)), verdict)


_now = partial(datetime.now, UTC)
_ANSWERS: dict[type, Callable[[Any], Answer]] = {
    AuthorizationRequested: lambda _: AuthorizationAnswer(ACCEPTED),
    BootReported: lambda _: BootAnswer(_now(), HEARTBEAT_SECONDS),
    DataTransferReported: lambda _: DataTransferAnswer("unknown_vendor_id"),
    HeartbeatReported: lambda _: TimeAnswer(_now()),
    NoticeReported: lambda report: Noted(report.payload),
    TransactionReported: _transaction,
}


def _note(charger: str, report: TransactionReported) -> None:
    if report.phase is Phase.ENDED:
        stop = report.meter_stop if report.meter_stop is not None else last_energy(report.samples)
        shown = "?" if stop is None else f"{stop / 1000:.2f}"
        print(f"{SERVICE}: {charger} ended transaction {report.transaction_id} at {shown} kWh", flush=True)


async def main(port: int) -> None:
    """Serve, for ever."""
    spoken = [Subprotocol(name) for name in SUBPROTOCOLS]
    async with serve(converse, "127.0.0.1", port, subprotocols=spoken, compression=None):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
