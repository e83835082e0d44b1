"""How often a charger's memory is written: what raises waits where it was written too often, what lowers never does.

Profiles that outlast transactions are kept in flash (1.6 §3.13, K01.FR.27), which bears some 100,000 writes; those of
a transaction mostly in RAM. In ten years 52,000 a year would be five times that, but wear is levelled over many cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(slots=True)
class Budget:
    """Writes: `most` at once, and one more after each `every`."""

    most: int
    every: timedelta
    left: float = field(init=False)
    at: datetime | None = None

    def __post_init__(self) -> None:
        self.left = self.most

    def bears(self, now: datetime) -> bool:
        """Whether one more can be written."""
        self._refill(now)
        return self.left >= 1

    def again(self, now: datetime) -> datetime:
        """When one more can be."""
        self._refill(now)
        return now + self.every * max(0.0, 1 - self.left)

    def write(self, now: datetime) -> None:
        """One was written; what had to be counts too, but is never owed for long."""
        self._refill(now)
        self.left = max(-float(self.most), self.left - 1)

    def _refill(self, now: datetime) -> None:
        passed = max(timedelta(0), now - self.at) if self.at is not None else timedelta(0)
        self.left = min(float(self.most), self.left + passed / self.every)
        self.at = now


@dataclass(slots=True)
class Wear:
    """What a charger is spared: `lasting` profiles, and those of a transaction (`passing`)."""

    lasting: Budget = field(default_factory=lambda: Budget(60, timedelta(minutes=10)))
    passing: Budget = field(default_factory=lambda: Budget(120, timedelta(seconds=5)))
