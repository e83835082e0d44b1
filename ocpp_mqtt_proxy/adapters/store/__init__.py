"""The store: one SQLite file, which outlives the program (contract §9).

WAL and `synchronous=FULL`: what `record` returned from survives a power cut. One connection writes, another
reads, so that a long list of sessions never holds up a charger. A file that is damaged is replaced, at the start
and at any time; a disk that fails is tried again until it does not.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal, TypeVar

from ocpp_mqtt_proxy.adapters.store import controls, outbox, recovery, rows, services
from ocpp_mqtt_proxy.adapters.store.connections import Line, as_ledger_failed
from ocpp_mqtt_proxy.adapters.store.examination import Unusable, is_busy, is_damage
from ocpp_mqtt_proxy.adapters.store.logins import Logins
from ocpp_mqtt_proxy.adapters.store.place import Place
from ocpp_mqtt_proxy.adapters.store.reports import Reported, Reports
from ocpp_mqtt_proxy.adapters.store.sessions import PRUNING, Filter, Page, select
from ocpp_mqtt_proxy.adapters.store.totals import Totals, Wanted
from ocpp_mqtt_proxy.adapters.store.writing import Scribe, Unwritable
from ocpp_mqtt_proxy.core.audit import Decided
from ocpp_mqtt_proxy.core.book import RESTORED, Numbers
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Control
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.turns import in_turns, within

__all__ = ["Filter", "Incident", "Page", "Reported", "Store", "Wanted"]

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.25
"""How long notes are gathered before they are written together."""

MANY_NOTES = 50
"""Notes that are written at once: chargers wait for no more than to find how these are written."""

RETRY_SECONDS = 1.0
"""How long after a write that failed the next is tried."""

MOST_NOTES = 20_000
"""Notes that wait for a disk at most, before transactions are refused."""

TIDY_PAUSE_SECONDS = 3600.0
"""How long after a backup, or dropping what is old, failed it is not tried again."""

FIRST_TRANSACTION = range(10_000_000, 100_000_000)
"""Where a new installation begins to count 1.6 transactions: at random, so that an id a charger still holds
from another CSMS is hardly one of ours. Far below int32."""

Kind = Literal["store_failed", "store_healed", "store_replaced"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that the owner should hear of the store."""

    kind: Kind
    message: str


