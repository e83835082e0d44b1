"""The store: one SQLite file, which outlives the program (contract §9).

WAL and `synchronous=FULL`: what `record` returned from survives a power cut. One connection writes, another
reads, so that a long list of sessions never holds up a charger.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import aiosqlite

from ocpp_mqtt_proxy.adapters.store import rows
from ocpp_mqtt_proxy.adapters.store.migrations import migrate
from ocpp_mqtt_proxy.adapters.store.rows import Statement
from ocpp_mqtt_proxy.adapters.store.sessions import Filter, Page, select
from ocpp_mqtt_proxy.core.book import REMEMBERED, Numbers
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import ChargerMemory
from ocpp_mqtt_proxy.ports import LedgerFailed

__all__ = ["Filter", "Page", "Store"]

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.25
"""How long notes are gathered before they are written together."""

RETRY_SECONDS = 1.0
"""How long after a write that failed the next is tried."""

WAL_TRIES = 100
WAL_SECONDS = 0.05

FIRST_TRANSACTION = range(10_000_000, 100_000_000)
"""Where a new installation begins to count 1.6 transactions: at random, so that an id a charger still holds
from another CSMS is hardly one of ours. Far below int32."""


class Store:
    """Everything that is remembered. `open` before use; one writer, notes gathered.

    `failure` is what the last write failed of. `durability` is how the file is written, as SQLite says it:
    journal mode and `synchronous`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: str | None = None
        self.durability = ("", 0)
        self._notes: dict[tuple[str, ...], Change] = {}
        self._noted = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._lock = asyncio.Lock()
        self._transactions: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the file, bring its tables up to date. Raises LedgerFailed where it cannot be used."""
        try:
            # aiosqlite, where it cannot connect, leaves a thread behind that may outlive the loop.
            await asyncio.to_thread(lambda: sqlite3.connect(self.path).close())
            self._writer = await self._connect()
            self.durability = (await self._pragma("journal_mode"), int(await self._pragma("synchronous")))
            await migrate(self._writer)
            self._reader = await self._connect()
        except (sqlite3.Error, OSError, LedgerFailed) as error:
            await self._stack.aclose()
            raise LedgerFailed(f"the store {self.path} cannot be used: {error}") from error

    async def close(self) -> None:
        """Write what is noted and close the file."""
        try:
            await self.flush()
        except LedgerFailed as error:
            log.error("the store is closed without the latest readings: %s", error)  # noqa: TRY400
        try:
            if self._transactions:
                await asyncio.wait(self._transactions)
        finally:
            await self._stack.aclose()

    async def _connect(self) -> aiosqlite.Connection:
        connection = await self._stack.enter_async_context(aiosqlite.connect(self.path, isolation_level=None))
        connection.row_factory = aiosqlite.Row
        await connection.execute("PRAGMA busy_timeout=5000")
        await _use_wal(connection)
        await connection.execute("PRAGMA synchronous=FULL")
        return connection

    async def _pragma(self, name: str) -> str:
        async with self._writer.execute(f"PRAGMA {name}") as cursor:
            row = await cursor.fetchone()
        return str(row[0]) if row else ""

    # Writing

    async def record(self, changes: Sequence[Change]) -> None:
        """Write down, all or nothing, and return once it is on disk. Raises LedgerFailed.

        Notes about the same things go with it: they are older.
        """
        latest = {rows.key_of(change): change for change in changes}
        for key in latest:
            self._notes.pop(key, None)
        await self._write(s for change in latest.values() for s in rows.statements(change))

    def note(self, changes: Iterable[Change]) -> None:
        """Write down soon; of several states of one thing the last."""
        for change in changes:
            self._notes[rows.key_of(change)] = change
            self._noted.set()

    async def run(self) -> None:
        """Write notes as they gather, for ever; those that could not be written are tried again."""
        while True:
            await self._noted.wait()
            await asyncio.sleep(BATCH_SECONDS)
            try:
                await self.flush()
            except LedgerFailed:
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Write all notes. Raises LedgerFailed and keeps them where that fails."""
        notes, self._notes = self._notes, {}
        self._noted.clear()
        if not notes:
            return
        try:
            await self._write(s for change in notes.values() for s in rows.statements(change))
        except BaseException:
            # Also where we were cancelled, not knowing how it ends: to write a state twice does no harm.
            self._notes = notes | self._notes
            self._noted.set()
            raise

    async def _write(self, statements: Iterable[Statement]) -> None:
        """One transaction. What the statements hold is fixed now, whatever changes while we wait.

        It goes through even where the caller is cancelled: half a transaction would block the next.
        """
        by_sql: dict[str, list[tuple[object, ...]]] = {}
        for sql, values in statements:
            by_sql.setdefault(sql, []).append(values)
        task = asyncio.create_task(self._transact(by_sql))
        self._transactions.add(task)
        task.add_done_callback(self._transactions.discard)
        await asyncio.shield(task)

    async def _transact(self, by_sql: Mapping[str, list[tuple[object, ...]]]) -> None:
        async with self._lock:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                for sql, several in by_sql.items():
                    await self._writer.executemany(sql, several)
                await self._writer.execute("COMMIT")
            except (sqlite3.Error, OverflowError, ValueError) as error:
                self._judge(str(error))
                with contextlib.suppress(sqlite3.Error):
                    await self._writer.execute("ROLLBACK")
                raise LedgerFailed(str(error)) from error
        self._judge(None)

    def _judge(self, failure: str | None) -> None:
        """Keep in mind how the last write went; a change is worth a line."""
        if failure is not None and failure != self.failure:
            log.error("the store cannot be written to: %s", failure)
        elif failure is None and self.failure is not None:
            log.info("the store can be written to again")
        self.failure = failure

    async def forget(self, charger: ChargerMemory) -> None:
        """Take a charger out of the books. Its sessions stay."""
        for key in [k for k in self._notes if k[0] in ("charger", "connector") and k[1] == charger.id]:
            del self._notes[key]
        await self._write(
            [
                ("DELETE FROM charger WHERE id = ?", (charger.id,)),
                ("DELETE FROM connector WHERE charger = ?", (charger.id,)),
            ]
        )

    async def prune(self, before: datetime) -> None:
        """Drop sessions that ended before a time (`database.keep_days`)."""
        # What ended before started before, and by that there is an index.
        sql = "DELETE FROM session WHERE started_at < ? AND ended_at < ? AND state != 'running'"
        text = rows.text_of(before)
        await self._write([(sql, (text, text))])

    # Reading

    async def numbers(self) -> Numbers:
        """The counters, begun where this is the first start."""
        first = FIRST_TRANSACTION.start + secrets.randbelow(len(FIRST_TRANSACTION))
        return Numbers(
            instance=await self.meta("instance", secrets.token_hex(2)),
            last_transaction=int(await self.meta(rows.TRANSACTION_COUNTER, str(first))),
            last_session=int(await self.meta(rows.SESSION_COUNTER, "0")),
        )

    async def meta(self, key: str, initial: str) -> str:
        """What is kept under a key; `initial` is kept where there was nothing."""
        insert = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
        select = "SELECT value FROM meta WHERE key = ?"
        found = [row async for row in self._select(select, key)]
        if not found:
            await self._write([(insert, (key, initial))])
            found = [row async for row in self._select(select, key)]
        return str(found[0]["value"])

    async def chargers(self) -> list[ChargerMemory]:
        """Every charger that was ever accepted in."""
        return [rows.charger(row) async for row in self._select("SELECT * FROM charger ORDER BY id")]

    async def connectors(self) -> list[Connector]:
        """Every connector of them."""
        return [rows.connector(row) async for row in self._select("SELECT * FROM connector ORDER BY number")]

    async def remembered(self, charger: str) -> list[Session]:
        """A charger's sessions that a message may still be about: the running and the last ones, oldest first."""
        sql = (
            "SELECT * FROM session WHERE charger = ? AND state = 'running' UNION "
            "SELECT * FROM (SELECT * FROM session WHERE charger = ? ORDER BY started_at DESC LIMIT ?) "
            "ORDER BY started_at"
        )
        return [rows.session(row) async for row in self._select(sql, charger, charger, REMEMBERED)]

    async def sessions(self, wanted: Filter) -> Page:
        """A page of sessions, newest first. Running ones are as they were last written: within a second."""
        sql, values = select(wanted)
        found = [rows.session(row) async for row in self._select(sql, *values)]
        return Page.of(found, wanted.size)

    async def all_sessions(self, wanted: Filter) -> AsyncIterator[Session]:
        """Every session that passes a filter, newest first, page by page: in constant memory."""
        while True:
            page = await self.sessions(wanted)
            for session in page.sessions:
                yield session
            if page.cursor is None:
                return
            wanted = wanted.after(page.cursor)

    async def _select(self, sql: str, *values: object) -> AsyncIterator[sqlite3.Row]:
        with _as_ledger_failed():
            async with self._reader.execute(sql, values) as cursor:
                async for row in cursor:
                    yield row

    # Links to log in with

    async def add_login(self, token_hash: str, expires: datetime) -> None:
        """Keep a one-time login; expired ones go."""
        await self._write(
            [
                ("DELETE FROM login WHERE expires_at < ?", (rows.text_of(datetime.now(expires.tzinfo)),)),
                ("INSERT INTO login (token_hash, expires_at) VALUES (?, ?)", (token_hash, rows.text_of(expires))),
            ]
        )

    async def use_login(self, token_hash: str, now: datetime) -> bool:
        """Whether a one-time login is good; it is used up by that. Raises LedgerFailed."""
        sql = "DELETE FROM login WHERE token_hash = ? AND expires_at >= ?"
        with _as_ledger_failed():
            async with self._lock, self._writer.execute(sql, (token_hash, rows.text_of(now))) as cursor:
                return cursor.rowcount == 1


async def _use_wal(connection: aiosqlite.Connection) -> None:
    """Have a write-ahead log. For this alone SQLite does not wait by itself while another opens the file."""
    for _ in range(WAL_TRIES):
        try:
            await connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            await asyncio.sleep(WAL_SECONDS)
        else:
            return
    raise LedgerFailed("another program holds it")


@contextlib.contextmanager
def _as_ledger_failed() -> Iterator[None]:
    """What goes wrong inside is a failure of the ledger."""
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerFailed(str(error)) from error
