"""The store's tables, by what has been added to them since: `NNN.sql`, run in order, each once.

The number of the last one that a file has seen is its `user_version`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources


@cache
def scripts() -> tuple[str, ...]:
    """Every migration there is, in order."""
    files = [file for file in resources.files(__package__).iterdir() if file.name.endswith(".sql")]
    return tuple(file.read_text() for file in sorted(files, key=lambda file: file.name))


def migrate(connection: sqlite3.Connection) -> None:
    """Run the migrations that the file has not seen, all or none. Raises sqlite3.Error."""
    known = scripts()
    if seen(connection) == len(known):
        return
    # Another program may open the file at the same time: who comes second finds the work done.
    connection.execute("BEGIN IMMEDIATE")
    try:
        for script in known[seen(connection) :]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(known)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def seen(connection: sqlite3.Connection) -> int:
    """How many migrations a file has seen. Raises sqlite3.Error."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """A script's statements, each ended at the end of a line. (`executescript` would end our transaction.)"""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
