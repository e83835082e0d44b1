"""`python -m tests.bench.profile`: where a frame's processor time goes in the service, by function.

Under cProfile by default: exact counts of calls, C functions too, but every call costs more than in life, so
many small functions look worse than they are. With `--sample` the running line is noted at each tick of the
processor clock instead: no distortion and no counts, C functions counted to the Python function that calls them.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import json
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from ocpp_mqtt_proxy.demo import broker as brokers
from tests.bench import processes
from tests.bench.chargers import fleet
from tests.bench.frames import script
from tests.bench.loop import run
from tests.bench.processes import Program
from tests.bench.services import HOUSE, SERVICES, service

SAMPLE_SECONDS = 0.001
"""Asked of the processor clock; the kernel's tick (1 to 10 ms) is the least it gives."""


@dataclass(frozen=True, slots=True)
class Row:
    """A function: seconds of its own, and how often it was called (or seen)."""

    seconds: float
    calls: int
    name: str


class Profiler(Protocol):
    """Watches the program between `start` and `stop`."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> list[Row]:
        """End; what was seen."""


class Exact:
    """Every call, by cProfile."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def start(self) -> None:
        """Begin."""
        self._profile.enable()

    def stop(self) -> list[Row]:
        """End; every function that ran."""
        self._profile.disable()
        stats = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]  # typeshed does not know it
        return [Row(own, calls, _place(*where)) for where, (_, calls, own, _, _) in stats.items()]


class Sampled:
    """The running function at each tick of processor time."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, int, str]] = Counter()
        self._began = 0.0

    def start(self) -> None:
        """Begin."""
        signal.signal(signal.SIGPROF, self._note)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
        self._began = time.process_time()

    def _note(self, _number: int, frame: FrameType | None) -> None:
        if frame is not None:
            code = frame.f_code
            self._seen[code.co_filename, code.co_firstlineno, code.co_qualname] += 1

    def stop(self) -> list[Row]:
        """End; every function that was seen, with its share of the processor time."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        each = (time.process_time() - self._began) / max(1, self._seen.total())
        return [Row(seen * each, seen, _place(*where)) for where, seen in self._seen.items()]


def _place(file: str, line: int, function: str) -> str:
    if file == "~":
        return function
    for root in sorted(sys.path, key=len, reverse=True):
        if root and file.startswith(root):
            file = file.removeprefix(root).lstrip("/")
    return f"{file}:{line} {function}"


def _room(name: str) -> str:
    """The library, or the folder of ours, that a function is of."""
    file, line, _ = name.partition(":")
    if not line or ".py" not in file:
        return "built in"
    parts = Path(file).parts
    return "/".join(parts[:-1][:3]) if parts[0] == "ocpp_mqtt_proxy" else parts[0].removesuffix(".py")


def _serve(config: str, out: str, *, sample: bool) -> int:
    """In the child: the service as it is, watched from one SIGUSR1 to the next."""
    from ocpp_mqtt_proxy.__main__ import main as program  # noqa: PLC0415 (only here is it wanted)

    profiler: Profiler = Sampled() if sample else Exact()
    signals = iter(range(2))

    def switch(_number: int, _frame: FrameType | None) -> None:
        if next(signals) == 0:
            profiler.start()
            return
        rows = [(row.seconds, row.calls, row.name) for row in profiler.stop()]
        Path(out).with_suffix(".new").write_text(json.dumps(rows))
        Path(out).with_suffix(".new").rename(out)

    signal.signal(signal.SIGUSR1, switch)
    return program(["run", "--config", config])


