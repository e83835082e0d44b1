"""Logging: one line per thing worth knowing, as text or JSON, and of lines that are alike no more than are read."""

from __future__ import annotations

import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from ocpp_mqtt_proxy.config import Log

TEXT = "%(asctime)s %(levelname)-7s %(message)s"

WINDOW = 60.0
"""Seconds in which lines that are alike are counted."""

MOST_ALIKE = 10
"""Lines of one kind about one charger in that time. A charger that babbles says a thing thousands of times."""

MOST_OF_A_KIND = 300
"""Lines of one kind about whomever. Somebody may knock under ever new names; a disk lasts years at this rate."""

MOST_APART = 5000
"""Chargers and kinds told apart; beyond, only kinds are counted."""

IN_FULL: Final = {"in_full": True}
"""The `extra` of a line that was asked for and is never left out."""


class TextFormatter(logging.Formatter):
    """A line for people. What a charger put into its id or its words cannot begin another line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """The line, without control characters."""
        line = super().formatMessage(record)
        return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


@dataclass(slots=True)
class _Tally:
    """Lines that are alike, since one of them began a window; `last` is the last of those left out."""

    began: float
    told: int = 0
    left_out: int = 0
    last: logging.LogRecord | None = None

    def admits(self, record: logging.LogRecord, most: int) -> bool:
        """Whether there is room for one more. One that is left out is counted."""
        if self.told < most:
            self.told += 1
            return True
        self.left_out += 1
        self.last = record
        return False


class Sparing(logging.StreamHandler[TextIO]):
    """Writes lines; of those that are alike the first of every minute, then in one line how many there were.

    Alike are lines from one place in the program that begin with the same: the charger, mostly.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._tallies: OrderedDict[tuple[str, ...], _Tally] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless there were many like it."""
        now = self._clock()
        for summary in self._summaries(now - WINDOW):
            super().emit(summary)
        if hasattr(record, "in_full") or self._has_room(record, now):
            super().emit(record)

    def tell_left_out(self, *, all_of_it: bool = False) -> None:
        """Write what is due of the lines that were left out: nobody knows when the next line comes."""
        self.acquire()
        try:
            for summary in self._summaries(self._clock() - (0 if all_of_it else WINDOW)):
                super().emit(summary)
        finally:
            self.release()

    def close(self) -> None:
        """End, with all that is to be told."""
        self.tell_left_out(all_of_it=True)
        super().close()

    def _has_room(self, record: logging.LogRecord, now: float) -> bool:
        kind = (record.name, str(record.msg))
        about = str(record.args[0])[:80] if isinstance(record.args, tuple) and record.args else ""
        if len(self._tallies) < MOST_APART and not self._tally((*kind, about), now).admits(record, MOST_ALIKE):
            return False
        return self._tally(kind, now).admits(record, MOST_OF_A_KIND)

    def _tally(self, key: tuple[str, ...], now: float) -> _Tally:
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally(now)
        return tally

    def _summaries(self, until: float) -> Iterator[logging.LogRecord]:
        """A line for each kind that was left out of, of windows that began so long ago; they are over."""
        while self._tallies:
            key, tally = next(iter(self._tallies.items()))
            if tally.began > until:
                return
            del self._tallies[key]
            if tally.last is not None:
                yield _summary(tally.last, tally.left_out)


def _summary(last: logging.LogRecord, left_out: int) -> logging.LogRecord:
    told: dict[str, Any] = {"name": last.name, "levelno": last.levelno, "levelname": last.levelname}
    more = f" … and {left_out - 1} more like this in a minute" if left_out > 1 else ""
    return logging.makeLogRecord(told | {"msg": "%s%s", "args": (last.getMessage(), more)})


def set_up(config: Log) -> None:
    """Log to standard error as configured; libraries only what is a warning."""
    handler = Sparing()
    handler.setFormatter(JsonFormatter() if config.format == "json" else TextFormatter(TEXT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("ocpp_mqtt_proxy").setLevel(config.level.upper())
    # aiomqtt logs what our session logs itself, a line per loss.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)


def tell_left_out() -> None:
    """Tell what lines were left out, where that is due; to be called now and then."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Sparing):
            handler.tell_left_out()
