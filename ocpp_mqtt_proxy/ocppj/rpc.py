"""OCPP-J frames: CALL, CALLRESULT, CALLERROR, in 2.1 CALLRESULTERROR and SEND, and the gate that keeps one call open.

References: OCPP-J 1.6 §4, OCPP 2.0.1 and 2.1 Part 4 §4. Nothing of a frame but its shape is judged here.
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import orjson

from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.model import Version

CALL: Final = 2
RESULT: Final = 3
ERROR: Final = 4
RESULT_ERROR: Final = 5
SEND: Final = 6

MAX_ID = 36
"""Characters of a message id (J §4.1.4); longer ones are answered as they are."""

MAX_DEPTH = 64
"""Levels of nesting in a frame. What is deeper could be read, but not written again by everybody we tell it."""

Payload = Mapping[str, object]


class ErrorCode(StrEnum):
    """Why a call could not be answered, as 2.x spells it (Part 4 §4.3); `spelled` gives 1.6 its own."""

    FORMAT_VIOLATION = "FormatViolation"
    GENERIC_ERROR = "GenericError"
    INTERNAL_ERROR = "InternalError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    PROTOCOL_ERROR = "ProtocolError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    SECURITY_ERROR = "SecurityError"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"


_SPELLED_IN_16: Mapping[ErrorCode, str] = {
    # Both misspellings are frozen in 1.6 (J errata 5.1, 5.2).
    ErrorCode.FORMAT_VIOLATION: "FormationViolation",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "GenericError",
    ErrorCode.RPC_FRAMEWORK_ERROR: "FormationViolation",
}
_FROM_16 = {spelled: code for code, spelled in _SPELLED_IN_16.items() if code.name.endswith("VIOLATION")}


def spelled(code: ErrorCode, version: Version) -> str:
    """An error code in a version's own spelling."""
    return _SPELLED_IN_16.get(code, code.value) if version is Version.V16 else code.value


def error_code(text: object) -> ErrorCode:
    """An error code in any spelling; one outside the table is a GenericError."""
    try:
        return _FROM_16.get(str(text)) or ErrorCode(str(text))
    except ValueError:
        return ErrorCode.GENERIC_ERROR


class NumberId(str):
    """A message id that came as a number, against the specification; it goes back as one."""

    __slots__ = ()


@dataclass(slots=True)
class Call:
    """Somebody asks. `payload` is an object; its contents are not judged yet."""

    id: str
    action: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class CallResult:
    """An answer."""

    id: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class CallError:
    """An answer that says why there is none."""

    id: str
    code: ErrorCode
    description: str = ""
    details: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallResultError:
    """An answer to an answer: it could not be used (2.1 Part 4 §4.2.3). Never answered."""

    id: str
    code: ErrorCode
    description: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Somebody tells, and wants no answer (2.1 Part 4 §4.2.4)."""

    id: str
    action: str
    payload: dict[str, object]


Frame = Call | CallResult | CallError | CallResultError | Send


def knows_result_errors(version: Version) -> bool:
    """Whether a peer can be told that its answer could not be used."""
    return version is Version.V21


class BadFrame(ProxyError):
    """A frame that is none. `answer_id` is the id to answer with, or None to say nothing."""

    def __init__(self, code: ErrorCode, why: str, answer_id: str | None) -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.answer_id = answer_id


def parse(data: bytes | str, version: Version) -> Frame:
    """Read a frame. Raises BadFrame with what to answer, which differs by version.

    A charger that sends nonsense without a readable id is not answered in 1.6 and gets id "-1" in 2.x
    (Part 4 §4.2.3); message types that a version lacks are ignored in 1.6 and 2.1 and refused in 2.0.1 (§4.4).
    An answer, however broken, is never answered; nor is a SEND.
    """
    frame = _array(data, version)
    if version is Version.V21 and frame[0] in (RESULT_ERROR, SEND):
        return _of_21(data, frame)
    match frame[0]:
        case 3 | 4 if len(frame) < 3:
            raise BadFrame(ErrorCode.RPC_FRAMEWORK_ERROR, "an answer without content", None)
        case _ if len(frame) < 2:
            raise _unreadable(version, "no message id")
        case 2:
            call = _call(frame, version)
            _check_depth(data, call)
            return call
        case 3:
            return CallResult(_text(frame[1]), _usable(data, frame[2]))
        case 4:
            return _error(data, frame)
        case other:
            answer_id = _message_id(frame[1]) if version is Version.V201 else None
            raise BadFrame(ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED, f"message type {other}", answer_id)


def _array(data: bytes | str, version: Version) -> list[object]:
    """A frame as JSON: an array that begins with its type."""
    try:
        frame = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _unreadable(version, f"not JSON: {error}") from None
    if not isinstance(frame, list) or not frame or type(frame[0]) is not int:
        raise _unreadable(version, "not an OCPP-J array [type, id, …]")
    return frame


def _of_21(data: bytes | str, frame: list[object]) -> Send | CallResultError:
    """A CALLRESULTERROR or SEND. Raises BadFrame, which is not to be answered."""
    if frame[0] == RESULT_ERROR and len(frame) >= 3:
        error = _error(data, frame)
        return CallResultError(error.id, error.code, error.description)
    if frame[0] == SEND and len(frame) >= 2:
        try:
            call = _call(frame, Version.V21)
            _check_depth(data, call)
        except BadFrame as error:
            raise BadFrame(error.code, error.why, None) from None
        return Send(call.id, call.action, call.payload)
    raise BadFrame(ErrorCode.RPC_FRAMEWORK_ERROR, "a message without content", None)


def _unreadable(version: Version, why: str) -> BadFrame:
    return BadFrame(ErrorCode.RPC_FRAMEWORK_ERROR, why, None if version is Version.V16 else "-1")


def _message_id(value: object) -> str | None:
    """A message id; a number is taken for one (some chargers count). None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return NumberId(value)
    return value if isinstance(value, str) else None


