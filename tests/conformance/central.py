"""A service's CSMS that says and answers what a test has it say, for every charger that is shown to it.

Every frame that goes either way is judged by the schemas of the `ocpp` package, which knows nothing of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallResult, validate_payload
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.conformance.charger import Payload, Unable, now
from tests.running import PATIENCE

USUAL_SETTINGS = {
    "1.6": {"ChargeProfileMaxStackLevel": "8", "ChargingScheduleAllowedChargingRateUnit": "Current"},
    "2.0.1": {"SmartChargingCtrlr.ProfileStackLevel": "8", "SmartChargingCtrlr.RateUnit": "A"},
}
USUAL_SETTINGS["2.1"] = USUAL_SETTINGS["2.0.1"]
"""What the charger behind says of itself."""

V2 = ["2.0.1", "2.1"]
"""The versions whose cases are the same."""

Answer = Payload | Unable | None
"""None: no answer at all."""

Answering = Callable[[Payload], Answer]
"""What makes an answer to a call."""


def boots(*answers: tuple[str, int]) -> Answering:
    """What a CSMS answers to one boot after another; the last over and over."""
    left = list(answers)

    def answer(_: Payload) -> Payload:
        status, interval = left.pop(0) if len(left) > 1 else left[0]
        return {"status": status, "interval": interval, "currentTime": now()}

    return answer


@dataclass
class Desk:
    """Where a CSMS looks after one charger, over all its connections.

    `answers` are its own to a call; `kept_waiting` are those calls that it has not answered.
    """

    central: Central
    calls: list[tuple[str, Payload]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    answers: dict[str, Answer | Answering] = field(default_factory=dict)
    socket: ServerConnection | None = None
    started: int = 0
    kept_waiting: list[tuple[str, str, Payload]] = field(default_factory=list)
    _waiting: dict[str, tuple[str, asyncio.Future[Payload | Unable]]] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    # What it hears

    def told(self, action: str) -> list[Payload]:
        """All calls of an action, in order."""
        return [payload for name, payload in self.calls if name == action]

    async def until(self, action: str, fits: Callable[[Payload], Any] = lambda _: True, *, number: int = 1) -> Payload:
        """Wait for a call, or so many of them; the last."""

        def found() -> list[Payload]:
            fitting = [payload for payload in self.told(action) if fits(payload)]
            return fitting if len(fitting) >= number else []

        return dict((await self.wait(found))[-1])

    async def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until something holds of what it heard; its value."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not (value := condition()):
                    self._news.clear()
                    await self._news.wait()
                return value
        except TimeoutError:
            heard = "\n".join(f"{action} {payload}"[:300] for action, payload in self.calls[-12:])
            raise AssertionError(f"did not come; heard:\n{heard}") from None

    async def event(self, kind: str, trigger: str = "", *, number: int = 1) -> Payload:
        """Wait for a TransactionEvent."""
        return await self.until(
            "TransactionEvent",
            lambda told: told["eventType"] == kind and trigger in ("", told["triggerReason"]),
            number=number,
        )

    async def status(self, word: str) -> Payload:
        """Wait until the last state told of connector 1 is this."""
        state, where = ("status", "connectorId") if self.central.version == "1.6" else ("connectorStatus", "evseId")

        def shown() -> Payload | None:
            of_1 = [payload for payload in self.told("StatusNotification") if payload[where] == 1]
            return of_1[-1] if of_1 and of_1[-1][state] == word else None

        return dict(await self.wait(shown))

    # What it asks

    async def ask(self, action: str, **payload: Any) -> Payload:
        """Ask the charger; the answer, which must be one."""
        answer = await self.demand(action, payload)
        assert isinstance(answer, dict), f"{action} was answered {answer}"
        return answer

    async def demand(self, action: str, payload: Payload, *, number: str = "") -> Payload | Unable:
        """Ask the charger; the answer, or the error."""
        answer = self.send(action, payload, number=number)
        async with asyncio.timeout(PATIENCE):
            return await answer

    def send(self, action: str, payload: Payload, *, number: str = "") -> asyncio.Future[Payload | Unable]:
        """Ask the charger; the answer to come."""
        assert self.socket is not None
        number = number or f"s{next(self._numbers)}"
        answer: asyncio.Future[Payload | Unable] = asyncio.get_running_loop().create_future()
        self._waiting[number] = action, answer
        self.central.later(self.blurt(json.dumps([2, number, action, payload])))
        return answer

    async def blurt(self, frame: str) -> None:
        """Send something as it is."""
        assert self.socket is not None
        await self.socket.send(frame)

    # Its frames

    async def converse(self, socket: ServerConnection) -> None:
        self.socket = socket
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                await self._take(json.loads(text))

    async def _take(self, frame: list[Any]) -> None:
        if frame[0] == 2:
            await self._hear(str(frame[1]), frame[2], frame[3])
            return
        if str(frame[1]) not in self._waiting:
            return  # to something that a test sent as it was
        action, answer = self._waiting.pop(str(frame[1]))
        if frame[0] == 3:
            await self.central.judge(CallResult(frame[1], frame[2], action))
        self.order.append(f"answer to {action}")
        if not answer.done():
            answer.set_result(frame[2] if frame[0] == 3 else Unable(frame[2]))

    async def _hear(self, number: str, action: str, payload: Payload) -> None:
        await self.central.judge(Call(number, action, payload))
        self.calls.append((action, payload))
        self.order.append(action)
        answer = self.answers[action] if action in self.answers else self._usual(action, payload)
        if callable(answer):
            answer = answer(payload)
        self._news.set()
        if isinstance(answer, Unable):
            await self.blurt(json.dumps([4, number, answer.code, "", {}]))
        elif answer is not None:
            await self.blurt(json.dumps([3, number, answer]))
        else:
            self.kept_waiting.append((number, action, payload))

    async def answer(self) -> None:
        """Answer what was kept waiting, and keep nothing of that kind waiting any more."""
        waiting, self.kept_waiting = self.kept_waiting, []
        for number, action, payload in waiting:
            self.answers.pop(action, None)
            await self.blurt(json.dumps([3, number, self._usual(action, payload)]))

    def _usual(self, action: str, payload: Payload) -> Payload:
        """What it answers where a test says nothing."""
        match action:
            case "BootNotification":
                return {"status": "Accepted", "interval": 300, "currentTime": now()}
            case "Heartbeat":
                return {"currentTime": now()}
            case "StartTransaction":
                self.started += 1
                return {"transactionId": self.central.first + self.started, "idTagInfo": {"status": "Accepted"}}
            case "Authorize":
                key = "idTagInfo" if self.central.version == "1.6" else "idTokenInfo"
                return {key: {"status": "Accepted"}}
            case "TransactionEvent" if "idToken" in payload:
                return {"idTokenInfo": {"status": "Accepted"}}
        return {}


@dataclass
class Central:
    """A CSMS of one version, open for every charger. Its transactions, where it numbers them (1.6), follow `first`."""

    version: str
    first: int = 700
    port: int = 0
    desks: dict[str, Desk] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    _server: Server | None = None
    _errands: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, version: str, first: int = 700) -> AsyncIterator[Self]:
        """One that is open. In the end no frame of ours may have been wrong."""
        central = cls(version, first)
        await central.open()
        try:
            yield central
        finally:
            await central.close()
        assert central.faults == []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    def desk(self, charger_id: str) -> Desk:
        """Where it looks after a charger, or will."""
        return self.desks.setdefault(charger_id, Desk(self))

    async def open(self) -> None:
        """Listen, at the same port as before."""
        spoken = [Subprotocol(f"ocpp{self.version}")]
        self._server = await serve(self._converse, "127.0.0.1", self.port, subprotocols=spoken)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Go away: connections are cut."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def judge(self, message: Call | CallResult) -> None:
        try:
            await validate_payload(message, self.version)
        except OCPPError as error:
            self.faults.append(f"{message.action}: {error} {message.payload}")

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        await self.desk(socket.request.path.rpartition("/")[2]).converse(socket)


@dataclass
class Served:
    """The service as it runs between chargers and a CSMS, with its roles; none are all."""

    central: Central
    chargers: str
    roles: tuple[str, ...] = ()


def service(central: Central, name: str = "billing", **given: Any) -> Payload:
    """A service as the configuration has it: it hears of everything."""
    return {"id": name, "url": central.url, "version": central.version, "mirror": "all", **given}


def provider(name: str = "billing", *roles: str) -> Payload:
    """A provider that may act at any time, in all roles unless some are named."""
    every = ["transactions", "smart_charging", "management"]
    return {"id": name, "presence": "any", "roles": list(roles) or every}
