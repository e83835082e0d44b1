"""Programs under measurement: their processor time and memory, from outside."""

from __future__ import annotations

import asyncio
import contextlib
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
SETTLED_SECONDS = 0.3
"""How long a program must do nothing to have caught up."""

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


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

    def processor_seconds(self) -> float | None:
        """Processor time used so far, in steps of a tick (10 ms); None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_kib(self) -> float | None:
        """Resident memory; None where the system does not tell."""
        try:
            lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        except OSError:
            return None
        return next((float(line.split()[1]) for line in lines if line.startswith("VmRSS")), None)

    async def settle(self) -> None:
        """Wait until it has nothing left to do."""
        before = self.processor_seconds()
        while before is not None:
            await asyncio.sleep(SETTLED_SECONDS)
            after = self.processor_seconds()
            if after is None or after - before <= 2 / TICKS:
                return
            before = after


@contextlib.contextmanager
def started(name: str, module: str, *arguments: str, port: int) -> Iterator[Program]:
    """Run a module of ours until the end of the block; it need not listen yet."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 (our own)
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
def relay(csms: Program) -> Iterator[Program]:
    """The bare relay before a CSMS."""
    port = free_port()
    with started("relay", "tests.bench.relay", str(port), f"ws://127.0.0.1:{csms.port}", port=port) as program:
        yield program


@contextlib.contextmanager
def csms() -> Iterator[Program]:
    """The CSMS that thinks of nothing."""
    port = free_port()
    with started("csms", "tests.bench.csms", str(port), port=port) as program:
        wait_listening(program)
        yield program


def configured(folder: Path, broker: Started) -> tuple[Path, int]:
    """A configuration with everything on, the store on disk included; its file and the port served."""
    port = free_port()
    file = folder / f"options-{port}.json"
    options = {
        "http": {"host": "127.0.0.1", "port": port},
        "database": {"path": str(folder / f"sessions-{port}.db")},
        "accept_unknown_chargers": True,
        "mqtt": {
            "host": "127.0.0.1",
            "port": broker.port,
            "base_topic": f"ocpp{port}",
            "discovery_prefix": f"ha{port}",
        },
        "log": {"level": "error"},
    }
    file.write_text(json.dumps(options))
    return file, port


@contextlib.contextmanager
def proxy(folder: Path, broker: Started) -> Iterator[Program]:
    """The whole service: validation, store on disk, MQTT, discovery."""
    file, port = configured(folder, broker)
    with started("proxy", "ocpp_mqtt_proxy", "run", "--config", str(file), port=port) as program:
        yield program
