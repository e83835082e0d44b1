"""OCPP's CamelCase words in our snake_case, and back."""

from __future__ import annotations

import re
from functools import lru_cache

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=512)
def snake(word: str) -> str:
    """`UnknownVendorId` -> `unknown_vendor_id`, `EVDetected` -> `ev_detected`."""
    return _HUMP.sub("_", word).lower()


@lru_cache(maxsize=512)
def pascal(word: str) -> str:
    """`unknown_vendor_id` -> `UnknownVendorId`."""
    return "".join(part.capitalize() for part in word.split("_"))
