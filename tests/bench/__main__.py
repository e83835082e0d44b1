"""`python -m tests.bench`: ratios to a bare relay, rounds interleaved. It measures and never judges."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

from ocpp_mqtt_proxy.demo import broker as brokers
from tests.bench import processes, rows
from tests.bench.figures import Figures
from tests.bench.loop import run
from tests.bench.rows import Plan


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each thing, interleaved (default %(default)s)")
    parser.add_argument("--frames", type=int, default=5000, help="of readings a round (default %(default)s)")
    parser.add_argument("--chargers", type=int, default=20, help="default %(default)s")
    parser.add_argument("--version", choices=("1.6", "2.0.1"), default="1.6", help="of OCPP (default %(default)s)")
    return parser.parse_args()


async def _measure(plan: Plan, programs: ExitStack, folder: Path) -> AsyncIterator[Figures]:
    broker = brokers.start(folder)
    programs.callback(broker.stop)
    csms = programs.enter_context(processes.csms())
    relay = programs.enter_context(processes.relay(csms))
    proxy = programs.enter_context(processes.proxy(folder, broker))
    for program in (relay, proxy):
        processes.wait_listening(program)
    yield await rows.saturated(plan, relay, proxy)
    yield await rows.single(plan, relay, proxy)
    yield await rows.flood(plan, proxy, broker)
    yield await rows.paced(plan, relay, proxy)
    yield await rows.to_mqtt(plan, proxy, broker)
    yield await rows.start_and_memory(plan, folder, csms, broker)


async def _bench(plan: Plan) -> None:
    print("Ratios of one run; of rounds side by side the median, least and greatest. Below 1 the proxy takes less.")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as programs:
        async for figures in _measure(plan, programs, Path(folder)):
            figures.show()


def main() -> None:
    """Measure and print."""
    given = _arguments()
    run(_bench(Plan(given.rounds, given.frames, given.chargers, given.version)))


if __name__ == "__main__":
    main()
