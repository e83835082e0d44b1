"""What chargers send, valid and not, and how it is answered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core import reports
from ocpp_mqtt_proxy.core.model import (
    OCCUPIED,
    STATION,
    IdToken,
    Place,
    Reading,
    Sample,
    Signed,
    Status,
    StopReason,
    TokenKind,
    Version,
)
from ocpp_mqtt_proxy.core.reports import Phase
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS, SUBPROTOCOLS
from ocpp_mqtt_proxy.ocppj.fields import MAX_READINGS, child, identifier
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode, spelled
from tests.ocppj import strategies
from tests.ocppj.judge import assert_valid, right_outcomes
from tests.ocppj.rows import CALL, RESULT, SEND, Row, by_row, requests_by_id, rows, valid
from tests.ocppj.test_rpc import JSON

V16, V201, V21 = Version

REQUESTS = valid(from_charger=True, kind=CALL)
FROM_CHARGERS = {(row.version, row.action) for row in REQUESTS}
"""What the specifications let a charger say: the corpus has every action."""


def heard(version: Version, action: str, payload: dict[str, Any]) -> Any:
    """What a call reports."""
    report, _ = DIALECTS[version].decode(action, payload)
    return report


def refused(version: Version, action: str, payload: dict[str, Any]) -> ErrorCode:
    """Why a call is answered by an error."""
    with pytest.raises(CallRefused) as caught:
        DIALECTS[version].decode(action, payload)
    return caught.value.code


# All that is valid


@by_row(REQUESTS)
def test_every_valid_call_of_a_charger_is_heard_without_a_fault(row: Row) -> None:
    _, violation = DIALECTS[row.version].decode(row.action, row.payload)
    assert violation is None


@by_row(REQUESTS)
@given(data=st.data())
@settings(max_examples=10)
def test_every_valid_call_of_a_charger_has_an_answer_that_fits_its_schema(row: Row, data: st.DataObject) -> None:
    report = heard(row.version, row.action, row.payload)
    answer = data.draw(strategies.answers_to(row.version, report))
    assert_valid(row.version, row.action, DIALECTS[row.version].reply(row.action, answer), response=True)


@by_row(valid(from_charger=False, kind=RESULT))
def test_every_valid_answer_to_what_we_can_say_is_read(row: Row) -> None:
    dialect = DIALECTS[row.version]
    report = heard(row.version, row.action, requests_by_id()[row.message_id].payload)
    if isinstance(report, reports.NoticeReported):
        assert type(report) not in dialect.say, "what changes nothing of ours we do not say"
    else:
        dialect.say[type(report)].read(row.payload)


@pytest.mark.parametrize("version", DIALECTS)
def test_all_that_a_charger_may_say_is_heard_and_nothing_else(version: Version) -> None:
    assert set(DIALECTS[version].hear) == {action for heard_by, action in FROM_CHARGERS if heard_by is version}


@pytest.mark.parametrize(
    ("version", "action"),
    [(v, action) for v in DIALECTS for action in sorted(schema.actions(v)) if (v, action) not in FROM_CHARGERS],
)
def test_what_only_a_csms_says_is_not_supported(version: Version, action: str) -> None:
    assert refused(version, action, {}) is ErrorCode.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("version", "action"),
    [
        (V16, "TransactionEvent"),
        (V201, "StartTransaction"),
        (V201, "VatNumberValidation"),
        (V16, "heartbeat"),
        (V16, ""),
        (V201, "../Reset"),
        (V21, "StartTransaction"),
        (V21, "NotifyPeriodicStream"),
    ],
)
def test_what_a_version_does_not_know_is_not_implemented(version: Version, action: str) -> None:
    assert refused(version, action, {}) is ErrorCode.NOT_IMPLEMENTED


STREAM = {"id": 1, "pending": 0, "basetime": "2026-03-14T08:15:30Z", "data": [{"t": 0.0, "v": "230"}]}


@by_row(valid(from_charger=True, kind=SEND))
def test_what_wants_no_answer_is_heard_too(row: Row) -> None:
    report = DIALECTS[row.version].take(row.action, row.payload)
    assert report == reports.NoticeReported(row.action, row.payload)


@pytest.mark.parametrize("version", DIALECTS)
def test_all_that_may_come_unanswered_is_heard_and_nothing_else(version: Version) -> None:
    unanswered = {row.action for row in valid(from_charger=True, kind=SEND) if row.version is version}
    assert set(DIALECTS[version].overhear) == unanswered


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Heartbeat", {}, ErrorCode.NOT_SUPPORTED),
        ("SelfDestruct", {}, ErrorCode.NOT_IMPLEMENTED),
        ("NotifyPeriodicEventStream", {}, ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION),
        ("NotifyPeriodicEventStream", STREAM | {"id": "x"}, ErrorCode.TYPE_CONSTRAINT_VIOLATION),
    ],
)
def test_what_wants_no_answer_and_makes_no_sense_is_not_used(
    action: str, payload: dict[str, Any], code: ErrorCode
) -> None:
    with pytest.raises(CallRefused) as caught:
        DIALECTS[V21].take(action, payload)
    assert caught.value.code is code


def test_each_version_has_its_subprotocol() -> None:
    assert SUBPROTOCOLS == {"ocpp1.6": V16, "ocpp2.0.1": V201, "ocpp2.1": V21}


# All that is not

BROKEN = rows("malformed", where=lambda row: row.from_charger and row.kind == CALL and not row.fields["valid"])


def _is_understood(row: Row) -> bool:
    """Whether a frame's shape is right, and its action one we hear."""
    _, message_id, action, *payload = row.fields["frame"]
    shaped = isinstance(message_id, str) and len(payload) == 1 and isinstance(payload[0], dict)
    return shaped and action in DIALECTS[row.version].hear


