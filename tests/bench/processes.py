"""Programs under measurement: their processor time and memory, from outside."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ocpp_mqtt_proxy.demo.broker import Started, answers, free_port

START_SECONDS = 30.0
SETTLED_SECONDS = 0.4
"""How long a program must do next to nothing to have caught up."""

IDLE_SHARE = 0.01
"""Of a core: next to nothing."""


class NotMeasurable(Exception):
    """The system does not tell of other programs' processor time or memory (only Linux does)."""


@dataclass(frozen=True)
class Program:
    """A program that runs, serving WebSockets."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    @property
    def chargers(self) -> str:
        """Where chargers connect; their id is appended."""
        return f"ws://127.0.0.1:{self.port}/charger"

    @property
    def base(self) -> str:
        """Its MQTT base topic, where it is the proxy."""
        return f"ocpp{self.port}"

    def processor_seconds(self) -> float:
        """Processor time of all its threads so far, to the nanosecond (ticks are 10 ms). Raises NotMeasurable."""
        clock = ctypes.c_int()
        try:
            failed = ctypes.CDLL(None).clock_getcpuclockid(self.process.pid, ctypes.byref(clock))
        except AttributeError as error:
            raise NotMeasurable from error
        if failed:
            raise NotMeasurable(f"{self.name} does not run any more")
        return time.clock_gettime(clock.value)

    def memory_kib(self) -> float:
        """Resident memory. Raises NotMeasurable."""
        try:
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        except OSError as error:
            raise NotMeasurable from error
        return next(float(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    async def settle(self) -> None:
        """Wait until it has nothing left to do."""
        busy = True
        while busy:
            before = self.processor_seconds()
            await asyncio.sleep(SETTLED_SECONDS)
            busy = self.processor_seconds() - before > IDLE_SHARE * SETTLED_SECONDS


def _environment() -> dict[str, str]:
    """Ours, but modules may be kept compiled, as an installation keeps them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.contextmanager
def started(name: str, module: str, *arguments: str, port: int) -> Iterator[Program]:
    """Run a module of ours until the end of the block; it need not listen yet."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment()) as process:  # noqa: S603 (our own)
        try:
            yield Program(name, process, port)
        finally:
            process.terminate()
            process.wait(30)


def wait_listening(program: Program) -> None:
    """Return when it listens."""
    deadline = time.monotonic() + START_SECONDS
    while not answers("127.0.0.1", program.port):
        if time.monotonic() > deadline or program.process.poll() is not None:
            raise RuntimeError(f"{program.name} does not start")
        time.sleep(0.02)


@contextlib.contextmanager
def relay() -> Iterator[Program]:
    """The bare relay, a CSMS behind it."""
    port, behind = free_port(), free_port()
    with (
        started("CSMS", "tests.bench.csms", str(behind), port=behind) as csms,
        started("relay", "tests.bench.relay", str(port), f"ws://127.0.0.1:{behind}", port=port) as program,
    ):
        wait_listening(csms)
        wait_listening(program)
        yield program


@contextlib.contextmanager
def csms(*, stalled: bool = False) -> Iterator[Program]:
    """A CSMS by itself; a stalled one reads nothing after the boot."""
    port = free_port()
    words = ("stalled",) if stalled else ()
    with started("CSMS", "tests.bench.csms", str(port), *words, port=port) as program:
        wait_listening(program)
        yield program


@contextlib.contextmanager
def library() -> Iterator[Program]:
    """The CSMS on the `ocpp` package."""
    port = free_port()
    with started("ocpp library", "tests.bench.library", str(port), port=port) as program:
        wait_listening(program)
        yield program


def configured(folder: Path, broker: Started, store: Path | None = None, **more: object) -> tuple[Path, int]:
    """A configuration with everything on, the store on disk included, and `more`; its file and the port served."""
    port = free_port()
    file = folder / f"options-{port}.json"
    options = {
        "http": {"host": "127.0.0.1", "port": port},
        "database": {"path": str(store or folder / f"sessions-{port}.db")},
        "accept_unknown_chargers": True,
        "accept_unknown_backends": True,
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker.port,
            "base_topic": f"ocpp{port}",
            "discovery_prefix": f"ha{port}",
        },
        "log": {"level": "error"},
        **more,
    }
    file.write_text(json.dumps(options))
    return file, port


@contextlib.contextmanager
def starting_proxy(folder: Path, broker: Started, store: Path | None = None, **more: object) -> Iterator[Program]:
    """The whole service, which need not listen yet."""
    file, port = configured(folder, broker, store, **more)
    with started("proxy", "ocpp_mqtt_proxy", "run", "--config", str(file), port=port) as program:
        yield program


@contextlib.contextmanager
def proxy(folder: Path, broker: Started, **more: object) -> Iterator[Program]:
    """The whole service: validation, store on disk, MQTT, discovery; `more` is configured beside that."""
    with starting_proxy(folder, broker, None, **more) as program:
        wait_listening(program)
        yield program
