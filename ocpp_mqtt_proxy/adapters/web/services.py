"""Services over HTTP: the connection to one is tried, and it is said how far it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from ocpp_mqtt_proxy.adapters.web.bodies import body_of, json, model_of
from ocpp_mqtt_proxy.core.commands import Outcome

TryOut = Callable[[str, str], Awaitable[Outcome]]
"""Try the connection to a service, as a charger; an empty id stands for the only one."""


class Trial(BaseModel):
    """Which connection to try."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(min_length=1, description="the id of the service")
    charger: str = Field(default="", description="as which charger; may be left out where there is one")


@dataclass
class ServiceApi:
    """The routes."""

    try_out: TryOut

    def mount(self, app: FastAPI) -> None:
        """Add the routes to an application."""
        app.post("/api/services/test")(self._test)

    async def _test(self, request: Request) -> Response:
        wanted = model_of(await body_of(request), Trial)
        outcome = await self.try_out(wanted.service, wanted.charger)
        answer = {
            "success": outcome.ok,
            "reason": outcome.reason,
            "message": outcome.message,
            "connected": outcome.result.get("connected", False),
            "steps": outcome.result.get("steps", []),
        }
        return json(answer)
