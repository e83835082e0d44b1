"""The log: a line per thing, for people or programs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ocpp_mqtt_proxy import logs
from ocpp_mqtt_proxy.config import Log
from ocpp_mqtt_proxy.logs import MOST_ALIKE, MOST_OF_A_KIND, WINDOW

ours = logging.getLogger("ocpp_mqtt_proxy.somewhere")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, package, mqtt = (logging.getLogger(name) for name in ("", "ocpp_mqtt_proxy", "mqtt"))
    handlers, levels = root.handlers[:], [logger.level for logger in (root, package, mqtt)]
    yield
    root.handlers[:] = handlers
    for logger, level in zip((root, package, mqtt), levels, strict=True):
        logger.setLevel(level)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def set_up(**given: Any) -> None:
    logs.set_up(Log(**given))


def test_text_is_a_line_with_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    set_up()
    ours.info("%s: connected", "CP1")
    (line,) = said(capsys)
    assert line.endswith("INFO    CP1: connected")


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(format="json")
    ours.warning("%s: ünruly\nline", "CP1")
    (line,) = said(capsys)
    document = json.loads(line)
    assert document.pop("at").endswith("+00:00")
    assert document == {
        "level": "warning",
        "logger": "ocpp_mqtt_proxy.somewhere",
        "message": "CP1: ünruly\nline",
    }


@pytest.mark.parametrize("text", ["a\nINFO forged", "a\r\nINFO forged", "a\x1b[2Jb", "a\u2028b", "a\x00b"])
def test_what_a_charger_says_does_not_begin_a_line_of_its_own(capsys: pytest.CaptureFixture[str], text: str) -> None:
    set_up()
    ours.info("%s: connected", text)
    (line,) = said(capsys)
    assert line.isprintable()


def test_words_of_other_alphabets_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    set_up()
    ours.info("Ladesäule 充电桩")
    assert said(capsys)[0].endswith("Ladesäule 充电桩")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_fault_of_ours_is_told_with_where_it_was(capsys: pytest.CaptureFixture[str], form: str) -> None:
    set_up(format=form)
    try:
        int("lost")
    except ValueError:
        ours.exception("failed")
    lines = said(capsys)
    assert "ValueError: invalid literal" in "\n".join(lines)
    assert len(lines) == 1 or form == "text"


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_ours_as_configured(capsys: pytest.CaptureFixture[str], level: str, expected: int) -> None:
    set_up(level=level)
    for tell in (ours.debug, ours.info, ours.warning, ours.error):
        tell("x")
    assert len(said(capsys)) == expected


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sparing(clock: Clock) -> Iterator[io.StringIO]:
    """What a handler wrote that is spared what nobody reads."""
    written = io.StringIO()
    handler = logs.Sparing(written, clock)
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield written
    ours.removeHandler(handler)


def repeat(times: int, about: str = "CP1", text: str = "%s: refused: %d") -> None:
    for number in range(times):
        ours.warning(text, about, number)


def test_of_lines_that_are_alike_the_first_are_told_and_then_how_many_there_were(
    sparing: io.StringIO, clock: Clock
) -> None:
    repeat(MOST_ALIKE + 313)
    assert sparing.getvalue().splitlines() == [f"CP1: refused: {number}" for number in range(MOST_ALIKE)]
    clock.at += WINDOW
    ours.info("something else")
    *_, summary, other = sparing.getvalue().splitlines()
    assert summary == f"CP1: refused: {MOST_ALIKE + 312} … and 312 more like this in a minute"
    assert other == "something else"


def test_what_one_charger_repeats_leaves_out_nothing_of_another(sparing: io.StringIO) -> None:
    repeat(MOST_ALIKE + 1, "CP1")
    repeat(MOST_ALIKE, "CP2")
    repeat(MOST_ALIKE, "CP1", "%s: connected: %d")
    assert len(sparing.getvalue().splitlines()) == 3 * MOST_ALIKE


def test_ever_new_names_do_not_fill_the_log(sparing: io.StringIO) -> None:
    for number in range(2 * MOST_OF_A_KIND):
        ours.warning("%s: refused", f"CP{number}")
    assert len(sparing.getvalue().splitlines()) == MOST_OF_A_KIND


def test_ever_new_names_do_not_fill_the_memory(sparing: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_APART", 3)
    for number in range(10):
        ours.warning("%s: refused", f"CP{number}")
    (handler,) = [handler for handler in ours.handlers if isinstance(handler, logs.Sparing)]
    assert len(handler._tallies) <= 4  # noqa: SLF001 (who else knows)
    assert len(sparing.getvalue().splitlines()) == 10


def test_a_minute_later_it_is_told_again(sparing: io.StringIO, clock: Clock) -> None:
    for _ in range(3):
        repeat(MOST_ALIKE)
        clock.at += WINDOW
    assert len(sparing.getvalue().splitlines()) == 3 * MOST_ALIKE


def test_frames_that_were_asked_for_are_told_in_full(sparing: io.StringIO) -> None:
    for _ in range(2 * MOST_OF_A_KIND):
        ours.info("%s %s %s", "CP1", "<", "[]", extra=logs.IN_FULL)
    assert len(sparing.getvalue().splitlines()) == 2 * MOST_OF_A_KIND


def test_a_fault_that_comes_again_and_again_is_shown_with_where_it_was_a_few_times(sparing: io.StringIO) -> None:
    for _ in range(10 * MOST_ALIKE):
        try:
            int("lost")
        except ValueError:
            ours.exception("%s: Heartbeat could not be handled", "CP1")
    assert sparing.getvalue().count("Traceback") == MOST_ALIKE


def test_what_was_left_out_is_told_though_nothing_more_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    set_up()
    repeat(MOST_ALIKE + 5)
    logs.tell_left_out()
    assert len(said(capsys)) == MOST_ALIKE
    logging.getLogger().handlers[0].close()
    (line,) = said(capsys)
    assert line.endswith("… and 4 more like this in a minute")


def test_libraries_tell_only_what_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="debug")
    library = logging.getLogger("some.library")
    library.info("chatter")
    library.warning("trouble")
    assert len(said(capsys)) == 1
