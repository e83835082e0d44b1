"""The program's lives: begun, killed, and looked at in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.deaths import Death
from tests.program import ROOT, environment
from tests.running import PATIENCE


class Zygote:
    """The process that becomes the program."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    @contextlib.asynccontextmanager
    async def loaded(cls) -> AsyncIterator[Zygote]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.zygote", stdin=PIPE, stdout=PIPE, cwd=ROOT, env=environment()
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def order(self, document: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(document).encode() + b"\n")

    async def answer(self, word: str) -> int:
        """The number it says after a word."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = (await self._process.stdout.readline()).decode()
        said, _, number = line.strip().partition(" ")
        assert said == word, f"{line!r} instead of {word}"
        return int(number)


@dataclass
class Lives:
    """Lives of one program, one after the other."""

    zygote: Zygote
    config: Path
    pid: int | None = None

    @property
    def log(self) -> Path:
        return self.config.with_suffix(".log")

    async def begin(self, death: Death | None = None) -> None:
        arguments = ["run", "--config", str(self.config)]
        fate = death.document() if death else None
        await self.zygote.order({"arguments": arguments, "log": str(self.log), "death": fate})
        self.pid = await self.zygote.answer("born")

    async def kill(self) -> None:
        """Kill it where it is. Of no consequence where it is dead."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            await self.dead()

    async def stop(self) -> int:
        """End it as one should; its exit code."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGTERM)
        return await self.dead()

    async def dead(self) -> int:
        """Wait until it is dead; its exit code, negative where a signal killed it."""
        code = await self.zygote.answer("dead")
        self.pid = None
        return code
