"""The API's description: whole, valid OpenAPI, and true of what the running service answers."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi.routing import APIRoute

from ocpp_mqtt_proxy.adapters.web.api import api_of
from ocpp_mqtt_proxy.adapters.web.description import OPERATIONS, document
from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.requests import Limit, Start
from tests.adapters.browser import CHROMIUM, chromium, page_of
from tests.adapters.test_web import session
from tests.adapters.test_web_access import House
from tests.brokers import Broker
from tests.independent import independent_charger
from tests.running import Running, running

SCHEMAS: dict[str, Any] = document()["components"]["schemas"]
HOME: dict[str, Any] = {
    "providers": [{"id": "fleet", "presence": "any"}, {"id": "night", "presence": "any"}],
    "default_presence": "any",
}


def closed(schema: Any) -> Any:
    """A schema that allows only what it names, so that nothing is left undescribed."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **inner} if isinstance(schema.get("properties"), dict) else inner


def fits(document_: Any, schema: dict[str, Any]) -> None:
    whole = closed(deepcopy(schema)) | {"components": {"schemas": closed(deepcopy(SCHEMAS))}}
    faults = [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}"
        for error in jsonschema_rs.validator_for(whole).iter_errors(document_)
    ]
    assert faults == []


def answer_of(method: str, path: str, status: int, media: str) -> dict[str, Any]:
    """The schema of an answer."""
    responses = document()["paths"][path][method.lower()]["responses"]
    return dict(responses[str(status)]["content"][media]["schema"])


def proper(answer: httpx.Response) -> dict[str, Any]:
    """An answer that fits its schema; its document."""
    media = answer.headers["content-type"].partition(";")[0]
    schema = answer_of(answer.request.method, answer.request.url.path, answer.status_code, media)
    fits(answer.json(), schema)
    return dict(answer.json())


def test_the_description_is_valid_openapi() -> None:
    with warnings.catch_warnings():  # the validator's own libraries are behind the times
        warnings.simplefilter("ignore")
        from openapi_spec_validator import validate  # noqa: PLC0415

        validate(document())


def routes() -> set[tuple[str, str]]:
    """What the application takes."""
    there = [route for route in api_of(House().web).routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in there for method in route.methods or ()}


def test_every_route_is_described_and_every_description_has_its_route() -> None:
    assert {(method, path) for method, path in routes() if method != "HEAD"} == set(OPERATIONS)


def test_what_can_be_got_can_be_asked_about_without_its_body() -> None:
    assert {path for method, path in routes() if method == "HEAD"} == {p for m, p in OPERATIONS if m == "GET"}


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_every_operation_says_what_it_takes_and_what_it_answers(method: str, path: str) -> None:
    operation = document()["paths"][path][method.lower()]
    assert operation["summary"]
    assert all(answer["description"] for answer in operation["responses"].values())
    assert all(parameter["description"] for parameter in operation.get("parameters", ()))


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, None, **HOME) as started:
        yield started


@pytest.fixture
async def api(service: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.http) as client:
        yield client


@pytest.mark.integration
@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_the_status_of_a_house_at_work_fits_its_schema(
    service: Running, api: httpx.AsyncClient, version: str
) -> None:
    proper(await api.get("/status"))
    async with independent_charger(service.chargers, version, "CP1") as charger:
        await charger.begin()
        await charger.tell_meter()
        await api.post("/override", json={"backend_id": "fleet"})
        await wishes.start(service.app.arbitration, "night", "CP1", Start(connector=1))
        shown = proper(await api.get("/status"))
    assert shown["control"]["CP1"]["last"]["reason"] == "override"
    assert shown["providers"]["night"]["last_refusal"]["asked"] == "start"
    assert shown["providers"]["fleet"]["classes"] == {"CP1": ["transactions"]}


@pytest.mark.integration
async def test_the_status_of_a_house_with_a_broker_fits_its_schema(tmp_path: Path, broker: Broker) -> None:
    async with running(tmp_path, broker) as service, httpx.AsyncClient(base_url=service.http) as api:
        assert proper(await api.get("/status"))["mqtt"]["connected"]


@pytest.mark.integration
@pytest.mark.parametrize("house_topic", ["", "house/load"])
async def test_the_status_of_a_group_fits_its_schema(tmp_path: Path, house_topic: str) -> None:
    group = {"id": "house", "chargers": ["CP1", "CP2"], "max_current": 25, "house_topic": house_topic}
    given: dict[str, Any] = {"chargers": [{"id": "CP1"}, {"id": "CP2"}], "groups": [group]}
    async with (
        running(tmp_path, None, **given) as service,
        httpx.AsyncClient(base_url=service.http) as api,
        independent_charger(service.chargers, "1.6", "CP1"),
    ):
        shown = proper(await api.get("/status"))
    assert shown["groups"]["house"]["available"] == (0 if house_topic else 25)
    assert shown["groups"]["house"]["chargers"]["CP2"]["reserved"] == 6


