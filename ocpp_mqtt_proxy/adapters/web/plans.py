"""What will flow at most at a charger, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.web.bodies import json
from ocpp_mqtt_proxy.core.errors import UnknownCharger
from ocpp_mqtt_proxy.core.limits.outlook import Outlook

MOST_HOURS = 48

Foresee = Callable[[str, timedelta], Outlook]
"""What will flow at a charger for so long. Raises UnknownCharger."""


class PlanAsked(BaseModel):
    """How far ahead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: int = Field(24, ge=1, le=MOST_HOURS, description="how far ahead")


@dataclass
class PlanApi:
    """The routes."""

    foresee: Foresee

    def mount(self, app: FastAPI) -> None:
        """Add the routes to an application."""
        app.add_api_route("/api/chargers/{charger}/plan", self._plan, methods=["GET", "HEAD"])

    async def _plan(self, charger: str, asked: Annotated[PlanAsked, Query()]) -> Response:
        try:
            found = self.foresee(charger, timedelta(hours=asked.hours))
        except UnknownCharger as error:
            raise HTTPException(404, str(error)) from None
        return json(shapes.outlook(found))