def outcome(version: Version, action: str, payload: dict[str, Any]) -> str:
    """How a call is answered, in the corpus's words."""
    try:
        DIALECTS[version].decode(action, payload)
    except CallRefused as refusal:
        return f"CallError:{spelled(refusal.code, version)}"
    return "CallResult"


@by_row([row for row in BROKEN if _is_understood(row)])
def test_a_call_that_breaks_its_schema_has_an_outcome_that_the_corpus_takes(row: Row) -> None:
    """A wrong value in a tolerated message is borne, whatever the row says of errors: the quirk wins."""
    assert outcome(row.version, row.action, row.payload) in right_outcomes(row)


QUIRKS = rows("quirks", where=lambda row: row.from_charger and row.kind == CALL and row.expect == "CallResult")


@by_row(QUIRKS)
def test_every_quirk_of_a_charger_is_heard(row: Row) -> None:
    heard(row.version, row.action, row.payload)


@pytest.mark.parametrize(
    ("version", "action"), sorted(pair for pair in FROM_CHARGERS if DIALECTS[pair[0]].hear[pair[1]].tolerant)
)
@given(data=st.data())
@settings(max_examples=50)
def test_a_tolerated_message_is_heard_whatever_is_in_its_fields(
    version: Version, action: str, data: st.DataObject
) -> None:
    """Whatever is in a field: the charger gets its answer. Only a transaction has to be told from others."""
    whole = data.draw(
        st.sampled_from([row.payload for row in REQUESTS if (row.version, row.action) == (version, action)])
    )
    wrong = data.draw(st.dictionaries(st.sampled_from(sorted(whole) or ["more"]), JSON, min_size=1))
    payload = {**whole, **wrong}
    nameless = action == "TransactionEvent" and not identifier(child(payload, "transactionInfo"), "transactionId")
    assert outcome(version, action, payload) == (
        "CallError:OccurrenceConstraintViolation" if nameless else "CallResult"
    )


# What chargers get wrong, and what is made of it


def meter(**value: object) -> dict[str, Any]:
    """MeterValues of one sampled value."""
    return {"connectorId": 1, "meterValue": [{"timestamp": "2026-03-14T08:15:30Z", "sampledValue": [value]}]}


def reading(**value: object) -> Reading:
    (sample,) = heard(V16, "MeterValues", meter(**value)).samples
    (only,) = sample.readings
    assert isinstance(only, Reading)
    return only


