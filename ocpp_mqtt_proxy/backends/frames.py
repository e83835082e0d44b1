"""A backend's frame: one JSON object with an id, an action and its arguments (contract §7). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.commands import Outcome

MAX_MESSAGE = 64 * 1024
"""Bytes of a message: a profile with all its periods has some 60,000."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as far as it could be read. `fault` says what is wrong with it; then there is nothing to carry out."""

    id: Any = None
    action: Any = None
    arguments: dict[str, Any] = field(default_factory=dict)
    fault: str = ""


def opened(message: bytes) -> Frame:
    """A frame from its text."""
    try:
        document = orjson.loads(message)
    except orjson.JSONDecodeError as error:
        return Frame(fault=f"a message must be a JSON object: {error}")
    if not isinstance(document, dict):
        return Frame(fault="a message must be a JSON object")
    given, action = document.pop("id", None), document.pop("action", None)
    if isinstance(given, dict | list):
        return Frame(action=action, fault="id: must be a text or a number")
    return Frame(given, action, document)


def answer(frame: Frame, outcome: Outcome) -> bytes:
    """The answer to a frame, encoded."""
    try:
        return shapes.dump(shapes.response(frame.id, frame.action, outcome))
    except TypeError:  # what a charger answered may be too deep for our JSON
        return shapes.dump(shapes.response(frame.id, frame.action, replace(outcome, result={})))
