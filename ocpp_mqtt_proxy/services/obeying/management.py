"""What takes management, and what concerns nobody but us: never more than the rules let through (semantics §7)."""

from __future__ import annotations

from typing import Any

HANDLERS: dict[type, Any] = {}
