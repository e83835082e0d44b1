"""What the house takes, told by MQTT."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.mqtt.house import MOST, HouseFeed, read
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming

TOLD = {
    b"4.5": 4.5,
    b" 4.5 A\n": 4.5,
    b'"4.5"': 4.5,
    b"-2": -2,
    b"2300 W": 10,
    b"2.3kW": 10,
    b'{"l1": 1, "l2": 7.5, "l3": 2}': 7.5,
    b'{"L1": 1, "L2": "3.5"}': 3.5,
    b'{"power": 2300}': 10,
    b'{"power": "2.3 kW"}': 10,
    b'{"state": "6.5", "attributes": {}}': 6.5,
    b'{"current": 6.5}': 6.5,
}
UNTOLD = [
    *(b"", b"unavailable", b"nan", b"inf", b"1e9", b"1.2.3", b"[1]", b"{}", b'{"power": null}', b"\xff", b"1" * 2000),
    *(b'{"l1": 4, "l2": "unknown"}', b"4 V", b'{"power": "x", "l1": 2}'),
]


@pytest.mark.parametrize(("payload", "amps"), TOLD.items(), ids=repr)
def test_a_current_is_read_in_every_spelling(payload: bytes, amps: float) -> None:
    assert read(payload) == pytest.approx(amps)


@pytest.mark.parametrize("payload", UNTOLD, ids=lambda payload: repr(payload)[:20])
def test_what_tells_no_current_is_none(payload: bytes) -> None:
    assert read(payload) is None


@given(st.binary(max_size=50))
def test_anything_is_a_current_or_none(payload: bytes) -> None:
    amps = read(payload)
    assert amps is None or abs(amps) <= MOST


def test_every_group_on_a_topic_is_told_and_what_the_broker_kept_apart() -> None:
    now: list[tuple[str, float]] = []
    kept: list[tuple[str, float]] = []
    topics = {"a": "house/load", "b": "house/load", "c": ""}
    feed = HouseFeed(topics, lambda *said: now.append(said), lambda *said: kept.append(said))
    for topic, payload, retained in [
        ("house/load", b"3", True),
        ("house/load", b"?", False),
        ("other", b"9", False),
        ("", b"9", False),
        ("house/load", b"4", False),
    ]:
        feed.take(Incoming(topic, payload, retained=retained))
    assert (kept, now) == ([("a", 3), ("b", 3)], [("a", 4), ("b", 4)])
    assert list(feed.subscriptions()) == ["house/load"]