ENERGY = "Energy.Active.Import.Register"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"value": "1"}, Reading(ENERGY, 1.0, "Wh")),
        ({"value": 10, "measurand": ENERGY, "unit": "Wh"}, Reading(ENERGY, 10.0, "Wh")),
        ({"value": 604.213, "unit": "Wh"}, Reading(ENERGY, 604.213, "Wh")),
        ({"value": "1,203,400", "unit": "Wh"}, Reading(ENERGY, 1203400.0, "Wh")),
        ({"value": "12", "unit": "kWh"}, Reading(ENERGY, 12000.0, "Wh")),
        ({"value": "1", "context": "Transaction.Start"}, Reading(ENERGY, 1.0, "Wh", None, "Transaction.Begin")),
        ({"value": "31", "measurand": "Temperature", "unit": "C"}, Reading("Temperature", 31.0, "°C")),
        ({"value": "31", "measurand": "Temperature", "unit": "Celcius"}, Reading("Temperature", 31.0, "°C")),
        ({"value": "50.01", "measurand": "Frequency", "unit": "Hz"}, Reading("Frequency", 50.01, "Hz")),
        ({"value": "0.5", "measurand": "Power.Active.Export", "unit": "Wh"}, Reading("Power.Active.Export", 0.5, "W")),
    ],
)
def test_a_sampled_value_is_read_as_it_was_meant(value: dict[str, Any], read: Reading) -> None:
    assert reading(**value) == read


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"value": None},
        {"value": "NaN"},
        {"value": "-"},
        {"value": "AB12", "format": "SignedData"},
        {"value": "1e18", "unit": "kWh"},
    ],
)
def test_a_sampled_value_without_a_number_is_left_out(value: dict[str, Any]) -> None:
    (sample,) = heard(V16, "MeterValues", meter(**value)).samples
    assert sample.readings == ()


def test_of_several_values_the_good_ones_are_kept() -> None:
    payload = meter(value="7")
    payload["meterValue"][0]["sampledValue"] += [{"value": {}}, "nonsense", {"value": "8", "measurand": "Voltage"}]
    (sample,) = heard(V16, "MeterValues", payload).samples
    assert [one.value for one in sample.readings] == [7.0, 8.0]


@pytest.mark.parametrize("version", DIALECTS)
def test_of_one_instant_no_more_is_read_than_any_meter_has(version: Version) -> None:
    value = {"timestamp": "2026-03-14T12:00:00Z", "sampledValue": [{"value": 1}] * (MAX_READINGS + 1)}
    payload = {"connectorId": 1, "evseId": 1, "meterValue": [value]}
    report = heard(version, "MeterValues", payload)
    assert [len(sample.readings) for sample in report.samples] == [MAX_READINGS]


def test_meter_values_that_are_no_list_are_a_list_of_one() -> None:
    payload = meter(value="7")
    payload["meterValue"] = payload["meterValue"][0]
    assert len(heard(V16, "MeterValues", payload).samples) == 1


@pytest.mark.parametrize(
    ("multiplier", "value", "read"), [(3, 1.5, 1500.0), (-1, 15, 1.5), (0, 7, 7.0), (300, 1e-18, 1e12), (99, 1.0, None)]
)
def test_a_multiplier_is_a_power_of_ten(multiplier: int, value: float, read: float | None) -> None:
    sampled = {"value": value, "measurand": "Voltage", "unitOfMeasure": {"unit": "V", "multiplier": multiplier}}
    payload = {"evseId": 1, "meterValue": [{"timestamp": "2026-03-14T08:15:30Z", "sampledValue": [sampled]}]}
    (sample,) = heard(V201, "MeterValues", payload).samples
    assert [one.value for one in sample.readings] == ([] if read is None else [pytest.approx(read)])


def test_a_value_of_201_that_is_no_number_is_left_out() -> None:
    payload = {"evseId": 1, "meterValue": [{"timestamp": "2026-03-14T08:15:30Z", "sampledValue": [{"value": "x"}]}]}
    assert heard(V201, "MeterValues", payload).samples[0].readings == ()


