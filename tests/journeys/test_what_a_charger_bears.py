"""A charger whose `max_current` is configured: it is told so by itself, and left with its `safe_current` without us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration.limits import rebind
from ocpp_mqtt_proxy.core.commands import Outcome
from tests.brokers import Broker
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.independent_meter import Meter
from tests.independent_profiles import Profile
from tests.running import Running, Watcher, running

pytestmark = pytest.mark.parametrize("version", CHARGERS)

AT = "charger/CP1/connector/1"


class Stubborn(Meter):
    """It takes no profile."""

    def take(self, connector: int, profile: Profile, running: object) -> bool:
        return False


@asynccontextmanager
async def garage(
    folder: Path, broker: Broker, version: str, *, refuses: bool = False, **given: Any
) -> AsyncIterator[tuple[Any, Watcher, Running]]:
    """A charger that charges, of which that is configured, and what is seen of it."""
    async with (
        running(folder, broker, chargers=[{"id": "CP1"} | given]) as service,
        Watcher.on(service) as watcher,
        independent_charger(service.chargers, version, "CP1", boot=False) as charger,
    ):
        if refuses:
            charger.meter = Stubborn()
        await charger.boot()
        await charger.tell_status(PLUGGED[version])
        await charger.begin()
        await watcher.value(f"{AT}/charging", "ON")
        yield charger, watcher, service


async def follow(service: Running, *, anew: bool = False) -> Outcome:
    """Have the charger put all that it has to be put; what comes of it."""
    arbitration = service.app.arbitration
    return await rebind(arbitration, arbitration.hub.station("CP1"), anew=anew)


@pytest.mark.parametrize("given", [{"max_current": 13}, {"connector_max_current": {1: 13}}])
async def test_it_is_told_though_nobody_limits_it(
    tmp_path: Path, broker: Broker, version: str, given: dict[str, Any]
) -> None:
    async with garage(tmp_path, broker, version, **given) as (charger, watcher, _):
        await charger.meter.gives(13)
        await watcher.value(f"{AT}/effective_limit", "13")
        await watcher.value(f"{AT}/limited_by", "owner")


async def test_one_of_which_nothing_is_said_is_told_nothing(tmp_path: Path, broker: Broker, version: str) -> None:
    async with garage(tmp_path, broker, version) as (charger, _, service):
        assert (await follow(service)).ok
        assert "profile" not in charger.seen


async def test_without_us_it_falls_back_to_its_safe_current(tmp_path: Path, broker: Broker, version: str) -> None:
    async with garage(tmp_path, broker, version, max_current=16, safe_current=8) as (charger, _, service):
        assert (await follow(service)).ok
    offered = []
    for minutes in (14, 16):
        charger.meter.now = lambda later=timedelta(minutes=minutes): datetime.now(UTC) + later
        offered.append(charger.meter.offered)
    assert offered == [16, 8]


async def test_one_that_takes_no_profile_charges_on_and_that_is_said_once(
    tmp_path: Path, broker: Broker, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    async with garage(tmp_path, broker, version, refuses=True, max_current=13) as (charger, _, service):
        for _ in range(2):
            assert not (await follow(service, anew=True)).ok
        assert "stop" not in charger.seen
    assert sum("takes no limit" in record.message for record in caplog.records) == 1
