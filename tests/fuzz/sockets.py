"""Strange frames over real sockets to the running program, beside a charger that behaves: `make fuzz`, its second half.

Chargers send strange frames as fast as they can, a vandal sends bytes that are not even WebSocket frames. The charger
beside them must be answered all the time on one and the same socket, and the program must not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.adapters.raw import connection, request
from tests.brokers import Broker
from tests.fuzz.memory import resident
from tests.fuzz.mutations import OPEN, TX, Step, a_frame
from tests.program import configure, program
from tests.running import options

CHARGERS = 6
ONE_LIFE = 500
"""Frames of a charger on one socket."""

PATIENCE = 60.0
PACE = 0.02
"""Seconds between two calls of the charger that behaves."""


@dataclass
class Report:
    """What came of it. Memory in bytes."""

    frames: int = 0
    lives: int = 0
    vandals: int = 0
    neighbour_calls: int = 0
    slowest: float = 0.0
    memory: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        begun = self.memory[len(self.memory) // 10]
        yield f"over sockets  {self.frames:,} frames on {self.lives:,} sockets, {self.vandals:,} vandals"
        yield f"its neighbour {self.neighbour_calls:,} calls, all answered, the slowest in {1000 * self.slowest:.0f} ms"
        peak, last = max(self.memory), self.memory[-1]
        yield f"its memory    {begun / 2**20:.1f} MiB at the start, {peak / 2**20:.1f} at most, {last / 2**20:.1f} at the end"
        yield f"its faults    {len(self.faults)}"
        yield from (f"              {fault}" for fault in self.faults[:20])


@dataclass
class Run:
    """The program, and who connects to it."""

    port: int
    most: int
    report: Report = field(default_factory=Report)
    random: Random = field(default_factory=lambda: Random(1))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def done(self) -> bool:
        return self.report.frames >= self.most

    def complain(self, what: str) -> None:
        self.report.faults.append(what)

    async def charger(self, number: int) -> None:
        """A strange charger, with one socket after another."""
        for life in itertools.count():
            if self.done:
                return
            version = list(DIALECTS)[(number + life) % len(DIALECTS)]
            name = f"strange{number}-{version}"
            try:
                async with asyncio.timeout(PATIENCE), dial(self.port, name, version) as socket:
                    await Strange(self, socket, version).live()
            except (ConnectionClosed, OSError, TimeoutError) as error:
                self.complain(f"{name}: {type(error).__name__} {error}")
            self.report.lives += 1
            await asyncio.sleep(0.5)  # the budget of visits is one a second

    async def neighbour(self) -> None:
        """A charger that behaves, on one socket all the time."""
        try:
            async with dial(self.port, "neighbour", Version.V16) as socket:
                for call in itertools.cycle(BEHAVED):
                    if self.done:
                        return
                    await self._ask(socket, call)
                    await asyncio.sleep(PACE)
        except (ConnectionClosed, OSError, TimeoutError) as error:
            self.complain(f"the neighbour's socket was hurt: {type(error).__name__} {error}")

    async def _ask(self, socket: ClientConnection, call: tuple[str, dict[str, Any]]) -> None:
        message_id, before = f"n{next(self.numbers)}", time.monotonic()
        await socket.send(json.dumps([2, message_id, *call]))
        async with asyncio.timeout(PATIENCE):
            while (frame := json.loads(await socket.recv()))[1] != message_id:
                if frame[0] == 2:
                    await socket.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
        self.report.slowest = max(self.report.slowest, time.monotonic() - before)
        self.report.neighbour_calls += 1
        if frame[0] != 3:
            self.complain(f"the neighbour was answered {frame}")

    async def vandal(self) -> None:
        """Bytes that are no WebSocket frames, nor even HTTP."""
        while not self.done:
            with contextlib.suppress(OSError, TimeoutError):
                async with connection(self.port) as raw:
                    if self.random.randrange(2):
                        raw.write(request("/charger/vandal", ["ocpp1.6"]))
                        await raw.read_head()
                    raw.write(self.random.randbytes(self.random.choice((1, 20, 3000))))
                    await asyncio.sleep(0.05)
            self.report.vandals += 1
            await asyncio.sleep(0.3)

    async def sample(self, process: Process) -> None:
        """Its memory, now and then."""
        while not self.done:
            self.report.memory.append(resident(process.pid))
            await asyncio.sleep(0.5)
        self.report.memory.append(resident(process.pid))


BEHAVED: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", {"chargePointVendor": "Good", "chargePointModel": "Neighbour"}),
    ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}),
    ("Heartbeat", {}),
    ("Authorize", {"idTag": "CARD"}),
    ("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": "2026-03-14T12:00:00Z", "sampledValue": [{"value": "1"}]}]}),
    ("DataTransfer", {"vendorId": "good"}),
]  # fmt: skip


@dataclass
class Strange:
    """One life of a strange charger: it sends without waiting, and asks now and then whether it is still served."""

    run: Run
    socket: ClientConnection
    version: Version
    opened: str = "none"
    transaction: object = "1"
    _served: asyncio.Event = field(default_factory=asyncio.Event)

    async def live(self) -> None:
        reader = asyncio.create_task(self._read())
        try:
            for count in range(ONE_LIFE):
                await self.socket.send(self._fill_in(self._message(count)))
                self.run.report.frames += 1
                if count % 50 == 49:
                    await self._is_served()
        finally:
            reader.cancel()

    def _message(self, count: int) -> Step:
        """Once in a life one that is too long for any socket."""
        if count == ONE_LIFE // 2:
            return json.dumps([2, "long", "DataTransfer", {"vendorId": "x" * Budget().message}])
        return a_frame(self.run.random, self.version)

    def _fill_in(self, step: Step) -> Step:
        if isinstance(step, bytes):
            return step.replace(OPEN.encode(), self.opened.encode())
        return step.replace(f'"{TX}"', json.dumps(self.transaction)).replace(OPEN, self.opened)

    async def _is_served(self) -> None:
        self._served.clear()
        await self.socket.send('[2, "alive", "Heartbeat", {}]')
        await self._served.wait()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                match json.loads(message):
                    case [2, message_id, *_]:
                        self.opened = message_id
                    case [3, "alive", *_]:
                        self._served.set()
                    case [3, _, {"transactionId": given}]:
                        self.transaction = given


@contextlib.asynccontextmanager
async def dial(port: int, name: str, version: Version) -> AsyncIterator[ClientConnection]:
    """A charger's socket."""
    protocols = [Subprotocol(DIALECTS[version].subprotocol)]
    url = f"ws://127.0.0.1:{port}/charger/{name}"
    async with connect(url, subprotocols=protocols, compression=None, ping_timeout=PATIENCE) as socket:
        yield socket


