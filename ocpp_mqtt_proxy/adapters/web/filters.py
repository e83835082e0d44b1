"""What sessions are asked for: the query of `/sessions` and `/sessions.csv` (contract §4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ocpp_mqtt_proxy import exports
from ocpp_mqtt_proxy.adapters.web.plans import MOST_HOURS, PlanAsked
from ocpp_mqtt_proxy.core.errors import ProxyError

_PLUS_TAKEN_FOR_SPACE = re.compile(r" (?=\d\d:?\d\d$)")


class BadFilter(ProxyError):
    """A filter that cannot be read."""


def _given(value: object) -> object:
    return value or None


class Filters(BaseModel):
    """Which sessions; an empty value is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    since: str = Field("", alias="from", description="2026-01-31 or 2026-01-31T18:00:00Z; started then or later")
    until: str = Field("", alias="to", description="started before that time, or up to that day's end")
    charger: str = Field("", description="a charger's id")
    provider: str = Field("", description="that has a part in it; owner for the owner's own")
    limit: Annotated[
        Annotated[int, Field(ge=1, le=1000)] | None,
        BeforeValidator(_given),
        Field(description="how many; 100 on a page and all in the CSV where it is left out"),
    ] = None
    cursor: str = Field("", description="`next` of the page before")

    def wanted(self, zone: tzinfo) -> dict[str, Any]:
        """What to ask the books for, dates being days in a time zone; `limit` aside. Raises BadFilter."""
        return {
            "since": _instant("from", self.since, zone),
            "until": _instant("to", self.until, zone, end=True),
            "charger": self.charger or None,
            "provider": self.provider or None,
            "cursor": self.cursor or None,
        }


class TotalsAsked(BaseModel):
    """Which totals. A day stands for its month, because totals are by month."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["provider", "tag", "month"] = Field("month", description="what each sum is of")
    since: str = Field("", alias="from", description="the first month, as 2026-01")
    until: str = Field("", alias="to", description="the last month")
    provider: str = Field("", description="of one provider alone")

    def wanted(self) -> dict[str, Any]:
        """What to ask the books for. Raises BadFilter."""
        since, until = _month("from", self.since), _month("to", self.until)
        given = {"since": since, "until": until, "provider": self.provider or None}
        return {name: value for name, value in given.items() if value}


class MonthAsked(BaseModel):
    """Which month's report, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    month: str = Field(description="as 2026-01")
    format: Literal["json", "csv", "html"] = Field("json", description="html is to be printed")


def _instant(name: str, text: str, zone: tzinfo, *, end: bool = False) -> datetime | None:
    """A time of a filter."""
    # A `+` in a query is a space, and people type the offset as it is.
    text = _PLUS_TAKEN_FOR_SPACE.sub("+", text) if "T" in text else text
    try:
        return exports.when(text, zone, end=end)
    except ProxyError as error:
        raise BadFilter(f"{name}: {error}") from None


def _month(name: str, text: str) -> str | None:
    try:
        return exports.month(text)
    except ProxyError as error:
        raise BadFilter(f"{name}: {error}") from None


def faults_of(path: str, error: RequestValidationError) -> Iterator[str]:
    """What is wrong with a query of a path: where, what, and what is allowed."""
    asked = _QUERIES.get(path, Filters)
    for fault in error.errors():
        name = ".".join(str(step) for step in fault["loc"][1:])
        if fault["type"] == "extra_forbidden":
            names = [field.alias or key for key, field in asked.model_fields.items()]
            yield f"{name}: no such filter; allowed: {', '.join(names)}"
        elif fault["type"] == "missing":
            yield f"{name}: is missing; allowed: {_ALLOWED[name]}"
        else:
            yield f"{name}: {fault['input']!r} is not allowed; {_ALLOWED[name]} is"


_QUERIES: dict[str, type[BaseModel]] = {
    "/api/totals": TotalsAsked,
    "/api/report": MonthAsked,
    "/api/chargers/{charger}/plan": PlanAsked,
}

_ALLOWED = {
    "limit": "a whole number from 1 to 1000",
    "by": "provider, tag or month",
    "month": "a month such as 2026-01",
    "format": "json, csv or html",
    "hours": f"a whole number from 1 to {MOST_HOURS}",
}
