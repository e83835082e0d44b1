"""Another database in the place of one that cannot be used: the newest good backup, else an empty one.

It is made beside, with every row that can still be read of the old one, and takes the place at once when it is
whole. The old one is set aside.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import controls, files, rows, services, shares
from ocpp_mqtt_proxy.adapters.store.examination import Unusable
from ocpp_mqtt_proxy.adapters.store.migrations import migrate, scripts, seen

log = logging.getLogger(__name__)

LEAP = 1_000_000
"""How far numbers jump: more than were given since any backup, so that none is given twice."""

UNWRITTEN = 1000
"""How far numbers jump after a life that did not end as it should: it may have given some it could not write."""

FORGET_RECKONED = f"DELETE FROM meta WHERE key = '{rows.RECKONED}'"  # noqa: S608
"""What has all totals reckoned anew."""

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file fails of; the latter where SQLite's own words for it are damaged."""

UNKNOWN_TRANSACTION = range(100_000_000, 1_000_000_000)
"""Where 1.6 transactions are counted on from, at random, where nothing is known of those before: above where a new
installation begins, far below int32."""


def replace(path: Path, fault: Unusable, now: datetime, kept: Mapping[str, str] | None = None) -> str:
    """Put another database in the place of one that cannot be used; what was done. Raises OSError, sqlite3.Error.

    `kept` is what is known to have been in `meta`.
    """
    files.remove(files.draft_of(path))
    files.remove(files.successor_of(path))
    backup = _restore(path)
    with closing(sqlite3.connect(files.draft_of(path), isolation_level=None)) as draft:
        draft.execute("PRAGMA synchronous=FULL")
        draft.execute("PRAGMA journal_mode=WAL")
        migrate(draft)
        draft.executemany(rows.PUT_META, (kept or {}).items())
        saved = _salvage(path, draft)
        draft.execute(shares.LIST_ALL)
        draft.execute(FORGET_RECKONED)
        _leap(draft)
    files.sync(files.draft_of(path))
    files.draft_of(path).rename(files.successor_of(path))
    files.sync(path.parent)
    aside = files.set_aside(path, fault.word, now)
    files.take_place(path)
    return _told(fault, aside, backup, saved)


def _told(fault: Unusable, aside: Path | None, backup: Path | None, saved: int) -> str:
    where = f", set aside as {aside.name}" if aside else ""
    source = f"the backup {backup.name}" if backup else "an empty one"
    return f"the database could not be used ({fault}){where}; {source} took its place, with {saved} rows saved"


def _restore(path: Path) -> Path | None:
    """Make the newest backup that is good the draft; which it was."""
    for backup in files.backups_of(path):
        try:
            if _is_good(backup):
                shutil.copyfile(backup, files.draft_of(path))
                return backup
        except UNREADABLE as error:
            log.warning("the backup %s is no good: %s", backup.name, error)
    return None


def _is_good(backup: Path) -> bool:
    """Whether a backup is whole and of a version that we know. Raises sqlite3.Error."""
    with closing(files.looking_only(backup)) as connection:
        return seen(connection) <= len(scripts()) and files.is_whole(connection) is None


# Saving what can be read


def _salvage(path: Path, draft: sqlite3.Connection) -> int:
    """Take over every row that can be read and makes sense; how many."""
    saved = 0
    with suppress(*UNREADABLE, OSError), closing(files.looking_only(path)) as wreck:
        wreck.row_factory = sqlite3.Row
        draft.execute("BEGIN IMMEDIATE")
        try:
            if _is_readable(wreck, "outgoing"):
                draft.execute("DELETE FROM outgoing")  # what waited when the backup was made has been told since
            saved = sum(_salvage_table(wreck, draft, table) for table in _TABLES)
        finally:
            draft.execute("COMMIT")
    return saved


def _is_readable(wreck: sqlite3.Connection, table: str) -> bool:
    """Whether a table is there, to its end."""
    with suppress(*UNREADABLE):
        wreck.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 (our own name)
        return True
    return False


def _makes_sense(read: Callable[[sqlite3.Row], object]) -> Callable[[sqlite3.Row], bool]:
    def judge(row: sqlite3.Row) -> bool:
        with suppress(*rows.UNREADABLE):
            read(row)
            return True
        return False

    return judge


_TABLES: dict[str, tuple[str, Callable[[sqlite3.Row], bool]]] = {
    "meta": ("key", _makes_sense(lambda row: int(row["value"]) if row["key"] in rows.COUNTERS else None)),
    "charger": ("id", _makes_sense(rows.charger)),
    "event_number": ("charger", _makes_sense(lambda row: int(row["seq"]))),
    "connector": ("charger, number", _makes_sense(rows.connector)),
    "session": ("session_id", _makes_sense(rows.session)),
    "control": ("charger", _makes_sense(controls.control)),
    "decision": ("number", _makes_sense(controls.decision)),
    "report": ("month", _makes_sense(lambda row: datetime.fromisoformat(row["made_at"]))),
    "outgoing": ("number", _makes_sense(services.outgoing)),
    "peer": ("service, charger", _makes_sense(services.peer)),
    "virtual_state": ("service, charger", _makes_sense(services.virtual)),
}
"""Tables with the columns that they are in order of, and what a row of them must be."""


def _salvage_table(wreck: sqlite3.Connection, draft: sqlite3.Connection, table: str) -> int:
    key, makes_sense = _TABLES[table]
    saved = 0
    there = {name for _, name, *_ in wreck.execute(f"PRAGMA table_info({table})")}
    columns = [
        # An older version's rows are as if they had been brought up to date.
        name if name in there else f"{default or 'NULL'} AS {name}"
        for _, name, _, _, default, _ in draft.execute(f"PRAGMA table_info({table})")
    ]
    put = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' for _ in columns)})"  # noqa: S608 (our own names)
    for row in _readable(wreck, f"SELECT {', '.join(columns)} FROM {table}", key):  # noqa: S608
        with suppress(sqlite3.IntegrityError):
            if makes_sense(row):
                saved += draft.execute(put, tuple(row)).rowcount
    return saved


def _readable(wreck: sqlite3.Connection, select: str, key: str) -> Iterator[sqlite3.Row]:
    """The rows up to the first that cannot be read; then from the other end."""
    for order in ("ASC", "DESC"):
        by = ", ".join(f"{column} {order}" for column in key.split(", "))
        with suppress(*UNREADABLE):
            yield from wreck.execute(f"{select} ORDER BY {by}")
            return


# Numbers that are never given twice


def _leap(draft: sqlite3.Connection) -> None:
    """Have all counting go on far beyond what may have been given since the numbers that were saved."""
    known = dict(draft.execute("SELECT key, value FROM meta"))
    unknown = UNKNOWN_TRANSACTION.start + secrets.randbelow(len(UNKNOWN_TRANSACTION))
    transaction = int(known.get(rows.TRANSACTION_COUNTER, unknown))
    session = int(known.get(rows.SESSION_COUNTER, 0))
    draft.execute("BEGIN IMMEDIATE")
    draft.execute(rows.PUT_META, (rows.TRANSACTION_COUNTER, str(transaction + LEAP)))
    draft.execute(rows.PUT_META, (rows.SESSION_COUNTER, str(session + LEAP if rows.INSTANCE in known else 0)))
    draft.execute("UPDATE event_number SET seq = seq + ?", (LEAP,))
    draft.execute("COMMIT")
