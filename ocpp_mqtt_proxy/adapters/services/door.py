"""A service's door: its address, TCP, TLS and the WebSocket handshake, each with what can fail there in words.

Connections are direct: no proxy of the environment's. A redirection is not followed: credentials go to the address
that was configured and nowhere else, and an OCPP-J charger would not follow it either.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from ocpp_mqtt_proxy import __version__
from ocpp_mqtt_proxy.adapters.services.tls import event, told
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.framing import ClientFraming
from ocpp_mqtt_proxy.services.ports import DialFailed, Step
from ocpp_mqtt_proxy.sockets import Outbound

USER_AGENT = f"ocpp-mqtt-proxy/{__version__}"

SHUTDOWN_SECONDS = 3.0
"""How long the end of TLS may take."""

MAX_QUOTED = 100
"""Characters of a service's words that are quoted."""

_SILENT = logging.getLogger(f"{__name__}.websockets")
_SILENT.disabled = True  # at its debug level `websockets` logs headers, and with them a password


class Unauthorized(DialFailed):
    """The service does not take our credentials (401)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect; `shown` names it to people, without what may be secret in its path."""

    uri: WebSocketURI
    user: str = ""
    password: str = ""

    @property
    def shown(self) -> str:
        """Host and port."""
        host = f"[{self.uri.host}]" if ":" in self.uri.host else self.uri.host
        return f"{host}:{self.uri.port}"


def address_of(url: str) -> Address:
    """Read an address. Raises DialFailed, without the address: it may hold a secret."""
    try:
        uri = parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise DialFailed(Step.ADDRESS, f"the url is none: {_fault_of(error)}") from None
    bare = replace(uri, username=None, password=None)
    return Address(bare, uri.username or "", uri.password or "")


def _fault_of(error: Exception) -> str:
    return error.msg if isinstance(error, InvalidURI) else "its host or port cannot be read"


@asynccontextmanager
async def _within(seconds: float, step: Step) -> AsyncIterator[None]:
    """Bound a step in time. Raises DialFailed."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DialFailed(step, f"nothing came back within {seconds:g} s") from None


async def reach(address: Address, seconds: float) -> socket.socket:
    """Connect by TCP: to the first of the host's addresses that answers. Raises DialFailed."""
    found = await _look_up(address, seconds)
    failed = DialFailed(Step.CONNECT, f"the name {address.uri.host} has no address")
    for family, _, _, _, where in found:
        try:
            return await _knock(family, where, seconds / len(found))
        except OSError as error:
            failed = DialFailed(Step.CONNECT, f"no connection to {address.shown}: {_why(error)}")
        except DialFailed as error:
            failed = error
    raise failed


async def _look_up(address: Address, seconds: float) -> list[Any]:
    host, port = address.uri.host, address.uri.port
    try:
        async with _within(seconds, Step.CONNECT):
            return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise DialFailed(Step.ADDRESS, f"{quoted(host)} is no name that a host may have") from None
    except OSError as error:
        raise DialFailed(Step.CONNECT, f"the name {host} is not found ({error.strerror})") from None


async def _knock(family: int, where: Any, seconds: float) -> socket.socket:  # noqa: ANN401 (the system's)
    """Raises DialFailed, OSError."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)  # the event loop waits for it
        async with _within(seconds, Step.CONNECT):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:  # cancelled too
        sock.close()
        raise
    return sock


def _why(error: OSError) -> str:
    return "nothing listens there" if isinstance(error, ConnectionRefusedError) else error.strerror or str(error)


async def wrap(
    sock: socket.socket,
    address: Address,
    subprotocols: list[str],
    tls: ssl.SSLContext | None,
    budget: Budget,
    seconds: float,
) -> Outbound:
    """Begin TLS where there is any, on a socket that is ours from now on. Raises DialFailed."""
    offered = [Subprotocol(name) for name in subprotocols]
    framing = ClientFraming(budget.message, address.uri, subprotocols=offered, logger=_SILENT)
    secured: dict[str, Any] = {}
    if tls is not None:
        secured = {"ssl": tls, "server_hostname": address.uri.host, "ssl_shutdown_timeout": SHUTDOWN_SECONDS}
    try:
        async with _within(seconds, Step.TLS):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Outbound(framing, budget=budget), sock=sock, **secured
            )
    except ssl.SSLError as error:
        raise _failed(error) from None
    except OSError:
        raise DialFailed(Step.TLS, "it broke off; does it speak TLS on this port?") from None
    return connection


def _failed(error: ssl.SSLError) -> DialFailed:
    return DialFailed(Step.TLS, told(error), event(error))


async def shake_hands(connection: Outbound, authorization: str | None, seconds: float) -> None:
    """Ask for a WebSocket. Raises DialFailed, Unauthorized; the connection is cut then."""
    headers = {} if authorization is None else {"Authorization": authorization}
    try:
        async with _within(seconds, Step.HANDSHAKE):
            await connection.handshake(headers, USER_AGENT)
    except (InvalidHandshake, OSError) as error:
        raise _refusal(connection, error) from None
    finally:
        connection.forget_request()
        if connection.response is None or connection.protocol.handshake_exc is not None:
            connection.cut("the handshake failed")
            await connection.wait_closed()


def _refusal(connection: Outbound, error: Exception) -> DialFailed:
    if isinstance(connection.connection_exc, ssl.SSLError):
        # In TLS 1.3 a service judges our certificate when we are done already.
        return _failed(connection.connection_exc)
    if isinstance(error, InvalidStatus):
        return _status(error)
    if isinstance(error, InvalidMessage):
        cut = isinstance(error.__cause__, EOFError)
        return DialFailed(
            Step.HANDSHAKE, _CUT[connection.protocol.uri.secure] if cut else "it answers, but not in HTTP"
        )
    return DialFailed(Step.HANDSHAKE, f"its answer is no WebSocket's: {quoted(str(error))}")


_CUT = {
    False: "it closed without an answer; perhaps it speaks TLS, and the url should begin with wss://",
    True: "it closed without an answer; perhaps it asks for a client certificate, or for another one",
}

_STATUS = {
    400: "the service takes our request for a bad one; is the address right, or the version?",
    401: "the service does not take our credentials",
    403: "the service lets us not in: credentials, or a charger it does not know",
    404: "the service knows no such charger at this address",
    409: "this charger is connected there already",
    426: "the service wants another protocol",
    429: "the service says that we come too often",
}


def _status(error: InvalidStatus) -> DialFailed:
    code = error.response.status_code
    if code == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(Step.HANDSHAKE, f"{_STATUS[401]} (401)")
    if 300 <= code < 400:
        return DialFailed(Step.HANDSHAKE, _redirection(code, error.response.headers.get("Location", "")))
    why = _STATUS.get(code, "the service has a fault of its own" if code >= 500 else "no WebSocket is served there")
    return DialFailed(Step.HANDSHAKE, f"{why} ({code})")


def _redirection(code: int, location: str) -> str:
    try:
        parts = urlsplit(location)
        where = f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
    except ValueError:
        where = "elsewhere"
    return f"it sends us to {quoted(where)} ({code}), which is not followed; give that address as url"


def quoted(text: str) -> str:
    """Words of a service's, made fit to be shown."""
    shown = "".join(character for character in text if character.isprintable())
    return shown if len(shown) <= MAX_QUOTED else f"{shown[:MAX_QUOTED]}…"
