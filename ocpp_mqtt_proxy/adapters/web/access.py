"""Who may use the API and the page (contract §4)."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request

COOKIE = "ocpp_mqtt_proxy"
COOKIE_LIFETIME = timedelta(days=30)

FORWARDED = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip"})
"""Headers that a proxy adds; beside them every one that begins with `x-forwarded`."""

MAX_FAILURES = 10
FAILURE_WINDOW = timedelta(minutes=1)
MAX_ADDRESSES = 1000


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Attempts:
    """Wrong tokens by address: a configured one may be guessable, so who guesses fast has to wait."""

    failed: OrderedDict[str, list[datetime]] = field(default_factory=OrderedDict)

    def too_many(self, address: str, now: datetime) -> bool:
        """Whether an address has to wait."""
        recent = [at for at in self.failed.get(address, ()) if at > now - FAILURE_WINDOW]
        return len(recent) >= MAX_FAILURES

    def note(self, address: str, now: datetime) -> None:
        """One more failed; the addresses that failed longest ago are forgotten."""
        earlier = self.failed.pop(address, [])
        self.failed[address] = [*earlier[1 - MAX_FAILURES :], now]
        while len(self.failed) > MAX_ADDRESSES:
            self.failed.popitem(last=False)


@dataclass
class Access:
    """Judges requests. `token` is the API's; `ingress_port` is 0 where there is no ingress."""

    token: str
    ingress_port: int = 0
    ingress_from: Iterable[str] = ()
    now: Callable[[], datetime] = _now
    attempts: Attempts = field(default_factory=Attempts)

    def allows(self, request: Request) -> bool:
        """Whether a request comes from somebody who may."""
        if self.is_ingress(request) or self._has_cookie(request) or is_local(request):
            return True
        return self._has_token(request)

    def is_ingress(self, request: Request) -> bool:
        """Whether a request comes through Home Assistant's ingress, which has checked its user."""
        return self.on_ingress_port(request) and address_of(request) in self.ingress_from

    def on_ingress_port(self, request: Request) -> bool:
        """Whether a request reached the ingress port, from wherever."""
        server = request.scope.get("server") or ("", 0)
        return bool(self.ingress_port) and server[1] == self.ingress_port

    def must_wait(self, request: Request) -> bool:
        """Whether tokens are tried too fast from where this comes from."""
        return self.attempts.too_many(address_of(request), self.now())

    def is_token(self, request: Request, given: str) -> bool:
        """Whether this is the API's token; takes the same time either way. A wrong one counts as an attempt."""
        if self.must_wait(request):
            return False
        right = bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())
        if not right:
            self.attempts.note(address_of(request), self.now())
        return right

    def _has_token(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(request, given.strip())

    def _has_cookie(self, request: Request) -> bool:
        expires, _, seal = request.cookies.get(COOKIE, "").partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(expires).encode()):
            return False
        return int(expires) > self.now().timestamp()

    def cookie(self) -> str:
        """A cookie's value, good for its lifetime; a new API token makes all of them void."""
        expires = str(int((self.now() + COOKIE_LIFETIME).timestamp()))
        return f"{expires}.{self._seal(expires)}"

    def _seal(self, expires: str) -> str:
        return hmac.new(self.token.encode(), f"cookie {expires}".encode(), hashlib.sha256).hexdigest()


def address_of(request: Request) -> str:
    """Where a request comes from; empty where that cannot be told."""
    return request.client.host if request.client else ""


def is_local(request: Request) -> bool:
    """From this machine, straight: not through a proxy, and not by a name that a web site may have rebound."""
    forwarded = any(name in FORWARDED or name.startswith("x-forwarded") for name in request.headers)
    return _is_loopback(address_of(request)) and not forwarded and _is_local_name(_host(request))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _is_local_name(name: str) -> bool:
    return name == "localhost" or _is_loopback(name)


def _host(request: Request) -> str:
    """The name of ours that a request asks for, without the port; empty for nonsense.

    Read from the header itself: the framework's URL falls back to our own address where it dislikes the name.
    """
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def is_cross_site(request: Request) -> bool:
    """Whether a browser sends this for another site's page."""
    origin = request.headers.get("origin")
    if origin is not None:
        return not _same_place(origin, request.headers.get("host", ""))
    embedded = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    return request.headers.get("sec-fetch-site") == "cross-site" and embedded


def _same_place(origin: str, host: str) -> bool:
    """Whether an origin is the host asked; the scheme may differ, because a proxy may have taken TLS off."""
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
