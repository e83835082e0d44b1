"""The simulated charger without its connection: what it does, and what it would tell a CSMS about it.

Version-neutral: reports out, orders in. Time comes as an argument.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Message, Order, Outcome, Reason, done, refused
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
    Variable,
    WattHours,
)
from ocpp_mqtt_proxy.core.reports import (
    BootReported,
    DiagnosticsReported,
    FirmwareReported,
    HeartbeatReported,
    InventoryReported,
    MeterReported,
    Phase,
    Report,
    StatusReported,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.settings import (
    MEASURANDS,
    METER_INTERVAL,
    PING_INTERVAL,
    RATE_UNIT,
    STACK_LEVEL,
)
from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.simulator.car import LEAST_CURRENT, VOLTAGE as VOLTS, Car

PLACE = Place(1, 1)
PLUG_TIMEOUT = timedelta(seconds=60)
"""How long a remote start waits for the cable (ConnectionTimeOut)."""

READ_ONLY = frozenset({"NumberOfConnectors", RATE_UNIT, STACK_LEVEL})

STATES = {
    Status.PREPARING: ChargingState.EV_CONNECTED,
    Status.CHARGING: ChargingState.CHARGING,
    Status.SUSPENDED_EV: ChargingState.SUSPENDED_EV,
    Status.SUSPENDED_EVSE: ChargingState.SUSPENDED_EVSE,
}


def _settings() -> dict[str, str]:
    return {
        METER_INTERVAL: "60",
        MEASURANDS: f"{ENERGY},{POWER},{CURRENT},{VOLTAGE},{CURRENT_OFFERED},{SOC}",
        PING_INTERVAL: "30",
        RATE_UNIT: "Current",
        STACK_LEVEL: "5",
        "OCPPCommCtrlr.HeartbeatInterval": "300",
        "NumberOfConnectors": "1",
    }


@dataclass(slots=True)
class Transaction:
    """A transaction as the box knows it; a 1.6 CSMS gives it another id, which the connection maps."""

    id: str
    token: IdToken
    remote_start_id: int | None = None
    seq_no: int = 0


@dataclass(slots=True)
class Box:
    """A charger with one connector. Currents in A, energy in Wh; `reports` are what it wants to tell."""

    serial: str = "SIM-0001"
    max_current: float = 32.0
    register: float = 1_234_000.0
    limit: float | None = None
    car: Car | None = None
    status: Status = Status.AVAILABLE
    operative: bool = True
    fault: str = "NoError"
    transaction: Transaction | None = None
    waiting: tuple[IdToken, int | None, datetime] | None = None
    settings: dict[str, str] = field(default_factory=_settings)
    reports: list[Report] = field(default_factory=list)
    next_meter: datetime | None = None

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

    def authorize(self, token: IdToken, now: datetime, remote_start_id: int | None = None) -> None:
        """A card was accepted: charge now, or once a car is there."""
        self.waiting = (token, remote_start_id, now)
        self._begin_if_ready(now)

    def break_down(self, error: str, now: datetime) -> None:
        """A fault; what charges stops."""
        self.fault = error
        if self.transaction is not None:
            self.stop(StopReason.OTHER, now)
        self.settle(now)

    def mend(self, now: datetime) -> None:
        """The fault is gone."""
        self.fault = "NoError"
        self.settle(now)

    # What happens by itself

    @property
    def offered(self) -> float:
        """The current offered to the car."""
        limit = self.max_current if self.limit is None else min(self.limit, self.max_current)
        return limit if limit >= LEAST_CURRENT and self.transaction else 0.0

    @property
    def power(self) -> float:
        """What flows, in W."""
        return self.car.current(self.offered) * self.car.phases * VOLTS if self.car else 0.0

    def tick(self, now: datetime, seconds: float) -> None:
        """Let time pass: the car charges, readings fall due, a remote start runs out."""
        if self.car is not None and self.transaction is not None:
            self.register += self.car.charge(self.offered, seconds)
            self.settle(now)
            if self.next_meter is not None and now >= self.next_meter:
                self._meter(now)
        if self.waiting is not None and now - self.waiting[2] > PLUG_TIMEOUT:
            self.waiting = None

    def _meter(self, now: datetime) -> None:
        self.next_meter = now + timedelta(seconds=float(self.settings[METER_INTERVAL]))
        self._tell_transaction(Phase.UPDATED, now, "meter_value_periodic", samples=(self.sample(now),))

    def _begin_if_ready(self, now: datetime) -> None:
        if self.waiting is None or self.car is None or self.transaction is not None:
            return
        if not self.operative or self.fault != "NoError":
            return
        token, remote_start_id, _ = self.waiting
        self.waiting = None
        self.transaction = Transaction(str(uuid.uuid4()), token, remote_start_id)
        begin = self.sample(now, "Transaction.Begin")
        trigger = "authorized" if remote_start_id is None else "remote_start"
        self._tell_transaction(
            Phase.STARTED, now, trigger, samples=(begin,), token=token, meter_start=WattHours(round(self.register))
        )
        self.next_meter = now
        self.settle(now)

    def stop(self, reason: StopReason, now: datetime) -> None:
        """End the transaction."""
        assert self.transaction is not None
        trigger = {StopReason.REMOTE: "remote_stop", StopReason.EV_DISCONNECTED: "ev_departed"}
        self._tell_transaction(
            Phase.ENDED,
            now,
            trigger.get(reason, "stop_authorized"),
            samples=(self.sample(now, "Transaction.End"),),
            meter_stop=WattHours(round(self.register)),
            stop_reason=reason,
        )
        self.transaction = None
        self.next_meter = None
        self.settle(now)

    def settle(self, now: datetime) -> None:
        """Work the status out; tell it where it changed."""
        after = self._status()
        if after is self.status:
            return
        self.status = after
        self.reports.append(self.status_report(now))
        if self.transaction is not None:
            self._tell_transaction(Phase.UPDATED, now, "charging_state_changed")

    def _status(self) -> Status:
        if self.fault != "NoError":
            return Status.FAULTED
        if not self.operative and self.transaction is None:
            return Status.UNAVAILABLE
        if self.car is None:
            return Status.AVAILABLE
        if self.transaction is None:
            was_on = self.status in (*STATES, Status.FINISHING) and self.status is not Status.PREPARING
            return Status.FINISHING if was_on else Status.PREPARING
        if self.offered < LEAST_CURRENT:
            return Status.SUSPENDED_EVSE
        return Status.SUSPENDED_EV if self.car.full else Status.CHARGING

    # What it tells

    def boot_report(self, reason: str = "power_up") -> BootReported:
        """Who it is."""
        plate = Nameplate("ocpp-mqtt-proxy", "Simulator", self.serial, __version__)
        return BootReported(plate, reason)

    def status_report(self, now: datetime) -> StatusReported:
        """What it does."""
        return StatusReported(PLACE, self.status, now, self.fault)

    def sample(self, now: datetime, context: str = "Sample.Periodic") -> Sample:
        """What its meter reads: the register, and while charging what flows."""
        readings = [Reading(ENERGY, round(self.register, 1), "Wh", context=context, location="Outlet")]
        if context != "Transaction.Begin":
            readings += self._flows(context)
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

    def _tell_transaction(self, phase: Phase, now: datetime, trigger: str, **more: Any) -> None:  # noqa: ANN401
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

    # What it obeys

    def obey(self, order: Order, now: datetime) -> Outcome:
        """Do as told, or say why not. What follows from it is told after the answer."""
        handler = _ORDERS.get(type(order))
        if handler is None:
            return refused(Reason.NOT_SUPPORTED, "the simulator has no such thing")
        return handler(self, order, now)


def _start(box: Box, order: commands.StartCharging, now: datetime) -> Outcome:
    if box.transaction is not None or not box.operative or box.fault != "NoError":
        return refused(Reason.CHARGER_REJECTED)
    box.authorize(IdToken(order.id_tag), now, order.remote_start_id)
    return done()


def _stop(box: Box, order: commands.StopCharging, now: datetime) -> Outcome:
    if box.transaction is None or box.transaction.id != order.transaction_id:
        return refused(Reason.CHARGER_REJECTED)
    box.stop(StopReason.REMOTE, now)
    return done()


def _limit(box: Box, order: commands.SetLimit, now: datetime) -> Outcome:
    box.limit = float(order.limit)
    box.settle(now)
    return done()


def _clear_limit(box: Box, _: commands.ClearLimit, now: datetime) -> Outcome:
    if box.limit is None:
        return refused(Reason.INVALID)
    box.limit = None
    box.settle(now)
    return done()


def _availability(box: Box, order: commands.ChangeAvailability, now: datetime) -> Outcome:
    box.operative = order.operative
    if box.transaction is not None and not order.operative:
        return done(scheduled=True)
    box.settle(now)
    return done()


def _unlock(box: Box, order: commands.Unlock, now: datetime) -> Outcome:
    if order.at.place.evse != PLACE.evse:
        return refused(Reason.UNKNOWN_CONNECTOR)
    if box.transaction is not None:
        box.stop(StopReason.UNLOCK_COMMAND, now)
    return done()


def _trigger(box: Box, order: commands.Trigger, now: datetime) -> Outcome:
    if order.at.place.evse not in (0, PLACE.evse):
        return refused(Reason.CHARGER_REJECTED)
    triggered: Mapping[Message, Callable[[], Report]] = {
        Message.BOOT: lambda: box.boot_report("triggered"),
        Message.HEARTBEAT: HeartbeatReported,
        Message.STATUS: lambda: box.status_report(now),
        Message.METER: lambda: MeterReported(PLACE, (box.sample(now, "Trigger"),)),
        Message.FIRMWARE: lambda: FirmwareReported("idle"),
        Message.DIAGNOSTICS: lambda: DiagnosticsReported("idle"),
    }
    if order.message not in triggered:
        return refused(Reason.NOT_SUPPORTED)
    box.reports.append(triggered[order.message]())
    return done()


def _get(box: Box, order: commands.GetConfiguration, _: datetime) -> Outcome:
    """By the names asked, in either version's spelling; all of them in 1.6's where none is asked."""
    names = order.names or tuple(settings.key(name) for name in box.settings)
    known = {name: box.settings.get(settings.variable(name)) for name in names}
    values = {name: value for name, value in known.items() if value is not None}
    readonly = [name for name in values if settings.variable(name) in READ_ONLY]
    return done(values=values, readonly=readonly, unknown=[n for n, v in known.items() if v is None])


def _set(box: Box, order: commands.SetConfiguration, _: datetime) -> Outcome:
    became: dict[str, object] = {}
    for name, value in order.values:
        known = settings.variable(name)
        if known not in box.settings:
            became[name] = "not_supported"
        elif known in READ_ONLY or not _fits(known, value):
            became[name] = "rejected"
        else:
            box.settings[known] = value
            became[name] = "accepted"
    return done(set=became)


def _fits(name: str, value: str) -> bool:
    return value.isdigit() if name.endswith("Interval") else bool(value)


def _inventory(box: Box, order: commands.GetInventory, _: datetime) -> Outcome:
    variables = [Variable(name, value, name in READ_ONLY) for name, value in box.settings.items() if "." in name]
    variables.append(Variable("Connector@1:1.AvailabilityState", box.status.value, True, component="Connector"))  # noqa: FBT003
    box.reports.append(InventoryReported(order.request_id, 0, False, tuple(variables)))  # noqa: FBT003
    return done()


def _yes(_: Box, __: Order, ___: datetime) -> Outcome:
    return done()


_ORDERS: dict[type, Callable[[Box, Any, datetime], Outcome]] = {
    commands.StartCharging: _start,
    commands.StopCharging: _stop,
    commands.SetLimit: _limit,
    commands.ClearLimit: _clear_limit,
    commands.ChangeAvailability: _availability,
    commands.Unlock: _unlock,
    commands.Trigger: _trigger,
    commands.GetConfiguration: _get,
    commands.SetConfiguration: _set,
    commands.GetInventory: _inventory,
    commands.ClearCache: _yes,
    commands.Reset: _yes,
}
