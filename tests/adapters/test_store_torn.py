"""What a power cut leaves of the store's files: all that was acknowledged is in them.

An acknowledgement means that the log is on the disk up to there. What was written after that may have got there in
part, in any order, in pieces of a sector; so may what was being taken in from the log, which stays until that is on
the disk too.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from ocpp_mqtt_proxy.adapters.store import Filter, Store, files
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.session import State
from tests.adapters.things import a_session, an_ended_session

SECTOR = 512
PAGE = 4096


class Snapshot(NamedTuple):
    """The database and its log, as they were."""

    database: bytes
    log: bytes


def snapshot(file: Path) -> Snapshot:
    log = files.beside(file, "-wal")
    return Snapshot(file.read_bytes(), log.read_bytes() if log.exists() else b"")


def torn(before: bytes, after: bytes, piece: int, random: Random) -> bytes:
    """Something between two states: of every piece the earlier or the later, and an end anywhere behind the earlier."""
    size = max(len(before), len(after))
    content = bytearray(before.ljust(size, b"\0"))
    for at in range(0, size, piece):
        if random.random() < 0.5:
            content[at : at + piece] = after[at : at + piece].ljust(len(content[at : at + piece]), b"\0")
    return bytes(content[: random.randint(len(before), size)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "life" / "sessions.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    file.parent.mkdir()
    store = Store(file)
    await store.open()
    yield store
    await store.close()


def laid_out(place: Path, left: Snapshot) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    file = place / "sessions.db"
    file.write_bytes(left.database)
    files.beside(file, "-wal").write_bytes(left.log)
    return file


async def found(place: Path, left: Snapshot) -> dict[str, State]:
    """What a program finds that starts with these files."""
    store = Store(laid_out(place, left))
    await store.open()
    sessions = {s.session_id: s.state async for s in store.all_sessions(Filter(limit=500))}
    faults = store.faults()
    await store.close()
    assert faults == []
    return sessions


async def test_what_is_acknowledged_is_in_the_files_at_that_moment(store: Store, file: Path, tmp_path: Path) -> None:
    for number in range(10):
        await store.record([a_session(number), Numbers("test", number, number)])
        assert f"test-{number}" in await found(tmp_path / "after", snapshot(file))


@pytest.mark.parametrize("seed", range(30))
async def test_what_was_being_written_is_there_whole_or_not_and_costs_nothing_before_it(
    store: Store, file: Path, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    await store.record([a_session(1), a_session(2)])
    before = snapshot(file)
    await store.record([an_ended_session(1), an_ended_session(3)])
    after = snapshot(file)
    assert before.database == after.database
    left = await found(tmp_path / "after", Snapshot(before.database, torn(before.log, after.log, SECTOR, random)))
    old = {"test-1": State.RUNNING, "test-2": State.RUNNING}
    assert left in (old, old | {"test-1": State.ENDED, "test-3": State.ENDED})


@pytest.mark.parametrize("seed", range(30))
async def test_a_log_cut_off_anywhere_after_the_acknowledgement_holds_what_was_acknowledged(
    store: Store, file: Path, tmp_path: Path, seed: int
) -> None:
    await store.record([a_session(1)])
    before = snapshot(file)
    await store.record([an_ended_session(number) for number in range(2, 60)])
    after = snapshot(file)
    end = Random(seed).randrange(len(before.log), len(after.log))
    left = await found(tmp_path / "after", Snapshot(after.database, after.log[:end]))
    assert left == {"test-1": State.RUNNING}


@pytest.mark.parametrize("seed", range(30))
async def test_a_power_cut_while_the_log_is_taken_in_costs_nothing(
    store: Store, file: Path, tmp_path: Path, seed: int
) -> None:
    """Pages of the database are old or new, in any mixture; the log is whole."""
    await store.record([an_ended_session(number) for number in range(300)])
    before = snapshot(file)
    await store.close()  # takes the log in
    after = snapshot(file)
    assert after.database != before.database
    database = torn(before.database, after.database, PAGE, Random(seed))
    left = await found(tmp_path / "after", Snapshot(database, before.log))
    assert len(left) == 300
