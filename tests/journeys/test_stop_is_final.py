"""A charger that starts no other transaction before the cable was out: that is found out once, and then pauses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Watcher, running

AT = "charger/CP1/connector/1"


@asynccontextmanager
async def plugged_in(folder: Path, broker: Broker, version: str) -> AsyncIterator[tuple[Any, Watcher]]:
    """The service runs, and a car is plugged in at a charger; with who watches."""
    name = version.replace(".", "")
    mqtt = {"base_topic": f"finishing{name}", "discovery_prefix": f"finishing_ha{name}"}
    async with (
        Watcher.at(broker, mqtt["base_topic"], mqtt["discovery_prefix"]) as watcher,
        running(folder, broker, mqtt=mqtt) as proxy,
        independent_charger(proxy.chargers, version, "CP1") as charger,
    ):
        await charger.tell_status("Available")
        await charger.tell_status(PLUGGED[charger.version])
        await watcher.value(f"{AT}/status", "preparing")
        yield charger, watcher


async def switch(watcher: Watcher, *states: str) -> None:
    for state in states:
        await watcher.set(f"{AT}/charging", state)
        await watcher.value(f"{AT}/charging", state)


@pytest.mark.parametrize("version", CHARGERS)
async def test_a_charger_that_wants_its_cable_out_first_is_paused_from_then_on(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    async with plugged_in(tmp_path, broker, version) as (charger, watcher):
        await switch(watcher, "ON", "OFF")
        await watcher.value(f"{AT}/status", "finishing")
        await charger.show("04A1B2C3")  # after that it has heard the answer to its end
        charger.transaction = "the cable is in"  # so it refuses the next
        answer = await watcher.ask("charger/CP1/request/start")
        assert (answer["status"], answer["reason"]) == ("refused", "charger_rejected")
        assert "take it out and put it in again; from now on it is paused" in answer["message"]
        await watcher.document("charger/CP1/info", lambda info: "stop_is_final" in info["quirks"])
    async with plugged_in(tmp_path, broker, version) as (charger, watcher):
        await switch(watcher, "ON", "OFF")
        transaction = charger.transaction
        assert transaction is not None
        assert charger.meter.offered == 0
        await switch(watcher, "ON")
        assert (charger.transaction, charger.meter.offered) == (transaction, 32)
        assert charger.seen.count("start") == 1