class Store:
    """Everything that is remembered. `open` before use; one writer, notes gathered. Months are those of `zone`.

    `incidents` wait for somebody to tell them; `news` is set where there is one. `unreadable` counts rows that
    make no sense. `durability` is how the file is written, as SQLite says it: journal mode and `synchronous`.
    """

    def __init__(self, path: Path, zone: tzinfo = UTC) -> None:
        self.path = path
        self.incidents: deque[Incident] = deque(maxlen=100)
        self.news = asyncio.Event()
        self.unreadable = 0
        self.durability = ("", 0)
        self._place = Place(path, self._replaced)
        self._reader = Line(path)
        self._scribe = Scribe(Line(path, self._place.ready), self._mend, self._tell)
        self.totals = Totals(self._scribe, self._select, zone)
        self.reports = Reports(self._scribe, self._select)
        self.logins = Logins(self._scribe)
        self.outbox = outbox.Outbox(self._scribe.write, self._select)
        self._notes: dict[tuple[str, ...], Change] = {}
        self._noted = asyncio.Event()
        self._many = asyncio.Event()
        self._keeping: set[asyncio.Task[None]] = set()
        self._in_use = False
        self._not_before = 0.0

    @property
    def failure(self) -> str | None:
        """What writing fails of, while it does."""
        return self._scribe.failure

    @property
    def full(self) -> bool:
        """Whether more waits for a disk than should."""
        return len(self._notes) >= MOST_NOTES

    def faults(self) -> list[str]:
        """What is not as it should be."""
        faults = [what for what in (self.failure, self._place.replaced) if what]
        return faults + ([f"{self.unreadable} rows cannot be read"] if self.unreadable else [])

    def _tell(self, kind: Kind, message: str) -> None:
        self.incidents.append(Incident(kind, message))
        self.news.set()
        if kind == "store_healed":
            self._reader.path = self.path

    def _replaced(self, told: str) -> None:
        self._tell("store_replaced", told)
        self.outbox.doubt()

    # Life

    async def open(self, *, mend: bool = True) -> None:
        """Open the file, bring its tables up to date. Raises LedgerFailed where it cannot be used.

        With `mend`, one that is damaged is set aside and replaced, and one on a disk that fails is used as far as
        it goes; without, for a program beside the service, both are failures.
        """
        self._place.mends = mend
        try:
            await self._open()
        except (sqlite3.Error, OSError, LedgerFailed) as error:
            await self._close()
            raise LedgerFailed(f"the store {self.path} cannot be used: {error}") from error

    async def _open(self) -> None:
        line = self._scribe.line
        try:
            self.durability = (await line.pragma("journal_mode"), int(await line.pragma("synchronous")))
        except (sqlite3.OperationalError, OSError) as error:
            # Chargers depend on a service that was here before: it goes on with what it can read.
            if not self._place.mends or not self._place.holds_something or is_busy(error):
                raise
            self._reader.path = await self._place.copy()
            self._scribe.judge(str(error))
        await self.outbox.load()

    async def close(self) -> None:
        """Write what is noted and close the file."""
        await self.outbox.close()
        try:
            await self.flush()
            if self._in_use:
                await self._scribe.write([("DELETE FROM meta WHERE key = ?", (rows.IN_USE,))])
        except LedgerFailed as error:
            log.error("the store is closed without the latest readings: %s", error)  # noqa: TRY400 (its text says all)
        try:
            await self._scribe.finish()
        finally:
            await self._close()

    async def _close(self) -> None:
        await self._scribe.line.close()
        await self._reader.close()
        self._place.close()

    async def _mend(self, why: str) -> None:
        """Put another file in the place of a damaged one. Raises LedgerFailed, sqlite3.Error, OSError."""
        await self._scribe.line.hang_up()
        await self._place.replace(Unusable(why))
        await self._reader.hang_up()  # somebody may have looked at the old one meanwhile

    async def _mend_in_turn(self, why: str, before: str | None) -> None:
        """The same while nothing is being written, unless it was done since `before`. Raises LedgerFailed."""
        async with self._scribe.lock:
            if self._place.replaced == before:
                with as_ledger_failed():
                    await self._mend(why)

    async def tidy(self, keep_days: int, keep_audit_days: int = 0) -> None:
        """Drop what is kept too long, 0 is for ever, and make a backup where one is due.

        Where that fails, not soon again.
        """
        if time.monotonic() < self._not_before:
            return
        try:
            if keep_days:
                await self.prune(datetime.now(UTC) - timedelta(days=keep_days))
            await self.prune_decisions(datetime.now(UTC) - timedelta(days=keep_audit_days) if keep_audit_days else None)
            await self.outbox.tidy(datetime.now(UTC))
            await self.back_up()
        except LedgerFailed as error:
            log.warning("%s", error)
            self._not_before = time.monotonic() + TIDY_PAUSE_SECONDS

    async def back_up(self) -> None:
        """Make a backup where one is due; a file that is found damaged is replaced. Raises LedgerFailed."""
        before = self._place.replaced
        try:
            await self._place.back_up()
        except Unusable as fault:
            await self._mend_in_turn(str(fault), before)

    # Writing

    async def record(self, changes: Sequence[Change]) -> None:
        """Write down, all or nothing, and return once it is on disk. Raises LedgerFailed.

        Notes about the same things go with it: they are older.
        """
        latest = {rows.key_of(change): change for change in changes}
        for key, change in latest.items():
            self._notes.pop(key, None)
            self.outbox.expect(change)
        await self._write(latest.values(), hurry=not all(map(outbox.is_answered, changes)))

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        """Write down at once, not waiting for it; then, and also where that fails, call."""
        task = asyncio.create_task(self._keep(changes))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        task.add_done_callback(lambda _: then())

    async def _keep(self, changes: Sequence[Change]) -> None:
        try:
            await self.record(changes)
        except LedgerFailed:
            self.note(changes)

    def note(self, changes: Iterable[Change]) -> None:
        """Write down soon; of several states of one thing the last."""
        for change in changes:
            if self.outbox.expect(change, full=self.full):
                self._notes[rows.key_of(change)] = change
                self._noted.set()
        if len(self._notes) >= MANY_NOTES:
            self._many.set()

    async def run(self) -> None:
        """Write notes as they gather, for ever; those that could not be written are tried again."""
        while True:
            await self._noted.wait()
            await within(BATCH_SECONDS, self._many)
            try:
                await in_turns(services.documented(list(self._notes.values())))
                await self.flush()
            except LedgerFailed:
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Write all notes. Raises LedgerFailed and keeps them where that fails."""
        notes, self._notes = self._notes, {}
        self._noted.clear()
        self._many.clear()
        try:
            await self._write_notes(notes)
        except BaseException:
            # Also where we were cancelled, not knowing how it ends: to write a state twice does no harm.
            self._notes = notes | self._notes
            if self._notes:
                self._noted.set()
            raise

    async def _write_notes(self, notes: dict[tuple[str, ...], Change]) -> None:
        """Write them in one transaction. What can never be written would keep the rest from it for ever."""
        if not notes:
            return
        try:
            await self._write(notes.values())
        except Unwritable:
            for key, change in list(notes.items()):
                try:
                    await self._write([change])
                except Unwritable as error:
                    log.error("%s cannot be written down, and is not: %s", " ".join(key), error)  # noqa: TRY400 (its text says all)
                    self.outbox.abandon(change)
                del notes[key]

    async def _write(self, changes: Iterable[Change], *, hurry: bool = True) -> None:
        whole = self.outbox.whole(changes)
        try:
            statements = [s for change in whole for s in (*rows.statements(change), *self.totals.follow(change))]
        except rows.UNREADABLE as error:
            raise Unwritable(str(error)) from error
        done = self._scribe.put(statements, hurry=hurry)
        done.add_done_callback(lambda done: None if done.exception() else self.outbox.written(whole))
        await asyncio.shield(done)

    async def forget(self, charger: ChargerMemory) -> None:
        """Take a charger out of the books. Its sessions stay."""
        for key in [k for k in self._notes if k[0] != "session" and k[1:2] == (charger.id,)]:
            del self._notes[key]
        await self._scribe.write(
            [
                ("DELETE FROM charger WHERE id = ?", (charger.id,)),
                ("DELETE FROM connector WHERE charger = ?", (charger.id,)),
                ("DELETE FROM event_number WHERE charger = ?", (charger.id,)),
                *self.outbox.forget(charger.id),
            ]
        )

    async def prune(self, before: datetime) -> None:
        """Drop sessions that ended before a time (`database.keep_days`). They stay in the totals."""
        text = rows.text_of(before)
        await self._scribe.write([(sql, (text, text)) for sql in PRUNING])

    async def prune_decisions(self, before: datetime | None) -> None:
        """Drop what was decided before a time (`database.keep_audit_days`), and always all but the last `MOST`."""
        await self._scribe.write(controls.pruning(rows.text_of(before) or ""))

    # Reading

    async def numbers(self) -> Numbers:
        """The counters, begun where this is the first start. Raises LedgerFailed."""
        first = FIRST_TRANSACTION.start + secrets.randbelow(len(FIRST_TRANSACTION))
        return Numbers(
            instance=await self.meta(rows.INSTANCE, secrets.token_hex(2)),
            last_transaction=int(await self.meta(rows.TRANSACTION_COUNTER, str(first))),
            last_session=int(await self.meta(rows.SESSION_COUNTER, "0")),
        )

    async def take_in_use(self, numbers: Numbers) -> None:
        """From here on a life writes, which ends with `close`.

        After one that did not, the counters go on further up: what it gave while the disk failed is nowhere
        written.
        """
        if await self._find_meta(rows.IN_USE) is not None:
            numbers.last_transaction += recovery.UNWRITTEN
            numbers.last_session += recovery.UNWRITTEN
        self._in_use = True
        try:
            await self._scribe.write([(rows.PUT_META, (rows.IN_USE, "1")), *rows.statements(numbers)])
        except LedgerFailed:
            # As long as nothing can be written every life begins where this one did.
            numbers.last_transaction += secrets.randbelow(recovery.LEAP)
            numbers.last_session += secrets.randbelow(recovery.LEAP)

    async def meta(self, key: str, initial: str) -> str:
        """What is kept under a key; `initial` is kept where there was nothing."""
        found = await self._find_meta(key)
        if found is None:
            insert = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING"
            await self._scribe.write([(insert, (key, initial))])
            found = await self._find_meta(key)
        self._place.kept[key] = initial if found is None else found
        return self._place.kept[key]

    async def _find_meta(self, key: str) -> str | None:
        found = await self._read(lambda row: str(row["value"]), "SELECT value FROM meta WHERE key = ?", key)
        return found[0] if found else None

    async def chargers(self) -> list[ChargerMemory]:
        """Every charger that was ever accepted in."""
        sql = "SELECT charger.*, coalesce(seq, 0) AS seq FROM charger LEFT JOIN event_number ON charger = id"
        return await self._read(lambda row: rows.charger(row, row["seq"]), sql)

    async def connectors(self) -> list[Connector]:
        """Every connector of them."""
        return await self._read(rows.connector, "SELECT * FROM connector ORDER BY number")

    async def controls(self) -> dict[str, Control]:
        """Who controlled each charger."""
        return {c.charger: c for c in await self._read(controls.control, "SELECT * FROM control")}

    async def peers(self) -> list[Peer]:
        """What we have in common with each service about each charger."""
        return await self._read(services.peer, "SELECT * FROM peer ORDER BY service, charger")

    async def virtuals(self) -> list[Virtual]:
        """What each service set of each charger for itself alone."""
        return await self._read(services.virtual, "SELECT * FROM virtual_state ORDER BY service, charger")

    async def disabled(self) -> frozenset[str]:
        """Whom the owner switched off."""
        return frozenset((await self.meta(controls.DISABLED, "")).split())

    async def keep_disabled(self, providers: Iterable[str]) -> None:
        """Remember whom the owner switched off. Raises LedgerFailed."""
        await self._scribe.write([(rows.PUT_META, (controls.DISABLED, " ".join(providers)))])

    async def decisions(
        self, charger: str = "", provider: str = "", before: int = 0, limit: int = 100, asked: str = ""
    ) -> list[tuple[int, Decided]]:
        """What the arbiter decided, by numbers, newest first; `before` the number of the oldest that is known."""
        sql, values = controls.select_decisions(charger, provider, before, limit, asked)
        return await self._read(controls.numbered_decision, sql, *values)

    async def refusals(self) -> dict[str, Decided]:
        """The last refusal of each provider, as far back as decisions are kept."""
        return {one.provider: one for one in await self._read(controls.decision, controls.LAST_REFUSALS)}

    async def remembered(self, charger: str) -> list[Session]:
        """A charger's sessions that a message may still be about: the running and the last ones, oldest first."""
        sql = (
            "SELECT * FROM session WHERE charger = ? AND state = 'running' UNION "
            "SELECT * FROM (SELECT * FROM session WHERE charger = ? ORDER BY started_at DESC LIMIT ?) "
            "ORDER BY started_at"
        )
        return await self._read(rows.session, sql, charger, charger, RESTORED)

    async def sessions(self, wanted: Filter) -> Page:
        """A page of sessions, newest first. Running ones are as they were last written: within a second."""
        sql, values = select(wanted)
        found = await self._read(rows.session, sql, *values)
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

    async def _read(self, meaning: Callable[[sqlite3.Row], T], sql: str, *values: object) -> list[T]:
        """What rows mean. One that means nothing is passed over: it must not cost the rest. Raises LedgerFailed."""
        found = []
        for row in await self._select(sql, values):
            try:
                found.append(meaning(row))
            except rows.UNREADABLE as error:
                log.error("a row cannot be read and is passed over: %s: %s", tuple(row)[:1], error)  # noqa: TRY400 (its text says all)
                self.unreadable += 1
        return found

    async def _select(self, sql: str, values: tuple[object, ...]) -> Iterable[sqlite3.Row]:
        """Rows; those of another file, where this one turns out to be damaged. Raises LedgerFailed."""
        before = self._place.replaced
        with as_ledger_failed():
            try:
                return await (await self._reader.get()).execute_fetchall(sql, values)
            except sqlite3.DatabaseError as error:
                if not is_damage(error) or not self._place.mends:
                    raise
                await self._mend_in_turn(str(error), before)
                return await (await self._reader.get()).execute_fetchall(sql, values)
