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

from ocpp_mqtt_proxy.core.model import OWNER, Amps, ChargingState, StopReason, WattHours
from ocpp_mqtt_proxy.core.register import NOISE_WH, Register, most_energy, session_register
from ocpp_mqtt_proxy.core.tariff import Tariff

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
    """One transaction as we keep it. Energy in Wh, money unrounded in `currency`.

    `limit` is its own, in A, where it has one beside the owner's ceiling; `paused` where nothing may flow.
    """

    session_id: str
    charger: str
    connector: int
    transaction_id: str
    started_at: datetime
    id_tag: str | None = None
    meter_start: WattHours | None = None
    provider: str = OWNER
    currency: str = "EUR"
    state: State = State.RUNNING
    ended_at: datetime | None = None
    meter_stop: WattHours | None = None
    reason: StopReason | None = None
    energy: float = 0.0
    cost: Decimal = Decimal(0)
    adopted: bool = False
    start_key: StartKey | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    charging_state: ChargingState | None = None
    charging_state_at: datetime | None = None
    offered: bool = False
    limit: Amps | None = None
    paused: bool = False
    sequence: Sequence = field(default_factory=Sequence)
    register: Register | None = None

    @property
    def running(self) -> bool:
        """Whether the transaction goes on."""
        return self.state is State.RUNNING

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

    def read(self, raw: WattHours, at: datetime, tariff: Tariff) -> None:
        """Take a register reading. A session whose start was missed counts from its first one."""
        if self.register is None:
            self.begin(raw, at)
        else:
            self.register.read(raw, at)
            self._count(self.register.total, tariff)

    def end(self, meter_stop: WattHours | None, at: datetime, reason: StopReason | None, tariff: Tariff) -> None:
        """The charger says that it is over. `meter_stop` None: the last reading stands."""
        self._finish(State.ENDED, at, reason or StopReason.LOCAL)
        if meter_stop is not None:
            self.meter_stop = meter_stop
            self._settle(meter_stop, at, tariff)
        elif self.register is not None and self.register.raw is not None:
            self.meter_stop = WattHours(self.register.raw)

    def close(self, at: datetime, reason: StopReason) -> None:
        """We say that it is over; the charger may still correct it."""
        self._finish(State.CLOSED, at, reason)
        if self.register is not None and self.register.raw is not None:
            self.meter_stop = WattHours(self.register.raw)

    def _finish(self, state: State, at: datetime, reason: StopReason) -> None:
        self.state = state
        self.reason = reason
        self.ended_at = max(at, self.started_at)

    def _settle(self, meter_stop: WattHours, at: datetime, tariff: Tariff) -> None:
        """Final energy: the charger's own start and stop where they make sense, never less than was seen."""
        if self.register is None:
            self.begin(meter_start=meter_stop, at=at)
            return
        self.register.read(meter_stop, at)
        self._count(max(self.register.total, self._difference(self.register, meter_stop)), tariff)

    def _difference(self, register: Register, meter_stop: WattHours) -> float:
        """The charger's stop less its start; 0 where the readings between say that these are of two registers."""
        if self.meter_start is None or self.ended_at is None or register.raw is None:
            return 0.0
        contradicted = register.raw - self.meter_start > register.total + NOISE_WH
        difference = meter_stop - self.meter_start
        most = most_energy(self.started_at, self.ended_at)
        return difference if 0 <= difference <= most and not contradicted else 0.0

    def _count(self, energy: float, tariff: Tariff) -> None:
        """Energy so far, priced as it flows: a later change of the tariff leaves this part alone."""
        if energy > self.energy:
            self.cost += tariff.price(WattHours(energy - self.energy))
            self.energy = energy
