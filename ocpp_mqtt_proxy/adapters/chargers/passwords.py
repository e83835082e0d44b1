"""Checking chargers' passwords without letting the check cost much.

A hash takes tens of milliseconds of a core by design, so it runs in a thread, few at once and few in line; who is
wrong too often has to wait. What was right once is remembered, keyed by a secret of this process: a charger that
reconnects often costs nothing, and others' wrong guesses never keep it out.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import secrets

from ocpp_mqtt_proxy.budget import Buckets, Budget, network_of
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.passwords import matches

AT_ONCE = 2

_HEX_KEY = re.compile(r"[0-9A-Fa-f]{40}")


class TooManyAttempts(ProxyError):
    """A password is not looked at now."""


class Checker:
    """Compares given passwords with stored ones."""

    def __init__(self, budget: Budget) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._attempts = Buckets(budget.attempts_per_second, budget.attempts)
        self._in_line = 0
        self._most = budget.hashes

    async def matches(self, name: str, given: bytes, stored: str, address: str) -> bool:
        """Whether a given password is the stored one, in any of the ways chargers write it.

        Raises TooManyAttempts.
        """
        seal = hmac.digest(self._key, given + b"\0" + stored.encode(), "sha256")
        if hmac.compare_digest(self._right.get(name, b""), seal):
            return True
        now = asyncio.get_running_loop().time()
        attempts = self._attempts.of((name, network_of(address)), now)
        if not attempts.allows(now):
            raise TooManyAttempts("too many wrong passwords; wait a minute")
        if await self._is_right(given, stored):
            self._right[name] = seal
            attempts.take(-1, now)
            return True
        return False

    async def _is_right(self, given: bytes, stored: str) -> bool:
        if self._in_line >= self._most:
            raise TooManyAttempts("too many passwords are being checked; come again")
        self._in_line += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(_any_reading, given, stored)
        finally:
            self._in_line -= 1


def _any_reading(given: bytes, stored: str) -> bool:
    """A password may be text, or the 20-byte key that the stored one spells in hex, raw or in hex (J §6, W)."""
    text = given.decode("utf-8", "replace")
    readings = {text, given.hex(), given.hex().upper()}
    if _HEX_KEY.fullmatch(text):
        readings |= {text.lower(), text.upper()}
    return any(matches(reading, stored) for reading in sorted(readings))
