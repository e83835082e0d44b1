"""A backend for the demonstration: it accepts every card, and limits the current for a while now and then.

`python -m ocpp_mqtt_proxy.demo.backend URL`, with the URL of `/backend` and an id.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

PROVIDER = "night_saver"
RULES = {
    "id": PROVIDER,
    "name": "Night Saver",
    "presence": "any",
    "tariff": {"currency": "EUR", "price_per_kwh": 0.24, "session_fee": 0.5},
}
"""What the service is told of it."""

LIMITS = (10, 16, None)
"""In A, one after another; None is no limit."""

EACH_SECONDS = 60.0
RETRY_SECONDS = 1.0


async def serve(url: str) -> None:
    """Be there, for ever."""
    while True:
        try:
            async with connect(url) as socket, asyncio.TaskGroup() as tasks:
                await _ask(socket, "subscribe")
                throttle = tasks.create_task(_throttle(socket))
                await _answer_cards(socket)
                throttle.cancel()
        except* (OSError, ConnectionClosed, InvalidStatus):
            await asyncio.sleep(RETRY_SECONDS)


async def _answer_cards(socket: ClientConnection) -> None:
    async for message in socket:
        event = orjson.loads(message)
        if event.get("event") == "authorization_request":
            await _ask(socket, "authorize", request_id=event["request_id"], status="accepted")


async def _throttle(socket: ClientConnection) -> None:
    """What a charger refuses, or the rules do, is asked again with the next limit."""
    for amps in itertools.cycle(LIMITS):
        await asyncio.sleep(EACH_SECONDS)
        for charger in sys.argv[2:]:
            if amps is None:
                await _ask(socket, "clear_limit", charger=charger)
            else:
                await _ask(socket, "set_limit", charger=charger, amps=amps)


async def _ask(socket: ClientConnection, action: str, **arguments: Any) -> None:  # noqa: ANN401
    await socket.send(orjson.dumps({"id": action, "action": action, **arguments}).decode())


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
