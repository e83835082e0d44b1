"""The API over HTTP, on the whole service: what it shows, and what it says to questions it cannot answer."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.adapters.web import pages
from ocpp_mqtt_proxy.core.model import StopReason, WattHours
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.demo.broker import free_port
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.things import a_session
from tests.independent import independent_charger
from tests.running import Running, running

NEW_YEAR = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
CONTRACT_KEYS = {
    "session_id", "charger", "connector", "transaction_id", "provider", "id_tag", "started_at", "ended_at",
    "duration_s", "meter_start", "meter_stop", "energy_kwh", "cost", "revenue", "currency", "reason", "parts",
}  # fmt: skip
"""A session, wherever shown (contract §4)."""

SHOWN = [
    "/",
    "/status",
    "/sessions",
    "/sessions.csv",
    "/health",
    "/login",
    *(f"/static/{n}" for n in pages.MEDIA_TYPES),
]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    """The service without a broker: none is needed here."""
    async with running(tmp_path, None, timezone="Europe/Berlin") as started:
        yield started


@pytest.fixture
async def api(service: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the service's own machine."""
    async with client_of(service) as client:
        yield client


def client_of(service: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=service.http)


def session(number: int, **fields: Any) -> Session:
    """An ended session, `number` days after new year, of 1 kWh for 30 cents."""
    start = NEW_YEAR + timedelta(days=number)
    figures = {"state": State.ENDED, "ended_at": start + timedelta(hours=1), "reason": StopReason.LOCAL}
    meter = {"meter_stop": WattHours(2000), "energy": 1000.0, "cost": Decimal("0.3")}
    return a_session(**{"session_id": f"s{number:03}", "started_at": start, **figures, **meter, **fields})


async def listed(api: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await api.get("/sessions", params=query)
    assert answer.status_code == 200, answer.text
    return [found["session_id"] for found in answer.json()["sessions"]]


# Status and health


async def test_the_status_has_its_contract_keys(api: httpx.AsyncClient) -> None:
    status = (await api.get("/status")).json()
    assert {"chargers", "control", "providers", "services", "mqtt", "presence"} <= set(status)


async def test_the_status_shows_a_charger_as_it_is_now(service: Running, api: httpx.AsyncClient) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.begin()
        await charger.tell_meter()
        shown = (await api.get("/status")).json()["chargers"]["CP1"]
        assert (shown["connected"], shown["firmware"], shown["ocpp_version"]) == (True, "1.8.21", "1.6")
        connector = shown["connectors"][0]
        assert (connector["status"], connector["charging"], connector["power"]) == ("charging", True, 11040)
        assert connector["session"]["ended_at"] is None


async def test_a_service_that_is_well_says_so(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "reasons": []})


async def test_a_service_without_its_broker_is_unwell_and_says_why(tmp_path: Path) -> None:
    async with (
        running(tmp_path, None, mqtt={"host": "127.0.0.1", "port": free_port()}) as service,
        client_of(service) as api,
    ):
        answer = await api.get("/health")
    assert answer.status_code == 503
    assert answer.json()["reasons"][0].startswith("mqtt: not connected")


# Sessions


async def test_a_session_shows_every_field_of_the_contract(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(1)])
    shown = (await api.get("/sessions")).json()["sessions"][0]
    assert set(shown) == CONTRACT_KEYS
    assert (shown["energy_kwh"], shown["cost"], shown["duration_s"]) == (1.0, 0.3, 3600)
    assert shown["started_at"] == "2026-01-02T12:00:00.000Z"


async def test_a_running_session_is_listed_without_an_end(service: Running, api: httpx.AsyncClient) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.begin()
        shown = (await api.get("/sessions")).json()["sessions"][0]
        assert (shown["charger"], shown["ended_at"]) == ("CP1", None)


async def test_sessions_come_newest_first_and_all_of_them_page_by_page(
    service: Running, api: httpx.AsyncClient
) -> None:
    await service.app.store.record([session(number) for number in range(7)])
    found: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = (await api.get("/sessions", params=query)).json()
        found += [s["session_id"] for s in page["sessions"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == [f"s00{number}" for number in reversed(range(7))]


async def test_a_page_stays_as_it_is_while_sessions_are_added(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(number) for number in range(4)])
    first = (await api.get("/sessions", params={"limit": 2})).json()
    await service.app.store.record([session(9)])
    assert await listed(api, limit=2, cursor=first["next"]) == ["s001", "s000"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"charger": "CP2"}, ["s002"]),
        ({"provider": "fleet"}, ["s001"]),
        ({"charger": "CP1", "provider": "owner"}, ["s000"]),
        ({"from": "2026-01-02"}, ["s002", "s001"]),
        ({"to": "2026-01-02"}, ["s001", "s000"]),
        ({"from": "2026-01-02", "to": "2026-01-02"}, ["s001"]),
        ({"from": "2026-01-02T12:00:01Z"}, ["s002"]),
        ({"from": "2026-01-02T13:00:00+01:00", "to": "2026-01-02T12:00:01Z"}, ["s001"]),
        ({"from": "2026-01-02T13:00:00"}, ["s002", "s001"]),  # the house's time zone
        ({"from": "2026-01-03", "to": "2026-01-02"}, []),
        ({"charger": "nobody"}, []),
        ({"charger": "", "from": "", "to": "", "provider": "", "limit": "", "cursor": ""}, ["s002", "s001", "s000"]),
    ],
)
async def test_sessions_are_filtered(
    service: Running, api: httpx.AsyncClient, query: dict[str, str], expected: list[str]
) -> None:
    await service.app.store.record([session(0), session(1, provider="fleet"), session(2, charger="CP2")])
    assert await listed(api, **query) == expected


