"""What a message of the house's own tells: a word or a number, plain or as JSON, or in a JSON object."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

LONGEST = 1000
"""Bytes of a message that may tell anything."""


def told(payload: bytes, keys: Iterable[str]) -> str | None:
    """What is told, as text; of an object under the first of the keys that it has. None for too long a message."""
    if len(payload) > LONGEST:
        return None
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        value = payload.decode("utf-8", "replace")
    if isinstance(value, dict):
        value = next((value[key] for key in keys if key in value), None)
    return str(value)
