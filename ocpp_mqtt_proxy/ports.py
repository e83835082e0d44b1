"""What the hub needs of the outside, and views of the hub, as protocols.

Adapters fulfil them; tests have fakes of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from ocpp_mqtt_proxy.core.authorization import Decision
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Still
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import Answer, Report
from ocpp_mqtt_proxy.core.station import Station


class LedgerFailed(ProxyError):
    """Something could not be written down; nothing of it was. `lasting` is for how long nothing could, in seconds."""

    def __init__(self, why: str, lasting: float = 0.0) -> None:
        super().__init__(why)
        self.lasting = lasting


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The time, UTC, aware."""


class Authority(Protocol):
    """Who decides on cards."""

    def decide(self, station: Station, report: Report) -> Decision | asyncio.Future[Decision] | None:
        """The verdict on a report's card, or one to come; None where there is no card, or none is needed."""


class Mirror(Protocol):
    """Who else is told of what happens to chargers: the services."""

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        """What services must hear of what was just heard of a charger, to be written down together with it.

        `report` is what it followed from, where a charger sent something. Never waits and never raises.
        """

    def ask(self, station: Station, report: Report, ours: Answer) -> asyncio.Future[Answer] | None:
        """The answer to a report of a charger where that is a service's to give; None where it is ours.

        The future is there in time and never fails: it holds `ours`, our own answer, where the service gives none.
        """

    def everything(self) -> list[Change]:
        """All that is known of services, for books that were lost."""
        return []


class ChargerLink(Protocol):
    """One charger's open socket."""

    @property
    def version(self) -> Version:
        """The OCPP version spoken on it."""

    async def send(self, order: Order, still: Still | None = None) -> Outcome:
        """Put an order to the charger and wait for its answer, at most 60 s from when it is asked.

        Where it has to wait for its turn and is not wanted `still` by then, it is WITHDRAWN.

        Never raises for what a charger does: silence, refusal and a closed socket are outcomes. Waits for
        the boot answer, except with a trigger for a boot.
        """

    def close(self, reason: str) -> None:
        """Close the socket; does not wait."""


class Ledger(Protocol):
    """What is written down."""

    @property
    def full(self) -> bool:
        """Whether more waits for a disk that fails than should."""

    async def record(self, changes: Sequence[Change]) -> None:
        """Write down, all or nothing, and return once it is on disk. Raises LedgerFailed."""

    def note(self, changes: Iterable[Change]) -> None:
        """Write down within a second; of several states of one thing the last."""

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        """Write down at once, not waiting for it; then, and also where that fails, call."""

    async def forget(self, charger: ChargerMemory) -> None:
        """Take a charger out of the books. Its sessions stay."""


class Publisher(Protocol):
    """Where MQTT messages go. Nothing here waits for the broker."""

    def retain(self, topic: str, payload: str | bytes) -> None:
        """Have the broker keep this as the topic's state."""

    def clear(self, topic: str) -> None:
        """Have the broker forget a topic."""

    def emit(self, topic: str, payload: bytes) -> None:
        """Send a message that is not kept."""


class Stations(Protocol):
    """Where views look: the chargers as they stand."""

    @property
    def stations(self) -> dict[str, Station]:
        """Every charger, by id."""
