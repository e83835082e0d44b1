"""The chargers' gate: who may come in, whose socket counts, and each charger's conversation (contract §4)."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from weakref import WeakKeyDictionary

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters.chargers.handshake import Credentials, Visit, possible_id, visit
from ocpp_mqtt_proxy.adapters.chargers.link import Link, Timing
from ocpp_mqtt_proxy.adapters.chargers.passwords import Checker
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS

log = logging.getLogger(__name__)

MAX_WAITING = 20
"""Unknown chargers remembered for a click."""

PING_TIMEOUT = 5.0
"""Seconds an open socket has to prove that it lives, when another claims its charger."""


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
    connection: ServerConnection
    address: str


@dataclass
class ChargerGate:
    """Lets chargers in and holds their conversations."""

    hub: Hub
    config: Config
    commissioning: Commissioning
    timing: Timing = field(default_factory=Timing)
    present: dict[str, Present] = field(default_factory=dict)
    strangers: OrderedDict[str, Stranger] = field(default_factory=OrderedDict)
    welcome: set[str] = field(default_factory=set)
    _visits: WeakKeyDictionary[ServerConnection, Visit] = field(default_factory=WeakKeyDictionary)
    _checker: Checker = field(default_factory=Checker)

    # At the door

    async def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Judge an upgrade request: None lets it in, else the refusal. Never logs credentials."""
        guest = visit(request.path, request.headers, self.config)
        refusal = await self._judge(guest, connection)
        if refusal is not None:
            status, why = refusal
            log.warning("%s: refused from %s: %s %s", guest.charger_id, address_of(connection), status.value, why)
            response = connection.respond(status, f"{why}\n")
            if status is HTTPStatus.UNAUTHORIZED:
                response.headers["WWW-Authenticate"] = 'Basic realm="ocpp"'
            return response
        self._smooth(request, guest)
        configured = self.config.charger(guest.charger_id)
        connection.ping_interval = (configured.ping_interval if configured else 30) or None
        self._visits[connection] = guest
        return None

    async def _judge(self, guest: Visit, connection: ServerConnection) -> tuple[HTTPStatus, str] | None:
        if not possible_id(guest.charger_id):
            return HTTPStatus.NOT_FOUND, "no charger may have this id"
        authenticated = await self._authenticate(guest)
        if authenticated is False:
            return HTTPStatus.UNAUTHORIZED, "user must be the charger's id, password the configured one"
        if not self._is_welcome(guest.charger_id, address_of(connection)):
            self._remember(guest.charger_id, address_of(connection))
            return HTTPStatus.NOT_FOUND, "unknown charger; accept it on the page or configure it"
        if self.config.strict_subprotocol and guest.subprotocol is None and not guest.unspoken:
            return HTTPStatus.BAD_REQUEST, "a subprotocol must be offered (strict_subprotocol)"
        if not await self._may_replace(guest, connection, trusted=authenticated is True):
            return HTTPStatus.CONFLICT, "this charger is connected already, and answers"
        return None

    async def _authenticate(self, guest: Visit) -> bool | None:
        """Whether the credentials are right; None where none are asked for (security profile 0)."""
        configured = self.config.charger(guest.charger_id)
        stored = configured.password.get_secret_value() if configured else ""
        if not stored:
            return None
        given = guest.credentials or Credentials("", b"")
        right = await self._checker.matches(guest.charger_id, given.password, stored)
        return right and given.user == guest.charger_id

    def _is_welcome(self, charger_id: str, address: str) -> bool:
        """Known chargers are; of others by `accept_unknown_chargers`, the first from the house's own network."""
        if charger_id in self.welcome or self.config.charger(charger_id) or charger_id in self.hub.stations:
            return True
        policy = self.config.accept_unknown_chargers
        if policy == "first":
            return not self.config.chargers and not self.hub.stations and is_private(address)
        return policy

    def _remember(self, charger_id: str, address: str) -> None:
        self.strangers.pop(charger_id, None)
        self.strangers[charger_id] = Stranger(charger_id, address, self.hub.clock.now())
        while len(self.strangers) > MAX_WAITING:
            self.strangers.popitem(last=False)

    def accept(self, charger_id: str) -> None:
        """The owner's click: this charger may come in from now on."""
        self.strangers.pop(charger_id, None)
        self.welcome.add(charger_id)

    async def _may_replace(self, guest: Visit, connection: ServerConnection, *, trusted: bool) -> bool:
        """Whether a new socket may take an open one's place (semantics §1.13).

        At once from the same address or with credentials: chargers notice a dead link before we do. Else only
        if the old one is dead, or anybody in the house's network could throw a charger out.
        """
        present = self.present.get(guest.charger_id)
        if present is None or trusted:
            return True
        if present.address == address_of(connection) and not guest.anonymous:
            return True
        return not await _answers_ping(present.connection)

    def _smooth(self, request: Request, guest: Visit) -> None:
        """Make a sloppy request one that the handshake takes: exactly the subprotocol to confirm."""
        del request.headers["Sec-WebSocket-Protocol"]
        if guest.subprotocol is not None:
            request.headers["Sec-WebSocket-Protocol"] = guest.subprotocol
        if "upgrade" not in request.headers.get("Connection", "").lower():
            # Some chargers leave it out (peers §5).
            del request.headers["Connection"]
            request.headers["Connection"] = "Upgrade"

    # Inside

    async def converse(self, connection: ServerConnection) -> None:
        """Hold a charger's conversation until its socket closes."""
        guest = self._visits.pop(connection)
        if guest.unspoken:
            log.warning(
                "%s: offers only %s, which we do not speak here; closed",
                guest.charger_id,
                ", ".join(guest.offered),
            )
            await connection.close(CloseCode.PROTOCOL_ERROR, "no common subprotocol")
            return
        self._replace(guest.charger_id)
        link = self._link(guest, connection)
        address = address_of(connection)
        self.present[guest.charger_id] = Present(link, connection, address)
        self.hub.connect(guest.charger_id, link, address)
        log.info("%s: connected from %s, OCPP %s", guest.charger_id, address, guest.version)
        closer = asyncio.create_task(_close_when_told(link, connection))
        try:
            await link.run()
        except ConnectionClosed as closed:
            await self._ended(guest.charger_id, link, closed)
        finally:
            closer.cancel()

    def _link(self, guest: Visit, connection: ServerConnection) -> Link:
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

    async def _ended(self, charger_id: str, link: Link, closed: ConnectionClosed) -> None:
        present = self.present.get(charger_id)
        if present is not None and present.link is link:
            del self.present[charger_id]
        reason = link.closing or str(closed)
        log.info("%s: disconnected: %s", charger_id, reason)
        self.hub.disconnect(charger_id, link, reason)
        if link.counters.frames == link.counters.bad_frames:
            await self._forget_passer_by(charger_id)

    async def _forget_passer_by(self, charger_id: str) -> None:
        """What never sent one OCPP frame was no charger: it must not stay for the first one."""
        station = self.hub.stations.get(charger_id)
        if station is not None and not station.memory.accepted and not self.config.charger(charger_id):
            await self.hub.forget(charger_id)


async def _close_when_told(link: Link, connection: ServerConnection) -> None:
    reason = await link.wait_closing()
    await connection.close(CloseCode.GOING_AWAY, reason[:100])


async def _answers_ping(connection: ServerConnection) -> bool:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await (await connection.ping())
    except (TimeoutError, ConnectionClosed):
        return False
    return True


def address_of(connection: ServerConnection) -> str:
    """The peer's IP address."""
    peer = connection.remote_address
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def is_private(address: str) -> bool:
    """Whether an address is of a private network or this machine."""
    try:
        return ip_address(address.partition("%")[0]).is_private
    except ValueError:
        return False
