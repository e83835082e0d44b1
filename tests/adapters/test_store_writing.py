"""How much goes into one transaction, and that it goes whole or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.adapters.store import writing
from ocpp_mqtt_proxy.adapters.store.connections import Line
from ocpp_mqtt_proxy.adapters.store.rows import Statement
from ocpp_mqtt_proxy.adapters.store.writing import Scribe, Unwritable
from tests.running import PATIENCE

PUT = "INSERT INTO line VALUES (?)"


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    """A connection to a file with one table."""
    line = Line(tmp_path / "any.db")
    await (await line.get()).execute("CREATE TABLE line (number INTEGER PRIMARY KEY)")
    yield line
    await line.close()


@pytest.fixture
def scribe(line: Line) -> Scribe:
    """Writes there; a file that is damaged stays so."""

    async def leave(_why: str) -> None:
        """Not mended."""

    return Scribe(line, leave, lambda *_: None)


@pytest.fixture
async def commits(line: Line) -> list[str]:
    """The transactions that were written."""
    seen: list[str] = []
    await (await line.get()).set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    return seen


def a_row(number: int) -> list[Statement]:
    """What puts a row there."""
    return [(PUT, (number,))]


async def written(line: Line) -> list[int]:
    """What is there."""
    found = await (await line.get()).execute_fetchall("SELECT number FROM line ORDER BY number")
    return [number for (number,) in found]


async def test_what_is_in_no_hurry_waits_for_more_of_its_kind(
    scribe: Scribe, line: Line, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "GATHER_SECONDS", 0.2)
    first = scribe.put(a_row(1), hurry=False)
    await asyncio.sleep(0)
    await asyncio.gather(first, scribe.put(a_row(2), hurry=False))
    assert (await written(line), len(commits)) == ([1, 2], 1)


async def test_what_is_in_a_hurry_takes_all_that_waits_with_it_at_once(
    scribe: Scribe, line: Line, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "GATHER_SECONDS", 10 * PATIENCE)
    calm = scribe.put(a_row(1), hurry=False)
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(calm, scribe.put(a_row(2)))
    assert (await written(line), len(commits)) == ([1, 2], 1)


async def test_at_the_end_nothing_waits(scribe: Scribe, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "GATHER_SECONDS", 10 * PATIENCE)
    scribe.put(a_row(1), hurry=False)
    async with asyncio.timeout(PATIENCE):
        await scribe.finish()
    assert await written(line) == [1]


async def test_of_a_transaction_that_fails_nothing_is_written_and_nothing_stays_begun(line: Line) -> None:
    connection = await line.get()
    with pytest.raises(sqlite3.IntegrityError):
        await connection.write([{PUT: [(1,), (2,)]}, {PUT: [(1,)]}])
    assert not connection.in_transaction
    assert await written(line) == []


async def test_what_cannot_be_written_costs_nothing_that_was_to_go_with_it(scribe: Scribe, line: Line) -> None:
    results = await asyncio.gather(*(scribe.put(a_row(n)) for n in (1, 1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), Unwritable, type(None)]
    assert await written(line) == [1, 2]


async def test_whoever_gives_up_waiting_leaves_nothing_begun(line: Line) -> None:
    connection = await line.get()
    writing_ = asyncio.create_task(connection.write([{PUT: [(1,)]}]))
    await asyncio.sleep(0)
    writing_.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing_
    assert await written(line) == [1]
    assert not connection.in_transaction
