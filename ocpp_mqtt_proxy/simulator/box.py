"""The simulated charger without its connection: what it does, and what it would tell a CSMS about it.

Version-neutral. Time comes as an argument: `now` as the clock has it, and the seconds that passed, which may be
faster than life.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.core.limits.composite import Spot
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile
from ocpp_mqtt_proxy.core.model import (
    CURRENT,
    CURRENT_OFFERED,
    ENERGY,
    POWER,
    SOC,
    VOLTAGE,
    ChargingState,
    IdToken,
    Nameplate,
    Place,
    Reading,
    Sample,
    Status,
    StopReason,
    Target,
    WattHours,
)
from ocpp_mqtt_proxy.core.reports import BootReported, Phase, Report, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.settings import (
    MEASURANDS,
    METER_INTERVAL,
    MOST_PERIODS,
    PING_INTERVAL,
    RATE_UNIT,
    STACK_LEVEL,
)
from ocpp_mqtt_proxy.simulator.car import LEAST_CURRENT, VOLTAGE as VOLTS, Car
from ocpp_mqtt_proxy.simulator.profiles import MOST_PROFILES, Holding, of_transaction

PLACE = Place(1, 1)
PHASES = 3
PLUG_TIMEOUT = timedelta(seconds=60)
"""How long a card that was accepted waits for the cable (ConnectionTimeOut)."""

BEFORE = datetime.min.replace(tzinfo=UTC)
"""The time before any is told."""

HEARTBEAT_INTERVAL = "OCPPCommCtrlr.HeartbeatInterval"
NO_FAULT = "NoError"

STATES = {
    Status.PREPARING: ChargingState.EV_CONNECTED,
    Status.CHARGING: ChargingState.CHARGING,
    Status.SUSPENDED_EV: ChargingState.SUSPENDED_EV,
    Status.SUSPENDED_EVSE: ChargingState.SUSPENDED_EVSE,
}
_TRIGGERS = {StopReason.REMOTE: "remote_stop", StopReason.EV_DISCONNECTED: "ev_departed"}


def _settings() -> dict[str, str]:
    return {
        METER_INTERVAL: "60",
        MEASURANDS: f"{ENERGY},{POWER},{CURRENT},{VOLTAGE},{CURRENT_OFFERED},{SOC}",
        PING_INTERVAL: "30",
        RATE_UNIT: "Current,Power",
        STACK_LEVEL: "5",
        MOST_PERIODS: "24",
        MOST_PROFILES: "20",
        HEARTBEAT_INTERVAL: "300",
        "NumberOfConnectors": "1",
    }


def is_here(at: Target) -> bool:
    """Whether it is the connector that is meant, or the charger as a whole."""
    return at.place.evse in (0, PLACE.evse)


@dataclass(slots=True)
class Transaction:
    """A transaction as the box knows it; a 1.6 CSMS gives it another id, which the connection maps."""

    id: str
    token: IdToken
    began: datetime
    remote_start_id: int | None = None
    seq_no: int = 0


@dataclass(frozen=True, slots=True)
class Welcome:
    """A card that was accepted and waits for the cable; `profile` is for the transaction that begins by that."""

    token: IdToken
    since: datetime
    remote_start_id: int | None = None
    profile: ChargingProfile | None = None


@dataclass(slots=True)
class Box:
    """A charger with one connector. Currents in A, energy in Wh; `reports` are what it wants to tell.

    `now` is the time as it was last told it: its profiles' steps are followed by that.
    """

    serial: str = "SIM-0001"
    max_current: float = 32.0
    register: float = 1_234_000.0
    profiles: Holding = field(default_factory=Holding)
    car: Car | None = None
    status: Status = Status.AVAILABLE
    operative: bool = True
    fault: str = NO_FAULT
    transaction: Transaction | None = None
    welcome: Welcome | None = None
    settings: dict[str, str] = field(default_factory=_settings)
    reports: list[Report] = field(default_factory=list)
    now: datetime = BEFORE
    _since_meter: float = 0.0

    # What people do

    def plug(self, car: Car, now: datetime) -> None:
        """Plug a car in; it charges at once where a card was shown before."""
        self.car = car
        self.settle(now)
        self._begin_if_ready(now)

    def unplug(self, now: datetime) -> None:
        """Pull the cable; a transaction ends by that."""
        if self.transaction is not None:
            self.stop(StopReason.EV_DISCONNECTED, now)
        self.car = None
        self.settle(now)

    def authorize(self, welcome: Welcome, now: datetime) -> None:
        """A card was accepted: charge now, or once a car is there. While one charges it changes nothing."""
        if self.transaction is None:
            self.welcome = welcome
            self._begin_if_ready(now)

    def break_down(self, error: str, now: datetime) -> None:
        """A fault; what charges stops."""
        self.fault = error
        if self.transaction is not None:
            self.stop(StopReason.OTHER, now)
        self.settle(now)

    def mend(self, now: datetime) -> None:
        """The fault is gone."""
        self.fault = NO_FAULT
        self.settle(now)

    # What happens by itself

    @property
    def ready(self) -> bool:
        """Whether a transaction may begin, once there is a car."""
        return self.operative and self.fault == NO_FAULT and self.transaction is None

    @property
    def offered(self) -> float:
        """The current offered to the car."""
        if self.transaction is None:
            return 0.0
        current = self.profiles.allowed(self.spot(self.now), self.now, self.max_current)
        return current if current >= LEAST_CURRENT else 0.0

    def spot(self, now: datetime) -> Spot:
        """Where its profiles count: a transaction's own while one runs; else as if one began now."""
        running = self.transaction
        if running is None:
            return Spot(PLACE.evse, began=now, phases=PHASES)
        return Spot(PLACE.evse, running.id, running.began, PHASES)

    @property
    def power(self) -> float:
        """What flows, in W."""
        return self.car.current(self.offered) * self.car.phases * VOLTS if self.car else 0.0

    def tick(self, now: datetime, seconds: float) -> None:
        """Let time pass: the car charges, readings fall due, a card that waits runs out."""
        if self.car is not None and self.transaction is not None:
            self.register += self.car.charge(self.offered, seconds)
            self.settle(now)
            self._meter_when_due(now, seconds)
        if self.welcome is not None and now - self.welcome.since > PLUG_TIMEOUT:
            self.welcome = None

    def _meter_when_due(self, now: datetime, seconds: float) -> None:
        """Readings every so many seconds; 0 is never (1.6 §9.1.15, 2.x J02.FR.11)."""
        interval = float(self.settings[METER_INTERVAL])
        self._since_meter += seconds
        if interval and self._since_meter >= interval:
            self._since_meter = 0.0
            self.tell_transaction(now, "meter_value_periodic", samples=(self.sample(now),))

    def _begin_if_ready(self, now: datetime) -> None:
        welcome = self.welcome
        if welcome is None or self.car is None or not self.ready:
            return
        self.welcome, self.now = None, now
        self._since_meter = float(self.settings[METER_INTERVAL])
        self.transaction = Transaction(str(uuid.uuid4()), welcome.token, now, welcome.remote_start_id)
        if welcome.profile is not None:
            self.profiles.put(of_transaction(welcome.profile, self.transaction.id), now)
        self.tell_transaction(
            now,
            "authorized" if welcome.remote_start_id is None else "remote_start",
            Phase.STARTED,
            samples=(self.sample(now, "Transaction.Begin"),),
            token=welcome.token,
            meter_start=WattHours(round(self.register)),
        )
        self.settle(now)

    def stop(self, reason: StopReason, now: datetime) -> None:
        """End the transaction, and with it the profiles that are for it alone."""
        assert self.transaction is not None
        self.tell_transaction(
            now,
            _TRIGGERS.get(reason, "stop_authorized"),
            Phase.ENDED,
            samples=(self.sample(now, "Transaction.End"),),
            meter_stop=WattHours(round(self.register)),
            stop_reason=reason,
        )
        self.profiles.end(self.transaction.id)
        self.transaction = None
        self.settle(now)

    def settle(self, now: datetime) -> None:
        """Work the status out by now; tell it where it changed."""
        self.now = now
        after = self._status()
        if after is self.status:
            return
        self.status = after
        self.reports.append(self.status_report(now))
        if self.transaction is not None:
            self.tell_transaction(now, "charging_state_changed")

    def _status(self) -> Status:
        if self.fault != NO_FAULT:
            return Status.FAULTED
        if self.transaction is not None and self.car is not None:
            return self._charging_status(self.car)
        if not self.operative:
            return Status.UNAVAILABLE
        if self.car is None:
            return Status.AVAILABLE
        charged = self.status in (Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE, Status.FINISHING)
        return Status.FINISHING if charged else Status.PREPARING

    def _charging_status(self, car: Car) -> Status:
        if self.offered < LEAST_CURRENT:
            return Status.SUSPENDED_EVSE
        return Status.SUSPENDED_EV if car.full else Status.CHARGING

    # What it tells

    def boot_report(self, reason: str = "power_up") -> BootReported:
        """Who it is."""
        plate = Nameplate("ocpp-mqtt-proxy", "Simulator", self.serial, __version__)
        return BootReported(plate, reason)

    def status_report(self, now: datetime) -> StatusReported:
        """What it does."""
        return StatusReported(PLACE, self.status, now, self.fault)

    def sample(self, now: datetime, context: str = "Sample.Periodic") -> Sample:
        """What its meter reads. While charging that is what its settings say, else the register alone."""
        readings = [Reading(ENERGY, float(round(self.register)), "Wh", context=context, location="Outlet")]
        if context in ("Sample.Periodic", "Trigger"):
            wanted = self.settings[MEASURANDS].split(",")
            readings = [r for r in readings + self._flows(context) if r.measurand in wanted] or readings
        return Sample(now, tuple(readings))

    def _flows(self, context: str) -> list[Reading]:
        drawn = self.car.current(self.offered) if self.car else 0.0
        phases = self.car.phases if self.car else 3
        values: list[Reading] = [Reading(POWER, round(self.power, 1), "W", context=context)]
        for line in range(1, 4):
            amps = round(drawn, 2) if line <= phases else 0.0
            values.append(Reading(CURRENT, amps, "A", f"L{line}", context))
            values.append(Reading(VOLTAGE, VOLTS, "V", f"L{line}-N", context))
        values.append(Reading(CURRENT_OFFERED, round(self.offered, 1), "A", context=context))
        if self.car is not None:
            values.append(Reading(SOC, round(self.car.soc, 1), "%", context=context, location="EV"))
        return values

    def tell_transaction(self, now: datetime, trigger: str, phase: Phase = Phase.UPDATED, **more: Any) -> None:  # noqa: ANN401
        """Something about the transaction that runs."""
        transaction = self.transaction
        assert transaction is not None
        self.reports.append(
            TransactionReported(
                phase=phase,
                transaction_id=transaction.id,
                at=now,
                place=PLACE,
                trigger=trigger,
                charging_state=STATES.get(self.status, ChargingState.EV_CONNECTED),
                seq_no=transaction.seq_no,
                remote_start_id=transaction.remote_start_id,
                **more,
            )
        )
        transaction.seq_no += 1