@pytest.mark.integration
async def test_sessions_totals_and_reports_fit_their_schemas(service: Running, api: httpx.AsyncClient) -> None:
    await service.app.store.record([session(number, id_tag="04A1" if number else None) for number in range(3)])
    assert proper(await api.get("/sessions", params={"limit": 2}))["next"]
    for by in ("provider", "tag", "month"):
        assert proper(await api.get("/api/totals", params={"by": by}))["totals"]
    assert proper(await api.get("/api/report", params={"month": "2026-01"}))["providers"]
    assert proper(await api.get("/health"))["status"] == "ok"


@pytest.mark.integration
async def test_decisions_and_what_became_of_an_override_fit_their_schemas(
    service: Running, api: httpx.AsyncClient
) -> None:
    assert proper(await api.post("/override", json={"mode": "owner"}))["reason"] == "unknown_charger"
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.begin()
        for mode in ({"backend_id": "fleet"}, {"mode": "owner"}):
            assert proper(await api.post("/override", json=mode))["success"]
        await wishes.start(service.app.arbitration, "night", "CP1", Start(connector=1))
        assert (await service.app.dispatcher.submit("CP1", Limit(amps=10))).ok
        await service.app.store.flush()
        verdicts = {one["verdict"] for one in proper(await api.get("/api/decisions"))["decisions"]}
    assert verdicts == {"granted", "refused", "revoked", "limited"}


@pytest.mark.integration
async def test_what_will_flow_fits_its_schema(service: Running, api: httpx.AsyncClient) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1"):
        await wishes.set_limit(service.app.arbitration, "fleet", "CP1", Amps(10), 0, timedelta(hours=2))
        answer = await api.get("/api/chargers/CP1/plan", params={"hours": 48})
    plan = answer.json()
    fits(plan, answer_of("GET", "/api/chargers/{charger}/plan", 200, "application/json"))
    assert [(step["amps"], step["by"]) for step in plan["steps"]] == [(10, "fleet"), (32, "owner")]
    assert plan["unit"] == "A"


@pytest.mark.integration
async def test_what_will_flow_at_a_charger_that_nobody_knows_cannot_be_told(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/chargers/CP9/plan")
    assert answer.status_code == 404
    assert "CP9" in answer.json()["detail"]


@pytest.mark.integration
@pytest.mark.parametrize("hours", ["0", "49", "x"])
async def test_nobody_is_told_further_ahead_than_two_days(api: httpx.AsyncClient, hours: str) -> None:
    answer = await api.get("/api/chargers/CP1/plan", params={"hours": hours})
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"hours: {hours!r} is not allowed; a whole number from 1 to 48 is"


WRONG = [
    ("GET", "/sessions", {"params": {"limit": "0"}}),
    ("GET", "/api/totals", {"params": {"by": "x"}}),
    ("GET", "/api/report", {}),
    ("GET", "/api/decisions", {"params": {"before": "-1"}}),
    ("POST", "/override", {"content": b"{"}),
    ("POST", "/override", {"content": b"x" * 5000}),
    ("POST", "/api/chargers/accept", {"json": {}}),
    ("GET", "/sessions.csv", {"headers": {"Origin": "http://elsewhere.example"}}),
    ("GET", "/status", {"headers": {"X-Forwarded-For": "192.168.1.20"}}),
]


@pytest.mark.integration
@pytest.mark.parametrize(("method", "path", "wrong"), WRONG, ids=str)
async def test_an_error_is_one_that_is_described(
    api: httpx.AsyncClient, method: str, path: str, wrong: dict[str, Any]
) -> None:
    answer = await api.request(method, path, **wrong)
    assert answer.status_code >= 400
    assert proper(answer)["detail"]


@pytest.mark.integration
async def test_the_description_is_served_as_it_is(api: httpx.AsyncClient) -> None:
    answer = await api.get("/openapi.json")
    assert answer.json() == document()
    assert (await api.get("/docs")).headers["content-type"].startswith("text/html")


# In a browser


@pytest.mark.integration
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
async def test_people_read_every_operation_with_what_it_takes_and_answers_and_try_it(
    service: Running, tmp_path: Path
) -> None:
    with chromium(tmp_path / "browser") as address:
        async with page_of(address) as browser:
            await browser.visit(f"{service.http}/docs#post/override")
            await browser.until("document.querySelector('#api[aria-busy=false]') !== null")
            assert await browser.script("document.querySelectorAll('.operation').length") == len(OPERATIONS)
            override = await browser.text(".operation[open]")
            for part in ("/override", "backend_id", "success", "curl", '--json \'{"mode":"owner"}\'', "400", "401"):
                assert part in override
            status = "document.getElementById('get/status')"
            assert "current_limit" in await browser.script(f"{status}.textContent")
            assert browser.complaints == []
            await browser.script(f"{status}.querySelector('.try').click()")
            await browser.until("document.body.innerText.includes('\"presence\"')")
            assert {url.split("/")[2] for url in browser.requests} == {service.http.split("/")[2]}
