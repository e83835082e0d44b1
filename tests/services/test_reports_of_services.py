"""The device model as a 2.x service is told of it (B07, B08), of chargers that have one and of those that have none."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import Status, Variable, Version
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.fields import Object, children
from ocpp_mqtt_proxy.ocppj.v201.variables import name_of
from ocpp_mqtt_proxy.services.obeying import reports
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.core.yard import status
from tests.services.obedience import EACH, V21, V201, call, changes, served, set_to

NEWER = [V201, V21]

_REQUIRED = """
    AlignedDataCtrlr.Interval AlignedDataCtrlr.Measurands AlignedDataCtrlr.TxEndedInterval
    AlignedDataCtrlr.TxEndedMeasurands AuthCtrlr.AuthorizeRemoteStart ChargingStation.AvailabilityState
    ChargingStation.Available ChargingStation.SupplyPhases ClockCtrlr.DateTime ClockCtrlr.TimeSource
    Connector@1:1.Available Connector@1:1.ConnectorType Connector@1:1.SupplyPhases
    DeviceDataCtrlr.BytesPerMessage(GetReport) DeviceDataCtrlr.BytesPerMessage(GetVariables)
    DeviceDataCtrlr.BytesPerMessage(SetVariables) DeviceDataCtrlr.ItemsPerMessage(GetReport)
    DeviceDataCtrlr.ItemsPerMessage(GetVariables) DeviceDataCtrlr.ItemsPerMessage(SetVariables)
    EVSE@1.AvailabilityState EVSE@1.Available EVSE@1.Power EVSE@1.SupplyPhases LocalAuthListCtrlr.BytesPerMessage
    LocalAuthListCtrlr.Entries LocalAuthListCtrlr.ItemsPerMessage OCPPCommCtrlr.MessageAttempts(TransactionEvent)
    OCPPCommCtrlr.MessageAttemptInterval(TransactionEvent) OCPPCommCtrlr.MessageTimeout(Default)
    OCPPCommCtrlr.NetworkConfigurationPriority OCPPCommCtrlr.NetworkProfileConnectionAttempts
    OCPPCommCtrlr.OfflineThreshold SampledDataCtrlr.TxEndedInterval SampledDataCtrlr.TxEndedMeasurands
    SampledDataCtrlr.TxStartedMeasurands SampledDataCtrlr.TxUpdatedInterval SampledDataCtrlr.TxUpdatedMeasurands
    SecurityCtrlr.CertificateEntries SecurityCtrlr.SecurityProfile SmartChargingCtrlr.Entries(ChargingProfiles)
    SmartChargingCtrlr.LimitChangeSignificance SmartChargingCtrlr.PeriodsPerSchedule
    SmartChargingCtrlr.ProfileStackLevel SmartChargingCtrlr.RateUnit TxCtrlr.EVConnectionTimeOut
