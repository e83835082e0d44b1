"""Sessions as CSV and JSON, and the times that they are asked for by."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy import exports
from ocpp_mqtt_proxy.core.bill import Sum
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.exports import BadTime, MachineZone, when
from tests.adapters.things import NOON, a_session, an_ended_session

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


async def stream(*sessions: Session) -> AsyncIterator[Session]:
    for session in sessions:
        yield session


async def as_csv(*sessions: Session) -> list[dict[str, str]]:
    text = "".join([line async for line in exports.as_csv(stream(*sessions), NOON)])
    return list(csv.DictReader(io.StringIO(text)))


async def as_json(*sessions: Session) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads("".join([line async for line in exports.as_json(stream(*sessions), NOON)]))
    return found


# CSV


async def test_the_first_columns_are_those_that_others_read() -> None:
    lines = [line async for line in exports.as_csv(stream(), NOON)]
    assert lines[0].startswith("timestamp,backend_id,duration_s,energy_kwh,revenue,")
    assert len(lines) == 1


async def test_the_rest_is_all_that_a_session_shows_on_one_line() -> None:
    (row,) = await as_csv(an_ended_session())
    (document,) = await as_json(an_ended_session())
    renamed = {"started_at": "timestamp", "provider": "backend_id"}
    assert row.keys() == {renamed.get(key, key) for key in document} - {"parts"} | {"cost_currency"}


async def test_a_session_is_a_row() -> None:
    (row,) = await as_csv(an_ended_session(provider="night", revenue=Decimal("0.36")))
    assert row == {
        "timestamp": "2026-03-14T12:01:00.000Z",
        "backend_id": "night",
        "duration_s": "1800",
        "energy_kwh": "2.0",
        "revenue": "0.36",
        "session_id": "test-1",
        "charger": "CP1",
        "connector": "1",
        "transaction_id": "1001",
        "id_tag": "04A1B2C3",
        "ended_at": "2026-03-14T12:31:00.000Z",
        "meter_start": "1000",
        "meter_stop": "3000",
        "cost": "0.60",
        "currency": "EUR",
        "reason": "local",
        "cost_currency": "EUR",
    }


async def test_a_running_session_leaves_its_end_empty() -> None:
    (row,) = await as_csv(a_session())
    assert (row["ended_at"], row["meter_stop"], row["reason"]) == ("", "", "")


@pytest.mark.parametrize(
    ("cost", "shown"), [("0", "0.00"), ("0.005", "0.01"), ("0.1249", "0.12"), ("12", "12.00"), ("1234.5", "1234.50")]
)
async def test_money_has_two_decimals(cost: str, shown: str) -> None:
    (row,) = await as_csv(an_ended_session(cost=Decimal(cost)))
    assert row["cost"] == shown


async def test_lines_come_one_by_one() -> None:
    lines = exports.as_csv(stream(a_session(1), a_session(2)), NOON)
    assert (await anext(lines)).startswith("timestamp")
    assert "test-1" in await anext(lines)
    assert "test-2" in await anext(lines)


DANGEROUS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "a;=1+1",
    "a,@x",
    "a|-1",
    "\uff1d1+1",
    "\uff0b1",
]
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("column", ["charger", "transaction_id", "id_tag", "provider", "cost_currency"])
@pytest.mark.parametrize("text", DANGEROUS)
async def test_no_cell_is_a_formula_however_it_is_split(column: str, text: str) -> None:
    given: dict[str, Any] = {column: text}
    (row,) = await as_csv(a_session(**given))
    cell = row["backend_id" if column == "provider" else column]
    assert not any(part.strip().startswith(FORMULA) for part in re.split(r"[;,|\t\r\n]", cell))
    assert cell.replace("'", "").strip() == text.strip()


@given(st.text(max_size=10))
async def test_whatever_a_charger_says_is_one_cell_of_one_line(text: str) -> None:
    lines = [line async for line in exports.as_csv(stream(a_session(id_tag=text)), NOON)]
    assert [line.splitlines() for line in lines] == [[line.rstrip("\n")] for line in lines]
    (row,) = await as_csv(a_session(id_tag=text))
    assert len(row) == len(exports.COLUMNS)
    if text.isprintable() and not re.search(r"[=+@-]", text) and text.isascii():
        assert row["id_tag"] == text


async def test_quotes_and_separators_stay_in_their_cell() -> None:
    (row,) = await as_csv(a_session(id_tag='a"b,c;d'))
    assert row["id_tag"] == 'a"b,c;d'


# JSON


async def test_no_sessions_are_an_empty_list() -> None:
    assert await as_json() == []


async def test_sessions_are_a_list_in_their_order() -> None:
    assert [session["session_id"] for session in await as_json(a_session(2), a_session(1))] == ["test-2", "test-1"]


# Totals

NIGHT = Sum("night", 3, 5400, 6000, Counter({"EUR": 180}), Counter({"EUR": 120, "CHF": 5}))
NO_CARD = Sum("", 1, 60, 500, Counter({"EUR": 15}), Counter({"EUR": 0}))


def test_totals_as_csv_have_a_column_for_each_currency() -> None:
    rows = list(csv.DictReader(exports.totals_as_csv("provider", [NIGHT, NO_CARD])))
    assert rows[0] == {
        "provider": "night",
        "sessions": "3",
        "duration_s": "5400",
        "energy_kwh": "6.0",
        "cost_EUR": "1.80",
        "revenue_CHF": "0.05",
        "revenue_EUR": "1.20",
    }
    assert (rows[1]["cost_EUR"], rows[1]["revenue_EUR"], rows[1]["revenue_CHF"]) == ("0.15", "0.00", "0.00")


def test_totals_as_json_have_money_by_currency_and_no_revenue_of_nothing() -> None:
    assert json.loads("".join(exports.totals_as_json("tag", [NIGHT, NO_CARD]))) == [
        {
            "tag": "night",
            "sessions": 3,
            "duration_s": 5400,
            "energy_kwh": 6.0,
            "cost": {"EUR": 1.8},
            "revenue": {"CHF": 0.05, "EUR": 1.2},
        },
        {"tag": None, "sessions": 1, "duration_s": 60, "energy_kwh": 0.5, "cost": {"EUR": 0.15}, "revenue": {}},
    ]


def test_a_card_that_would_be_a_formula_is_none_in_totals() -> None:
    assert "'=1+1" in "".join(exports.totals_as_csv("tag", [Sum("=1+1", 1)]))


@pytest.mark.parametrize(
    ("text", "month"), [("2026-01", "2026-01"), ("2026-01-31", "2026-01"), ("", None), (None, None)]
)
def test_a_day_stands_for_its_month(text: str | None, month: str | None) -> None:
    assert exports.month(text) == month


@pytest.mark.parametrize("text", ["2026", "2026-13", "January", "2026-01-01T00:00", "٢٠٢٦-01"])
def test_what_is_no_month_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadTime, match="is no month; allowed: 2026-01"):
        exports.month(text)


# Times


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A machine in a time zone; which."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_no_time_is_none() -> None:
    assert when(None, UTC) is None
    assert when("", UTC) is None


@pytest.mark.parametrize(
    ("text", "zone", "end", "expected"),
    [
        ("2026-01-31", UTC, False, datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31", UTC, True, datetime(2026, 2, 1, tzinfo=UTC)),
        ("20260131", UTC, True, datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-01-31", AMSTERDAM, False, datetime(2026, 1, 30, 23, tzinfo=UTC)),
        ("2026-07-01", AMSTERDAM, False, datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-03-29", AMSTERDAM, True, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("2026-01-31T18:00:00", AMSTERDAM, True, datetime(2026, 1, 31, 17, tzinfo=UTC)),
        ("2026-01-31T18:00:00Z", AMSTERDAM, True, datetime(2026, 1, 31, 18, tzinfo=UTC)),
        ("2026-01-31T18:00:00+05:30", UTC, False, datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
    ],
)
def test_a_date_is_that_whole_day_and_a_time_that_instant(
    text: str, zone: tzinfo, end: bool, expected: datetime
) -> None:
    assert when(text, zone, end=end) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-01-31T25:00", "1", "31.1.2026"])
def test_what_is_no_time_is_said_to_be_none_and_what_is_allowed(text: str) -> None:
    with pytest.raises(BadTime, match="is no time; allowed: 2026-01-31"):
        when(text, UTC)


@pytest.mark.parametrize("machine", ["Asia/Kolkata"], indirect=True)
@pytest.mark.parametrize("text", ["9999-12-31", "0001-01-01T00:00:00", "0001-01-01T00:00:00+10:00"])
@pytest.mark.parametrize("zone", [ZoneInfo("Asia/Kolkata"), MachineZone()])
def test_days_at_the_edge_of_the_calendar_have_none_beside_them(machine: str, text: str, zone: tzinfo) -> None:
    with pytest.raises(BadTime, match="is out of the calendar"):
        when(text, zone, end=True)


@given(st.text(max_size=25))
def test_any_text_is_a_time_or_said_to_be_none(text: str) -> None:
    try:
        at = when(text, AMSTERDAM, end=True)
    except BadTime:
        return
    assert at is None or at.tzinfo is UTC


@pytest.mark.parametrize("machine", ["Europe/Amsterdam"], indirect=True)
@pytest.mark.parametrize("day", ["2026-01-31", "2026-03-29", "2026-07-01"])
def test_the_machine_s_days_follow_its_summer_time(machine: str, day: str) -> None:
    assert when(day, MachineZone(), end=True) == when(day, ZoneInfo(machine), end=True)


def test_a_zone_without_a_time_has_no_offset() -> None:
    assert MachineZone().utcoffset(None) is None
    assert "local time" in datetime(2026, 1, 31, tzinfo=MachineZone()).strftime("%Z")


@pytest.mark.parametrize("machine", ["Europe/Amsterdam", "Asia/Kolkata", "America/New_York", "UTC"], indirect=True)
def test_every_instant_is_shown_as_the_machine_s_clocks_show_it_and_is_still_that_instant(machine: str) -> None:
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    for half_hour in range(365 * 48):
        at = new_year + timedelta(minutes=30 * half_hour)
        local = at.astimezone(MachineZone())
        assert local.replace(tzinfo=None) == at.astimezone(ZoneInfo(machine)).replace(tzinfo=None)
        assert local.astimezone(UTC) == at
