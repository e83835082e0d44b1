"""Totals by provider, card and month, which stand ready whatever many sessions there were.

They follow the sessions (`shares`). Only what an older version wrote, or a file that was mended, or another time zone
has to be reckoned anew, in the background, some sessions at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from sqlite3 import Row
from typing import NamedTuple

import orjson

from ocpp_mqtt_proxy.adapters.store import rows, shares
from ocpp_mqtt_proxy.adapters.store.rows import Statement
from ocpp_mqtt_proxy.adapters.store.writing import Scribe
from ocpp_mqtt_proxy.core.bill import Sum
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.session import Session

CHUNK = 200
"""Sessions reckoned in one transaction: what waits to be written waits for no more than that."""

FIRST, LAST = "0000-00", "9999-99"
"""Before and after every month."""

Select = Callable[[str, tuple[object, ...]], Awaitable[Iterable[Row]]]


class Wanted(NamedTuple):
    """Which totals: by what, of which months, of one provider or of all."""

    by: str
    since: str = FIRST
    until: str = LAST
    provider: str | None = None


class Totals:
    """The totals in the store. Months are those of `zone`."""

    def __init__(self, scribe: Scribe, select: Select, zone: tzinfo) -> None:
        self.zone = zone
        self._scribe = scribe
        self._select = select

    def follow(self, change: Change) -> Iterable[Statement]:
        """What is written with a change."""
        return shares.statements(change, self.zone) if isinstance(change, Session) else ()

    async def sums(self, wanted: Wanted) -> list[Sum]:
        """Totals, in order of what they are by. Raises LedgerFailed."""
        sql, values = select(wanted)
        found: dict[str, Sum] = {}
        for row in await self._select(sql, values):
            one = found.setdefault(row["name"], Sum(row["name"]))
            one.sessions += row["sessions"]
            one.seconds += row["seconds"]
            one.energy += row["energy_wh"]
            one.cost[row["cost_currency"]] += row["cost"]
            one.revenue[row["currency"]] += row["revenue"]
        return list(found.values())

    async def are_complete(self) -> bool:
        """Whether all sessions are in them. Raises LedgerFailed."""
        return await self._behind() is None

    async def reckon(self) -> None:
        """Bring in all sessions that are not, or not by the months of our time zone. Raises LedgerFailed.

        Goes on where an earlier life stopped.
        """
        sql = "SELECT * FROM session WHERE session_id > ? ORDER BY session_id LIMIT ?"
        while (after := await self._behind()) is not None:
            await self._scribe.revise(sql, (after, CHUNK), self._reckoned)

    async def _behind(self) -> str | None:
        """After which session there are some left; None where there are none."""
        for row in await self._select("SELECT value FROM meta WHERE key = ?", (rows.RECKONED,)):
            with suppress(*rows.UNREADABLE):
                zone, after = orjson.loads(row["value"])
                return after if zone == label_of(self.zone) else ""
        return ""

    def _reckoned(self, found: list[Row]) -> Iterator[Statement]:
        last = found[-1]["session_id"] if len(found) == CHUNK else None
        for row in found:
            with suppress(*rows.UNREADABLE):
                yield from shares.statements(rows.session(row), self.zone)
        yield rows.PUT_META, (rows.RECKONED, orjson.dumps([label_of(self.zone), last]).decode())


def label_of(zone: tzinfo) -> str:
    """What tells a time zone from others: its name, else its clocks in winter and summer."""
    name = getattr(zone, "key", None)
    return name or " ".join(str(datetime(2026, month, 1, tzinfo=UTC).astimezone(zone).utcoffset()) for month in (1, 7))


def select(wanted: Wanted) -> tuple[str, tuple[object, ...]]:
    """The SQL of totals, and its values. A session counts for each provider that has a part; among all, once."""
    of_one = wanted.by == "provider" or wanted.provider is not None
    count = "sessions" if of_one else "begun"
    sql = (
        f"SELECT {wanted.by} AS name, currency, cost_currency, SUM({count}) AS sessions, SUM(seconds) AS seconds, "  # noqa: S608
        "SUM(energy_wh) AS energy_wh, SUM(cost) AS cost, SUM(revenue) AS revenue FROM total "
        f"WHERE month BETWEEN ? AND ?{' AND provider = ?' if wanted.provider is not None else ''} "
        f"GROUP BY {wanted.by}, currency, cost_currency HAVING SUM(sessions) > 0 ORDER BY {wanted.by}"
    )
    values = (wanted.since, wanted.until)
    return sql, values if wanted.provider is None else (*values, wanted.provider)
