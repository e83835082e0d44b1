"""Passwords and tokens at rest: hashed, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_SCHEME = "scrypt"
_COST = 2**14
_BLOCK = 8
_MEMORY = 2**26
"""Bytes that one hash may take: far more than ours, far less than a Raspberry Pi has."""


def hash_password(password: str) -> str:
    """The form of a password that a configuration may hold: `scrypt$cost$block$salt$hash`."""
    salt = secrets.token_bytes(16)
    return "$".join((_SCHEME, str(_COST), str(_BLOCK), _text(salt), _text(_digest(password, salt, _COST, _BLOCK))))


def is_hashed(stored: str) -> bool:
    """Whether a configured secret is meant as a hash of ours."""
    return stored.startswith(f"{_SCHEME}$")


def is_usable(stored: str) -> bool:
    """Whether something can match a configured secret: a hash must be whole."""
    try:
        return not is_hashed(stored) or bool(_parts(stored))
    except ValueError:
        return False


def matches(given: str, stored: str) -> bool:
    """Whether a password is the stored one, which may be hashed or plain; compared in constant time.

    A hash takes some 50 ms on a PC and more on a Raspberry Pi: call it in a thread.
    """
    if not is_hashed(stored):
        return hmac.compare_digest(given.encode(), stored.encode())
    try:
        salt, cost, block, digest = _parts(stored)
        return hmac.compare_digest(_digest(given, salt, cost, block), digest)
    except ValueError:
        return False


def token_hash(token: str) -> str:
    """A random token at rest. It has 128 bits and more, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _parts(stored: str) -> tuple[bytes, int, int, bytes]:
    """Salt, cost, block and hash. Raises ValueError for what cannot be computed."""
    _, cost_text, block_text, salt, digest = stored.split("$")
    cost, block = int(cost_text), int(block_text)
    if cost < 2 or cost & (cost - 1) or block < 1 or 128 * cost * block >= _MEMORY:
        raise ValueError("a cost or block that cannot be")
    return base64.b64decode(salt, validate=True), cost, block, base64.b64decode(digest, validate=True)


def _digest(password: str, salt: bytes, cost: int, block: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=1, maxmem=_MEMORY)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
