"""A whole session, from an independent charger of each version to MQTT and back."""

from __future__ import annotations

import json

import pytest

from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Running, Watcher

pytestmark = pytest.mark.parametrize("version", CHARGERS)


async def test_a_charger_appears_charges_and_is_accounted(proxy: Running, watcher: Watcher, version: str) -> None:
    async with independent_charger(proxy.chargers, version, "CP1") as charger:
        await watcher.value("charger/CP1/availability", "online")
        await watcher.value("charger/CP1/connector/1/status", "available")
        await charger.tell_status(PLUGGED[version])
        await charger.begin()
        await watcher.value("charger/CP1/connector/1/charging", "ON")
        charger.meter.register += 1500
        await charger.tell_meter()
        await watcher.value("charger/CP1/connector/1/power", "11040")
        await watcher.value("charger/CP1/connector/1/session_energy", "1.5")
        charger.meter.register += 500
        await charger.end()
        ended = await watcher.document("charger/CP1/event/transaction_ended")
        assert ended["energy_kwh"] == 2.0
        session = json.loads(watcher.last[f"{proxy.base}/charger/CP1/connector/1/session"])
        assert session["energy_kwh"] == 2.0
    await watcher.value("charger/CP1/availability", "offline")
