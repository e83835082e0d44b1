"""Who knocks: a charger's id, credentials and OCPP version out of its upgrade request (contract §4).

Pure: a request's path and headers in, a `Visit` out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.model import RESERVED_IDS, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS, SUBPROTOCOLS

ANONYMOUS = "charger"
"""The id of a charger that gives none."""

MAX_ID = 255

_VERSION_WORD = re.compile(r"(?:ocpp|v)?(?P<digits>1\.?6j?|2\.?0\.?1|2\.?1)", re.IGNORECASE)
_VERSIONS = {"16": Version.V16, "201": Version.V201, "21": Version.V21}


class Headers(Protocol):
    """Headers of a request, as `websockets` has them."""

    def get_all(self, key: str) -> list[str]:
        """All values of a header."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Basic authentication brought. The password may be no text (J §6: a raw 20-byte key)."""

    user: str
    password: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """A charger at the door.

    `subprotocol` is the one to confirm, in the charger's own spelling, or None. `unspoken` where it offers
    only such that we do not speak.
    """

    charger_id: str
    version: Version
    subprotocol: str | None
    offered: tuple[str, ...]
    credentials: Credentials | None
    anonymous: bool = False
    unspoken: bool = False


def version_word(word: str) -> Version | None:
    """The version that a word in a path, query or header names: `v2.0.1`, `ocpp16`, `1.6` …"""
    match = _VERSION_WORD.fullmatch(word.strip())
    return _VERSIONS[match["digits"].lower().replace(".", "").rstrip("j")] if match else None


def visit(target: str, headers: Headers, config: Config) -> Visit:
    """Read an upgrade request."""
    parts = urlsplit("http://host/" + target.lstrip("/"))
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    credentials = basic(headers)
    charger_id, anonymous = _charger_id(segments, credentials, config)
    offered = offers(headers)
    hints = [*_header_hints(headers), *_query_hints(parts.query), *segments]
    version, subprotocol = _version(charger_id, offered, hints, config)
    return Visit(
        charger_id,
        version,
        subprotocol,
        offered,
        credentials,
        anonymous,
        unspoken=bool(offered) and subprotocol is None,
    )


def _charger_id(segments: list[str], credentials: Credentials | None, config: Config) -> tuple[str, bool]:
    """The last segment that is no version and not `charger`; else the one configured, the user, or nobody."""
    named = [s for s in segments if s != "charger" and version_word(s) is None]
    if named:
        return named[-1], False
    if len(config.chargers) == 1:
        return config.chargers[0].id, False
    if credentials is not None and credentials.user:
        return credentials.user, False
    return ANONYMOUS, True


def possible_id(charger_id: str) -> bool:
    """Whether a charger may be called so."""
    return len(charger_id) <= MAX_ID and charger_id.isprintable() and charger_id.lower() not in RESERVED_IDS


def offers(headers: Headers) -> tuple[str, ...]:
    """The subprotocols offered, in order; separators as sloppy as they come."""
    words = (word for value in headers.get_all("Sec-WebSocket-Protocol") for word in re.split(r"[,;\s]+", value))
    return tuple(word for word in words if word)


def _header_hints(headers: Headers) -> list[str]:
    return [*headers.get_all("X-OCPP-Version"), *headers.get_all("OCPP-Version")]


def _query_hints(query: str) -> list[str]:
    fields: Mapping[str, list[str]] = parse_qs(query)
    return [*fields.get("version", []), *fields.get("ocpp_version", [])]


def _version(charger_id: str, offered: tuple[str, ...], hints: list[str], config: Config) -> tuple[Version, str | None]:
    """The version, in the contract's order, and the subprotocol to confirm."""
    configured = config.charger(charger_id)
    fixed = Version(configured.version) if configured and configured.version != "auto" else None
    for word in offered:
        version = SUBPROTOCOLS.get(word.lower())
        if version is not None and fixed in (None, version):
            return version, word
    if fixed is not None:
        return fixed, None
    hinted = (version_word(hint) for hint in hints) if config.auto_detect_ocpp_version else ()
    spoken = (version for version in hinted if version is not None and version in DIALECTS)
    return next(spoken, Version(config.ocpp_version)), None


def basic(headers: Headers) -> Credentials | None:
    """The credentials of an Authorization header, or None."""
    for value in headers.get_all("Authorization"):
        scheme, _, encoded = value.partition(" ")
        if scheme.lower() != "basic":
            continue
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except binascii.Error:
            return None
        return Credentials(user.decode("utf-8", "replace"), password)
    return None
