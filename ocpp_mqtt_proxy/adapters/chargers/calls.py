"""Our calls to one charger: one open at a time, the others wait in order (J §4.1.1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, failed, refused
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.rpc import Call, CallError, CallResult, CallResultError, ErrorCode

log = logging.getLogger(__name__)

MAX_WAITING = 50
"""Calls that may wait for the open one."""

TURNS = 2
"""How many times a call's time it may wait for its turn."""

Answer = CallResult | CallError


def _future() -> asyncio.Future[Answer | None]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class Pending:
    """A call of ours: `sent` when its turn has come, `answer` None where the link was lost."""

    call: Call
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Future[Answer | None] = field(default_factory=_future)


class Calls:
    """Puts orders to a charger. `transmit` sends a frame; a call has `seconds` to be answered once it is sent.

    `violated` is told of every answer that breaks its schema.
    """

    def __init__(
        self,
        charger_id: str,
        dialect: Dialect,
        transmit: Callable[[bytes], None],
        seconds: float,
        violated: Callable[[], None] = lambda: None,
    ) -> None:
        self._charger_id = charger_id
        self._dialect = dialect
        self._transmit = transmit
        self._seconds = seconds
        self._violated = violated
        self._gate = rpc.Gate()
        self._pending: dict[str, Pending] = {}
        self._running: set[asyncio.Task[Outcome]] = set()
        self._lost = False

    async def put(self, order: Order) -> Outcome:
        """Put an order to the charger and wait for its answer.

        Whoever stops waiting leaves the call open: the charger is at it all the same, and no other may go.
        """
        asked = self._dialect.put(order)
        if asked is None:
            return refused(Reason.NOT_SUPPORTED, f"OCPP {self._dialect.version} has no such thing, or no room for it")
        if self._lost:
            return refused(Reason.CHARGER_OFFLINE, "the charger's socket closed")
        if len(self._gate.waiting) >= MAX_WAITING:
            return failed(Reason.TIMEOUT, "too many calls wait for the charger")
        pending = Pending(self._gate.ask(*asked))
        self._pending[pending.call.id] = pending  # at once: whoever is answered now may send it
        task = asyncio.create_task(self._carry_out(order, pending))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def take(self, answer: Answer) -> None:
        """The charger answered. What is late, after the link was lost too, or answers nothing, is dropped."""
        if self._lost or self._gate.answer(answer.id) is None:
            log.info("%s: an answer that nobody waits for (%s)", self._charger_id, answer.id[: rpc.MAX_ID])
            return
        self._pending[answer.id].answer.set_result(answer)

    def hang_up(self) -> None:
        """Nobody will answer any more."""
        self._lost = True
        for pending in self._pending.values():
            pending.sent.set()
            if not pending.answer.done():
                pending.answer.set_result(None)

    async def _carry_out(self, order: Order, pending: Pending) -> Outcome:
        try:
            answer = await self._exchange(pending)
        except TimeoutError:
            return failed(Reason.TIMEOUT, self._why_none(pending))
        finally:
            del self._pending[pending.call.id]
            self._gate.give_up(pending.call)
            self._send_next()
        if answer is None:
            return refused(Reason.CHARGER_OFFLINE, "the charger's socket closed")
        return self._outcome(order, pending.call.action, answer)

    async def _exchange(self, pending: Pending) -> Answer | None:
        """Wait for a call's turn, then for its answer; None where the link is lost. Raises TimeoutError."""
        self._send_next()
        async with asyncio.timeout(self._seconds * TURNS):
            await pending.sent.wait()
        async with asyncio.timeout(self._seconds):
            return await pending.answer

    def _why_none(self, pending: Pending) -> str:
        if pending.sent.is_set():
            return f"the charger did not answer {pending.call.action} in {self._seconds:g} s"
        return "the charger was busy with other calls for too long"

    def _send_next(self) -> None:
        call = None if self._lost else self._gate.next()
        if call is not None:
            self._pending[call.id].sent.set()
            self._transmit(rpc.encode_call(call))

    def _outcome(self, order: Order, action: str, answer: Answer) -> Outcome:
        if isinstance(answer, CallResult):
            return self._result(order, action, answer)
        unable = answer.code in (ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED)
        reason = Reason.NOT_SUPPORTED if unable else Reason.CHARGER_REJECTED
        return refused(reason, f"the charger answered {answer.code} {answer.description}".strip())

    def _result(self, order: Order, action: str, answer: CallResult) -> Outcome:
        """What an answer means, as far as it can be used; a 2.1 charger is told where it cannot (Part 4 §4.2.3)."""
        outcome = self._dialect.outcome(order, answer.payload)
        violation = self._dialect.fault(action, answer.payload)
        if violation is not None:
            self._violated()
            log.info("%s: its answer to %s breaks its schema: %s", self._charger_id, action, violation)
            if not outcome.ok and rpc.knows_result_errors(self._dialect.version):
                self._transmit(rpc.encode_result_error(CallResultError(answer.id, violation.code, str(violation))))
        return outcome
