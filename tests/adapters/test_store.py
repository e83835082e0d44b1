"""The store on a real file: what is on it, when, and what happens when it cannot be written."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.adapters.store import BATCH_SECONDS, RETRY_SECONDS, Filter, Store
from ocpp_mqtt_proxy.adapters.store.migrations import migrate, scripts
from ocpp_mqtt_proxy.adapters.store.writing import Unwritable
from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.core.book import RESTORED, EventNumber, Numbers
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Place, WattHours
from ocpp_mqtt_proxy.core.register import Register
from ocpp_mqtt_proxy.core.reports import HeartbeatReported
from ocpp_mqtt_proxy.core.session import State
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.tariff import Prices
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.stores import beside, opened
from tests.adapters.things import NOON, a_session, an_ended_session
from tests.fakes import FakeClock
from tests.running import PATIENCE


def on_disk(file: Path, table: str = "session") -> int:
    """How many rows another program sees."""
    with beside(file) as connection:
        (count,) = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608 (a test's word)
    return int(count)


def break_table(file: Path, table: str) -> None:
    """From now on nothing can be written to a table."""
    with beside(file) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO broken_{table}")


def mend(file: Path, table: str) -> None:
    with beside(file) as connection:
        connection.execute(f"ALTER TABLE broken_{table} RENAME TO {table}")


def a_connector(number: int = 1, total: float = 5.0) -> Connector:
    return Connector("CP1", number, Place(number, 1), register=Register(total, total, NOON))


async def found(store: Store, wanted: Filter = Filter()) -> list[str]:  # noqa: B008 (frozen)
    return [session.session_id async for session in store.all_sessions(wanted)]


# Opening


def test_power_cuts_are_survived_by_a_write_ahead_log_that_waits_for_the_disk(file: Path) -> None:
    full = 2

    async def durability() -> tuple[str, int]:
        async with opened(file) as store:
            return store.durability

    assert asyncio.run(durability()) == ("wal", full)


@pytest.mark.parametrize("seen", range(len(scripts())))
async def test_a_file_of_an_older_version_is_brought_up_to_date_with_what_is_in_it(file: Path, seen: int) -> None:
    with beside(file) as connection:
        for script in scripts()[:seen]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version={seen}")
        if seen:
            connection.execute("INSERT INTO connector (charger, number, evse, register_wh) VALUES ('CP1', 1, 1, 500.0)")
    async with opened(file) as store:
        assert [connector.register.total for connector in await store.connectors()] == [500.0] * bool(seen)
    with beside(file) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(scripts()),)


def test_a_migration_that_fails_leaves_the_file_as_it_was(file: Path) -> None:
    with beside(file) as connection:
        connection.execute("CREATE TABLE login (in_the_way TEXT)")
        with pytest.raises(sqlite3.OperationalError, match="login"):
            migrate(connection)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("login",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


async def test_programs_that_open_a_fresh_file_at_once_do_not_trip_over_each_other(file: Path) -> None:
    stores = [Store(file) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    numbers = await asyncio.gather(*(store.numbers() for store in stores))
    await asyncio.gather(*(store.close() for store in stores))
    assert all(n == numbers[0] for n in numbers)


async def test_what_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    file = shopping_list(tmp_path)
    with pytest.raises(LedgerFailed, match="not a database"):
        await Store(file).open()
    assert is_shopping_list(file)


def shopping_list(folder: Path) -> Path:
    """A file that somebody needs."""
    file = folder / "list.txt"
    file.write_text("bread, milk and everything for the cake " * 30)
    return file


def is_shopping_list(file: Path) -> bool:
    return file.read_text().startswith("bread")


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed, match="nowhere"):
        await Store(tmp_path / "nowhere" / "sessions.db").open()


# Recording


async def test_what_is_recorded_is_there_for_another_program_at_once(store: Store, file: Path) -> None:
    await store.record([a_session(), Numbers("test", 7, 1)])
    assert on_disk(file) == 1
    async with opened(file) as other:
        assert (await other.numbers()).last_transaction == 7


async def test_a_recording_is_all_or_nothing(store: Store, file: Path) -> None:
    break_table(file, "meta")
    with pytest.raises(LedgerFailed, match="no such table"):
        await store.record([a_session(), Numbers("test", 7, 1)])
    assert on_disk(file) == 0


async def test_after_a_recording_that_failed_the_next_goes_through(store: Store, file: Path) -> None:
    break_table(file, "session")
    with pytest.raises(LedgerFailed):
        await store.record([a_session()])
    mend(file, "session")
    await store.record([a_session()])
    assert on_disk(file) == 1


async def test_what_no_database_can_hold_fails_alone(store: Store, file: Path) -> None:
    with pytest.raises(LedgerFailed):
        await store.record([a_session(connector=2**70)])
    await store.record([a_session()])
    assert on_disk(file) == 1


async def test_of_several_states_of_one_thing_the_last_is_recorded(store: Store) -> None:
    await store.record([a_session(), an_ended_session()])
    page = await store.sessions(Filter())
    assert [session.state for session in page.sessions] == [State.ENDED]


async def test_an_earlier_note_does_not_undo_a_recording(store: Store) -> None:
    store.note([a_session()])
    await store.record([an_ended_session()])
    await store.flush()
    page = await store.sessions(Filter())
    assert [session.state for session in page.sessions] == [State.ENDED]


async def test_a_recording_whose_caller_gave_up_goes_through_whole(store: Store, file: Path) -> None:
    with beside(file) as connection:
        connection.execute("BEGIN IMMEDIATE")
        recording = asyncio.create_task(store.record([a_session(), Numbers("test", 7, 1)]))
        await asyncio.sleep(0)
        recording.cancel()
        connection.execute("ROLLBACK")
    await store.record([a_session(2)])
    assert on_disk(file) == 2


async def test_recordings_at_once_all_go_through(store: Store, file: Path) -> None:
    await asyncio.gather(*(store.record([a_session(number)]) for number in range(50)))
    assert on_disk(file) == 50


async def test_one_that_no_database_can_hold_costs_those_it_comes_with_nothing(store: Store) -> None:
    several = [a_session(1), a_session(2, connector=2**70), a_session(3)]
    went = await asyncio.gather(*(store.record([session]) for session in several), return_exceptions=True)
    assert [type(error) for error in went] == [type(None), Unwritable, type(None)]
    assert set(await found(store)) == {"test-1", "test-3"}
    assert store.faults() == []


# Notes


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what shows only in a file."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (a file tells nobody that it changed)
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def writing(store: Store) -> AsyncIterator[None]:
    """While the store writes notes by itself."""
    room = asyncio.create_task(store.run())
    try:
        yield
    finally:
        room.cancel()
        await asyncio.wait([room])


async def test_notes_are_written_by_themselves_and_within_a_second(store: Store, file: Path) -> None:
    assert BATCH_SECONDS < 1
    async with writing(store):
        store.note([a_session()])
        await eventually(lambda: on_disk(file) == 1)
        store.note([a_connector()])
        await eventually(lambda: on_disk(file, "connector") == 1)


async def test_a_note_is_written_as_the_thing_is_then(store: Store) -> None:
    session = a_session()
    store.note([session])
    session.read(WattHours(1500.0), NOON, Prices())
    await store.flush()
    (kept,) = (await store.sessions(Filter())).sessions
    assert kept == session


async def test_notes_that_could_not_be_written_are_written_later(store: Store, file: Path) -> None:
    assert RETRY_SECONDS <= 1
    break_table(file, "session")
    async with writing(store):
        store.note([a_session(), a_connector()])
        await eventually(lambda: store.failure is not None)
        assert on_disk(file, "connector") == 0
        mend(file, "session")
        await eventually(lambda: on_disk(file) == on_disk(file, "connector") == 1)
    assert store.failure is None


async def test_a_newer_note_wins_over_one_that_could_not_be_written(store: Store, file: Path) -> None:
    break_table(file, "connector")
    store.note([a_connector(total=5.0)])
    with pytest.raises(LedgerFailed):
        await store.flush()
    store.note([a_connector(total=6.0)])
    mend(file, "connector")
    await store.flush()
    assert [connector.register.total for connector in await store.connectors()] == [6.0]


async def test_a_disk_that_fails_is_told_once_and_once_more_when_it_is_well(
    store: Store, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    break_table(file, "session")
    store.note([a_session()])
    for _ in range(3):
        with pytest.raises(LedgerFailed):
            await store.flush()
    assert store.failure == "no such table: session"
    mend(file, "session")
    await store.flush()
    await store.record([a_session(2)])
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


async def test_notes_are_written_when_the_store_closes(file: Path) -> None:
    async with opened(file) as store:
        store.note([a_session()])
    assert on_disk(file) == 1


async def test_a_store_that_cannot_write_closes_all_the_same(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(file) as store:
        break_table(file, "session")
        store.note([a_session()])
    mend(file, "session")
    assert on_disk(file) == 0
    assert "without the latest readings" in caplog.text


async def test_notes_of_a_flush_that_was_cancelled_are_kept(store: Store, file: Path) -> None:
    with beside(file) as connection:
        connection.execute("BEGIN IMMEDIATE")
        store.note([a_session()])
        flush = asyncio.create_task(store.flush())
        await asyncio.sleep(0)
        flush.cancel()
        await asyncio.wait([flush])
        connection.execute("ROLLBACK")
    await store.flush()
    assert on_disk(file) == 1


# Coming back


async def test_ids_go_on_where_they_were(file: Path) -> None:
    async with opened(file) as store:
        numbers = await store.numbers()
        given = [numbers.transaction() for _ in range(3)], numbers.session()
        await store.record([numbers])
    async with opened(file) as store:
        numbers = await store.numbers()
        assert int(numbers.transaction()) == int(given[0][-1]) + 1
        assert numbers.session() != given[1]


async def test_a_new_installation_counts_from_anywhere_within_what_1_6_allows(tmp_path: Path) -> None:
    begun = set()
    for number in range(5):
        async with opened(tmp_path / f"{number}.db") as store:
            begun.add((await store.numbers()).last_transaction)
    assert len(begun) == 5
    assert all(0 < first < 2**31 - 1_000_000_000 for first in begun)


async def test_event_numbers_that_were_told_before_a_kill_are_not_told_again(file: Path) -> None:
    async with opened(file) as store:
        store.note([ChargerMemory("CP1"), EventNumber("CP1", 5)])
    async with opened(file) as store:
        hub = Hub(FakeClock(), Bus(), store, await store.numbers())
        (memory,) = await store.chargers()
        hub.stations["CP1"] = Station(memory)
        await hub.wake()
        told = hub.bus.mailbox("test")
        for _ in range(200):
            hub.hear("CP1", HeartbeatReported())
            await asyncio.sleep(0)
            last = max((fact.seq for fact in told.take_now()), default=0)
            async with opened(file) as after_a_kill:
                (found,) = await after_a_kill.chargers()
            assert found.seq >= last
    assert last > 100


async def test_what_runs_is_remembered_and_the_last_that_are_over(store: Store) -> None:
    old = a_session(0)
    over = [an_ended_session(number) for number in range(1, RESTORED + 50)]
    await store.record([old, *over, a_session(1000, charger="CP2")])
    remembered = await store.remembered("CP1")
    assert remembered[0] == old
    assert [s.session_id for s in remembered[1:]] == [s.session_id for s in over[-RESTORED:]]


async def test_a_forgotten_charger_is_gone_and_its_sessions_stay(store: Store) -> None:
    store.note([ChargerMemory("CP1"), ChargerMemory("CP2"), a_connector()])
    await store.flush()
    store.note([a_connector(2)])
    await store.record([an_ended_session()])
    await store.forget(ChargerMemory("CP1"))
    await store.flush()
    assert [memory.id for memory in await store.chargers()] == ["CP2"]
    assert await store.connectors() == []
    assert await found(store) == ["test-1"]


async def test_sessions_that_ended_long_ago_are_dropped_where_that_is_wanted(store: Store) -> None:
    running, ended, recent = a_session(1), an_ended_session(2), an_ended_session(600)
    await store.record([running, ended, recent])
    assert ended.ended_at is not None
    await store.prune(ended.ended_at)
    assert await found(store) == ["test-600", "test-2", "test-1"]
    await store.prune(ended.ended_at + timedelta(seconds=1))
    assert await found(store) == ["test-600", "test-1"]


async def test_all_sessions_come_page_by_page(store: Store) -> None:
    await store.record([an_ended_session(number) for number in range(1200)])
    assert await found(store, Filter(limit=500)) == [f"test-{number}" for number in reversed(range(1200))]


async def test_a_session_that_begins_while_a_list_is_read_changes_nothing_in_it(store: Store) -> None:
    await store.record([an_ended_session(number) for number in range(4)])
    seen = []
    async for session in store.all_sessions(Filter(limit=2)):
        seen.append(session.session_id)
        await store.record([a_session(100 + len(seen))])
    assert seen == ["test-3", "test-2", "test-1", "test-0"]


async def test_a_list_that_cannot_be_read_is_a_failure_of_the_ledger(store: Store, file: Path) -> None:
    with beside(file) as connection:
        connection.execute("DROP TABLE session")
    with pytest.raises(LedgerFailed, match="session"):
        await store.sessions(Filter())


# Links to log in with


async def test_a_link_is_good_once(store: Store) -> None:
    await store.logins.add("hash", NOON.replace(year=2099))
    assert await store.logins.use("hash", NOON)
    assert not await store.logins.use("hash", NOON)


async def test_a_link_is_good_for_one_of_many_who_try_at_once(store: Store) -> None:
    await store.logins.add("hash", NOON.replace(year=2099))
    tries = await asyncio.gather(*(store.logins.use("hash", NOON) for _ in range(10)))
    assert sorted(tries) == [False] * 9 + [True]


async def test_a_link_is_good_until_its_time_and_not_beyond(store: Store) -> None:
    until = NOON.replace(year=2099)
    await store.logins.add("late", until)
    await store.logins.add("in time", until)
    assert not await store.logins.use("late", until + timedelta(seconds=1))
    assert await store.logins.use("in time", until)


async def test_an_unknown_link_is_no_good(store: Store) -> None:
    assert not await store.logins.use("guessed", NOON)


async def test_links_that_are_over_do_not_pile_up(store: Store, file: Path) -> None:
    await store.logins.add("old", NOON.replace(year=2020))
    await store.logins.add("new", NOON.replace(year=2099))
    assert on_disk(file, "login") == 1


async def test_a_link_made_by_another_program_is_good_here(store: Store, file: Path) -> None:
    async with opened(file) as other:
        await other.logins.add("hash", NOON.replace(year=2099))
    assert await store.logins.use("hash", NOON)
