"""What the rest of a house takes of a fuse that it shares with chargers, in A on its fullest phase.

Decided on the safe side. A feed that is lost, or says nothing for `STALE`, counts as the most that the house was seen
to take in the hour before (`LATELY`); one that has not spoken yet, as all there is. A fall counts once it has lasted
for `CALM`, so that what comes and goes does not pull the chargers up and down with it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ocpp_mqtt_proxy.core.model import Amps

CALM = timedelta(seconds=10)
STALE = timedelta(minutes=5)
LATELY = timedelta(hours=1)
MARGIN = Amps(1)
"""What is left free beside a measured house: it rises faster than chargers fall."""


@dataclass(slots=True)
class HouseLoad:
    """The figures of one feed. `_peaks` are those that no later one was above, the greatest first."""

    heard_at: datetime | None = None
    lost: bool = False
    _peaks: deque[tuple[datetime, float]] = field(default_factory=deque)

    def take(self, amps: float, now: datetime) -> None:
        """A figure came in. A house that feeds in takes nothing."""
        self.heard_at, self.lost = now, False
        self._keep(max(0.0, amps), now)

    def recall(self, amps: float, now: datetime) -> None:
        """A figure of nobody knows when: it tells what there can be, not what there is."""
        if self.heard_at is None:
            self._keep(max(0.0, amps), now)

    def lose(self) -> None:
        """Whoever told is gone."""
        self.lost = True

    def fresh(self, now: datetime) -> bool:
        """Whether the feed tells what is so now."""
        return self.heard_at is not None and not self.lost and now - self.heard_at < STALE

    def load(self, now: datetime) -> Amps | None:
        """What the house has to be taken to draw now; None where nobody knows."""
        if self.heard_at is None or not self._peaks:
            return None
        if not self.fresh(now):
            return Amps(self._peaks[0][1])
        recent = (amps for at, amps in self._peaks if now - at < CALM)
        return Amps(next(recent, self._peaks[-1][1]))

    def _keep(self, amps: float, now: datetime) -> None:
        while self._peaks and self._peaks[-1][1] <= amps:
            self._peaks.pop()
        self._peaks.append((now, amps))
        while now - self._peaks[0][0] >= LATELY:
            self._peaks.popleft()
