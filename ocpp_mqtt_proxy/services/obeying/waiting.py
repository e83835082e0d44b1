"""Waiting for a charger to do what it agreed to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ocpp_mqtt_proxy.services.outstation import Outstation


async def until(out: Outstation, holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds, which is looked at whenever something happened; whether it does."""
    with out.hub.bus.listening(f"{out.name} waits") as mailbox:
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await mailbox.take()
        except TimeoutError:
            return False
    return True
