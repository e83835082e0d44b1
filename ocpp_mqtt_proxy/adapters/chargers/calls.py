"""Orders to one charger: each becomes a call, and its answer an outcome."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ocpp_mqtt_proxy.calling import Caller, HungUp, NoReply, Overtaken, Reply
from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Order, Outcome, Reason, Still, failed, refused
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.rpc import CallResult, CallResultError, ErrorCode

log = logging.getLogger(__name__)


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
        self._violated = violated
        self._caller = Caller(charger_id, "the charger", transmit, seconds)
        self._running: set[asyncio.Task[Outcome]] = set()

    async def put(self, order: Order, still: Still | None = None) -> Outcome:
        """Put an order to the charger and wait for its answer; where it is wanted `still` when its turn comes.

        Whoever stops waiting leaves the call open: the charger is at it all the same, and no other may go.
        """
        asked = self._dialect.put(order)
        if asked is None:
            return refused(Reason.NOT_SUPPORTED, f"OCPP {self._dialect.version} has no such thing, or no room for it")
        try:
            answer = self._caller.ask(*asked, still=still)
        except HungUp:
            return _offline()
        except NoReply as error:
            return failed(Reason.TIMEOUT, str(error))
        task = asyncio.create_task(self._outcome_of(order, asked[0], answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def take(self, answer: Reply) -> None:
        """The charger answered. What is late, after the link was lost too, or answers nothing, is dropped."""
        self._caller.take(answer)

    def hang_up(self) -> None:
        """Nobody will answer any more."""
        self._caller.hang_up()

    async def _outcome_of(self, order: Order, action: str, answer: asyncio.Future[Reply]) -> Outcome:
        try:
            return self._outcome(order, action, await answer)
        except HungUp:
            return _offline()
        except Overtaken:
            return WITHDRAWN
        except NoReply as error:
            return failed(Reason.TIMEOUT, str(error))

    def _outcome(self, order: Order, action: str, answer: Reply) -> Outcome:
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


def _offline() -> Outcome:
    return refused(Reason.CHARGER_OFFLINE, "the charger's socket closed")
