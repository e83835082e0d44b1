"""What each provider has of each session, and the totals that follow: written with the session, in one transaction.

A session that changes is taken out of the totals with what it was in them by, and put in with what it is now: so
totals are what they would be if they were added up anew, whatever comes late, twice or after a kill.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, tzinfo

from ocpp_mqtt_proxy.adapters.store.rows import Statement, text_of
from ocpp_mqtt_proxy.core.bill import Line, lines, month_of
from ocpp_mqtt_proxy.core.session import Session

SHARE_COLUMNS = (
    "session_id", "provider", "charger", "started_at",
    "month", "tag", "begun", "seconds", "energy_wh", "cost", "cost_currency", "revenue", "currency",
)  # fmt: skip
_KEY = ("month", "provider", "tag", "currency", "cost_currency")
_AMOUNTS = ("begun", "seconds", "energy_wh", "cost", "revenue")
TOTAL_COLUMNS = (*_KEY, "sessions", *_AMOUNTS)


def _moving(sign: str) -> str:
    """The SQL that puts what stands of a session into the totals, or takes it out."""
    amounts = ", ".join(f"{sign}{name}" for name in _AMOUNTS)
    grow = ", ".join(f"{name} = {name} + excluded.{name}" for name in ("sessions", *_AMOUNTS))
    return (
        f"INSERT INTO total ({', '.join(TOTAL_COLUMNS)}) "  # noqa: S608 (our own names)
        f"SELECT {', '.join(_KEY)}, {sign}1, {amounts} FROM share WHERE session_id = ? AND month IS NOT NULL "
        f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {grow}"
    )


_TAKE_OUT = _moving("-")
_PUT_IN = _moving("+")
_FORGET = "DELETE FROM share WHERE session_id = ?"
_PUT = f"INSERT INTO share ({', '.join(SHARE_COLUMNS)}) VALUES ({', '.join('?' for _ in SHARE_COLUMNS)})"  # noqa: S608
_LIST = (
    "INSERT INTO share (session_id, provider, charger, started_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (session_id, provider) DO UPDATE SET started_at = excluded.started_at "
    "WHERE started_at != excluded.started_at"
)

LIST_ALL = (
    "INSERT OR IGNORE INTO share (session_id, provider, charger, started_at) "
    "SELECT session_id, provider, charger, started_at FROM session"
)
"""What makes every session be found by its provider, before it is in the totals."""


PROBES = (
    f"SELECT {', '.join(SHARE_COLUMNS)} FROM share LIMIT 0",  # noqa: S608
    f"SELECT {', '.join(TOTAL_COLUMNS)} FROM total LIMIT 0",  # noqa: S608
)
"""What fails where a table or a column that we need is not there."""


def statements(session: Session, zone: tzinfo) -> Iterator[Statement]:
    """What is written with a session. One that runs is in no total, and is only found by its providers."""
    one = (session.session_id,)
    if session.running:
        for provider in {part.provider: None for part in session.parts}:
            yield _LIST, (session.session_id, provider, session.charger, text_of(session.started_at))
        return
    yield _TAKE_OUT, one
    yield _FORGET, one
    for row in _rows(session, zone):
        yield _PUT, row
    yield _PUT_IN, one


def _rows(session: Session, zone: tzinfo) -> Iterator[tuple[object, ...]]:
    began_with = session.parts[0].provider
    for line in _by_provider(session, session.ended_at or session.started_at):
        yield (
            session.session_id,
            line.provider,
            session.charger,
            text_of(session.started_at),
            month_of(session.started_at, zone),
            session.id_tag or "",
            int(line.provider == began_with),
            line.seconds,
            line.energy,
            line.cost,
            line.cost_currency,
            line.revenue,
            line.currency,
        )


def _by_provider(session: Session, now: datetime) -> Iterator[Line]:
    """All that a provider has of a session as one line, in the currency of its first part."""
    found: dict[str, Line] = {}
    for line in lines(session, now):
        known = found.get(line.provider)
        if known is None:
            found[line.provider] = line
            continue
        found[line.provider] = replace(
            known,
            seconds=known.seconds + line.seconds,
            energy=known.energy + line.energy,
            cost=known.cost + line.cost,
            revenue=known.revenue + (line.revenue if line.currency == known.currency else 0),
        )
    yield from found.values()