async def test_an_offset_typed_with_a_bare_plus_is_understood(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(0), session(1)])
    answer = await api.get("/sessions?from=2026-01-02T13:00:00+01:00")
    assert [found["session_id"] for found in answer.json()["sessions"]] == ["s001"]


@pytest.mark.parametrize("path", ["/sessions", "/sessions.csv"])
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=yesterday", ["from", "yesterday", "2026-01-31"]),
        ("to=2026-13-01", ["to", "2026-13-01", "2026-01-31"]),
        ("to=9999-12-31", ["to", "9999-12-31", "calendar"]),
        ("from=0001-01-01T00:00:00%2B10:00", ["from", "0001", "calendar"]),
        ("limit=0", ["limit", "1 to 1000"]),
        ("limit=1001", ["limit", "1 to 1000"]),
        ("limit=-1", ["limit", "1 to 1000"]),
        ("limit=many", ["limit", "many", "1 to 1000"]),
        ("limit=1.5", ["limit", "1.5", "1 to 1000"]),
        ("cursor=nonsense", ["cursor", "next"]),
        ("cursor=%C3%A4%00", ["cursor", "next"]),
        ("chargr=CP1", ["chargr", "from, to, charger, provider, limit, cursor"]),
    ],
)
async def test_a_bad_filter_is_refused_with_where_what_and_what_is_allowed(
    api: httpx.AsyncClient, path: str, query: str, told: list[str]
) -> None:
    answer = await api.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert all(word in answer.json()["detail"] for word in told), answer.json()["detail"]


async def test_sessions_come_as_csv_with_the_contract_s_columns_first(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(0), session(1)])
    answer = await api.get("/sessions.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0][:5] == ["timestamp", "backend_id", "duration_s", "energy_kwh", "revenue"]
    assert [row[0] for row in rows[1:]] == ["2026-01-02T12:00:00.000Z", "2026-01-01T12:00:00.000Z"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x")'])
async def test_no_cell_of_the_csv_is_a_formula(service: Running, api: httpx.AsyncClient, text: str) -> None:
    await service.app.store.record([session(0, id_tag=text, charger=text)])
    rows = list(csv.reader(io.StringIO((await api.get("/sessions.csv")).text, newline="")))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


async def test_the_csv_takes_the_same_filters(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(number, charger=f"CP{number % 2}") for number in range(6)])
    answer = await api.get("/sessions.csv", params={"charger": "CP1", "from": "2026-01-03", "limit": 1})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["session_id"] for row in rows] == ["s005"]


async def test_more_sessions_than_fit_one_page_come_whole_as_csv(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(0, session_id=f"n{number:05}") for number in range(1203)])
    answer = await api.get("/sessions.csv")
    assert len(answer.text.splitlines()) == 1204


# Totals and reports


async def test_totals_are_shown_by_what_is_asked_for(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(0), session(1, provider="fleet", revenue=Decimal("0.5")), session(40)])
    by_month = (await api.get("/api/totals")).json()
    assert by_month["by"] == "month"
    assert [(one["month"], one["sessions"], one["energy_kwh"]) for one in by_month["totals"]] == [
        ("2026-01", 2, 2.0),
        ("2026-02", 1, 1.0),
    ]
    fleet, owner = (await api.get("/api/totals", params={"by": "provider"})).json()["totals"]
    assert (fleet["provider"], fleet["cost"], fleet["revenue"]) == ("fleet", {"EUR": 0.3}, {"EUR": 0.5})
    assert (owner["sessions"], owner["duration_s"], owner["revenue"]) == (2, 7200, {})


@pytest.mark.parametrize(
    ("query", "months"),
    [
        ({"from": "2026-02"}, ["2026-02", "2026-03"]),
        ({"from": "2026-02-15", "to": "2026-02-20"}, ["2026-02"]),
        ({"provider": "fleet"}, ["2026-01"]),
        ({"from": "", "to": "", "provider": ""}, ["2026-01", "2026-02", "2026-03"]),
        ({"from": "2027-01"}, []),
    ],
)
async def test_totals_are_filtered(
    service: Running, api: httpx.AsyncClient, query: dict[str, str], months: list[str]
) -> None:
    await service.app.store.record([session(0, provider="fleet"), session(40), session(70)])
    totals = (await api.get("/api/totals", params=query)).json()["totals"]
    assert [one["month"] for one in totals] == months


