"""Frames, and the gate that keeps one call open."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Call, CallError, CallResult, CallResultError, ErrorCode, Gate, Send

VERSIONS = list(Version)
every_version = pytest.mark.parametrize("version", VERSIONS)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
IDS = st.text(max_size=40)


def refusal(frame: Any, version: Version) -> BadFrame:
    """Why a frame is none."""
    with pytest.raises(BadFrame) as caught:
        rpc.parse(frame if isinstance(frame, str | bytes) else json.dumps(frame), version)
    return caught.value


# Frames that are some


@every_version
def test_a_call_is_read(version: Version) -> None:
    assert rpc.parse('[2,"1","Reset",{"type":"Hard"}]', version) == Call("1", "Reset", {"type": "Hard"})


@every_version
def test_a_result_is_read(version: Version) -> None:
    assert rpc.parse(b'[3,"1",{"status":"Accepted"}]', version) == CallResult("1", {"status": "Accepted"})


@every_version
def test_an_error_is_read(version: Version) -> None:
    frame = rpc.parse('[4,"1","SecurityError","no",{"a":1}]', version)
    assert frame == CallError("1", ErrorCode.SECURITY_ERROR, "no", {"a": 1})


@pytest.mark.parametrize(
    "frame", ['[4,"1","NotSupported"]', '[4,"1","NotSupported",""]', '[4,"1","NotSupported","",null]']
)
def test_an_error_may_be_short(frame: str) -> None:
    assert rpc.parse(frame, Version.V16) == CallError("1", ErrorCode.NOT_SUPPORTED)


@every_version
@pytest.mark.parametrize("frame", ['[2,"1","Heartbeat",{}]', '[2,"1","Heartbeat",null]', '[2,"1","Heartbeat"]'])
def test_a_call_without_fields_may_say_so_in_three_ways(frame: str, version: Version) -> None:
    assert rpc.parse(frame, version) == Call("1", "Heartbeat", {})


@pytest.mark.parametrize("payload", ["[]", "null", '"x"', "7"])
def test_a_result_that_is_no_object_holds_nothing(payload: str) -> None:
    assert rpc.parse(f'[3,"1",{payload}]', Version.V201) == CallResult("1", {})


@pytest.mark.parametrize("message_id", [12345, 0, -1, 2**53 + 1])
def test_a_number_for_an_id_goes_back_as_that_number(message_id: int) -> None:
    call = rpc.parse(f'[2,{message_id},"Heartbeat",{{}}]', Version.V16)
    assert isinstance(call, Call)
    assert call.id == str(message_id)
    assert json.loads(rpc.encode_result(call.id, {})) == [3, message_id, {}]
    assert json.loads(rpc.encode_error(CallError(call.id, ErrorCode.GENERIC_ERROR), Version.V16))[1] == message_id


def test_an_id_of_digits_goes_back_as_text() -> None:
    call = rpc.parse('[2,"007","Heartbeat",{}]', Version.V16)
    assert rpc.encode_result(call.id, {}) == b'[3,"007",{}]'


def test_of_a_key_told_twice_the_last_counts() -> None:
    frame = rpc.parse('[2,"1","DataTransfer",{"vendorId":"a","vendorId":"b"}]', Version.V16)
    assert frame == Call("1", "DataTransfer", {"vendorId": "b"})


# What only 2.1 has


def test_a_message_that_wants_no_answer_is_read() -> None:
    assert rpc.parse('[6,"1","Notify",{"a":1}]', Version.V21) == Send("1", "Notify", {"a": 1})


def test_a_complaint_about_an_answer_is_read_and_written() -> None:
    error = CallResultError("1", ErrorCode.FORMAT_VIOLATION, "no status")
    written = rpc.encode_result_error(error)
    assert json.loads(written) == [5, "1", "FormatViolation", "no status", {}]
    assert rpc.parse(written, Version.V21) == error


def test_a_complaint_may_be_short_and_is_never_long() -> None:
    assert rpc.parse('[5,"1","Oops"]', Version.V21) == CallResultError("1", ErrorCode.GENERIC_ERROR)
    long = CallResultError("1", ErrorCode.GENERIC_ERROR, "x" * 300)
    assert rpc.parse(rpc.encode_result_error(long), Version.V21) == CallResultError("1", long.code, "x" * 255)


@pytest.mark.parametrize("version", VERSIONS)
def test_only_21_is_told_of_answers_that_cannot_be_used(version: Version) -> None:
    assert rpc.knows_result_errors(version) is (version is Version.V21)


@pytest.mark.parametrize(
    "frame",
    ["[5]", '[5,"1"]', "[6]", '[6,"1"]', '[6,"1",7,{}]', '[6,null,"x",{}]', '[6,"1","x",[]]', '[6,"1","x",{},0]',
     '[6,"1","x",{"a":' + "[" * 70 + "]" * 70 + "}]"],
    ids=lambda frame: frame[:20],
)  # fmt: skip
def test_what_wants_no_answer_gets_none_however_broken(frame: str) -> None:
    assert refusal(frame, Version.V21).answer_id is None


# Frames that are none

NO_JSON = ["", "[2", "NaN", "[2,'1','Heartbeat',{}]", '[2,"1","MeterValues",{"value":NaN}]', '[2,"1","x",{"v":1e999}]',
           '[2,"1","x",{"v":-Infinity}]', '[2,"1","Heartbeat",{}][2,"2","Heartbeat",{}]', '[2,"1","x",{"v":"\\ud800"}]',
           b"\xff\xfe[]", b'[2,"1","DataTransfer",{"vendorId":"\xff"}]', "[" * 10_000, "\ud800"]  # fmt: skip
NO_FRAME = ["null", "true", "7", '"x"', "{}", "[]", "[2]", '["2","1","Heartbeat",{}]', '[true,"1","Heartbeat",{}]',
            '[2.0,"1","Heartbeat",{}]', '[null,"1","Heartbeat",{}]', '[2,null,"Heartbeat",{}]', '[2,true,"Heartbeat",{}]',
            '[2,1.5,"Heartbeat",{}]', '[2,["1"],"Heartbeat",{}]', '[2,123456789012345678901234567890,"Heartbeat",{}]']  # fmt: skip


@pytest.mark.parametrize("frame", [*NO_JSON, *NO_FRAME], ids=lambda frame: repr(frame)[:40])
def test_what_has_no_readable_id_is_not_answered_in_16_and_by_minus_one_in_2x(frame: str | bytes) -> None:
    assert refusal(frame, Version.V16).answer_id is None
    for version in (Version.V201, Version.V21):
        error = refusal(frame, version)
        assert (error.answer_id, error.code) == ("-1", ErrorCode.RPC_FRAMEWORK_ERROR)


@every_version
@pytest.mark.parametrize("frame", [[2, "1"], [2, "1", 7, {}], [2, "1", None, {}], [2, "1", "Heartbeat", {}, "more"]])
def test_a_call_of_another_shape_is_refused_by_its_id(frame: Any, version: Version) -> None:
    error = refusal(frame, version)
    assert (error.answer_id, error.code) == ("1", ErrorCode.RPC_FRAMEWORK_ERROR)


@every_version
@pytest.mark.parametrize("payload", [[], [{}], "x", 7, True])
def test_a_payload_that_is_no_object_is_refused(payload: Any, version: Version) -> None:
    error = refusal([2, "1", "Heartbeat", payload], version)
    assert (error.answer_id, error.code) == ("1", ErrorCode.FORMAT_VIOLATION)


@every_version
@pytest.mark.parametrize("frame", [[3], [4], [3, "1"], [4, "1"]])
def test_an_answer_however_broken_is_not_answered(frame: Any, version: Version) -> None:
    assert refusal(frame, version).answer_id is None


@pytest.mark.parametrize(
    ("kind", "versions"),
    [*((kind, VERSIONS) for kind in (0, 1, 9, -2, 2**40)), *((kind, VERSIONS[:2]) for kind in (5, 6))],
)
def test_a_message_type_that_a_version_lacks_is_refused_in_201_and_ignored_elsewhere(
    kind: int, versions: list[Version]
) -> None:
    for version in versions:
        answered = refusal([kind, "1", "x", {}], version).answer_id
        assert answered == ("1" if version is Version.V201 else None)
    assert refusal([kind, "1", "x", {}], Version.V201).code is ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED


def nested(levels: int) -> str:
    """A call whose payload is so many levels deep."""
    return '[2,"deep","DataTransfer",{"data":' + "[" * (levels - 1) + "]" * (levels - 1) + "}]"


@every_version
@pytest.mark.parametrize("as_bytes", [True, False])
def test_what_is_nested_too_deep_is_refused_by_its_id(version: Version, as_bytes: bool) -> None:
    deep = nested(rpc.MAX_DEPTH + 1)
    error = refusal(deep.encode() if as_bytes else deep, version)
    assert (error.answer_id, error.code) == ("deep", ErrorCode.FORMAT_VIOLATION)


@every_version
@pytest.mark.parametrize("levels", [2, 3, rpc.MAX_DEPTH])
def test_what_was_read_can_be_written_again(version: Version, levels: int) -> None:
    call = rpc.parse(nested(levels), version)
    assert isinstance(call, Call)
    assert json.loads(rpc.encode_call(call)) == json.loads(nested(levels))


@pytest.mark.parametrize("levels", range(rpc.FLAT - 2, rpc.MAX_DEPTH + 1, 3))
@pytest.mark.parametrize("beside", ["", '"[",', '"}{][",', "[],{}," * rpc.MAX_DEPTH])
def test_brackets_in_texts_and_beside_make_no_frame_deep(levels: int, beside: str) -> None:
    wide = nested(levels).replace("[]", f"[{beside}0]")
    assert isinstance(rpc.parse(wide, Version.V16), Call)


def test_a_wide_frame_is_not_a_deep_one() -> None:
    payload: dict[str, object] = {"meterValue": [{"sampledValue": [{"value": str(n)}]} for n in range(200)]}
    assert rpc.parse(json.dumps([2, "1", "MeterValues", payload]), Version.V16) == Call("1", "MeterValues", payload)


# Error codes


@pytest.mark.parametrize("code", ErrorCode)
def test_each_version_spells_an_error_its_own_way(code: ErrorCode) -> None:
    assert rpc.spelled(code, Version.V201) == rpc.spelled(code, Version.V21) == code.value
    of_16 = rpc.spelled(code, Version.V16)
    assert of_16 not in (
        "FormatViolation",
        "OccurrenceConstraintViolation",
        "MessageTypeNotSupported",
        "RpcFrameworkError",
    )


def test_16_keeps_its_two_misspellings() -> None:
    assert rpc.spelled(ErrorCode.FORMAT_VIOLATION, Version.V16) == "FormationViolation"
    assert rpc.spelled(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, Version.V16) == "OccurenceConstraintViolation"


@every_version
@pytest.mark.parametrize(
    "code",
    [code for code in ErrorCode if code not in (ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED, ErrorCode.RPC_FRAMEWORK_ERROR)],
)
def test_an_error_code_is_read_back_in_any_spelling(code: ErrorCode, version: Version) -> None:
    assert rpc.error_code(rpc.spelled(code, version)) is code


@pytest.mark.parametrize("text", ["Oops", "", None, 7, ["GenericError"]])
def test_an_error_code_outside_the_table_is_a_generic_error(text: object) -> None:
    assert rpc.error_code(text) is ErrorCode.GENERIC_ERROR


@every_version
def test_a_description_fits_its_255_characters(version: Version) -> None:
    frame = json.loads(rpc.encode_error(CallError("1", ErrorCode.INTERNAL_ERROR, "ü" * 300), version))
    assert frame == [4, "1", "InternalError", "ü" * 255, {}]


# What holds for all frames


@given(version=st.sampled_from(VERSIONS), data=st.binary(max_size=200) | st.text(max_size=200))
def test_no_bytes_do_more_than_be_refused(version: Version, data: bytes | str) -> None:
    with pytest.raises(BadFrame):
        rpc.parse(data, version)


@given(
    version=st.sampled_from(VERSIONS),
    frame=JSON | st.lists(JSON, max_size=6) | st.tuples(st.sampled_from([2, 3, 4]), JSON, JSON, JSON),
)
def test_no_json_does_more_than_be_refused(version: Version, frame: Any) -> None:
    try:
        read = rpc.parse(json.dumps(frame), version)
    except BadFrame as error:
        assert error.answer_id is None or isinstance(error.answer_id, str)  # noqa: PT017 (either is right)
    else:
        assert isinstance(read, Call | CallResult | CallError)


@given(version=st.sampled_from(VERSIONS), call=st.builds(Call, IDS, st.text(max_size=50), OBJECT))
def test_a_call_written_is_read_back(version: Version, call: Call) -> None:
    assert rpc.parse(rpc.encode_call(call), version) == call


@given(version=st.sampled_from(VERSIONS), message_id=IDS, payload=OBJECT)
def test_a_result_written_is_read_back(version: Version, message_id: str, payload: dict[str, object]) -> None:
    assert rpc.parse(rpc.encode_result(message_id, payload), version) == CallResult(message_id, payload)


@given(version=st.sampled_from(VERSIONS), message_id=IDS, description=st.text(max_size=255), details=OBJECT)
def test_an_error_written_is_read_back(
    version: Version, message_id: str, description: str, details: dict[str, object]
) -> None:
    error = CallError(message_id, ErrorCode.SECURITY_ERROR, description, details)
    assert rpc.parse(rpc.encode_error(error, version), version) == error


# The gate


def test_one_call_is_open_and_the_others_wait_in_order() -> None:
    gate = Gate()
    asked = [gate.ask("Reset", {"n": n}) for n in range(3)]
    for call in asked:
        assert gate.next() is call
        assert gate.next() is None
        assert gate.answer(call.id) is call
    assert gate.next() is None
    assert gate.late == 0


def test_every_call_has_an_id_of_its_own_that_fits() -> None:
    gate = Gate()
    ids = [gate.ask("Heartbeat", {}).id for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(len(message_id) <= rpc.MAX_ID for message_id in ids)


def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    gate = Gate()
    waiting = gate.ask("Reset", {})
    assert gate.answer(waiting.id) is None
    open_call = gate.next()
    assert gate.answer("nobody's") is None
    assert gate.open is open_call
    assert gate.late == 2


def test_an_answer_comes_once() -> None:
    gate = Gate()
    call = gate.ask("Reset", {})
    gate.next()
    assert gate.answer(call.id) is call
    assert gate.answer(call.id) is None


def test_a_call_given_up_makes_way_and_its_late_answer_is_dropped() -> None:
    gate = Gate()
    first, second = gate.ask("Reset", {}), gate.ask("ClearCache", {})
    gate.next()
    gate.give_up(first)
    assert gate.next() is second
    assert gate.answer(first.id) is None
    assert gate.open is second


def test_a_call_given_up_while_it_waits_is_never_sent() -> None:
    gate = Gate()
    first, second, third = (gate.ask("Reset", {}) for _ in range(3))
    gate.next()
    gate.give_up(second)
    gate.answer(first.id)
    assert gate.next() is third


def test_giving_up_a_call_that_was_answered_changes_nothing() -> None:
    gate = Gate()
    first, second = gate.ask("Reset", {}), gate.ask("Reset", {})
    gate.next()
    gate.answer(first.id)
    gate.next()
    gate.give_up(first)
    assert gate.open is second


@given(st.lists(st.sampled_from(["ask", "next", "answer", "late", "give up"]), max_size=60))
def test_whatever_happens_calls_go_in_order_one_at_a_time(steps: list[str]) -> None:
    gate, asked, sent = Gate(), [], []
    for step in steps:
        before = gate.open
        match step:
            case "ask":
                asked.append(gate.ask("Reset", {}))
            case "next" if (call := gate.next()) is not None:
                assert before is None
                sent.append(call)
            case "answer" if before is not None:
                assert gate.answer(before.id) is before
            case "late":
                assert gate.answer("late") is None
                assert gate.open is before
            case "give up" if before is not None:
                gate.give_up(before)
    assert sent == asked[: len(sent)]


TOO_LONG = {
    b'[2,"a1","StopTransaction",{"x': "a1",
    b' [ 2 , "a b" , ': "a b",
    b'[2,"' + b"x" * 40: None,
    b'[2,"a\\"b","X",{': None,
    b"[2,17,": None,
    b'[5,"a1",': None,
    b"nonsense": None,
    b"": None,
}


@pytest.mark.parametrize("beginning", TOO_LONG)
def test_a_call_that_was_too_long_is_refused_by_its_id_where_that_shows(beginning: bytes) -> None:
    with pytest.raises(BadFrame) as refused:
        rpc.too_long(beginning)
    assert (refused.value.answer_id, refused.value.code) == (TOO_LONG[beginning], ErrorCode.FORMAT_VIOLATION)


@pytest.mark.parametrize("kind", [3, 4])
def test_an_answer_that_was_too_long_is_an_error_to_who_asked(kind: int) -> None:
    assert rpc.too_long(b'[%d,"a1",{"x' % kind) == CallError("a1", ErrorCode.FORMAT_VIOLATION, rpc.TOO_LONG)
