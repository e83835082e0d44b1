"""The API described: every path with what it takes and answers, as OpenAPI 3.1 (`/openapi.json`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from ocpp_mqtt_proxy import __version__, shapes
from ocpp_mqtt_proxy.adapters.web import pages
from ocpp_mqtt_proxy.adapters.web.access import COOKIE
from ocpp_mqtt_proxy.adapters.web.bodies import BODY_SECONDS, MAX_BODY
from ocpp_mqtt_proxy.adapters.web.control import DecisionsAsked, Override
from ocpp_mqtt_proxy.adapters.web.filters import Filters, MonthAsked, TotalsAsked
from ocpp_mqtt_proxy.adapters.web.plans import PlanAsked
from ocpp_mqtt_proxy.adapters.web.schemas import SCHEMAS, Schema, ref, text, thing
from ocpp_mqtt_proxy.adapters.web.services import Trial

INTRODUCTION = """\
Chargers connect by WebSocket to `/charger/{id}`, backends to `/backend?id={id}`; that is described in the README.

From the machine itself the API is open. From elsewhere send `Authorization: Bearer <http.api_token>`, or log in at
`/login`. What can be had by GET answers HEAD too. Times are ISO 8601 with `Z`; units are W, A, V, Wh and kWh."""

JSON, HTML, CSV = "application/json", "text/html", "text/csv"


@dataclass(frozen=True)
class Operation:
    """One thing to do with a path. `answers` are media types with their schemas, of the usual answer."""

    tag: str
    summary: str
    answers: Mapping[str, Schema] = field(default_factory=dict)
    about: str = ""
    query: type[BaseModel] | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Schema] = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[int, str] = field(default_factory=dict)
    errors_in: str = JSON
    more: Mapping[int, Schema] = field(default_factory=dict)
    open: bool = False
    status: int = 200
    books: bool = False

    def described(self, path: str) -> Schema:
        """As OpenAPI has it."""
        shown: Schema = {
            "tags": [self.tag],
            "summary": self.summary,
            "responses": {str(status): answer for status, answer in sorted(self._responses())},
        }
        if self.about:
            shown["description"] = self.about
        if parameters := list(self._parameters(path)):
            shown["parameters"] = parameters
        if self.body:
            content = {media: {"schema": schema} for media, schema in self.body.items()}
            if self.examples:
                named = {name: {"value": value} for name, value in self.examples.items()}
                content[next(iter(content))]["examples"] = named
            shown["requestBody"] = {"required": True, "content": content}
        return shown | ({"security": []} if self.open else {})

    def _parameters(self, path: str) -> Iterator[Schema]:
        if self.query is not None:
            asked = self.query.model_json_schema()
            for name, schema in asked["properties"].items():
                yield _parameter(name, "query", schema, required=name in asked.get("required", ()))
        for name, about in self.given.items():
            there = "path" if f"{{{name}}}" in path else "query"
            yield _parameter(name, there, {"type": "string", "description": about}, required=there == "path")

    def _responses(self) -> Iterator[tuple[int, Schema]]:
        content = {"content": {media: {"schema": schema} for media, schema in self.answers.items()}}
        yield self.status, {"description": self.summary} | (content if self.answers else {})
        for status, schema in self.more.items():
            yield status, {"description": schema["description"], "content": {JSON: {"schema": schema["schema"]}}}
        for status, why in self._usual_errors().items():
            yield status, _error(why, JSON)
        for status, why in self.errors.items():
            yield status, _error(why, self.errors_in)

    def _usual_errors(self) -> dict[int, str]:
        found: dict[int, str] = {403: "A browser sends it for another site's page.", 500: "A fault of ours."}
        if not self.open:
            found |= {401: "Not logged in.", 429: "Too many wrong tokens; wait a minute."}
        if self.query is not None or self.body:
            found[400] = "What was asked cannot be understood; `detail` says what is allowed."
        if self.body:
            found |= {413: f"More than {MAX_BODY} bytes.", 408: f"The body took more than {BODY_SECONDS:g} s."}
        if self.books:
            found[503] = "The database cannot be read."
        return found


def _error(why: str, media: str) -> Schema:
    return {"description": why, "content": {media: {"schema": ref("Error") if media == JSON else _TEXT}}}


def _parameter(name: str, where: str, schema: Schema, *, required: bool) -> Schema:
    plain = {key: value for key, value in schema.items() if key not in ("title", "description")}
    shown: Schema = {"name": name, "in": where, "required": required, "schema": plain}
    return shown | ({"description": schema["description"]} if "description" in schema else {})


_TEXT = text()
_PAGE = {HTML: _TEXT}
_CHARGER = thing("A charger that waits.", charger=text("its id"))
_TOKEN = {"application/x-www-form-urlencoded": thing("The form.", token=text("`http.api_token`"))}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/status"): Operation("Live", "Everything live", {JSON: ref("Status")}),
    ("GET", "/health"): Operation(
        "Live",
        "Whether all is well",
        {JSON: ref("Health")},
        more={503: {"description": "Something is not as it should be.", "schema": ref("Health")}},
        open=True,
    ),
    ("GET", "/metrics"): Operation(
        "Live",
        "Numbers for Prometheus",
        {"text/plain": _TEXT},
        about="Text format 0.0.4. Counters end in `_total` and count since the program started.",
    ),
    ("POST", "/override"): Operation(
        "Control",
        "Hand over control, take it, or give it back",
        {JSON: ref("Overridden")},
        about="Give `backend_id` or `mode`. One that may not (blocked, disabled, unknown) is answered `success: false` "
        "with the reason, and changes nothing.",
        body={JSON: ref("Override")},
        examples={
            "the owner takes it": {"mode": "owner"},
            "back to the rules": {"mode": "auto"},
            "handed to a provider": {"backend_id": "energy_provider", "charger": "CP1"},
        },
    ),
    ("GET", "/api/decisions"): Operation(
        "Control", "What the arbiter decided, and why", {JSON: ref("Decisions")}, query=DecisionsAsked, books=True
    ),
    ("GET", "/api/chargers/{charger}/plan"): Operation(
        "Control",
        "What will flow at most at a charger",
        {JSON: ref("Plan")},
        about="As it stands now: the installation's ceiling and the owner's, every provider's limits and profiles "
        "while its hours last; who is at home, say, cannot be told ahead. On each connector in use.",
        query=PlanAsked,
        given={"charger": "its id"},
        errors={404: "No such charger."},
    ),
    ("POST", "/api/chargers/accept"): Operation(
        "Control",
        "Let a charger in that waits",
        {JSON: ref("Accepted")},
        body={JSON: _CHARGER},
        examples={"a charger": {"charger": "CP1"}},
    ),
    ("POST", "/api/services/test"): Operation(
        "Control",
        "Try the connection to a service",
        {JSON: ref("Tried")},
        about="Connects as the charger would, step by step, and closes again. Where the charger is connected there "
        "already, no boot is sent, and the service may close that connection, which is then made anew.",
        body={JSON: ref("Trial")},
        examples={"a service": {"service": "fleet_service", "charger": "CP1"}},
    ),
    ("GET", "/sessions"): Operation(
        "Sessions", "Sessions, newest first", {JSON: ref("Sessions")}, query=Filters, books=True
    ),
    ("GET", "/sessions.csv"): Operation(
        "Sessions",
        "The same as CSV, streamed",
        {CSV: _TEXT},
        query=Filters,
        books=True,
        about="Columns: `timestamp`, `backend_id`, `duration_s`, `energy_kwh`, `revenue`, then the rest of a session.",
    ),
    ("GET", "/api/totals"): Operation(
        "Sessions", "Totals by provider, card or month", {JSON: ref("Totals")}, query=TotalsAsked, books=True
    ),
    ("GET", "/api/report"): Operation(
        "Sessions",
        "A month's report",
        {JSON: ref("Report"), CSV: _TEXT, HTML: _TEXT},
        query=MonthAsked,
        books=True,
        about="Every session by provider and card, with sums: enough for an employer who pays back.",
    ),
    ("GET", "/"): Operation("Pages", "The page", _PAGE),
    ("GET", "/docs"): Operation("Pages", "This description, to read", _PAGE),
    ("GET", "/openapi.json"): Operation("Pages", "This description, as OpenAPI 3.1", {JSON: {"type": "object"}}),
    ("GET", "/login"): Operation(
        "Pages",
        "The form for the token; with a code of `ocpp-mqtt-proxy login`, in by that",
        _PAGE,
        given={"code": "good once, for ten minutes"},
        errors={303: "Logged in: on to the page.", 401: "The code is used up or too old."},
        errors_in=HTML,
        open=True,
        books=True,
    ),
    ("POST", "/login"): Operation(
        "Pages",
        "Log in by the token; the answer sets the cookie",
        body=_TOKEN,
        errors={401: "Not the token.", 429: "Too many wrong tokens; wait a minute."},
        errors_in=HTML,
        open=True,
        status=303,
    ),
    ("GET", "/static/{name}"): Operation(
        "Pages",
        "A file of the pages",
        dict.fromkeys(pages.MEDIA_TYPES.values(), _TEXT),
        given={"name": "a file's name"},
        errors={404: "No such file."},
        open=True,
    ),
}


@cache
def document() -> shapes.Json:
    """The whole description."""
    paths: dict[str, Schema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = operation.described(path)
    return {
        "openapi": "3.1.0",
        "info": {"title": "OCPP MQTT Proxy", "version": __version__, "description": INTRODUCTION},
        "servers": [{"url": "."}],  # wherever this was fetched from: ingress has a path of its own
        "security": [{"token": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "Override": Override.model_json_schema(), "Trial": Trial.model_json_schema()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }
