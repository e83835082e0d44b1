"""Checking passwords and tokens of chargers and backends without letting the check cost much.

A hash takes tens of milliseconds of a core by design, so it runs in a thread, few at once and few in line; who is
wrong too often has to wait. What was right once is remembered, keyed by a secret of this process: who
reconnects often costs nothing, and others' wrong guesses never keep it out.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable

from ocpp_mqtt_proxy.budget import Buckets, Budget, network_of
from ocpp_mqtt_proxy.core.errors import ProxyError

AT_ONCE = 2

Reads = Callable[[bytes, str], bool]


class TooManyAttempts(ProxyError):
    """A password is not looked at now."""


class Checker:
    """Compares given passwords with stored ones. `reads` is how one is read, and whether it is right."""

    def __init__(self, budget: Budget, reads: Reads) -> None:
        self._reads = reads
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._attempts = Buckets(budget.attempts_per_second, budget.attempts)
        self._in_line = 0
        self._most = budget.hashes

    async def matches(self, name: str, given: bytes, stored: str, address: str) -> bool:
        """Whether a given password is the stored one, in any of the ways they are written.

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
                return await asyncio.to_thread(self._reads, given, stored)
        finally:
            self._in_line -= 1
