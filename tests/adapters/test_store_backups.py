"""Backups of the store: whole, few, and in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from ocpp_mqtt_proxy.adapters.store import Filter, Store, backups, files
from ocpp_mqtt_proxy.adapters.store.examination import Unusable
from ocpp_mqtt_proxy.adapters.store.migrations import scripts
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.things import NOON, a_session, an_ended_session


class Usage(NamedTuple):
    """What a disk has, in bytes."""

    total: int
    used: int
    free: int


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    store = Store(file)
    await store.open()
    await store.record([an_ended_session(number) for number in range(50)])
    yield store
    await store.close()


def sessions_in(file: Path) -> int:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM session").fetchone()
    return int(count)


async def test_a_backup_holds_what_is_only_in_the_log_yet(store: Store, file: Path) -> None:
    await store.back_up()
    (backup,) = files.backups_of(file)
    assert sessions_in(backup) == 50


async def test_there_is_one_a_day(store: Store, file: Path) -> None:
    for _ in range(3):
        await store.back_up()
    assert len(files.backups_of(file)) == 1
    assert not backups.is_due(file, datetime.now(UTC) + timedelta(hours=23))
    assert backups.is_due(file, datetime.now(UTC) + timedelta(hours=25))


@pytest.mark.usefixtures("store")
def test_the_oldest_go(file: Path) -> None:
    made = [backups.make(file, NOON + timedelta(days=day)) for day in range(6)]
    assert files.backups_of(file) == made[:2:-1]
    assert files.made_at(made[-1]) == NOON + timedelta(days=5)


@pytest.mark.usefixtures("store")
def test_a_clock_that_was_set_back_costs_no_good_backup(file: Path) -> None:
    backups.make(file, NOON)
    assert not backups.is_due(file, datetime(1970, 1, 1, tzinfo=UTC))


async def test_a_charger_is_answered_while_a_backup_is_made(store: Store, file: Path) -> None:
    await store.record([an_ended_session(number) for number in range(100, 3000)])
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(store.back_up())
        for number in range(20):
            await store.record([a_session(5000 + number)])
    assert sessions_in(files.backups_of(file)[0]) >= 2900


@pytest.mark.usefixtures("store")
def test_a_damaged_store_is_not_backed_up_over_a_good_one(file: Path) -> None:
    good = backups.make(file, NOON)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'session_by_time'").fetchone()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * 4096)
        opened.write(bytes(4096))
    with pytest.raises(Unusable):
        backups.make(file, NOON + timedelta(days=1))
    assert files.backups_of(file) == [good]
    assert list(file.parent.glob("*.copy*")) == []


@pytest.mark.usefixtures("store")
def test_a_disk_that_is_nearly_full_is_left_to_the_store(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(LedgerFailed, match="nearly full"):
        backups.make(file, NOON)


@pytest.mark.usefixtures("store")
def test_a_huge_store_is_not_copied(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "MOST_BYTES", 1000)
    with pytest.raises(LedgerFailed, match="larger than"):
        backups.make(file, NOON)


async def test_a_backup_that_fails_is_told_once_an_hour(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backups, "MOST_BYTES", 1000)
    for _ in range(5):
        await store.tidy(0)
    assert caplog.text.count("no backup could be made") == 1
    assert files.backups_of(file) == []


async def test_the_house_is_kept(store: Store, file: Path) -> None:
    await store.tidy(30)
    assert len(files.backups_of(file)) == 1
    assert [s async for s in store.all_sessions(Filter())] == []


async def test_before_an_older_store_is_changed_there_is_a_backup_of_it(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        for script in scripts()[:-1]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version={len(scripts()) - 1}")
    store = Store(file)
    await store.open()
    await store.close()
    (backup,) = files.backups_of(file)
    with contextlib.closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(scripts()) - 1,)