"""
"""What the standard requires, as far as somebody knows it (2.0.1 Part 2 appendices)."""


async def asked(out: Outstation, action: str, **payload: Any) -> tuple[str, list[Object]]:
    """The status of a report, and its parts as they wait to be told after it."""
    answer = await call(out, action, requestId=42, **payload)
    parts: list[Object] = [payload for told, payload in out.asked if told == "NotifyReport"]
    out.asked.clear()
    for part in parts:
        assert schema.check(out.version, "NotifyReport", part) is None
    return str(answer["status"]), parts


def names(parts: list[Object]) -> list[str]:
    return [name_of(item) for part in parts for item in children(part, "reportData")]


def items(parts: list[Object]) -> dict[str, Object]:
    return {name_of(item): item for part in parts for item in children(part, "reportData")}


def value_of(item: Object) -> object:
    return next(children(item, "variableAttribute")).get("value")


@pytest.mark.parametrize("charger", EACH)
@pytest.mark.parametrize("service", NEWER)
async def test_a_full_report_has_all_that_the_standard_requires(service: Version, charger: Version) -> None:
    told, parts = await asked(served(service, charger), "GetBaseReport", reportBase="FullInventory")
    assert told == "Accepted"
    assert set(_REQUIRED.split()) - set(names(parts)) == set()
    assert len(names(parts)) == len(set(names(parts)))


@pytest.mark.parametrize("charger", EACH)
async def test_a_report_tells_no_secret(charger: Version) -> None:
    _, parts = await asked(served(V201, charger), "GetBaseReport", reportBase="FullInventory")
    assert "secret" not in str(parts)
    assert "BasicAuthPassword" not in str(parts)


async def test_a_2x_chargers_own_parts_are_what_it_says() -> None:
    _, parts = await asked(served(V201, V21), "GetBaseReport", reportBase="FullInventory")
    assert value_of(items(parts)["Connector@1:1.ConnectorType"]) == "cType2"


async def test_variables_are_of_their_kind_and_within_their_limits() -> None:
    """B07.FR.08; EVSE.Power needs a maxLimit."""
    _, parts = await asked(served(V201), "GetBaseReport", reportBase="FullInventory")
    told = items(parts)
    kinds = {name: item["variableCharacteristics"] for name, item in told.items()}
    assert kinds["EVSE@1.Power"] == {
        "dataType": "decimal",
        "unit": "W",
        "maxLimit": 32.0 * 230 * 3,
        "supportsMonitoring": False,
    }
    assert kinds["LocalAuthListCtrlr.Entries"] == {
        "dataType": "integer",
        "maxLimit": 1000.0,
        "supportsMonitoring": False,
    }
    assert kinds["SmartChargingCtrlr.RateUnit"] == {"dataType": "MemberList", "supportsMonitoring": False}


async def test_a_configuration_report_has_what_can_be_set() -> None:
    _, parts = await asked(served(V201), "GetBaseReport", reportBase="ConfigurationInventory")
    told = items(parts)
    assert "SampledDataCtrlr.TxUpdatedInterval" in told
    assert "ClockCtrlr.DateTime" not in told
    assert all(a["mutability"] == "ReadWrite" for i in told.values() for a in children(i, "variableAttribute"))


async def test_a_summary_has_states_and_what_is_wrong() -> None:
    """B07.FR.09."""
    out = served(V201)
    out.hub.hear("CP1", status(Status.FAULTED))
    _, parts = await asked(out, "GetBaseReport", reportBase="SummaryInventory")
    told = {name: value_of(item) for name, item in items(parts).items()}
    assert told == {
        "ChargingStation.AvailabilityState": "Available",
        "EVSE@1.AvailabilityState": "Faulted",
        "EVSE@1.Problem": "true",
        "Connector@1:1.AvailabilityState": "Faulted",
        "Connector@1:1.Problem": "true",
    }


@pytest.mark.parametrize("charger", EACH)
async def test_what_a_service_took_out_of_service_shows_in_its_report(charger: Version) -> None:
    out = served(V201, charger)
    out.hub.hear("CP1", status(Status.AVAILABLE))
    await call(out, "ChangeAvailability", evse={"id": 1}, operationalStatus="Inoperative")
    _, parts = await asked(out, "GetBaseReport", reportBase="SummaryInventory")
    assert value_of(items(parts)["Connector@1:1.AvailabilityState"]) == "Unavailable"
    assert value_of(items(parts)["ChargingStation.AvailabilityState"]) == "Available"


async def test_what_a_service_set_shows_in_its_report() -> None:
    out = served(V201)
    await set_to(out, "SampledDataCtrlr.TxUpdatedInterval", "777")
    _, parts = await asked(out, "GetReport", componentVariable=[{"component": {"name": "SampledDataCtrlr"}}])
    assert value_of(items(parts)["SampledDataCtrlr.TxUpdatedInterval"]) == "777"


async def test_parts_count_from_0_with_the_askers_number_and_the_last_says_so() -> None:
    """B07.FR.04, B07.FR.10."""
    out = served(V201, V201)
    for number in range(500):
        name = f"Sensor({number}).Temperature"
        out.station.memory.inventory[name] = Variable(name, "x" * (number % 2000), component="Sensor")
    _, parts = await asked(out, "GetBaseReport", reportBase="FullInventory")
    assert len(parts) > 5
    assert [part["seqNo"] for part in parts] == list(range(len(parts)))
    assert {part["requestId"] for part in parts} == {42}
    assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert len(names(parts)) == len(set(names(parts)))
    assert all(len(list(children(part, "reportData"))) <= reports.MOST_ITEMS for part in parts)


# A part of it (B08)


def component(name: str, variable: str | None = None, **more: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {"component": {"name": name, **more}}
    return wanted | ({"variable": {"name": variable}} if variable else {})


@pytest.mark.parametrize("charger", EACH)
async def test_one_variable_may_be_wanted(charger: Version) -> None:
    wanted = [component("TxCtrlr", "EVConnectionTimeOut")]
    told, parts = await asked(served(V201, charger), "GetReport", componentVariable=wanted)
    assert (told, names(parts)) == ("Accepted", ["TxCtrlr.EVConnectionTimeOut"])


async def test_a_variable_without_an_instance_is_every_instance() -> None:
    """B08.FR.21."""
    wanted = [component("DeviceDataCtrlr", "ItemsPerMessage")]
    _, parts = await asked(served(V201), "GetReport", componentVariable=wanted)
    assert len(names(parts)) == 3


async def test_an_evse_is_its_connectors_too_and_no_evse_is_every_one() -> None:
    """B08.FR.22, B08.FR.23."""
    out = served(V201)
    _, of_one = await asked(out, "GetReport", componentVariable=[component("Connector", evse={"id": 1})])
    _, of_all = await asked(out, "GetReport", componentVariable=[component("Connector")])
    assert names(of_one) == names(of_all) != []
    told, _ = await asked(out, "GetReport", componentVariable=[component("Connector", evse={"id": 7})])
    assert told == "EmptyResultSet"


async def test_nothing_of_what_is_wanted_is_an_empty_result_and_no_report() -> None:
    """B08.FR.15."""
    assert await asked(served(V201), "GetReport", componentVariable=[component("NoSuchCtrlr")]) == (
        "EmptyResultSet",
        [],
    )


async def test_a_criterion_limits_components() -> None:
    """B08.FR.07 to B08.FR.10."""
    out = served(V201)
    assert (await asked(out, "GetReport", componentCriteria=["Problem"]))[0] == "EmptyResultSet"
    out.hub.hear("CP1", status(Status.FAULTED))
    _, parts = await asked(out, "GetReport", componentCriteria=["Problem"])
    assert {name.partition(".")[0] for name in names(parts)} == {"EVSE@1", "Connector@1:1"}
    _, active = await asked(out, "GetReport", componentCriteria=["Active"])
    _, every = await asked(out, "GetBaseReport", reportBase="FullInventory")
    assert names(active) == names(every)


async def test_both_limit_each_other() -> None:
    out = served(V201)
    out.hub.hear("CP1", status(Status.FAULTED))
    wanted = [component("EVSE", "AvailabilityState"), component("ClockCtrlr")]
    _, parts = await asked(out, "GetReport", componentVariable=wanted, componentCriteria=["Problem"])
    assert names(parts) == ["EVSE@1.AvailabilityState"]


async def test_a_report_changes_nothing_in_the_charger() -> None:
    out = served(V201)
    await asked(out, "GetBaseReport", reportBase="FullInventory")
    await asked(out, "GetReport", componentVariable=[component("Connector")])
    assert changes(out) == []


async def test_a_service_that_has_yet_to_accept_us_has_the_report_it_asks_for() -> None:
    """B02.FR.02: while pending only what was asked for is told."""
    out = served(V201, accepted=False)
    _, parts = await asked(out, "GetBaseReport", reportBase="SummaryInventory")
    assert parts != []
