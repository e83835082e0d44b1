"""One session: our record of one transaction (contract §1, §4).

The life of a session, and all of it:

    (none) ──start/adopt──▶ RUNNING ──end──▶ ENDED
                               └─close─▶ CLOSED ──end──▶ ENDED

`end` is the charger's word and final. `close` is ours, where the charger cannot say any more: the cable was
long out, another transaction began there, or the owner asked; the charger's late word still corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.model import OWNER, Amps, ChargingState, StopReason, WattHours
from ocpp_mqtt_proxy.core.parts import Part, following, opening, shares
from ocpp_mqtt_proxy.core.register import NOISE_WH, Register, most_energy, session_register
from ocpp_mqtt_proxy.core.tariff import Prices

MAX_GAPS = 1000
"""Missing sequence numbers remembered per session; a longer hole counts as this many."""


class State(StrEnum):
    """Where in its life a session is."""

    RUNNING = "running"
    CLOSED = "closed"
    ENDED = "ended"


@dataclass(slots=True)
class Sequence:
    """What has arrived of a 2.x transaction, by seqNo (E01; semantics §4.2.5).

    Counting starts at the first number seen: a counter per EVSE that never restarts is allowed.
    """

    last: int | None = None
    missing: set[int] = field(default_factory=set)

    def take(self, number: int) -> bool:
        """Note a number; False where it was there before."""
        if self.last is None:
            self.last = number
            return True
        if number > self.last:
            hole = range(max(self.last + 1, number - MAX_GAPS), number)
            self.missing.update(hole)
            self.last = number
            return True
        if number in self.missing:
            self.missing.discard(number)
            return True
        return False


@dataclass(frozen=True, slots=True)
class StartKey:
    """By what a repeated 1.6 StartTransaction is recognised (semantics §4.1.6)."""

    connector: int
    id_tag: str
    meter_start: float
    at: datetime | None


@dataclass(slots=True)
class Session:
    """One transaction as we keep it. Energy in Wh, money unrounded.

    `parts` follow each other without a gap, from its start to its end, and hold all its energy; there is always one.
    `limit` is its own, in A, where it has one beside the owner's ceiling; `paused` where nothing may flow. `held` is
    its own profile in the charger, as it last confirmed that.
    """

    session_id: str
    charger: str
    connector: int
    transaction_id: str
    started_at: datetime
    id_tag: str | None = None
    meter_start: WattHours | None = None
    cost_currency: str = "EUR"
    parts: list[Part] = field(default_factory=list)
    state: State = State.RUNNING
    ended_at: datetime | None = None
    meter_stop: WattHours | None = None
    reason: StopReason | None = None
    energy: float = 0.0
    adopted: bool = False
    start_key: StartKey | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    charging_state: ChargingState | None = None
    charging_state_at: datetime | None = None
    offered: bool = False
    limit: Amps | None = None
    paused: bool = False
    held: Held | None = None
    sequence: Sequence = field(default_factory=Sequence)
    register: Register | None = None

    def __post_init__(self) -> None:
        self.parts = self.parts or [Part(OWNER, self.started_at, currency=self.cost_currency)]

    @property
    def running(self) -> bool:
        """Whether the transaction goes on."""
        return self.state is State.RUNNING

    @property
    def awaits_card(self) -> bool:
        """Whether it began with the cable, and a card or a start from afar has yet to come (E02, F01)."""
        return self.running and self.id_tag is None and not self.adopted and not self.offered

    @property
    def provider(self) -> str:
        """Whose it is, or was in the end."""
        return self.parts[-1].provider

    @property
    def cost(self) -> Decimal:
        """What its energy cost the owner, in `cost_currency`."""
        return sum((part.cost for part in self.parts), Decimal(0))

    @property
    def currency(self) -> str:
        """The currency of its revenue: the first provider's. The owner's where no provider had a part."""
        return next((part.currency for part in self.parts if part.provider != OWNER), self.cost_currency)

    def revenue(self, now: datetime) -> Decimal:
        """What providers owe for it, to the end or to now; without what is owed in another currency."""
        mine = (part for part in self.parts if part.provider != OWNER and part.currency == self.currency)
        return sum((part.revenue(now) for part in mine), Decimal(0))

    def duration(self, now: datetime) -> float:
        """Seconds from the start to the end, or to now."""
        return max(0.0, ((self.ended_at or now) - self.started_at).total_seconds())

    def within(self, ceiling: Amps) -> Amps:
        """What this session may draw under a ceiling: nothing while paused, never above its own limit."""
        if self.paused:
            return Amps(0)
        return ceiling if self.limit is None else min(ceiling, self.limit)

    def begin(self, meter_start: WattHours, at: datetime) -> None:
        """Count energy from this register reading."""
        self.meter_start = meter_start
        self.register = session_register(meter_start, at)

    def began(self, at: datetime) -> None:
        """It began then, as turns out now."""
        self.started_at = self.parts[0].started_at = at

    def read(self, raw: WattHours, at: datetime, prices: Prices) -> None:
        """Take a register reading. A session whose start was missed counts from its first one."""
        if self.register is None:
            self.begin(raw, at)
        else:
            since = self.register.at or self.started_at
            self.register.read(raw, at)
            self._count(self.register.total, since, at, prices)

    def hand_over(self, provider: str, at: datetime, prices: Prices) -> None:
        """What flows from then on is another provider's, while it runs (contract §8). What was counted stays."""
        if self.running and provider != self.provider:
            counted = self.register.at if self.register is not None else None
            at = max(at, counted or at, self.parts[-1].started_at)
            self.parts[-1].ended_at = at
            self.parts.append(following(provider, at, prices))

    def claim(self, provider: str, now: datetime, prices: Prices) -> None:
        """It turns out whose it is: from the start, where nothing has flowed; else from now on."""
        if self.energy or len(self.parts) > 1:
            self.hand_over(provider, now, prices)
        else:
            self.parts = [opening(provider, self.started_at, prices)]

    def end(self, meter_stop: WattHours | None, at: datetime, reason: StopReason | None, prices: Prices) -> None:
        """The charger says that it is over. `meter_stop` None: the last reading stands."""
        if meter_stop is not None:
            self.meter_stop = meter_stop
            self._settle(meter_stop, max(at, self.started_at), prices)
        elif self.register is not None and self.register.raw is not None:
            self.meter_stop = WattHours(self.register.raw)
        self._finish(State.ENDED, at, reason or StopReason.LOCAL)

    def close(self, at: datetime, reason: StopReason) -> None:
        """We say that it is over; the charger may still correct it."""
        self._finish(State.CLOSED, at, reason)
        if self.register is not None and self.register.raw is not None:
            self.meter_stop = WattHours(self.register.raw)

    def _finish(self, state: State, at: datetime, reason: StopReason) -> None:
        """Its parts end with it. One that would begin only then, and has nothing, never was."""
        self.state = state
        self.reason = reason
        self.ended_at = max(at, self.started_at)
        while len(self.parts) > 1 and self.parts[-1].started_at >= self.ended_at and not self.parts[-1].energy:
            self.parts.pop()
        self.parts[-1].ended_at = self.ended_at
        for earlier, later in pairwise(self.parts):
            earlier.ended_at = later.started_at = min(later.started_at, self.ended_at)

    def _settle(self, meter_stop: WattHours, at: datetime, prices: Prices) -> None:
        """Final energy: the charger's own start and stop where they make sense, never less than was seen."""
        if self.register is None:
            self.begin(meter_start=meter_stop, at=at)
            return
        since = self.register.at or self.started_at
        self.register.read(meter_stop, at)
        energy = max(self.register.total, self._difference(self.register, meter_stop, at))
        self._count(energy, since, at, prices)

    def _difference(self, register: Register, meter_stop: WattHours, at: datetime) -> float:
        """The charger's stop less its start; 0 where the readings between say that these are of two registers."""
        if self.meter_start is None or register.raw is None:
            return 0.0
        contradicted = register.raw - self.meter_start > register.total + NOISE_WH
        difference = meter_stop - self.meter_start
        most = most_energy(self.started_at, at)
        return difference if 0 <= difference <= most and not contradicted else 0.0

    def _count(self, energy: float, since: datetime, until: datetime, prices: Prices) -> None:
        """Energy so far, to whom it was and priced as it flows: later prices leave it alone."""
        if energy > self.energy:
            for part, share, begun, ended in shares(self.parts, energy - self.energy, since, until):
                part.flow(share, begun, ended, prices)
            self.energy = energy
