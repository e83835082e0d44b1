"""Whatever is written on the topics we listen to: one answer to a request, none to the rest, and never a fault."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.core.commands import Order, Outcome
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import Call, encode_call
from ocpp_mqtt_proxy.requests import BadRequest, parse
from tests.adapters.test_inbox import Desk
from tests.fakes import FakeLink
from tests.fuzz.mutations import ASKED, TEXTS, changed
from tests.fuzz.test_frames import CHANCE, JSON, VERSIONS

VERBS = st.sampled_from([*ASKED, "accept_charger", "forget_charger", "", "nonsense", "ü", "a" * 200])
PLACES = st.sampled_from(["bridge", "charger/CP1", "charger/CP9", "charger/", "backend/x"])
NAMES = st.sampled_from(["charging", "available", "current_limit", "override", "mode", "", "x"])
SETTINGS = st.sampled_from([*(str(text) for text in TEXTS), "ON", "OFF", "on", "16", "-1", "1e999"]) | st.text(
    max_size=30
)
TOPICS = st.none() | st.text(max_size=30) | st.sampled_from(["a/b", "ocpp/charger/CP1/availability", "+", "#", "$SYS"])


@dataclass
class WritingLink(FakeLink):
    """A charger's socket that writes every order down, as its version has it."""

    async def send(self, order: Order, still: Callable[[], bool] | None = None) -> Outcome:
        call = DIALECTS[self.spoken].put(order)
        if call is not None:
            encode_call(Call("1", *call))
        return await super().send(order)


class Faults(logging.Handler):
    """What the log tells of faults of ours."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


def answers(version: Version, *incoming: Incoming) -> list[dict[str, Any]]:
    """What is answered to messages, with a charger of the version there."""

    async def listen() -> list[dict[str, Any]]:
        desk = Desk(link=WritingLink(version))
        for message in incoming:
            desk.inbox.take(message)
        await desk.done()
        return [answer.document for answer in desk.answers]

    faults, log = Faults(), logging.getLogger("ocpp_mqtt_proxy")
    log.addHandler(faults)
    try:
        answered = asyncio.run(listen())
    finally:
        log.removeHandler(faults)
    assert faults.found == []
    return answered


def judge(answer: dict[str, Any], asked: object) -> None:
    assert answer.keys() == {"id", "status", "reason", "message", "result"}
    assert answer["status"] in ("ok", "refused", "error")
    assert (answer["reason"] is None) == (answer["status"] == "ok")
    assert answer["id"] == asked


@pytest.mark.parametrize("verb", ASKED)
@settings(max_examples=20)
@given(VERSIONS, CHANCE, st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=20))
def test_a_request_made_strange_has_one_answer(verb: str, version: Version, chance: Random, request_id: object) -> None:
    arguments = changed(chance, json.loads(ASKED[verb]), version)
    payload = json.dumps({**arguments, "id": request_id}).encode()
    (answer,) = answers(version, Incoming(f"ocpp/charger/CP1/request/{verb}", payload, retained=False))
    judge(answer, request_id)


DEEP = json.loads("[" * 200 + "]" * 200)
UNWRITABLE: dict[str, tuple[str, dict[str, Any]]] = {
    "a number beyond 32 bits": ("cancel_reservation", {"reservation_id": 2**31}),
    "a number beyond 64 bits": ("cancel_reservation", {"reservation_id": 2**63}),
    "data too deep": ("data_transfer", {"vendor_id": "us", "data": DEEP}),
    "a payload too deep": ("call", {"ocpp_action": "Reset", "payload": {"a": DEEP}}),
}


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("what", UNWRITABLE)
def test_what_cannot_be_written_to_a_charger_is_told_of(version: Version, what: str) -> None:
    verb, arguments = UNWRITABLE[what]
    payload = json.dumps(arguments).encode()
    (answer,) = answers(version, Incoming(f"ocpp/charger/CP1/request/{verb}", payload, retained=False))
    assert (answer["status"], answer["reason"]) == ("error", "invalid")
    assert "must be" in answer["message"]


def test_numbers_and_characters_that_json_cannot_have_are_no_data() -> None:
    for data in (2**64, "\ud800"):
        with pytest.raises(BadRequest, match="must be JSON"):
            parse("data_transfer", {"vendor_id": "us", "data": data})


@settings(max_examples=80)
@given(
    VERSIONS, PLACES, VERBS, st.binary(min_size=1, max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
)
def test_a_request_of_any_kind_has_one_answer_at_most(version: Version, place: str, verb: str, payload: bytes) -> None:
    found = answers(version, Incoming(f"ocpp/{place}/request/{verb}", payload, retained=False))
    assert len(found) == (0 if place.startswith("backend") else 1)


@settings(max_examples=80)
@given(VERSIONS, NAMES, st.sampled_from(["", "connector/1/", "connector/0/", "connector/x/", "connector/²/"]), SETTINGS)
def test_a_setting_of_any_kind_is_obeyed_or_told_of(version: Version, name: str, where: str, value: str) -> None:
    payload = value.encode("utf-8", "surrogatepass")
    for path in ("CP1", "CP9"):
        found = answers(version, Incoming(f"ocpp/charger/{path}/{where}{name}/set", payload, retained=False))
        assert len(found) == (1 if payload else 0)


@settings(max_examples=100)
@given(VERSIONS, st.text(max_size=40), st.binary(max_size=50), st.booleans(), TOPICS, st.none() | st.binary(max_size=9))
def test_nothing_that_arrives_is_a_fault(
    version: Version, topic: str, payload: bytes, retained: bool, asked: str | None, correlation: bytes | None
) -> None:
    request = Incoming("ocpp/charger/CP1/request/limit", b'{"amps": 10}', retained, asked, correlation)
    found = answers(version, Incoming(f"ocpp/{topic}", payload, retained, asked, correlation), request)
    assert 1 <= len(found) <= 2
