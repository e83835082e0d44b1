"""Keys that later versions act upon."""

from __future__ import annotations

from pydantic import BaseModel

LATER: dict[str, str] = {"http.tls": "TLS towards chargers"}
"""Keys that are checked but not acted upon yet, with what they belong to; a start says so."""


def not_acted_upon(config: BaseModel) -> list[str]:
    """The keys that were set and have no effect in this version."""
    return [f"{key} ({topic})" for key, topic in LATER.items() if _is_set(config, key.split("."))]


def _is_set(part: object, path: list[str]) -> bool:
    """Whether a key was given in a part of the configuration."""
    assert isinstance(part, BaseModel)
    key, *rest = path
    return key in part.model_fields_set and (not rest or _is_set(getattr(part, key), rest))
