"""The simulated charger's connection: tells its reports to a CSMS and does as the CSMS says.

Transaction messages keep their order and survive being offline, as OCPP wants (1.6 §3.7, 2.x E04); the rest
is only worth telling while it is true.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reset, SetProfile, StopCharging, Trigger, done
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.model import StopReason, Verdict, Version
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    BootAnswer,
    HeartbeatReported,
    MeterReported,
    Phase,
    Report,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.settings import RATE_UNIT
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Dialect
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Call, CallError, CallResult
from ocpp_mqtt_proxy.simulator.box import HEARTBEAT_INTERVAL, Box
from ocpp_mqtt_proxy.simulator.orders import obey
from ocpp_mqtt_proxy.simulator.smart_charging import in_words

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a transaction message is sent where the CSMS answers an error (TransactionMessageAttempts)."""

MAX_QUEUE = 1000
"""Transaction messages kept while offline; beyond, what comes between start and end is left out (E04.FR.07)."""

LONGEST_RETRY = 30.0
CLOSE_SECONDS = 2.0
UNKNOWN_TRANSACTION = "-1"
"""A 1.6 transaction whose start the CSMS never confirmed (errata 3.18)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast it lives: `speed` makes charging faster than life; the rest is in seconds."""

    speed: float = 1.0
    tick: float = 1.0
    retry: float = 1.0
    call: float = 30.0


class Refused(ProxyError):
    """The CSMS answered with an error."""


