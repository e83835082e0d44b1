"""An energy register as a total that never falls.

Real registers restart at 0 each session, lose a power cut's worth, drop to 0 for one reading, or are
swapped for another meter. A reading that cannot be the next one of the same meter is held until a second
one confirms it; then the total goes on from there. What cannot be told is not counted: no energy is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ocpp_mqtt_proxy.core.model import WattHours

MAX_POWER_W = 500_000.0
"""More than any charger delivers: a faster rise is another register, not energy."""

MARGIN_WH = 20_000.0
"""A rise this small is taken whatever the clocks say; clocks of chargers are off more often than meters."""

NOISE_WH = 10.0
"""A fall this small is the meter's noise."""

NEAR_ZERO_WH = 1_000.0
"""A register that fell to less than this has restarted at 0."""

MOST_WH = 1e11
"""More than any charger delivers in its life."""


def credible(raw: float | None) -> WattHours | None:
    """A register reading in Wh, where it can be one: not negative, not beyond all measure."""
    return WattHours(raw) if raw is not None and 0 <= raw <= MOST_WH else None


@dataclass(slots=True)
class Register:
    """Counts energy through the raw readings of one meter.

    `total` is Wh counted, `raw` the last reading taken, `at` its time; `held` waits to be confirmed.
    """

    total: float = 0.0
    raw: float | None = None
    at: datetime | None = None
    held: float | None = None

    def read(self, raw: WattHours, at: datetime) -> None:
        """Take a reading in Wh. The first one ever is where counting starts: it sets the total itself.

        An older and lower one is history from a charger's backlog and says nothing new.
        """
        if self.raw is None:
            self.total = self.raw = raw
        elif self.at is not None and at < self.at and raw <= self.raw:
            return
        elif self._follows(self.raw, raw, at):
            self.total += max(0.0, raw - self.raw)
            self.raw = max(raw, self.raw)
        elif self.held is not None and self._follows(self.held, raw, at):
            self._restart(self.held, raw)
        else:
            self.held = raw
            return
        self.held = None
        self.at = at

    def _follows(self, earlier: float, later: float, at: datetime) -> bool:
        return -NOISE_WH <= later - earlier <= most_energy(self.at, at)

    def _restart(self, held: float, raw: float) -> None:
        """Go on from a restarted or exchanged meter; from 0 where it restarted there."""
        assert self.raw is not None
        base = 0.0 if held < min(self.raw, NEAR_ZERO_WH) else held
        self.total += max(0.0, raw - base)  # what confirms may be lower by noise
        self.raw = max(raw, held)


def most_energy(since: datetime | None, until: datetime) -> float:
    """The most Wh that can have flowed between two instants, with a margin for wrong clocks."""
    seconds = max(0.0, (until - since).total_seconds()) if since else 0.0
    return MARGIN_WH + MAX_POWER_W * seconds / 3600


def session_register(meter_start: WattHours, at: datetime) -> Register:
    """A register that counts one session's energy from its start."""
    return Register(total=0.0, raw=meter_start, at=at)
