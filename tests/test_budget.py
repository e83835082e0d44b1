"""Buckets let a burst through and then a rate, by a clock of the asker's; nobody's bucket is another's."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.budget import FRAME_COST, TRICKLE, Bucket, Buckets, Excess, network_of


def test_a_burst_is_free_and_what_is_beyond_it_has_to_wait() -> None:
    bucket = Bucket(rate=2, burst=10, at=0)
    assert [bucket.take(5, 0), bucket.take(5, 0), bucket.take(5, 0)] == [0, 0, 2.5]


def test_what_was_waited_for_is_allowed() -> None:
    bucket = Bucket(rate=2, burst=10, at=0)
    wait = bucket.take(15, 0)
    assert bucket.take(0, wait) == 0


def test_after_a_long_pause_no_more_than_a_burst_is_free() -> None:
    bucket = Bucket(rate=2, burst=10, at=0)
    assert bucket.take(12, 1000) == 1


def test_a_place_is_taken_only_where_there_is_one() -> None:
    bucket = Bucket(rate=1, burst=2, at=0)
    assert [bucket.allows(0) for _ in range(4)] == [True, True, False, False]
    assert bucket.allows(1)
    assert not bucket.allows(1)


def test_what_is_given_back_may_be_taken_again() -> None:
    bucket = Bucket(rate=1, burst=1, at=0)
    assert bucket.allows(0)
    bucket.take(-1, 0)
    assert bucket.allows(0)


def test_a_clock_that_goes_back_costs_nothing() -> None:
    bucket = Bucket(rate=1, burst=1, at=100)
    assert bucket.allows(50)
    assert bucket.level == 1


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=50))
def test_whoever_waits_as_told_never_gets_more_than_burst_and_rate(asked: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(rate=3, burst=7, at=0), 0.0, 0.0
    for amount, pause in asked:
        now += pause + bucket.take(amount, now + pause)
        taken += amount
        assert taken <= 7 + 3 * now + 1e-6


def test_everybody_has_a_bucket_of_their_own() -> None:
    buckets = Buckets(rate=1, burst=1)
    assert buckets.of("a", 0).allows(0)
    assert buckets.of("b", 0).allows(0)
    assert not buckets.of("a", 0).allows(0)


def test_of_too_many_the_one_that_came_longest_ago_is_forgotten() -> None:
    buckets = Buckets(rate=1, burst=1, most=2)
    for name in ("a", "b", "a", "c"):
        buckets.of(name, 0).allows(0)
    assert not buckets.of("a", 0).allows(0)
    assert buckets.of("b", 0).allows(0)


def test_any_frame_is_a_sign_of_life() -> None:
    assert FRAME_COST >= TRICKLE


def test_excess_adds_up() -> None:
    assert Excess(1, 2, 3) + Excess(10, 20, 30) == Excess(11, 22, 33)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("a socket", "a socket"),
    ],
)
def test_an_ipv6_network_is_one_and_an_ipv4_address_is_itself(address: str, network: str) -> None:
    assert network_of(address) == network
