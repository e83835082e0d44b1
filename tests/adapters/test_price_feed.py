"""The owner's price per kWh, told by MQTT."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.mqtt.price import MOST, PriceFeed, read
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from tests.fakes import NOON, FakeClock

TOLD = {
    b"0.27": "0.27",
    b" 0.27\n": "0.27",
    b'"0.27"': "0.27",
    b"-0.05": "-0.05",
    b"0": "0",
    b'{"price": 0.31}': "0.31",
    b'{"state": "0.31", "attributes": {}}': "0.31",
}
UNTOLD = [b"", b"unavailable", b"nan", b"inf", b"1e9", b"[1]", b"{}", b'{"price": null}', b"\xff", b"1" * 2000]


@pytest.mark.parametrize(("payload", "price"), TOLD.items(), ids=repr)
def test_a_price_is_read_in_every_spelling(payload: bytes, price: str) -> None:
    assert read(payload) == Decimal(price)


@pytest.mark.parametrize("payload", UNTOLD, ids=lambda payload: repr(payload)[:20])
def test_what_tells_no_price_is_none(payload: bytes) -> None:
    assert read(payload) is None


@given(st.binary(max_size=50))
def test_anything_is_a_price_or_none(payload: bytes) -> None:
    price = read(payload)
    assert price is None or abs(price) <= MOST


def test_a_price_holds_from_when_it_was_told_until_another_is() -> None:
    told: list[tuple[Decimal, datetime]] = []
    feed = PriceFeed("house/price", FakeClock(), lambda price, at: told.append((price, at)))
    for topic, payload in [("house/price", b"0.2"), ("other", b"9"), ("house/price", b"?"), ("house/price", b"0.20")]:
        feed.take(Incoming(topic, payload, retained=True))
    assert told == [(Decimal("0.2"), NOON)]
    assert list(feed.subscriptions()) == ["house/price"]


def test_without_a_topic_nothing_is_listened_to() -> None:
    feed = PriceFeed("", FakeClock(), lambda *_: pytest.fail("nobody told"))
    feed.take(Incoming("", b"1", retained=False))
    assert list(feed.subscriptions()) == []
