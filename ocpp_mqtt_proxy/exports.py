"""Sessions as CSV and JSON lines, for the API and the command line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.bill import Sum
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.session import Session

COLUMNS = {
    "timestamp": "started_at",
    "backend_id": "provider",
    "duration_s": "duration_s",
    "energy_kwh": "energy_kwh",
    "revenue": "revenue",
    "session_id": "session_id",
    "charger": "charger",
    "connector": "connector",
    "transaction_id": "transaction_id",
    "id_tag": "id_tag",
    "ended_at": "ended_at",
    "meter_start": "meter_start",
    "meter_stop": "meter_stop",
    "cost": "cost",
    "currency": "currency",
    "reason": "reason",
    "cost_currency": "cost_currency",
}
"""Columns of the CSV, the first five in this order (contract §4), and the session's field in each."""

_FORMULA = re.compile(r"(^|[;,|])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet would see a formula begin: also behind the separators that other countries' sheets use."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-\d\d)?", re.ASCII)

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
"""What would split a cell, or a line, for one reader or another."""


class BadTime(ProxyError):
    """A time that cannot be read."""


class MachineZone(tzinfo):
    """The zone of this machine, summer and winter."""

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        """What the machine's clocks show, or showed, then."""
        return at.replace(tzinfo=None).astimezone().utcoffset() if at else None

    def fromutc(self, at: datetime) -> datetime:
        """A time of UTC as the machine's clocks show it."""
        local = at.replace(tzinfo=UTC).astimezone()
        shown = local.replace(tzinfo=None)
        again = shown.astimezone().utcoffset() != local.utcoffset()
        return shown.replace(tzinfo=self, fold=int(again))

    def dst(self, _: datetime | None) -> None:
        """Not told apart."""

    def tzname(self, _: datetime | None) -> str:
        """For people."""
        return "local time"


def when(text: str | None, zone: tzinfo, *, end: bool = False) -> datetime | None:
    """A time of a filter: ISO 8601, or a date, which is that whole day in the zone. Raises BadTime."""
    if not text:
        return None
    try:
        day, at = _read(text)
    except ValueError:
        raise BadTime(f"{text!r} is no time; allowed: 2026-01-31 or 2026-01-31T18:00:00Z") from None
    try:
        at += timedelta(days=1 if day and end else 0)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadTime(f"{text!r} is out of the calendar") from None


def _read(text: str) -> tuple[bool, datetime]:
    """Whether a text is a day, and its time, or its midnight. Raises ValueError."""
    try:
        return True, datetime.combine(date.fromisoformat(text), time())
    except ValueError:
        return False, datetime.fromisoformat(text)


def month(text: str | None) -> str | None:
    """A month of a filter: `2026-01`, or a day, which stands for its month. Raises BadTime."""
    if not text:
        return None
    if not _MONTH.fullmatch(text):
        raise BadTime(f"{text!r} is no month; allowed: 2026-01")
    return text[: len("2026-01")]


async def as_csv(sessions: AsyncIterable[Session], now: datetime) -> AsyncIterator[str]:
    """CSV, line by line."""
    yield line(list(COLUMNS))
    async for session in sessions:
        document = {"cost_currency": session.cost_currency} | shapes.session(session, now)
        yield line([_cell(column, document[field]) for column, field in COLUMNS.items()])


async def as_json(sessions: AsyncIterable[Session], now: datetime) -> AsyncIterator[str]:
    """A JSON array, session by session."""
    before = "[\n"
    async for session in sessions:
        yield before + shapes.dump(shapes.session(session, now)).decode()
        before = ",\n"
    yield "]\n" if before != "[\n" else "[]\n"


def totals_as_csv(by: str, sums: Sequence[Sum]) -> Iterator[str]:
    """Totals, a column for each currency."""
    costs = sorted({currency for one in sums for currency in one.cost})
    revenues = sorted({currency for one in sums for currency, amount in one.revenue.items() if amount})
    money = (*(f"cost_{currency}" for currency in costs), *(f"revenue_{currency}" for currency in revenues))
    yield line([by, "sessions", "duration_s", "energy_kwh", *money])
    for one in sums:
        amounts = (*(one.cost[currency] for currency in costs), *(one.revenue[currency] for currency in revenues))
        figures = (one.sessions, one.seconds, one.energy / 1000)
        yield line([safe(one.key), *figures, *(f"{amount / 100:.2f}" for amount in amounts)])


def totals_as_json(by: str, sums: Sequence[Sum]) -> Iterator[str]:
    """Totals as a JSON array."""
    yield shapes.dump(totals(by, sums)).decode() + "\n"


def totals(by: str, sums: Sequence[Sum]) -> list[shapes.Json]:
    """Totals, each with what it is of; no card is none."""
    return [{by: one.key or None, **shapes.total(one)} for one in sums]


def _cell(column: str, value: Any) -> object:  # noqa: ANN401
    """A cell; money with two decimals."""
    return f"{value:.2f}" if column in ("cost", "revenue") else safe(value)


def safe(value: Any) -> Any:  # noqa: ANN401
    """A cell that no spreadsheet runs as a formula."""
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", _CONTROL.sub(" ", value))
    return "" if value is None else value


def line(cells: Iterable[Any]) -> str:
    """A line of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
