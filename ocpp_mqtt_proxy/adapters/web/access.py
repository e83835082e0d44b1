"""Who may use the API and the page (contract §4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

COOKIE = "ocpp_mqtt_proxy"
COOKIE_LIFETIME = timedelta(days=30)

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

MAX_FAILURES = 10
FAILURE_WINDOW = timedelta(minutes=1)


@dataclass
class Access:
    """Judges requests. `token` is the API's; `ingress_port` is 0 where there is no ingress."""

    token: str
    ingress_port: int = 0
    ingress_from: Iterable[str] = ()
    _failures: list[datetime] = field(default_factory=list)

    def allows(self, request: Request) -> bool:
        """Whether a request comes from somebody who may."""
        if self.is_ingress(request):
            return True
        return self._has_token(request) or self._has_cookie(request) or _is_local(request)

    def is_ingress(self, request: Request) -> bool:
        """Whether a request comes through Home Assistant's ingress, which has checked its user."""
        client = request.client.host if request.client else ""
        return self.on_ingress_port(request) and client in self.ingress_from

    def on_ingress_port(self, request: Request) -> bool:
        """Whether a request reached the ingress port, from wherever."""
        server = request.scope.get("server") or ("", 0)
        return bool(self.ingress_port) and server[1] == self.ingress_port

    def _has_token(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(given.strip())

    def is_token(self, given: str) -> bool:
        """Whether this is the API's token; takes the same time either way."""
        return bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())

    def _has_cookie(self, request: Request) -> bool:
        expires, _, seal = request.cookies.get(COOKIE, "").partition(".")
        if not expires.isdigit() or not hmac.compare_digest(seal.encode(), self._seal(expires).encode()):
            return False
        return int(expires) > datetime.now(UTC).timestamp()

    def cookie(self) -> str:
        """A cookie's value, good for its lifetime; a new API token makes all of them void."""
        expires = str(int((datetime.now(UTC) + COOKIE_LIFETIME).timestamp()))
        return f"{expires}.{self._seal(expires)}"

    def _seal(self, expires: str) -> str:
        return hmac.new(self.token.encode(), f"cookie {expires}".encode(), hashlib.sha256).hexdigest()

    def too_many_failures(self) -> bool:
        """Whether logins are tried too fast; a configured token may be guessable."""
        since = datetime.now(UTC) - FAILURE_WINDOW
        self._failures = [at for at in self._failures if at > since]
        return len(self._failures) >= MAX_FAILURES

    def note_failure(self) -> None:
        """A login failed."""
        self._failures.append(datetime.now(UTC))


def _is_local(request: Request) -> bool:
    """From this machine, straight: not through a proxy, and not by a name that a web site may have rebound."""
    client = request.client.host if request.client else ""
    try:
        loopback = ip_address(client).is_loopback
    except ValueError:
        return False
    forwarded = any(name in request.headers for name in FORWARDED)
    return loopback and not forwarded and request.url.hostname in _LOCAL_NAMES


def is_cross_site(request: Request) -> bool:
    """Whether a browser sends this for another site's page."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc != request.headers.get("host", "")
    embedded = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    return request.headers.get("sec-fetch-site") == "cross-site" and embedded
