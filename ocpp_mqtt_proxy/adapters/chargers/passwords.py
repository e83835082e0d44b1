"""How chargers write their passwords."""

from __future__ import annotations

import re

from ocpp_mqtt_proxy.passwords import matches

_HEX_KEY = re.compile(r"[0-9A-Fa-f]{40}")


def any_reading(given: bytes, stored: str) -> bool:
    """A password may be text, or the 20-byte key that the stored one spells in hex, raw or in hex (J §6, W)."""
    text = given.decode("utf-8", "replace")
    readings = {text, given.hex(), given.hex().upper()}
    if _HEX_KEY.fullmatch(text):
        readings |= {text.lower(), text.upper()}
    return any(matches(reading, stored) for reading in sorted(readings))
