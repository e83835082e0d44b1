"""What services need of the outside. Adapters fulfil it; tests have fakes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ocppj.rpc import CallError
from ocpp_mqtt_proxy.services.plan import ServicePlan

Answerer = Callable[[str, Object], Awaitable[Payload]]
"""Answers a call of a service: action and payload in, the answer's payload out. Raises `dialect.CallRefused`, or
`Unanswered` where there is to be no answer at all."""


class Unanswered(ProxyError):
    """A call of a service gets no answer: a 1.6 service that rejected our boot is not talked to (1.6 §4.2)."""


class LinkLost(ProxyError):
    """The link to a service is gone, or went before an answer came."""


class NoAnswer(ProxyError):
    """A service did not answer a call in time."""


class Refused(ProxyError):
    """A service answered a call by a CALLERROR."""

    def __init__(self, error: CallError) -> None:
        super().__init__(f"{error.code} {error.description}".strip())
        self.error = error


Said = Object | LinkLost | NoAnswer | Refused
"""What became of a call of ours: the answer's payload, or why there is none."""


class ServiceLink(Protocol):
    """An open OCPP-J connection to a service, as a charger's."""

    @property
    def version(self) -> Version:
        """The OCPP version spoken on it."""

    async def call(self, action: str, payload: Payload, seconds: float | None = None) -> Object:
        """Call the service and wait for its answer's payload; one call is open at a time, the others wait in order.

        `seconds` for the answer, where that is not the usual time. Raises LinkLost, NoAnswer, Refused.
        """

    def ask(self, action: str, payload: Payload, hear: Callable[[Said], None]) -> None:
        """As `call`, for one that is answered; `hear` is called at once when it is known what became of it.

        That may be now. It must not raise.
        """

    def part(self, reason: str) -> None:
        """Close the connection; does not wait."""

    async def wait_closed(self) -> str:
        """Wait until the connection is gone; how it came to its end."""


class Step(StrEnum):
    """How far a link comes, in order; last what stands and still does not take what it must hear."""

    ADDRESS = "address"
    CONNECT = "connect"
    TLS = "tls"
    HANDSHAKE = "handshake"
    SUBPROTOCOL = "subprotocol"
    BOOT = "boot"
    DELIVERY = "delivery"


class DialFailed(ProxyError):
    """A service could not be reached: at which step, and why in words for people. Never holds a secret.

    `event` is the security event that it is (2.0.1 Part 2 appendix 1), if it is one.
    """

    def __init__(self, step: Step, why: str, event: str = "") -> None:
        super().__init__(why)
        self.step = step
        self.why = why
        self.event = event


class Dial(Protocol):
    """Connects to services."""

    async def __call__(
        self, plan: ServicePlan, charger_id: str, offered: tuple[Version, ...], answer: Answerer
    ) -> ServiceLink:
        """Open a connection that speaks one of the versions offered; in order of preference. Raises DialFailed."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits for a service: messages; and how many it was never told of, since we run."""

    messages: int = 0
    dropped: int = 0


class Outbox(Protocol):
    """Messages on disk that wait for services, in order. They are put there with `Ledger.record`/`note`, as changes."""

    async def head(self, service: str, charger: str, most: int = 20) -> list[Outgoing]:
        """The oldest that wait. Raises LedgerFailed."""

    async def oldest(self, service: str, charger: str) -> datetime | None:
        """When the first that waits was heard; None where nothing does. Raises LedgerFailed."""

    async def holds(self, service: str, charger: str, session_id: str) -> bool:
        """Whether anything of a session waits. Raises LedgerFailed."""

    def depth(self, service: str, charger: str) -> Depth:
        """How much waits; known at any time, without looking at the disk."""

    def arrival(self, service: str, charger: str) -> asyncio.Event:
        """Set whenever something was put there; whoever waits clears it."""

    def number(self) -> int:
        """The number of the next message: greater than any given before, also before a restart."""
