"""What a CSMS asks of a charger: obeyed and answered at one end, ordered and understood at the other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Message, Order, Outcome, RawCall, Reason, Result, done, failed, refused
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.limits.profile import WEEKLY, ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import Amps, Place, Target, Version
from ocpp_mqtt_proxy.ocppj import schedules, schema
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, agreed, settled
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.fields import children
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode, spelled
from tests.ocppj import strategies
from tests.ocppj.judge import assert_valid
from tests.ocppj.rows import CALL, RESULT, Row, by_row, requests_by_id, rows, valid

V16, V201, V21 = Version
START = datetime(2026, 3, 14, 12, tzinfo=UTC)

REQUESTS = valid(from_charger=False, kind=CALL)


def is_obeyed(row: Row) -> bool:
    return row.action in DIALECTS[row.version].obey


# All that is valid


@by_row([row for row in REQUESTS if is_obeyed(row)])
@given(data=st.data())
@settings(max_examples=10)
def test_every_valid_call_of_a_csms_is_obeyed_and_every_outcome_answered(row: Row, data: st.DataObject) -> None:
    dialect = DIALECTS[row.version]
    order = dialect.command(row.action, row.payload)
    outcome = data.draw(strategies.outcomes(order))
    assert_valid(row.version, row.action, dialect.response(row.action, order, outcome), response=True)


@by_row([row for row in REQUESTS if not is_obeyed(row)])
def test_every_valid_call_of_a_csms_that_we_cannot_obey_is_not_supported(row: Row) -> None:
    assert refusal(row.version, row.action, row.payload) is ErrorCode.NOT_SUPPORTED


@by_row(valid(from_charger=True, kind=RESULT))
def test_every_valid_answer_of_a_charger_is_read(row: Row) -> None:
    dialect = DIALECTS[row.version]
    request = requests_by_id()[row.message_id]
    order: Order = RawCall(request.action, request.payload)
    if is_obeyed(row) and type(asked := dialect.command(request.action, request.payload)) in dialect.order:
        order = asked
    assert isinstance(dialect.outcome(order, row.payload), Outcome)


@pytest.mark.parametrize("version", DIALECTS)
def test_what_a_version_does_not_know_is_not_implemented(version: Version) -> None:
    assert refusal(version, "SelfDestruct", {}) is ErrorCode.NOT_IMPLEMENTED


@pytest.mark.parametrize("version", DIALECTS)
def test_all_that_can_be_obeyed_is_said_by_a_csms(version: Version) -> None:
    assert set(DIALECTS[version].obey) <= {row.action for row in REQUESTS if row.version is version}


def refusal(version: Version, action: str, payload: dict[str, Any]) -> ErrorCode:
    with pytest.raises(CallRefused) as caught:
        DIALECTS[version].command(action, payload)
    return caught.value.code


# All that is not

MADE_OF_IT: dict[str, Outcome] = {
    "RemoteStopTransaction for an id unknown in that CSMS's mapping: never forward the number as is": refused(
        Reason.NOT_YOURS
    ),
    "TxProfile on connector 0": refused(Reason.INVALID),
    "TxProfile with no transaction running": refused(Reason.INVALID),
    "schedule whose first startPeriod is not 0": refused(Reason.INVALID),
    "negative limit": refused(Reason.INVALID),
    "UnlockConnector for an unknown connector (1.6 errata: NotSupported)": refused(Reason.UNKNOWN_CONNECTOR),
    "ClearChargingProfile that matches nothing": refused(Reason.INVALID),
    "GetConfiguration with only unknown keys: answered with unknownKey": done(values={}, unknown=["NoSuchKey"]),
    "ChangeConfiguration of an unknown key": settled({"NoSuchKey": "NotSupported"}),
    "ChangeConfiguration of a read-only key": settled({"NumberOfConnectors": "Rejected"}),
    "RequestStopTransaction for an unknown transaction (F03.FR.08)": refused(Reason.NOT_YOURS),
    "TxProfile on evseId 0 (K01.FR.16)": refused(Reason.INVALID),
    "UnlockConnector for an unknown connector (F05.FR.03)": refused(Reason.UNKNOWN_CONNECTOR),
    "GetVariables for an unknown component: per-item UnknownComponent": done(values={}, unknown=["NoSuch.X"]),
    "stackLevel 999 sent because max was misread; ChargePointMaxProfile rejected for local policy": refused(
        Reason.CHARGER_REJECTED
    ),
}
"""What the rules, or the charger, make of an order that can be read and must not be done."""


def in_the_corpus_words(row: Row) -> str:
    """How a call of a CSMS is answered."""
    dialect = DIALECTS[row.version]
    try:
        order = dialect.command(row.action, row.payload)
    except CallRefused as refused_:
        return f"CallError:{spelled(refused_.code, row.version)}"
    answer = dialect.response(row.action, order, MADE_OF_IT[row.why])
    assert_valid(row.version, row.action, answer, response=True)
    return f"CallResult:{answer['status']}" if "status" in answer else "CallResult"


@by_row(rows("malformed", "quirks", where=lambda row: not row.from_charger))
def test_a_call_that_must_not_be_done_is_answered_as_the_corpus_takes_it(row: Row) -> None:
    assert in_the_corpus_words(row) in row.accept


# Refused orders


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(refused(Reason.CHARGER_OFFLINE), "Rejected"), (refused(Reason.NOT_SUPPORTED), "UnknownVariable")],
)
def test_variables_that_nobody_was_asked_to_set_have_a_result_each(outcome: Outcome, status: str) -> None:
    order = commands.SetConfiguration((("A.b", "1"), ("A.c", "2")))
    results = DIALECTS[V201].response("SetVariables", order, outcome)["setVariableResult"]
    assert isinstance(results, list)
    assert [result["attributeStatus"] for result in results] == [status, status]


def test_variables_that_nobody_was_asked_for_are_rejected_each() -> None:
    order = commands.GetConfiguration(("A.b", "A.c"))
    results = DIALECTS[V201].response("GetVariables", order, failed(Reason.TIMEOUT))["getVariableResult"]
    assert isinstance(results, list)
    assert [result["attributeStatus"] for result in results] == ["Rejected", "Rejected"]


def test_keys_that_nobody_was_asked_for_are_unknown() -> None:
    order = commands.GetConfiguration(("A", "B"))
    answer = DIALECTS[V16].response("GetConfiguration", order, failed(Reason.TIMEOUT))
    assert answer == {"configurationKey": [], "unknownKey": ["A", "B"]}


def test_a_trigger_that_only_the_charger_knows_goes_to_it_as_it_is() -> None:
    payload = {"requestedMessage": "SignChargingStationCertificate"}
    order = DIALECTS[V201].command("TriggerMessage", payload)
    assert order == RawCall("TriggerMessage", payload)
    answer = {"status": "Accepted"}
    assert DIALECTS[V201].response("TriggerMessage", order, Outcome(Result.OK, result=answer)) == answer
    assert DIALECTS[V201].response("TriggerMessage", order, refused(Reason.NOT_SUPPORTED)) == {
        "status": "NotImplemented"
    }


PLAN = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}]}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": [PLAN],
}
SETPOINT = [
    PLAN | {"chargingSchedulePeriod": [{"startPeriod": 0, "operationMode": "CentralSetpoint", "setpoint": -5e3}]}
]
BEYOND_US: list[tuple[str, dict[str, Any]]] = [
    ("Reset", {"type": "ImmediateAndResume"}),
    (
        "RequestStartTransaction",
        {
            "evseId": 1,
            "remoteStartId": 1,
            "idToken": {"idToken": "A", "type": "Central"},
            "chargingProfile": PROFILE | {"chargingProfilePurpose": "TxProfile", "chargingSchedule": SETPOINT},
        },
    ),
]


@pytest.mark.parametrize(("action", "payload"), BEYOND_US)
def test_what_only_21_can_do_goes_to_the_charger_as_it_is(action: str, payload: dict[str, Any]) -> None:
    """Never as a limit of 0 A, or a reset that ends what is to go on."""
    order = DIALECTS[V21].command(action, payload)
    assert order == RawCall(action, payload)
    assert DIALECTS[V21].response(action, order, Outcome(Result.OK, result={"status": "Accepted"})) == {
        "status": "Accepted"
    }
    assert DIALECTS[V21].response(action, order, refused(Reason.NOT_SUPPORTED)) == {"status": "Rejected"}


# Profiles that others set


@pytest.mark.parametrize("schedules", [SETPOINT, [PLAN | {"useLocalTime": True}], [PLAN, PLAN]])
def test_a_profile_that_asks_for_more_than_limits_says_so(schedules: list[dict[str, Any]]) -> None:
    """Never a limit of 0 A."""
    profile = PROFILE | {"chargingSchedule": schedules}
    order = DIALECTS[V21].command("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})
    assert isinstance(order, commands.SetProfile)
    assert order.beyond


@pytest.mark.parametrize("version", [V201, V21])
def test_a_profile_is_read_whole(version: Version) -> None:
    plan = {
        "id": 3,
        "startSchedule": "2026-03-14T12:00:00Z",
        "duration": 3600,
        "chargingRateUnit": "W",
        "minChargingRate": 1400.0,
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 11040.0},
            {"startPeriod": 60, "limit": 3680.0, "numberPhases": 1, "phaseToUse": 2},
        ],
    }
    profile = {
        "id": 8,
        "stackLevel": 2,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Recurring",
        "recurrencyKind": "Weekly",
        "validFrom": "2026-03-14T12:00:00Z",
        "validTo": "2026-03-14T12:00:00Z",
        "transactionId": "T1",
        "chargingSchedule": [plan],
    }
    order = DIALECTS[version].command("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})
    periods = (Period(0, 11040), Period(60, 3680, 1, 2))
    schedule = Schedule(periods, in_watts=True, start=START, duration=3600, least=1400, id=3)
    assert order == commands.SetProfile(
        Target(1, Place(1)),
        ChargingProfile(schedule, Purpose.TRANSACTION, Kind.RECURRING, 8, 2, 1, WEEKLY, START, START),
        "T1",
    )
    told = schedules.reports(7, [schedules.Reported(order.profile, 1, "T1")])
    assert told == [
        {"requestId": 7, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [profile], "tbc": False}
    ]
    assert_valid(version, "ReportChargingProfiles", told[0])


def test_profiles_are_reported_by_evse_in_parts() -> None:
    ours = [ChargingProfile(Schedule((Period(0, 6),)), id=number) for number in range(12)]
    told = schedules.reports(7, [schedules.Reported(one, one.id % 2, None) for one in ours], most=4)
    assert [(part["evseId"], len(list(children(part, "chargingProfile"))), part["tbc"]) for part in told] == [
        (0, 4, True),
        (0, 2, True),
        (1, 4, True),
        (1, 2, False),
    ]


@pytest.mark.parametrize(
    ("version", "payload", "order"),
    [
        (V16, {}, commands.ClearProfiles()),
        (V16, {"connectorId": 0}, commands.ClearProfiles(at=Target())),
        (V16, {"id": 8, "connectorId": 2}, commands.ClearProfiles(Criteria(8), Target(2, Place(2, 1)))),
        (
            V16,
            {"chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": 0},
            commands.ClearProfiles(Criteria(purpose=Purpose.STATION_MAX, level=0)),
        ),
        (V201, {}, commands.ClearProfiles()),
        (V201, {"chargingProfileCriteria": {"evseId": 2}}, commands.ClearProfiles(at=Target(2, Place(2)))),
        (
            V201,
            {"chargingProfileCriteria": {"chargingProfilePurpose": "TxProfile", "stackLevel": 3}},
            commands.ClearProfiles(Criteria(purpose=Purpose.TRANSACTION, level=3)),
        ),
        (
            V201,
            {"chargingProfileId": 8, "chargingProfileCriteria": {"evseId": 2}},
            commands.ClearProfiles(Criteria(8)),
        ),
    ],
)
def test_profiles_are_cleared_that_match(version: Version, payload: dict[str, Any], order: Order) -> None:
    assert DIALECTS[version].command("ClearChargingProfile", payload) == order


def test_a_schedule_is_told_in_16_from_when_it_begins() -> None:
    order = DIALECTS[V16].command("GetCompositeSchedule", {"connectorId": 1, "duration": 600, "chargingRateUnit": "W"})
    assert order == commands.TellSchedule(Target(1, Place(1, 1)), 600, in_watts=True)
    start = "2026-03-14T12:00:00Z"
    outcome = done(start=start, duration=600, in_watts=True, periods=[(0, 11040.0), (60, 0.0)])
    answer = DIALECTS[V16].response("GetCompositeSchedule", order, outcome)
    assert_valid(V16, "GetCompositeSchedule", answer, response=True)
    assert (answer["scheduleStart"], answer["connectorId"]) == (start, 1)
    assert answer["chargingSchedule"] == {
        "duration": 600,
        "startSchedule": start,
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11040.0}, {"startPeriod": 60, "limit": 0.0}],
    }


@pytest.mark.parametrize("version", [V201, V21])
def test_a_schedule_is_told_in_2x(version: Version) -> None:
    order = DIALECTS[version].command("GetCompositeSchedule", {"evseId": 1, "duration": 600})
    outcome = done(start="2026-03-14T12:00:00Z", duration=600, in_watts=False, periods=[(0, 16.0)])
    answer = DIALECTS[version].response("GetCompositeSchedule", order, outcome)
    assert_valid(version, "GetCompositeSchedule", answer, response=True)
    assert answer["status"] == "Accepted"
    assert DIALECTS[version].response("GetCompositeSchedule", order, refused(Reason.UNKNOWN_CONNECTOR)) == {
        "status": "Rejected"
    }


@pytest.mark.parametrize("version", [V201, V21])
def test_a_profile_that_is_refused_is_told_why(version: Version) -> None:
    order = DIALECTS[version].command("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE})
    outcome = refused(Reason.INVALID, "no such transaction runs", reason_code="TxNotFound")
    answer = DIALECTS[version].response("SetChargingProfile", order, outcome)
    assert_valid(version, "SetChargingProfile", answer, response=True)
    assert answer["statusInfo"] == {"reasonCode": "TxNotFound", "additionalInfo": "no such transaction runs"}


# Orders that a version cannot say


@pytest.mark.parametrize(
    ("version", "order"),
    [
        (V16, commands.GetInventory(1)),
        (V16, commands.StopCharging("a-uuid")),
        (V16, commands.SetConfiguration((("A", "1"), ("B", "2")))),
        (V16, commands.StartCharging(Target(), "T" * 21, 0)),
        (V16, commands.StopCharging(str(2**80))),
        (V201, commands.StopCharging("t" * 37)),
        (V201, commands.GetConfiguration(())),
        (V201, commands.StartCharging(Target(), "T" * 37, 0)),
    ],
    ids=str,
)
def test_an_order_that_a_version_cannot_say_is_not_sent(version: Version, order: Order) -> None:
    assert DIALECTS[version].put(order) is None


def test_a_limit_for_another_versions_transaction_is_one_for_whichever_runs() -> None:
    order = SetLimit(Target(1, Place(1, 1)), Amps(6), START, transaction_id="a-uuid")
    call = DIALECTS[V16].put(order)
    assert call is not None
    assert "transactionId" not in str(call)


def test_16_asks_for_meter_values_where_2x_asks_for_the_transaction() -> None:
    asked = {v: DIALECTS[v].put(commands.Trigger(Message.TRANSACTION)) for v in DIALECTS}
    assert asked == {
        V16: ("TriggerMessage", {"requestedMessage": "MeterValues"}),
        V201: ("TriggerMessage", {"requestedMessage": "TransactionEvent"}),
        V21: ("TriggerMessage", {"requestedMessage": "TransactionEvent"}),
    }


def test_a_place_without_a_connector_is_unlocked_at_its_first() -> None:
    assert DIALECTS[V201].put(commands.Unlock(Target(1, Place(1)))) == (
        "UnlockConnector",
        {"evseId": 1, "connectorId": 1},
    )


# What a charger's answer means


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        ({"status": "Accepted"}, done(charger_status="Accepted")),
        ({"status": "Scheduled"}, done(charger_status="Scheduled")),
        (
            {"status": "Rejected"},
            refused(Reason.CHARGER_REJECTED, "the charger answered Rejected", charger_status="Rejected"),
        ),
        ({"status": "Done"}, refused(Reason.CHARGER_REJECTED, "the charger answered Done", charger_status="Done")),
        (
            {"status": "NotSupported"},
            refused(Reason.NOT_SUPPORTED, "the charger answered NotSupported", charger_status="NotSupported"),
        ),
        (
            {"status": "NotImplemented"},
            refused(Reason.NOT_SUPPORTED, "the charger answered NotImplemented", charger_status="NotImplemented"),
        ),
        ({}, failed(Reason.INVALID, "the charger's answer holds no status")),
        ({"status": None}, failed(Reason.INVALID, "the charger's answer holds no status")),
    ],
    ids=str,
)
def test_a_status_is_a_yes_a_no_or_nothing(payload: dict[str, Any], outcome: Outcome) -> None:
    assert agreed(payload, "Scheduled") == outcome


@pytest.mark.parametrize(
    ("statuses", "status", "reason"),
    [
        ({"A": "Accepted"}, Result.OK, None),
        ({"A": "RebootRequired"}, Result.OK, None),
        ({"A": "Accepted", "B": "Rejected", "C": "NotSupported"}, Result.REFUSED, Reason.CHARGER_REJECTED),
        ({"A": "UnknownComponent"}, Result.REFUSED, Reason.NOT_SUPPORTED),
        ({}, Result.ERROR, Reason.INVALID),
    ],
    ids=str,
)
def test_of_several_settings_the_worst_counts(statuses: dict[str, str], status: Result, reason: Reason | None) -> None:
    outcome = settled(statuses)
    assert (outcome.status, outcome.reason) == (status, reason)


def test_a_setting_that_needs_a_reboot_says_so() -> None:
    assert settled({"A": "RebootRequired"}).result == {"set": {"A": "reboot_required"}, "reboot_required": True}


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize(
    "payload",
    [{}, {"status": 7}, {"setVariableResult": 7}, {"getVariableResult": [None]}, {"configurationKey": "x"}],
    ids=str,
)
def test_an_answer_without_sense_is_an_outcome_all_the_same(version: Version, payload: dict[str, Any]) -> None:
    dialect = DIALECTS[version]
    for row in REQUESTS:
        if row.version is version and is_obeyed(row):
            order = dialect.command(row.action, row.payload)
            if type(order) in dialect.order:
                assert isinstance(dialect.outcome(order, payload), Outcome)


def test_keys_come_back_by_the_names_they_were_asked_by() -> None:
    """Whatever their case, and whichever version's spelling was used."""
    order = commands.GetConfiguration(("OCPPCommCtrlr.HeartbeatInterval", "Missing"))
    entry = {"key": "HEARTBEATINTERVAL", "readonly": True, "value": "300"}
    answer = {"configurationKey": [entry], "unknownKey": ["MISSING"]}
    outcome = DIALECTS[V16].outcome(order, answer)
    assert outcome.result == {
        "values": {"OCPPCommCtrlr.HeartbeatInterval": "300"},
        "readonly": ["OCPPCommCtrlr.HeartbeatInterval"],
        "unknown": ["Missing"],
    }


