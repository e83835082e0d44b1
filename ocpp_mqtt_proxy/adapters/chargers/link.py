"""One charger's open socket: frames in, answers out, and one call of ours open at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Protocol

from ocpp_mqtt_proxy.adapters.chargers.calls import Calls
from ocpp_mqtt_proxy.budget import Excess
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.commands import Message, Order, Outcome, Reason, Still, Trigger, failed
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import Answer, BootReported, Report
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.frame_log import Trace, masked
from ocpp_mqtt_proxy.hub import Delayed, Hub
from ocpp_mqtt_proxy.logs import IN_FULL
from ocpp_mqtt_proxy.ocppj import quirks, rpc
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Dialect, Hear
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.quirks.mending import reread
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Call, CallError, CallResultError, ErrorCode, Frame, Send
from ocpp_mqtt_proxy.ocppj.schema import Violation
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.prompt import tell
from ocpp_mqtt_proxy.sockets import Beginning

log = logging.getLogger(__name__)

MAX_UNANSWERED = 8
"""Calls of a charger that may wait for the disk at once; the next is taken when one is answered."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in seconds.

    `boot_grace` for a boot to come by itself, `boot_patience` for a triggered one, `calm` between a boot's
    answer and our first question, `call` for a charger's answer (Mennekes needs nearly a minute), `silence`
    without a frame before we ask whether anybody is there, `pong` for a pong before a link counts as dead,
    `proof` for one when another socket claims the charger.
    """

    boot_grace: float = 5
    boot_patience: float = 15
    calm: float = 2
    call: float = 60
    silence: float = 3600
    pong: float = 30
    proof: float = 5


class Socket(Protocol):
    """What is needed of a WebSocket connection (see `sockets.Connection`)."""

    def listen(self, take: Callable[[bytes], None]) -> None:
        """Hand every message to `take`, in order."""

    @property
    def excess(self) -> Excess:
        """How often the charger went over its budget."""

    def put(self, message: bytes) -> bool:
        """Write a message and do not wait; False where the connection is not open any more."""

    def hold(self) -> None:
        """Hand on nothing more until `release`."""

    def release(self) -> None:
        """Go on after `hold`."""

    def part(self, reason: str) -> None:
        """Close, for a reason, and do not wait."""

    async def wait_closed(self) -> None:
        """Wait until the connection is closed."""

    @property
    def farewell(self) -> str:
        """How a closed connection came to its end."""


@dataclass(slots=True)
class Counters:
    """What went over a link. `unused` are answers of ours that the charger could not use.

    `repaired` are frames that were mended, `mended` how many by each quirk.
    """

    frames: int = 0
    bad_frames: int = 0
    violations: int = 0
    refused: int = 0
    unused: int = 0
    repaired: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    excess: Excess = field(default_factory=Excess)

    def repair(self, by: tuple[str, ...]) -> None:
        """A frame was mended by quirks."""
        self.repaired += 1
        self.mended.update(by)

    def add(self, others: Counters) -> None:
        """Count what another link counted."""
        for name in self.shown():
            setattr(self, name, getattr(self, name) + getattr(others, name))

    def shown(self) -> dict[str, object]:
        """Every counter by its name."""
        return {counter.name: getattr(self, counter.name) for counter in fields(self)}


class Link:
    """A charger's conversation, from its first frame to its last. Fulfils `ports.ChargerLink`."""

    def __init__(
        self,
        charger_id: str,
        dialect: Dialect,
        socket: Socket,
        hub: Hub,
        commissioning: Commissioning,
        timing: Timing,
        *,
        log_frames: bool = False,
    ) -> None:
        self.charger_id = charger_id
        self.dialect = dialect
        self.counters = Counters(excess=socket.excess)
        self.closing: str | None = None
        self._socket = socket
        self._hub = hub
        self._commissioning = commissioning
        self._timing = timing
        self._log_frames = log_frames
        self._trace = Trace(charger_id)
        self._calls = Calls(charger_id, dialect, self._send, timing.call, self._note_violation)
        self._ready = asyncio.Event()
        self._booted = asyncio.Event()
        self._introduced = asyncio.Event()
        self._asked_to_boot = False
        self._unanswered: set[asyncio.Future[Answer]] = set()

    @property
    def version(self) -> Version:
        """The OCPP version spoken."""
        return self.dialect.version

    # Conversation

    async def run(self) -> None:
        """Take frames until the socket closes."""
        care = asyncio.create_task(self._care(), name=f"care {self.charger_id}")
        care.add_done_callback(self._log_fault)
        self._socket.listen(self._receive)
        try:
            await self._socket.wait_closed()
            self.lose(self._socket.farewell)
        finally:
            care.cancel()
            self._hang_up()
            await asyncio.gather(care, *self._unanswered, return_exceptions=True)

    def _log_fault(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()):
            log.error("%s: is not looked after any more", self.charger_id, exc_info=fault)

    def close(self, reason: str) -> None:
        """Have the socket closed, for a reason; does not wait."""
        self.lose(reason)
        self._socket.part(reason)

    def lose(self, reason: str) -> None:
        """The socket is, or will be, gone: why. The first reason counts."""
        self.closing = self.closing or reason

    def _receive(self, data: bytes) -> None:
        self.counters.frames += 1
        if self._log_frames:
            self._log("<", data)
        try:
            frame = rpc.parse(data, self.version)
        except BadFrame as error:
            again = self._reread(data, error)
            if again is None:
                return
            frame = again
        if isinstance(frame, Call):
            self._hear(frame)
        elif isinstance(frame, Send):
            self._overhear(frame)
        elif isinstance(frame, CallResultError):
            self._was_not_understood(frame)
        else:
            self._calls.take(frame)

    def _quirks(self) -> quirks.Active:
        """What this charger is known to get wrong."""
        station = self._hub.station(self.charger_id)
        return quirks.active(station.memory.nameplate, station.plan.quirks)

    def _reread(self, data: bytes, error: BadFrame) -> Frame | None:
        """Read a frame all the same, by what the charger is known to get wrong; else refuse it."""
        if isinstance(data, Beginning):
            return self._overlong(data)
        again = reread(data, self.version, self._quirks())
        if again is None:
            self._refuse_frame(data, error)
            return None
        self.counters.repair(again.mended)
        self._trace.tell(logging.INFO, f"repaired ({', '.join(again.mended)})", error.why, lambda: data)
        return again.frame

    def _overlong(self, beginning: Beginning) -> Frame | None:
        """A frame that was too long to hold: refused, or as an answer to us an error."""
        try:
            return rpc.too_long(beginning)
        except BadFrame as error:
            self._refuse_frame(beginning, error)
            return None

    def _refuse_frame(self, data: bytes, error: BadFrame) -> None:
        self.counters.bad_frames += 1
        self._trace.tell(logging.WARNING, "a frame that is none", error.why, lambda: data)
        if error.answer_id is not None:
            self._send_error(CallError(error.answer_id, error.code, error.why))

    def _hear(self, call: Call) -> None:
        """Answer a call: at once where nothing has to be waited for, which is nearly always."""
        try:
            row, payload, violation = self.dialect.judge(call.action, call.payload, self._quirks)
            if violation is None and self._is_plain(row, payload):
                self._hear_plain(call, row.decode, payload)
                return
            if violation is not None:
                self._note_broken(call, violation)
            report = row.decode(payload)
            self._reply(call, self._hub.hear(self.charger_id, report))
        except CallRefused as refusal:
            self._refuse(call, refusal.code, refusal.why)
        except Exception:  # a fault of ours costs one answer its sense, never the charger its socket
            log.exception("%s: %s could not be handled", self.charger_id, call.action)
            self._own_fault(call)
        else:
            if isinstance(report, BootReported):
                self._boot_answered(report)

    def _hear_plain(self, call: Call, decode: Callable[[Object], Report], payload: Object) -> None:
        """Answer first: what follows is not the charger's concern."""
        self._send(rpc.encode_result(call.id, {}))
        try:
            answer = self._hub.hear(self.charger_id, decode(payload))
        except Exception:  # as above
            log.exception("%s: %s could not be handled", self.charger_id, call.action)
        else:
            _let_be(answer)

    def _is_plain(self, row: Hear, payload: Object) -> bool:
        """Whether the answer need not wait until the message is heard: it says nothing, and nothing hangs on it."""
        transaction_id = row.plain(payload) if row.plain else None
        return transaction_id == "" or (
            transaction_id is not None and self._hub.goes_on(self.charger_id, transaction_id)
        )

    def _note_broken(self, call: Call, violation: Violation) -> None:
        """A call breaks its schema and is used as far as it goes, where it can be repaired."""
        self.counters.violations += 1
        if violation.mended:
            self.counters.repair(violation.mended)
        by = f" (repaired: {', '.join(violation.mended)})" if violation.mended else ""
        frame = partial(rpc.encode_call, call)
        self._trace.tell(logging.INFO, f"{call.action} breaks its schema{by}", str(violation), frame)

    def _note_violation(self) -> None:
        self.counters.violations += 1

    def _overhear(self, sent: Send) -> None:
        """Take what is never answered, however it is (2.1 Part 4 §4.2.4)."""
        try:
            self._hub.hear(self.charger_id, self.dialect.take(sent.action, sent.payload))
        except CallRefused as refusal:
            self.counters.refused += 1
            log.warning("%s: %s passed over: %s %s", self.charger_id, sent.action, refusal.code, refusal.why)
        except Exception:  # as above
            log.exception("%s: %s could not be handled", self.charger_id, sent.action)

    def _was_not_understood(self, error: CallResultError) -> None:
        """An answer of ours was of no use to the charger: noted, never answered."""
        self.counters.unused += 1
        log.warning("%s: could not use our answer: %s %s", self.charger_id, error.code, error.description)

    def _reply(self, call: Call, answer: Answer | Delayed) -> None:
        if isinstance(answer, Delayed):
            self._answer_later(call, answer)
        else:
            self._answer(call, answer)

    def _answer_later(self, call: Call, answer: Delayed) -> None:
        """Answer once that is there. Frames go on being taken, up to a number: our own calls are answered there."""
        self._unanswered.add(answer.answer)
        tell(answer.answer, partial(self._answer_at_last, call))
        if len(self._unanswered) >= MAX_UNANSWERED:
            self._socket.hold()

    def _answer_at_last(self, call: Call, answer: asyncio.Future[Answer]) -> None:
        self._unanswered.discard(answer)
        if len(self._unanswered) == MAX_UNANSWERED - 1:
            self._socket.release()
        if answer.cancelled():  # the program ends
            return
        try:
            self._answer(call, answer.result())
        except LedgerFailed as error:
            # The charger keeps its message and sends it again (1.6 §3.7.1, E13).
            self._refuse(call, ErrorCode.INTERNAL_ERROR, f"it could not be written down: {error}")
        except Exception:  # as above
            log.exception("%s: %s could not be handled", self.charger_id, call.action)
            self._own_fault(call)

    def _answer(self, call: Call, answer: Answer) -> None:
        self._send(rpc.encode_result(call.id, self.dialect.reply(call.action, answer)))

    def _refuse(self, call: Call, code: ErrorCode, why: str) -> None:
        self.counters.refused += 1
        log.warning("%s: %s refused: %s %s", self.charger_id, call.action, code, why)
        self._send_error(CallError(call.id, code, why))

    def _own_fault(self, call: Call) -> None:
        """A message that we fail on must cost the charger neither its answer nor its socket."""
        self._send_error(CallError(call.id, ErrorCode.INTERNAL_ERROR, "the proxy failed on this message"))

    def _send_error(self, error: CallError) -> None:
        self._send(rpc.encode_error(error, self.version))

    def _send(self, frame: bytes) -> None:
        """Send a frame. To a socket that just closed it goes nowhere; the reader finds that out."""
        if self._log_frames:
            self._log(">", frame)
        if not self._socket.put(frame):
            self._hang_up()

    def _log(self, direction: str, frame: bytes) -> None:
        log.info("%s %s %s", self.charger_id, direction, masked(frame), extra=IN_FULL)

    # Boot, readiness and care

    def _boot_answered(self, report: BootReported) -> None:
        """From now on the charger may be asked things: not before, or some reboot for ever (peers §5)."""
        solicited = self._asked_to_boot if report.reason == "unknown" else report.reason == "triggered"
        self._introduced.set()
        if not solicited:
            self._booted.set()

    async def _care(self) -> None:
        """See the charger through its boot, then look after it as long as it stays, forgotten meanwhile or not."""
        station = self._hub.station(self.charger_id)
        booted = await self._wait_for_boot()
        while True:
            self._booted.clear()
            await asyncio.sleep(self._timing.calm)
            self._ready.set()
            await self._commissioning.prepare(station, self, booted=booted)
            await self._watch(station)
            booted = True

    async def _wait_for_boot(self) -> bool:
        """Whether the charger booted; asked to say who it is where it did not by itself."""
        if await _within(self._timing.boot_grace, self._booted):
            return True
        self._asked_to_boot = True
        if (await self._calls.put(Trigger(Message.BOOT))).ok:
            await _within(self._timing.boot_patience, self._introduced)
        self._asked_to_boot = False
        return self._booted.is_set()

    async def _watch(self, station: Station) -> None:
        """Return when the charger boots again. Long silence is asked about, and nothing at all is the end.

        Pings find dead links; this finds a charger whose program hangs while its network answers. The
        deadline is far beyond any heartbeat (peers §3.13).
        """
        heard = self.counters.frames
        while not await _within(self._longest_silence(station), self._booted):
            if heard == self.counters.frames and await self._is_silent():
                self.close("not a word for too long")
            heard = self.counters.frames

    def _longest_silence(self, station: Station) -> float:
        return max(self._timing.silence, 3 * station.plan.heartbeat_interval)

    async def _is_silent(self) -> bool:
        heard = self.counters.frames
        await self._calls.put(Trigger(Message.HEARTBEAT))
        return self.counters.frames == heard

    # Calls of ours

    async def send(self, order: Order, still: Still | None = None) -> Outcome:
        """Put an order to the charger and wait for its answer. Nothing goes out before it is ready.

        What limits a transaction goes after the answer by which the charger learns of it (1.6 §5.16.2).
        """
        if not await _within(self._timing.call, self._ready):
            return failed(Reason.TIMEOUT, "the charger has not booted yet")
        if isinstance(order, SetLimit) and order.transaction_id is not None and self._unanswered:
            await asyncio.wait(set(self._unanswered), timeout=self._timing.call)
        return await self._calls.put(order, still)

    def _hang_up(self) -> None:
        """Nobody will answer any more, nor boot."""
        self.lose("the socket closed")
        self._calls.hang_up()
        self._ready.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether an event comes within a time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _let_be(answer: Answer | Delayed) -> None:
    """Nobody waits for an answer any more; that something could not be written down the ledger itself tells."""
    if isinstance(answer, Delayed):
        answer.answer.add_done_callback(lambda written: written.exception())
