"""The chargers' gate: who may come in, whose socket counts, and each charger's conversation (contract §4)."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from weakref import WeakKeyDictionary

from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters.chargers.handshake import Visit, possible_id, visit
from ocpp_mqtt_proxy.adapters.chargers.link import Counters, Link, Timing
from ocpp_mqtt_proxy.adapters.chargers.passwords import Passwords
from ocpp_mqtt_proxy.budget import Buckets, Budget
from ocpp_mqtt_proxy.checking import TooManyAttempts
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS, SUBPROTOCOLS
from ocpp_mqtt_proxy.sockets import Connection

log = logging.getLogger(__name__)

PING_INTERVAL = 30
"""Seconds between pings to a charger that is not configured."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """An unknown charger that wanted in."""

    charger_id: str
    address: str
    at: datetime


@dataclass(slots=True)
class Present:
    """A charger whose socket is open."""

    link: Link
    connection: Connection
    address: str


@dataclass
class ChargerGate:
    """Lets chargers in and holds their conversations."""

    hub: Hub
    config: Config
    commissioning: Commissioning
    timing: Timing = field(default_factory=Timing)
    budget: Budget = field(default_factory=Budget)
    present: dict[str, Present] = field(default_factory=dict)
    strangers: OrderedDict[str, Stranger] = field(default_factory=OrderedDict)
    refused: Counter[int] = field(default_factory=Counter)
    _past: dict[str, Counters] = field(default_factory=dict)
    _guests: WeakKeyDictionary[Connection, Visit] = field(default_factory=WeakKeyDictionary)

    def __post_init__(self) -> None:
        self._passwords = Passwords(self.hub, self.config, self.budget)
        self._visits = Buckets(self.budget.visits_per_second, self.budget.visits, self.budget.chargers)

    # At the door

    async def admit(self, connection: Connection, request: Request) -> Response | None:
        """Judge an upgrade request: None lets it in, else the refusal. Never logs credentials."""
        guest = visit(request.path, request.headers, self.config)
        refusal = await self._judge(guest, connection)
        if refusal is not None:
            status, why = refusal
            self.refused[status.value] += 1
            shown = guest.charger_id if possible_id(guest.charger_id) else repr(guest.charger_id)
            log.warning("%s: refused from %s: %s %s", shown, address_of(connection), status.value, why)
            response = connection.respond(status, f"{why}\n")
            if status is HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
            return response
        _smooth(request, guest)
        self._guests[connection] = guest
        return None

    async def _judge(self, guest: Visit, connection: Connection) -> tuple[HTTPStatus, str] | None:
        if not possible_id(guest.charger_id):
            return HTTPStatus.NOT_FOUND, "no charger may have this id"
        try:
            authenticated = await self._passwords.are_right(guest, address_of(connection))
        except TooManyAttempts as error:
            return HTTPStatus.TOO_MANY_REQUESTS, str(error)
        if authenticated is False:
            return HTTPStatus.UNAUTHORIZED, "user must be the charger's id, password the configured one"
        if not self.is_welcome(guest.charger_id, address_of(connection)):
            self._remember(guest.charger_id, address_of(connection))
            return HTTPStatus.NOT_FOUND, "unknown charger; accept it on the page or configure it"
        if not await self._may_replace(guest, connection, trusted=authenticated is True):
            return HTTPStatus.CONFLICT, "this charger is connected already, and answers"
        now = asyncio.get_running_loop().time()
        if not self._visits.of(guest.charger_id, now).allows(now):
            return HTTPStatus.TOO_MANY_REQUESTS, "this charger connects anew too often; later it may again"
        return None

    def is_welcome(self, charger_id: str, address: str) -> bool:
        """Known chargers are; of others by `accept_unknown_chargers`, the first from the house's own network."""
        if self.config.charger(charger_id) or charger_id in self.hub.stations:
            return True
        policy = self.config.accept_unknown_chargers
        if policy == "first":
            others = self.config.chargers or self.hub.stations or self._others_come_in(charger_id)
            return not others and is_private(address)
        return policy and len(self.hub.stations) < self.budget.chargers

    def _others_come_in(self, charger_id: str) -> bool:
        return any(guest.charger_id != charger_id for guest in self._guests.values())

    def _remember(self, charger_id: str, address: str) -> None:
        self.strangers.pop(charger_id, None)
        self.strangers[charger_id] = Stranger(charger_id, address, self.hub.clock.now())
        while len(self.strangers) > self.budget.strangers:
            self.strangers.popitem(last=False)

    def accept(self, charger_id: str) -> None:
        """The owner's click: this charger may come in from now on, after a restart too."""
        self.strangers.pop(charger_id, None)
        self.hub.expect(charger_id)

    async def _may_replace(self, guest: Visit, connection: Connection, *, trusted: bool) -> bool:
        """Whether a new socket may take an open one's place (semantics §1.13).

        At once from the same address or with credentials: chargers notice a dead link before we do. Else only
        if the old one is dead, or anybody in the house's network could throw a charger out.
        """
        present = self.present.get(guest.charger_id)
        if present is None or trusted:
            return True
        if present.address == address_of(connection) and not guest.anonymous:
            return True
        return not await present.connection.answers(self.timing.proof)

    # Inside

    async def converse(self, connection: Connection) -> None:
        """Hold a charger's conversation until its socket closes."""
        guest = self._guests.pop(connection)
        connection.forget_request()
        if why := self._nothing_to_speak(guest):
            log.warning("%s: closed: %s", guest.charger_id, why)
            await connection.close(CloseCode.PROTOCOL_ERROR, "no common subprotocol")
            return
        self._replace(guest.charger_id)
        link = self._link(guest, connection)
        address = address_of(connection)
        self.present[guest.charger_id] = Present(link, connection, address)
        self.hub.connect(guest.charger_id, link, address)
        log.info("%s: connected from %s, OCPP %s", guest.charger_id, address, guest.version)
        if interval := self._ping_interval(guest.charger_id):
            connection.keep_alive(interval, self.timing.pong)
        try:
            await link.run()
        finally:
            self._left(guest.charger_id, link)
        if link.counters.frames == link.counters.bad_frames:
            await self._forget_passer_by(guest.charger_id)

    def _nothing_to_speak(self, guest: Visit) -> str:
        """Why there is no language in common; empty where there is."""
        if guest.subprotocol is not None:
            return ""
        if guest.offered:
            spoken = f"OCPP {guest.version}" if guest.pinned else ", ".join(SUBPROTOCOLS)
            return f"it offers only {', '.join(guest.offered)}; spoken with it: {spoken}"
        return "it offers no subprotocol, which strict_subprotocol asks for" if self.config.strict_subprotocol else ""

    def _ping_interval(self, charger_id: str) -> int:
        """Seconds between pings; 0 for none."""
        configured = self.config.charger(charger_id)
        return configured.ping_interval if configured else PING_INTERVAL

    def _link(self, guest: Visit, connection: Connection) -> Link:
        return Link(
            guest.charger_id,
            DIALECTS[guest.version],
            connection,
            self.hub,
            self.commissioning,
            self.timing,
            log_frames=self.config.log.frames,
        )

    def _replace(self, charger_id: str) -> None:
        old = self.present.pop(charger_id, None)
        if old is not None:
            log.info("%s: a new socket takes the old one's place", charger_id)
            old.link.close("another socket of the same charger took its place")

    def counted(self, charger_id: str) -> Counters:
        """What went over a charger's links since the program started."""
        total = Counters()
        if past := self._past.get(charger_id):
            total.add(past)
        if present := self.present.get(charger_id):
            total.add(present.link.counters)
        return total

    def _left(self, charger_id: str, link: Link) -> None:
        present = self.present.get(charger_id)
        if present is not None and present.link is link:
            del self.present[charger_id]
        if charger_id in self.hub.stations:
            self._past.setdefault(charger_id, Counters()).add(link.counters)
        reason = link.closing or "a fault of ours"
        log.info("%s: disconnected: %s", charger_id, reason)
        self.hub.disconnect(charger_id, link, reason)

    async def _forget_passer_by(self, charger_id: str) -> None:
        """What never sent one OCPP frame was no charger: it must not stay for the first one."""
        station = self.hub.stations.get(charger_id)
        if station is None or charger_id in self.present or self.config.charger(charger_id):
            return
        if not station.memory.accepted and not station.connectors:
            await self.hub.forget(charger_id)


def _smooth(request: Request, guest: Visit) -> None:
    """Make a sloppy request one that the handshake takes: exactly the subprotocol to confirm."""
    _put(request, "Sec-WebSocket-Protocol", guest.subprotocol)
    if "upgrade" not in ",".join(request.headers.get_all("Connection")).lower():
        _put(request, "Connection", "Upgrade")  # some chargers leave it out (peers §5)


def _put(request: Request, header: str, value: str | None) -> None:
    with suppress(KeyError):
        del request.headers[header]
    if value is not None:
        request.headers[header] = value


def address_of(connection: Connection) -> str:
    """The peer's IP address."""
    peer = connection.remote_address
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def is_private(address: str) -> bool:
    """Whether an address is of a private network or this machine."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return ((ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip).is_private
