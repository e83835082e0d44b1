"""Checking chargers' passwords without letting the check cost much.

A hash takes tens of milliseconds of a core by design, so it runs in a thread, few at once; what was right
once is remembered, keyed by a secret of this process, so that a charger that reconnects often costs nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets

from ocpp_mqtt_proxy.passwords import matches

AT_ONCE = 2

_HEX_KEY = re.compile(r"[0-9A-Fa-f]{40}")


class Checker:
    """Compares given passwords with stored ones."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def matches(self, name: str, given: bytes, stored: str) -> bool:
        """Whether a given password is the stored one, in any of the ways chargers write it."""
        seal = hmac.digest(self._key, given + b"\0" + stored.encode(), "sha256")
        if hmac.compare_digest(self._right.get(name, b""), seal):
            return True
        async with self._turns:
            right = await asyncio.to_thread(_any_reading, given, stored)
        if right:
            self._right[name] = seal
        return right


def _any_reading(given: bytes, stored: str) -> bool:
    """A password may be text, or the 20-byte key that the stored one spells in hex, raw or in hex (J §6, W)."""
    text = given.decode("utf-8", "replace")
    readings = {text, given.hex(), given.hex().upper()}
    if _HEX_KEY.fullmatch(text):
        readings |= {text.lower(), text.upper()}
    return any(matches(reading, stored) for reading in sorted(readings))
