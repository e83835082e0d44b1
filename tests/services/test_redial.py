"""The waits between dials: from a second, doubling, with chance in them, and never beyond two minutes."""

from __future__ import annotations

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.services.redial import FIRST, LASTED, MOST, Redial


def waits(redial: Redial, count: int) -> list[float]:
    return [redial.wait() for _ in range(count)]


def test_waits_double_from_a_second_to_two_minutes() -> None:
    assert waits(Redial(lambda: 0.0), 9) == [1, 2, 4, 8, 16, 32, 64, 96, 96]
    assert waits(Redial(lambda: 1.0), 8)[-1] == MOST


def test_chance_sets_apart_who_lost_their_links_together() -> None:
    chances = iter([0.0, 0.5, 0.99])
    together = [Redial(lambda: next(chances)) for _ in range(3)]
    assert len({redial.wait() for redial in together}) == 3


def test_a_link_that_lasted_begins_anew() -> None:
    redial = Redial(lambda: 0.0)
    waits(redial, 5)
    redial.stood(LASTED)
    assert redial.wait() == FIRST


def test_a_service_that_takes_the_handshake_and_closes_at_once_is_left_alone_ever_longer() -> None:
    redial = Redial(lambda: 0.0)
    assert waits(redial, 3) == [1, 2, 4]
    redial.stood(0.1)
    assert redial.wait() == 8


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50))
def test_a_wait_is_never_shorter_than_the_first_nor_longer_than_the_longest(chances: list[float]) -> None:
    given_chances = iter(chances)
    redial = Redial(lambda: next(given_chances))
    assert all(FIRST <= redial.wait() <= MOST for _ in chances)


def test_weeks_of_failures_overflow_nothing() -> None:
    assert waits(Redial(lambda: 0.5), 5_000)[-1] <= MOST
