"""How long to wait before a service is dialled again (semantics §1.15; 2.0.1 Part 4 §5.3 RetryBackOff…)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FIRST = 1.0
"""Seconds of the first wait (RetryBackOffWaitMinimum); each is twice the one before."""

MOST = 120.0
"""Seconds that no wait exceeds."""

SPREAD = 0.25
"""What chance may add, as a share of a wait (RetryBackOffRandomRange): not all come back at once."""

LASTED = 60.0
"""Seconds that a link must stand to begin anew: a service may take a handshake and close at once, for ever."""


@dataclass(slots=True)
class Redial:
    """Counts what failed. `chance` gives a number from 0 up to 1, anew each time."""

    chance: Callable[[], float]
    _failed: int = 0

    def wait(self) -> float:
        """The seconds to wait now, after a dial that failed or a link that is gone."""
        longest = MOST / (1 + SPREAD)
        doubled = FIRST * 2.0 ** min(self._failed, 30)
        self._failed += 1
        return min(doubled, longest) * (1 + SPREAD * self.chance())

    def stood(self, seconds: float) -> None:
        """A link stood for so long: one that lasted is a reason to come back soon."""
        if seconds >= LASTED:
            self._failed = 0
