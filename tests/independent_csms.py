"""Independent CSMSs: the `ocpp` package's own central systems, which judge every frame of ours by its schemas."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16, call as call16, call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21, call as call21, call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201, call as call201, call_result as result201
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PATIENCE = 20.0
"""Seconds after which what should come has not."""

ENERGY = "Energy.Active.Import.Register"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Csms:
    """One CSMS, over all its connections. `heard` are the actions and what they held, in the package's words.

    `energies` are the register readings in Wh by transaction, `ended` the transactions that are over.
    """

    version: str
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    energies: dict[Any, list[float]] = field(default_factory=dict)
    ended: list[Any] = field(default_factory=list)
    station: Any = None
    asks: Any = None
    port: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    def actions(self) -> list[str]:
        """What it heard, in order."""
        return [action for action, _ in self.heard]

    def said(self, action: str) -> list[dict[str, Any]]:
        """What an action held, in order."""
        return [payload for heard, payload in self.heard if heard == action]

    async def note(self, action: str, payload: dict[str, Any]) -> None:
        """Something was heard."""
        async with self.news:
            self.heard.append((action, payload))
            self.news.notify_all()

    async def until(self, condition: Callable[[Csms], object]) -> None:
        """Wait until what it heard is enough."""
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(lambda: condition(self))

    async def up(self) -> None:
        """Listen, at the same port as before."""
        spoken = [Subprotocol(f"ocpp{self.version}")]
        self._server = await serve(self._converse, "127.0.0.1", self.port, subprotocols=spoken)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def down(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _converse(self, socket: ServerConnection) -> None:
        kind, self.asks = STATIONS[self.version]
        assert socket.request is not None
        self.station = kind(socket.request.path.rpartition("/")[2], socket, response_timeout=10)
        self.station.csms = self
        with contextlib.suppress(ConnectionClosed):
            await self.station.start()

    def read(self, transaction: Any, meter_value: list[dict[str, Any]]) -> None:
        """Take the register readings of a transaction."""
        for sampled in (one for value in meter_value for one in value["sampled_value"]):
            if sampled.get("measurand", ENERGY) == ENERGY and "phase" not in sampled:
                self.energies[transaction].append(float(sampled["value"]))

    def energy(self, transaction: Any) -> float:
        """What it would bill, in Wh."""
        read = self.energies[transaction]
        return read[-1] - read[0]


class Station16(ChargePoint16):
    """What a 1.6 CSMS knows of a charger."""

    csms: Csms

    @on("BootNotification")
    async def _boot(self, **told: Any) -> Any:
        await self.csms.note("BootNotification", told)
        return result16.BootNotification(current_time=_now(), interval=300, status="Accepted")

    @on("Heartbeat")
    async def _heartbeat(self) -> Any:
        return result16.Heartbeat(current_time=_now())

    @on("StatusNotification")
    async def _status(self, **told: Any) -> Any:
        await self.csms.note("StatusNotification", told)
        return result16.StatusNotification()

    @on("Authorize")
    async def _authorize(self, **told: Any) -> Any:
        await self.csms.note("Authorize", told)
        return result16.Authorize(id_tag_info={"status": "Accepted"})

    @on("StartTransaction")
    async def _start(self, **told: Any) -> Any:
        number = 7000 + len(self.csms.energies)
        self.csms.energies[number] = [told["meter_start"]]
        await self.csms.note("StartTransaction", told)
        return result16.StartTransaction(transaction_id=number, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    async def _meter(self, **told: Any) -> Any:
        if "transaction_id" in told:
            self.csms.read(told["transaction_id"], told["meter_value"])
        await self.csms.note("MeterValues", told)
        return result16.MeterValues()

    @on("StopTransaction")
    async def _stop(self, **told: Any) -> Any:
        self.csms.energies[told["transaction_id"]].append(told["meter_stop"])
        self.csms.ended.append(told["transaction_id"])
        await self.csms.note("StopTransaction", told)
        return result16.StopTransaction()


class Station201(ChargePoint201):
    """What a 2.0.1 CSMS knows of a station."""

    csms: Csms
    answers: Any = result201

    @on("BootNotification")
    async def _boot(self, **told: Any) -> Any:
        await self.csms.note("BootNotification", told)
        return self.answers.BootNotification(current_time=_now(), interval=300, status="Accepted")

    @on("Heartbeat")
    async def _heartbeat(self) -> Any:
        return self.answers.Heartbeat(current_time=_now())

    @on("StatusNotification")
    async def _status(self, **told: Any) -> Any:
        await self.csms.note("StatusNotification", told)
        return self.answers.StatusNotification()

    @on("NotifyEvent")
    async def _event(self, **told: Any) -> Any:
        await self.csms.note("NotifyEvent", told)
        return self.answers.NotifyEvent()

    @on("Authorize")
    async def _authorize(self, **told: Any) -> Any:
        await self.csms.note("Authorize", told)
        return self.answers.Authorize(id_token_info={"status": "Accepted"})

    @on("MeterValues")
    async def _meter(self, **told: Any) -> Any:
        await self.csms.note("MeterValues", told)
        return self.answers.MeterValues()

    @on("TransactionEvent")
    async def _transaction(self, **told: Any) -> Any:
        transaction = told["transaction_info"]["transaction_id"]
        self.csms.energies.setdefault(transaction, [])
        self.csms.read(transaction, told.get("meter_value", []))
        if told["event_type"] == "Ended":
            self.csms.ended.append(transaction)
        await self.csms.note("TransactionEvent", told)
        if "id_token" in told:
            return self.answers.TransactionEvent(id_token_info={"status": "Accepted"})
        return self.answers.TransactionEvent()


class Station21(ChargePoint21, Station201):
    """The same in 2.1: the package judges its frames by that."""

    answers = result21


STATIONS: dict[str, tuple[type, Any]] = {
    "1.6": (Station16, call16),
    "2.0.1": (Station201, call201),
    "2.1": (Station21, call21),
}


@contextlib.asynccontextmanager
async def independent_csms(version: str) -> AsyncIterator[Csms]:
    """An independent CSMS that listens."""
    csms = Csms(version)
    await csms.up()
    try:
        yield csms
    finally:
        await csms.down()
