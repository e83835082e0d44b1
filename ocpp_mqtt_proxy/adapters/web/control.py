"""Who controls, over HTTP: the override, and what the arbiter decided (contract §4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, Self

from fastapi import FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.web.bodies import body_of, json, model_of
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.commands import Outcome

DECISIONS = 100
"""Decisions on a page where nobody says how many."""

SetMode = Callable[[str | None, str], Awaitable[Outcome]]
"""Put somebody in charge of a charger, or of all of them."""


class Decisions(Protocol):
    """Where decisions are remembered."""

    async def decisions(
        self, charger: str = "", provider: str = "", before: int = 0, limit: int = 100, asked: str = ""
    ) -> Sequence[tuple[int, Decided]]:
        """Decisions with their numbers, newest first. Raises LedgerFailed."""


class Override(BaseModel):
    """Who is to be in charge: a provider, the owner, or the rules."""

    model_config = ConfigDict(extra="forbid")

    backend_id: str | None = Field(default=None, min_length=1, description="the provider to hand control to")
    mode: Literal["owner", "auto"] | None = Field(default=None, description="owner takes it, auto gives it back")
    charger: str | None = Field(default=None, min_length=1, description="all chargers where it is left out")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.backend_id is None) == (self.mode is None):
            raise ValueError('give either "backend_id" or "mode"')
        return self


class DecisionsAsked(BaseModel):
    """Which decisions; `before` is the number of the oldest one that is known."""

    model_config = ConfigDict(extra="forbid")

    charger: str = Field(default="", description="a charger's id")
    provider: str = Field(default="", description="a provider's id")
    asked: str = Field(default="", description="what it was about: `start`, `set_limit` …; `limit`: what binds")
    before: int = Field(default=0, ge=0, description="`next` of the page before")
    limit: int = Field(default=DECISIONS, ge=1, le=1000, description="how many")


@dataclass
class ControlApi:
    """The routes. `set_mode` is the owner's word."""

    set_mode: SetMode
    memory: Decisions

    def mount(self, app: FastAPI) -> None:
        """Add the routes to an application."""
        app.post("/override")(self._override)
        app.add_api_route("/api/decisions", self._decisions, methods=["GET", "HEAD"])

    async def _override(self, request: Request) -> Response:
        wanted = model_of(await body_of(request), Override)
        outcome = await self.set_mode(wanted.charger, wanted.backend_id or wanted.mode or "")
        answer = {
            "success": outcome.ok,
            "owner": outcome.result.get("owner"),
            "reason": outcome.reason,
            "message": outcome.message,
        }
        return json(answer)

    async def _decisions(self, asked: Annotated[DecisionsAsked, Query()]) -> Response:
        found = await self.memory.decisions(asked.charger, asked.provider, asked.before, asked.limit, asked.asked)
        more = found[-1][0] if len(found) == asked.limit else None
        return json({"decisions": [_shown(number, decided) for number, decided in found], "next": more})


def _shown(number: int, decided: Decided) -> shapes.Json:
    return {
        "number": number,
        "at": shapes.time(decided.at),
        "charger": decided.charger,
        "provider": decided.provider,
        "class": decided.control_class,
        "asked": decided.subject,
        "verdict": decided.verdict,
        "reason": decided.reason or None,
        "message": decided.message,
        "inputs": dict(decided.inputs),
    }
