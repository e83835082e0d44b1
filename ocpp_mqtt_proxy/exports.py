"""Sessions as CSV and JSON lines, for the API and the command line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterable, AsyncIterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from ocpp_mqtt_proxy import shapes
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


async def as_csv(sessions: AsyncIterable[Session], now: datetime) -> AsyncIterator[str]:
    """CSV, line by line."""
    yield _line(list(COLUMNS))
    async for session in sessions:
        document = {"cost_currency": session.cost_currency} | shapes.session(session, now)
        yield _line([_cell(column, document[field]) for column, field in COLUMNS.items()])


async def as_json(sessions: AsyncIterable[Session], now: datetime) -> AsyncIterator[str]:
    """A JSON array, session by session."""
    before = "[\n"
    async for session in sessions:
        yield before + shapes.dump(shapes.session(session, now)).decode()
        before = ",\n"
    yield "]\n" if before != "[\n" else "[]\n"


def _cell(column: str, value: Any) -> object:  # noqa: ANN401
    """A cell that no spreadsheet runs as a formula; money with two decimals."""
    if column in ("cost", "revenue"):
        return f"{value:.2f}"
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", _CONTROL.sub(" ", value))
    return "" if value is None else value


def _line(cells: list[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
