"""Connections to the store's file, and having a file that can be connected to."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path

import aiosqlite

from ocpp_mqtt_proxy.adapters.store import backups, files, recovery
from ocpp_mqtt_proxy.adapters.store.examination import Unusable, examine
from ocpp_mqtt_proxy.adapters.store.migrations import migrate, scripts, seen
from ocpp_mqtt_proxy.ports import LedgerFailed

WAL_TRIES = 100
WAL_SECONDS = 0.05

LOG_BYTES = 4 << 20
"""What the write-ahead log is cut back to after it grew beyond that, under a long reader."""


def prepare(path: Path, now: datetime, *, mend: bool = True) -> str | None:
    """Have a file with today's tables at a path; what had to be done about it, where it could not be used.

    With `mend`, what cannot be used is set aside and replaced, and an older version's is backed up before it is
    changed. Raises LedgerFailed, sqlite3.Error, OSError.
    """
    try:
        if mend:
            files.succeed(path, now)
        examine(path)
        _bring_up_to_date(path, now, backup=mend)
    except Unusable as fault:
        if not mend:
            raise LedgerFailed(str(fault)) from fault
        return recovery.replace(path, fault, now)
    return None


def _bring_up_to_date(path: Path, now: datetime, *, backup: bool) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, timeout=files.BUSY_SECONDS)) as connection:
        if backup and 0 < seen(connection) < len(scripts()):
            with contextlib.suppress(LedgerFailed):  # a migration is all or nothing: it is safe without too
                backups.make(path, now)
        _use_wal(connection)
        migrate(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Have a write-ahead log. For this alone SQLite does not wait by itself while another opens the file."""
    for _ in range(WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(WAL_SECONDS)
        else:
            return
    raise LedgerFailed("another program holds it")


class Line:
    """A connection that is made when it is needed, and made anew after it was given up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: aiosqlite.Connection | None = None
        self._closed = False
        self._lock = asyncio.Lock()

    async def get(self) -> aiosqlite.Connection:
        """The connection. Raises sqlite3.Error, LedgerFailed."""
        async with self._lock:
            if self._closed:
                raise LedgerFailed("the store is closed")
            if self._connection is None:
                self._connection = await self._connect()
            return self._connection

    async def hang_up(self) -> None:
        """Give the connection up, whatever state it is in."""
        async with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with contextlib.suppress(sqlite3.Error):
                    await connection.close()

    async def close(self) -> None:
        """Give the connection up for good."""
        self._closed = True
        await self.hang_up()

    async def _connect(self) -> aiosqlite.Connection:
        # aiosqlite, where it cannot connect, leaves a thread behind that may outlive the loop.
        await asyncio.to_thread(lambda: sqlite3.connect(self.path).close())
        connection = await aiosqlite.connect(self.path, isolation_level=None, timeout=files.BUSY_SECONDS)
        try:
            connection.row_factory = aiosqlite.Row
            for pragma in ("synchronous=FULL", "fullfsync=ON", f"journal_size_limit={LOG_BYTES}"):
                await connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            await connection.close()
            raise
        return connection

    async def pragma(self, name: str) -> str:
        """What SQLite says of a setting. Raises sqlite3.Error."""
        async with (await self.get()).execute(f"PRAGMA {name}") as cursor:
            row = await cursor.fetchone()
        return str(row[0]) if row else ""
