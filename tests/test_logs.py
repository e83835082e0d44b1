"""The log: a line per thing, for people or programs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ocpp_mqtt_proxy import logs
from ocpp_mqtt_proxy.config import Log

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


def test_libraries_tell_only_what_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(level="debug")
    library = logging.getLogger("some.library")
    library.info("chatter")
    library.warning("trouble")
    assert len(said(capsys)) == 1
