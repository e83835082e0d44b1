"""Passwords and tokens at rest: hashed, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_SCHEME = "scrypt"
_COST = 2**14
_BLOCK = 8


def hash_password(password: str) -> str:
    """The form of a password that a configuration may hold: `scrypt$cost$block$salt$hash`."""
    salt = secrets.token_bytes(16)
    return "$".join((_SCHEME, str(_COST), str(_BLOCK), _text(salt), _text(_digest(password, salt, _COST, _BLOCK))))


def is_hashed(stored: str) -> bool:
    """Whether a configured secret is a hash of ours."""
    return stored.startswith(f"{_SCHEME}$") and stored.count("$") == 4


def matches(given: str, stored: str) -> bool:
    """Whether a password is the stored one, which may be hashed or plain. Takes the same time either way.

    A hash takes some 50 ms on a PC and more on a Raspberry Pi: call it in a thread.
    """
    if not is_hashed(stored):
        return hmac.compare_digest(given.encode(), stored.encode())
    try:
        _, cost, block, salt, digest = stored.split("$")
        computed = _digest(given, base64.b64decode(salt), int(cost), int(block))
        return hmac.compare_digest(computed, base64.b64decode(digest))
    except ValueError:
        return False


def token_hash(token: str) -> str:
    """A random token at rest. It has 128 bits and more, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _digest(password: str, salt: bytes, cost: int, block: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=1, maxmem=2**26)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
