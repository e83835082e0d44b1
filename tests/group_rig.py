"""Chargers on one fuse that keep profiles as the specification says.

They know nothing of how the program counts: what they give is worked out from what they took alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Order, Outcome, Reason, StopCharging, done, refused
from ocpp_mqtt_proxy.core.limit_orders import Purpose, SetLimit
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ports import ChargerLink, Clock

HARDWARE = 32.0
"""What a charger gives where nothing limits it."""

PATIENCE = timedelta(seconds=60)
"""How long an answer is waited for."""


@dataclass(frozen=True)
class Make:
    """What a charger takes of profiles."""

    ends: bool = True
    below: bool = True
    steps: bool = True
    of_transactions: bool = True


@dataclass(frozen=True)
class Profile:
    """A charging profile as it was put: periods from its start, until it is over."""

    purpose: Purpose
    level: int
    start: datetime
    periods: tuple[tuple[float, float], ...]
    lasts: float | None

    def limit(self, now: datetime) -> float | None:
        """What it allows now; None where it says nothing."""
        passed = (now - self.start).total_seconds()
        if passed < 0 or (self.lasts is not None and passed >= self.lasts):
            return None
        return [amps for at, amps in self.periods if at <= passed][-1]


def profile_of(order: SetLimit) -> Profile:
    """What goes over the wire."""
    ago = 60.0
    periods = ((0.0, float(order.limit)), *((ago + after, float(amps)) for after, amps in order.later))
    level = order.form.stack_level - (1 if order.base else 0)
    lasts = None if order.seconds is None else ago + order.seconds
    return Profile(order.purpose, level, order.start, periods, lasts)


@dataclass
class Meter:
    """A charger with one connector. `transaction` is what runs there, by its id."""

    make: Make
    clock: Clock
    profiles: list[Profile] = field(default_factory=list)
    transaction: str | None = None

    def takes(self, order: SetLimit) -> bool:
        """Take a profile in the place of the one of its purpose and level; or not."""
        profile = profile_of(order)
        others = [one for one in self.profiles if one.purpose is profile.purpose and one.level != profile.level]
        if (
            (profile.lasts is not None and not self.make.ends)
            or (len(profile.periods) > 1 and not self.make.steps)
            or (others and not self.make.below)
            or (profile.purpose is Purpose.TRANSACTION and not self.make.of_transactions)
            or (profile.purpose is Purpose.TRANSACTION and order.transaction_id != self.transaction)
            or profile.purpose is Purpose.CHARGER
        ):
            return False
        same = (profile.purpose, profile.level)
        self.profiles = [one for one in self.profiles if (one.purpose, one.level) != same] + [profile]
        return True

    def forget_transaction(self) -> None:
        """Its profiles go with it, and with a loss of power."""
        self.profiles = [one for one in self.profiles if one.purpose is not Purpose.TRANSACTION]

    def gives(self) -> float:
        """What flows at most: in what runs there, and in what may begin at any moment."""
        default = self._highest(Purpose.DEFAULT)
        running = self._highest(Purpose.TRANSACTION) if self.transaction is not None else None
        most = HARDWARE if default is None else default
        return most if running is None else max(running, most)

    def _highest(self, purpose: Purpose) -> float | None:
        now = self.clock.now()
        levels = [
            (one.level, amps)
            for one in self.profiles
            if one.purpose is purpose and (amps := one.limit(now)) is not None
        ]
        return max(levels)[1] if levels else None


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
        return Version.V16

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
        refuses = self.mood is Mood.REFUSES
        if isinstance(order, StopCharging) and not refuses:
            self.stop()
        agrees = not refuses and (not isinstance(order, SetLimit) or self.meter.takes(order))
        return done(charger_status="Accepted") if agrees else refused(Reason.CHARGER_REJECTED)

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
