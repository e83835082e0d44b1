"""What payloads must look like."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from tests.ocppj import judge
from tests.ocppj.rows import CALL, RESULT, VALID, Row, by_row, rows

V16, V201 = Version.V16, Version.V201

METER: dict[str, Any] = {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [{"value": "1"}]}]}


STATUS = {"timestamp": "2026-10-18T19:12:45", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}


def violation(action: str, payload: dict[str, Any], version: Version = V16) -> schema.Violation:
    found = schema.check(version, action, payload)
    assert found is not None
    return found


@by_row(rows(*VALID))
def test_every_valid_frame_is_valid(row: Row) -> None:
    judge.assert_valid(row.version, row.action, row.payload, response=row.kind == RESULT)


def is_of_an_action(row: Row) -> bool:
    frame = row.fields.get("frame", [])
    return row.kind == CALL and isinstance(frame[-1], dict) and row.action in schema.actions(row.version)


@by_row(rows("malformed", "quirks", where=is_of_an_action))
def test_of_every_other_frame_both_judges_think_the_same(row: Row) -> None:
    judge.faults(row.version, row.action, row.payload)


@pytest.mark.parametrize("version", Version)
def test_every_action_has_a_request_and_a_response_unless_it_is_never_answered(version: Version) -> None:
    for action in schema.actions(version):
        assert schema.check(version, action, {"no such field": 1}) is not None
        if action not in DIALECTS[version].overhear:
            assert schema.check(version, action, {"no such field": 1}, response=True) is not None


def test_each_version_knows_its_own_actions() -> None:
    assert "StartTransaction" in schema.actions(V16) - schema.actions(V201)
    assert "TransactionEvent" in schema.actions(V201) - schema.actions(V16)
    assert schema.actions(V201) < schema.actions(Version.V21)


BREAKS = [
    (V16, "Authorize", {}, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
    (V16, "Authorize", {"idTag": 7}, ErrorCode.TYPE_CONSTRAINT_VIOLATION),
    (V16, "Authorize", {"idTag": "A" * 21}, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
    (V16, "Reset", {"type": "Warm"}, ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
    (V16, "Heartbeat", {"uptime": 1}, ErrorCode.FORMAT_VIOLATION),
    (V16, "MeterValues", METER | {"meterValue": []}, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
    (V201, "Heartbeat", {"customData": {}}, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
    (V201, "GetVariables", {"getVariableData": []}, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
    (V201, "StatusNotification", STATUS | {"evseId": None}, ErrorCode.TYPE_CONSTRAINT_VIOLATION),
]


@pytest.mark.parametrize(("version", "action", "payload", "code"), BREAKS, ids=lambda value: str(value)[:40])
def test_each_kind_of_fault_has_its_code(
    version: Version, action: str, payload: dict[str, Any], code: ErrorCode
) -> None:
    assert violation(action, payload, version).code is code


def test_a_fault_says_where_it_is() -> None:
    broken = {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [{"value": 10}]}]}
    assert str(violation("MeterValues", broken)) == 'meterValue.0.sampledValue.0.value: 10 is not of type "string"'


def test_a_fault_of_the_message_itself_is_the_payloads() -> None:
    assert str(violation("Authorize", {})).startswith("payload: ")


def test_what_is_missing_of_the_message_itself_is_named() -> None:
    assert violation("StatusNotification", {"status": "Nonsense"}).missing == {"connectorId", "errorCode"}


def test_what_is_missing_further_in_is_not_the_messages() -> None:
    broken = {"connectorId": 1, "meterValue": [{"timestamp": "t", "sampledValue": [{}]}]}
    assert violation("MeterValues", broken).missing == frozenset()


def test_a_fault_is_told_in_few_words() -> None:
    assert len(violation("Authorize", {"idTag": ["x" * 500]}).message) == 160


def test_a_time_without_a_zone_is_a_time() -> None:
    assert schema.check(V201, "StatusNotification", STATUS) is None


@pytest.mark.parametrize("wrong", [1, {"sampledValue": 1}, [[]]])
def test_a_megabyte_of_faults_is_judged_by_its_first(wrong: object) -> None:
    """To gather them all took seconds, in which no other charger was answered."""
    assert violation("MeterValues", {"connectorId": 1, "meterValue": [wrong] * 300_000}).path == "meterValue.0"


@given(tenths=st.integers(0, 100_000))
def test_every_limit_of_one_decimal_is_one(tenths: int) -> None:
    profile = {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": tenths / 10}]},
    }  # fmt: skip
    judge.assert_valid(V16, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
