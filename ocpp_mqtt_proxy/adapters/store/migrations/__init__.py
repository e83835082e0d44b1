"""The store's tables, by what has been added to them since: `NNN.sql`, run in order, each once.

The number of the last one that a file has seen is its `user_version`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib import resources

import aiosqlite

from ocpp_mqtt_proxy.ports import LedgerFailed


def scripts() -> list[str]:
    """Every migration there is, in order."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(".sql")]
    return [file.read_text() for file in sorted(files, key=lambda file: file.name)]


async def migrate(connection: aiosqlite.Connection) -> None:
    """Run the migrations that the file has not seen, all or none. Raises LedgerFailed, sqlite3.Error."""
    known = scripts()
    if await _seen(connection) == len(known):
        return
    # Another program may open the file at the same time: who comes second finds the work done.
    await connection.execute("BEGIN IMMEDIATE")
    seen = await _seen(connection)
    if seen > len(known):
        raise LedgerFailed("it was written by a newer version of this program")
    for script in known[seen:]:
        for statement in _statements(script):
            await connection.execute(statement)
    await connection.execute(f"PRAGMA user_version={len(known)}")
    await connection.execute("COMMIT")


async def _seen(connection: aiosqlite.Connection) -> int:
    async with connection.execute("PRAGMA user_version") as cursor:
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


def _statements(script: str) -> Iterator[str]:
    """A script's statements, each ended at the end of a line. (`executescript` would end our transaction.)"""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
