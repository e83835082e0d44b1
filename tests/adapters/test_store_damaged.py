"""A store that is damaged: it is set aside, whatever it is, and another takes its place with all that can be saved."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.adapters.store import Filter, Store, backups, files, recovery
from ocpp_mqtt_proxy.adapters.store.examination import CHECK_BYTES
from ocpp_mqtt_proxy.core.book import EventNumber
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.things import a_session, an_ended_session

PAGE = 4096
SESSIONS = 200


@contextlib.asynccontextmanager
async def opened(file: Path, *, mend: bool = True) -> AsyncIterator[Store]:
    store = Store(file)
    await store.open(mend=mend)
    try:
        yield store
    finally:
        await store.close()


async def ids(store: Store) -> set[str]:
    return {session.session_id async for session in store.all_sessions(Filter(limit=500))}


def aside(file: Path, word: str = "damaged") -> list[Path]:
    """What was set aside of a file, its companions left out."""
    found = file.parent.glob(f"{file.name}.{word}-*")
    return sorted(path for path in found if not path.name.endswith(files.COMPANIONS))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with everything in it, closed."""
    file = tmp_path_factory.mktemp("template") / "sessions.db"

    async def fill() -> None:
        async with opened(file) as store:
            numbers = await store.numbers()
            numbers.last_transaction, numbers.last_session = 50_000_000, 300
            await store.record([numbers, ChargerMemory("CP1", accepted=True), EventNumber("CP1", 77)])
            await store.record([an_ended_session(number) for number in range(SESSIONS)])
            await store.record([a_session(1000)])

    asyncio.run(fill())
    return file


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path / "sessions.db"))


@pytest.fixture
def backup(file: Path) -> Path:
    """A backup of it, half an hour old."""
    return backups.make(file, datetime.now(UTC) - timedelta(minutes=30))


def content_of(file: Path) -> bytes | list[str]:
    return [path.name for path in file.iterdir()] if file.is_dir() else file.read_bytes()


def overwrite(file: Path, at: int, content: bytes) -> None:
    with file.open("r+b") as opened_file:
        opened_file.seek(at)
        opened_file.write(content)


