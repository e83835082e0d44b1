"""Whether a file can be used as the store, before it is.

What cannot is `Unusable`: it will be set aside. What is somebody else's, or in use, or on a disk that fails, is
left alone: LedgerFailed.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import files, rows, shares
from ocpp_mqtt_proxy.adapters.store.migrations import scripts, seen
from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.ports import LedgerFailed

CHECK_BYTES = 32 << 20
"""A file up to this size is checked whole at the start; of a larger one what the start needs. A day sees all."""

CHECK_SECONDS = 0.5
"""How long checking the pages may take at the start."""

_SMALL_TABLES = ("meta", "charger", "connector", "event_number")

_OURS = {"meta", "charger", "session"}
"""Tables that every version had: a database without them was never ours."""

_MAGIC = b"SQLite format 3\0"
_DATABASES = (".db", ".sqlite", ".sqlite3")


class Unusable(ProxyError):
    """A file that cannot be the store. `word` is what it is set aside as."""

    def __init__(self, why: str, word: str = "damaged") -> None:
        super().__init__(why)
        self.word = word


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file is damaged: no repetition mends that."""
    return code_of(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_busy(error: BaseException) -> bool:
    """Whether another program holds the file."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def code_of(error: BaseException) -> int:
    """SQLite's code of an error; 0 where it is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def examine(path: Path) -> None:
    """Return where a file can be used or made. Raises Unusable, LedgerFailed, sqlite3.Error, OSError."""
    if path.is_dir():
        raise Unusable("it is a folder")
    if not path.exists() or not path.stat().st_size:
        _nothing_there(path)
        return
    _look_at_head(path)
    try:
        with closing(files.looking_only(path)) as connection:
            _look_inside(connection, path.stat().st_size)
    except sqlite3.DatabaseError as error:
        if is_damage(error) or code_of(error) == sqlite3.SQLITE_ERROR:
            raise Unusable(str(error)) from error
        raise
    except UnicodeDecodeError as error:
        raise Unusable("its contents are damaged") from error


def _nothing_there(path: Path) -> None:
    """A file that is not there yet, or was just made, will be; one that was emptied has left traces."""
    log = files.beside(path, "-wal")
    logged = log.exists() and log.stat().st_size > 0
    if logged or (path.exists() and files.backups_of(path)):
        raise Unusable("it is empty")


def _look_at_head(path: Path) -> None:
    """The first bytes tell a database, and one whose first bytes were lost, from somebody's text."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_MAGIC):
        if not {head[18], head[19]} <= {1, 2}:
            raise Unusable("its header is damaged")
    elif path.suffix not in _DATABASES and not files.backups_of(path) and _is_text(head):
        raise LedgerFailed("file is not a database")


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in head)


def _look_inside(connection: sqlite3.Connection, size: int) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    version, known = seen(connection), len(scripts())
    if version > known:
        raise Unusable("it was written by a newer version of this program", "newer")
    if tables and not tables >= _OURS:
        raise LedgerFailed(f"it is another program's, with tables {', '.join(sorted(tables)[:3])}")
    if tables and not version:
        raise Unusable("it does not say which version wrote it")
    _look_at_pages(connection, tables, size)
    if version == known:
        for probe in (*rows.PROBES, *shares.PROBES):
            connection.execute(probe).fetchall()


def _look_at_pages(connection: sqlite3.Connection, tables: set[str], size: int) -> None:
    """Check the pages, as long as that is quick: the start must not wait for a disk to be read from end to end."""
    until = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    wanted = ("1",) if size <= CHECK_BYTES else tuple(sorted(tables.intersection(_SMALL_TABLES)))
    try:
        for what in wanted:
            (found,) = connection.execute(f"PRAGMA quick_check({what})").fetchone()
            if found != "ok":
                raise Unusable(found.replace("*** in database main ***\n", ""))
    except sqlite3.OperationalError as error:
        if code_of(error) != sqlite3.SQLITE_INTERRUPT:
            raise
    finally:
        connection.set_progress_handler(None, 0)
