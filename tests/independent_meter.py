"""What an independent charger offers and measures, by the profiles that it holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.independent_profiles import DEFAULT, TX, Profile, Profiles

PATIENCE = 20.0
"""Seconds after which what should come has not."""

TICK = 0.05
"""Seconds between two looks at a charger's clock."""

OFFERED = "Current.Offered"

LOOK_AHEAD = 600
"""Seconds of its schedule that a charger tells at most."""

MOST = 32.0
"""What a charger can give, in A per phase."""


@dataclass
class Meter:
    """What flows: three phases at 230 V, a register in Wh. Its profiles are followed by its own clock.

    `factory` is what it offers where no profile limits it, `now` its clock, told as exactly as `timespec`.
    """

    register: float = 250_000.0
    factory: float = 16.0
    flowing: bool = False
    began: datetime | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    timespec: str = "seconds"
    profiles: Profiles = field(default_factory=Profiles)
    configuration: dict[str, str] = field(
        default_factory=lambda: {
            "MeterValueSampleInterval": "60",
            "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
            "WebSocketPingInterval": "60",
            "ChargeProfileMaxStackLevel": "8",
            "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
            "ChargingScheduleMaxPeriods": "24",
        }
    )
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def clock(self) -> datetime:
        return self.now()

    @property
    def stamp(self) -> str:
        return self.clock.isoformat(timespec=self.timespec).replace("+00:00", "Z")

    @property
    def own(self) -> float | None:
        """What the transaction's own profile allows."""
        return self.profiles.of(TX, self.clock, self.began)

    @property
    def default(self) -> float:
        """What is offered to a transaction without a profile of its own."""
        at = self.clock
        limit = self.profiles.of(DEFAULT, at, self.began or at)
        return self.factory if limit is None else min(limit, MOST)

    @property
    def offered(self) -> float:
        at = self.clock
        limit = self.profiles.allow(at, self.began or at)
        return self.factory if limit is None else min(limit, MOST)

    def take(self, connector: int, profile: Profile, running: object) -> bool:
        """Install a profile; whether it was taken."""
        taken = self.profiles.put(connector, profile, running)
        self.note()
        return taken

    def note(self) -> None:
        """Something may be otherwise now."""
        self._news.set()

    async def gives(self, amps: float) -> None:
        """Wait until so much is offered: a profile came, or its clock went on to a step of one."""
        async with asyncio.timeout(PATIENCE):
            while self.offered != amps:
                self._news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), TICK)

    def begin(self) -> None:
        self.flowing, self.began = True, self.clock

    def end(self) -> None:
        self.flowing, self.began = False, None
        self.profiles.end()

    def forget(self) -> None:
        """Lose what it held: it is written to no flash, and the power was cut."""
        self.profiles.held.clear()
        self.note()

    def schedule(self, seconds: int, unit: str) -> dict[str, Any]:
        """What it will offer: a ChargingSchedule's common parts."""
        at, seconds = self.clock, min(seconds, LOOK_AHEAD)
        factor = 1 if unit == "A" else 3 * 230
        steps = self.profiles.steps(at, self.began or at, seconds)
        told = [(second, self.factory if amps is None else min(amps, MOST)) for second, amps in steps]
        periods = [{"startPeriod": second, "limit": round(amps * factor, 1)} for second, amps in told]
        return {"duration": seconds, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}

    @property
    def current(self) -> float:
        return self.offered if self.flowing and self.offered >= 6 else 0.0

    @property
    def power(self) -> float:
        return self.current * 3 * 230

    def readings(self, asked: str) -> list[tuple[str, str | None, str, float]]:
        """Measurand, phase, unit, value; the offered current where it is asked for."""
        rows: list[tuple[str, str | None, str, float]] = [
            ("Energy.Active.Import.Register", None, "Wh", self.register),
            ("Power.Active.Import", None, "W", self.power),
        ]
        for line in ("L1", "L2", "L3"):
            rows.append(("Current.Import", line, "A", self.current))
            rows.append(("Voltage", f"{line}-N", "V", 230.0))
        if OFFERED in asked.split(","):
            rows.append((OFFERED, None, "A", self.offered if self.flowing else 0.0))
        return rows
