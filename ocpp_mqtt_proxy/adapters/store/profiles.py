"""What a charger takes as text, and back: the forms of profiles, what it holds of ours, and what was learned of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, Purpose
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps


def text_of(memory: ChargerMemory) -> str | None:
    """What is known of what a charger takes; None where that is nothing."""
    known_ = {
        "form": asdict(memory.form) if memory.form else None,
        "session_form": asdict(memory.session_form) if memory.session_form else None,
        "lowered": sorted(memory.lowered),
        "installed": document(memory.installed),
        "safe": memory.safe,
        "earlier_limit": memory.earlier_limit,
        "untimed": memory.untimed,
        "flat": memory.flat,
        "most_periods": memory.most_periods,
        "learned": sorted(memory.learned),
        "asked": {str(key): document(held) for key, held in memory.asked.items()},
    }
    is_known = any(value is not None and value is not False and value not in ([], {}) for value in known_.values())
    return orjson.dumps(known_).decode() if is_known else None


def known(text: str | None) -> dict[str, Any]:
    """What was known of what a charger takes, as `ChargerMemory` has it."""
    stored = _stored(text)
    return {
        "form": _form(stored.get("form")),
        "session_form": _form(stored.get("session_form")),
        "lowered": set(stored.get("lowered", ())),
        "installed": held_of(stored.get("installed")),
        "safe": _amps(stored.get("safe")),
        "earlier_limit": _amps(stored.get("earlier_limit")),
        "untimed": stored.get("untimed", False),
        "flat": stored.get("flat", False),
        "most_periods": stored.get("most_periods"),
        "learned": set(stored.get("learned", ())),
        "asked": {key: held for key, one in stored.get("asked", {}).items() if (held := held_of(one)) is not None},
    }


_ONCE = ("form", "session_form", "lowered", "installed")
"""What older programs wrote as a list, the last in A; the oldest the one form alone."""


def _stored(text: str | None) -> Mapping[str, Any]:
    stored = orjson.loads(text) if text else {}
    if isinstance(stored, list):
        return dict(zip(_ONCE, stored, strict=False))
    return {"form": stored} if "stack_level" in stored else stored


def document(held: Held | None) -> object:
    """What a charger holds of ours, as it is stored."""
    if held is None:
        return None
    steps = [[at.isoformat(), amps] for at, amps in held.steps]
    return [steps, held.until.isoformat() if held.until else None]


def held_of(stored: object) -> Held | None:
    """What was stored of that; a number is what older programs knew."""
    if isinstance(stored, int | float):
        return Held(((datetime.min.replace(tzinfo=UTC), Amps(stored)),))
    if not isinstance(stored, list):
        return None
    steps, until = stored
    line = tuple((datetime.fromisoformat(at), Amps(amps)) for at, amps in steps)
    return Held(line, datetime.fromisoformat(until) if until else None)


def _form(stored: Mapping[str, Any] | None) -> ProfileForm | None:
    if stored is None:
        return None
    purpose = stored.get("purpose")
    return ProfileForm(**{**stored, "purpose": Purpose(purpose) if purpose else None})


def _amps(stored: float | None) -> Amps | None:
    return None if stored is None else Amps(stored)
