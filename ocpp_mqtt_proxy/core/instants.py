"""Times as chargers give them, made usable.

Boxes wake in 1970, forget their zone, or run ahead. What cannot be true is replaced by the time of receipt;
order is kept because a charger's messages come in order (semantics §3.2).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""No charger that speaks to us recorded anything before."""

AHEAD = timedelta(seconds=90)
"""How far ahead of ours a charger's clock may run before we stop believing it."""

_QUARTER = timedelta(minutes=15)
_WIDEST = timedelta(hours=14)


def settle(at: datetime | None, now: datetime) -> datetime:
    """The instant a charger meant, never after `now`; `now` where it cannot be told.

    Without a zone the offset is taken that brings it nearest to `now`: zones differ by quarters of an hour.
    """
    if at is None:
        return now
    if at.tzinfo is None:
        at = _zoned(at, now)
    if at < EARLIEST or at > now + AHEAD:
        return now
    return min(at, now)


def _zoned(at: datetime, now: datetime) -> datetime:
    utc = at.replace(tzinfo=UTC)
    offset = round((utc - now) / _QUARTER) * _QUARTER
    return utc - offset if abs(offset) <= _WIDEST else utc
