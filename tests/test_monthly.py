"""A month's report: what is in it, and how it looks as JSON, CSV and on paper."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy import monthly
from ocpp_mqtt_proxy.core.bill import month_of
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.monthly import BadMonth, Month, bounds
from tests.adapters.things import NOON, a_session, an_ended_session

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = {"04a1b2c3": "Anna"}


async def newest_first(*sessions: Session) -> AsyncIterator[Session]:
    for session in sorted(sessions, key=lambda session: session.started_at, reverse=True):
        yield session


async def report_of(*sessions: Session, zone: tzinfo = BERLIN) -> Month:
    return await monthly.collect("2026-03", zone, newest_first(*sessions), NAMES)


async def csv_of(*sessions: Session) -> list[dict[str, str]]:
    text = "".join(monthly.as_csv(await report_of(*sessions)))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def handed_over() -> Session:
    """A session of two hours, of 3 kWh: an hour and 1 kWh of the fleet's, then of a Swiss provider's."""
    start = NOON
    half, end = start + timedelta(hours=1), start + timedelta(hours=2)
    parts = [
        Part("fleet", start, half, 1000.0, Decimal("0.3"), Decimal("0.5")),
        Part("swiss", half, end, 2000.0, Decimal("0.6"), Decimal("0.9"), currency="CHF"),
    ]
    return an_ended_session(1, started_at=start, ended_at=end, energy=3000.0, parts=parts)


# Which month


@pytest.mark.parametrize(
    ("month", "since", "until"),
    [
        ("2026-01", datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("2026-03", datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)),
        ("2026-12", datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_a_month_is_from_one_local_midnight_to_another(month: str, since: datetime, until: datetime) -> None:
    assert bounds(month, BERLIN) == (since, until)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (zoned)
def test_every_instant_is_in_its_month_and_in_no_other(at: datetime) -> None:
    since, until = bounds(month_of(at, BERLIN), BERLIN)
    assert since <= at < until


@pytest.mark.parametrize("month", ["", "2026", "2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "0000-01", "x"])
def test_what_is_no_month_is_said_to_be_none_and_what_is_allowed(month: str) -> None:
    with pytest.raises(BadMonth, match="allowed: 2026-01"):
        bounds(month, BERLIN)


# What is in it


async def test_sessions_are_by_provider_and_card_and_in_order() -> None:
    report = await report_of(
        an_ended_session(3),
        an_ended_session(1),
        an_ended_session(2, id_tag="OTHER"),
        an_ended_session(4, provider="night"),
    )
    found = {
        provider: {card.tag: [entry.session.session_id for entry in card.entries] for card in cards.values()}
        for provider, cards in report.providers.items()
    }
    assert found == {
        "night": {"04A1B2C3": ["test-4"]},
        "owner": {"04A1B2C3": ["test-1", "test-3"], "OTHER": ["test-2"]},
    }


async def test_a_session_that_runs_is_not_in_it() -> None:
    assert (await report_of(a_session())).providers == {}


async def test_a_session_that_changed_hands_is_there_for_each_of_its_providers() -> None:
    shown = monthly.as_json(await report_of(handed_over()))
    fleet, swiss = shown["providers"]
    assert (fleet["provider"], fleet["energy_kwh"], fleet["cost"], fleet["revenue"]) == (
        "fleet",
        1.0,
        {"EUR": 0.3},
        {"EUR": 0.5},
    )
    assert (swiss["sessions"], swiss["energy_kwh"], swiss["revenue"]) == (1, 2.0, {"CHF": 0.9})
    assert (shown["sessions"], shown["energy_kwh"]) == (1, 3.0)
    assert (shown["cost"], shown["revenue"]) == ({"EUR": 0.9}, {"EUR": 0.5, "CHF": 0.9})


async def test_a_card_is_one_however_it_is_spelled_and_has_its_owner_s_name() -> None:
    shown = monthly.as_json(await report_of(an_ended_session(1, id_tag="04a1b2c3"), an_ended_session(2)))
    (card,) = shown["providers"][0]["cards"]
    assert (card["name"], card["sessions"]) == ("Anna", 2)


async def test_what_an_employer_asks_for_is_told_of_every_session() -> None:
    shown = monthly.as_json(await report_of(an_ended_session()))
    assert shown["providers"][0]["cards"][0]["charged"] == [
        {
            "session_id": "test-1",
            "charger": "CP1",
            "connector": 1,
            "from": "2026-03-14T12:01:00.000Z",
            "to": "2026-03-14T12:31:00.000Z",
            "duration_s": 1800,
            "meter_start": 1000.0,
            "meter_stop": 3000.0,
            "energy_kwh": 2.0,
            "price_per_kwh": 0.3,
            "cost": 0.6,
            "cost_currency": "EUR",
            "revenue": 0.0,
            "currency": "EUR",
        }
    ]


async def test_a_summary_names_no_card() -> None:
    summary = monthly.summary(await report_of(handed_over()))
    assert summary["providers"]["fleet"]["energy_kwh"] == 1.0
    assert "04A1B2C3" not in str(summary)
    assert "Anna" not in str(summary)


# CSV


async def test_the_csv_has_a_line_for_every_session_and_sums_of_card_provider_and_month() -> None:
    rows = await csv_of(an_ended_session(1), an_ended_session(2, id_tag="OTHER"), an_ended_session(3, provider="night"))
    assert [(row["row"], row["provider"], row["id_tag"], row["energy_kwh"], row["cost"]) for row in rows] == [
        ("session", "night", "04A1B2C3", "2.0", "0.60"),
        ("card", "night", "04A1B2C3", "2.0", "0.60"),
        ("provider", "night", "", "2.0", "0.60"),
        ("session", "owner", "04A1B2C3", "2.0", "0.60"),
        ("card", "owner", "04A1B2C3", "2.0", "0.60"),
        ("session", "owner", "OTHER", "2.0", "0.60"),
        ("card", "owner", "OTHER", "2.0", "0.60"),
        ("provider", "owner", "", "4.0", "1.20"),
        ("month", "", "", "6.0", "1.80"),
    ]


async def test_the_csv_tells_local_times() -> None:
    (row, *_) = await csv_of(an_ended_session())
    assert (row["from"], row["to"]) == ("2026-03-14 13:01", "2026-03-14 13:31")


async def test_sums_of_several_currencies_are_lines_of_their_own() -> None:
    rows = [row for row in await csv_of(handed_over()) if row["row"] == "month"]
    assert [(row["revenue"], row["currency"]) for row in rows] == [("0.90", "CHF"), ("0.50", "EUR")]


async def test_no_cell_of_the_csv_is_a_formula() -> None:
    (row, *_) = await csv_of(an_ended_session(id_tag="=1+1", charger="@x"))
    assert (row["id_tag"], row["charger"]) == ("'=1+1", "'@x")


async def test_a_month_without_sessions_is_a_headline() -> None:
    assert await csv_of() == []


# Paper


class Page(HTMLParser):
    """What a page shows, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


