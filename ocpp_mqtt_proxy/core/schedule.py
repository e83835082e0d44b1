"""When in the week something holds: windows of local time, as people write them (contract §3 `schedule`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

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


def changes_of(windows: Iterable[Window], local: datetime, ahead: timedelta) -> Iterator[datetime]:
    """When, within a time from a local one on, windows open or close; in UTC, in order."""
    every = list(windows)
    if not every:
        return
    opened = is_open(every, local)
    for at in sorted(set(_edges(every, local, ahead))):
        if (now := is_open(every, at.astimezone(local.tzinfo))) is not opened:
            opened = now
            yield at


def _edges(windows: list[Window], local: datetime, ahead: timedelta) -> Iterator[datetime]:
    """When a window may open or close."""
    since, until = local.astimezone(UTC), local.astimezone(UTC) + ahead
    clocks = {clock for window in windows for clock in (window.start, window.end)}
    for days in range(ahead.days + 2):
        for clock in clocks:
            edge = datetime.combine(local.date() + timedelta(days), clock, local.tzinfo)
            yield from (at for fold in (0, 1) if since < (at := edge.replace(fold=fold).astimezone(UTC)) < until)
    if until.astimezone(local.tzinfo).utcoffset() != local.utcoffset():
        yield from _halves(since, until)


def _halves(since: datetime, until: datetime) -> Iterator[datetime]:
    """Every half hour: clocks are put on or back at one."""
    half = timedelta(minutes=30)
    at = since.replace(minute=0, second=0, microsecond=0)
    while (at := at + half) < until:
        if at > since:
            yield at
