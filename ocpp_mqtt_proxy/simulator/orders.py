"""What the simulated charger does when a CSMS tells it to. What follows from it is told after the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Message, Order, Outcome, Reason, done, refused
from ocpp_mqtt_proxy.core.limits.rules import Fault
from ocpp_mqtt_proxy.core.model import IdToken, Status, StopReason, Variable
from ocpp_mqtt_proxy.core.reports import (
    DiagnosticsReported,
    FirmwareReported,
    HeartbeatReported,
    InventoryReported,
    MeterReported,
    Report,
)
from ocpp_mqtt_proxy.core.settings import MOST_PERIODS, RATE_UNIT, STACK_LEVEL
from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.simulator.box import PLACE, Box, Welcome, is_here
from ocpp_mqtt_proxy.simulator.profiles import MOST_PROFILES
from ocpp_mqtt_proxy.simulator.smart_charging import clear_profiles, for_a_start, set_profile, tell_schedule

READ_ONLY = frozenset({"NumberOfConnectors", RATE_UNIT, STACK_LEVEL, MOST_PERIODS, MOST_PROFILES})

_AVAILABILITY = {
    Status.AVAILABLE: "Available",
    Status.UNAVAILABLE: "Unavailable",
    Status.FAULTED: "Faulted",
}
"""What the device model says of a connector; of any other status, that it is occupied."""


def obey(box: Box, order: Order, now: datetime) -> Outcome:
    """Do as told, or say why not."""
    handler = _ORDERS.get(type(order))
    if handler is None:
        return refused(Reason.NOT_SUPPORTED, "the simulator has no such thing")
    return handler(box, order, now)


def _start(box: Box, order: commands.StartCharging, now: datetime) -> Outcome:
    profile = for_a_start(box, order)
    if not box.ready or not is_here(order.at) or isinstance(profile, Fault):
        return refused(Reason.CHARGER_REJECTED)
    box.authorize(Welcome(IdToken(order.id_tag, order.kind), now, order.remote_start_id, profile), now)
    return done()


def _stop(box: Box, order: commands.StopCharging, now: datetime) -> Outcome:
    if box.transaction is None or box.transaction.id != order.transaction_id:
        return refused(Reason.CHARGER_REJECTED)
    box.stop(StopReason.REMOTE, now)
    return done()


def _availability(box: Box, order: commands.ChangeAvailability, now: datetime) -> Outcome:
    if not is_here(order.at):
        return refused(Reason.UNKNOWN_CONNECTOR)
    box.operative = order.operative
    if box.transaction is not None and not order.operative:
        return done(charger_status="Scheduled")
    box.settle(now)
    return done()


def _unlock(box: Box, order: commands.Unlock, now: datetime) -> Outcome:
    if order.at.place.evse != PLACE.evse:
        return refused(Reason.UNKNOWN_CONNECTOR)
    if box.transaction is not None:
        box.stop(StopReason.UNLOCK_COMMAND, now)
    return done()


def _trigger(box: Box, order: commands.Trigger, now: datetime) -> Outcome:
    if not is_here(order.at):
        return refused(Reason.CHARGER_REJECTED)
    if order.message is Message.TRANSACTION:
        return _trigger_transaction(box, now)
    transaction_id = box.transaction.id if box.transaction else None
    triggered: Mapping[Message, Callable[[], Report]] = {
        Message.BOOT: lambda: box.boot_report("triggered"),
        Message.HEARTBEAT: HeartbeatReported,
        Message.STATUS: lambda: box.status_report(now),
        Message.METER: lambda: MeterReported(PLACE, (box.sample(now, "Trigger"),), transaction_id),
        Message.FIRMWARE: lambda: FirmwareReported("idle"),
        Message.DIAGNOSTICS: lambda: DiagnosticsReported("idle"),
    }
    box.reports.append(triggered[order.message]())
    return done()


def _trigger_transaction(box: Box, now: datetime) -> Outcome:
    if box.transaction is None:
        return refused(Reason.CHARGER_REJECTED, "no transaction runs")
    box.tell_transaction(now, "trigger", samples=(box.sample(now, "Trigger"),))
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
    return value.isascii() and value.isdecimal() if name.endswith("Interval") else bool(value)


def _inventory(box: Box, order: commands.GetInventory, now: datetime) -> Outcome:
    state = _AVAILABILITY.get(box.status, "Occupied")
    connector = Variable("Connector@1:1.AvailabilityState", state, readonly=True, component="Connector")
    known = [Variable(name, value, name in READ_ONLY) for name, value in box.settings.items() if "." in name]
    report = InventoryReported(order.request_id, seq_no=0, more=False, variables=(connector, *known), at=now)
    box.reports.append(report)
    return done()


def _yes(_: Box, __: Order, ___: datetime) -> Outcome:
    return done()


_ORDERS: dict[type, Callable[[Box, Any, datetime], Outcome]] = {
    commands.StartCharging: _start,
    commands.StopCharging: _stop,
    commands.SetProfile: set_profile,
    commands.ClearProfiles: clear_profiles,
    commands.TellSchedule: tell_schedule,
    commands.ChangeAvailability: _availability,
    commands.Unlock: _unlock,
    commands.Trigger: _trigger,
    commands.GetConfiguration: _get,
    commands.SetConfiguration: _set,
    commands.GetInventory: _inventory,
    commands.ClearCache: _yes,
}
