"""What the benchmark's figures rest on: that it says what OCPP allows, and reads the wire and the numbers rightly."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from ocpp.messages import MessageType, get_validator

from tests.bench.chargers import Charger
from tests.bench.csms import answer
from tests.bench.figures import Figure
from tests.bench.frames import VERSIONS, fill, script
from tests.bench.mqtt import Client
from tests.bench.obedience import obey
from tests.bench.wire import Wire, unmasked

LINES = ("boot", "status", "start", "meter", "stop", "heartbeat", "transfer", "report")


def said(version: str, line: str) -> list[Any]:
    template = getattr(script(version), line)
    return list(json.loads(fill(template, number=7, wh=250_000, tx=1))) if template else []


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_its_chargers_say_is_valid_ocpp(version: str, line: str) -> None:
    if frame := said(version, line):
        _, _, action, payload = frame
        get_validator(MessageType.Call, action, version).validate(payload)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reading_has_twelve_samples_in_less_than_2_kb(version: str) -> None:
    frame = said(version, "meter")
    assert len(frame[3]["meterValue"][0]["sampledValue"]) == 12
    assert 1_600 < len(json.dumps(frame, separators=(",", ":"))) < 2_000


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        ("1.6", "GetConfiguration", {"key": ["MeterValueSampleInterval", "Unheard"]}),
        ("1.6", "TriggerMessage", {"requestedMessage": "MeterValues"}),
        ("2.0.1", "GetVariables", {"getVariableData": [{"component": {"name": "A"}, "variable": {"name": "B"}}]}),
        ("2.1", "GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}),
    ],
)
def test_what_its_chargers_answer_is_valid_ocpp(version: str, action: str, payload: dict[str, Any]) -> None:
    reply, _ = obey(action, payload, script(version))
    get_validator(MessageType.CallResult, action, version).validate(reply)


@pytest.mark.parametrize("line", LINES[:3])
def test_the_csms_behind_the_relay_answers_by_a_calls_head(line: str) -> None:
    frame = fill(getattr(script("1.6"), line), number=7, wh=1, tx=1)
    assert json.loads(answer(frame[:96]))[:2] == [3, "m7"]


class Heard(Wire):
    def __init__(self) -> None:
        super().__init__()
        self.head.set_result(b"")
        self.texts: list[bytes] = []

    def hear(self, text: bytes, key: bytes) -> None:
        self.texts.append(unmasked(text, key))


def on_the_wire(text: bytes, key: bytes) -> bytes:
    size, mask = len(text), 128 if key else 0
    head = bytes((0x81, mask | size)) if size < 126 else bytes((0x81, mask | 126)) + size.to_bytes(2, "big")
    return head + key + unmasked(text, key)  # masking is its own inverse


@given(
    texts=st.lists(st.binary(max_size=300), max_size=5),
    key=st.sampled_from([b"", b"\x01\x02\x03\x04"]),
    step=st.integers(1, 400),
)
def test_texts_come_whole_however_they_are_cut(texts: list[bytes], key: bytes, step: int) -> None:
    async def hear() -> list[bytes]:
        wire = Heard()
        stream = b"".join(on_the_wire(text, key) for text in texts)
        for at in range(0, len(stream), step):
            wire.data_received(stream[at : at + step])
        return wire.texts

    assert asyncio.run(hear()) == texts


@given(payload=st.binary(max_size=300), step=st.integers(1, 400))
def test_publications_come_whole_however_they_are_cut(payload: bytes, step: int) -> None:
    heard: list[tuple[str, bytes]] = []

    async def hear() -> None:
        client = Client(lambda *message: heard.append(message))
        body = b"\x00\x01t" + payload
        size = bytes((len(body),)) if len(body) < 128 else bytes((len(body) & 127 | 128, len(body) >> 7))
        stream = (b"\x30" + size + body) * 2
        for at in range(0, len(stream), step):
            client.data_received(stream[at : at + step])

    asyncio.run(hear())
    assert heard == [("t", payload)] * 2


async def test_a_charger_has_one_call_open_and_sends_the_next_when_it_is_answered() -> None:
    class Told(Charger):
        def send(self, text: bytes) -> None:
            frames.append(json.loads(text))

    frames: list[list[Any]] = []
    charger = Told("B1", script("1.6"))
    metering = asyncio.create_task(charger.meter(2))
    for expected in (1, 2):
        await asyncio.sleep(0)
        assert len(frames) == expected
        charger.hear(json.dumps([3, frames[-1][1], {}]).encode(), b"")
    await metering
    assert len(charger.times) == 2


def test_a_figure_is_judged_by_the_median_of_its_rounds_ratios() -> None:
    figure = Figure("cost", "µs", "relay", goal=2.0)
    for ours, base in ((10, 10), (30, 10), (9, 3), (2, 2), (4, 2)):
        figure.add(ours, base)
    assert figure.values == [1, 3, 3, 1, 2]
    assert figure.met
    assert "2 (1 to 3)" in figure.line()
    assert figure.verdict == "cost: 2 times the relay's, goal 2"


def test_a_figure_without_a_yardstick_is_judged_as_it_is() -> None:
    figure = Figure("memory", "KiB", goal=75)
    figure.add(76)
    assert not figure.met
    assert figure.line().endswith("MISSED")
