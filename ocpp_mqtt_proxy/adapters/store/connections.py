"""Connections to the store's file, and what their errors say."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import aiosqlite

from ocpp_mqtt_proxy.adapters.store import files
from ocpp_mqtt_proxy.ports import LedgerFailed

LOG_BYTES = 4 << 20
"""What the write-ahead log is cut back to after it grew beyond that, under a long reader."""

_SETTINGS = ("synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON", f"journal_size_limit={LOG_BYTES}")
"""A commit returns when it is on the disk, and on a Mac when the disk itself says so."""


Statements = Mapping[str, Sequence[tuple[object, ...]]]
"""SQL, with the values of each time that it is carried out."""


class Connection(aiosqlite.Connection):
    """A connection in its thread. A transaction goes there whole.

    Each way there and back costs the event loop more than most statements cost SQLite. Whoever gives up waiting leaves
    nothing begun: it is written to the end, or not at all.
    """

    async def write(self, several: Iterable[Statements]) -> None:
        """All in one transaction, in order, or nothing. Raises sqlite3.Error, OverflowError, ValueError."""
        await self._execute(_write, self._conn, several)  # type: ignore[no-untyped-call]  # it names no types


def _write(connection: sqlite3.Connection, several: Iterable[Statements]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in several:
            for sql, values in statements.items():
                connection.executemany(sql, values)
        connection.execute("COMMIT")
    except BaseException:  # whatever it was: nothing of it is to stay
        with contextlib.suppress(sqlite3.Error):  # where SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


class Line:
    """A connection that is made when it is needed, and made anew after it was given up.

    `before` each it has something done. Where `path` is set anew, the next is to that.
    """

    def __init__(self, path: Path, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.path = path
        self._before = before
        self._connection: Connection | None = None
        self._connected_to = path
        self._closed = False
        self._lock = asyncio.Lock()

    async def get(self) -> Connection:
        """The connection. Raises LedgerFailed, sqlite3.Error, OSError."""
        async with self._lock:
            if self._closed:
                raise LedgerFailed("the store is closed")
            if self._connected_to != self.path:
                await self._hang_up()
            if self._connection is None:
                if self._before is not None:
                    await self._before()
                self._connected_to = self.path
                self._connection = await _connect(self.path)
            return self._connection

    async def hang_up(self) -> None:
        """Give the connection up, whatever state it is in."""
        async with self._lock:
            await self._hang_up()

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    async def close(self) -> None:
        """Give the connection up for good."""
        self._closed = True
        await self.hang_up()

    async def pragma(self, name: str) -> str:
        """What SQLite says of a setting. Raises LedgerFailed, sqlite3.Error, OSError."""
        async with (await self.get()).execute(f"PRAGMA {name}") as cursor:
            row = await cursor.fetchone()
        return str(row[0]) if row else ""


async def _connect(path: Path) -> Connection:
    # aiosqlite, where it cannot connect, leaves a thread behind that may outlive the loop.
    await asyncio.to_thread(lambda: sqlite3.connect(path).close())
    connect = partial(sqlite3.connect, path, isolation_level=None, timeout=files.BUSY_SECONDS)
    connection = Connection(connect, iter_chunk_size=64)
    await connection
    try:
        connection.row_factory = aiosqlite.Row
        connection.text_factory = files.text_of
        for setting in _SETTINGS:
            await connection.execute(f"PRAGMA {setting}")
    except BaseException:  # cancelled too
        await connection.close()
        raise
    return connection


@contextlib.contextmanager
def as_ledger_failed() -> Iterator[None]:
    """What goes wrong inside is a failure of the ledger."""
    try:
        yield
    except (sqlite3.Error, ValueError, OSError) as error:  # ValueError: aiosqlite's, of a closed connection
        raise LedgerFailed(str(error)) from error