def test_variables_come_back_by_the_names_they_were_asked_by() -> None:
    order = commands.GetConfiguration(("HeartbeatInterval", "Missing"))
    component, variable = {"name": "OCPPCommCtrlr"}, {"name": "heartbeatinterval"}
    found = {"attributeStatus": "Accepted", "attributeValue": "300", "component": component, "variable": variable}
    outcome = DIALECTS[V201].outcome(
        order, {"getVariableResult": [found, found | {"attributeStatus": "UnknownVariable"}]}
    )
    assert outcome.result == {"values": {"HeartbeatInterval": "300"}, "readonly": [], "unknown": ["Missing"]}


def test_keys_that_nobody_asked_for_keep_their_names() -> None:
    """Misspelt ones too: they are the charger's own."""
    answer = {"configurationKey": [{"key": "StopTransactionOnInvalid", "readonly": True, "value": "false"}]}
    outcome = DIALECTS[V16].outcome(commands.GetConfiguration(), answer)
    assert outcome.result["values"] == {"StopTransactionOnInvalid": "false"}


@pytest.mark.parametrize("version", DIALECTS)
def test_data_of_a_vendor_comes_back(version: Version) -> None:
    order = commands.DataTransfer("V")
    assert DIALECTS[version].outcome(order, {"status": "Accepted", "data": "x"}).result == {"data": "x"}
    assert not DIALECTS[version].outcome(order, {"status": "UnknownVendorId", "data": "x"}).ok


