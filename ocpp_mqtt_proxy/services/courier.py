"""Delivery: what a service must hear for certain, in order, until it has answered (1.6 §3.7.1; E04, E13, A04).

A message waits on disk until its answer is there. That it is delivered is written in one with what the answer taught
and with the numbers given: after a crash it is sent again as it was, and nothing is sent under two numbers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.reports import Phase, SecurityReported
from ocpp_mqtt_proxy.ocppj.dialect import Calls, Payload
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services import wording
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused, Step
from ocpp_mqtt_proxy.turns import Turnstile

T = TypeVar("T")

log = logging.getLogger(__name__)

DISK_SECONDS = 1.0
"""How long after the disk failed it is tried again."""

HOPELESS = frozenset({ErrorCode.NOT_IMPLEMENTED, ErrorCode.NOT_SUPPORTED})
"""Errors of a service that does not know an action: it will not tomorrow."""

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""What reading an answer fails of that is none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is sent at most, and the seconds by which each further wait grows (1.6 §9.1.31-32)."""

    attempts: int = 3
    interval: float = 60.0

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Patience:
        """As a service set it, where it did and that can be read."""
        usual = cls()
        attempts = settings.get("TransactionMessageAttempts", "")
        interval = settings.get("TransactionMessageRetryInterval", "")
        return cls(
            attempts=max(1, int(attempts)) if attempts.isdecimal() else usual.attempts,
            interval=float(interval) if interval.isdecimal() else usual.interval,
        )


class GivenUp(Exception):
    """A service was told often enough, or knows no such message."""


@dataclass
class Courier:
    """Delivers what waits for one service about one charger, one message after the other.

    `pause` waits for seconds. It looks for what waits, and tells it, in its turn among all couriers with the same
    `turns`: many wake at once.
    """

    out: Outstation
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    turns: Turnstile = field(default_factory=Turnstile)

    async def drain(self) -> None:
        """Return when all that waits now is delivered or given up; also where the link is lost."""
        await self._deliver_before(self.out.outbox.number())

    async def run(self) -> None:
        """Deliver what comes, until the link is lost."""
        arrival = self.out.outbox.arrival(self.out.id, self.out.charger_id)
        while self.out.accepted:
            arrival.clear()
            if not await self._deliver_before(None):
                return
            await arrival.wait()

    async def _deliver_before(self, number: int | None) -> bool:
        """Deliver what there is, up to a number where one is given; whether the link still stands."""
        try:
            while head := [one for one in await self._head() if number is None or one.number < number]:
                for outgoing in head:
                    if outgoing is not head[0]:
                        await self.turns.turn()
                    await self._deliver(outgoing)
        except LinkLost:
            return False
        return True

    async def _head(self) -> list[Outgoing]:
        """What waits, when it is our turn to tell the first of it."""
        await self.turns.turn()
        return await self._patiently(lambda: self.out.outbox.head(self.out.id, self.out.charger_id))

    async def _deliver(self, outgoing: Outgoing) -> None:
        """Tell it, or give it up; either is on disk then. Raises LinkLost."""
        given_up, calls = False, Calls()
        before = self._known(outgoing)
        try:
            if not self._is_told(outgoing):
                calls = self._words(outgoing)
                await self._tell(outgoing, calls)
        except GivenUp as error:
            given_up = True
            log.warning("%s: %s is given up: %s", self.out.name, _name(outgoing), error)
        self._mark(outgoing, calls)
        taught = [] if self._known(outgoing) == before else [self.out.peer]
        await self._keep(Delivered(outgoing.number, given_up), *taught)

    def _known(self, outgoing: Outgoing) -> tuple[object, ...]:
        """What deliveries change of its transaction, as it is now. Most readings change nothing."""
        known = self.out.peer.transactions.get(outgoing.session_id)
        return () if known is None else (known.theirs, known.seq, known.started, known.ended)

    def _is_told(self, outgoing: Outgoing) -> bool:
        """Whether a start or an end was told before: a queue that came out of a backup repeats them."""
        known = self.out.peer.transactions.get(outgoing.session_id)
        if known is None or isinstance(outgoing.told, SecurityReported):
            return False
        return known.ended or (known.started and outgoing.told.phase is Phase.STARTED)

    async def _tell(self, outgoing: Outgoing, calls: Calls) -> None:
        """Send a message in the service's words, call by call. Raises LinkLost, GivenUp."""
        for action, payload in calls:
            await self._call(outgoing, action, payload)
            if len(calls) > 1:
                await self._keep(self.out.peer)  # what it has answered it is not asked again

    def _words(self, outgoing: Outgoing) -> Calls:
        try:
            return wording.calls(self.out, outgoing)
        except Exception as error:  # what has no words, by whatever fault of ours, must not hold up the rest for ever
            log.exception("%s: no words for %s", self.out.name, _name(outgoing))
            raise GivenUp("it has no words") from error

    def _mark(self, outgoing: Outgoing, calls: Calls) -> None:
        try:
            wording.told(self.out, outgoing, calls)
        except Exception:  # likewise
            log.exception("%s: %s leaves no trace", self.out.name, _name(outgoing))

    async def _call(self, outgoing: Outgoing, action: str, payload: Payload) -> None:
        """Send one call, again and again with growing waits. Raises LinkLost, GivenUp."""
        sends = 0
        while True:
            try:
                answer = await self.out.call(action, payload)
                wording.learn(self.out, outgoing, action, answer)
            except (NoAnswer, Refused, *UNREADABLE) as error:
                sends += 1
                self._show_trouble(f"{action} is not taken: {error}")
                await self._wait_after(sends, action, error)
            else:
                self._show_trouble("")
                return

    def _show_trouble(self, why: str) -> None:
        """A link can stand, and its service not take what it must hear: people should see that."""
        told = f"{Step.DELIVERY}: {why}" if why else ""
        if self.out.fault != told:
            self.out.fault = told
            self.out.arbitration.tell_of(self.out.id)

    async def _wait_after(self, sends: int, action: str, error: Exception) -> None:
        """Wait before the next attempt. Raises GivenUp where there is to be none."""
        if isinstance(error, Refused) and error.error.code in HOPELESS and action not in _ACCOUNTED:
            raise GivenUp(str(error))
        patience = Patience.of(self.out.virtual.settings)
        if sends >= patience.attempts:
            raise GivenUp(f"{sends} attempts, the last: {error}")
        log.info("%s: %s is sent again: %s", self.out.name, action, error)
        await self.pause(patience.interval * sends)

    async def _keep(self, *changes: Change) -> None:
        """Have it on disk. While that fails nothing more is told, or a crash would repeat all of it."""
        await self._patiently(lambda: self.out.hub.record(changes))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something with the disk, again and again while that fails."""
        said = False
        while True:
            try:
                return await work()
            except LedgerFailed as error:
                if not said:
                    log.warning("%s: what it must be told waits for the disk: %s", self.out.name, error)
                said = True
                await self.pause(DISK_SECONDS)


_ACCOUNTED = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})
"""What money hangs on: sent as often as allowed, whatever is answered."""


def _name(outgoing: Outgoing) -> str:
    """A message, for logs."""
    if isinstance(outgoing.told, SecurityReported):
        return f"security event {outgoing.told.type}"
    return f"message {outgoing.number} ({outgoing.told.phase}) of session {outgoing.session_id}"