async def page_of(*sessions: Session) -> Page:
    return Page("".join(monthly.as_html(await report_of(*sessions))))


async def test_the_page_shows_every_session_and_all_sums() -> None:
    page = await page_of(an_ended_session(1, provider="night", revenue=Decimal("0.36")), an_ended_session(2))
    shown = " ".join(page.texts)
    for text in (
        *("Charging in 2026-03", "Anna (04A1B2C3)", "2026-03-14 13:01", "2.000", "0.3000", "0.60 EUR", "0.36 EUR"),
        *("All of night", "All of owner", "2 sessions, 4.000 kWh, cost 1.20 EUR, revenue 0.36 EUR"),
    ):
        assert text in shown


async def test_the_page_needs_nothing_beside_itself() -> None:
    page = await page_of(an_ended_session())
    assert page.fetched == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)


@pytest.mark.parametrize("field", ["id_tag", "charger", "provider", "cost_currency"])
async def test_what_a_charger_says_is_text_on_the_page(field: str) -> None:
    given_: dict[str, Any] = {field: "<script>alert(1)</script>"}
    page = await page_of(an_ended_session(**given_))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in " ".join(page.texts)


async def test_energy_that_was_not_has_no_price() -> None:
    shown = monthly.as_json(await report_of(an_ended_session(energy=0.0, cost=Decimal(0))))
    assert shown["providers"][0]["cards"][0]["charged"][0]["price_per_kwh"] is None
    page = await page_of(an_ended_session(energy=0.0, cost=Decimal(0)))
    assert "0.000" in page.texts
