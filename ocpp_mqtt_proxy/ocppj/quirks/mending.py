"""Repairing frames before they are judged. Only what fails comes here: good frames cost nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj import rpc, schema
from ocpp_mqtt_proxy.ocppj.quirks import Active
from ocpp_mqtt_proxy.ocppj.quirks.rows import LEFT_OUT, Payload
from ocpp_mqtt_proxy.ocppj.rpc import BadFrame, Frame
from ocpp_mqtt_proxy.ocppj.schema import Fault, Violation

MOST_BYTES = 32 * 1024
"""Bytes of a frame that is read again; to look through a longer one would cost others their turn."""

MOST_VALUES = 2000
"""Values of a payload that is repaired; in a larger one, faults alone could take seconds to gather."""

MOST_ROUNDS = 4
"""How often a payload is looked at again: what was repaired may hold the next fault."""

OPAQUE = ("data",)
"""What a vendor says in its own way is passed on as it came (DataTransfer)."""

Step = str | int


@dataclass(frozen=True, slots=True)
class Reread:
    """A frame that could be read once it was repaired, and the quirks it was repaired by."""

    frame: Frame
    mended: tuple[str, ...]


def reread(data: bytes | str, version: Version, quirks: Active) -> Reread | None:
    """Read a frame that is not JSON, by what a charger is known to get wrong; None where it still is none."""
    if len(data) > MOST_BYTES:
        return None
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    mended: list[str] = []
    for name, repair in quirks.texts:
        repaired = repair(text)
        if repaired != text:
            text = repaired
            mended.append(name)
    if not mended:
        return None
    try:
        return Reread(rpc.parse(text.encode("utf-8", "surrogateescape"), version), tuple(mended))
    except BadFrame:
        return None


def mend(
    version: Version, action: str, payload: Mapping[str, object], violation: Violation, quirks: Active
) -> tuple[Payload, Violation]:
    """A payload that breaks its schema, repaired as far as it goes; and how it broke it, by what it was mended.

    The violation's `missing` are those that are missing still.
    """
    whole, by = _mended_whole(version, action, dict(payload), quirks)
    if by:
        left = schema.check(version, action, whole)
        violation = replace(violation, missing=left.missing if left else frozenset())
    mended, by_value = _mended_values(version, action, whole, quirks)
    return mended, replace(violation, mended=(*by, *dict.fromkeys(by_value)))


def _mended_whole(version: Version, action: str, payload: Payload, quirks: Active) -> tuple[Payload, list[str]]:
    by: list[str] = []
    for name, repair in quirks.messages(version, action):
        repaired = repair(payload)
        if repaired is not payload:
            payload = repaired
            by.append(name)
    return payload, by


def _mended_values(version: Version, action: str, payload: Payload, quirks: Active) -> tuple[Payload, list[str]]:
    by: list[str] = []
    for _ in range(MOST_ROUNDS):
        if _is_large(payload):
            break
        before = len(by)
        for fault in reversed(schema.faults(version, action, payload)):  # the last first: items may be left out
            name, value = ("", None) if fault.path[:1] == OPAQUE else _meant(fault, quirks)
            if name:
                payload = cast("Payload", _with(payload, fault.path, value))
                by.append(name)
        if len(by) == before:
            break
    return payload, by


def _meant(fault: Fault, quirks: Active) -> tuple[str, object]:
    """The first repair that knows a value, and what it makes of it; no name where none does."""
    for name, repair in quirks.values if fault.path else ():
        value = repair(fault)
        if value is not fault.value:
            return name, value
    return "", None


def _with(container: object, path: tuple[Step, ...], value: object) -> object:
    """A copy of a list or object, with one value in it replaced, or left out."""
    step, *rest = path
    if isinstance(container, dict):
        copy = dict(container)
        if value is LEFT_OUT and not rest:
            copy.pop(step, None)
        elif step in copy:
            copy[step] = _with(copy[step], tuple(rest), value) if rest else value
        return copy
    if isinstance(container, list) and isinstance(step, int) and step < len(container):
        inner = _with(container[step], tuple(rest), value) if rest else value
        return [*container[:step], *([] if inner is LEFT_OUT else [inner]), *container[step + 1 :]]
    return container


def _is_large(payload: Payload) -> bool:
    """Whether a payload holds more values than are worth to be looked through."""
    seen, level = 0, [cast("object", payload)]
    while level and seen <= MOST_VALUES:
        within = [
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)
        ]
        seen += sum(map(len, within))
        level = [value for values in within for value in values] if seen <= MOST_VALUES else []
    return seen > MOST_VALUES
