"""A car's battery: what it takes at which state of charge."""

from __future__ import annotations

from dataclasses import dataclass

VOLTAGE = 230.0
LEAST_CURRENT = 6.0
"""A below which a car takes nothing (IEC 61851-1)."""

TAPER_FROM = 80.0
"""% from which the battery takes ever less."""

TAPER_TO = 0.15
"""What is left of the full power at 100 %."""

EFFICIENCY = 0.9
"""Share of the charged energy that the battery keeps."""


@dataclass(slots=True)
class Car:
    """A car. Capacity in kWh, state of charge in %, current in A per phase."""

    capacity: float = 60.0
    soc: float = 35.0
    max_current: float = 16.0
    phases: int = 3

    @property
    def full(self) -> bool:
        """Whether the battery takes no more."""
        return self.soc >= 100.0

    def current(self, offered: float) -> float:
        """The current it draws of what is offered: full until 80 %, then tapering off."""
        if self.full or offered < LEAST_CURRENT:
            return 0.0
        return min(offered, self.max_current * self._curve())

    def _curve(self) -> float:
        share = max(0.0, self.soc - TAPER_FROM) / (100.0 - TAPER_FROM)
        return 1.0 - share * (1.0 - TAPER_TO)

    def charge(self, offered: float, seconds: float) -> float:
        """Charge for a while; the energy drawn, in Wh, which is never more than fits in."""
        flows = self.current(offered) * self.phases * VOLTAGE * seconds / 3600
        if flows >= self._room():
            energy, self.soc = self._room(), 100.0
            return energy
        self.soc += 100 * flows * EFFICIENCY / (self.capacity * 1000)
        return flows

    def _room(self) -> float:
        """Wh to draw until the battery is full."""
        return max(0.0, 100.0 - self.soc) / 100 * self.capacity * 1000 / EFFICIENCY