async def test_totals_say_that_they_are_complete(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.totals.reckon()
    assert (await api.get("/api/totals")).json()["complete"] is True


async def test_a_month_s_report_is_json_csv_or_a_page(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(0), session(1, provider="fleet"), session(40)])
    shown = (await api.get("/api/report", params={"month": "2026-01"})).json()
    assert [provider["provider"] for provider in shown["providers"]] == ["fleet", "owner"]
    for form in ("csv", "html"):
        answer = await api.get("/api/report", params={"month": "2026-01", "format": form})
        assert answer.headers["content-type"] == f"text/{form}; charset=utf-8"
        assert f'filename="2026-01.{form}"' in answer.headers["content-disposition"]
        assert "fleet" in answer.text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/totals?by=charger", ["by", "charger", "provider, tag or month"]),
        ("/api/totals?from=January", ["from", "January", "2026-01"]),
        ("/api/totals?to=2026-13", ["to", "2026-13", "2026-01"]),
        ("/api/totals?month=2026-01", ["month", "by, from, to, provider"]),
        ("/api/report", ["month", "missing", "2026-01"]),
        ("/api/report?month=2026-13", ["2026-13", "2026-01"]),
        ("/api/report?month=2026-01&format=pdf", ["format", "pdf", "json, csv or html"]),
        ("/api/report?month=2026-01&year=1", ["year", "month, format"]),
    ],
)
async def test_what_cannot_be_reported_is_refused_with_where_what_and_what_is_allowed(
    api: httpx.AsyncClient, path: str, told: list[str]
) -> None:
    answer = await api.get(path)
    assert answer.status_code == 400
    assert all(word in answer.json()["detail"] for word in told), answer.json()["detail"]


async def test_sessions_of_a_provider_are_those_in_which_it_had_a_part(
    service: Running, api: httpx.AsyncClient
) -> None:
    start = NEW_YEAR
    half = start + timedelta(minutes=30)
    parts = [Part("fleet", start, half, 500.0), Part("owner", half, start + timedelta(hours=1), 500.0)]
    await service.app.store.record([session(0, parts=parts), session(1)])
    assert await listed(api, provider="fleet") == ["s000"]
    assert await listed(api, provider="owner") == ["s001", "s000"]
    shown = (await api.get("/sessions", params={"provider": "fleet"})).json()["sessions"][0]
    assert [(part["provider"], part["energy_kwh"]) for part in shown["parts"]] == [("fleet", 0.5), ("owner", 0.5)]
    assert (shown["provider"], shown["parts"][0]["to"]) == ("owner", shown["parts"][1]["from"])


# What else a client may try


@pytest.mark.parametrize("path", SHOWN)
async def test_a_head_request_gets_the_headers_alone(api: httpx.AsyncClient, path: str) -> None:
    head, got = await api.head(path), await api.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/status/", "/static/nothing", "/static/..%2Fapi.py", "/static/index.html"]
)
async def test_an_unknown_path_is_told_so_as_json(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/status"), ("DELETE", "/sessions"), ("GET", "/api/chargers/accept")]
)
async def test_a_method_that_a_path_does_not_take_is_told_which_it_takes(
    api: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("path", [*SHOWN, "/nothing", "/sessions?limit=0"])
async def test_every_answer_tells_browsers_to_be_careful(api: httpx.AsyncClient, path: str) -> None:
    headers = (await api.get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


async def test_books_that_cannot_be_read_are_no_fault_of_the_asker(
    service: Running, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise LedgerFailed("disk is full")

    monkeypatch.setattr(service.app.store, "sessions", fail)
    answer = await api.get("/sessions")
    assert (answer.status_code, answer.json()) == (503, {"detail": "disk is full"})


# The click


async def test_a_charger_that_waits_is_let_in_by_a_click(tmp_path: Path) -> None:
    name, in_url = "CP 7/ü", quote("CP 7/ü", safe="")
    async with running(tmp_path, None, accept_unknown_chargers=False) as service, client_of(service) as api:
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"{service.chargers}/{in_url}", subprotocols=[Subprotocol("ocpp1.6")])
        waiting = (await api.get("/status")).json()["waiting"]
        assert [(w["charger"], w["address"]) for w in waiting] == [(name, "127.0.0.1")]
        answer = await api.post("/api/chargers/accept", json={"charger": name})
        assert answer.json() == {"success": True}
        async with independent_charger(service.chargers, "1.6", in_url):
            status = (await api.get("/status")).json()
        assert (list(status["chargers"]), status["waiting"]) == ([name], [])


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b'{"charger": 7}', b'{"charger": ""}', b"\xff"])
async def test_a_click_on_nothing_is_refused(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/api/chargers/accept", content=body)
    assert answer.status_code == 400
    assert '{"charger":' in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/chargers/accept", "/login"])
async def test_a_body_too_long_is_not_even_read(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.post(path, content=b"x" * 100_000)
    assert answer.status_code == 413
