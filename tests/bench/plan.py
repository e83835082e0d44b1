"""How much is measured, and what every section needs for it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ocpp_mqtt_proxy.demo.broker import Started
from tests.bench import processes
from tests.bench.frames import Script, script
from tests.bench.processes import Program


@dataclass(frozen=True)
class Plan:
    """`rounds` of each thing, interleaved; `frames` of readings a round; `chargers` that send; `many` that mostly idle.

    `sessions` that are over in the books.
    """

    version: str
    rounds: int
    frames: int
    chargers: int
    many: int
    sessions: int
    folder: Path
    broker: Started

    @property
    def script(self) -> Script:
        """What chargers say."""
        return script(self.version)

    def proxy(self, **more: object) -> AbstractContextManager[Program]:
        """A fresh proxy with everything on, and with `more` configured."""
        return processes.proxy(self.folder, self.broker, **more)
