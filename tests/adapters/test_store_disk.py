"""The store on a disk that fails: what cannot be written is told, kept and written when the disk is well."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest

from ocpp_mqtt_proxy import adapters
from ocpp_mqtt_proxy.adapters.entities import OF_THE_STORE
from ocpp_mqtt_proxy.adapters.store import Filter, Kind, Store
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.session import State
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.things import a_session, an_ended_session
from tests.running import PATIENCE

WRITES = ("BEGIN", "COMMIT", "INSERT", "DELETE", "PRAGMA journal_mode")


@dataclass
class Disk:
    """A disk that fails with an error of SQLite's while there is one. Memory is none of it."""

    folder: Path
    code: int = 0
    fails_at: tuple[str, ...] = WRITES

    def fail(self, code: int, *fails_at: str) -> None:
        self.code, self.fails_at = code, fails_at or WRITES

    def heal(self) -> None:
        self.code = 0

    def use(self, sql: str) -> None:
        if self.code and sql.startswith(self.fails_at):
            error = sqlite3.OperationalError("the disk fails")
            error.sqlite_errorcode = self.code
            raise error


class OnDisk(sqlite3.Connection):
    """A connection to a file on that disk."""

    disk: Disk

    def __init__(self, database: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(database, *arguments, **options)
        self.on_it = str(self.disk.folder) in str(database)

    def _use(self, sql: str) -> None:
        if self.on_it:
            self.disk.use(sql)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._use(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        self._use(sql)
        return super().executemany(sql, parameters)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    disk = Disk(tmp_path)
    monkeypatch.setattr(OnDisk, "disk", disk, raising=False)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=OnDisk))
    return disk


@pytest.fixture
async def store(disk: Disk, file: Path) -> AsyncIterator[Store]:
    store = Store(file)
    await store.open()
    yield store
    disk.heal()
    await store.close()


async def states(store: Store) -> dict[str, State]:
    return {session.session_id: session.state async for session in store.all_sessions(Filter())}


WAYS = [
    pytest.param(getattr(sqlite3, f"SQLITE_{name}"), id=name)
    for name in ("FULL", "IOERR_WRITE", "IOERR_FSYNC", "READONLY", "CANTOPEN", "BUSY", "LOCKED", "PERM")
]
everything_fails = pytest.mark.parametrize("code", WAYS)


@everything_fails
@pytest.mark.parametrize("at", [("BEGIN",), ("INSERT",), ("COMMIT",)])
async def test_what_could_not_be_written_is_told_and_can_be_written_later(
    store: Store, disk: Disk, code: int, at: tuple[str, ...]
) -> None:
    await store.record([a_session(1)])
    disk.fail(code, *at)
    for _ in range(2):
        with pytest.raises(LedgerFailed, match="the disk fails"):
            await store.record([an_ended_session(1), a_session(2)])
    assert store.faults() == ["the disk fails"]
    assert await states(store) == {"test-1": State.RUNNING}
    disk.heal()
    await store.record([an_ended_session(1), a_session(2)])
    assert await states(store) == {"test-2": State.RUNNING, "test-1": State.ENDED}
    assert store.faults() == []
    assert [incident.kind for incident in store.incidents] == ["store_failed", "store_healed"]


@everything_fails
async def test_notes_wait_for_the_disk(store: Store, disk: Disk, code: int) -> None:
    disk.fail(code)
    store.note([a_session(1)])
    with pytest.raises(LedgerFailed):
        await store.flush()
    store.note([a_session(2)])
    disk.heal()
    await store.flush()
    assert len(await states(store)) == 2


async def test_a_failure_says_for_how_long_it_lasts(store: Store, disk: Disk) -> None:
    disk.fail(sqlite3.SQLITE_FULL)
    lasting = []
    for _ in range(3):
        with pytest.raises(LedgerFailed) as failure:
            await store.record([a_session(1)])
        lasting.append(failure.value.lasting)
    assert 0 <= lasting[0] < lasting[1] < lasting[2]
    disk.heal()
    await store.record([a_session(1)])
    disk.fail(sqlite3.SQLITE_FULL)
    with pytest.raises(LedgerFailed) as failure:
        await store.record([a_session(1)])
    assert failure.value.lasting < lasting[2]


