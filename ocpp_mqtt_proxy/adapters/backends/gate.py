"""The backends' gate: who may come in at `/backend?id=`, and each socket's conversation (contract §4)."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters.backends.link import Counters, Link
from ocpp_mqtt_proxy.backends.desk import Backend, Desk
from ocpp_mqtt_proxy.backends.fanout import Fanout
from ocpp_mqtt_proxy.backends.tokens import Tokens
from ocpp_mqtt_proxy.budget import Buckets, Budget
from ocpp_mqtt_proxy.checking import TooManyAttempts
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.model import is_provider_id
from ocpp_mqtt_proxy.sockets import Connection

log = logging.getLogger(__name__)

MAX_SOCKETS = 20
"""Open sockets of one backend."""

MAX_BACKENDS = 1000
"""Open sockets of all backends: the rest of the house's places are the chargers'."""

PING_INTERVAL, PONG_SECONDS = 30.0, 20.0

REQUESTS_PER_SECOND, BURST = 100.0, 1000
"""Requests of one backend over all its sockets, each judged and written down; who asks more is read more slowly."""

Refusal = tuple[HTTPStatus, str]


@dataclass
class BackendGate:
    """Lets backends in and holds their conversations."""

    desk: Desk
    fanout: Fanout
    tokens: Tokens
    budget: Budget = field(default_factory=Budget)
    links: dict[str, list[Link]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[int] = field(default_factory=Counter)
    past: Counters = field(default_factory=Counters)
    _guests: WeakKeyDictionary[Connection, str] = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        self._visits = Buckets(self.budget.visits_per_second, self.budget.visits)
        self._pace = Buckets(REQUESTS_PER_SECOND, BURST)

    # At the door

    async def admit(self, connection: Connection, request: Request) -> Response | None:
        """Judge an upgrade request: None lets it in, else the refusal. Never logs its query, nor its headers."""
        query = parse_qs(request.path.partition("?")[2], keep_blank_values=True)
        provider = query.get("id", [""])[0]
        refusal = await self._judge(provider, request.headers, query.get("token", []), address_of(connection))
        if refusal is None:
            self._guests[connection] = provider
            return None
        status, why = refusal
        self.refused[status.value] += 1
        shown = provider if is_provider_id(provider) else repr(provider[:100])
        log.warning("backend %s: refused from %s: %s %s", shown, address_of(connection), status.value, why)
        response = connection.respond(status, f"{why}\n")
        if status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Bearer realm="ocpp"'
        return response

    async def _judge(self, provider: str, headers: Headers, asked: list[str], address: str) -> Refusal | None:
        if not is_provider_id(provider):
            return HTTPStatus.BAD_REQUEST, "give your id: /backend?id=<letters, digits, _ and ->"
        if _of_another_site(headers):
            return HTTPStatus.FORBIDDEN, "a request of another site's page"
        if refusal := self._locked_out(provider):
            return refusal
        try:
            right = await self.tokens.is_right(provider, _token(headers, asked, provider), address)
        except TooManyAttempts as error:
            return HTTPStatus.TOO_MANY_REQUESTS, str(error)
        if not right:
            return HTTPStatus.UNAUTHORIZED, self.tokens.advice(provider)
        return self._no_place(provider)

    def _locked_out(self, provider: str) -> Refusal | None:
        """Who may not come whatever it brings. Of one that nobody knows the answer is what to configure."""
        if self.tokens.is_service(provider):
            return HTTPStatus.FORBIDDEN, "this is the id of a service, which no backend may take"
        refusal = self.desk.refusal(provider)
        unknown = refusal is not None and self.desk.arbitration.rules.terms(provider) is None
        if refusal is None or (unknown and refusal.reason is Reason.NOT_ALLOWED):
            return None
        return HTTPStatus.FORBIDDEN, f"{refusal.reason}: {refusal.message}"

    def _no_place(self, provider: str) -> Refusal | None:
        now = asyncio.get_running_loop().time()
        if not self._visits.of(provider, now).allows(now):
            return HTTPStatus.TOO_MANY_REQUESTS, "this backend connects anew too often; later it may again"
        if len(self.links.get(provider, ())) >= MAX_SOCKETS:
            return HTTPStatus.TOO_MANY_REQUESTS, f"this backend has {MAX_SOCKETS} sockets open already"
        if sum(map(len, self.links.values())) >= MAX_BACKENDS:
            return HTTPStatus.SERVICE_UNAVAILABLE, "too many backends are connected"
        return None

    # Inside

    async def converse(self, connection: Connection) -> None:
        """Hold a backend's conversation until its socket closes."""
        provider = self._guests.pop(connection)
        address = address_of(connection)
        connection.forget_request()
        pace = self._pace.of(provider, asyncio.get_running_loop().time())
        link = Link(Backend(provider), connection, self.desk, pace, self.fanout.leave)
        self.links[provider].append(link)
        self.fanout.join(link)
        self.desk.arbitration.arrived(provider)
        log.info("backend %s: connected from %s", provider, address)
        connection.keep_alive(PING_INTERVAL, PONG_SECONDS)
        try:
            await link.run()
        finally:
            self._left(link)

    def _left(self, link: Link) -> None:
        provider = link.backend.provider
        self.fanout.leave(link)
        self.links[provider].remove(link)
        if not self.links[provider]:
            del self.links[provider]
        self.past.add(link.counters)
        log.info("backend %s: disconnected: %s", provider, link.connection.farewell)
        self.desk.arbitration.left(provider)

    def counted(self) -> Counters:
        """What went over all links since the program started."""
        total = Counters()
        total.add(self.past)
        for links in self.links.values():
            for link in links:
                total.add(link.counters)
        return total


def _token(headers: Headers, asked: list[str], provider: str) -> str:
    """The token that was brought: as Bearer, as the password of Basic, or in the query; empty where none was."""
    for value in headers.get_all("Authorization"):
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "bearer":
            return rest.strip()
        if scheme.lower() == "basic":
            return _password(rest.strip(), provider)
    return asked[0] if asked else ""


def _password(encoded: str, provider: str) -> str:
    """The password of Basic authentication, where its user is the backend itself or nobody."""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # neither base64 nor text
        return ""
    return password if user in ("", provider) else ""


def _of_another_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page that is not ours: it would bring what the browser's user may."""
    origins = headers.get_all("Origin")
    if not origins:
        return False
    try:
        return urlsplit(origins[0]).netloc.lower() != headers.get("Host", "").lower()
    except ValueError:
        return True


def address_of(connection: Connection) -> str:
    """The peer's IP address."""
    peer = connection.remote_address
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""
