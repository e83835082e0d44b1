"""Start, stop, unlock and reserve for a service: a provider like any other, with ids and places of its own."""

from __future__ import annotations

from typing import Any

HANDLERS: dict[type, Any] = {}