async def test_what_waits_for_the_disk_is_bounded(store: Store, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.store, "MOST_NOTES", 10)
    disk.fail(sqlite3.SQLITE_FULL)
    full = []
    for number in range(11):
        store.note([a_session(number)])
        full.append(store.full)
    disk.heal()
    await store.flush()
    assert full == [False] * 9 + [True] * 2
    assert not store.full


async def test_what_is_only_kept_is_told_of_whether_or_not_the_disk_takes_it(store: Store, disk: Disk) -> None:
    told = asyncio.Event()
    disk.fail(sqlite3.SQLITE_FULL)
    store.keep([ChargerMemory("CP1")], told.set)
    async with asyncio.timeout(PATIENCE):
        await told.wait()
    disk.heal()
    await store.flush()
    assert [memory.id for memory in await store.chargers()] == ["CP1"]


async def test_a_note_that_can_never_be_written_costs_the_others_nothing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.note([a_session(1), a_session(2, connector=2**70), a_session(3, id_tag="\ud800")])
    await store.flush()
    assert set(await states(store)) == {"test-1"}
    assert "session test-2 cannot be written down" in caplog.text
    assert "session test-3 cannot be written down" in caplog.text
    assert store.faults() == []


def test_home_assistant_knows_every_kind_of_incident() -> None:
    assert set(get_args(Kind)) == set(OF_THE_STORE)


# A start


@pytest.fixture
async def life_before(file: Path) -> Numbers:
    """A life that ended well, with a charger and a session that runs."""
    store = Store(file)
    await store.open()
    numbers = await store.numbers()
    await store.take_in_use(numbers)
    await store.record([ChargerMemory("CP1"), a_session(1), an_ended_session(2), numbers])
    await store.close()
    return numbers


STARTS = [way for way in WAYS if way.id not in ("BUSY", "LOCKED")]


@pytest.mark.parametrize("code", STARTS)
async def test_a_start_on_a_disk_that_fails_knows_what_was_and_writes_when_it_can(
    disk: Disk, file: Path, life_before: Numbers, code: int
) -> None:
    disk.fail(code)
    store = Store(file)
    await store.open()
    numbers = await store.numbers()
    await store.take_in_use(numbers)
    assert numbers.instance == life_before.instance
    assert numbers.last_transaction >= life_before.last_transaction
    assert [memory.id for memory in await store.chargers()] == ["CP1"]
    assert await states(store) == {"test-1": State.RUNNING, "test-2": State.ENDED}
    assert store.faults() == ["the disk fails"]
    with pytest.raises(LedgerFailed):
        await store.record([an_ended_session(1)])
    disk.heal()
    await store.record([an_ended_session(1)])
    assert (await states(store))["test-1"] is State.ENDED
    assert store.faults() == []
    await store.close()


async def test_lives_on_a_disk_that_fails_give_no_transaction_the_same_id(
    disk: Disk, file: Path, life_before: Numbers
) -> None:
    disk.fail(sqlite3.SQLITE_READONLY)
    begun = set()
    for _ in range(3):
        store = Store(file)
        await store.open()
        numbers = await store.numbers()
        await store.take_in_use(numbers)
        begun.add(numbers.last_transaction)
        await store.close()
    assert len(begun) == 3
    assert min(begun) >= life_before.last_transaction


async def test_a_first_start_on_a_disk_that_fails_is_a_failure(disk: Disk, file: Path) -> None:
    disk.fail(sqlite3.SQLITE_FULL)
    with pytest.raises(LedgerFailed, match=r"sessions\.db cannot be used: the disk fails"):
        await Store(file).open()


@pytest.mark.usefixtures("life_before")
async def test_a_store_that_another_program_holds_is_a_failure(disk: Disk, file: Path) -> None:
    disk.fail(sqlite3.SQLITE_BUSY, "BEGIN", "PRAGMA user_version")
    with pytest.raises(LedgerFailed, match="cannot be used"):
        await Store(file).open()


async def test_numbers_go_on_further_up_after_a_life_that_did_not_end_well(file: Path, life_before: Numbers) -> None:
    killed, after = Store(file), Store(file)
    await killed.open()
    await killed.take_in_use(await killed.numbers())
    await after.open()
    numbers = await after.numbers()
    await after.take_in_use(numbers)
    assert numbers.last_transaction == life_before.last_transaction + 1000
    assert numbers.last_session == life_before.last_session + 1000
    await after.close()
    await killed.close()
