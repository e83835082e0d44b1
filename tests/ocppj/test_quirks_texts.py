"""Frames that are no JSON, and what is read of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Nameplate, Version
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.quirks import QUIRKS, active, usual
from ocpp_mqtt_proxy.ocppj.quirks.mending import MOST_BYTES, reread
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Call, CallResult
from tests.ocppj.rows import Row, by_row, rows
from tests.ocppj.test_rpc import JSON

V16 = Version.V16
OF_TEXT = [quirk for quirk in QUIRKS if quirk.text]

READ: list[tuple[str, str, Any]] = [
    ("byte_order_mark", '\ufeff[2,"a","Heartbeat",{}]', {}),
    ("half_characters", r'[2,"a","X",{"info":"\ud83d\ude00 \ud83d"}]', {"info": "\U0001f600 \ufffd"}),
    ("half_characters", r'[2,"a","X",{"info":"\udc00\\ud800"}]', {"info": r"�\ud800"}),
    ("endless_numbers", '[2,"a","X",{"v":1e400,"w":-1E+999,"x":"1e400","y":1.5e3}]', {"v": None, "w": None, "x": "1e400", "y": 1500.0}),
    ("keys_without_values", '[2,"a","X",{"transactionId":,"b": ,"c":}]', {"transactionId": None, "b": None, "c": None}),
    ("keys_without_values", '[2,"a","X",{"t":,"text":":,"}]', {"t": None, "text": ":,"}),
    ("lists_not_begun", '[2,"a","X",{"configurationKey":]}]', {"configurationKey": []}),
    ("frames_not_closed", '[2,"a","X",{"configurationKey":[]', {"configurationKey": []}),
    ("frames_not_closed", '[2,"a","X",{"b":[{"c":"]}"}', {"b": [{"c": "]}"}]}),
    ("stray_commas", '[2,"a","X",{"s":[,{"v":"[,1,]"}]}]', {"s": [{"v": "[,1,]"}]}),
    ("stray_commas", '[2,"a","X",{"s":[1,2,],}]', {"s": [1, 2]}),
    ("not_a_number", '[2,"a","X",{"v":NaN,"w":-Infinity,"x":"NaN"}]', {"v": None, "w": None, "x": "NaN"}),
    ("control_characters", '[2,"a","X",{"info":"one\ttwo\nthree"}]', {"info": "one\ttwo\nthree"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "frame", "payload"), READ)
def test_a_frame_is_read_as_it_was_meant(name: str, frame: str, payload: object) -> None:
    with pytest.raises(BadFrame):
        rpc.parse(frame, V16)
    again = reread(frame.encode(), V16, active(Nameplate(), (name,)))
    assert again is not None
    assert again.mended == (name,)
    assert isinstance(again.frame, Call)
    assert again.frame.payload == payload


def test_every_repair_of_a_text_has_an_example() -> None:
    assert {quirk.name for quirk in OF_TEXT} == {name for name, _, _ in READ}


@pytest.mark.parametrize(("name", "frame"), [(name, frame) for name, frame, _ in READ])
def test_a_frame_is_read_by_who_has_the_quirk_and_nobody_else(name: str, frame: str) -> None:
    everybody_has_it = name in [quirk.name for quirk in usual().quirks]
    assert (reread(frame.encode(), V16, usual()) is not None) is everybody_has_it


@pytest.mark.parametrize("quirk", OF_TEXT, ids=lambda quirk: str(quirk.name))
@given(value=JSON)
def test_a_repair_leaves_json_what_it_is(quirk: Any, value: object) -> None:
    assert json.loads(quirk.text(json.dumps(value))) == value


@given(st.text() | st.text('[]{}:,"\\ue\t0dD8'))
def test_every_repair_takes_every_text(text: str) -> None:
    for quirk in OF_TEXT:
        assert quirk.text is not None
        assert isinstance(quirk.text(text), str)


@given(st.binary())
@pytest.mark.parametrize("version", DIALECTS)
def test_bytes_of_all_kinds_are_read_or_not(version: Version, data: bytes) -> None:
    every = active(Nameplate(), tuple(quirk.name for quirk in QUIRKS))
    again = reread(data, version, every)
    assert again is None or again.mended


@pytest.mark.parametrize("quirk", OF_TEXT, ids=lambda quirk: str(quirk.name))
@pytest.mark.parametrize("odd", ['"', r"\"", "[,{", ":", "1e400", "1", r"\ud", "NaN", "x\t"])
def test_a_long_frame_of_nothing_but_oddness_is_looked_through_once(quirk: Any, odd: str) -> None:
    """Were each quote tried for a beginning, this would take hours."""
    assert isinstance(quirk.text(odd * 200_000), str)


def test_a_frame_that_is_too_long_is_not_looked_through() -> None:
    everybody_s = '\ufeff[2,"a","Heartbeat",{}' + " " * MOST_BYTES + "]"
    assert reread(everybody_s.encode(), V16, usual()) is None


def test_a_frame_that_is_two_is_none() -> None:
    every = active(Nameplate(), tuple(quirk.name for quirk in OF_TEXT))
    assert reread(b'[2,"a","Heartbeat",{}][2,"b","Heartbeat",{}]', V16, every) is None


def test_a_frame_that_breaks_off_in_a_string_is_none() -> None:
    assert reread(b'[2,"a","X",{"b":"c', V16, active(Nameplate(), ("frames_not_closed",))) is None


def test_an_answer_is_read_too() -> None:
    again = reread(b'[3,"a",{"configurationKey":]}', V16, active(Nameplate(vendor="United Chargers")))
    assert again is not None
    assert again.frame == CallResult("a", {"configurationKey": []})
    assert again.mended == ("lists_not_begun", "frames_not_closed")


MALFORMED = rows("malformed", where=lambda row: row.from_charger and "raw" in row.fields)


@by_row([row for row in MALFORMED if "CallResult" not in row.accept])
def test_what_the_corpus_wants_refused_nobody_reads_by_himself(row: Row) -> None:
    (text,) = row.wire
    assert isinstance(text, str)
    try:
        rpc.parse(text, row.version)
    except BadFrame:
        assert reread(text.encode(), row.version, usual()) is None