async def _load(given: argparse.Namespace, program: Program) -> None:
    """Warm up, then be watched while every charger sends as fast as it is answered."""
    lines = script(given.version)
    lines = replace(lines, meter=lines.transfer) if given.services == "relay" else lines
    async with fleet(program.chargers, lines, given.chargers) as charging:
        await charging.meter(max(given.chargers, given.frames // 10))
        await program.settle()
        program.process.send_signal(signal.SIGUSR1)
        await charging.meter(given.frames, pause=given.chargers / given.per_second if given.per_second else 0.0)
        await program.settle()
        program.process.send_signal(signal.SIGUSR1)


def _profile(given: argparse.Namespace, folder: Path) -> list[Row]:
    broker = brokers.start(folder)
    try:
        with contextlib.ExitStack() as stack:
            return _watched(given, folder, broker, _services(given.services, stack))
    finally:
        broker.stop()


def _services(kind: str, stack: contextlib.ExitStack) -> dict[str, Any]:
    """What to configure so that a service answers (`relay`), or five listen (`mirror`)."""
    if not kind:
        return {}
    csms = stack.enter_context(processes.csms())
    if kind == "relay":
        services = [service("billing", csms, authority=["management", "transactions"])]
    else:
        services = [service(f"mirror{number}", csms, mirror="all") for number in range(SERVICES)]
    return {"ocpp_services": services, **HOUSE}


def _watched(given: argparse.Namespace, folder: Path, broker: brokers.Started, more: dict[str, Any]) -> list[Row]:
    out = folder / "profile.json"
    config, port = processes.configured(folder, broker, **more)
    switches = ["--sample"] if given.sample else []
    command = [sys.executable, "-m", "tests.bench.profile", *switches, "--serve", str(config), str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603 (ourselves)
        try:
            program = Program("proxy", process, port)
            processes.wait_listening(program)
            run(_load(given, program))
            return _rows(out)
        finally:
            process.terminate()


def _rows(out: Path) -> list[Row]:
    deadline = time.monotonic() + processes.START_SECONDS
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return [Row(*row) for row in json.loads(out.read_text())]


def _show(rows: list[Row], given: argparse.Namespace) -> None:
    total = sum(row.seconds for row in rows)
    pace = f"{given.per_second:g} frames/s" if given.per_second else "saturated"
    what = "sampled" if given.sample else "under cProfile, which slows calls down"
    print(f"OCPP {given.version}, {given.chargers} chargers, {pace}, {given.frames} frames, {what}")
    print(f"{total / given.frames * 1e6:8.2f} µs a frame in all")
    print(f"{'own µs':>8}{'':>7}{'calls':>8}  a frame")
    for row in sorted(rows, key=lambda row: -row.seconds)[: given.top]:
        calls = "" if given.sample else f"{row.calls / given.frames:.2f}"
        print(f"{row.seconds / given.frames * 1e6:8.2f}{row.seconds / total:7.1%}{calls:>8}  {row.name}")
    _show_rooms(rows, given.frames, total)


def _show_rooms(rows: list[Row], frames: int, total: float) -> None:
    rooms: defaultdict[str, float] = defaultdict(float)
    for row in rows:
        rooms[_room(row.name)] += row.seconds
    print("by room:")
    for room, seconds in sorted(rooms.items(), key=lambda item: -item[1])[:20]:
        print(f"{seconds / frames * 1e6:8.2f}{seconds / total:7.1%}          {room}")


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("--frames", type=int, default=10_000, help="of readings (default %(default)s)")
    parser.add_argument("--chargers", type=int, default=20, help="default %(default)s")
    parser.add_argument("--per-second", type=float, help="frames in all (default: as fast as they are answered)")
    parser.add_argument("--version", default="1.6", help="of OCPP (default %(default)s)")
    parser.add_argument(
        "--services", choices=("relay", "mirror"), default="", help="one that answers, five that listen"
    )
    parser.add_argument("--top", type=int, default=45, help="functions shown (default %(default)s)")
    parser.add_argument("--sample", action="store_true", help="note the running function at each tick instead")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        raise SystemExit(_serve(*given.serve, sample=given.sample))
    with tempfile.TemporaryDirectory() as folder:
        _show(_profile(given, Path(folder)), given)


if __name__ == "__main__":
    main()