def test_signed_data_is_kept_byte_for_byte() -> None:
    signed = {"signedMeterData": "QUJD", "signingMethod": "x", "encodingMethod": "y", "publicKey": "z"}
    sampled = {"value": 1.0, "signedMeterValue": signed}
    payload = {"evseId": 1, "meterValue": [{"timestamp": "2026-03-14T08:15:30Z", "sampledValue": [sampled]}]}
    assert heard(V201, "MeterValues", payload).samples[0].readings[0].signed == Signed("QUJD", "x", "y", "z")


STOP = {"transactionId": 1042, "meterStop": 100, "timestamp": "2026-03-14T08:15:30Z"}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (1042, "1042"),
        ("1042", "1042"),
        (-1, "-1"),
        (0, "0"),
        ("abc", None),
        (123456789012345678901234567890.0, None),
        ({}, None),
    ],
)
def test_a_transaction_of_16_is_known_by_a_number_or_not_at_all(given: object, read: str | None) -> None:
    assert heard(V16, "StopTransaction", STOP | {"transactionId": given}).transaction_id == read
    assert heard(V16, "MeterValues", meter(value="1") | {"transactionId": given}).transaction_id == read


def test_a_fraction_of_a_watt_hour_is_rounded() -> None:
    assert heard(V16, "StopTransaction", STOP | {"meterStop": 26008.333}).meter_stop == 26008


def test_an_empty_tag_is_none() -> None:
    assert heard(V16, "StopTransaction", STOP | {"idTag": ""}).token is None


def test_a_stop_without_a_reason_was_local() -> None:
    assert heard(V16, "StopTransaction", STOP).stop_reason is StopReason.LOCAL


def test_a_tag_of_21_characters_is_kept_whole() -> None:
    assert heard(V16, "StopTransaction", STOP | {"idTag": "QWERTY12345678901234-"}).token.tag == "QWERTY12345678901234-"


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction"])
def test_a_transaction_without_a_time_is_heard_all_the_same(action: str) -> None:
    payload = (
        {"transactionId": 1, "meterStop": 5}
        if action == "StopTransaction"
        else {"connectorId": 1, "idTag": "A", "meterStart": 1}
    )
    assert heard(V16, action, payload).at is None


@pytest.mark.parametrize(
    ("word", "status"), [("Available", "available"), ("available", "available"), ("Occupied", OCCUPIED), ("Broken", Status.UNKNOWN), (7, Status.UNKNOWN)]
)  # fmt: skip
def test_a_status_is_read_in_any_case_and_of_any_version(word: object, status: str) -> None:
    assert heard(V16, "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word}).status == status


@pytest.mark.parametrize(
    ("word", "status"), [("Charging", "charging"), ("Occupied", OCCUPIED), ("Nonsense", Status.UNKNOWN)]
)
def test_a_status_of_201_may_be_a_word_of_16(word: str, status: str) -> None:
    payload = {"connectorStatus": word, "evseId": 1, "connectorId": 1, "timestamp": "2026-03-14T08:15:30Z"}
    assert heard(V201, "StatusNotification", payload).status == status


def test_connector_0_is_the_charger_in_both_versions() -> None:
    assert (
        heard(V16, "StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"}).place
        == STATION
    )
    payload = {"connectorStatus": "Available", "evseId": 0, "connectorId": 0, "timestamp": "2026-03-14T08:15:30Z"}
    assert heard(V201, "StatusNotification", payload).place == STATION


def test_a_box_number_stands_in_for_a_serial_number() -> None:
    payload = {"chargePointVendor": "V", "chargePointModel": "M", "chargeBoxSerialNumber": "B7"}
    assert heard(V16, "BootNotification", payload).nameplate.serial == "B7"


def test_a_boot_without_a_vendor_inside_is_still_a_boot() -> None:
    payload = {"reason": "PowerUp", "chargingStation": {"model": "M"}}
    report, violation = DIALECTS[V201].decode("BootNotification", payload)
    assert isinstance(report, reports.BootReported)
    assert (report.nameplate.model, report.nameplate.vendor, report.reason) == ("M", "", "power_up")
    assert violation is not None


EVENT = {
    "eventType": "Started", "timestamp": "2026-03-14T08:15:30Z", "triggerReason": "CablePluggedIn", "seqNo": 0,
    "transactionInfo": {"transactionId": "t1"},
}  # fmt: skip