class Station:
    """A box, connected."""

    def __init__(
        self,
        box: Box,
        dialect: Dialect,
        url: str,
        charger_id: str,
        password: str = "",
        pace: Pace | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.box = box
        self.clock = clock or _now
        self.charger_id = charger_id
        self.online = asyncio.Event()
        self._dialect = dialect
        _suit(box, dialect.version)
        self._url = f"{url.rstrip('/')}/{quote(charger_id, safe='')}"
        self._headers = _basic(charger_id, password) if password else {}
        self._pace = pace or Pace()
        self._socket: ClientConnection | None = None
        self._queue: deque[TransactionReported] = deque()
        self._news: deque[Report] = deque()
        self._something = asyncio.Event()
        self._call: tuple[str, asyncio.Future[CallResult | CallError]] | None = None
        self._turn = asyncio.Lock()
        self._ids: dict[str, str] = {}
        self._said: StatusReported | None = None
        self._away_until = 0.0
        self._boot_reason: str | None = "power_up"
        self._reset_once_idle = False

    @property
    def _allots_ids(self) -> bool:
        """Whether the CSMS names transactions, as in 1.6."""
        return self._dialect.version is Version.V16

    # Life

    async def run(self) -> None:
        """Connect, and connect again after every loss; charge on in between."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_for_ever())
            tasks.create_task(self._connect_for_ever())

    async def _connect_for_ever(self) -> None:
        delay = self._pace.retry
        while True:
            await self._stay_away()
            try:
                await self._session()
                delay = self._pace.retry
            except (OSError, WebSocketException, Refused) as error:
                log.info("%s: %s", self.charger_id, error or "no answer")
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311
            delay = min(LONGEST_RETRY, delay * 2)

    async def _stay_away(self) -> None:
        left = self._away_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    async def go_offline(self, seconds: float) -> None:
        """Lose the connection for a while; charging goes on."""
        self._away_until = asyncio.get_running_loop().time() + seconds
        self.online.clear()
        if self._socket is not None:
            await self._socket.close()

    async def _session(self) -> None:
        """One connection, until it is lost or to be left."""
        async with connect(
            self._url,
            subprotocols=[Subprotocol(self._dialect.subprotocol)],
            additional_headers=self._headers,
            compression=None,
            close_timeout=CLOSE_SECONDS,
        ) as socket:
            self._socket = socket
            tasks = {asyncio.create_task(self._read(socket)), asyncio.create_task(self._talk())}
            try:
                ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._hang_up()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in ended:
                task.result()

    def _hang_up(self) -> None:
        self._socket = None
        self._said = None
        self._news.clear()
        self.online.clear()
        if self._call is not None and not self._call[1].done():
            self._call[1].set_exception(ConnectionError("the connection is lost"))
            self._call[1].exception()  # whoever waited may have been cancelled, and nobody is to be warned

    async def _tick_for_ever(self) -> None:
        clock = asyncio.get_running_loop().time
        before = clock()
        while True:
            await asyncio.sleep(self._pace.tick)
            after = clock()
            self.box.tick(self.clock(), (after - before) * self._pace.speed)
            before = after
            self.collect()

    def collect(self) -> None:
        """Take the box's reports up: transactions wait their turn, the rest goes while online."""
        for report in self.box.reports:
            if isinstance(report, TransactionReported):
                self._enqueue(replace(report, offline=not self.online.is_set()))
            elif self.online.is_set():
                self._news.append(report)
        self.box.reports.clear()
        if self._reset_once_idle and self.box.transaction is None:
            self._reset_once_idle, self._boot_reason = False, "scheduled_reset"
        if self._queue or self._news or self._boot_reason is not None:
            self._something.set()

    def _enqueue(self, report: TransactionReported) -> None:
        if report.phase is not Phase.UPDATED or len(self._queue) < MAX_QUEUE:
            self._queue.append(report)

    # Telling

    async def _talk(self) -> None:
        """Boot where it has started, then tell what there is to tell, with a heartbeat in quiet times."""
        await self._boot()
        self.online.set()
        self._news.append(self.box.status_report(self.clock()))
        while True:
            await self._tell_all()
            if self._boot_reason is not None:
                return
            self._something.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(float(self.box.settings[HEARTBEAT_INTERVAL]) or None):
                    await self._something.wait()
                continue
            await self.ask(HeartbeatReported())

    async def _boot(self) -> None:
        if self._boot_reason is not None:
            await self.ask(self.box.boot_report(self._boot_reason))
            self._boot_reason = None

    async def _tell_all(self) -> None:
        while self._queue or self._news:
            if self._queue:
                await self._tell_transaction(self._queue[0])
                self._queue.popleft()
            else:
                await self._tell_news(self._news.popleft())

    async def _tell_transaction(self, report: TransactionReported) -> None:
        """Tell it until it is confirmed: what a CSMS refuses it may take later, but not for ever."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._learn(report, await self.ask(self._with_their_id(report)))
                return
            except Refused as error:
                log.warning("%s: %s", self.charger_id, error)
            await asyncio.sleep(self._pace.retry * attempt)

    async def _tell_news(self, report: Report) -> None:
        """A status is told once: what 2.x calls Occupied is several of ours."""
        if isinstance(report, StatusReported):
            if self._said is not None and self._calls(self._said) == self._calls(replace(report, at=self._said.at)):
                return
            self._said = report
        if isinstance(report, MeterReported) and report.transaction_id is not None:
            report = replace(report, transaction_id=self._ids.get(report.transaction_id))
        try:
            await self.ask(report)
        except Refused as error:
            log.warning("%s: %s", self.charger_id, error)

    def _calls(self, report: Report) -> list[tuple[str, dict[str, object]]]:
        return self._dialect.say[type(report)].encode(report)

    def _with_their_id(self, report: TransactionReported) -> TransactionReported:
        """A 1.6 CSMS gave the transaction its own number."""
        if not self._allots_ids:
            return report
        return replace(report, transaction_id=self._ids.get(report.transaction_id or "", UNKNOWN_TRANSACTION))

    def _learn(self, report: TransactionReported, answer: Answer | None) -> None:
        """The CSMS's name for it, and whether it may go on."""
        if not isinstance(answer, TransactionAnswer) or report.transaction_id is None:
            return
        if report.phase is Phase.STARTED and answer.transaction_id:
            self._ids[report.transaction_id] = answer.transaction_id
        if report.phase is Phase.ENDED:
            self._ids.pop(report.transaction_id, None)
        verdict = answer.authorization.verdict if answer.authorization else Verdict.ACCEPTED
        running = self.box.transaction
        if verdict is not Verdict.ACCEPTED and running and running.id == report.transaction_id:
            self.box.stop(StopReason.DEAUTHORIZED, self.clock())
            self.collect()

    async def ask(self, report: Report) -> Answer | None:
        """Tell a report and wait for the answer; None where there is nothing to tell in this version.

        Raises Refused for an error, ConnectionError while offline, TimeoutError where no answer comes.
        """
        answer: Answer | None = None
        for action, payload in self._calls(report):
            result = await self._exchange(Call(rpc.fresh_id(), action, payload))
            if isinstance(result, CallError):
                raise Refused(f"{action} was answered {result.code}: {result.description}")
            answer = self._dialect.say[type(report)].read(result.payload)
        if isinstance(answer, BootAnswer) and answer.interval > 0:
            self.box.settings[HEARTBEAT_INTERVAL] = str(answer.interval)
        return answer

    async def _exchange(self, call: Call) -> CallResult | CallError:
        async with self._turn:
            if self._socket is None:
                raise ConnectionError("offline")
            self._call = (call.id, asyncio.get_running_loop().create_future())
            await _send(self._socket, rpc.encode_call(call))
            async with asyncio.timeout(self._pace.call):
                return await self._call[1]

    # Obeying

    async def _read(self, socket: ClientConnection) -> None:
        async for data in socket:
            try:
                frame = rpc.parse(data, self._dialect.version)
            except BadFrame as error:
                log.warning("%s: %s", self.charger_id, error)
                continue
            if isinstance(frame, Call):
                await _send(socket, self._answer(frame))
                self.collect()
            elif isinstance(frame, CallResult | CallError):
                self._answered(frame)

    def _answered(self, frame: CallResult | CallError) -> None:
        if self._call is not None and frame.id == self._call[0] and not self._call[1].done():
            self._call[1].set_result(frame)

    def _answer(self, call: Call) -> bytes:
        try:
            order = self._dialect.command(call.action, call.payload)
        except CallRefused as refusal:
            return rpc.encode_error(CallError(call.id, refusal.code, refusal.why), self._dialect.version)
        told = f"keep {in_words(order.profile)}" if isinstance(order, SetProfile) else order
        log.info("%s: told to %s", self.charger_id, told)
        if isinstance(order, Trigger):
            self._said = None  # what is asked for is told once more
        return rpc.encode_result(call.id, self._dialect.response(call.action, order, self._do(order)))

    def _do(self, order: Order) -> Outcome:
        if isinstance(order, Reset):
            return self._reset(order)
        return obey(self.box, self._in_our_words(order), self.clock())

    def _in_our_words(self, order: Order) -> Order:
        """The CSMS's name of a transaction is not the box's."""
        if isinstance(order, StopCharging | SetProfile) and order.transaction_id is not None:
            ours = {theirs: own for own, theirs in self._ids.items()} if self._allots_ids else {}
            return replace(order, transaction_id=ours.get(order.transaction_id, order.transaction_id))
        return order

    def _reset(self, order: Reset) -> Outcome:
        """At once, or where it is asked softly of a 2.x charger, once it is idle (B12.FR.01); 1.6 does not wait."""
        if self.box.transaction is not None:
            if not order.hard and not self._allots_ids:
                self._reset_once_idle = True
                return done(charger_status="Scheduled")
            self.box.stop(StopReason.IMMEDIATE_RESET if order.hard else StopReason.SOFT_RESET, self.clock())
        self._boot_reason = "remote_reset"
        return done()


def _suit(box: Box, version: Version) -> None:
    """A box as its version wants it: how strict it is about profiles, and what it calls their units."""
    box.profiles.loose = version is Version.V16
    box.settings[RATE_UNIT] = "Current,Power" if version is Version.V16 else "A,W"


async def _send(socket: ClientConnection, frame: bytes) -> None:
    try:
        await socket.send(frame, text=True)
    except ConnectionClosed:
        raise ConnectionError("the connection is lost") from None


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _now() -> datetime:
    return datetime.now(UTC)
