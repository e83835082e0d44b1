"""What a service is shown in the handshake: its own credentials, never the charger's."""

from __future__ import annotations

import base64
import re

from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.services.plan import Credentials

_HEX_KEY = re.compile(r"[0-9A-Fa-f]{40}")


class Unsayable(ProxyError):
    """Credentials that no header can hold: why, without them."""


def authorizations(credentials: Credentials, identity: str) -> list[str]:
    """The Authorization headers to try in turn; none where nothing is shown. Raises Unsayable.

    Mostly it is one. A password of 40 hex digits may be a text (1.6 security whitepaper, 2.x A00.FR.205), or
    spell a key of 20 bytes (1.6 J §6.2): whoever gave it to the user did not say which.
    """
    if credentials.kind == "token":
        return [f"Bearer {_of_a_header(credentials.token)}"]
    if credentials.kind != "basic":
        return []
    user = credentials.username or identity
    if ":" in user:
        raise Unsayable("a user's name must hold no colon (A00.FR.204)")
    return [_basic(user, password) for password in _readings(credentials.password)]


def _readings(password: str) -> list[bytes]:
    text = password.encode()
    return [text, bytes.fromhex(password)] if _HEX_KEY.fullmatch(password) else [text]


def _basic(user: str, password: bytes) -> str:
    return "Basic " + base64.b64encode(user.encode() + b":" + password).decode()


def _of_a_header(token: str) -> str:
    """A token as configured; one read from a file ends in a new line."""
    bare = token.strip()
    if not bare:
        raise Unsayable("no token is configured")
    if not bare.isascii() or not bare.isprintable():
        raise Unsayable("the token holds characters that no header may hold")
    return bare
