"""A program that records sessions, to be killed or starved: `python -m tests.adapters.scribe FILE`.

It says `<session id> <transaction id>` of each session that the store has acknowledged, then ends it. With `--bytes N` no file
may grow beyond that, as on a full disk, until a line comes in.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
from pathlib import Path
from typing import Any

from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.things import a_session, an_ended_session


async def record_one(store: Store, numbers: Numbers) -> None:
    ids: dict[str, Any] = {"session_id": numbers.session(), "transaction_id": numbers.transaction()}
    await store.record([a_session(**ids), numbers])
    print(*ids.values(), flush=True)
    await store.record([an_ended_session(**ids)])


async def main(file: Path, most: int | None) -> None:
    store = Store(file)
    await store.open()
    numbers = await store.numbers()
    if most is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    while True:
        try:
            await record_one(store, numbers)
        except LedgerFailed as error:
            print("failed", error, flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--bytes", type=int)
    given = parser.parse_args()
    asyncio.run(main(given.file, given.bytes))
