"""The store's files: the database and what SQLite keeps beside it, what was set aside, and backups.

| name | what |
| --- | --- |
| `sessions.db` (`-wal`, `-shm`, `-journal`) | in use |
| `sessions.db.draft` | another one being made; of no use after a power cut |
| `sessions.db.new` | it is ready to take the place |
| `sessions.db.damaged-20260314T120000Z` (…) | set aside, with what was beside it; never deleted |
| `sessions.db.backup-20260314T120000Z` | a backup |
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by what its name ends in."""

BUSY_SECONDS = 2.0
"""How long a connection waits for another program's."""

_STAMP = "%Y%m%dT%H%M%SZ"


def beside(path: Path, suffix: str) -> Path:
    """The file of the same name with a suffix more."""
    return path.with_name(path.name + suffix)


def draft_of(path: Path) -> Path:
    """Where a database is made that shall take another's place."""
    return beside(path, ".draft")


def successor_of(path: Path) -> Path:
    """A database that is ready to take its place."""
    return beside(path, ".new")


def backups_of(path: Path) -> list[Path]:
    """The backups of a database, newest first."""
    return sorted(path.parent.glob(f"{path.name}.backup-????????T??????Z"), reverse=True)


def backup_of(path: Path, now: datetime) -> Path:
    """The name of a backup made now."""
    return beside(path, f".backup-{now.astimezone(UTC):{_STAMP}}")


def made_at(backup: Path) -> datetime:
    """When a backup was made."""
    return datetime.strptime(backup.name.rpartition("-")[2], _STAMP).replace(tzinfo=UTC)


def looking_only(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing of a database: not even its log is taken in when it closes."""
    uri = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    connection.text_factory = text_of
    return connection


def text_of(stored: bytes) -> str:
    """A text as far as it can be read: one damaged letter must not cost the rest of the table."""
    return stored.decode("utf-8", "replace")


def sync(path: Path) -> None:
    """Have what was written to a file, or the names in a folder, survive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a database of ours that is of no use, with its companions."""
    for suffix in ("", *COMPANIONS):
        if beside(path, suffix).exists():  # a disk that cannot be written to need not be
            beside(path, suffix).unlink()


def set_aside(path: Path, word: str, now: datetime) -> Path | None:
    """Move a database out of the way, with its companions, under a name that says why. Raises OSError.

    The database goes first: what is left half done by a power cut is a place without one (`succeed`).
    """
    name = f".{word}-{now.astimezone(UTC):{_STAMP}}"
    aside = next(a for n in range(10_000) if not _taken(a := beside(path, name + (f".{n}" if n else ""))))
    moved = None
    for suffix in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(aside, suffix))
            moved = aside
    return moved


def _taken(aside: Path) -> bool:
    return any(beside(aside, suffix).exists() for suffix in ("", *COMPANIONS))


def take_place(path: Path) -> None:
    """Put the successor in the place that is free now. Raises OSError."""
    successor_of(path).rename(path)
    sync(path.parent)


def succeed(path: Path, now: datetime) -> None:
    """Finish what a power cut stopped between setting a database aside and putting another in its place."""
    remove(draft_of(path))
    if not successor_of(path).exists():
        return
    if path.exists():
        remove(successor_of(path))
        return
    set_aside(path, "damaged", now)
    take_place(path)


def is_whole(connection: sqlite3.Connection) -> str | None:
    """What SQLite finds wrong with a database; None where nothing is. Raises sqlite3.Error."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    return None if found is None or found[0] == "ok" else str(found[0]).replace("*** in database main ***\n", "")


def check(path: Path) -> str | None:
    """What SQLite finds wrong with a file. Raises sqlite3.Error."""
    with closing(looking_only(path)) as connection:
        return is_whole(connection)
