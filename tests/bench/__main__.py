"""`python -m tests.bench`: every figure of speed and size that we hold ourselves to, beside its goal.

All in one run and with everything on: MQTT, the store on disk, discovery. Rounds of the proxy and of what it is
compared with take turns. Machines that are shared make noise of ±20 % and more: trust the ratios, not the times.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path

from ocpp_mqtt_proxy.demo import broker as brokers
from tests.bench import groups, ledger, limits, many, services, sharing, speed, starting, views
from tests.bench.figures import Section, summary
from tests.bench.frames import VERSIONS
from tests.bench.loop import run
from tests.bench.plan import Plan

SECTIONS: dict[str, Callable[[Plan], Awaitable[Section]]] = {
    "rtt": speed.round_trips,
    "cpu": speed.processor,
    "mqtt": views.latency,
    "flood": views.flood,
    "backends": sharing.backends,
    "relay": services.relaying,
    "services": services.mirroring,
    "memory": many.memory,
    "scale": many.scale,
    "start": starting.start,
    "ledger": ledger.ledger,
    "groups": groups.groups,
    "limits": limits.limits,
}


def _arguments() -> argparse.Namespace:
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=about, epilog=more)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="these figures alone")
    parser.add_argument("--rounds", type=int, default=5, help="of each thing, interleaved (default %(default)s)")
    parser.add_argument("--frames", type=int, default=5000, help="of readings a round (default %(default)s)")
    parser.add_argument("--chargers", type=int, default=20, help="that send (default %(default)s)")
    parser.add_argument("--many", type=int, default=1000, help="that mostly idle (default %(default)s)")
    parser.add_argument("--sessions", type=int, default=1_000_000, help="in the books (default %(default)s)")
    parser.add_argument("--version", choices=VERSIONS, default="1.6", help="of OCPP (default %(default)s)")
    return parser.parse_args()


def _machine(plan: Plan) -> str:
    packages = ("websockets", "uvloop", "aiomqtt", "ocpp", "jsonschema-rs", "orjson")
    libraries = ", ".join(f"{name} {version(name)}" for name in packages)
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    return (
        f"OCPP {plan.version}; {plan.rounds} rounds of {plan.frames} frames; {os.cpu_count()} cores; load before: {load}\n"
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {libraries}, broker {plan.broker.name}"
    )


async def _bench(plan: Plan, wanted: list[str]) -> None:
    began = time.perf_counter()
    print(f"{_machine(plan)}\nTimes on shared machines are noise; the ratios are of one run, rounds taking turns.")
    done = []
    for name in wanted:
        section = await SECTIONS[name](plan)
        section.show()
        done.append(section)
    print(f"\n{summary(done)}\n{time.perf_counter() - began:.0f} s")


def main() -> None:
    """Measure and print."""
    given = _arguments()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        broker = brokers.start(Path(folder))
        try:
            sizes = (given.rounds, given.frames, given.chargers, given.many, given.sessions)
            run(_bench(Plan(given.version, *sizes, Path(folder), broker), given.only))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
