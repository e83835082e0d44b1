"""Fuzzing by coverage (`make fuzz`): as many frames as asked for through the charger's whole path, and a report.

What breaks something is made as small as it gets and kept in `found/`, where the ordinary tests find it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ocpp_mqtt_proxy"]):
    from ocpp_mqtt_proxy.core.model import Version
    from tests.fuzz.house import House
    from tests.fuzz.inputs import Batches, read, seeds
    from tests.fuzz.memory import resident
    from tests.fuzz.mutations import FOUND, packed

MAX_INPUT = 2048
HOUSE_FRAMES = 1500
"""Frames after which a charger gets a new house: what one frame left behind may break another, for so long."""

MOST_SECONDS = 2.0
"""Processor seconds for what is sent at once; more is a charger that holds up others."""

REPLAYS = 300


class TooSlow(AssertionError):
    """It took too long."""


async def happen(house: House, batches: Batches) -> None:
    """Let it happen. Raises whatever is wrong."""
    for batch in batches:
        before = time.process_time()
        await house.say(*batch)
        if (took := time.process_time() - before) > MOST_SECONDS:
            raise TooSlow(f"{took:.1f} s")


def where(fault: BaseException) -> str:
    """What is wrong, alike for what is wrong alike."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    said = re.sub(r"[\d.,]+|'[^']*'", "_", str(fault).strip()[-400:])
    return f"{type(fault).__name__} in {Path(last.filename).name}:{last.lineno} {said[-100:]}"


@dataclass
class Fuzzer:
    """Takes inputs and counts. A fault is counted and kept, and the fuzzing goes on."""

    most: int
    frames: int = 0
    houses: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    _open: dict[Version, House] = field(default_factory=dict)
    _past: dict[Version, Batches] = field(default_factory=dict)
    _at_start: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._began = time.monotonic()

    def take(self, data: bytes) -> None:
        """One input; the end of the process after the last."""
        version, batches = read(data)
        house = self._house(version)
        self._past[version] += batches
        try:
            self._loop.run_until_complete(happen(house, batches))
            if house.frames >= HOUSE_FRAMES:
                self._close(version)
        except Exception as fault:  # noqa: BLE001 (whatever it is, it is what we look for)
            self._note(version, fault)
        self.frames += sum(not str(step).startswith("!") for batch in batches for step in batch)
        if self._at_start is None and self.frames > self.most // 20:
            self._at_start = _memory()
        if self.frames >= self.most:
            self._end()

    def _house(self, version: Version) -> House:
        house = self._open.get(version)
        if house is None:
            self.houses += 1
            house = self._open[version] = House(version, log_frames=self.houses % 4 == 0)
            self._past[version] = []
            self._loop.run_until_complete(house.__aenter__())
        return house

    def _close(self, version: Version) -> None:
        house = self._open.pop(version)
        self._loop.run_until_complete(house.__aexit__(None, None, None))

    def _note(self, version: Version, fault: Exception) -> None:
        """Count a fault; keep what led to it where it is a new one."""
        name, house = where(fault), self._open.pop(version, None)
        if house is not None:
            self._loop.run_until_complete(house.__aexit__(type(fault), fault, None))
        self.faults[name] = self.faults.get(name, 0) + 1
        if self.faults[name] == 1:
            print(f"\n{name}", file=sys.stderr)
            traceback.print_exception(fault)
            self._keep(version, name, self._smallest(version, name, self._past[version]))

    def _keep(self, version: Version, name: str, batches: Batches) -> None:
        kept = {"version": version, "was": name, "steps": [[packed(step) for step in batch] for batch in batches]}
        text = json.dumps(kept, ensure_ascii=False, indent=1)
        file = FOUND / f"new_{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
        file.write_text(text + "\n", "utf-8")
        print(f"kept as {file}", file=sys.stderr)

    # Making it small

    def _smallest(self, version: Version, name: str, batches: Batches) -> Batches:
        """What is left where nothing can be left out, as far as that can be tried: whole batches, then single steps."""
        batches = self._without(version, name, batches)
        return self._without(version, name, [[step] for batch in batches for step in batch], batches)

    def _without(self, version: Version, name: str, batches: Batches, otherwise: Batches | None = None) -> Batches:
        """As few of these batches as break it too; `otherwise` where not even all of them do."""
        if not self._breaks(version, name, batches):
            return batches if otherwise is None else otherwise
        size, tries = max(1, len(batches) // 2), 0
        while size and tries < REPLAYS:
            at = 0
            while at < len(batches) and tries < REPLAYS:
                tries += 1
                fewer = batches[:at] + batches[at + size :]
                if self._breaks(version, name, fewer):
                    batches = fewer
                else:
                    at += size
            size //= 2
        return batches

    def _breaks(self, version: Version, name: str, batches: Batches) -> bool:
        return self._loop.run_until_complete(_outcome(version, batches)) == name

    # The report

    def _end(self) -> None:
        for version in list(self._open):
            try:
                self._close(version)
            except Exception as fault:  # noqa: BLE001 (as above)
                self._note(version, fault)
        seconds = time.monotonic() - self._began
        print(
            f"frames        {self.frames:,} in {self.houses:,} houses, {seconds:.0f} s ({1e6 * seconds / self.frames:.0f} us each)"
        )
        print(f"faults        {sum(self.faults.values())}, {len(self.faults)} kinds")
        for name, count in self.faults.items():
            print(f"              {count} x {name}")
        for when, (held, objects) in (("start", self._at_start or _memory()), ("end", _memory())):
            print(f"memory        {held / 2**20:.1f} MiB, {objects:,} of Python's blocks, at the {when}", flush=True)
        os._exit(1 if self.faults else 0)


def _memory() -> tuple[int, int]:
    """Bytes resident, libFuzzer's own inputs among them, and blocks that Python has in use."""
    gc.collect()
    return resident(), sys.getallocatedblocks()


async def _outcome(version: Version, batches: Batches) -> str:
    house = House(version)
    try:
        async with house:
            await happen(house, batches)
    except Exception as fault:  # noqa: BLE001 (as above)
        return where(fault)
    return ""


def main() -> None:
    """Fuzz, in this process, until enough frames were sent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("ocpp_mqtt_proxy").setLevel(logging.INFO)
    fuzzer = Fuzzer(given.frames)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        options = [f"-seed={given.seed}", f"-max_len={MAX_INPUT}", "-rss_limit_mb=0", "-timeout=120", "-verbosity=1"]
        atheris.Setup([sys.argv[0], *options, folder], fuzzer.take)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
