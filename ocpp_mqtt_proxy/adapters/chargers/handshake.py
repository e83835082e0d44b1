"""Who knocks: a charger's id, credentials and OCPP version out of its upgrade request (contract §4).

Pure: a request's path and headers in, a `Visit` out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, unquote

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.model import RESERVED_IDS, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS, SUBPROTOCOLS

ANONYMOUS = "charger"
"""The id of a charger that gives none."""

MAX_ID = 255

_VERSION_WORD = re.compile(r"(?P<prefix>ocpp|v)?(?P<digits>1\.?6j?|2\.?0\.?1|2\.?1)", re.IGNORECASE)
_VERSIONS = {"16": Version.V16, "201": Version.V201, "21": Version.V21}
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class Headers(Protocol):
    """Headers of a request, as `websockets` has them."""

    def get_all(self, key: str) -> list[str]:
        """All values of a header."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Basic authentication brought. The password may be no text (J §6: a raw 20-byte key)."""

    user: str
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Visit:
    """A charger at the door.

    `subprotocol` is the one to confirm, in the charger's own spelling, or None. `version` is the one to speak
    with it, `pinned` where the configuration says so. `credentials` are never shown.
    """

    charger_id: str
    version: Version
    subprotocol: str | None
    offered: tuple[str, ...]
    credentials: Credentials | None = field(repr=False)
    anonymous: bool = False
    pinned: bool = False


def version_word(word: str) -> Version | None:
    """The version that a word in a query or header names: `v2.0.1`, `ocpp16`, `1.6`, `201` …"""
    match = _VERSION_WORD.fullmatch(word.strip())
    return _VERSIONS[match["digits"].lower().replace(".", "").rstrip("j")] if match else None


def version_segment(segment: str) -> Version | None:
    """The version that a segment of a path names. Bare digits name none: `/charger/21` is a charger's number."""
    return None if segment.isdecimal() else version_word(segment)


def visit(target: str, headers: Headers, config: Config) -> Visit:
    """Read an upgrade request."""
    path, _, query = target.partition("?")
    segments = [unquote(segment) for segment in path.split("/") if segment]
    credentials = basic(headers)
    charger_id, anonymous = _charger_id(segments, credentials, config)
    offered, pinned = offers(headers), _configured(charger_id, config)
    version, subprotocol = _agreed(offered, pinned)
    version = version or _hinted(_hints(headers, query, segments), config)
    return Visit(charger_id, version, subprotocol, offered, credentials, anonymous, pinned is not None)


def _charger_id(segments: list[str], credentials: Credentials | None, config: Config) -> tuple[str, bool]:
    """The last segment that is no version and not `charger`; else the one configured, the user, or nobody."""
    named = [s for s in segments if s != "charger" and version_segment(s) is None]
    if named:
        return named[-1], False
    if len(config.chargers) == 1:
        return config.chargers[0].id, False
    if credentials is not None and credentials.user:
        return credentials.user, False
    return ANONYMOUS, True


def possible_id(charger_id: str) -> bool:
    """Whether a charger may be called so."""
    readable = charger_id.isprintable() and charger_id.strip() and _UNREADABLE not in charger_id
    return bool(readable) and len(charger_id) <= MAX_ID and charger_id.lower() not in RESERVED_IDS


def offers(headers: Headers) -> tuple[str, ...]:
    """The subprotocols offered, in order; separators as sloppy as they come."""
    words = (word for value in headers.get_all("Sec-WebSocket-Protocol") for word in re.split(r"[,;\s]+", value))
    return tuple(word for word in words if word)


def _hints(headers: Headers, query: str, segments: list[str]) -> Iterator[Version | None]:
    """The versions hinted at, in the contract's order."""
    fields = parse_qs(query)
    words = [
        *headers.get_all("X-OCPP-Version"),
        *headers.get_all("OCPP-Version"),
        *fields.get("version", []),
        *fields.get("ocpp_version", []),
    ]
    yield from map(version_word, words)
    yield from map(version_segment, segments)


def _configured(charger_id: str, config: Config) -> Version | None:
    """The version that the configuration says a charger speaks."""
    configured = config.charger(charger_id)
    return Version(configured.version) if configured and configured.version != "auto" else None


def _agreed(offered: tuple[str, ...], pinned: Version | None) -> tuple[Version | None, str | None]:
    """The version and subprotocol of the first offer that we speak, or speak with this charger."""
    for word in offered:
        version = SUBPROTOCOLS.get(word.lower())
        if version is not None and pinned in (None, version):
            return version, word
    return pinned, None


def _hinted(hints: Iterator[Version | None], config: Config) -> Version:
    """The version hinted at, where hints count; else the one to assume."""
    counting = hints if config.auto_detect_ocpp_version else ()
    return next((version for version in counting if version in DIALECTS), None) or Version(config.ocpp_version)


def basic(headers: Headers) -> Credentials | None:
    """The credentials of an Authorization header, or None."""
    for value in headers.get_all("Authorization"):
        scheme, _, encoded = value.partition(" ")
        if scheme.lower() != "basic":
            continue
        try:
            user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except ValueError:  # not base64, or not even ASCII
            return None
        return Credentials(user.decode("utf-8", "replace"), password) if colon else None
    return None
