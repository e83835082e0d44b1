"""Which months were reported, and with what sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ocpp_mqtt_proxy.adapters.store import rows
from ocpp_mqtt_proxy.adapters.store.totals import Select
from ocpp_mqtt_proxy.adapters.store.writing import Scribe


@dataclass(frozen=True, slots=True)
class Reported:
    """A month that was reported, and its sums then."""

    month: str
    made_at: datetime
    sums: str


class Reports:
    """The reports in the store."""

    def __init__(self, scribe: Scribe, select: Select) -> None:
        self._scribe = scribe
        self._select = select

    async def known(self) -> dict[str, Reported]:
        """The months that were reported, in order. Raises LedgerFailed."""
        found = await self._select("SELECT * FROM report ORDER BY month", ())
        return {
            row["month"]: Reported(row["month"], datetime.fromisoformat(row["made_at"]), row["sums"]) for row in found
        }

    async def keep(self, report: Reported) -> None:
        """Remember a report. Raises LedgerFailed."""
        values = (report.month, rows.text_of(report.made_at), report.sums)
        await self._scribe.write([(_PUT, values)])

    async def run_on(self, before: datetime) -> bool:
        """Whether a session that began before a time still runs. Raises LedgerFailed."""
        sql = "SELECT 1 FROM session WHERE state = 'running' AND started_at < ? LIMIT 1"
        return bool(list(await self._select(sql, (rows.text_of(before),))))


_PUT = rows.replace("report", rows.REPORT_COLUMNS)