def _call(frame: list[object], version: Version) -> Call:
    message_id = _message_id(frame[1])
    if message_id is None:
        raise _unreadable(version, "the message id is no string")
    if not 3 <= len(frame) <= 4 or not isinstance(frame[2], str):
        raise BadFrame(ErrorCode.RPC_FRAMEWORK_ERROR, "a CALL is [2, id, action, payload]", message_id)
    payload = frame[3] if len(frame) == 4 else None
    # `null` stands for a message without fields in the prose of both versions; some chargers leave it out.
    if payload is not None and not isinstance(payload, dict):
        raise BadFrame(ErrorCode.FORMAT_VIOLATION, "the payload is no object", message_id)
    return Call(message_id, frame[2], payload or {})


def _check_depth(data: bytes | str, call: Call) -> None:
    """Refuse a call that is nested too deep."""
    if _too_deep(data, call.payload):
        raise BadFrame(ErrorCode.FORMAT_VIOLATION, f"nested deeper than {MAX_DEPTH} levels", call.id)


def _too_deep(data: bytes | str, payload: object) -> bool:
    """Brackets are counted first: ordinary frames have fewer than levels allowed."""
    brackets = data.count("[") + data.count("{") if isinstance(data, str) else data.count(b"[") + data.count(b"{")
    return brackets > MAX_DEPTH and not _is_plainly_flat(data) and _is_deep(payload)


FLAT = 8
"""Levels that ordinary frames have at most."""

_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_plainly_flat(data: bytes | str) -> bool:
    """Whether brackets that face each other, taken out again and again, leave nothing soon.

    Of a megabyte that is told in milliseconds, by walking through its payload in a hundred. Brackets in texts may
    be left over; then it is not plain.
    """
    brackets = (data.encode() if isinstance(data, str) else data).translate(None, _ALL_BUT_BRACKETS)
    for _ in range(FLAT):
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not brackets:
            return True
    return False


def _is_deep(payload: object) -> bool:
    level = [payload]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _within(value)]
    return bool(level)