def root_of(file: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return (int(page) - 1) * PAGE


def overwrite_all(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def lose_header(file: Path) -> None:
    overwrite(file, 0, bytes(100))


def lose_middle(file: Path) -> None:
    overwrite(file, root_of(file, "session"), Random(1).randbytes(PAGE))


def lose_end(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def lose_a_small_table(file: Path) -> None:
    overwrite(file, root_of(file, "charger"), b"\xff" * PAGE)


def lose_a_leaf(file: Path) -> None:
    """A page in which some sessions are, and nothing else."""
    content = file.read_bytes()
    pages = {at: content[at : at + PAGE] for at in range(0, len(content), PAGE)}
    overwrite(file, next(at for at, page in pages.items() if b"test-57" in page and b"adopted" in page), bytes(PAGE))


def lose_everything(file: Path) -> None:
    file.write_bytes(Random(2).randbytes(5 * PAGE))


def become_text(file: Path) -> None:
    file.write_text("this is no database")


def become_empty(file: Path) -> None:
    file.write_bytes(b"")
    files.beside(file, "-wal").write_bytes(Random(3).randbytes(PAGE))


def become_a_folder(file: Path) -> None:
    file.unlink()
    (file / "deep").mkdir(parents=True)


def lose_a_table(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE connector")


def forget_its_version(file: Path) -> None:
    overwrite(file, 60, bytes(4))


Damage = Callable[[Path], None]

WHOLE: list[Damage] = [lose_header, lose_everything, become_text, become_empty, become_a_folder]
"""Damages after which nothing can be read any more."""

IN_PART: list[Damage] = [lose_middle, lose_end, lose_a_small_table, lose_a_leaf, lose_a_table, forget_its_version]


@pytest.mark.parametrize("damage", [*WHOLE, *IN_PART])
async def test_whatever_is_wrong_with_a_store_another_one_takes_its_place(file: Path, damage: Damage) -> None:
    damage(file)
    before = content_of(file)
    async with opened(file) as store:
        await store.record([a_session(5000)])
        assert "test-5000" in await ids(store)
        (fault,) = store.faults()
        (incident,) = store.incidents
    (kept,) = aside(file)
    assert kept.name in fault
    assert (incident.kind, incident.message) == ("store_replaced", fault)
    assert content_of(kept) == before


@pytest.mark.usefixtures("backup")
@pytest.mark.parametrize("damage", [*WHOLE, *IN_PART])
async def test_with_a_backup_no_session_is_lost(file: Path, damage: Damage) -> None:
    damage(file)
    async with opened(file) as store:
        assert len(await ids(store)) == SESSIONS + 1
        assert [memory.id for memory in await store.chargers()] == ["CP1"]


@pytest.mark.usefixtures("backup")
@pytest.mark.parametrize("damage", [lose_a_small_table, lose_a_table])
async def test_what_came_after_the_backup_is_saved_where_it_can_be_read(file: Path, damage: Damage) -> None:
    async with opened(file) as store:
        await store.record([an_ended_session(7000)])
    damage(file)
    async with opened(file) as store:
        assert "test-7000" in await ids(store)


async def test_without_a_backup_the_sessions_on_both_sides_of_the_damage_are_saved(file: Path) -> None:
    lose_a_leaf(file)
    async with opened(file) as store:
        saved = await ids(store)
    assert "test-57" not in saved
    assert SESSIONS * 3 // 4 < len(saved) < SESSIONS


@pytest.mark.parametrize("damage", [lose_header, lose_a_leaf])
@pytest.mark.parametrize("with_backup", [True, False])
async def test_no_number_comes_again_after_a_damage(file: Path, damage: Damage, with_backup: bool) -> None:
    if with_backup:
        backups.make(file, datetime.now(UTC))
    damage(file)
    async with opened(file) as store:
        numbers = await store.numbers()
        assert 50_000_000 + recovery.LEAP <= numbers.last_transaction < 2**31 - 10**6
        if known := await store.chargers():
            assert numbers.last_session >= 300 + recovery.LEAP
            assert known[0].seq >= 77 + recovery.LEAP
    assert numbers.last_transaction


async def test_a_backup_that_is_damaged_too_is_passed_over(file: Path, backup: Path) -> None:
    newer = backups.make(file, datetime.now(UTC))
    lose_middle(newer)
    lose_header(file)
    async with opened(file) as store:
        (fault,) = store.faults()
        assert len(await ids(store)) == SESSIONS + 1
    assert backup.name in fault


@pytest.mark.usefixtures("backup")
async def test_a_store_of_a_newer_program_is_set_aside_under_its_own_word(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version=99")
    async with opened(file) as store:
        assert len(await ids(store)) == SESSIONS + 1
        assert "newer version" in store.faults()[0]
    assert len(aside(file, "newer")) == 1


async def test_a_store_that_was_mended_is_like_any_other_the_next_time(file: Path) -> None:
    lose_header(file)
    async with opened(file):
        pass
    async with opened(file) as store:
        assert store.faults() == []
    assert len(aside(file)) == 1


def test_a_second_damage_in_the_same_second_is_set_aside_beside_the_first(file: Path) -> None:
    now = datetime.now(UTC)
    for content in (b"first", b"second"):
        file.write_bytes(content)
        files.set_aside(file, "damaged", now)
    assert [path.read_bytes() for path in aside(file)] == [b"first", b"second"]


@pytest.mark.parametrize("content", [b"bread, milk and cake", "Brot, Käse\n".encode() * 500])
async def test_somebody_s_text_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "list.txt"
    overwrite_all(file, content)
    with pytest.raises(LedgerFailed, match="not a database"):
        await Store(file).open()
    assert content_of(file) == content


async def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "recipes.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE cake (name TEXT)")
    before = content_of(file)
    with pytest.raises(LedgerFailed, match="another program's, with tables cake"):
        await Store(file).open()
    assert content_of(file) == before


@pytest.mark.parametrize("damage", [*WHOLE, *IN_PART])
async def test_a_program_beside_the_service_touches_nothing(file: Path, damage: Damage) -> None:
    damage(file)
    with pytest.raises(LedgerFailed, match="cannot be used"):
        await Store(file).open(mend=False)
    assert aside(file) == []


async def test_an_empty_file_is_a_first_start(file: Path) -> None:
    overwrite_all(file, b"")
    async with opened(file) as store:
        assert store.faults() == []
        assert await ids(store) == set()


@pytest.mark.usefixtures("backup")
async def test_an_empty_file_beside_a_backup_was_emptied(file: Path) -> None:
    overwrite_all(file, b"")
    async with opened(file) as store:
        assert len(await ids(store)) == SESSIONS + 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    places=st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 255)), min_size=1, max_size=20), head=st.booleans()
)
def test_a_store_with_any_bytes_changed_is_opened_and_goes_on(
    template: Path, tmp_path: Path, places: list[tuple[int, int]], head: bool
) -> None:
    file = Path(shutil.copy(template, tmp_path / "sessions.db"))
    size = 100 if head else file.stat().st_size
    for at, value in places:
        overwrite(file, at % size, bytes([value]))

    async def go_on() -> None:
        async with opened(file) as store:
            await store.numbers()
            await store.chargers()
            await store.connectors()
            await store.record([a_session(5000)])
            assert "test-5000" in await ids(store)

    asyncio.run(go_on())