@pytest.mark.parametrize("missing", ["timestamp", "triggerReason", "seqNo"])
def test_an_event_may_lack_what_only_orders_it(missing: str) -> None:
    payload = {key: value for key, value in EVENT.items() if key != missing}
    assert heard(V201, "TransactionEvent", payload).transaction_id == "t1"


@pytest.mark.parametrize("info", [{}, {"transactionId": ""}, {"transactionId": None}, [], "t1"], ids=repr)
def test_an_event_without_a_transaction_id_cannot_be_used(info: object) -> None:
    assert (
        refused(V201, "TransactionEvent", EVENT | {"transactionInfo": info})
        is ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
    )


def test_a_transaction_id_of_201_may_be_a_number() -> None:
    assert (
        heard(V201, "TransactionEvent", EVENT | {"transactionInfo": {"transactionId": 1042}}).transaction_id == "1042"
    )


@pytest.mark.parametrize("evse", [None, 7, []])
def test_an_evse_that_is_none_is_left_out(evse: object) -> None:
    assert heard(V201, "TransactionEvent", EVENT | {"evse": evse}).place is None


def test_a_connector_0_on_an_evse_is_none() -> None:
    assert heard(V201, "TransactionEvent", EVENT | {"evse": {"id": 2, "connectorId": 0}}).place == Place(2)


def event(**fields: object) -> dict[str, Any]:
    """A NotifyEvent of one event."""
    item = {
        "eventId": 1, "timestamp": "2026-03-14T08:15:30Z", "trigger": "Alerting", "eventNotificationType": "HardWiredNotification",
        "actualValue": "true", "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}}, "variable": {"name": "Problem"},
    }  # fmt: skip
    return {"generatedAt": "2026-03-14T08:15:30Z", "seqNo": 0, "eventData": [item | fields]}


@pytest.mark.parametrize(
    ("fields", "cleared"), [({}, False), ({"cleared": True}, True), ({"actualValue": "False"}, True)]
)
def test_a_problem_is_told_by_an_event(fields: dict[str, Any], cleared: bool) -> None:
    (problem,) = heard(V201, "NotifyEvent", event(**fields)).problems
    assert (problem.place, problem.component, problem.cleared) == (Place(1, 1), "Connector", cleared)


def test_a_connectors_state_may_be_told_by_an_event() -> None:
    (status,) = heard(
        V201, "NotifyEvent", event(variable={"name": "AvailabilityState"}, actualValue="Occupied")
    ).statuses
    assert (status.place, status.status) == (Place(1, 1), OCCUPIED)


def test_an_event_about_anything_else_says_nothing() -> None:
    report = heard(V201, "NotifyEvent", event(variable={"name": "Temperature"}, actualValue="31"))
    assert (report.problems, report.statuses) == ((), ())


@pytest.mark.parametrize("data", [{"StationMode": "paymentMode"}, [1], 7, "text", None])
def test_data_of_any_shape_is_transferred(data: object) -> None:
    assert heard(V16, "DataTransfer", {"vendorId": "btc", "data": data}).data == data


def test_every_state_told_by_a_16_charger_has_a_word_in_both_versions() -> None:
    for status in Status:
        for dialect in DIALECTS.values():
            ((action, payload),) = dialect.say[reports.StatusReported].encode(
                reports.StatusReported(Place(1, 1), status)
            )
            assert_valid(dialect.version, action, payload)


# What is heard of 2.1's own words


def test_what_two_measurands_call_differently_is_one() -> None:
    names = ["Current.Import.Offered", "Display.PresentSOC", "Power.Import.Offered", "Voltage.Maximum"]
    samples = [{"value": 7.0, "measurand": name} for name in names]
    value = {"timestamp": "2026-03-14T08:15:30Z", "sampledValue": samples}
    for action, payload in (
        ("MeterValues", {"evseId": 1, "meterValue": [value]}),
        ("TransactionEvent", EVENT | {"meterValue": [value]}),
    ):
        (sample,) = heard(V21, action, payload).samples
        assert [r.measurand for r in sample.readings] == ["Current.Offered", "SoC", "Power.Offered", "Voltage.Maximum"]


