"""Which messages a queue loses that is too long or too old: readings first, sessions only whole (E04.FR.07-08)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ocpp_mqtt_proxy.adapters.store.services import READING, SECURITY
from ocpp_mqtt_proxy.core.reports import Phase


class Waiting(NamedTuple):
    """A message that waits, without what it says. `heard_at` as the store writes times."""

    number: int
    session_id: str
    kind: str
    heard_at: str


def every_second(rows: Sequence[Waiting]) -> list[int]:
    """Every second reading, the oldest first; never the last of a session, with which its end is understood."""
    last = {row.session_id: row.number for row in rows if row.kind == READING}
    readings = [row.number for row in rows if row.kind == READING and last[row.session_id] != row.number]
    return readings[::2]


def oldest_whole(rows: Sequence[Waiting], surplus: int) -> list[int]:
    """The oldest sessions that are over, whole, and security events, until so many messages less are left."""
    over = {row.session_id for row in rows if row.kind == Phase.ENDED}
    found: list[int] = []
    for session in _by_session(rows):
        if len(found) >= surplus:
            break
        if session[0].session_id in over or session[0].kind == SECURITY:
            found += [row.number for row in session]
    return found


def outlived(rows: Sequence[Waiting], before: str) -> list[int]:
    """What is older than a time; a session where all of it is."""
    return [
        row.number for session in _by_session(rows) if max(row.heard_at for row in session) < before for row in session
    ]


def sessions_lost(rows: Sequence[Waiting], going: Iterable[int]) -> set[str]:
    """The sessions of which nothing is left."""
    gone = set(going)
    left = {row.session_id for row in rows if row.number not in gone}
    return {row.session_id for row in rows} - left - {""}


def _by_session(rows: Iterable[Waiting]) -> list[list[Waiting]]:
    """The messages by their sessions, in order of the first; each without one by itself."""
    found: dict[str | int, list[Waiting]] = {}
    for row in rows:
        found.setdefault(row.session_id or row.number, []).append(row)
    return list(found.values())
