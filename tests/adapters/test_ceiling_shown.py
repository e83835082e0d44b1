"""The owner's ceiling is shown as the charger took it, whatever binds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.model import Amps
from tests.brokers import Broker
from tests.independent import CHARGERS, independent_charger
from tests.running import Running, Watcher, running


@pytest.fixture
async def shared(tmp_path: Path, broker: Broker) -> AsyncIterator[Running]:
    """The service with a provider that may limit."""
    async with running(tmp_path, broker, providers=[{"id": "x", "presence": "any"}]) as service:
        yield service


@pytest.mark.integration
@pytest.mark.parametrize("version", CHARGERS)
async def test_a_new_ceiling_shows_though_a_provider_allows_less(shared: Running, version: str) -> None:
    async with Watcher.on(shared) as watcher, independent_charger(shared.chargers, version, "CP1"):
        await watcher.value("charger/CP1/availability", "online")
        assert (await wishes.set_limit(shared.app.arbitration, "x", "CP1", Amps(10))).ok
        await watcher.set("charger/CP1/current_limit", 20)
        await watcher.value("charger/CP1/current_limit", "20")