@pytest.mark.parametrize(
    ("measurand", "unit", "read"),
    [
        ("EnergyRequest.Bulk", "kWh", (7000.0, "Wh")),
        ("Display.BatteryEnergyCapacity", "kWh", (7000.0, "Wh")),
        ("Display.RemainingTimeToTargetSOC", None, (7.0, "s")),
        ("Display.TargetSOC", "Percent", (7.0, "%")),
        ("Display.InletHot", None, (7.0, "")),
        ("Power.Import.Minimum", "kW", (7000.0, "W")),
        ("Current.Export.Minimum", None, (7.0, "A")),
        ("Voltage.Maximum", None, (7.0, "V")),
        ("Energy.Active.Setpoint.Interval", "kWh", (7000.0, "Wh")),
    ],
)
def test_what_21_measures_more_is_in_base_units_too(measurand: str, unit: str | None, read: tuple[float, str]) -> None:
    value = {"value": 7.0, "measurand": measurand} | ({"unitOfMeasure": {"unit": unit}} if unit else {})
    payload = {"evseId": 1, "meterValue": [{"timestamp": "2026-03-14T08:15:30Z", "sampledValue": [value]}]}
    ((reading_,),) = [sample.readings for sample in heard(V21, "MeterValues", payload).samples]
    assert (reading_.value, reading_.unit) == read


def test_a_transaction_of_21_may_say_more_and_means_the_same() -> None:
    info = {"transactionId": "t1", "stoppedReason": "ReqEnergyTransferRejected", "operationMode": "ChargingOnly"}
    payload = EVENT | {"triggerReason": "OperationModeChanged", "transactionInfo": info, "evseSleep": True}
    report, violation = DIALECTS[V21].decode("TransactionEvent", payload)
    assert isinstance(report, reports.TransactionReported)
    assert (report.trigger, report.stop_reason) == (
        "operation_mode_changed",
        StopReason.REQ_ENERGY_TRANSFER_REJECTED,
    )
    assert violation is None


@pytest.mark.parametrize(
    ("told", "kind"), [("VIN", TokenKind.VIN), ("vin", TokenKind.VIN), ("eMAID", TokenKind.EMAID), ("Plate", "Plate")]
)
def test_the_kind_of_a_token_is_any_word_in_21(told: str, kind: str) -> None:
    token = heard(V21, "Authorize", {"idToken": {"idToken": "WVWZZZ", "type": told}}).token
    assert token == IdToken("WVWZZZ", kind)


@pytest.mark.parametrize("version", DIALECTS)
def test_a_reading_upstream_keeps_its_place_where_the_version_has_it(version: Version) -> None:
    sample = Sample(None, (Reading("Voltage", 230.0, "V", location="Upstream"),))
    ((_, payload),) = DIALECTS[version].say[reports.MeterReported].encode(reports.MeterReported(Place(1), (sample,)))
    assert ("Upstream" in str(payload)) is (version is V21)


# What is not offered is refused as the specification has it

HASHES = {"hashAlgorithm": "SHA256", "issuerNameHash": "ab", "issuerKeyHash": "cd", "serialNumber": "7"}
CHAIN = {"certificateHashData": HASHES, "source": "OCSP", "urls": ["http://ocsp.example"]}
UNCHECKED = {
    "certificateHashData": HASHES, "source": "OCSP", "status": "Failed", "nextUpdate": "1970-01-01T00:00:00Z",
}  # fmt: skip
NOT_OFFERED: list[tuple[Version, str, dict[str, Any], dict[str, Any]]] = [
    (V16, "SignCertificate", {"csr": "x"}, {"status": "Rejected"}),
    (V201, "SignCertificate", {"csr": "x"}, {"status": "Rejected"}),
    (V21, "SignCertificate", {"csr": "x", "requestId": 7}, {"status": "Rejected"}),
    (V21, "VatNumberValidation", {"vatNumber": "NL1"}, {"vatNumber": "NL1", "status": "Rejected"}),
    (
        V21,
        "VatNumberValidation",
        {"vatNumber": "1", "evseId": 2},
        {"vatNumber": "1", "evseId": 2, "status": "Rejected"},
    ),
    (
        V21,
        "GetCertificateChainStatus",
        {"certificateStatusRequests": [CHAIN] * 2},
        {"certificateStatus": [UNCHECKED] * 2},
    ),
    (V21, "PullDynamicScheduleUpdate", {"chargingProfileId": 9}, {"status": "Rejected"}),
    (V21, "ClosePeriodicEventStream", {"id": 5}, {}),
]


