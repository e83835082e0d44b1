"""Chargers as the standard wants them, for a CSMS that dies: each keeps what no CSMS has confirmed.

Messages of transactions wait in a line and are sent one by one, the next when the one before was confirmed; one that
got no answer, or an error, is sent again with a fresh id and everything else as it was (1.6 §3.7.1; 2.x E04, E13).
While there is no CSMS charging goes on, and what happens joins the line. These chargers never give a message up.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core.model import Version

Message = dict[str, Any]

RETRY_SECONDS = 0.05
"""How long after an error, or a door that was closed, it is tried again."""

MOST_WAITING = 30
"""Messages with which cars stay away, or a fast life without a CSMS would leave more than any other could take."""


@dataclass
class Visit:
    """One transaction as it truly was: register readings in Wh, and how much of it was confirmed."""

    charger: str
    tag: str
    start: int
    stop: int | None = None
    transaction: str | None = None
    start_confirmed: bool = False
    stop_confirmed: bool = False


@dataclass(frozen=True)
class Queued:
    """A message of a transaction that waits to be confirmed: made when it is sent, with what is known by then."""

    action: str
    make: Callable[[], Message]
    confirmed: Callable[[Message], None]


@dataclass
class Charger(ABC):
    """A charger with one connector. `haste` is the longest pause between two things that happen, in seconds."""

    id: str
    version: Version
    random: Random
    haste: float
    register: int = 0
    visits: list[Visit] = field(default_factory=list)
    line: deque[Queued] = field(default_factory=deque)
    current: Visit | None = None
    connected: bool = False
    transaction_ids: list[str] = field(default_factory=list)
    sent: int = 0
    errors: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: dict[str, asyncio.Future[tuple[int, Message]]] = field(default_factory=dict)
    _booted: bool = False

    # Life on the wire

    async def serve(self, url: str) -> None:
        """Be connected, for ever, whenever there is somebody to connect to."""
        protocol = Subprotocol(f"ocpp{self.version}")
        while True:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with connect(
                    f"{url}/{self.id}", subprotocols=[protocol], compression=None, ping_interval=None
                ) as socket:
                    await self._converse(socket)
            await asyncio.sleep(RETRY_SECONDS)

    async def _converse(self, socket: ClientConnection) -> None:
        reader = asyncio.create_task(self._read(socket))
        try:
            await self._introduce(socket)
            self.connected = True
            while True:
                await self._news.wait()
                while self.line:
                    await self._deliver(socket)
                self._news.clear()
        finally:
            self.connected = False
            reader.cancel()
            for answer in self._answers.values():
                answer.cancel()
            self._answers.clear()
            await asyncio.gather(reader, return_exceptions=True)

    async def _introduce(self, socket: ClientConnection) -> None:
        """A boot where it had a reason to, now and then; its state always (B04, 1.6 §4.9)."""
        if not self._booted or self.random.random() < 0.2:
            await self._call(socket, "BootNotification", self.boot())
            self._booted = True
        await self._call(socket, "StatusNotification", self.status())

    async def _deliver(self, socket: ClientConnection) -> None:
        """Send the first in the line until it is confirmed."""
        first = self.line[0]
        answer = await self._call(socket, first.action, first.make())
        if answer is None:
            self.errors += 1
            await asyncio.sleep(RETRY_SECONDS)
            return
        self.line.popleft()
        first.confirmed(answer)

    async def _call(self, socket: ClientConnection, action: str, payload: Message) -> Message | None:
        """Ask; the answer, None where that is an error."""
        number = f"{self.id}-{next(self._numbers)}"
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.sent += 1
        await socket.send(json.dumps([2, number, action, payload]))
        closing = asyncio.ensure_future(socket.wait_closed())
        await asyncio.wait([answer, closing], return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not answer.done():
            raise TimeoutError
        kind, payload = answer.result()
        return payload if kind == 3 else None

    async def _read(self, socket: ClientConnection) -> None:
        async for frame in socket:
            kind, number, *rest = json.loads(frame)
            if kind == 2:
                await socket.send(json.dumps([4, number, "NotSupported", "", {}]))
            elif (answer := self._answers.pop(number, None)) and not answer.done():
                answer.set_result((kind, rest[0] if kind == 3 else {}))

    # Life at the cable

    async def charge(self) -> None:
        """Cars come, charge and go, for ever, CSMS or not."""
        while True:
            await self._pause()
            if len(self.line) > MOST_WAITING:
                continue
            self.begin()
            for _ in range(self.random.randrange(4)):
                await self._pause()
                self.flow()
                self.read()
            await self._pause()
            self.flow()
            self.end()

    async def _pause(self) -> None:
        await asyncio.sleep(self.random.random() * self.haste)

    def begin(self) -> None:
        """A car begins to charge."""
        visit = Visit(self.id, f"{self.random.getrandbits(28):07X}", self.register)
        self.visits.append(visit)
        self.current = visit
        self._started(visit)

    def flow(self) -> None:
        """Energy flows."""
        self.register += self.random.randrange(1, 5000)

    def read(self) -> None:
        """The meter is read."""
        assert self.current is not None
        self._updated(self.current, self.register)

    def end(self) -> None:
        """The car is full."""
        assert self.current is not None
        visit, self.current = self.current, None
        visit.stop = self.register
        self._ended(visit, self.register)

    def queue(self, action: str, make: Callable[[], Message], confirmed: Callable[[Message], None]) -> None:
        self.line.append(Queued(action, make, confirmed))
        self._news.set()

    @property
    def confirmed(self) -> int:
        """How many of its visits are over and confirmed."""
        return sum(visit.stop_confirmed for visit in self.visits)

    @property
    def idle(self) -> bool:
        """Whether all that happened is confirmed."""
        return self.current is None and not self.line

    @abstractmethod
    def boot(self) -> Message: ...

    @abstractmethod
    def status(self) -> Message: ...

    @abstractmethod
    def _started(self, visit: Visit) -> None: ...

    @abstractmethod
    def _updated(self, visit: Visit, register: int) -> None: ...

    @abstractmethod
    def _ended(self, visit: Visit, register: int) -> None: ...


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Charger16(Charger):
    """OCPP 1.6: the CSMS gives the transaction its id, in the answer to its start."""

    def boot(self) -> Message:
        return {"chargePointVendor": "Acme", "chargePointModel": "One"}

    def status(self) -> Message:
        return {"connectorId": 1, "errorCode": "NoError", "status": "Charging" if self.current else "Available"}

    def _started(self, visit: Visit) -> None:
        start = {"connectorId": 1, "idTag": visit.tag, "meterStart": visit.start, "timestamp": now()}

        def confirmed(answer: Message) -> None:
            visit.transaction = str(answer["transactionId"])
            visit.start_confirmed = True
            self.transaction_ids.append(visit.transaction)

        self.queue("StartTransaction", lambda: start, confirmed)

    def _updated(self, visit: Visit, register: int) -> None:
        values = [{"timestamp": now(), "sampledValue": [{"value": str(register)}]}]
        self.queue(
            "MeterValues",
            lambda: {"connectorId": 1, "transactionId": self._id_of(visit), "meterValue": values},
            lambda _: None,
        )

    def _ended(self, visit: Visit, register: int) -> None:
        at = now()

        def confirmed(_: Message) -> None:
            visit.stop_confirmed = True

        self.queue(
            "StopTransaction",
            lambda: {"transactionId": self._id_of(visit), "meterStop": register, "timestamp": at, "idTag": visit.tag},
            confirmed,
        )

    def _id_of(self, visit: Visit) -> int:
        assert visit.transaction is not None
        return int(visit.transaction)


class Charger2(Charger):
    """OCPP 2.x: the charger names the transaction and numbers its events."""

    _sequence: int = 0

    def boot(self) -> Message:
        return {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Two"}}

    def status(self) -> Message:
        state = "Occupied" if self.current else "Available"
        return {"timestamp": now(), "connectorStatus": state, "evseId": 1, "connectorId": 1}

    def _started(self, visit: Visit) -> None:
        visit.transaction = str(UUID(int=self.random.getrandbits(128), version=4))
        self.transaction_ids.append(visit.transaction)
        self._sequence = 0

        def confirmed() -> None:
            visit.start_confirmed = True

        token = {"idToken": {"idToken": visit.tag, "type": "ISO14443"}, "evse": {"id": 1, "connectorId": 1}}
        self._event(visit, "Started", "Authorized", visit.start, "Transaction.Begin", confirmed, **token)

    def _updated(self, visit: Visit, register: int) -> None:
        self._event(visit, "Updated", "MeterValuePeriodic", register, "Sample.Periodic", lambda: None)

    def _ended(self, visit: Visit, register: int) -> None:
        def confirmed() -> None:
            visit.stop_confirmed = True

        self._event(visit, "Ended", "EVDeparted", register, "Transaction.End", confirmed)

    def _event(
        self,
        visit: Visit,
        kind: str,
        trigger: str,
        register: int,
        context: str,
        confirmed: Callable[[], None],
        **more: Any,
    ) -> None:
        sampled = {"value": register, "context": context, "measurand": "Energy.Active.Import.Register"}
        event = {
            "eventType": kind,
            "timestamp": now(),
            "triggerReason": trigger,
            "seqNo": self._sequence,
            "offline": not self.connected,
            "transactionInfo": {"transactionId": visit.transaction, "chargingState": "Charging"},
            "meterValue": [{"timestamp": now(), "sampledValue": [sampled]}],
            **more,
        }
        self._sequence += 1
        self.queue("TransactionEvent", lambda: event, lambda _: confirmed())


def charger(version: Version, number: int, random: Random, haste: float) -> Charger:
    """A charger of a version; its register begins anywhere, not at 0."""
    kind = Charger16 if version is Version.V16 else Charger2
    name = f"CP{str(version).replace('.', '')}-{number}"
    return kind(name, version, random, haste, register=random.randrange(1, 1_000_000))
