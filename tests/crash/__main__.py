"""Kill the program at random, for as long as one likes: `python -m tests.crash [--kills N] [--seed N]`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.brokers import Broker
from tests.crash.house import House, house
from tests.crash.lives import Zygote

BETWEEN_REPORTS = 100

AT_THE_START = 0.2
"""Of all kills, how many come while the program is still starting."""

START_SECONDS = 0.4
TRAFFIC_SECONDS = (0.03, 0.35)


async def one_life(home: House) -> None:
    """Live a while and be killed."""
    random = home.random
    await home.lives.begin()
    if random.random() < AT_THE_START:
        await asyncio.sleep(random.random() * START_SECONDS)
    else:
        await home.connected()
        await asyncio.sleep(random.uniform(*TRAFFIC_SECONDS))
    await home.lives.kill()
    home.audit.after_a_kill()


def report(home: House, kills: int, began: float) -> None:
    visits = sum(len(one.visits) for one in home.chargers)
    sent, errors = sum(one.sent for one in home.chargers), sum(one.errors for one in home.chargers)
    heard = [messages for one in home.services for messages in one.heard.values()]
    repeated = sum(one.repeated for one in home.services)
    print(
        f"{kills} kills in {time.monotonic() - began:.0f} s: {visits} sessions, {home.audit.checked} checked, "
        f"{sent} messages sent, {errors} refused; {home.hearer.heard} events heard, {home.hearer.missing} missing; "
        f"{sum(map(len, heard))} told to services, {repeated} of them again; {len(home.deviations)} deviations",
        flush=True,
    )


async def main(kills: int, seed: int, per_version: int) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(Path(name)).start()
        try:
            async with (
                Zygote.loaded() as zygote,
                house(zygote, Path(name), seed, broker, per_version=per_version) as home,
            ):
                print(f"{len(home.chargers)} chargers, seed {seed}", flush=True)
                for number in range(1, kills + 1):
                    await one_life(home)
                    if number % BETWEEN_REPORTS == 0:
                        report(home, number, began)
                await home.lives.begin()
                await home.drain()
                await home.lives.stop()
                home.look()
                report(home, kills, began)
                print("\n".join(home.deviations[:50]))
                return 1 if home.deviations else 0
        finally:
            broker.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--chargers", type=int, default=2, help="of each OCPP version")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.kills, given.seed, given.chargers)))