@pytest.mark.parametrize(("version", "action", "payload", "answer"), NOT_OFFERED)
def test_what_is_not_offered_is_said_so(
    version: Version, action: str, payload: dict[str, Any], answer: dict[str, Any]
) -> None:
    report, violation = DIALECTS[version].decode(action, payload)
    assert violation is None
    assert isinstance(report, reports.NoticeReported)
    assert DIALECTS[version].reply(action, reports.Noted(report.payload)) == answer
    assert_valid(version, action, answer, response=True)


# What is said of it to another CSMS


@pytest.mark.parametrize("version", [V201, V21])
@pytest.mark.parametrize("kind", [TokenKind.VIN, TokenKind.DIRECT_PAYMENT, "Plate"])
def test_a_kind_of_token_that_a_version_lacks_is_told_as_central(version: Version, kind: str) -> None:
    report = reports.AuthorizationRequested(IdToken("WVWZZZ", kind))
    ((_, payload),) = DIALECTS[version].say[reports.AuthorizationRequested].encode(report)
    assert payload == {"idToken": {"idToken": "WVWZZZ", "type": kind if version is V21 else "Central"}}


@pytest.mark.parametrize(("version", "word"), [(V201, "Expired"), (V21, "NoTransaction")])
def test_a_reservation_that_nobody_came_for_is_told_by_the_version_s_word(version: Version, word: str) -> None:
    report = reports.ReservationReported(7, "no_transaction")
    ((_, payload),) = DIALECTS[version].say[reports.ReservationReported].encode(report)
    assert payload["reservationUpdateStatus"] == word


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("04A1B2C3", "ISO14443"),
        ("04a1b2c3d4e5f6", "ISO14443"),
        ("E004010012345678", "ISO15693"),
        ("04A1B2C", "Local"),
        ("HOME", "Local"),
    ],
)
def test_a_tag_without_a_kind_gets_one_by_its_form(tag: str, kind: str) -> None:
    report = reports.AuthorizationRequested(IdToken(tag))
    ((_, payload),) = DIALECTS[V201].say[reports.AuthorizationRequested].encode(report)
    assert payload == {"idToken": {"idToken": tag, "type": kind}}


def test_events_without_a_problem_are_not_told() -> None:
    assert DIALECTS[V201].say[reports.EventsReported].encode(reports.EventsReported(())) == []


@pytest.mark.parametrize(
    ("phase", "token", "reason", "trigger"),
    [
        (Phase.STARTED, IdToken("A"), None, "Authorized"),
        (Phase.STARTED, None, None, "CablePluggedIn"),
        (Phase.UPDATED, None, None, "ChargingStateChanged"),
        (Phase.ENDED, None, None, "StopAuthorized"),
        (Phase.ENDED, None, StopReason.REMOTE, "RemoteStop"),
        (Phase.ENDED, None, StopReason.EMERGENCY_STOP, "AbnormalCondition"),
    ],
)
def test_an_event_told_for_a_16_charger_has_a_trigger(
    phase: Phase, token: IdToken | None, reason: StopReason | None, trigger: str
) -> None:
    report = reports.TransactionReported(phase, "t1", None, token=token, stop_reason=reason)
    ((_, payload),) = DIALECTS[V201].say[reports.TransactionReported].encode(report)
    assert payload["triggerReason"] == trigger


def test_an_error_code_of_no_version_is_told_as_the_vendors() -> None:
    report = reports.StatusReported(Place(1, 1), Status.FAULTED, error_code="E42")
    ((_, payload),) = DIALECTS[V16].say[reports.StatusReported].encode(report)
    assert (payload["errorCode"], payload["vendorErrorCode"]) == ("OtherError", "E42")
