"""Checking chargers' passwords without letting the check cost much.

A hash takes tens of milliseconds of a core by design, so it runs in a thread, few at once; what was right
once is remembered, keyed by a secret of this process, so that a charger that reconnects often costs nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets

from ocpp_mqtt_proxy.passwords import matches

AT_ONCE = 2


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
    """A password may be text, or the raw key that the stored one spells in hex (J §6, W; semantics §9.2)."""
    readings = {given.decode("utf-8", "replace"), given.hex(), given.hex().upper()}
    return any(matches(reading, stored) for reading in sorted(readings))
