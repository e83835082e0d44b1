"""What Home Assistant's Supervisor tells an add-on: its MQTT broker and Home Assistant's version."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class MqttService:
    """The broker the Supervisor knows."""

    host: str
    port: int
    username: str
    password: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The Supervisor's API. `token` is empty outside an add-on."""

    token: str
    url: str = "http://supervisor"

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Supervisor:
        """The Supervisor of this add-on."""
        return cls(environment.get("SUPERVISOR_TOKEN", ""), environment.get("SUPERVISOR_URL", "http://supervisor"))

    def __bool__(self) -> bool:
        return bool(self.token)

    async def mqtt(self) -> MqttService | None:
        """The MQTT service, or None where there is none or it cannot be asked now."""
        data = await self._get("/services/mqtt")
        port = str(data.get("port") or 1883)
        if not data.get("host") or not port.isdecimal():
            return None
        return MqttService(
            host=str(data["host"]),
            port=int(port),
            username=str(data.get("username") or ""),
            password=str(data.get("password") or ""),
            tls=bool(data.get("ssl")),
        )

    async def home_assistant_version(self) -> tuple[int, int] | None:
        """Year and month of Home Assistant's version, or None where it cannot be told."""
        data = await self._get("/info")
        year, _, rest = str(data.get("homeassistant", "")).partition(".")
        month = rest.partition(".")[0]
        return (int(year), int(month)) if year.isdigit() and month.isdigit() else None

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            document = await asyncio.to_thread(self._fetch, path)
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.warning("the Supervisor cannot be asked for %s: %s", path, error)
            return {}
        data = document.get("data") if isinstance(document, dict) else None
        return data if isinstance(data, dict) else {}

    def _fetch(self, path: str) -> object:
        request = urllib.request.Request(  # noqa: S310 (a fixed http url)
            self.url + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 400:  # "Service not enabled"
                    return {}
            raise