def _within(value: object) -> Iterable[object]:
    """The lists and objects that a list or object holds."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]


def _usable(data: bytes | str, value: object) -> dict[str, object]:
    """What an answer holds; nothing where it is no object, or nested too deep: its call is over all the same."""
    return value if isinstance(value, dict) and not _too_deep(data, value) else {}


def _text(value: object) -> str:
    """A text, or a number as one; anything else says nothing."""
    return str(value) if isinstance(value, str | int | float) else ""


def _error(data: bytes | str, frame: list[object]) -> CallError:
    description = frame[3] if len(frame) > 3 else ""
    details = _usable(data, frame[4]) if len(frame) > 4 else {}
    return CallError(_text(frame[1]), error_code(_text(frame[2])), _text(description), details)


def too_long(beginning: bytes) -> CallError:
    """What to make of a frame that was too long to hold, by its beginning. Raises BadFrame where it was no answer.

    An answer that nobody can read is as good as an error; a call gets one, by its id where that shows.
    """
    kind, message_id = _opening(beginning)
    if kind in (RESULT, ERROR):
        return CallError(message_id or "", ErrorCode.FORMAT_VIOLATION, TOO_LONG)
    raise BadFrame(ErrorCode.FORMAT_VIOLATION, TOO_LONG, message_id if kind == CALL else None)


TOO_LONG = "longer than any message may be"

_OPENING = re.compile(rb'\s*\[\s*(\d)\s*,\s*"([ !#-\[\]-~]{1,36})"')


def _opening(beginning: bytes) -> tuple[int | None, str | None]:
    """The type and id that a frame begins with, as far as they can be read."""
    found = _OPENING.match(beginning)
    return (int(found[1]), found[2].decode()) if found else (None, None)


def encode_call(call: Call) -> bytes:
    """A CALL as it goes on the wire."""
    return orjson.dumps([CALL, call.id, call.action, call.payload])


def encode_send(told: Send) -> bytes:
    """A SEND as it goes on the wire."""
    return orjson.dumps([SEND, told.id, told.action, told.payload])


def encode_result(message_id: str, payload: Payload) -> bytes:
    """A CALLRESULT as it goes on the wire; the id is the call's, byte for byte."""
    return orjson.dumps([RESULT, _as_it_came(message_id), payload])


def encode_error(error: CallError, version: Version) -> bytes:
    """A CALLERROR as it goes on the wire; the description within the 255 characters of 2.x."""
    code = spelled(error.code, version)
    return orjson.dumps([ERROR, _as_it_came(error.id), code, error.description[:255], error.details])


def encode_result_error(error: CallResultError) -> bytes:
    """A CALLRESULTERROR as it goes on the wire."""
    return orjson.dumps([RESULT_ERROR, error.id, error.code.value, error.description[:255], {}])


def _as_it_came(message_id: str) -> str | int:
    return int(message_id) if isinstance(message_id, NumberId) else message_id


_OURS = str(uuid.uuid4())[:24]
_numbers = itertools.count(1)


def fresh_id() -> str:
    """A message id that no other call of ours has: ids are never passed on from anybody (semantics §1.3).

    They look like UUIDs, as the specifications advise (J §4.1.4), and begin with what is this run's alone.
    """
    return f"{_OURS}{next(_numbers):012x}"


@dataclass(slots=True)
class Gate:
    """Keeps at most one call open towards a peer (J §4.1.1); the others wait in order.

    `ask` enters a call, `next` lets one go when the way is free, `answer` takes an answer that belongs to
    the open one; any other is late or nobody's and is dropped. The caller keeps the time.
    """

    open: Call | None = None
    waiting: deque[Call] = field(default_factory=deque)
    late: int = 0

    def ask(self, action: str, payload: Payload) -> Call:
        """Enter a call, with a fresh id."""
        call = Call(fresh_id(), action, dict(payload))
        self.waiting.append(call)
        return call

    def next(self) -> Call | None:
        """The call to send now, or None while one is open or none waits."""
        if self.open is not None or not self.waiting:
            return None
        self.open = self.waiting.popleft()
        return self.open

    def answer(self, message_id: str) -> Call | None:
        """The open call that an answer belongs to, now closed; None for a late or foreign one."""
        if self.open is None or self.open.id != message_id:
            self.late += 1
            return None
        call, self.open = self.open, None
        return call

    def give_up(self, call: Call) -> None:
        """Forget a call that nobody waits for any more, open or waiting."""
        if self.open is call:
            self.open = None
        elif call in self.waiting:
            self.waiting.remove(call)