@pytest.mark.parametrize("version", DIALECTS)
def test_diagnostics_come_with_their_file_s_name(version: Version) -> None:
    order = commands.GetDiagnostics(1, "ftp://example.org/")
    answer = {"status": "Accepted", "fileName": "log.zip", "filename": "log.zip"}
    assert DIALECTS[version].outcome(order, answer).result["file_name"] == "log.zip"


def test_a_16_charger_may_have_nothing_to_upload() -> None:
    assert (
        DIALECTS[V16].outcome(commands.GetDiagnostics(1, "ftp://example.org/"), {}).message
        == "the charger has nothing to upload"
    )


def test_201_refuses_to_upload_where_it_must() -> None:
    assert not DIALECTS[V201].outcome(commands.GetDiagnostics(1, "ftp://example.org/"), {"status": "Rejected"}).ok


def test_every_call_of_ours_is_one_that_a_version_knows() -> None:
    for version, dialect in DIALECTS.items():
        assert set(dialect.obey) <= schema.actions(version)


# Settings and lists


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("unknown_component", "UnknownComponent"),
        ("unknown_variable", "UnknownVariable"),
        ("unknown_attribute", "NotSupportedAttributeType"),
        ("rejected", "Rejected"),
    ],
)
@pytest.mark.parametrize("version", [V201, V21])
def test_a_variable_without_a_value_says_why(version: Version, reason: str, word: str) -> None:
    order = commands.GetConfiguration(("A.b[MaxSet]",))
    answer = DIALECTS[version].response("GetVariables", order, done(values={}, because={"A.b[MaxSet]": reason}))
    (result,) = list(children(answer, "getVariableResult"))
    assert (result["attributeStatus"], result["attributeType"]) == (word, "MaxSet")
    assert DIALECTS[version].outcome(order, answer).result["because"] == {"A.b[MaxSet]": reason}


