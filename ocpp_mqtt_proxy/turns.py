"""Long work in short steps: what is done for every charger must not hold one of them up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


async def in_turns(steps: Iterable[object]) -> None:
    """Take the steps, and let everybody else have their turn after each."""
    for _ in steps:
        await asyncio.sleep(0)


def at_once(steps: Iterable[object]) -> None:
    """Take the steps without a pause."""
    for _ in steps:
        pass
