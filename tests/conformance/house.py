"""The house of a test: the service as it runs, and what the owner of a charger can do and see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.running import Running, Watcher


@dataclass
class House:
    """The service as it runs, and an MQTT client that hears all it says."""

    service: Running
    watcher: Watcher

    @property
    def chargers(self) -> str:
        return self.service.chargers


@dataclass
class Home:
    """What the owner of a charger can do and see."""

    watcher: Watcher
    charger: str

    async def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """The answer to an owner's request."""
        return await self.watcher.ask(f"charger/{self.charger}/request/{verb}", **arguments)

    async def does(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Ask for what is done; its result."""
        answer = await self.ask(verb, **arguments)
        assert answer["status"] == "ok", answer
        return dict(answer.get("result") or {})

    async def refused(self, verb: str, **arguments: Any) -> str:
        """Ask for what is refused; the reason."""
        answer = await self.ask(verb, **arguments)
        assert answer["status"] == "refused", answer
        return str(answer["reason"])

    async def call(self, action: str, **payload: Any) -> dict[str, Any]:
        """An OCPP call as it is; the charger's answer."""
        return await self.does("call", ocpp_action=action, payload=payload)

    async def shows(self, metric: str, value: str) -> None:
        await self.watcher.value(f"charger/{self.charger}/connector/1/{metric}", value)

    async def sees(self, topic: str, value: str) -> None:
        await self.watcher.value(f"charger/{self.charger}/{topic}", value)

    async def hears(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event with some fields."""
        return await self.watcher.document(
            f"charger/{self.charger}/event/{kind}", lambda told: fields.items() <= told.items()
        )

    def heard(self, kind: str) -> int:
        """How many events of a kind there were."""
        return len(self.watcher.all[f"{self.watcher.base}/charger/{self.charger}/event/{kind}"])
