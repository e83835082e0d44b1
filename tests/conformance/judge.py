"""A backend that decides on cards, by what is known of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect

from tests.backends import address
from tests.conformance.charger import CARD
from tests.running import Running

BLOCKED, EXPIRED, STRANGE, PARTNER = "04B10C0000", "04E0000000", "0400000000", "04A1B2C4"
VERDICTS = {
    CARD: {"status": "accepted", "group": "FAMILY"},
    PARTNER: {"status": "accepted", "group": "FAMILY"},
    BLOCKED: {"status": "blocked"},
    EXPIRED: {"status": "expired"},
    STRANGE: {"status": "invalid"},
}


@contextlib.asynccontextmanager
async def judging(service: Running) -> AsyncIterator[None]:
    """A backend that is connected and answers every question about a card."""
    bearer = {"Authorization": "Bearer judge-token"}
    async with connect(address(service, id="judge"), additional_headers=bearer) as socket:
        await socket.send(json.dumps({"id": "0", "action": "subscribe", "events": ["authorization_request"]}))
        assert json.loads(await socket.recv())["status"] == "ok"
        answering = asyncio.create_task(_answer(socket))
        try:
            yield
        finally:
            await socket.close()
            await answering


async def _answer(socket: ClientConnection) -> None:
    async for text in socket:
        told = json.loads(text)
        if told.get("event") == "authorization_request":
            verdict = {"request_id": told["request_id"], **VERDICTS[told["id_tag"]]}
            await socket.send(json.dumps({"id": "1", "action": "authorize", **verdict}))
