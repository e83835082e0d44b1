"""Driving a simulated charger from the keyboard, or from a script on standard input."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from ocpp_mqtt_proxy.core.model import IdToken, StopReason, Verdict, Version
from ocpp_mqtt_proxy.core.reports import AuthorizationAnswer, AuthorizationRequested
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.simulator.box import Box
from ocpp_mqtt_proxy.simulator.car import Car
from ocpp_mqtt_proxy.simulator.station import Station

HELP = """\
plug [SOC]       plug a car in (at so many %)
unplug           pull the cable
tap [TAG]        show a card
stop             end the transaction at the charger
fault [CODE]     break down (GroundFailure, OverCurrentFailure …)
clear            mend the fault
offline SECONDS  lose the connection for a while
status           show what it does
quit             end
"""


async def simulate(given: argparse.Namespace) -> None:
    """Run a charger until told to quit."""
    box = Box(serial=f"SIM-{given.id}")
    station = Station(box, DIALECTS[Version(given.ocpp_version)], given.url, given.id, given.password, given.speed)
    if given.plugged:
        box.plug(Car(), datetime.now(UTC))
    print(HELP, end="", flush=True)
    runner = asyncio.create_task(station.run())
    try:
        await Console(station).run()
    finally:
        runner.cancel()


class Console:
    """Takes commands, a line each."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self._commands: dict[str, Callable[[list[str]], Awaitable[None]]] = {
            "plug": self._plug,
            "unplug": self._unplug,
            "tap": self._tap,
            "stop": self._stop,
            "fault": self._fault,
            "clear": self._clear,
            "offline": self._offline,
            "status": self._status,
        }

    async def run(self) -> None:
        """Take commands until `quit`; after the end of a script the charger goes on."""
        while True:
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line:
                await asyncio.Event().wait()
            word, *arguments = line.split() or [""]
            if word == "quit":
                return
            await self.do(word, arguments)

    async def do(self, word: str, arguments: list[str]) -> None:
        """Carry out one command."""
        command = self._commands.get(word)
        if command is None:
            if word:
                print(HELP, end="", flush=True)
            return
        try:
            await command(arguments)
        except (ValueError, ConnectionError) as error:
            print(error, flush=True)
        self.station.collect()

    async def _plug(self, arguments: list[str]) -> None:
        self.station.box.plug(Car(soc=float(arguments[0]) if arguments else 35.0), _now())

    async def _unplug(self, _: list[str]) -> None:
        self.station.box.unplug(_now())

    async def _tap(self, arguments: list[str]) -> None:
        token = IdToken(arguments[0] if arguments else "04A1B2C3")
        answer = await self.station.ask(AuthorizationRequested(token))
        verdict = answer.authorization.verdict if isinstance(answer, AuthorizationAnswer) else Verdict.UNKNOWN
        print(verdict, flush=True)
        if verdict is Verdict.ACCEPTED:
            self.station.box.authorize(token, _now())

    async def _stop(self, _: list[str]) -> None:
        if self.station.box.transaction is None:
            raise ValueError("nothing runs")
        self.station.box.stop(StopReason.LOCAL, _now())

    async def _fault(self, arguments: list[str]) -> None:
        self.station.box.break_down(arguments[0] if arguments else "GroundFailure", _now())

    async def _clear(self, _: list[str]) -> None:
        self.station.box.mend(_now())

    async def _offline(self, arguments: list[str]) -> None:
        await self.station.go_offline(float(arguments[0]) if arguments else 30.0)

    async def _status(self, _: list[str]) -> None:
        box = self.station.box
        soc = f", car at {box.car.soc:.0f} %" if box.car else ""
        print(f"{box.status}, {box.power:.0f} W, {box.register / 1000:.3f} kWh{soc}", flush=True)


def _now() -> datetime:
    return datetime.now(UTC)
