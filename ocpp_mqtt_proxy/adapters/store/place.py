"""Where the store's file is: that there is one which can be used, and what was done for that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import backups, files, recovery
from ocpp_mqtt_proxy.adapters.store.examination import Unusable, examine
from ocpp_mqtt_proxy.adapters.store.migrations import migrate, scripts, seen
from ocpp_mqtt_proxy.ports import LedgerFailed

log = logging.getLogger(__name__)

WAL_TRIES = 100
WAL_SECONDS = 0.05

MEND_SECONDS = 600.0
"""How long after a file was replaced it is not replaced again: a disk that damages at once is no place for a third."""

MEMORY_DISK = Path("/dev/shm")  # noqa: S108 (a folder of our own is made in it)


class Place:
    """A path with a file that can be used, or again can be.

    With `mends`, what cannot be used is set aside and replaced. `kept` is what is known to be in its `meta`;
    `replaced` is what was done in this life.
    """

    def __init__(self, path: Path, on_replaced: Callable[[str], None]) -> None:
        self.path = path
        self.mends = True
        self.kept: dict[str, str] = {}
        self.replaced: str | None = None
        self._on_replaced = on_replaced
        self._was_there = False
        self._replaced_at: float | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None

    async def ready(self) -> None:
        """Have a file that can be connected to. Raises LedgerFailed, sqlite3.Error, OSError."""
        try:
            await asyncio.to_thread(self._prepare)
        except Unusable as fault:
            if not self.mends:
                raise LedgerFailed(str(fault)) from fault
            await self.replace(fault)
        self._was_there = True

    def _prepare(self) -> None:
        if self._was_there and not self.path.exists():
            raise Unusable("it is gone")
        if self.mends:
            files.succeed(self.path, datetime.now(UTC))
        prepare(self.path, backup=self.mends)

    async def replace(self, fault: Unusable) -> None:
        """Put another file in the place of one that cannot be used. Raises LedgerFailed, sqlite3.Error, OSError."""
        now = time.monotonic()
        if self._replaced_at is not None and now - self._replaced_at < MEND_SECONDS:
            raise LedgerFailed(f"{fault}, again")
        self._replaced_at = now
        self.replaced = await asyncio.to_thread(recovery.replace, self.path, fault, datetime.now(UTC), self.kept)
        log.error(self.replaced)
        self._on_replaced(self.replaced)

    async def back_up(self) -> None:
        """Make a backup where one is due. Raises Unusable of a damaged file, LedgerFailed where none can be made."""
        await asyncio.to_thread(self._back_up)

    def _back_up(self) -> None:
        if not self.path.exists():
            raise Unusable("it is gone")
        if backups.is_due(self.path, datetime.now(UTC)):
            backups.make(self.path, datetime.now(UTC))

    @property
    def holds_something(self) -> bool:
        """Whether there was a life before."""
        return self.path.is_file() and self.path.stat().st_size > 0

    async def copy(self) -> Path:
        """A copy in memory, to look at while the disk lets nothing be written.

        Raises LedgerFailed, sqlite3.Error, OSError.
        """
        try:
            return await asyncio.to_thread(self._make_copy)
        except Unusable as fault:
            raise LedgerFailed(str(fault)) from fault

    def _make_copy(self) -> Path:
        self._copy = tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None)
        copy = Path(self._copy.name) / self.path.name
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(files.beside(self.path, suffix), files.beside(copy, suffix))
        prepare(copy, backup=False)
        return copy

    def close(self) -> None:
        """Nobody looks at the copy any more."""
        if self._copy is not None:
            self._copy.cleanup()


def prepare(path: Path, *, backup: bool) -> None:
    """Have a file with today's tables at a path; an older version's is backed up first where wanted.

    Raises Unusable, LedgerFailed, sqlite3.Error, OSError.
    """
    examine(path)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=files.BUSY_SECONDS)) as connection:
        if backup and 0 < seen(connection) < len(scripts()):
            with contextlib.suppress(LedgerFailed):  # a migration is all or nothing: it is safe without too
                backups.make(path, datetime.now(UTC))
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