async def read_log(process: Process, ready: asyncio.Event, complain: Any) -> None:
    """Read what the program says, and tell of its faults."""
    assert process.stderr is not None
    async for line in process.stderr:
        text = line.decode("utf-8", "replace")
        if "point your charger at" in text:
            ready.set()
        if " ERROR " in text or "Traceback" in text or text.lstrip().startswith("Task exception"):
            complain(text.strip())


async def fuzz(frames: int, folder: Path, broker: Broker) -> Report:
    """Send so many strange frames to the program in a process of its own."""
    wanted = options(folder, broker, log={"level": "info", "frames": False})
    async with program("run", "--config", str(configure(folder, **wanted))) as process:
        run, ready = Run(wanted["http"]["port"], frames), asyncio.Event()
        listener = asyncio.create_task(read_log(process, ready, run.complain))
        async with asyncio.timeout(PATIENCE):
            await ready.wait()
        async with asyncio.TaskGroup() as tasks:
            for number in range(CHARGERS):
                tasks.create_task(run.charger(number))
            for other in (run.neighbour(), run.vandal(), run.sample(process)):
                tasks.create_task(other)
        if process.returncode is not None:
            run.complain(f"it ended with {process.returncode}")
        listener.cancel()
        return run.report


def main() -> int:
    """Fuzz, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=100_000)
    given = parser.parse_args()
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder)).start()
        try:
            report = asyncio.run(fuzz(given.frames, Path(folder), broker))
        finally:
            broker.stop()
    print("\n".join(report.lines()))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
