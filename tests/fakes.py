"""Fakes of the ports: what the hub and its users need of the outside, in memory and on a clock of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy.arbitration import Arbitration, Memory
from ocpp_mqtt_proxy.arbitration.limits import steer
from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.commands import Order, Outcome, done
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.sharing import Rules, Terms
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import ChargerLink, Clock, Ledger, LedgerFailed, Publisher

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock(Clock):
    """A clock that stands until it is put on."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def pass_(self, **time: float) -> None:
        """Let time go by, in the words of `timedelta`."""
        self.at += timedelta(**time)


@dataclass
class FakeLedger(Ledger):
    """A ledger that keeps what it is given. It fails while `broken`, and waits while it is not `open`.

    `owed` are those who wait for what they gave to keep.
    """

    recorded: list[Change] = field(default_factory=list)
    noted: list[Change] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    kept: list[Change] = field(default_factory=list)
    owed: list[Callable[[], None]] = field(default_factory=list)
    broken: bool = False
    failing_for: float = 0.0
    full: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def record(self, changes: Sequence[Change]) -> None:
        await self.open.wait()
        if self.broken:
            raise LedgerFailed("disk full", self.failing_for)
        self.recorded += changes

    def note(self, changes: Iterable[Change]) -> None:
        self.noted += changes

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        self.kept += changes
        self.owed.append(then)
        if self.open.is_set():
            self.settle()

    def settle(self) -> None:
        """All that was given to keep is on disk."""
        owed, self.owed = self.owed, []
        for then in owed:
            then()

    async def forget(self, charger: ChargerMemory) -> None:
        if self.broken:
            raise LedgerFailed("disk full", self.failing_for)
        self.forgotten.append(charger.id)


@dataclass
class FakeLink(ChargerLink):
    """A charger's socket that agrees to everything, or answers as `answer` says."""

    spoken: Version = Version.V16
    answer: Callable[[Order], Outcome] = lambda _: done(charger_status="Accepted")
    asked: list[Order] = field(default_factory=list)
    closed: str | None = None

    @property
    def version(self) -> Version:
        return self.spoken

    async def send(self, order: Order, still: Callable[[], bool] | None = None) -> Outcome:
        self.asked.append(order)
        return self.answer(order)

    def close(self, reason: str) -> None:
        self.closed = reason


@dataclass
class FakePublisher(Publisher):
    """What was published: retained topics as they stand, and messages in order."""

    retained: dict[str, str | bytes] = field(default_factory=dict)
    cleared: list[str] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def retain(self, topic: str, payload: str | bytes) -> None:
        self.retained[topic] = payload

    def clear(self, topic: str) -> None:
        self.retained.pop(topic, None)
        self.cleared.append(topic)

    def emit(self, topic: str, payload: bytes) -> None:
        self.sent.append((topic, payload))


def a_hub(plan: Plan | None = None) -> Hub:
    """A hub on fakes; every charger of it has the plan."""
    return Hub(
        clock=FakeClock(),
        bus=Bus(),
        ledger=FakeLedger(),
        numbers=Numbers("test", 0),
        plan_for=lambda _: plan or Plan(),
    )


def a_charger(hub: Hub, link: ChargerLink, charger_id: str = "CP1") -> Station:
    """A charger with one connector, connected by a link."""
    hub.connect(charger_id, link, "127.0.0.1")
    station = hub.station(charger_id)
    station.sole()
    return station


@dataclass
class FakeMemory(Memory):
    """Remembers whom the owner switched off. It fails while `broken`."""

    disabled: list[str] = field(default_factory=list)
    broken: bool = False

    async def keep_disabled(self, providers: Iterable[str]) -> None:
        if self.broken:
            raise LedgerFailed("disk full")
        self.disabled = list(providers)


def an_arbitration(hub: Hub, rules: Rules | None = None, memory: Memory | None = None) -> Arbitration:
    """The arbiter at work for a hub on fakes."""
    arbitration = Arbitration(hub, Dispatcher(hub, Commissioning(hub)), rules or Rules(), memory or FakeMemory())
    steer(arbitration)
    return arbitration


def providers(*ids: str, **terms: Any) -> dict[str, Terms]:
    """Providers that the configuration names, all on the same terms."""
    return {provider: Terms(provider, **terms) for provider in ids}
