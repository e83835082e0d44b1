"""One open connection to a service: its calls answered, ours put one at a time (J §4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Protocol

from ocpp_mqtt_proxy.budget import Excess
from ocpp_mqtt_proxy.calling import Caller, HungUp, NoReply, Reply
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.frame_log import Trace, masked
from ocpp_mqtt_proxy.logs import IN_FULL
from ocpp_mqtt_proxy.ocppj import rpc, schema
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Dialect, Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Call, CallError, CallResult, CallResultError, ErrorCode, Frame, Send
from ocpp_mqtt_proxy.services.ports import Answerer, LinkLost, NoAnswer, Refused, Said, Unanswered
from ocpp_mqtt_proxy.sockets import Beginning

log = logging.getLogger(__name__)

MAX_AT_ONCE = 16
"""Calls of a service that are answered at once. One is what the specification allows; beyond these it is refused."""


class Socket(Protocol):
    """What is needed of a WebSocket connection (see `sockets.Outbound`)."""

    def listen(self, take: Callable[[bytes], None]) -> None:
        """Hand every message to `take`, in order."""

    def put(self, message: bytes) -> bool:
        """Write a message and do not wait; False where the connection is not open any more."""

    def part(self, reason: str) -> None:
        """Close, for a reason, and do not wait."""

    async def wait_closed(self) -> None:
        """Wait until the connection is closed."""

    @property
    def farewell(self) -> str:
        """How a closed connection came to its end."""


@dataclass(slots=True)
class Traffic:
    """What went over a service's links.

    `violations` are answers of the service that break their schema, `refused` its calls that were answered by an
    error, `unused` answers of ours that it could not use, `faults` frames of ours that break their schema.
    """

    received: int = 0
    sent: int = 0
    bad_frames: int = 0
    violations: int = 0
    refused: int = 0
    unused: int = 0
    faults: int = 0
    excess: Excess = field(default_factory=Excess)

    def shown(self) -> dict[str, object]:
        """Every counter by its name."""
        return {counter.name: getattr(self, counter.name) for counter in fields(self)}


class Link:
    """A conversation with a service, as a charger. Fulfils `services.ports.ServiceLink`.

    `name` is for the log: charger and service. `agreed`: the service confirmed the version. A call has `seconds` to
    be answered.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        socket: Socket,
        answer: Answerer,
        traffic: Traffic,
        seconds: float,
        *,
        log_frames: bool = False,
        agreed: bool = True,
    ) -> None:
        self.dialect = dialect
        self.traffic = traffic
        self._name = name
        self._socket = socket
        self._answer = answer
        self._log_frames = log_frames
        self._agreed = agreed
        self._heard = False
        self._closing = ""
        self._trace = Trace(name)
        self._caller = Caller(name, "the service", self._send, seconds)
        self._answering: set[asyncio.Task[None]] = set()
        self._end = asyncio.create_task(self._until_closed(), name=f"end of {name}")
        socket.listen(self._receive)

    @property
    def version(self) -> Version:
        """The OCPP version spoken."""
        return self.dialect.version

    # Its life

    def part(self, reason: str) -> None:
        """Close, for a reason; does not wait."""
        self._closing = self._closing or reason
        self._socket.part(reason)

    async def wait_closed(self) -> str:
        """Wait until the connection is gone; how it came to its end."""
        return await asyncio.shield(self._end)

    async def _until_closed(self) -> str:
        """Answers that are under way are worked out to their end: what they ask of a charger is done by halves else."""
        await self._socket.wait_closed()
        self._caller.hang_up()
        why = self._closing or self._socket.farewell
        if not self._heard and not self._agreed:
            why = f"{why}, without a word: it confirmed no version, and perhaps does not speak OCPP {self.version}"
        log.info("%s: disconnected: %s", self._name, why)
        return why

    # Calls of ours

    async def call(self, action: str, payload: Payload, seconds: float | None = None) -> Object:
        """Call the service and wait for its answer's payload; `seconds` for it, where that is not the usual time.

        A message that is never answered (2.1 SEND) waits for no other and has an empty answer. Whoever stops waiting
        leaves the call open. Raises LinkLost, NoAnswer, Refused.
        """
        self._check(action, payload)
        if action in self.dialect.overhear:
            return self._tell(action, payload)
        try:
            said = self._said(action, await self._caller.ask(action, payload, seconds))
        except (HungUp, NoReply) as error:
            raise _why(error) from None
        if isinstance(said, Refused):
            raise said
        return said

    def ask(self, action: str, payload: Payload, hear: Callable[[Said], None]) -> None:
        """As `ServiceLink.ask`: whoever sent it on to the service has its answer in the step in which that comes."""
        self._check(action, payload)
        try:
            reply = self._caller.ask(action, payload)
        except (HungUp, NoReply) as error:
            hear(_why(error))
        else:
            reply.tell(lambda _: hear(self._became(action, reply)))

    def _became(self, action: str, reply: asyncio.Future[Reply]) -> Said:
        try:
            return self._said(action, reply.result())
        except (HungUp, NoReply) as error:
            return _why(error)
        except Exception:  # a fault of ours costs one answer, never the service its link
            log.exception("%s: the answer to %s could not be judged", self._name, action)
            return NoAnswer("the proxy failed on its answer")

    def _said(self, action: str, reply: Reply) -> Object | Refused:
        if isinstance(reply, CallError):
            return Refused(reply)
        self._judge(action, reply)
        return reply.payload

    def _tell(self, action: str, payload: Payload) -> Object:
        if not self._send(rpc.encode_send(Send(rpc.fresh_id(), action, payload))):
            raise LinkLost("the connection is closed")
        return {}

    def _check(self, action: str, payload: Payload) -> None:
        """A call that breaks its schema goes all the same: what it tells may be worth money, and most will take it."""
        known = action in schema.actions(self.version)
        fault = schema.check(self.version, action, payload) if known else None
        if fault is not None:
            self.traffic.faults += 1
            self._trace.tell(
                logging.ERROR,
                f"our {action} breaks its schema",
                str(fault),
                lambda: rpc.encode_call(Call("", action, payload)),
            )

    def _judge(self, action: str, reply: CallResult) -> None:
        """An answer that breaks its schema is used as far as it goes; 2.1 is told where it lacks something (§4.2.3)."""
        violation = self.dialect.fault(action, reply.payload)
        if violation is None:
            return
        self.traffic.violations += 1
        frame = rpc.encode_result(reply.id, reply.payload)
        self._trace.tell(logging.INFO, f"the answer to {action} breaks its schema", str(violation), lambda: frame)
        if violation.missing and rpc.knows_result_errors(self.version):
            self._send(rpc.encode_result_error(CallResultError(reply.id, violation.code, str(violation))))

    # Frames

    def _receive(self, data: bytes) -> None:
        self._heard = True
        self.traffic.received += 1
        if self._log_frames:
            self._log("<", data)
        try:
            self._take(rpc.too_long(data) if isinstance(data, Beginning) else rpc.parse(data, self.version))
        except BadFrame as error:
            self.traffic.bad_frames += 1
            self._trace.tell(logging.WARNING, "a frame that is none", error.why, lambda: data)
            if error.answer_id is not None:
                self._send_error(CallError(error.answer_id, error.code, error.why))

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Call):
            self._hear(frame)
        elif isinstance(frame, CallResult | CallError):
            self._caller.take(frame)
        elif isinstance(frame, CallResultError):
            self.traffic.unused += 1
            log.warning("%s: could not use our answer: %s %s", self._name, frame.code, frame.description)
        else:
            # Nothing that a CSMS says is so (2.1 Part 2: only NotifyPeriodicEventStream, which a charger sends).
            self.traffic.refused += 1
            self._trace.tell(logging.INFO, "a message without an answer", frame.action, lambda: b"")

    # Calls of the service's

    def _hear(self, call: Call) -> None:
        """Answer a call, beside others: our own calls and theirs must never wait for each other (semantics §1.2)."""
        if len(self._answering) >= MAX_AT_ONCE:
            self._refuse(call, ErrorCode.GENERIC_ERROR, "too many calls at once; one may be open")
            return
        task = asyncio.create_task(self._work_out(call))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _work_out(self, call: Call) -> None:
        try:
            self._reply(call, await self._answer(call.action, call.payload))
        except CallRefused as refusal:
            self._refuse(call, refusal.code, refusal.why)
        except Unanswered as silence:
            self.traffic.refused += 1
            log.info("%s: %s is not answered: %s", self._name, call.action, silence)
        except Exception:  # a fault of ours costs one answer its sense, never the service its link
            log.exception("%s: %s could not be handled", self._name, call.action)
            self._own_fault(call)

    def _reply(self, call: Call, payload: Payload) -> None:
        """Write an answer at once, so that what is told because of it comes after it."""
        fault = self.dialect.fault(call.action, payload)
        if fault is None:
            self._send(rpc.encode_result(call.id, payload))
            return
        self.traffic.faults += 1
        log.error("%s: our answer to %s breaks its schema: %s", self._name, call.action, fault)
        self._own_fault(call)

    def _refuse(self, call: Call, code: ErrorCode, why: str) -> None:
        self.traffic.refused += 1
        log.info("%s: %s refused: %s %s", self._name, call.action, code, why)
        self._send_error(CallError(call.id, code, why))

    def _own_fault(self, call: Call) -> None:
        self._send_error(CallError(call.id, ErrorCode.INTERNAL_ERROR, "the proxy failed on this message"))

    def _send_error(self, error: CallError) -> None:
        self._send(rpc.encode_error(error, self.version))

    def _send(self, frame: bytes) -> bool:
        """Send a frame; False where the connection is closed, which ends our calls."""
        if self._log_frames:
            self._log(">", frame)
        if not self._socket.put(frame):
            self._caller.hang_up()
            return False
        self.traffic.sent += 1
        return True

    def _log(self, direction: str, frame: bytes) -> None:
        log.info("%s %s %s", self._name, direction, masked(frame), extra=IN_FULL)


def _why(error: HungUp | NoReply) -> LinkLost | NoAnswer:
    """Why there is no answer, in the words of services."""
    return LinkLost(str(error)) if isinstance(error, HungUp) else NoAnswer(str(error))
