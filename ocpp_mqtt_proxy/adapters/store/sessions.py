"""Lists of sessions: filters, pages and the SQL behind them. Every query walks an index, newest first."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ocpp_mqtt_proxy.adapters.store.rows import text_of
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.session import Session

MOST = 1000
"""Sessions on one page."""


class BadCursor(ProxyError):
    """A cursor that is none of ours."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sessions: started from `since` up to before `until`, of a charger, of a provider."""

    since: datetime | None = None
    until: datetime | None = None
    charger: str | None = None
    provider: str | None = None
    limit: int = 100
    cursor: tuple[str, str] | None = None

    @property
    def size(self) -> int:
        """Sessions on a page of it."""
        return max(1, min(self.limit, MOST))

    @classmethod
    def of(cls, *, cursor: str | None = None, **wanted: Any) -> Filter:  # noqa: ANN401 (the fields above)
        """A filter, of the page after a cursor where there is one. Raises BadCursor."""
        chosen = cls(**wanted)
        return chosen.after(cursor) if cursor else chosen

    def after(self, cursor: str) -> Filter:
        """The page after a cursor. Raises BadCursor."""
        try:
            started, session_id = base64.urlsafe_b64decode(cursor.encode()).decode().split(" ")
        except (binascii.Error, ValueError):
            raise BadCursor("cursor: must be the `next` of an earlier page") from None
        return replace(self, cursor=(started, session_id))


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions, and where the next page begins; None at the end."""

    sessions: list[Session]
    cursor: str | None

    @classmethod
    def of(cls, found: list[Session], size: int) -> Page:
        """A page from one session more than it holds."""
        if len(found) <= size:
            return cls(found, None)
        last = found[size - 1]
        text = f"{text_of(last.started_at)} {last.session_id}"
        return cls(found[:size], base64.urlsafe_b64encode(text.encode()).decode())


# What ended before started before, and by that there is an index.
_OLD = "FROM session WHERE started_at < ? AND ended_at < ? AND state != 'running'"
PRUNING = (f"DELETE FROM share WHERE session_id IN (SELECT session_id {_OLD})", f"DELETE {_OLD}")  # noqa: S608
"""The SQL that drops old sessions."""


def select(wanted: Filter) -> tuple[str, list[object]]:
    """The SQL of a filter, and its values. By a provider, sessions are those in which it has a part."""
    of = "session" if wanted.provider is None else "share"
    conditions: list[tuple[str, list[object]]] = []
    if wanted.since is not None:
        conditions.append((f"{of}.started_at >= ?", [text_of(wanted.since)]))
    if wanted.until is not None:
        conditions.append((f"{of}.started_at < ?", [text_of(wanted.until)]))
    if wanted.charger is not None:
        conditions.append((f"{of}.charger = ?", [wanted.charger]))
    if wanted.provider is not None:
        conditions.append(("share.provider = ?", [wanted.provider]))
    if wanted.cursor is not None:
        conditions.append((f"({of}.started_at, {of}.session_id) < (?, ?)", list(wanted.cursor)))
    where = " WHERE " + " AND ".join(sql for sql, _ in conditions) if conditions else ""
    values = [value for _, given in conditions for value in given]
    tables = "session" if wanted.provider is None else "share CROSS JOIN session USING (session_id)"
    order = f"ORDER BY {of}.started_at DESC, {of}.session_id DESC LIMIT ?"
    return f"SELECT session.* FROM {tables}{where} {order}", [*values, wanted.size + 1]  # noqa: S608
