"""Fields that are not what they should be."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.ocppj import fields
from tests.ocppj.test_rpc import JSON


@pytest.mark.parametrize(
    ("value", "read"),
    [("ABB", "ABB"), ("  ABB ", "ABB"), (7, "7"), (1.5, "1.5"), (True, ""), (None, ""), ([], ""), ({}, ""), ("", "")],
)
def test_text(value: object, read: str) -> None:
    assert fields.text({"k": value}, "k") == read


def test_text_that_is_not_there_is_empty() -> None:
    assert fields.text({}, "k") == ""


def test_text_is_kept_as_far_as_the_specification_has_room() -> None:
    assert len(fields.text({"k": "x" * 1_000_000}, "k")) == 2500


@pytest.mark.parametrize("value", ["none", "None", "NULL", "n/a", " ", "", None])
def test_placeholders_are_no_words(value: object) -> None:
    assert fields.words({"k": value}, "k") == ""


def test_words_are_words() -> None:
    assert fields.words({"k": "None of your business"}, "k") == "None of your business"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (10, 10.0), (0.5, 0.5), ("10", 10.0), (" 10.5 ", 10.5), ("1e3", 1000.0), ("-16", -16.0),
        ("1,203,400", 1203400.0), ("1,203,400.5", 1203400.5), ("12,5", 12.5),
        ("", None), ("ten", None), ("NaN", None), ("inf", None), ("-Infinity", None), ("1e999", None), (1e19, None),
        (-(10**19), None), (True, None), (None, None), ([], None), ({}, None), (math.nan, None), (math.inf, None),
    ],
)  # fmt: skip
def test_number(value: object, read: float | None) -> None:
    assert fields.number(value) == read


@given(value=JSON)
def test_a_number_is_one_that_everybody_can_hold(value: Any) -> None:
    read = fields.number(value)
    assert read is None or -(2**63) < read < 2**63


@pytest.mark.parametrize(
    ("value", "read"), [(1, 1), ("1", 1), (26008.333, 26008), ("12.6", 13), (1e300, None), ("x", None), (None, None)]
)
def test_integer(value: object, read: int | None) -> None:
    assert fields.integer({"k": value}, "k") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1042, "1042"),
        ("t-1", "t-1"),
        (" t ", "t"),
        (7.0, "7"),
        (-1, "-1"),
        (7.5, None),
        ("", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_identifier(value: object, read: str | None) -> None:
    assert fields.identifier({"k": value}, "k") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), ("true", True), (" TRUE", True), (False, False), ("false", False), (1, False), (None, False)],
)
def test_flag(value: object, read: bool) -> None:
    assert fields.flag({"k": value}, "k") is read


NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    ["2026-03-14T12:00:00Z", "2026-03-14t12:00:00z", "2026-03-14T13:00:00+01:00", "2026-03-14T12:00:00.000+00:00",
     " 2026-03-14 12:00:00Z ", "2026-03-14T17:45:00+0545"],
)  # fmt: skip
def test_a_time_with_a_zone_is_an_instant(value: str) -> None:
    assert fields.instant({"k": value}, "k") == NOON


def test_a_time_without_a_zone_stays_without() -> None:
    assert fields.instant({"k": "2026-03-14T12:00:00"}, "k") == NOON.replace(tzinfo=None)


@pytest.mark.parametrize("value", ["", "14/03/2026 08:15", "soon", "0001-01-01T00:00:00+14:00", 1773476130, None, {}])
def test_what_is_no_time_is_none(value: object) -> None:
    assert fields.instant({"k": value}, "k") is None


@given(at=st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-12)))))
def test_a_time_is_written_in_utc_with_whole_seconds(at: datetime) -> None:
    try:
        utc = at.astimezone(UTC)
    except OverflowError:
        return
    written = fields.zulu(at)
    assert len(written) == len("2026-03-14T12:00:00Z")
    assert fields.instant({"k": written}, "k") == utc.replace(microsecond=0)


def test_a_time_without_a_zone_is_written_as_utc() -> None:
    assert fields.zulu(datetime(2026, 3, 14, 12)) == "2026-03-14T12:00:00Z"  # noqa: DTZ001 (that is the case)


def test_a_year_has_four_digits() -> None:
    assert fields.zulu(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize("value", [None, [], "x", 7])
def test_a_child_that_is_none_is_empty(value: object) -> None:
    assert fields.child({"k": value}, "k") == {}


def test_a_child_is_an_object() -> None:
    assert fields.child({"k": {"a": 1}}, "k") == {"a": 1}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ([{"a": 1}, {"b": 2}], [{"a": 1}, {"b": 2}]),
        ([1, {"a": 1}, None], [{"a": 1}]),
        ({"a": 1}, [{"a": 1}]),
        ("x", []),
        (None, []),
    ],
)
def test_children_are_the_objects_of_a_list(value: object, read: list[object]) -> None:
    assert list(fields.children({"k": value}, "k")) == read


@pytest.mark.parametrize(
    ("word", "means"), [("Available", 1), ("available", 1), ("FAULTED", 2), ("", 0), ("Occupied", 0), (None, 0)]
)
def test_a_word_counts_whatever_its_case(word: object, means: int) -> None:
    assert fields.choice({"k": word}, "k", {"Available": 1, "Faulted": 2}, 0) == means


@pytest.mark.parametrize(
    ("data", "text"), [(None, None), ("x", "x"), ({"a": 1}, '{"a":1}'), ([1], "[1]"), (7, "7"), (True, "true")]
)
def test_data_becomes_text(data: object, text: str | None) -> None:
    assert fields.as_text(data) == text


def test_fields_without_a_value_are_left_out() -> None:
    assert fields.without_nothing(a=None, b="", c=0, d=False, e=[]) == {"c": 0, "d": False, "e": []}


READERS: list[Callable[[fields.Object, str], object]] = [
    fields.text, fields.words, fields.integer, fields.identifier, fields.flag, fields.instant, fields.child,
    lambda source, key: list(fields.children(source, key)), lambda source, key: fields.choice(source, key, {"A": 1}, 0),
    lambda source, key: fields.as_text(source.get(key)),
]  # fmt: skip


@given(value=JSON)
def test_whatever_a_field_holds_reading_it_never_raises(value: Any) -> None:
    for read in READERS:
        read({"k": value}, "k")
