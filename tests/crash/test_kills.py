"""The program dies at chosen instants while chargers of every version charge, and nothing is lost or counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.brokers import Broker
from tests.crash.deaths import Death
from tests.crash.house import House, house
from tests.crash.lives import Zygote

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION = "INSERT OR REPLACE INTO session"

IN_TRAFFIC = [
    Death("before", SESSION, 4),
    Death("after", SESSION, 6),
    Death("before", "COMMIT", 25),
    Death("after", "COMMIT", 25),
    Death("before", "BEGIN", 30),
]
"""Before a session is written, before it is on disk, after that but before the charger is answered."""

IN_DELIVERY = [
    Death("before", "DELETE FROM outgoing", 9),
    Death("after", "DELETE FROM outgoing", 9),
    Death("before", "INSERT OR REPLACE INTO peer", 20),
    Death("after", "INSERT OR REPLACE INTO outgoing", 12),
]
"""After a service has answered: before that is written, before it is on disk, between what is written together."""

AT_THE_START = [Death("before", "", number) for number in (1, 6, 11, 16, 21, 26, 31)]
"""One after the other through what a start does with its database."""

AT_THE_FIRST_START = [
    Death("after", "PRAGMA journal_mode", 1),
    Death("before", "CREATE TABLE session", 1),
    Death("before", "PRAGMA user_version=", 1),
    Death("after", "INSERT INTO meta", 1),
]
"""While the tables are made, and before it is known which transactions were given an id."""


DEATHS = {"in traffic": IN_TRAFFIC, "in delivery": IN_DELIVERY, "at the first start": AT_THE_FIRST_START}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zygote() -> AsyncIterator[Zygote]:
    async with Zygote.loaded() as loaded:
        yield loaded


async def die(home: House, death: Death) -> None:
    """A life that ends so, and a look at what it leaves behind."""
    await home.lives.begin(death)
    assert await home.lives.dead() < 0, home.lives.log.read_text()
    home.audit.after_a_kill()


async def end_well(home: House) -> None:
    """A last life, in which everything comes to its end."""
    await home.lives.begin()
    await home.charged(5)
    await home.drain()
    assert await home.lives.stop() == 0, home.lives.log.read_text()
    home.look()
    assert home.deviations == []
    assert home.audit.checked >= sum(len(one.visits) for one in home.chargers)


@pytest.mark.parametrize("deaths", DEATHS.values(), ids=DEATHS)
async def test_whatever_the_program_dies_of_no_session_is_lost_and_none_counts_twice(
    zygote: Zygote, tmp_path: Path, broker: Broker, deaths: list[Death]
) -> None:
    async with house(zygote, tmp_path, 1, broker) as home:
        for death in deaths:
            await die(home, death)
        await end_well(home)


async def test_a_program_that_dies_while_it_starts_starts_the_next_time(
    zygote: Zygote, tmp_path: Path, broker: Broker
) -> None:
    async with house(zygote, tmp_path, 2, broker) as home:
        await die(home, Death("after", "COMMIT", 20))
        for death in AT_THE_START:
            await die(home, death)
        await end_well(home)


async def test_a_program_that_dies_while_its_log_is_taken_in_has_all_of_it(
    zygote: Zygote, tmp_path: Path, broker: Broker
) -> None:
    async with house(zygote, tmp_path, 3, broker) as home:
        for kilobytes in (80, 120, 160):
            await die(home, Death(file_bytes=kilobytes << 10, checkpoint_pages=8))
        await end_well(home)


async def test_random_kills_do_no_harm_either(zygote: Zygote, tmp_path: Path, broker: Broker) -> None:
    async with house(zygote, tmp_path, 4, broker) as home:
        for _ in range(5):
            await home.lives.begin()
            await home.connected()
            await asyncio.sleep(home.random.random() / 10)
            await home.lives.kill()
            home.audit.after_a_kill()
        await end_well(home)
