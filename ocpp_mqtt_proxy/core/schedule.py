"""When in the week something holds: windows of local time, as people write them (contract §3 `schedule`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Window:
    """From a time of day to another, on some days of the week (Monday is 0).

    One that ends before it starts crosses midnight and belongs to the day on which it starts; one that ends
    when it starts is a whole day. Times are what clocks on the wall show: on the days when these are put on or
    back a window is an hour shorter or longer, and one within the missing hour does not come at all.
    """

    start: time
    end: time
    days: frozenset[int] = EVERY_DAY

    def holds(self, local: datetime) -> bool:
        """Whether a local time lies within."""
        today, clock = local.weekday(), local.time()
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        return (today in self.days and clock >= self.start) or ((today - 1) % 7 in self.days and clock < self.end)


def is_open(windows: Iterable[Window], local: datetime) -> bool:
    """Whether one of the windows holds; without any it is always open."""
    every = list(windows)
    return not every or any(window.holds(local) for window in every)
