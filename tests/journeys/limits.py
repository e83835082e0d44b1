"""A house whose limits are followed in time: the service, and a charger of ours or not, on one clock that can jump."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ports import Clock
from ocpp_mqtt_proxy.simulator.box import Box
from ocpp_mqtt_proxy.simulator.console import Console
from ocpp_mqtt_proxy.simulator.station import Pace, Station
from tests.brokers import Broker
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import PATIENCE, Running, Watcher, running

AT = "charger/CP1/connector/1"
TAG = "04A1B2C3"
READ = ["Energy.Active.Import.Register", "Power.Active.Import", "Current.Offered"]

QUICK = Pace(speed=120, tick=0.02, retry=0.05)
"""Readings of the simulated charger come twice a second."""

SIMULATED, INDEPENDENT = "simulated", "independent"
KINDS = [(kind, version) for kind in (SIMULATED, INDEPENDENT) for version in CHARGERS]


Step = tuple[float, str, str]
"""A limit in A, whose it is, and why it is now."""


@dataclass
class Shifted(Clock):
    """The machine's clock, so much ahead."""

    ahead: timedelta = timedelta(0)

    @classmethod
    def at(cls, hour: int, minute: int) -> Shifted:
        """A clock that shows a time of today's, in UTC."""
        now = datetime.now(UTC)
        return cls(now.replace(hour=hour, minute=minute, second=0) - now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Charger(Protocol):
    """A charger, whoever made it."""

    @property
    def offered(self) -> float:
        """What it offers its car, in A per phase."""

    async def begin(self) -> None:
        """A car is plugged in, and a card shown."""

    async def gives(self, amps: float) -> None:
        """Wait until it offers so much."""

    async def tell_meter(self) -> None:
        """Have it send what it measures."""


@dataclass
class Simulated:
    """The simulated charger."""

    station: Station

    @property
    def offered(self) -> float:
        return self.station.box.offered

    async def begin(self) -> None:
        console = Console(self.station, lambda _: None)
        await console.do("plug 40")
        await console.do(f"tap {TAG}")

    async def gives(self, amps: float) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.offered != amps:  # noqa: ASYNC110 (its clock goes on, and nothing tells)
                await asyncio.sleep(QUICK.tick)

    async def tell_meter(self) -> None:
        """It does by itself."""


@dataclass
class Independent:
    """The `ocpp` package's charger."""

    point: Any

    @property
    def offered(self) -> float:
        return float(self.point.meter.offered)

    async def begin(self) -> None:
        await self.point.tell_status(PLUGGED[self.point.version])
        await self.point.begin(TAG)

    async def gives(self, amps: float) -> None:
        await self.point.meter.gives(amps)

    async def tell_meter(self) -> None:
        await self.point.tell_meter()


@contextlib.asynccontextmanager
async def charger_at(
    url: str, kind: str, version: str, clock: Shifted, charger_id: str = "CP1"
) -> AsyncIterator[Charger]:
    """A charger of a kind and version, connected. It has a clock of its own, set by that of the house."""
    connected = _simulated if kind == SIMULATED else _independent
    async with connected(url, version, clock, charger_id) as charger:
        yield charger


@contextlib.asynccontextmanager
async def _simulated(url: str, version: str, clock: Shifted, charger_id: str) -> AsyncIterator[Charger]:
    station = Station(Box(), DIALECTS[Version(version)], url, charger_id, pace=QUICK, clock=clock.now)
    running_ = asyncio.create_task(station.run())
    try:
        await asyncio.wait_for(station.online.wait(), PATIENCE)
        yield Simulated(station)
    finally:
        running_.cancel()
        await asyncio.gather(running_, return_exceptions=True)


@contextlib.asynccontextmanager
async def _independent(url: str, version: str, clock: Shifted, charger_id: str) -> AsyncIterator[Charger]:
    async with independent_charger(url, version, charger_id, clock=clock.now) as point:
        yield Independent(point)


@dataclass
class House:
    """The service, its owner, the charger, and the clock on the wall."""

    service: Running
    owner: Watcher
    charger: Charger
    clock: Shifted

    async def slides(self, amps: float) -> None:
        """The owner moves the slider."""
        await self.owner.set("charger/CP1/current_limit", amps)

    async def shows(self, **values: object) -> None:
        for metric, value in values.items():
            await self.owner.value(f"{AT}/{metric}", str(value))

    async def follows(self, amps: float, by: str) -> None:
        """The charger gives so much, and it shows whose limit that is."""
        await self.charger.gives(amps)
        await self.shows(effective_limit=f"{amps:g}", limited_by=by)

    def passes(self, **time: float) -> None:
        """Let time go by for all of them."""
        self.clock.ahead += timedelta(**time)

    async def explains(self, *steps: Step) -> None:
        """Wait until each step is among the decisions, in this order: how much, whose limit that is, and why."""
        found: list[Step] = []
        try:
            async with asyncio.timeout(PATIENCE), httpx.AsyncClient(base_url=self.service.http) as client:
                while not _in_order(steps, found):
                    answer = await client.get("/api/decisions", params={"charger": "CP1", "asked": "limit"})
                    rows = reversed(answer.json()["decisions"])
                    found = [(row["inputs"]["to"], row["provider"], row["reason"]) for row in rows]
        except TimeoutError:
            raise AssertionError(f"not explained: {steps}; found: {found}") from None


def _in_order(steps: tuple[Step, ...], found: list[Step]) -> bool:
    """Whether all of them were found one after another, whatever is between."""
    rest = iter(found)
    return all(step in rest for step in steps)


@contextlib.asynccontextmanager
async def house(
    folder: Path, broker: Broker, kind: str, version: str, clock: Shifted | None = None, **given: Any
) -> AsyncIterator[House]:
    """A house whose charger has a car that charges."""
    on_the_wall = clock or Shifted()
    async with (
        running(folder, broker, clock=on_the_wall, **options(**given)) as service,
        Watcher.on(service) as owner,
        charger_at(service.chargers, kind, version, on_the_wall) as charger,
    ):
        await owner.value(f"{AT}/status", "available")
        await charger.begin()
        await owner.value(f"{AT}/charging", "ON")
        yield House(service, owner, charger, on_the_wall)


def options(**given: Any) -> dict[str, Any]:
    """The house's configuration: a charger that tells what it offers, and a card of its own."""
    return {
        "chargers": [{"id": "CP1", "measurands": READ}],
        "id_tags": [{"tag": TAG, "name": "Anna"}],
        "rate_limit_seconds": 0,
        "timezone": "UTC",
        **given,
    }
