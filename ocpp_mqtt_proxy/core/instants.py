"""Times as chargers give them, made usable.

Boxes wake in 1970, forget their zone, or run ahead. What cannot be true is replaced by the time of receipt;
order is kept because a charger's messages come in order (semantics §3.2).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""No charger that speaks to us recorded anything before."""

_QUARTER = timedelta(minutes=15)
_WIDEST = timedelta(hours=14)


def settle(at: datetime | None, now: datetime) -> datetime:
    """The instant a charger meant, never after `now`; `now` where it cannot be told.

    Without a zone the offset is taken that brings it nearest to `now`: zones differ by quarters of an hour.
    """
    if at is None or not tells(at):
        return now
    return min(at if at.tzinfo else _zoned(at, now), now)


def ahead(at: datetime | None, now: datetime) -> timedelta:
    """By how much a charger's clock is ahead, as far as that shows: often by its time zone."""
    if at is None or at.tzinfo is None:
        return timedelta(0)
    return max(timedelta(0), at - now)


def tells(at: datetime | None) -> bool:
    """Whether a time says when: it is there, and the charger's clock had been set."""
    return at is not None and (at if at.tzinfo else at.replace(tzinfo=UTC)) >= EARLIEST


def _zoned(at: datetime, now: datetime) -> datetime:
    utc = at.replace(tzinfo=UTC)
    offset = round((utc - now) / _QUARTER) * _QUARTER
    return utc - offset if abs(offset) <= _WIDEST else utc
