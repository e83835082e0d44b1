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
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reset, StopCharging
from ocpp_mqtt_proxy.core.model import StopReason, Verdict
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    BootAnswer,
    HeartbeatReported,
    Phase,
    Report,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Call, CallError, CallResult, ErrorCode
from ocpp_mqtt_proxy.simulator.box import Box

log = logging.getLogger(__name__)

CALL_SECONDS = 30.0
TICK_SECONDS = 1.0


class Station:
    """A box, connected. `speed` makes its charging faster than life."""

    def __init__(
        self, box: Box, dialect: Dialect, url: str, charger_id: str, password: str = "", speed: float = 1.0
    ) -> None:
        self.box = box
        self.charger_id = charger_id
        self.online = asyncio.Event()
        self._dialect = dialect
        self._url = f"{url.rstrip('/')}/{quote(charger_id, safe='')}"
        self._headers = _basic(charger_id, password) if password else {}
        self._speed = speed
        self._socket: ClientConnection | None = None
        self._queue: deque[TransactionReported] = deque()
        self._news: deque[Report] = deque()
        self._something = asyncio.Event()
        self._call: tuple[str, asyncio.Future[CallResult | CallError]] | None = None
        self._turn = asyncio.Lock()
        self._ids: dict[str, str] = {}
        self._said: StatusReported | None = None
        self._away_until = 0.0
        self._reset = asyncio.Event()

    # Life

    async def run(self) -> None:
        """Connect, and connect again after every loss; charge on in between."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick_for_ever())
            delay = 1.0
            while True:
                await self._stay_away()
                try:
                    await self._session()
                    delay = 1.0
                except (OSError, InvalidHandshake, ConnectionClosed, TimeoutError) as error:
                    log.info("%s: %s", self.charger_id, error)
                self.online.clear()
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311
                delay = min(30.0, delay * 2)

    async def _stay_away(self) -> None:
        left = self._away_until - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    async def go_offline(self, seconds: float) -> None:
        """Lose the connection for a while; charging goes on."""
        self._away_until = asyncio.get_running_loop().time() + seconds
        if self._socket is not None:
            await self._socket.close()

    async def _session(self) -> None:
        protocols = [Subprotocol(self._dialect.subprotocol)]
        async with connect(
            self._url, subprotocols=protocols, additional_headers=self._headers, compression=None
        ) as socket:
            self._socket = socket
            reader = asyncio.create_task(self._read(socket))
            talker = asyncio.create_task(self._talk())
            try:
                await asyncio.wait({reader, talker}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._hang_up()
                for task in (reader, talker):
                    task.cancel()
                await asyncio.gather(reader, talker, return_exceptions=True)

    def _hang_up(self) -> None:
        self._socket = None
        self._said = None
        if self._call is not None and not self._call[1].done():
            self._call[1].cancel()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.box.tick(_now(), TICK_SECONDS * self._speed)
            self.collect()

    def collect(self) -> None:
        """Take the box's reports up: transactions wait their turn, the rest goes while online."""
        for report in self.box.reports:
            if isinstance(report, TransactionReported):
                offline = not self.online.is_set()
                self._queue.append(replace(report, offline=offline))
            elif self.online.is_set():
                self._news.append(report)
        self.box.reports.clear()
        self._something.set()

    # Telling

    async def _talk(self) -> None:
        """Boot, then tell what there is to tell, with a heartbeat in quiet times."""
        interval = await self._boot()
        self.online.set()
        self._news.append(self.box.status_report(_now()))
        while True:
            await self._tell_all()
            self._something.clear()
            if self._reset.is_set():
                self._reset.clear()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._something.wait()
                continue
            await self.ask(HeartbeatReported())

    async def _boot(self) -> int:
        answer = await self.ask(self.box.boot_report())
        return answer.interval if isinstance(answer, BootAnswer) and answer.interval else 300

    async def _tell_all(self) -> None:
        while self._queue or self._news:
            if self._queue:
                report = self._queue[0]
                self._learn(report, await self.ask(self._with_their_id(report)))
                self._queue.popleft()
            else:
                await self._tell_news(self._news.popleft())

    async def _tell_news(self, report: Report) -> None:
        """A status is told once: what 2.x calls Occupied is several of ours."""
        if isinstance(report, StatusReported):
            if self._said is not None and self._calls(self._said) == self._calls(replace(report, at=self._said.at)):
                return
            self._said = report
        await self.ask(report)

    def _calls(self, report: Report) -> list[tuple[str, dict[str, object]]]:
        return self._dialect.say[type(report)].encode(report)

    def _with_their_id(self, report: TransactionReported) -> TransactionReported:
        """A 1.6 CSMS gave the transaction its own number; -1 where it never did (errata 3.18)."""
        assert report.transaction_id is not None
        known = self._ids.get(report.transaction_id, "-1" if self._allots_ids else report.transaction_id)
        return replace(report, transaction_id=known)

    @property
    def _allots_ids(self) -> bool:
        return "StartTransaction" in self._dialect.hear

    def _learn(self, report: TransactionReported, answer: Answer | None) -> None:
        if not isinstance(answer, TransactionAnswer) or report.transaction_id is None:
            return
        if report.phase is Phase.STARTED and answer.transaction_id:
            self._ids[report.transaction_id] = answer.transaction_id
        verdict = answer.authorization.verdict if answer.authorization else Verdict.ACCEPTED
        running = self.box.transaction
        if verdict is not Verdict.ACCEPTED and running and running.id == report.transaction_id:
            self.box.stop(StopReason.DEAUTHORIZED, _now())
            self.collect()

    async def ask(self, report: Report) -> Answer | None:
        """Tell a report and wait for the answer; None where it is an error or takes too long."""
        row = self._dialect.say[type(report)]
        answer: Answer | None = None
        for action, payload in row.encode(report):
            result = await self._exchange(Call(rpc.fresh_id(), action, payload))
            answer = row.read(result.payload) if isinstance(result, CallResult) else None
        return answer

    async def _exchange(self, call: Call) -> CallResult | CallError | None:
        async with self._turn:
            if self._socket is None:
                raise ConnectionError("offline")
            future: asyncio.Future[CallResult | CallError] = asyncio.get_running_loop().create_future()
            self._call = (call.id, future)
            await self._socket.send(rpc.encode_call(call), text=True)
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    return await future
            except TimeoutError:
                return None

    # Obeying

    async def _read(self, socket: ClientConnection) -> None:
        async for data in socket:
            try:
                frame = rpc.parse(data, self._dialect.version)
            except BadFrame as error:
                log.warning("%s: %s", self.charger_id, error)
                continue
            if isinstance(frame, Call):
                await socket.send(self._obey(frame), text=True)
                self.collect()
            elif self._call is not None and frame.id == self._call[0] and not self._call[1].done():
                self._call[1].set_result(frame)

    def _obey(self, call: Call) -> bytes:
        row = self._dialect.obey.get(call.action)
        if row is None:
            error = CallError(call.id, ErrorCode.NOT_SUPPORTED, "the simulator has no such thing")
            return rpc.encode_error(error, self._dialect.version)
        outcome = self._carry_out(row.decode(call.payload))
        return rpc.encode_result(call.id, row.reply(outcome))

    def _carry_out(self, order: Order) -> Outcome:
        if isinstance(order, StopCharging):
            ours = {theirs: own for own, theirs in self._ids.items()}
            order = StopCharging(ours.get(order.transaction_id, order.transaction_id))
        if isinstance(order, Reset):
            self._restart()
        log.info("%s: told to %s", self.charger_id, order)
        return self.box.obey(order, _now())

    def _restart(self) -> None:
        if self.box.transaction is not None:
            self.box.stop(StopReason.REBOOT, _now())
        self._reset.set()


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _now() -> datetime:
    return datetime.now(UTC)
