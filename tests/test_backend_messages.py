"""What backends may say: every field wrong in every way, and ten thousand messages that nobody would write."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel

from ocpp_mqtt_proxy.backends import frames, messages
from ocpp_mqtt_proxy.backends.desk import Backend, Desk
from ocpp_mqtt_proxy.backends.frames import Frame
from ocpp_mqtt_proxy.backends.messages import ACTIONS, OLDER
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, Result
from ocpp_mqtt_proxy.requests import BadRequest
from tests.backend_desk import a_desk

PERIOD = {"startPeriod": 0, "limit": 16, "numberPhases": 3}
SCHEDULE = {
    "id": 1,
    "startSchedule": "2026-03-14T00:00:00Z",
    "duration": 3600,
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [PERIOD],
}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Recurring",
    "recurrencyKind": "Daily",
    "validFrom": "2026-03-14T00:00:00Z",
    "validTo": "2026-04-14T00:00:00Z",
    "chargingSchedule": [SCHEDULE],
}
RIGHT: dict[str, dict[str, Any]] = {
    "subscribe": {"events": ["status", "meter"], "chargers": ["CP1"]},
    "unsubscribe": {"events": "*", "chargers": ["CP1"]},
    "status": {"charger": "CP1"},
    "sessions": {"charger": "CP1", "from": "2026-01-01", "to": "2026-02-01", "limit": 5},
    "request_control": {"charger": "CP1", "classes": ["transactions", "smart_charging"]},
    "release_control": {"charger": "CP1", "classes": ["transactions"]},
    "start": {"charger": "CP1", "connector": 1, "id_tag": "04A1B2C3", "limit_amps": 10},
    "stop": {"charger": "CP1", "transaction_id": "7"},
    "authorize": {"request_id": "q1", "status": "accepted", "group": "FAMILY"},
    "set_limit": {"charger": "CP1", "amps": 10, "connector": 1, "duration_s": 60},
    "clear_limit": {"charger": "CP1", "connector": 1},
    "set_profile": {"charger": "CP1", "profile": PROFILE, "connector": 1},
    "clear_profile": {"charger": "CP1", "connector": 1},
    "reserve": {"charger": "CP1", "connector": 1, "id_tag": "04A1B2C3", "until": "2026-03-14T18:00:00Z"},
    "cancel_reservation": {"charger": "CP1", "reservation_id": 3},
    "unlock": {"charger": "CP1", "connector": 1},
    "call": {"charger": "CP1", "ocpp_action": "Reset", "payload": {"type": "Soft"}},
}
"""A right message of each action, with every field that can stand beside the others."""

NOTHING_FITS: list[Any] = [[], {}, True, -1.5, "\N{SNOWMAN}" * 3000, [[1]], {"x": 1}, [None]]
"""Values of every kind; not one of them fits everywhere."""

FITTING: dict[str, list[Any]] = {
    "events": [[]],
    "chargers": [[]],
    "classes": [],
    "payload": [{}, {"x": 1}],
    "transaction_id": [True, -1.5],
    "id_tag": [True, -1.5],
}
"""Those that do fit: no kinds are kinds, numbers and booleans may stand for tags and ids."""


def wrong_fields() -> Iterator[Any]:
    for action, fields in RIGHT.items():
        for name in fields:
            for number, value in enumerate(NOTHING_FITS):
                if value not in FITTING.get(name, []) and not (name == "chargers" and isinstance(value, str)):
                    yield pytest.param(action, name, value, id=f"{action}-{name}-{number}")


def test_there_is_a_right_message_of_every_action() -> None:
    assert RIGHT.keys() == ACTIONS.keys()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_right_message_is_understood(action: str) -> None:
    assert isinstance(messages.parse(action, RIGHT[action]), ACTIONS[action])


@pytest.mark.parametrize(("action", "name", "value"), [*wrong_fields()])
def test_a_wrong_field_is_named(action: str, name: str, value: Any) -> None:
    with pytest.raises(BadRequest, match=f"^(.*; )?{name}[.:]"):
        messages.parse(action, RIGHT[action] | {name: value})


@pytest.mark.parametrize("action", ACTIONS)
def test_a_field_that_there_is_not_is_named_with_those_there_are(action: str) -> None:
    with pytest.raises(BadRequest, match=r"^colour: no such field; allowed: "):
        messages.parse(action, RIGHT[action] | {"colour": "red"})


def required(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


@pytest.mark.parametrize("action", ACTIONS)
def test_a_field_that_is_missing_is_named(action: str) -> None:
    for name in required(ACTIONS[action]):
        rest = {field: value for field, value in RIGHT[action].items() if field != name}
        with pytest.raises(BadRequest, match=f"^{name}: "):
            messages.parse(action, rest)


@pytest.mark.parametrize(
    ("where", "path", "value"),
    [
        (f"profile.{'.'.join(map(str, path))}", path, value)
        for path in [
            ("chargingProfileKind",),
            ("validFrom",),
            ("chargingSchedule",),
            ("chargingSchedule", 0, "chargingRateUnit"),
            ("chargingSchedule", 0, "duration"),
            ("chargingSchedule", 0, "chargingSchedulePeriod"),
            ("chargingSchedule", 0, "chargingSchedulePeriod", 0, "limit"),
            ("chargingSchedule", 0, "chargingSchedulePeriod", 0, "startPeriod"),
        ]
        for value in [[], True, -1.5, "red", [[1]]]
    ],
)
def test_a_wrong_field_deep_in_a_profile_is_named_with_the_way_to_it(
    where: str, path: tuple[Any, ...], value: Any
) -> None:
    profile = json.loads(json.dumps(PROFILE))
    part = profile
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(BadRequest, match=f"{where}[.:]"):
        messages.parse("set_profile", {"profile": profile})


@pytest.mark.parametrize(
    ("starts", "why"),
    [([5], "must be 0"), ([0, 0], "later than the one before"), ([0, 60, 30], "later than the one before")],
)
def test_the_periods_of_a_profile_begin_at_once_and_go_on_in_order(starts: list[int], why: str) -> None:
    periods = [PERIOD | {"startPeriod": start} for start in starts]
    schedule = SCHEDULE | {"chargingSchedulePeriod": periods}
    with pytest.raises(BadRequest, match=why):
        messages.parse("set_profile", {"profile": PROFILE | {"chargingSchedule": [schedule]}})


@pytest.mark.parametrize("missing", ["recurrencyKind", "startSchedule"])
def test_a_profile_that_comes_again_says_when(missing: str) -> None:
    schedule = {name: value for name, value in SCHEDULE.items() if name != missing}
    profile = {name: value for name, value in PROFILE.items() if name != missing} | {"chargingSchedule": [schedule]}
    with pytest.raises(BadRequest, match="needs recurrencyKind and startSchedule"):
        messages.parse("set_profile", {"profile": profile})


def test_a_profile_of_16_has_one_schedule_without_a_list() -> None:
    of_list = messages.parse("set_profile", {"profile": PROFILE})
    assert messages.parse("set_profile", {"profile": PROFILE | {"chargingSchedule": SCHEDULE}}) == of_list


@pytest.mark.parametrize("limit", [{}, {"amps": 6, "watts": 4000}])
def test_a_limit_is_either_a_current_or_a_power(limit: dict[str, float]) -> None:
    with pytest.raises(BadRequest, match="either amps"):
        messages.parse("set_limit", limit)


@pytest.mark.parametrize(("older", "action"), OLDER.items())
def test_an_older_action_is_what_it_is_called_now(older: str, action: str) -> None:
    of_both: dict[str, dict[str, Any]] = {"start": {"id_tag": "A"}, "stop": {"transaction_id": 7}}
    fields: dict[str, Any] = {"connector_id": 1, **of_both[action]}
    now = {("connector" if name == "connector_id" else name): value for name, value in fields.items()}
    assert messages.parse(older, fields) == messages.parse(action, now)


@pytest.mark.parametrize("action", [None, 7, [], {}, "", "dance", "Start"])
def test_an_action_that_there_is_not_is_told_with_those_there_are(action: Any) -> None:
    with pytest.raises(BadRequest, match=r"^action: .*authorize, call, .*unsubscribe"):
        messages.parse(action, {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "JSON object"),
        (b"\xff\xfe", "JSON object"),
        (b"{", "JSON object"),
        (b"[" * 2000, "JSON object"),
        (b'"start"', "JSON object"),
        (b"[]", "JSON object"),
        (b"null", "JSON object"),
        (b'{"id": {}, "action": "status"}', "id: must be"),
        (b'{"id": [1], "action": "status"}', "id: must be"),
    ],
)
def test_what_is_no_message_is_told_so(text: bytes, fault: str) -> None:
    assert fault in frames.opened(text).fault


def test_an_answer_that_is_too_deep_for_json_is_given_without_its_result() -> None:
    deep: list[Any] = []
    for _ in range(2000):
        deep = [deep]
    answer = json.loads(frames.answer(Frame("7", "call"), Outcome(Result.OK, result={"deep": deep})))
    assert (answer["id"], answer["status"], answer["result"]) == ("7", "ok", {})


# Ten thousand

NAMES = sorted({name for fields in RIGHT.values() for name in fields} | {"id", "action", "colour", ""})
LEAVES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**70), 0.5, 1e300, "", "CP1", "*", "accepted", "\x00", "\ud800"),
    *("2026-03-14T00:00:00Z", "9999-12-31T23:59:59-12:00", "A" * 300, [], {}),
]


def anything(chance: random.Random, depth: int = 3) -> Any:
    if depth and chance.random() < 0.3:
        return [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
    if depth and chance.random() < 0.3:
        return {chance.choice(NAMES): anything(chance, depth - 1) for _ in range(chance.randrange(4))}
    return chance.choice(LEAVES)


def somewhere(chance: random.Random, part: Any) -> Any:
    """The same, but for one thing in it, however deep."""
    if chance.random() < 0.3 or not part or not isinstance(part, dict | list):
        return anything(chance)
    changed: Any = part.copy()
    key = chance.choice(list(part)) if isinstance(part, dict) else chance.randrange(len(part))
    changed[key] = somewhere(chance, part[key])
    return changed


def strange(chance: random.Random) -> Any:
    """A message that is nearly right, or not at all."""
    action = chance.choice([*ACTIONS, *OLDER])
    message: Any = {"id": 7, "action": action, **RIGHT[OLDER.get(action, action)]}
    for _ in range(chance.randrange(1, 4)):
        message = somewhere(chance, message)
    return message


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
async def test_ten_thousand_strange_messages_have_an_answer_each(seed: int) -> None:
    chance, backend, desk = random.Random(seed), Backend("energy"), a_desk().desk
    for _ in range(100):
        frame = frames.opened(json.dumps(strange(chance)).encode())
        answer = json.loads(frames.answer(frame, await answer_of(desk, backend, frame)))
        assert answer["status"] in ("ok", "refused", "error")
        assert answer["status"] == "ok" or answer["message"]
        assert answer["reason"] in {None, *Reason}


async def answer_of(desk: Desk, backend: Backend, frame: Frame) -> Outcome:
    if frame.fault:
        return Outcome(Result.ERROR, Reason.INVALID, frame.fault)
    return await desk.carry_out(backend, frame.action, frame.arguments)
