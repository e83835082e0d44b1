"""The store when its program is killed, and when the disk is full."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ocpp_mqtt_proxy.adapters.store import Filter, Store

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def scribe(file: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program that records sessions one after the other and says which are acknowledged."""
    command = [sys.executable, "-m", "tests.adapters.scribe", str(file), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:  # noqa: S603
        try:
            yield program
        finally:
            program.kill()


def acknowledged(program: subprocess.Popen[str], count: int) -> list[tuple[str, str]]:
    """The next sessions that the program says are down, until it says that it failed."""
    assert program.stdout is not None
    lines = (program.stdout.readline() for _ in range(count))
    down = itertools.takewhile(lambda line: not line.startswith("failed"), lines)
    return [(session_id, transaction_id) for session_id, transaction_id in map(str.split, down)]


async def kept(file: Path) -> set[tuple[str, str]]:
    store = Store(file)
    await store.open()
    found = {(s.session_id, s.transaction_id) async for s in store.all_sessions(Filter(limit=500))}
    await store.close()
    return found


async def test_what_was_acknowledged_is_there_after_the_program_was_killed(file: Path) -> None:
    with scribe(file) as program:
        down = acknowledged(program, 20)
        program.kill()
    assert set(down) <= await kept(file)


async def test_no_id_is_ever_given_twice_though_the_program_is_killed(file: Path) -> None:
    lives = []
    for _ in range(3):
        with scribe(file) as program:
            lives += acknowledged(program, 5)
            program.kill()
    sessions, transactions = zip(*lives, strict=True)
    assert len(set(sessions)) == len(set(transactions)) == 15


async def test_a_full_disk_fails_what_it_cannot_take_and_goes_on_when_there_is_room(file: Path) -> None:
    with scribe(file, "--bytes", "200000") as program:
        before = acknowledged(program, 1000)
        assert program.stdin is not None
        program.stdin.write("there is room again\n")
        program.stdin.flush()
        after = acknowledged(program, 3)
        program.kill()
    assert 0 < len(before) < 1000
    assert {*before, *after} <= await kept(file)
