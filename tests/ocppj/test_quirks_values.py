"""Payloads that break their schema, and what is made of them before they are judged again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core.model import IdToken, Nameplate, TokenKind, Version
from ocpp_mqtt_proxy.core.reports import AuthorizationRequested, BootReported, MeterReported, StatusReported
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.quirks import QUIRKS, active, usual
from ocpp_mqtt_proxy.ocppj.quirks.mending import MOST_VALUES, mend
from ocpp_mqtt_proxy.ocppj.schema import Violation
from tests.ocppj.judge import assert_valid
from tests.ocppj.rows import CALL, Row, by_row, valid
from tests.ocppj.test_rpc import JSON

V16, V201, V21 = Version
AT = "2026-03-14T08:15:30Z"
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": AT}
STOP = {"transactionId": 7, "meterStop": 9, "timestamp": AT}
EVENT = {"eventType": "Updated", "timestamp": AT, "triggerReason": "Trigger", "seqNo": 1, "transactionInfo": {"transactionId": "t"}}  # fmt: skip


def meter(**value: object) -> dict[str, Any]:
    """MeterValues of one sampled value."""
    return {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "1", **value}]}]}


def broken(version: Version, action: str, payload: dict[str, Any]) -> Violation:
    violation = schema.check(version, action, payload)
    assert violation is not None, "this is right as it is"
    return violation


def mended(version: Version, action: str, payload: dict[str, Any], *switches: str) -> tuple[Any, tuple[str, ...]]:
    """A payload repaired, and by what."""
    quirks = active(Nameplate(), switches)
    whole, violation = mend(version, action, payload, broken(version, action, payload), quirks)
    return whole, violation.mended


REPAIRED: list[tuple[str, Version, str, dict[str, Any], dict[str, Any]]] = [
    ("numbers_for_text", V16, "MeterValues", meter(value=10), meter(value="10")),
    ("numbers_for_text", V16, "MeterValues", meter(value=604.213), meter(value="604.213")),
    ("times_as_numbers", V16, "StatusNotification", STATUS | {"timestamp": 1773476130}, STATUS),
    ("times_as_numbers", V16, "StatusNotification", STATUS | {"timestamp": 1773476130123}, STATUS),
    ("text_for_numbers", V16, "StatusNotification", STATUS | {"connectorId": " 1 "}, STATUS),
    ("text_for_numbers", V16, "StopTransaction", STOP | {"meterStop": "9.2"}, STOP),
    ("text_for_numbers", V201, "TransactionEvent", EVENT | {"offline": "TRUE"}, EVENT | {"offline": True}),
    ("text_for_numbers", V21, "TransactionEvent", EVENT | {"seqNo": "1"}, EVENT),
    ("fractions", V16, "StopTransaction", STOP | {"meterStop": 9.333}, STOP),
    ("objects_for_lists", V16, "MeterValues", {**meter(), "meterValue": meter()["meterValue"][0]}, meter()),
    ("nulls", V16, "StopTransaction", STOP | {"idTag": None}, STOP),
    ("nulls", V201, "TransactionEvent", EVENT | {"evse": None}, EVENT),
    ("nulls", V16, "MeterValues", {**meter(), "meterValue": [None, *meter()["meterValue"], None]}, meter()),
    ("spellings", V16, "StatusNotification", STATUS | {"status": "available"}, STATUS),
    ("spellings", V16, "MeterValues", meter(context="Transaction.Start"), meter(context="Transaction.Begin")),
    ("spellings", V16, "MeterValues", meter(measurand="Temperature", unit="C"), meter(measurand="Temperature", unit="Celsius")),
    ("spellings", V16, "MeterValues", meter(measurand="Frequency", unit="Hz"), meter(measurand="Frequency", unit="Hertz")),
    ("spellings", V16, "MeterValues", meter(measurand="Voltage", unit="Volt"), meter(measurand="Voltage", unit="V")),
    ("spellings", V16, "MeterValues", meter(measurand="Current.Import", unit="Amp"), meter(measurand="Current.Import", unit="A")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "version", "action", "payload", "meant"), REPAIRED)
def test_a_value_is_what_was_meant_and_the_message_right(
    name: str, version: Version, action: str, payload: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert mended(version, action, payload) == (meant, (name,))
    assert_valid(version, action, meant)


def test_every_repair_of_a_value_has_an_example() -> None:
    assert {quirk.name for quirk in QUIRKS if quirk.value} == {name for name, *_ in REPAIRED}


@pytest.mark.parametrize(("name", "version", "action", "payload", "meant"), REPAIRED)
def test_a_repair_that_is_switched_off_is_not_made(
    name: str, version: Version, action: str, payload: dict[str, Any], meant: dict[str, Any]
) -> None:
    whole, by = mended(version, action, payload, f"no_{name}")
    assert name not in by
    assert whole != meant


LEFT: list[tuple[str, dict[str, Any]]] = [
    ("StatusNotification", STATUS | {"errorCode": "E42"}),
    ("StatusNotification", STATUS | {"connectorId": True}),
    ("StatusNotification", STATUS | {"timestamp": {}}),
    ("StatusNotification", STATUS | {"more": 1}),
    ("StatusNotification", STATUS | {"vendorErrorCode": ["x"]}),
    ("StopTransaction", STOP | {"idTag": "QWERTY12345678901234-"}),
    ("StopTransaction", STOP | {"transactionId": "abc"}),
    ("StopTransaction", STOP | {"meterStop": [9]}),
    ("DataTransfer", {"vendorId": "x", "data": 7}),
    ("DataTransfer", {"vendorId": "x", "data": {"a": None}}),
]


@pytest.mark.parametrize(("action", "payload"), LEFT)
def test_what_nobody_knows_the_meaning_of_is_left_as_it_is(action: str, payload: dict[str, Any]) -> None:
    assert mended(V16, action, payload) == (payload, ())


def test_a_time_that_no_calendar_has_is_text() -> None:
    assert mended(V16, "StatusNotification", STATUS | {"timestamp": 10**17}) == (
        STATUS | {"timestamp": str(10**17)},
        ("numbers_for_text",),
    )


def test_each_field_is_mended_by_itself() -> None:
    payload = meter(value=7, unit="Hz", context="Nonsense") | {"connectorId": "1", "transactionId": None}
    whole, by = mended(V16, "MeterValues", payload)
    assert whole == meter(value="7", unit="Hertz", context="Nonsense")
    assert set(by) == {"numbers_for_text", "spellings", "text_for_numbers", "nulls"}


def test_what_was_mended_may_hold_the_next_fault() -> None:
    payload = {"connectorId": 1, "meterValue": {"timestamp": AT, "sampledValue": {"value": 7}}}
    whole, _ = mended(V16, "MeterValues", payload)
    assert whole == meter(value="7")


def test_a_payload_too_large_to_look_through_is_used_as_it_is() -> None:
    payload = meter() | {"meterValue": [1] * (MOST_VALUES + 1)}
    assert mended(V16, "MeterValues", payload) == (payload, ())


def test_a_repair_changes_nobody_else_s_payload() -> None:
    payload = meter(value=7)
    before = json.dumps(payload)
    mended(V16, "MeterValues", payload)
    assert json.dumps(payload) == before


TOLERATED = [row for row in valid(from_charger=True, kind=CALL) if DIALECTS[row.version].hear[row.action].tolerant]


@by_row(TOLERATED)
@given(data=st.data())
@settings(max_examples=10)
def test_a_repair_never_makes_a_message_worse(row: Row, data: st.DataObject) -> None:
    """Whatever is in a field, the others stay, and there is no new fault."""
    whole = row.payload
    wrong = data.draw(st.dictionaries(st.sampled_from(sorted(whole) or ["x"]), JSON, min_size=1, max_size=2))
    payload = {**whole, **wrong}
    violation = schema.check(row.version, row.action, payload)
    if violation is not None:
        after, _ = mend(row.version, row.action, payload, violation, usual())
        assert {key: after[key] for key in whole if key not in wrong} == {k: whole[k] for k in whole if k not in wrong}
        faults = {fault.path[:1] for fault in schema.faults(row.version, row.action, after)}
        assert faults <= {fault.path[:1] for fault in schema.faults(row.version, row.action, payload)} | {()}


# Whole messages


FOX = active(Nameplate(vendor="FoxESS"))


@pytest.mark.parametrize("version", [V201, V21])
def test_a_1_6_boot_on_a_2_x_socket_is_a_boot(version: Version) -> None:
    payload = {"chargePointVendor": "FoxESS", "chargePointModel": "A011KP1", "firmwareVersion": "1.2"}
    report, violation = DIALECTS[version].decode("BootNotification", payload, lambda: FOX)
    assert isinstance(report, BootReported)
    assert (report.nameplate.model, report.nameplate.firmware) == ("A011KP1", "1.2")
    assert violation is not None
    assert violation.mended == ("speaks_16_on_2x",)


@pytest.mark.parametrize(("connector", "evse"), [(0, 0), (2, 2)])
def test_a_1_6_state_on_a_2_x_socket_is_a_state(connector: int, evse: int) -> None:
    report, _ = DIALECTS[V201].decode("StatusNotification", STATUS | {"connectorId": connector}, lambda: FOX)
    assert isinstance(report, StatusReported)
    assert (report.place.evse, report.status) == (evse, "available")


def test_1_6_readings_on_a_2_x_socket_are_readings() -> None:
    report, _ = DIALECTS[V201].decode("MeterValues", meter(value="7", unit="kWh"), lambda: FOX)
    assert isinstance(report, MeterReported)
    assert [reading.value for reading in report.samples[0].readings] == [7000.0]


RIGHT_SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", {"reason": 7, "chargingStation": {"model": "M", "vendorName": "V"}}),
    ("StatusNotification", {"timestamp": AT, "connectorStatus": "Broken", "evseId": 1, "connectorId": 1}),
    ("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": {}}]}]}),
]


@pytest.mark.parametrize(("action", "payload"), RIGHT_SHAPES)
def test_what_has_the_shape_of_2_x_keeps_it_though_it_is_wrong(action: str, payload: dict[str, Any]) -> None:
    _, violation = DIALECTS[V201].decode(action, payload, lambda: FOX)
    assert violation is not None
    assert "speaks_16_on_2x" not in violation.mended


# What goes out again


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (IdToken("QWERTY12345678901234"), "QWERTY12345678901234"),
        (IdToken("QWERTY12345678901234-"), "QWERTY12345678901234"),
        (IdToken("A" * 36, TokenKind.EMAID), "22c1d24bcd03e9aee983"),
    ],
)
def test_a_tag_is_told_in_the_room_that_1_6_has(token: IdToken, told: str) -> None:
    ((action, payload),) = DIALECTS[V16].say[AuthorizationRequested].encode(AuthorizationRequested(token))
    assert payload == {"idTag": told}
    assert_valid(V16, action, payload)


def test_long_tokens_that_begin_alike_are_not_the_same() -> None:
    say = DIALECTS[V16].say[AuthorizationRequested]
    tokens = [IdToken("A" * 30 + end, TokenKind.EMAID) for end in "BC"]
    assert len({say.encode(AuthorizationRequested(token))[0][1]["idTag"] for token in tokens}) == 2
