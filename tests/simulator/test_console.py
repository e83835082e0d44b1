"""Driving the simulated charger: by commands, by a script, by a schedule, until a signal comes."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.simulator import console as console_module
from ocpp_mqtt_proxy.simulator.box import Box
from ocpp_mqtt_proxy.simulator.console import FAULTS, Console, show, simulate, typed
from ocpp_mqtt_proxy.simulator.station import Pace, Station
from ocpp_mqtt_proxy.simulator.visits import Visits
from tests.independent_csms import Csms, csms_of
from tests.running import PATIENCE

pytestmark = pytest.mark.integration

NOWHERE = "ws://127.0.0.1:1/ocpp"


class Desk:
    """A console whose charger is connected to nothing, and what it said."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.station = Station(Box(), DIALECTS[Version.V16], NOWHERE, "SIM1")
        self.console = Console(self.station, self.heard.append)

    async def does(self, *lines: str) -> str:
        """Carry out commands; the last thing said."""
        for line in lines:
            await self.console.do(line)
        return self.heard[-1] if self.heard else ""


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    async with csms_of("1.6") as judge:
        yield judge


def given(url: str, **others: Any) -> argparse.Namespace:
    """What the command line would give."""
    usual = {"id": "SIM1", "ocpp_version": "1.6", "password": "", "speed": 60.0, "plugged": False, "show": False}
    return argparse.Namespace(url=url, **(usual | others))


# Commands


async def test_a_car_is_plugged_in_and_out(desk: Desk) -> None:
    await desk.does("plug 42 77 20 1")
    car = desk.station.box.car
    assert car is not None
    assert (car.soc, car.capacity, car.max_current, car.phases) == (42, 77, 20, 1)
    await desk.does("unplug")
    assert desk.station.box.car is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plug full", "plug: could not convert"),
        ("plug 101", "0 to 100 %"),
        ("plug nan", "0 to 100 %"),
        ("plug 50 0", "0 to 100 %"),
        ("plug 50 60 16 4", "1 to 3 phases"),
        ("plug 50 60 16 3 5", "takes 4 words at most"),
        ("unplug now", "takes 0 words at most"),
        ("stop", "stop: nothing runs"),
        ("fault Nonsense", "allowed: ConnectorLockFailure"),
        ("offline long", "offline: could not convert"),
        ("tap", "tap: offline"),
        ("dance", "plug [SOC"),
    ],
)
async def test_what_cannot_be_done_is_said(desk: Desk, line: str, told: str) -> None:
    assert told in await desk.does(line)


async def test_a_second_car_does_not_fit(desk: Desk) -> None:
    assert "plugged in already" in await desk.does("plug", "plug")


async def test_an_empty_line_is_nothing(desk: Desk) -> None:
    assert await desk.does("", "   ") == ""


@pytest.mark.parametrize("code", FAULTS)
async def test_it_breaks_down_and_is_mended(desk: Desk, code: str) -> None:
    await desk.does(f"fault {code}")
    assert desk.station.box.status == "faulted"
    await desk.does("clear")
    assert desk.station.box.status == "available"


async def test_its_state_is_one_line(desk: Desk) -> None:
    assert await desk.does("status") == "available, 0 W, 1234.000 kWh, offline"
    assert await desk.does("plug 50", "status") == "preparing, 0 W, 1234.000 kWh, car at 50 %, offline"


async def test_a_script_that_ends_lets_the_charger_go_on(desk: Desk) -> None:
    running = asyncio.create_task(desk.console.run(typed(file_of("plug\n"))))
    await asyncio.wait({running}, timeout=0.05)
    assert not running.done()
    assert desk.station.box.car is not None
    running.cancel()


async def test_quit_ends(desk: Desk) -> None:
    await desk.console.run(typed(file_of("plug\nquit\nunplug\n")))
    assert desk.station.box.car is not None


def file_of(text: str) -> int:
    """A descriptor to read a text from."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    return reader


# Lines


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\nb", "a\n\nb\n", "ä\n" * 3000])
async def test_lines_come_as_they_were_typed(tmp_path: Path, text: str) -> None:
    (tmp_path / "script").write_text(text)
    source = os.open(tmp_path / "script", os.O_RDONLY)
    assert [line async for line in typed(source)] == text.splitlines()
    os.close(source)


async def test_a_line_comes_before_the_next_is_typed() -> None:
    reader, writer = os.pipe()
    lines = typed(reader)
    for word in ("one", "two"):
        os.write(writer, f"{word}\n".encode())
        assert await anext(lines) == word
    os.close(writer)
    assert [line async for line in lines] == []


# The whole


async def test_a_session_by_hand(
    csms: Csms, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(console_module, "typed", lambda: typed(reader))
    running = asyncio.create_task(simulate(given(csms.url)))
    await csms.status("Available")
    os.write(writer, b"plug 20\ntap 04A1B2C3\n")
    await csms.status("Charging")
    os.write(writer, b"stop\n")
    await csms.call("StopTransaction")
    os.write(writer, b"status\nquit\n")
    await asyncio.wait_for(running, PATIENCE)
    os.close(writer)
    said = capsys.readouterr().out
    assert "04A1B2C3: accepted" in said
    assert "finishing, 0 W" in said
    assert csms.faults == []


async def test_a_card_that_is_refused_starts_nothing(csms: Csms) -> None:
    csms.refused_tags.add("BAD")
    station = Station(Box(), DIALECTS[Version.V16], csms.url, "SIM1")
    heard: list[str] = []
    running = asyncio.create_task(station.run())
    await asyncio.wait_for(station.online.wait(), PATIENCE)
    for line in ("plug", "tap BAD"):
        await Console(station, heard.append).do(line)
    running.cancel()
    assert heard == ["BAD: invalid"]
    assert station.box.transaction is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it(csms: Csms, number: signal.Signals) -> None:
    running = asyncio.create_task(simulate(given(csms.url, show=True)))
    await csms.status("Available")
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running, PATIENCE)


async def test_it_may_begin_with_a_car(csms: Csms) -> None:
    running = asyncio.create_task(simulate(given(csms.url, plugged=True, show=True)))
    await csms.status("Preparing")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_fault_of_the_simulator_itself_is_not_kept_quiet(csms: Csms, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault on purpose")

    monkeypatch.setattr(Station, "collect", fail)
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(simulate(given(csms.url, show=True)), PATIENCE)
    assert raised.group_contains(RuntimeError, match="on purpose")


async def test_the_show_goes_on_by_itself(csms: Csms) -> None:
    pace = Pace(speed=6000, tick=0.01, retry=0.01)
    station = Station(Box(), DIALECTS[Version.V16], csms.url, "SIM1", pace=pace)
    tasks = [asyncio.create_task(station.run()), asyncio.create_task(show(station, Visits("SIM1"), pace))]
    await csms.until(lambda: len(csms.calls("StopTransaction")) == 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    starts, stops = csms.calls("StartTransaction"), csms.calls("StopTransaction")
    assert all(stop["meterStop"] > start["meterStart"] for start, stop in zip(starts, stops, strict=False))
    assert csms.faults == []


async def test_the_show_waits_for_a_csms_that_is_away() -> None:
    pace = Pace(speed=1e6, tick=0.001, retry=0.01)
    station = Station(Box(), DIALECTS[Version.V16], NOWHERE, "SIM1", pace=pace)
    showing = asyncio.create_task(show(station, Visits("SIM1"), pace))
    await asyncio.wait({showing}, timeout=0.05)
    showing.cancel()
    assert station.box.car is None
