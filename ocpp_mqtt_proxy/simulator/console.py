"""Driving a simulated charger: from the keyboard, from a script on standard input, or by a schedule of visits."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import logging
import os
import signal
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from ocpp_mqtt_proxy.core.errors import ProxyError
from ocpp_mqtt_proxy.core.model import IdToken, StopReason, Verdict, Version
from ocpp_mqtt_proxy.core.reports import AuthorizationAnswer, AuthorizationRequested
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.v16.words import ERROR_CODES
from ocpp_mqtt_proxy.simulator.box import NO_FAULT, Box, Welcome
from ocpp_mqtt_proxy.simulator.car import Car
from ocpp_mqtt_proxy.simulator.station import Pace, Station
from ocpp_mqtt_proxy.simulator.visits import Visits

log = logging.getLogger(__name__)

HELP = """\
plug [SOC [KWH [AMPS [PHASES]]]]  plug a car in (at so many %)
unplug           pull the cable
tap [TAG]        show a card
stop             end the transaction at the charger
fault [CODE]     break down (GroundFailure, OverCurrentFailure …)
clear            mend the fault
offline SECONDS  lose the connection for a while
status           show what it does
quit             end
"""

PATIENCE = 5.0
"""Seconds that the console waits for the CSMS at first."""

FAULTS = sorted(ERROR_CODES - {NO_FAULT})


class BadCommand(ProxyError):
    """A command that cannot be carried out."""


async def simulate(given: argparse.Namespace) -> None:
    """Run a charger until it is told to quit, by its console or by a signal."""
    pace = Pace(speed=given.speed)
    # A register of its own: two chargers side by side should not look the same.
    box = Box(serial=f"SIM-{given.id}"[:25], register=1_000_000.0 + zlib.crc32(given.id.encode()) % 4_000_000)
    station = Station(box, DIALECTS[Version(given.ocpp_version)], given.url, given.id, given.password, pace)
    if given.plugged:
        box.plug(Car(), station.clock())
    with _signals() as told:
        await _first_of(station.run(), _drive(station, given, pace), told.wait())


async def _drive(station: Station, given: argparse.Namespace, pace: Pace) -> None:
    if given.show:
        await show(station, Visits(given.id), pace)
    else:
        with suppress(TimeoutError):  # a script begins with a charger that is online, where that can be
            async with asyncio.timeout(PATIENCE):
                await station.online.wait()
        await Console(station, _print).run(typed())


async def _first_of(*works: Awaitable[object]) -> None:
    """Work at all of them until one ends; what it fails of is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """Set when SIGTERM or SIGINT comes."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)


async def typed(source: int = 0) -> AsyncIterator[str]:
    """Lines from a file descriptor, until its end.

    A thread reads it, because files, pipes and terminals can all be read that way; it holds no lock of Python's
    standard input, so that the program can end while nobody types.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        chunk = b"-"
        while chunk:
            chunk = os.read(source, 4096)
            with suppress(RuntimeError):  # the loop is gone, and so is the reader
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)

    threading.Thread(target=read, daemon=True).start()
    rest = b""
    while chunk := await chunks.get():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


async def show(station: Station, visits: Visits, pace: Pace) -> None:
    """Have cars come and go, for ever; while the CSMS is away they wait."""
    console = Console(station, log.info)
    while True:
        await asyncio.sleep(pace.tick)
        await station.online.wait()
        for line in visits.pass_by(pace.tick * pace.speed):
            await console.do(line)


class Console:
    """Takes commands, a line each; `say` is told what comes of them."""

    def __init__(self, station: Station, say: Callable[[str], object]) -> None:
        self.station = station
        self.say = say
        self._commands: dict[str, Callable[..., Awaitable[None]]] = {
            "plug": self._plug,
            "unplug": self._unplug,
            "tap": self._tap,
            "stop": self._stop,
            "fault": self._fault,
            "clear": self._clear,
            "offline": self._offline,
            "status": self._status,
        }

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Take commands until `quit`; after the end of a script the charger goes on."""
        self.say(HELP.rstrip())
        async for line in lines:
            if line.split()[:1] == ["quit"]:
                return
            await self.do(line)
        await asyncio.Event().wait()

    async def do(self, line: str) -> None:
        """Carry out one command."""
        word, *arguments = line.split() or [""]
        command = self._commands.get(word)
        if command is None:
            if word:
                self.say(HELP.rstrip())
            return
        try:
            await command(*_fitting(command, arguments))
        except (ValueError, OSError, ProxyError) as error:
            self.say(f"{word}: {error or 'no answer'}")
        self.station.collect()

    async def _plug(self, soc: str = "35", capacity: str = "60", current: str = "16", phases: str = "3") -> None:
        box = self.station.box
        if box.car is not None:
            raise BadCommand("a car is plugged in already")
        car = Car(float(capacity), float(soc), float(current), int(phases))
        if not (0 <= car.soc <= 100 and car.capacity > 0 and car.max_current > 0 and car.phases in (1, 2, 3)):
            raise BadCommand("a car has 0 to 100 %, and 1 to 3 phases")
        box.plug(car, self.station.clock())

    async def _unplug(self) -> None:
        self.station.box.unplug(self.station.clock())

    async def _tap(self, tag: str = "04A1B2C3") -> None:
        token = IdToken(tag)
        answer = await self.station.ask(AuthorizationRequested(token))
        verdict = answer.authorization.verdict if isinstance(answer, AuthorizationAnswer) else Verdict.UNKNOWN
        self.say(f"{tag}: {verdict}")
        if verdict is Verdict.ACCEPTED:
            now = self.station.clock()
            self.station.box.authorize(Welcome(token, now), now)

    async def _stop(self) -> None:
        if self.station.box.transaction is None:
            raise BadCommand("nothing runs")
        self.station.box.stop(StopReason.LOCAL, self.station.clock())

    async def _fault(self, code: str = "GroundFailure") -> None:
        if code not in FAULTS:
            raise BadCommand(f"{code} is no fault; allowed: {', '.join(FAULTS)}")
        self.station.box.break_down(code, self.station.clock())

    async def _clear(self) -> None:
        self.station.box.mend(self.station.clock())

    async def _offline(self, seconds: str = "30") -> None:
        await self.station.go_offline(float(seconds))

    async def _status(self) -> None:
        box = self.station.box
        car = f", car at {box.car.soc:.0f} %" if box.car else ""
        line = "" if self.station.online.is_set() else ", offline"
        self.say(f"{box.status}, {box.power:.0f} W, {box.register / 1000:.3f} kWh{car}{line}")


def _fitting(command: Callable[..., object], arguments: list[str]) -> list[str]:
    most = len(inspect.signature(command).parameters)
    if len(arguments) > most:
        raise BadCommand(f"takes {most} words at most")
    return arguments


def _print(text: str) -> None:
    print(text, flush=True)
