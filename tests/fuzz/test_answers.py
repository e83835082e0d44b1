"""Whatever a charger answers to what we ask of it: there is an outcome, and the charger is looked after further."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.chargers.calls import Calls
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.commands import GetConfiguration, Order, Outcome, RawCall, done
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import rpc
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import CallError, CallResult
from tests.fakes import FakeLink, a_charger, a_hub
from tests.fuzz.mutations import TEXTS, strange
from tests.fuzz.test_frames import CHANCE, JSON
from tests.ocppj import strategies
from tests.ocppj.rows import requests_by_id, valid

ORDERS = [(version, kind) for version, dialect in DIALECTS.items() for kind in dialect.order]
KEYS = [
    "status", "statusInfo", "configurationKey", "unknownKey", "getVariableResult", "setVariableResult", "data",
    "transactionId", "fileName", "filename", "value", "attributeValue", "attributeStatus", "key", "component",
]  # fmt: skip
PAYLOADS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), JSON, max_size=5) | JSON
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


async def outcome_of(version: Version, order: Order, answer: str | bytes) -> Outcome | None:
    """What becomes of an order that is answered so; `$OPEN` in it is the call's id. None: it was not put at all."""
    sent: list[bytes] = []
    calls = Calls("CP1", DIALECTS[version], sent.append, 60)
    waiting = asyncio.create_task(calls.put(order))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if not sent:
        return await waiting
    message_id = json.loads(sent[0])[1]
    data = answer.encode() if isinstance(answer, str) else answer
    _take(calls, data.replace(b"$OPEN", message_id.encode()), version)
    calls.hang_up()
    return await waiting


def _take(calls: Calls, data: bytes, version: Version) -> None:
    try:
        frame = rpc.parse(data, version)
    except rpc.BadFrame:
        return
    if isinstance(frame, CallResult | CallError):
        calls.take(frame)
        calls.take(frame)  # and again: chargers repeat themselves


def judge(outcome: Outcome | None) -> None:
    assert isinstance(outcome, Outcome)
    assert (outcome.reason is None) == outcome.ok
    shapes.dump(shapes.answer("1", outcome))


@pytest.mark.parametrize(("version", "kind"), ORDERS)
@settings(max_examples=5, suppress_health_check=SLOW)
@given(data=st.data())
def test_any_answer_to_any_order_is_an_outcome(version: Version, kind: type, data: st.DataObject) -> None:
    order = data.draw(strategies.orders(version)[kind])
    content = data.draw(st.one_of(PAYLOADS.map(lambda given: [3, "$OPEN", given]), st.lists(JSON).map(_an_error)))
    judge(asyncio.run(outcome_of(version, order, json.dumps(content))))


def _an_error(parts: list[Any]) -> list[Any]:
    return [4, "$OPEN", *parts]


@pytest.mark.parametrize("version", DIALECTS)
@settings(max_examples=25)
@given(answer=PAYLOADS)
def test_any_answer_to_a_raw_call_is_an_outcome(version: Version, answer: Any) -> None:
    judge(asyncio.run(outcome_of(version, RawCall("Anything", {}), json.dumps([3, "$OPEN", answer]))))


def _right_answers(version: Version) -> dict[str, list[Any]]:
    """The corpus's answers of a charger, by the action that they answer."""
    asked = requests_by_id()
    spoken = Version.V16 if version is Version.V16 else Version.V201
    rows = [row for row in valid(from_charger=True, kind=3) if row.version is spoken]
    return {asked[row.message_id].action: row.fields["frame"] for row in rows if row.message_id in asked}


@pytest.mark.parametrize(("version", "kind"), ORDERS)
@settings(max_examples=5, suppress_health_check=SLOW)
@given(chance=CHANCE, data=st.data())
def test_a_right_answer_made_strange_is_an_outcome(
    version: Version, kind: type, chance: Random, data: st.DataObject
) -> None:
    order = data.draw(strategies.orders(version)[kind])
    call = DIALECTS[version].put(order)
    known = _right_answers(version).get(call[0] if call else "", [3, "", {"status": "Accepted"}])
    frame = strange(chance, [3, "$OPEN", json.loads(json.dumps(known[2]))], version)
    judge(asyncio.run(outcome_of(version, order, frame)))


async def prepare(version: Version, answer: Callable[[Order], Outcome]) -> None:
    """Make a charger ready that answers so, and ask it for everything again."""
    hub = a_hub()
    link = FakeLink(version, answer)
    station = a_charger(hub, link)
    commissioning = Commissioning(hub)
    await commissioning.prepare(station, link, booted=True)
    judge(await commissioning.refresh(station, link))
    assert station.max_stack_level is None or station.max_stack_level <= 100


@pytest.mark.parametrize("version", DIALECTS)
@settings(max_examples=20, suppress_health_check=SLOW)
@given(data=st.data())
def test_a_charger_that_answers_anything_is_made_ready_and_refreshed_all_the_same(
    version: Version, data: st.DataObject
) -> None:
    answers = st.dictionaries(st.sampled_from(KEYS), JSON)
    asyncio.run(prepare(version, lambda order: DIALECTS[version].outcome(order, data.draw(answers))))


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_charger_is_made_ready_whatever_its_settings_say(version: Version) -> None:
    for text in TEXTS:

        def answer(order: Order, text: str = text) -> Outcome:
            return done(values=dict.fromkeys(order.names, text)) if isinstance(order, GetConfiguration) else done()

        await prepare(version, answer)
