"""Chargers on one fuse that keep profiles as the specification says.

They know nothing of how the program counts: what they give is worked out from what they took alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Order, Outcome, Reason, StopCharging, refused
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ports import ChargerLink, Clock
from tests.obedient import Obedient

DIALECT = DIALECTS[Version.V16]

PATIENCE = timedelta(seconds=60)
"""How long an answer is waited for."""


class Meter(Obedient):
    """A charger with one connector, and what it gives."""

    @property
    def transaction(self) -> str | None:
        """What runs there, by its id."""
        running = self.transactions.get(1)
        return running.id if running is not None else None

    def leaves(self) -> None:
        """The car, and its transaction with it, where there is one."""
        if self.transaction is not None:
            self.ends(1)

    def loses_power(self) -> None:
        """What is for a transaction is gone with that."""
        self.profiles = [one for one in self.profiles if one["chargingProfilePurpose"] != "TxProfile"]

    def gives(self) -> Fraction:
        """What flows at most: in what runs there, and in what may begin at any moment."""
        return max(self.allows(1, self.clock(), another=another) for another in (False, True))


@dataclass
class Waiting:
    """What a charger has not answered yet."""

    order: Order
    until: datetime
    answer: asyncio.Future[Outcome]


class Mood(StrEnum):
    """What a charger does with what it is asked."""

    OBEYS = "obeys"
    REFUSES = "refuses"
    LATE = "does it late"
    MUTE = "does it and does not answer"
    DEAF = "neither does it nor answers"


@dataclass
class MeterLink(ChargerLink):
    """A charger's socket."""

    meter: Meter
    clock: Clock
    mood: Mood = Mood.OBEYS
    waiting: Waiting | None = None
    stop: Callable[[], None] = lambda: None

    @property
    def version(self) -> Version:
        return DIALECT.version

    async def send(self, order: Order, still: Callable[[], bool] | None = None) -> Outcome:
        if still is not None and not still():
            return WITHDRAWN
        if self.mood in (Mood.OBEYS, Mood.REFUSES):
            return self._does(order)
        if self.mood is Mood.MUTE:
            self._does(order)
        assert self.waiting is None, "two calls at once"
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.waiting = Waiting(order, self.clock.now() + PATIENCE, answer)
        return await answer

    def _does(self, order: Order) -> Outcome:
        if self.mood is Mood.REFUSES:
            return refused(Reason.CHARGER_REJECTED)
        if isinstance(order, StopCharging):
            self.stop()
        asked = DIALECT.put(order)
        assert asked is not None
        return DIALECT.outcome(order, self.meter.answer(*asked))

    def answers(self) -> None:
        """At last."""
        if self.mood is not Mood.DEAF and (waiting := self._waited()) is not None:
            waiting.answer.set_result(self._does(waiting.order))

    def gives_up(self, reason: Reason) -> None:
        """What it was asked is never answered; it may be done all the same."""
        if (waiting := self._waited()) is not None:
            if self.mood is Mood.LATE:
                self._does(waiting.order)
            waiting.answer.set_result(refused(reason))

    def _waited(self) -> Waiting | None:
        waiting, self.waiting = self.waiting, None
        return None if waiting is None or waiting.answer.done() else waiting

    def close(self, reason: str) -> None:
        """Nobody does."""
