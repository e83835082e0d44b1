"""The program in a process of its own: to be signalled, killed, and asked for its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.brokers import Broker
from tests.running import PATIENCE, options

ROOT = Path(__file__).parents[1]


def configure(folder: Path, **given: Any) -> Path:
    file = folder / "house.json"
    file.write_text(json.dumps(given))
    return file


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


@contextlib.asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[Process]:
    """The program in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ocpp_mqtt_proxy", *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(process: Process) -> tuple[int, str, str]:
    """Exit code, output and errors of a program that ends by itself."""
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@contextlib.asynccontextmanager
async def service(folder: Path, broker: Broker, **given: Any) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """The service in a process of its own, once it serves."""
    wanted = options(folder, broker, **given)
    async with program("run", "--config", str(configure(folder, **wanted))) as process:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while b"point your charger at" not in await process.stderr.readline():
                assert process.returncode is None
        yield process, wanted
