"""A backend that is a shell script: `mosquitto_sub` and `mosquitto_pub`, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.brokers import Broker
from tests.running import PATIENCE

_numbers = itertools.count(1)


@dataclass
class Shell:
    """One backend's commands. Every answer and event comes as a line of a topic and its payload."""

    broker: Broker
    base: str
    provider: str
    token: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def where(self) -> list[str]:
        return ["-h", self.broker.host, "-p", str(self.broker.port), "-u", self.provider]

    async def publish(self, verb: str, payload: str, *more: str) -> None:
        topic = f"{self.base}/backend/{self.provider}/request/{verb}"
        command = ["mosquitto_pub", *self.where, "-q", "1", "-t", topic, "-m", payload, *more]
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0

    async def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        number = f"m{next(_numbers)}"
        token = {"token": self.token} if self.token else {}
        await self.publish(verb, json.dumps({"id": number, **token, **arguments}))
        return await self.until(f"response/{verb}", id=number)

    async def does(self, verb: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.ask(verb, **arguments)
        assert answer["status"] == "ok", answer
        return dict(answer["result"])

    async def refused(self, verb: str, **arguments: Any) -> str:
        answer = await self.ask(verb, **arguments)
        assert answer["status"] == "refused", answer
        return str(answer["reason"])

    async def event(self, charger: str, kind: str, **fields: Any) -> dict[str, Any]:
        return await self.until(f"event/{charger}/{kind}", **fields)

    async def until(self, topic: str, **fields: Any) -> dict[str, Any]:
        """Wait for a JSON object with some fields on a topic."""
        path = f"{self.base}/backend/{self.provider}/{topic}"

        def found() -> dict[str, Any] | None:
            payloads = (json.loads(payload) for at, payload in self.lines if at == path)
            return next((payload for payload in payloads if fields.items() <= payload.items()), None)

        try:
            async with asyncio.timeout(PATIENCE), self._news:
                while (payload := found()) is None:
                    await self._news.wait()
                return payload
        except TimeoutError:
            raise AssertionError(f"did not come: {path} {fields}; heard: {self.lines}") from None

    async def read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            topic, _, payload = line.decode().rstrip("\n").partition(" ")
            async with self._news:
                self.lines.append((topic, payload))
                self._news.notify_all()


@contextlib.asynccontextmanager
async def shell(broker: Broker, base: str, provider: str, token: str = "") -> AsyncIterator[Shell]:
    """A shell that listens to all that is meant for a provider, once it does."""
    if shutil.which("mosquitto_sub") is None:
        pytest.skip("mosquitto_sub and mosquitto_pub are not installed (Debian: apt install mosquitto-clients)")
    one = Shell(broker, base, provider, token)
    command = ["mosquitto_sub", *one.where, "-q", "1", "-t", f"{base}/backend/{provider}/#", "-F", "%t %p"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    reading = asyncio.create_task(one.read(process.stdout))
    try:
        await one.until("state")
        yield one
    finally:
        process.terminate()
        await process.wait()
        await reading
