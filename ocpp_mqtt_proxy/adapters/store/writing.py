"""Writing: one transaction after the other, and what to make of one that fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import aiosqlite

from ocpp_mqtt_proxy.adapters.store.connections import Line, Statements
from ocpp_mqtt_proxy.adapters.store.examination import code_of, is_damage
from ocpp_mqtt_proxy.adapters.store.rows import Statement
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.turns import within

log = logging.getLogger(__name__)

TOGETHER = 500
"""Recordings that are written in one transaction at most."""

GATHER_SECONDS = 0.01
"""How long what nobody is in a hurry for waits for more of its kind: each transaction takes the processor, and the
disk, from those who are."""


class Unwritable(LedgerFailed):
    """What no database can hold: it will not be written on another day either."""


@dataclass(slots=True)
class Recording:
    """Statements that are written all or none, and whether they are."""

    statements: Statements
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, error: LedgerFailed | None) -> None:
        """Say how it went. Whoever waited may be gone."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
            self.done.exception()


@dataclass
class Scribe:
    """Writes recordings. Those that come while one is being written go together: one wait for the disk for all.

    Those that may come a moment later wait for each other too, until one is in a hurry.

    `failure` is what writing fails of, until it goes well again; `on_change` hears of both. A damaged file is
    `mend`ed, once, in mid-writing.
    """

    line: Line
    mend: Callable[[str], Awaitable[None]]
    on_change: Callable[[Literal["store_failed", "store_healed"], str], None]
    failure: str | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)
    _failing_since: float = 0.0
    _waiting: list[Recording] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None

    async def write(self, statements: Iterable[Statement]) -> None:
        """Return once they are on disk, all of them. Raises LedgerFailed, then none is.

        They are written even where the caller is cancelled.
        """
        await asyncio.shield(self.put(statements))

    def put(self, statements: Iterable[Statement], *, hurry: bool = True) -> asyncio.Future[None]:
        """Have statements written, all or none, in the order in which they are put; the future is of `write`.

        What they hold is fixed now, whatever changes meanwhile. Without `hurry` they may wait for others.
        """
        by_sql: dict[str, list[tuple[object, ...]]] = {}
        for sql, values in statements:
            by_sql.setdefault(sql, []).append(values)
        recording = Recording(by_sql)
        self._waiting.append(recording)
        if hurry:
            self._hurry.set()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        return recording.done

    async def revise(
        self, sql: str, values: tuple[object, ...], follow: Callable[[list[sqlite3.Row]], Iterable[Statement]]
    ) -> None:
        """Read rows and write what follows from them, with nobody in between. Raises LedgerFailed, then nothing is."""
        async with self.lock:
            try:
                connection = await self.line.get()
                async with transaction(connection):
                    found = list(await connection.execute_fetchall(sql, values))
                    for statement in follow(found):
                        await connection.execute(*statement)
            except (sqlite3.Error, OSError, OverflowError, ValueError) as error:
                raise LedgerFailed(str(error)) from error

    async def change(self, sql: str, values: tuple[object, ...]) -> int:
        """How many rows one statement changed. Raises sqlite3.Error."""
        async with self.lock, (await self.line.get()).execute(sql, values) as cursor:
            return cursor.rowcount

    async def finish(self) -> None:
        """Wait until all that was given is written, or has failed."""
        self._hurry.set()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_waiting(self) -> None:
        while self._waiting:
            await self._gather()
            together, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            try:
                async with self.lock:
                    await self._write_together(together)
            finally:
                for recording in together:
                    recording.settle(LedgerFailed("the program ends"))

    async def _gather(self) -> None:
        if not self._hurry.is_set():
            await within(GATHER_SECONDS, self._hurry)
        self._hurry.clear()

    async def _write_together(self, recordings: Sequence[Recording]) -> None:
        """Write them in one transaction. What makes that fail by itself must not cost the others theirs."""
        error = await self._transact([recording.statements for recording in recordings])
        if isinstance(error, Unwritable) and len(recordings) > 1:
            for recording in recordings:
                recording.settle(await self._transact([recording.statements]))
            return
        for recording in recordings:
            recording.settle(error)

    async def _transact(self, several: Sequence[Statements]) -> LedgerFailed | None:
        """One transaction; None where it is on disk."""
        try:
            try:
                await self._execute(several)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                await self.mend(str(error))
                await self._execute(several)
        except (sqlite3.Error, OSError, LedgerFailed) as error:
            return await self._failed(error)
        except (OverflowError, ValueError) as error:
            return Unwritable(str(error))
        self.judge(None)
        return None

    async def _execute(self, several: Sequence[Statements]) -> None:
        await (await self.line.get()).write(several)

    async def _failed(self, error: Exception) -> LedgerFailed:
        """What to tell of it: that nothing of this kind can be written, or that nothing can be now."""
        by_contents = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError, sqlite3.InterfaceError)
        if isinstance(error, by_contents):
            return Unwritable(str(error))
        if code_of(error) in _CONNECTION_LOST:
            await self.line.hang_up()
        self.judge(str(error))
        return LedgerFailed(str(error), time.monotonic() - self._failing_since)

    def judge(self, failure: str | None) -> None:
        """Keep in mind how writing goes; a change is worth a line."""
        if failure is not None and self.failure is None:
            self._failing_since = time.monotonic()
        if failure is not None and failure != self.failure:
            log.error("the store cannot be written to: %s", failure)
            self.on_change("store_failed", failure)
        elif failure is None and self.failure is not None:
            log.info("the store can be written to again")
            self.on_change("store_healed", "")
        self.failure = failure


_CONNECTION_LOST = frozenset({
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL),
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
})  # fmt: skip
"""Errors after which the connection may be of no use, though the disk gets well: the next try is with a new one."""


@contextlib.asynccontextmanager
async def transaction(connection: aiosqlite.Connection) -> AsyncIterator[None]:
    """All that is written inside is, or nothing.

    Whoever is cancelled cannot tell how far SQLite's thread got: it is told to roll back what it has begun by then.
    """
    try:
        await connection.execute("BEGIN IMMEDIATE")
        yield
        await connection.execute("COMMIT")
    except BaseException:  # cancelled too
        with contextlib.suppress(sqlite3.Error, ValueError):  # where nothing is begun, or no connection is left
            await connection.execute("ROLLBACK")
        raise
