"""A store on a real file, and others that have the file open."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, tzinfo
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import Store


@contextlib.asynccontextmanager
async def opened(file: Path, zone: tzinfo = UTC) -> AsyncIterator[Store]:
    """A store, open."""
    store = Store(file, zone)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextlib.contextmanager
def beside(file: Path) -> Iterator[sqlite3.Connection]:
    """Another program with the file open."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
