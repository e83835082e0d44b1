"""What is told of odd frames: enough to find the reason, no secret, and not a line for each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.frame_log import MAX_KINDS, MAX_SHOWN, PAUSE, Trace, masked, shown


@dataclass
class Hand:
    """A clock's hand that is put on by the test."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Told:
    """What a charger's trace tells, by a clock of the test's."""

    caplog: pytest.LogCaptureFixture
    clock: Hand = field(default_factory=Hand)
    trace: Trace = field(init=False)

    def __post_init__(self) -> None:
        self.caplog.set_level(logging.INFO)
        self.trace = Trace("CP1", self.clock)

    def tell(self, what: str = "odd", frame: bytes = b"[2]") -> None:
        self.trace.tell(logging.INFO, what, "why", lambda: frame)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.caplog.records]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    return Told(caplog)


def test_the_first_of_a_kind_is_told_at_once_with_its_frame(told: Told) -> None:
    told.tell(frame=b'[2,"a","MeterValues",{}]')
    assert told.lines == ['CP1: odd: why: [2,"a","MeterValues",{}]']


def test_what_is_like_it_is_counted_and_told_a_minute_later(told: Told) -> None:
    for _ in range(4):
        told.tell()
    told.clock.at = PAUSE
    told.tell()
    told.clock.at = 2 * PAUSE
    told.tell()
    assert [" 3 like it" in line for line in told.lines] == [False, True, False]


def test_another_kind_is_told_by_itself(told: Told) -> None:
    told.tell("one")
    told.tell("another")
    assert len(told.lines) == 2


def test_a_charger_that_is_odd_in_all_ways_fills_no_log(told: Told) -> None:
    for number in range(10 * MAX_KINDS):
        told.tell(f"way {number}")
    assert len(told.lines) == MAX_KINDS + 1


def test_a_frame_that_is_not_told_of_is_not_made(told: Told) -> None:
    frames: list[Callable[[], bytes]] = [lambda: b"[]", lambda: pytest.fail("nobody reads it")]
    for frame in frames:
        told.trace.tell(logging.INFO, "odd", "why", frame)


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"a","Authorize",{"idTag":"SECRET7"}]',
        '[2,"a","Authorize",{"IDTAG" : "SECRET7"}]',
        '[2,"a","Authorize",{"idTag":"SECRET7',
        '[2,"a","TransactionEvent",{"idToken":{"idToken":"SECRET7","type":"Central"}}]',
        '[3,"a",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"SECRET7"}]}]',
        '[3,"a",{"configurationKey":[{"key":"StationPassword","readonly":false,"value":"SECRET7"}]}]',
        '[3,"a",{"configurationKey":[{"key":"G_CardPin","value":"SECRET7"}]',
        '[2,"a","SetVariables",{"d":[{"component":{"name":"S"},"variable":{"name":"BasicAuthPassword"},"attributeValue":"SECRET7"}]}]',
        '[2,"a","SetVariables",{"d":[{"attributeValue":"SECRET7","component":{"name":"S"},"variable":{"name":"BasicAuthPassword"}}]}]',
        '[2,"a","SetVariables",{"d":[{"attributeValue":"60","variable":{"name":"X"}},{"attributeValue":"SECRET7","variable":{"name":"BasicAuthPassword"}}]}]',
        '[2,"a","ChangeConfiguration",{"value":"SECRET7","key":"AuthorizationKey"}]',
        '[2,"a","ChangeConfiguration",{"key":"AuthorizationKey","value":"x\\"SECRET7"}]',
        '[2,"a","SetNetworkProfile",{"connectionData":{"basicAuthPassword":"SECRET7","vpn":{"password":"SECRET7"}}}]',
        '[2,"a","GetDiagnostics",{"location":"ftp://user:SECRET7@files.example/"}]',
    ],
)
def test_tags_and_passwords_are_masked_in_whole_frames_and_in_broken_ones(frame: str) -> None:
    assert "SECRET" not in masked(frame.encode())
    assert "SECRET" not in shown(frame.encode())


def test_a_mask_leaves_the_end_of_a_tag_to_tell_cards_apart() -> None:
    assert masked(b'{"idTag": "04A1B2C3", "x": 1}') == '{"idTag": "***C3", "x": 1}'


def test_of_a_long_frame_the_beginning_is_shown() -> None:
    text = shown(b'[2,"a",' + b"1," * 100_000)
    assert len(text) == MAX_SHOWN + 1
    assert text.endswith("…")


@given(st.binary())
def test_any_bytes_are_shown(frame: bytes) -> None:
    assert len(shown(frame)) <= MAX_SHOWN + 1


def test_what_is_no_secret_is_shown() -> None:
    frame = '[2,"a","SetVariables",{"d":[{"attributeValue":"60","component":{"name":"S"},"variable":{"name":"X"}}]}]'
    assert masked(frame.encode()) == frame
