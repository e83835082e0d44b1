"""How often a charger's memory is written: what raises waits where it was written too often, what lowers never does.

Profiles have to outlast a reboot (1.6 errata 3.37; in 2.x those that are no transaction's, K01.FR.27): they are in
flash, whose cells bear some 100,000 writes. What is `lasting` is written 144 times a day in the long run, so
53,000 times in a year, at most; more only where what lowers alone is more. One cell would bear that for two years. It
is borne all the same: a profile is small beside what is erased at once, chargers' file systems spread their writes
over many such blocks, and it takes limits that rise each ten minutes, day and night. Most chargers keep a
transaction's profile in RAM, but the letter of the errata is flash, and systems that charge from the sun change it
several times a minute: after 240 writes what is `passing` is raised each half minute at most.
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
    passing: Budget = field(default_factory=lambda: Budget(240, timedelta(seconds=30)))
