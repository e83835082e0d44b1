"""What a box does when it is told to, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Message, Order, Outcome, Reason
from ocpp_mqtt_proxy.core.model import IdToken, Place, Status, StopReason, Target, TokenKind
from ocpp_mqtt_proxy.core.reports import InventoryReported, MeterReported, Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.settings import METER_INTERVAL, RATE_UNIT
from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.simulator.box import Box, Welcome
from ocpp_mqtt_proxy.simulator.car import Car
from ocpp_mqtt_proxy.simulator.orders import READ_ONLY, obey
from tests.fakes import NOON

ELSEWHERE = Target(2, Place(2, 1))
HERE = Target(1, Place(1, 1))
LATER = NOON + timedelta(seconds=1)


def told(box: Box, order: Order) -> Outcome:
    return obey(box, order, LATER)


@pytest.fixture
def box() -> Box:
    """One that is free, with a car at it."""
    made = Box()
    made.plug(Car(), NOON)
    made.reports.clear()
    return made


@pytest.fixture
def charging(box: Box) -> Box:
    box.authorize(Welcome(IdToken("A"), NOON), NOON)
    box.reports.clear()
    return box


def transaction_of(box: Box) -> str:
    assert box.transaction is not None
    return box.transaction.id


def start(at: Target = HERE) -> commands.StartCharging:
    return commands.StartCharging(at, "B", 7)


# Start and stop


def test_it_starts_for_the_tag_and_says_on_whose_word(box: Box) -> None:
    assert told(box, start()).ok
    event = next(report for report in box.reports if isinstance(report, TransactionReported))
    assert (event.phase, event.trigger, event.remote_start_id) == (Phase.STARTED, "remote_start", 7)
    assert event.token == IdToken("B", TokenKind.CENTRAL)


def test_a_start_without_a_car_waits_for_one() -> None:
    box = Box()
    assert told(box, start()).ok
    assert box.transaction is None
    box.plug(Car(), LATER)
    assert box.transaction is not None


def test_it_does_not_start_twice(charging: Box) -> None:
    assert told(charging, start()).reason is Reason.CHARGER_REJECTED


def test_it_does_not_start_where_it_has_no_connector(box: Box) -> None:
    assert told(box, start(ELSEWHERE)).reason is Reason.CHARGER_REJECTED


def test_it_does_not_start_while_it_is_broken_or_out_of_service(box: Box) -> None:
    box.break_down("GroundFailure", NOON)
    assert not told(box, start()).ok
    box.mend(NOON)
    told(box, commands.ChangeAvailability(HERE, operative=False))
    assert not told(box, start()).ok


def test_it_stops_the_transaction_that_is_named_and_no_other(charging: Box) -> None:
    assert told(charging, commands.StopCharging("another")).reason is Reason.CHARGER_REJECTED
    assert told(charging, commands.StopCharging(transaction_of(charging))).ok
    event = next(report for report in charging.reports if isinstance(report, TransactionReported))
    assert (event.phase, event.stop_reason, event.trigger) == (Phase.ENDED, StopReason.REMOTE, "remote_stop")


def test_there_is_nothing_to_stop_where_nothing_runs(box: Box) -> None:
    assert told(box, commands.StopCharging("x")).reason is Reason.CHARGER_REJECTED


# Availability and the cable


def test_out_of_service_and_back(box: Box) -> None:
    assert told(box, commands.ChangeAvailability(HERE, operative=False)).ok
    assert box.status == "unavailable"
    told(box, commands.ChangeAvailability(Target(), operative=True))
    assert box.status == "preparing"


def test_out_of_service_waits_for_the_end_of_a_transaction(charging: Box) -> None:
    outcome = told(charging, commands.ChangeAvailability(HERE, operative=False))
    assert outcome.result["charger_status"] == "Scheduled"
    assert charging.power > 0
    told(charging, commands.StopCharging(transaction_of(charging)))
    assert charging.status is Status.UNAVAILABLE


def test_a_connector_that_is_not_there_cannot_be_put_out_of_service_or_unlocked(box: Box) -> None:
    for order in (commands.ChangeAvailability(ELSEWHERE, operative=False), commands.Unlock(ELSEWHERE)):
        assert told(box, order).reason is Reason.UNKNOWN_CONNECTOR


def test_unlocking_ends_a_transaction(charging: Box) -> None:
    assert told(charging, commands.Unlock(HERE)).ok
    event = next(report for report in charging.reports if isinstance(report, TransactionReported))
    assert event.stop_reason is StopReason.UNLOCK_COMMAND
    assert told(charging, commands.Unlock(HERE)).ok


# Messages on demand


@pytest.mark.parametrize("message", set(Message) - {Message.TRANSACTION})
def test_it_sends_what_is_asked_of_it(box: Box, message: Message) -> None:
    assert told(box, commands.Trigger(message)).ok
    assert len(box.reports) == 1


def test_it_sends_what_runs_where_something_runs(charging: Box) -> None:
    assert told(charging, commands.Trigger(Message.TRANSACTION)).ok
    event = charging.reports[-1]
    assert isinstance(event, TransactionReported)
    assert (event.phase, event.trigger, len(event.samples)) == (Phase.UPDATED, "trigger", 1)


def test_it_cannot_send_what_does_not_run(box: Box) -> None:
    assert told(box, commands.Trigger(Message.TRANSACTION)).reason is Reason.CHARGER_REJECTED


def test_readings_on_demand_name_the_transaction(charging: Box) -> None:
    told(charging, commands.Trigger(Message.METER))
    report = charging.reports[-1]
    assert isinstance(report, MeterReported)
    assert report.transaction_id == transaction_of(charging)


def test_it_sends_nothing_of_a_connector_that_it_has_not(box: Box) -> None:
    assert not told(box, commands.Trigger(Message.STATUS, ELSEWHERE)).ok
    assert box.reports == []


# Settings


def test_every_setting_is_given_where_none_is_named(box: Box) -> None:
    outcome = told(box, commands.GetConfiguration())
    assert outcome.result["values"] == {settings.key(name): value for name, value in box.settings.items()}
    assert outcome.result["readonly"] == [settings.key(n) for n in box.settings if n in READ_ONLY]


@pytest.mark.parametrize("name", [METER_INTERVAL, settings.key(METER_INTERVAL)])
def test_a_setting_goes_by_its_name_of_either_version(box: Box, name: str) -> None:
    outcome = told(box, commands.GetConfiguration((name, "Nonsense")))
    assert (outcome.result["values"], outcome.result["unknown"]) == ({name: "60"}, ["Nonsense"])
    assert told(box, commands.SetConfiguration(((name, "15"),))).result["set"] == {name: "accepted"}
    assert box.settings[METER_INTERVAL] == "15"


@pytest.mark.parametrize(
    ("name", "value", "became"),
    [
        (METER_INTERVAL, "often", "rejected"),
        (METER_INTERVAL, "-1", "rejected"),
        (METER_INTERVAL, "²", "rejected"),
        (METER_INTERVAL, "", "rejected"),
        (RATE_UNIT, "Power", "rejected"),
        ("Nonsense", "1", "not_supported"),
        ("SampledDataCtrlr.TxUpdatedMeasurands", "Power.Active.Import", "accepted"),
    ],
)
def test_a_setting_takes_what_makes_sense(box: Box, name: str, value: str, became: str) -> None:
    before = dict(box.settings)
    outcome = told(box, commands.SetConfiguration(((name, value),)))
    assert outcome.result["set"] == {name: became}
    assert (box.settings == before) == (became != "accepted")


@pytest.mark.parametrize(
    ("prepare", "state"),
    [
        (lambda box: box.unplug(NOON), "Available"),
        (lambda box: box.settle(NOON), "Occupied"),
        (lambda box: box.break_down("OtherError", NOON), "Faulted"),
    ],
)
def test_the_device_model_holds_settings_and_the_connector(box: Box, prepare: Any, state: str) -> None:
    prepare(box)
    assert told(box, commands.GetInventory(5)).ok
    report = box.reports[-1]
    assert isinstance(report, InventoryReported)
    values = {variable.name: variable.value for variable in report.variables}
    assert values["Connector@1:1.AvailabilityState"] == state
    assert values[METER_INTERVAL] == "60"
    assert (report.request_id, report.more) == (5, False)


# The rest


def test_a_cache_that_is_not_there_is_soon_cleared(box: Box) -> None:
    assert told(box, commands.ClearCache()).ok


@pytest.mark.parametrize(
    "order",
    [
        commands.DataTransfer("vendor"),
        commands.Reserve(HERE, 1, "A", LATER),
        commands.CancelReservation(1),
        commands.GetDiagnostics(1, "ftp://x"),
        commands.UpdateFirmware(1, "ftp://x", LATER),
    ],
)
def test_what_it_cannot_do_it_says(box: Box, order: Order) -> None:
    assert told(box, order).reason is Reason.NOT_SUPPORTED
    assert not [report for report in box.reports if isinstance(report, StatusReported)]
