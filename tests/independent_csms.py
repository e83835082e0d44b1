"""A CSMS that is not ours: the `ocpp` package's, for each version.

It judges every frame by its own schemas, and knows nothing of our dialects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from ocpp.exceptions import InternalError
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16, call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21, call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201, call_result as result201
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.running import PATIENCE

CALL, ERROR = 2, 4


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Csms:
    """A CSMS with one charger. What it hears is kept over all its connections.

    `number` is the id that it gives the so manieth transaction (1.6), `message_id` the id of its next call.
    It says nothing while `talks` is not set, and answers later.
    """

    version: str
    heard: list[list[Any]] = field(default_factory=list)
    said: list[list[Any]] = field(default_factory=list)
    refused_tags: set[str] = field(default_factory=set)
    errors_to_come: int = 0
    deaf: bool = False
    interval: int = 300
    number: Callable[[int], int] = lambda started: 700 + started
    message_id: Callable[[], object] | None = None
    visits: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    charger: Any = None
    socket: ServerConnection | None = None
    port: int = 0
    talks: asyncio.Event = field(default_factory=asyncio.Event)
    _server: Server | None = None
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.talks.set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def open(self) -> None:
        protocol = Subprotocol(f"ocpp{self.version}")
        self._server = await serve(self._converse, "127.0.0.1", self.port, subprotocols=[protocol])
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Go away: connections are cut."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _converse(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.headers = dict(socket.request.headers.raw_items())
        self.charger = POINTS[self.version](socket.request.path.rpartition("/")[2], Tape(self, socket), self)
        if self.message_id is not None:
            self.charger._unique_id_generator = self.message_id  # noqa: SLF001 (the package has no other way)
        self.socket = socket
        self.visits += 1
        with contextlib.suppress(ConnectionClosed):
            await self.charger.start()

    async def note(self, frames: list[list[Any]], frame: str) -> None:
        async with self._news:
            frames.append(json.loads(frame))
            self._news.notify_all()

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something holds of what was heard and said; its value."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while not (value := condition()):
                    await self._news.wait()
                return value
        except TimeoutError:
            heard = "\n".join(json.dumps(frame[2:])[:160] for frame in self.heard[-10:])
            raise AssertionError(f"did not come; heard:\n{heard}") from None

    def calls(self, *actions: str) -> list[dict[str, Any]]:
        """The payloads of the calls heard so far."""
        return [frame[3] for frame in self.heard if frame[0] == CALL and frame[2] in actions]

    async def call(self, action: str, where: Callable[[dict[str, Any]], Any] = lambda _: True) -> dict[str, Any]:
        """Wait for a call; its payload."""
        return dict(await self.until(lambda: next((p for p in self.calls(action) if where(p)), None)))

    async def status(self, word: str) -> dict[str, Any]:
        """Wait until the last status told is this."""
        key = "status" if self.version == "1.6" else "connectorStatus"
        return dict(
            await self.until(lambda: next((p for p in self.calls("StatusNotification")[-1:] if p[key] == word), None))
        )

    async def blurt(self, frame: str) -> None:
        """Send something as it is."""
        assert self.socket is not None
        await self.socket.send(frame)

    async def ask(self, request: Any) -> Any:
        """Ask the charger; its answer, judged by its schema."""
        return await self.charger.call(request, suppress=False)

    @property
    def faults(self) -> list[list[Any]]:
        """Errors that either side answered with: a frame that broke its schema shows here."""
        return [frame for frame in self.heard + self.said if frame[0] == ERROR]

    def stumble(self) -> None:
        """Fail, where that is wanted."""
        if self.errors_to_come:
            self.errors_to_come -= 1
            raise InternalError

    def verdict(self, tag: str) -> str:
        return "Invalid" if tag in self.refused_tags else "Accepted"


@dataclass
class Tape:
    """A socket that tells the CSMS what passes."""

    csms: Csms
    socket: ServerConnection

    async def recv(self) -> str:
        while True:
            frame = str(await self.socket.recv())
            await self.csms.note(self.csms.heard, frame)
            if not self.csms.deaf:
                return frame

    async def send(self, frame: str) -> None:
        await self.csms.talks.wait()
        await self.csms.note(self.csms.said, frame)
        await self.socket.send(frame)


class Point16(ChargePoint16):
    """The 1.6 side."""

    def __init__(self, charger_id: str, tape: Tape, csms: Csms) -> None:
        super().__init__(charger_id, tape, response_timeout=10)
        self.csms = csms

    @on("BootNotification")
    def _boot(self, **_: Any) -> Any:
        return result16.BootNotification(now(), self.csms.interval, "Accepted")

    @on("Heartbeat")
    def _heartbeat(self) -> Any:
        return result16.Heartbeat(now())

    @on("StatusNotification")
    def _status(self, **_: Any) -> Any:
        return result16.StatusNotification()

    @on("Authorize")
    def _authorize(self, id_tag: str) -> Any:
        return result16.Authorize({"status": self.csms.verdict(id_tag)})

    @on("StartTransaction")
    def _start(self, id_tag: str, **_: Any) -> Any:
        self.csms.stumble()
        number = self.csms.number(len(self.csms.calls("StartTransaction")))
        return result16.StartTransaction(number, {"status": self.csms.verdict(id_tag)})

    @on("StopTransaction")
    def _stop(self, **_: Any) -> Any:
        self.csms.stumble()
        return result16.StopTransaction()

    @on("MeterValues")
    def _meter(self, **_: Any) -> Any:
        return result16.MeterValues()

    @on("FirmwareStatusNotification")
    def _firmware(self, **_: Any) -> Any:
        return result16.FirmwareStatusNotification()

    @on("DiagnosticsStatusNotification")
    def _diagnostics(self, **_: Any) -> Any:
        return result16.DiagnosticsStatusNotification()


class Point201(ChargePoint201):
    """The 2.0.1 side."""

    answers: ClassVar[Any] = result201

    def __init__(self, charger_id: str, tape: Tape, csms: Csms) -> None:
        super().__init__(charger_id, tape, response_timeout=10)
        self.csms = csms

    @on("BootNotification")
    def _boot(self, **_: Any) -> Any:
        return self.answers.BootNotification(current_time=now(), interval=self.csms.interval, status="Accepted")

    @on("Heartbeat")
    def _heartbeat(self) -> Any:
        return self.answers.Heartbeat(now())

    @on("StatusNotification")
    def _status(self, **_: Any) -> Any:
        return self.answers.StatusNotification()

    @on("Authorize")
    def _authorize(self, id_token: dict[str, Any], **_: Any) -> Any:
        return self.answers.Authorize({"status": self.csms.verdict(id_token["id_token"])})

    @on("TransactionEvent")
    def _event(self, id_token: dict[str, Any] | None = None, **_: Any) -> Any:
        self.csms.stumble()
        if id_token is None:
            return self.answers.TransactionEvent()
        return self.answers.TransactionEvent(id_token_info={"status": self.csms.verdict(id_token["id_token"])})

    @on("MeterValues")
    def _meter(self, **_: Any) -> Any:
        return self.answers.MeterValues()

    @on("NotifyReport")
    def _report(self, **_: Any) -> Any:
        return self.answers.NotifyReport()

    @on("FirmwareStatusNotification")
    def _firmware(self, **_: Any) -> Any:
        return self.answers.FirmwareStatusNotification()

    @on("LogStatusNotification")
    def _log(self, **_: Any) -> Any:
        return self.answers.LogStatusNotification()

    @on("NotifyEvent")
    def _notify(self, **_: Any) -> Any:
        return self.answers.NotifyEvent()

    @on("NotifyChargingLimit")
    def _limit(self, **_: Any) -> Any:
        return self.answers.NotifyChargingLimit()

    @on("ClearedChargingLimit")
    def _no_limit(self, **_: Any) -> Any:
        return self.answers.ClearedChargingLimit()

    @on("ReservationStatusUpdate")
    def _reservation(self, **_: Any) -> Any:
        return self.answers.ReservationStatusUpdate()


class Point21(ChargePoint21, Point201):
    """The 2.1 side."""

    answers = result21


POINTS: dict[str, Any] = {"1.6": Point16, "2.0.1": Point201, "2.1": Point21}


@contextlib.asynccontextmanager
async def csms_of(version: str) -> AsyncIterator[Csms]:
    """A CSMS, open; `faults` are the frames that either side found wrong."""
    csms = Csms(version)
    await csms.open()
    try:
        yield csms
    finally:
        await csms.close()