def test_a_variable_set_twice_in_one_call_has_two_results() -> None:
    order = commands.SetConfiguration((("A.b", "1"), ("A.b", "2")))
    answer = DIALECTS[V201].response("SetVariables", order, settled({"A.b": "Accepted"}))
    assert [item["attributeStatus"] for item in children(answer, "setVariableResult")] == ["Accepted", "Accepted"]


def test_16_says_of_every_setting_it_does_not_know_that_it_is_not_supported() -> None:
    order = commands.SetConfiguration((("A", "1"),))
    unknown = refused(Reason.NOT_SUPPORTED, "no", set={"A": "unknown_component"})
    assert DIALECTS[V16].response("ChangeConfiguration", order, unknown) == {"status": "NotSupported"}


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("word", ["VersionMismatch", "Failed"])
def test_a_list_that_is_not_taken_says_why(version: Version, word: str) -> None:
    order = commands.SendLocalList(1)
    outcome = DIALECTS[version].outcome(order, {"status": word})
    assert DIALECTS[version].response("SendLocalList", order, outcome) == {"status": word}


def test_a_16_charger_without_a_list_says_so() -> None:
    order = commands.GetListVersion()
    assert DIALECTS[V16].outcome(order, {"listVersion": -1}).reason is Reason.NOT_SUPPORTED
    assert DIALECTS[V16].outcome(order, {}).reason is Reason.INVALID
    assert DIALECTS[V16].response("GetLocalListVersion", order, refused(Reason.NOT_SUPPORTED)) == {"listVersion": -1}
