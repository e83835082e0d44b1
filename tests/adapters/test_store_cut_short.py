"""A write that is given up while SQLite's thread is busy: nothing stays begun."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import aiosqlite
import pytest

from ocpp_mqtt_proxy.adapters.store.writing import transaction
from tests.running import PATIENCE


async def test_a_transaction_that_is_given_up_before_it_began_does_not_begin_after(tmp_path: Path) -> None:
    thread = threading.Event()
    async with aiosqlite.connect(tmp_path / "any.db", isolation_level=None) as connection:
        await connection.create_function("wait", 0, lambda: thread.wait(PATIENCE))
        busy = asyncio.ensure_future(connection.execute_fetchall("SELECT wait()"))
        writing = asyncio.create_task(write(connection))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.sleep(0)
        thread.set()
        await busy
        with pytest.raises(asyncio.CancelledError):
            await writing
        await connection.execute("SELECT 1")  # behind whatever was still to be done
        assert not connection.in_transaction


async def write(connection: aiosqlite.Connection) -> None:
    async with transaction(connection):
        pass
