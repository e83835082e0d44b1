"""Messages that a service wants now: told from what we know, for it alone (semantics §7, TriggerMessage)."""

from __future__ import annotations

from typing import Any

HANDLERS: dict[type, Any] = {}
