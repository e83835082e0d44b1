"""What binds over time, in pieces: the least of several at each time, and whose it is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.limits.line import FREE, Line, compact, constant, least, lowest
from ocpp_mqtt_proxy.core.model import Amps

VALUES = st.one_of(st.none(), st.integers(0, 4).map(float))
TIMES = st.lists(st.integers(1, 8).map(float), unique=True, max_size=5).map(sorted)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    return compact((at, draw(VALUES)) for at in [0.0, *draw(TIMES)])


def at_(line: Line, time: float) -> float | None:
    return [value for begins, value in line if begins <= time][-1]


@given(several=st.lists(lines(), max_size=5))
def test_the_least_is_at_each_time_the_least_of_what_binds(several: list[Line]) -> None:
    found = least(several)
    for half in range(20):
        bound = [value for line in several if (value := at_(line, half / 2)) is not None]
        assert at_(found, half / 2) == min(bound, default=None)


@given(several=st.lists(lines(), max_size=5))
def test_no_piece_of_the_least_says_what_the_one_before_said(several: list[Line]) -> None:
    found = lowest(dict(enumerate(several)))
    assert found[0][0] == 0
    assert all(one[0] < other[0] and one[1:] != other[1:] for one, other in pairwise(found))


@given(several=st.lists(lines(), max_size=5))
def test_it_is_the_first_whose_limit_binds(several: list[Line]) -> None:
    for time, value, which in lowest(dict(enumerate(several))):
        same = [number for number, line in enumerate(several) if value is not None and at_(line, time) == value]
        assert which == min(same, default=None)


def test_of_nothing_nothing_binds() -> None:
    assert least([]) == FREE
    assert least([FREE, constant(Amps(6))]) == constant(Amps(6))
