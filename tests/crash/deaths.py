"""Ways to die at a chosen instant: in the process that shall die, around its SQLite, before the program begins.

The program knows nothing of this. A process that dies so has as little time to put things right as in a power cut.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Death:
    """`before` or `after` the `number`th statement of the life that has `statement` in it (any, where empty);
    or, with `file_bytes`, in the write that makes a file larger than that.

    `checkpoint_pages` has the log taken in after so many, that a short life sees it too.
    """

    when: str = "before"
    statement: str = ""
    number: int = 0
    file_bytes: int = 0
    checkpoint_pages: int = 0

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        return cls(**document)


@dataclass(slots=True)
class Countdown:
    """Statements that pass, until the one that is the last."""

    death: Death
    passed: int = 0

    def see(self, sql: str, when: str) -> None:
        if self.death.number and self.death.statement in sql:
            self.passed += when == "before"
            if (self.passed, when) == (self.death.number, self.death.when):
                os.kill(os.getpid(), signal.SIGKILL)


def prepare(death: Death) -> None:
    """Have this process die so."""
    if death.file_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (death.file_bytes, death.file_bytes))
    mortal = functools.partial(_connect, Countdown(death), sqlite3.connect)
    setattr(sqlite3, "connect", mortal)  # noqa: B010 (its type is that of every way to call it)


def _connect(countdown: Countdown, connect: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
    """A connection that counts what it is told."""

    class Mortal(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            countdown.see(sql, "before")
            cursor = super().execute(sql, parameters)
            countdown.see(sql, "after")
            return cursor

        def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
            countdown.see(sql, "before")
            cursor = super().executemany(sql, parameters)
            countdown.see(sql, "after")
            return cursor

    connection: sqlite3.Connection = connect(*arguments, factory=Mortal, **options)
    if pages := countdown.death.checkpoint_pages:
        sqlite3.Connection.execute(connection, f"PRAGMA wal_autocheckpoint={pages}")
    return connection
