"""What goes on at a charger that nobody attends: a car comes, charges for a while, leaves, and another comes.

A schedule of the commands of the console. It is the same every time for the same charger.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

MINUTE = 60.0

WALK = 1.5 * MINUTE
"""Seconds between cable and card, both when coming and when leaving."""

PAUSE = 15 * MINUTE
"""Seconds without a car."""

FIRST_PAUSES = (2 * MINUTE, 4 * MINUTE, 6 * MINUTE, 8 * MINUTE)
"""Seconds until the first car: not the same everywhere, and soon enough for somebody who waits for it."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A car that comes by: state of charge in %, capacity in kWh, A per phase, seconds of charging."""

    soc: int
    capacity: int
    current: int
    phases: int
    stay: float


VISITORS = (
    Visitor(soc=38, capacity=77, current=16, phases=3, stay=60 * MINUTE),
    Visitor(soc=93, capacity=52, current=16, phases=3, stay=70 * MINUTE),  # full before it leaves
    Visitor(soc=24, capacity=40, current=29, phases=1, stay=50 * MINUTE),
    Visitor(soc=61, capacity=64, current=16, phases=3, stay=40 * MINUTE),
)


class Visits:
    """The visits at a charger, as time passes."""

    def __init__(self, charger_id: str) -> None:
        seed = zlib.crc32(charger_id.encode())
        self._timeline = _timeline((seed >> 8) % len(VISITORS))
        self._left, self._next = next(self._timeline)
        self._left = FIRST_PAUSES[(seed >> 16) % len(FIRST_PAUSES)]

    def pass_by(self, seconds: float) -> list[str]:
        """Let time pass; the commands that fall due, in order."""
        due = []
        self._left -= seconds
        while self._left <= 0:
            due.append(self._next)
            pause, self._next = next(self._timeline)
            self._left += pause
        return due


def _timeline(first: int) -> Iterator[tuple[float, str]]:
    """Pauses in seconds, and the command after each, for ever."""
    for car in islice(cycle(VISITORS), first, None):
        yield PAUSE, f"plug {car.soc} {car.capacity} {car.current} {car.phases}"
        yield WALK, "tap"
        yield car.stay, "stop"
        yield WALK, "unplug"
