"""Calls of ours to one peer, a charger or a service: one open at a time, the others wait in order (J §4.1.1)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ocpp_mqtt_proxy.core.commands import Still
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.rpc import Call, CallError, CallResult
from ocpp_mqtt_proxy.prompt import Prompt

log = logging.getLogger(__name__)

MAX_WAITING = 50
"""Calls that may wait for their answers, the open one among them."""

TURNS = 2
"""How many times a call's time it may wait for its turn."""

Reply = CallResult | CallError


class NoReply(ProxyError):
    """No answer came in time, or there was no time left to ask."""


class Overtaken(ProxyError):
    """It was not asked: by the time of its turn it was not wanted any more."""


class HungUp(ProxyError):
    """The connection is gone."""


@dataclass(slots=True)
class Pending:
    """A call of ours that has `seconds` to be answered once it is sent. `timer` ends the wait for turn or answer.

    `still` tells whether it is wanted any more when its turn comes.
    """

    call: Call
    seconds: float
    reply: Prompt[Reply]
    timer: asyncio.TimerHandle | None = None
    still: Still | None = None


class Caller:
    """Asks one peer. `name` is for the log, `peer` for messages to people; `transmit` sends a frame."""

    def __init__(self, name: str, peer: str, transmit: Callable[[bytes], object], seconds: float) -> None:
        self._name = name
        self._peer = peer
        self._transmit = transmit
        self._seconds = seconds
        self._gate = rpc.Gate()
        self._pending: dict[str, Pending] = {}
        self._gone = False

    def ask(
        self, action: str, payload: rpc.Payload, seconds: float | None = None, still: Still | None = None
    ) -> Prompt[Reply]:
        """Enter a call; the future is its answer, or raises NoReply, HungUp or Overtaken.

        Whoever cancels it leaves an open call open: the peer is at it all the same, and no other may go. One that
        waits is not sent any more. Raises NoReply where too many wait, HungUp.
        """
        if self._gone:
            raise HungUp("the connection is closed")
        if len(self._pending) >= MAX_WAITING:
            raise NoReply(f"too many calls wait for {self._peer}")
        call = self._gate.ask(action, payload)
        pending = Pending(call, self._seconds if seconds is None else seconds, Prompt(), still=still)
        self._pending[call.id] = pending
        self._send_next()
        if self._gate.open is not call and not pending.reply.done():
            self._within(pending, pending.seconds * TURNS, "{peer} was busy with other calls for too long")
        return pending.reply

    def take(self, reply: Reply) -> None:
        """An answer came. What is late, after the connection was lost too, or answers nothing, is dropped.

        The next call goes a moment later: who gets this answer may give up others because of it.
        """
        if self._gone or self._gate.answer(reply.id) is None:
            log.info("%s: an answer that nobody waits for (%s)", self._name, reply.id[: rpc.MAX_ID])
            return
        pending = self._pending[reply.id]
        self._end(pending)
        if not pending.reply.done():
            pending.reply.set_result(reply)
        if self._gate.waiting:
            pending.reply.get_loop().call_soon(self._send_next)

    def hang_up(self) -> None:
        """Nobody will answer any more."""
        self._gone = True
        for pending in list(self._pending.values()):
            self._end(pending)
            if not pending.reply.done():
                pending.reply.set_exception(HungUp("the connection closed before an answer came"))

    def _give_up(self, pending: Pending, why: str) -> None:
        self._end(pending)
        if not pending.reply.done():
            told = why.format(peer=self._peer, action=pending.call.action, seconds=pending.seconds)
            pending.reply.set_exception(NoReply(told))
        self._send_next()

    def _end(self, pending: Pending) -> None:
        del self._pending[pending.call.id]
        self._gate.give_up(pending.call)
        self._stop(pending)

    def _send_next(self) -> None:
        while not self._gone and (call := self._gate.next()):
            pending = self._pending[call.id]
            if pending.reply.done():  # nobody waits for it any more
                self._end(pending)
                continue
            if pending.still is not None and not pending.still():
                self._end(pending)
                pending.reply.set_exception(Overtaken("it is not wanted any more"))
                continue
            self._send(pending)
            return

    def _send(self, pending: Pending) -> None:
        self._stop(pending)
        self._within(pending, pending.seconds, "{peer} did not answer {action} in {seconds:g} s")
        self._transmit(rpc.encode_call(pending.call))

    def _within(self, pending: Pending, seconds: float, why: str) -> None:
        pending.timer = pending.reply.get_loop().call_later(seconds, self._give_up, pending, why)

    @staticmethod
    def _stop(pending: Pending) -> None:
        if pending.timer is not None:
            pending.timer.cancel()
            pending.timer = None
