"""Reports of months that are over: made once, as files beside the database, and told.

A month is reported when it is over and nothing that began in it runs any more, or `PATIENCE` later. What comes later
still (a charger that was away) corrects the files, and that is told as such.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ocpp_mqtt_proxy import monthly, shapes
from ocpp_mqtt_proxy.adapters.store import Reported, Store, Wanted
from ocpp_mqtt_proxy.books import Books
from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.core.bill import Sum, month_of
from ocpp_mqtt_proxy.core.events import MonthReported
from ocpp_mqtt_proxy.ports import LedgerFailed

log = logging.getLogger(__name__)

SECONDS = 60.0
"""How often it is looked whether there is something to report."""

PATIENCE = timedelta(days=3)
"""How long a month waits for what began in it and still runs."""

KEPT = 36
"""Months whose files are kept."""


@dataclass
class Reporting:
    """Makes the reports."""

    store: Store
    books: Books
    bus: Bus
    failed: str = field(default="", init=False)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.store.path.parent / "reports"

    async def run(self) -> None:
        """Look now and then, for ever. What cannot be done now is tried again."""
        while True:
            try:
                await self.look()
                self.failed = ""
            except (LedgerFailed, OSError) as error:
                if str(error) != self.failed:
                    log.warning("reports of months have to wait: %s", error)
                self.failed = str(error)
            await asyncio.sleep(SECONDS)

    async def look(self) -> None:
        """Have the totals right, and report what is to be. Raises LedgerFailed, OSError."""
        await self.store.totals.reckon()
        known, now = await self.store.reports.known(), self.books.clock.now()
        current = month_of(now, self.books.zone)
        since = max(min(known, default=_before(current)), _before(current, KEPT))
        for month in await self.store.totals.sums(Wanted("month", since, _before(current))):
            report, earlier = Reported(month.key, now, _text(month)), known.get(month.key)
            if await self._may_be_made(month.key) if earlier is None else earlier.sums != report.sums:
                await self._make(report, corrected=earlier is not None)

    async def _may_be_made(self, month: str) -> bool:
        _, until = monthly.bounds(month, self.books.zone)
        waited = self.books.clock.now() - until >= PATIENCE
        return waited or not await self.store.reports.run_on(before=until)

    async def _make(self, reported: Reported, *, corrected: bool) -> None:
        """What is cut off before it is written down is done again; what was written down is told once."""
        report = await self.books.month(reported.month)
        files = await asyncio.to_thread(self._write, report)
        await self.store.reports.keep(reported)
        document = monthly.summary(report) | {"files": [str(file) for file in files]}
        self.bus.publish(MonthReported(charger="", at=reported.made_at, document=document, corrected=corrected))

    def _write(self, report: monthly.Month) -> list[Path]:
        self.folder.mkdir(exist_ok=True)
        contents = {"csv": monthly.as_csv(report), "html": monthly.as_html(report)}
        written = [_put(self._file(report.month, ending), lines) for ending, lines in contents.items()]
        for ending in contents:
            for old in sorted(self.folder.glob(self._file("????-??", ending).name))[:-KEPT]:
                old.unlink()
        return written

    def _file(self, month: str, ending: str) -> Path:
        return self.folder / f"{self.store.path.stem}-{month}.{ending}"


def _put(file: Path, lines: Iterator[str]) -> Path:
    """Write a file, at once as others see it."""
    draft = file.with_name(f"{file.name}.draft")
    with draft.open("w", encoding="utf-8", newline="") as text:
        text.writelines(lines)
    draft.replace(file)
    return file


def _text(month: Sum) -> str:
    """Sums, to be compared with."""
    return shapes.dump(shapes.total(month)).decode()


def _before(month: str, by: int = 1) -> str:
    """The month so many before another."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - by
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
