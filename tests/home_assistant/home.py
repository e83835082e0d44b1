"""A real Home Assistant, as its API shows it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PATIENCE = 30.0
Json = dict[str, Any]


@dataclass
class Home:
    """One connection to Home Assistant's WebSocket API. `states` follows every entity by its id."""

    socket: ClientConnection
    states: dict[str, Json] = field(default_factory=dict)
    _ids: Any = field(default_factory=lambda: itertools.count(1))
    _answers: dict[int, asyncio.Future[Json]] = field(default_factory=dict)
    _looks: set[int] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, url: str, token: str) -> AsyncIterator[Home]:
        """Log in and follow the states."""
        async with connect(f"{url.replace('http', 'ws', 1)}/api/websocket", max_size=None) as socket:
            await socket.recv()
            await socket.send(json.dumps({"type": "auth", "access_token": token}))
            assert json.loads(await socket.recv())["type"] == "auth_ok"
            home = cls(socket)
            reader = asyncio.create_task(home._read())
            try:
                await home.ask("subscribe_events", event_type="state_changed")
                await home.ask("get_states")
                yield home
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)

    async def _read(self) -> None:
        async for text in self.socket:
            message = json.loads(text)
            if message["type"] == "result":
                if message["id"] in self._looks:  # before any change that comes behind it
                    self.states = {state["entity_id"]: state for state in message["result"]}
                self._answers.pop(message["id"]).set_result(message)
            elif message["type"] == "event":
                await self._note(message["event"]["data"])

    async def _note(self, change: Json) -> None:
        async with self._changed:
            if change["new_state"] is None:
                self.states.pop(change["entity_id"], None)
            else:
                self.states[change["entity_id"]] = change["new_state"]
            self._changed.notify_all()

    async def ask(self, kind: str, **fields: Any) -> Any:
        """A command of the API; its result."""
        number = next(self._ids)
        if kind == "get_states":
            self._looks.add(number)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": number, "type": kind, **fields}))
        answer = await asyncio.wait_for(self._answers[number], PATIENCE)
        assert answer["success"], f"{kind}: {answer.get('error')}"
        return answer["result"]

    async def call(self, service: str, entity_id: str, **data: Any) -> None:
        """Do what a person does in the dashboard."""
        domain, name = service.split(".")
        await self.ask("call_service", domain=domain, service=name, target={"entity_id": entity_id}, service_data=data)

    async def until(self, entity_id: str, expected: str | Callable[[str], bool]) -> Json:
        """Wait until an entity shows a state."""
        fits = expected if callable(expected) else expected.__eq__

        def shown() -> bool:
            return entity_id in self.states and bool(fits(self.states[entity_id]["state"]))

        try:
            async with asyncio.timeout(PATIENCE), self._changed:
                await self._changed.wait_for(shown)
        except TimeoutError:
            there = {
                i: s["state"] for i, s in self.states.items() if i.split(".")[1][:4] == entity_id.split(".")[1][:4]
            }
            raise AssertionError(f"{entity_id} never was {expected}; there is {there}") from None
        return self.states[entity_id]

    async def until_attribute(self, entity_id: str, name: str, fits: Callable[[Any], bool]) -> Any:
        """Wait until an attribute of an entity is as it should be; its value."""

        def value() -> Any:
            return self.states.get(entity_id, {}).get("attributes", {}).get(name)

        try:
            async with asyncio.timeout(PATIENCE), self._changed:
                await self._changed.wait_for(lambda: value() is not None and fits(value()))
        except TimeoutError:
            raise AssertionError(f"{entity_id}: {name} is {value()}") from None
        return value()

    async def until_gone(self, entity_id: str) -> None:
        """Wait until an entity is no more."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: entity_id not in self.states)

    async def complaints(self, *about: str) -> list[str]:
        """Warnings and errors in Home Assistant's log that name any of these."""
        entries = await self.ask("system_log/list")
        lines = [f"{e['level']} {e['name']}: {' | '.join(e['message'])}" for e in entries]
        return [line for line in lines if any(word.lower() in line.lower() for word in about)]
