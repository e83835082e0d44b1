"""What a charger's message must be answered with, judged by the specification alone (OCPP-J §4)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialect import Dialect
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from tests.ocppj.rows import CALL, ERROR, RESULT

CODES_OF_16 = {
    "NotImplemented", "NotSupported", "InternalError", "ProtocolError", "SecurityError", "FormationViolation",
    "PropertyConstraintViolation", "OccurenceConstraintViolation", "TypeConstraintViolation", "GenericError",
}  # fmt: skip
"""Both misspellings are the specification's (J errata 5.1, 5.2)."""

RAW = "Anything"
"""A call that the owner makes as it is: nobody judges it."""

LONGEST_DESCRIPTION = 255
LONGEST_NUMBER = 19
"""Digits of a number that every reader of JSON takes for the same."""

RESULT_ERROR, SEND = 5, 6
NEVER_ANSWERED = {
    Version.V16: {RESULT, ERROR},
    Version.V201: {RESULT, ERROR},
    Version.V21: {RESULT, ERROR, RESULT_ERROR, SEND},
}
"""Message types that nobody answers, whatever is in them (Part 4 §4.2)."""

Key = tuple[type, Any]


class Strange(ValueError):
    """JSON that not every reader reads alike: a number out of range, or none at all."""


def _number(text: str) -> float | int:
    if len(text.lstrip("-")) > LONGEST_NUMBER:
        raise Strange(text)
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Strange(text)
    return value


def _constant(text: str) -> float:
    raise ValueError(text)


def read(data: str | bytes) -> Any:
    """A message as JSON. Raises ValueError where it is none, RecursionError where it is too deep to tell."""
    text = data.decode() if isinstance(data, bytes) else data
    document = json.loads(text, parse_int=_number, parse_float=_float, parse_constant=_constant)
    json.dumps(document, ensure_ascii=False).encode()  # half a character is none
    return document


def owed(dialect: Dialect, data: str | bytes) -> tuple[Key | None, bool]:
    """The id that must be answered, and whether anything may be."""
    try:
        frame = read(data)
    except (ValueError, RecursionError):
        return None, True
    if not isinstance(frame, list) or len(frame) < 2 or type(frame[0]) is not int:
        return None, True
    if frame[0] == CALL and type(frame[1]) in (str, int):
        return (type(frame[1]), frame[1]), True
    return None, frame[0] not in NEVER_ANSWERED[dialect.version]


def judge(dialect: Dialect, sent: list[str | bytes], said: list[Any]) -> None:
    """Every call is answered once, by its own id, as the version's schemas want it; nothing else is."""
    answers = [frame for frame in said if frame[0] in (RESULT, ERROR)]
    debts = [owed(dialect, data) for data in sent]
    due = Counter(key for key, _ in debts if key is not None)
    free = sum(may for key, may in debts if key is None)
    given = Counter((type(frame[1]), frame[1]) for frame in answers)
    assert not due - given, f"unanswered: {due - given}"
    assert (given - due).total() <= free, f"answered without being asked: {given - due}"
    actions = _actions(dialect, sent)
    for frame in said:
        _judge_frame(dialect, frame, actions)


def _actions(dialect: Dialect, sent: list[str | bytes]) -> dict[Any, set[str]]:
    """The actions that were called, by id."""
    called: dict[Any, set[str]] = {}
    for data in sent:
        if owed(dialect, data)[0] is not None:
            frame = read(data)
            called.setdefault(frame[1], set()).add(str(frame[2]) if len(frame) > 2 else "")
    return called


def _judge_frame(dialect: Dialect, frame: list[Any], actions: dict[Any, set[str]]) -> None:
    match frame:
        case [2, str(message_id), str(action), dict(payload)]:
            assert len(message_id) <= 36
            assert action == RAW or schema.check(dialect.version, action, payload) is None
        case [3, message_id, dict(payload)]:
            named = actions.get(message_id, set()) & dialect.hear.keys()
            faults = [schema.check(dialect.version, action, payload, response=True) for action in named]
            assert not faults or None in faults, faults
        case [5, str(), str(code), str(description), dict()] if dialect.version is Version.V21:
            assert code in set(ErrorCode)
        case [4, _, str(code), str(description), dict()]:
            assert code in (CODES_OF_16 if dialect.version is Version.V16 else set(ErrorCode)), code
            assert len(description) <= LONGEST_DESCRIPTION
        case _:
            raise AssertionError(f"said: {frame}")
