"""Dialling a service: as a charger does, step by step, until a version is spoken (J §3, Part 4 §3)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from ocpp_mqtt_proxy.adapters.services.credentials import Unsayable, authorizations
from ocpp_mqtt_proxy.adapters.services.door import (
    Address,
    Unauthorized,
    address_of,
    quoted,
    reach,
    shake_hands,
    wrap,
)
from ocpp_mqtt_proxy.adapters.services.link import Link, Traffic
from ocpp_mqtt_proxy.adapters.services.tls import NoTls, context_of
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.services.plan import Credentials, ServicePlan
from ocpp_mqtt_proxy.services.ports import Answerer, DialFailed, Step
from ocpp_mqtt_proxy.sockets import Outbound

log = logging.getLogger(__name__)

Told = Callable[[Step, str], object]
"""Is told of every step that went well, in words."""

NO_COMMON = 1002
"""The close code where no subprotocol is in common: a protocol error, as our own door has it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take, in seconds.

    `open` each of connecting, TLS and handshake; `call` a service's answer; `ping` is the silence after which we
    ask whether anybody is there, `pong` the time for the answer to that. Networks forget links that are silent for
    a minute.
    """

    open: float = 15
    call: float = 30
    ping: float = 30
    pong: float = 30


@dataclass
class Dialer:
    """Connects to services. Fulfils `services.ports.Dial`."""

    log_frames: bool = False
    budget: Budget = field(default_factory=Budget)
    timing: Timing = field(default_factory=Timing)
    _traffic: dict[tuple[str, str], Traffic] = field(default_factory=dict)
    _binary: set[tuple[str, str]] = field(default_factory=set)

    async def __call__(
        self, plan: ServicePlan, charger_id: str, offered: tuple[Version, ...], answer: Answerer
    ) -> Link:
        """Open a connection. Raises DialFailed."""
        return await self.dial(plan, charger_id, offered, answer)

    def traffic(self, service: str, charger_id: str) -> Traffic:
        """What went over the links of a service and a charger since the program started."""
        return self._traffic.setdefault((service, charger_id), Traffic())

    async def dial(
        self,
        plan: ServicePlan,
        charger_id: str,
        offered: tuple[Version, ...],
        answer: Answerer,
        told: Told = lambda _, __: None,
    ) -> Link:
        """Open a connection and tell of each step. Raises DialFailed."""
        name = f"{charger_id} at {plan.id}"
        address, credentials = _aim(plan, charger_id)
        told(Step.ADDRESS, address.shown)
        attempt = _Attempt(address, await _tls(address, credentials), offered, self.budget, self.timing.open, told)
        socket = await self._come_in(attempt, plan, charger_id, credentials)
        named = socket.subprotocol
        try:
            version = agreed(named, offered)
        except DialFailed:
            socket.part("no common subprotocol", NO_COMMON)
            raise
        told(Step.SUBPROTOCOL, f"OCPP {version}" + ("" if named else ", which the service did not confirm"))
        traffic = self.traffic(plan.id, charger_id)
        socket.excess = traffic.excess
        socket.keep_alive(self.timing.ping, self.timing.pong)
        log.info("%s: connected to %s, OCPP %s", name, address.shown, version)
        dialect, seconds = DIALECTS[version], self.timing.call
        return Link(name, dialect, socket, answer, traffic, seconds, log_frames=self.log_frames, agreed=bool(named))

    async def _come_in(
        self, attempt: _Attempt, plan: ServicePlan, charger_id: str, credentials: Credentials
    ) -> Outbound:
        """Shake hands, by what worked the last time first. Raises DialFailed."""
        key = (plan.id, charger_id)
        for authorization, binary in _tries(credentials, plan.identity(charger_id), binary=key in self._binary):
            try:
                socket = await attempt.open(authorization)
            except Unauthorized as error:
                refused = error
                continue
            (self._binary.add if binary else self._binary.discard)(key)
            return socket
        raise refused


@dataclass(slots=True)
class _Attempt:
    """What it takes to shake hands, once for every reading of a password."""

    address: Address
    tls: ssl.SSLContext | None
    offered: tuple[Version, ...]
    budget: Budget
    seconds: float
    told: Told

    async def open(self, authorization: str | None) -> Outbound:
        """Connect and shake hands. Raises DialFailed."""
        sock = await reach(self.address, self.seconds)
        self.told(Step.CONNECT, f"connected to {self.address.shown}")
        subprotocols = [DIALECTS[version].subprotocol for version in self.offered]
        connection = await wrap(sock, self.address, subprotocols, self.tls, self.budget, self.seconds)
        if self.tls is not None:
            self.told(Step.TLS, str(connection.transport.get_extra_info("ssl_object").version()))
        await shake_hands(connection, authorization, self.seconds)
        self.told(Step.HANDSHAKE, "the service lets us in")
        return connection


def _aim(plan: ServicePlan, charger_id: str) -> tuple[Address, Credentials]:
    """Where to, and what to show there. Credentials in the url count where none are configured. Raises DialFailed."""
    address, credentials = address_of(plan.address(charger_id)), plan.credentials
    if credentials.kind == "certificate" and not address.uri.secure:
        raise DialFailed(Step.ADDRESS, "a certificate is shown in TLS only: the url must begin with wss://")
    if address.user and credentials.kind in ("none", "basic") and not credentials.password:
        credentials = replace(credentials, kind="basic", username=address.user, password=address.password)
    return address, credentials


async def _tls(address: Address, credentials: Credentials) -> ssl.SSLContext | None:
    """Files are read anew for each dial, since certificates are renewed. Raises DialFailed."""
    if not address.uri.secure:
        return None
    try:
        return await asyncio.to_thread(context_of, credentials)
    except NoTls as error:
        raise DialFailed(Step.TLS, str(error)) from None


def _tries(credentials: Credentials, identity: str, *, binary: bool) -> Iterator[tuple[str | None, bool]]:
    """The Authorization headers to try, and whether they take the password for a key in hex. Raises DialFailed."""
    try:
        headers = authorizations(credentials, identity)
    except Unsayable as error:
        raise DialFailed(Step.HANDSHAKE, str(error)) from None
    tries: list[tuple[str | None, bool]] = [(header, number == 1) for number, header in enumerate(headers)]
    yield from (reversed(tries) if binary else tries) if tries else [(None, False)]


def agreed(named: str | None, offered: tuple[Version, ...]) -> Version:
    """The version that is spoken, by what a service named. Raises DialFailed.

    A service that names none speaks none of ours and closes at once (J §3.2); but many a CSMS names none and
    speaks all the same. Where one version was offered we stay and see; of several nobody could tell which.
    """
    names = {name.strip().lower() for name in (named or "").split(",")} - {""}
    common = [version for version in offered if DIALECTS[version].subprotocol in names]
    if len(common) == 1 and (len(names) == 1 or len(offered) == 1):
        return common[0]
    if not names and len(offered) == 1:
        return offered[0]
    asked = ", ".join(DIALECTS[version].subprotocol for version in offered)
    said = f"names {quoted(', '.join(sorted(names)))}" if names else "names none; set the version that it speaks"
    raise DialFailed(Step.SUBPROTOCOL, f"of {asked} the service {said}")
