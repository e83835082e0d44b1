"""The owner's verbs: what is understood, and what is said where it is not."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.requests import REQUESTS, BadRequest

CONTRACT_VERBS = [
    "start",
    "stop",
    "pause",
    "resume",
    "limit",
    "unlock",
    "reset",
    "availability",
    "trigger",
    "configuration",
    "data_transfer",
    "clear_cache",
    "reserve",
    "cancel_reservation",
    "diagnostics",
    "firmware",
    "close_session",
    "refresh",
    "call",
]

MINIMAL: dict[str, dict[str, object]] = {
    "limit": {"amps": 10},
    "availability": {"operative": True},
    "trigger": {"message": "status"},
    "configuration": {"get": []},
    "data_transfer": {"vendor_id": "v"},
    "reserve": {"id_tag": "A", "until": "2036-01-01T00:00:00Z"},
    "cancel_reservation": {"reservation_id": 1},
    "diagnostics": {"url": "ftp://x/"},
    "firmware": {"url": "http://x/"},
    "call": {"ocpp_action": "ClearCache"},
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_the_verbs_are_the_contract_s() -> None:
    assert sorted(REQUESTS) == sorted(CONTRACT_VERBS)


@pytest.mark.parametrize("verb", REQUESTS)
def test_every_verb_is_understood(verb: str) -> None:
    assert isinstance(requests.parse(verb, MINIMAL.get(verb, {})), REQUESTS[verb])


@pytest.mark.parametrize("verb", REQUESTS)
def test_a_field_that_is_none_is_named_with_those_there_are(verb: str) -> None:
    with pytest.raises(BadRequest, match=r"sparkle: no such field; allowed: "):
        requests.parse(verb, MINIMAL.get(verb, {}) | {"sparkle": 1})


@pytest.mark.parametrize("verb", MINIMAL)
def test_a_field_that_is_missing_is_named(verb: str) -> None:
    needed = next(iter(MINIMAL[verb]))
    with pytest.raises(BadRequest, match=needed if verb != "configuration" else "get"):
        requests.parse(verb, {})


def test_an_unknown_verb_says_which_there_are() -> None:
    with pytest.raises(BadRequest, match=r"unknown verb 'dance'; allowed: availability, call, .*unlock"):
        requests.parse("dance", {})


@pytest.mark.parametrize(
    ("verb", "arguments", "where"),
    [
        ("limit", {"amps": -1}, "amps"),
        ("limit", {"amps": float("nan")}, "amps"),
        ("start", {"connector": 0}, "connector"),
        ("start", {"id_tag": ""}, "id_tag"),
        ("start", {"id_tag": "x" * 37}, "id_tag"),
        ("reset", {"type": "gentle"}, "type"),
        ("availability", {"operative": "perhaps"}, "operative"),
        ("trigger", {"message": "joke"}, "message"),
        ("configuration", {"get": ["a"], "set": {"a": "b"}}, "either"),
        ("reserve", {"id_tag": "A", "until": "tomorrow"}, "until"),
        ("call", {"ocpp_action": "Reset", "payload": []}, "payload"),
    ],
)
def test_a_wrong_value_is_named_where_it_is(verb: str, arguments: dict[str, object], where: str) -> None:
    with pytest.raises(BadRequest, match=where):
        requests.parse(verb, arguments)


def test_numbers_and_switches_of_settings_become_text() -> None:
    parsed = requests.parse("configuration", {"set": {"a": 1, "b": True, "c": 0.5}})
    assert isinstance(parsed, requests.Configuration)
    assert parsed.set == {"a": "1", "b": "true", "c": "0.5"}


def test_a_time_without_a_zone_is_utc() -> None:
    parsed = requests.parse("reserve", {"id_tag": "A", "until": "2036-01-01T12:00:00"})
    assert isinstance(parsed, requests.Reserve)
    assert parsed.until == datetime(2036, 1, 1, 12, tzinfo=UTC)


@given(st.sampled_from(sorted(REQUESTS)), st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_whatever_is_sent_is_understood_or_refused(verb: str, arguments: dict[str, object]) -> None:
    fields = REQUESTS[verb].model_fields
    sent = dict(zip(fields, arguments.values(), strict=False)) or arguments
    with contextlib.suppress(BadRequest):
        assert isinstance(requests.parse(verb, sent), REQUESTS[verb])