async def test_garbage_in_the_log_costs_no_more_than_the_log(file: Path) -> None:
    overwrite_all(files.beside(file, "-wal"), Random(4).randbytes(10 * PAGE))
    async with opened(file) as store:
        assert len(await ids(store)) == SESSIONS + 1
        assert store.faults() == []


async def test_a_row_that_makes_no_sense_costs_itself_alone(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE session SET details = '{' WHERE session_id = 'test-9'")
        connection.commit()
    async with opened(file) as store:
        assert len(await ids(store)) == SESSIONS
        assert store.faults() == ["1 rows cannot be read"]


def test_a_large_store_is_checked_where_a_start_needs_it(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO login VALUES ('x', ?)", ("x" * CHECK_BYTES,))
        connection.commit()
    lose_a_small_table(file)
    store = Store(file)
    asyncio.run(_open_and_close(store))
    assert len(aside(file)) == 1


async def _open_and_close(store: Store) -> None:
    await store.open()
    await store.close()


# In mid-life


def lose_its_sessions(file: Path) -> None:
    """As when the disk gives back something else than was written; every connection sees it at its next step."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'session'")
        connection.execute("PRAGMA schema_version=1000")
        connection.commit()


@pytest.mark.usefixtures("backup")
async def test_a_damage_that_shows_in_writing_costs_nothing(file: Path) -> None:
    async with opened(file) as store:
        await store.numbers()
        lose_its_sessions(file)
        await store.record([an_ended_session(5000)])
        assert len(await ids(store)) == SESSIONS + 2
        assert [incident.kind for incident in store.incidents] == ["store_replaced"]
    assert len(aside(file)) == 1


@pytest.mark.usefixtures("backup")
async def test_a_damage_that_shows_in_reading_costs_nothing(file: Path) -> None:
    async with opened(file) as store:
        lose_its_sessions(file)
        found = await asyncio.gather(*(ids(store) for _ in range(3)))
        assert [len(one) for one in found] == [SESSIONS + 1] * 3
    assert len(aside(file)) == 1


async def test_what_an_installation_is_called_outlasts_its_file(file: Path) -> None:
    async with opened(file) as store:
        instance = (await store.numbers()).instance
        lose_everything(file)
        files.remove(files.beside(file, "-wal"))
        await store.back_up()
    async with opened(file) as store:
        assert (await store.numbers()).instance == instance


async def test_a_file_that_is_taken_away_is_replaced(file: Path, backup: Path) -> None:
    async with opened(file) as store:
        shutil.move(file, file.with_name("elsewhere"))
        await store.back_up()
        await store.record([a_session(5000)])
        assert len(await ids(store)) == SESSIONS + 2
        assert "it is gone" in store.faults()[0]
        assert backup.name in store.faults()[0]


async def test_a_disk_that_damages_what_has_just_been_mended_is_not_given_another(file: Path) -> None:
    async with opened(file) as store:
        for _ in range(3):
            lose_its_sessions(file)
            with contextlib.suppress(LedgerFailed):
                await store.record([a_session(5000)])
        assert "again" in (store.failure or "")
    assert len(aside(file)) == 1


# A power cut while it is mended


@pytest.mark.usefixtures("backup")
@pytest.mark.parametrize("companion", files.COMPANIONS)
async def test_a_power_cut_between_the_two_files_leaves_the_new_one(file: Path, companion: str) -> None:
    shutil.move(file, files.successor_of(file))
    overwrite_all(files.beside(file, companion), b"of the damaged one")
    async with opened(file) as store:
        assert len(await ids(store)) == SESSIONS + 1
    assert companion in {path.name[-len(companion) :] for path in file.parent.glob("*.damaged-*")}


async def test_a_power_cut_before_that_leaves_the_damaged_one_to_be_mended_again(file: Path) -> None:
    lose_header(file)
    overwrite_all(files.successor_of(file), b"half")
    overwrite_all(files.draft_of(file), b"done")
    async with opened(file) as store:
        assert await ids(store) == set()
    assert not files.successor_of(file).exists()
    assert not files.draft_of(file).exists()
