"""Whole sessions between independent chargers and independent CSMSs, in all pairs of versions.

The package judges every frame of ours by its schemas, on both sides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.core import steering
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.independent_csms import Csms, csms_of
from tests.journeys.billing import (
    VERSIONS,
    begun,
    composite,
    greeted,
    limit,
    over,
    service,
    sessions,
    start,
    stop,
    unlimit,
)
from tests.running import running

pytestmark = pytest.mark.parametrize(("of_charger", "of_service"), list(product(CHARGERS, VERSIONS)))

BEGINS = {"1.6": "StartTransaction", "2.0.1": "TransactionEvent", "2.1": "TransactionEvent"}


@asynccontextmanager
async def billed(folder: Path, of_charger: str, of_service: str) -> AsyncIterator[tuple[Csms, Any, str]]:
    """A CSMS with authority over a charger that it has heard of. In the end no frame may have been wrong."""
    async with csms_of(of_service) as csms:
        ours = service(csms, authority=["transactions", "smart_charging"])
        async with (
            running(folder, None, ocpp_services=[ours]) as proxy,
            independent_charger(proxy.chargers, of_charger, "CP1") as charger,
        ):
            await greeted(csms)
            await charger.tell_status(PLUGGED[of_charger])
            yield csms, charger, proxy.http
        assert csms.faults == []


async def test_a_session_by_card(tmp_path: Path, of_charger: str, of_service: str) -> None:
    async with billed(tmp_path, of_charger, of_service) as (csms, charger, http):
        assert await charger.show("04A1B2C3") == "Accepted"
        await charger.begin("04A1B2C3")
        charger.meter.register += 700
        await charger.tell_meter()
        charger.meter.register += 34
        await charger.end()
        (bill,) = await over(csms)
        (ours,) = await sessions(http)
        assert (bill.energy, bill.tag, bill.whole) == (734, "04A1B2C3", True)
        assert ours["energy_kwh"] == pytest.approx(0.734)
        told = [frame[2] for frame in csms.heard if frame[0] == 2]
        assert told[0] == "BootNotification"
        assert told.index("StatusNotification") < told.index("Authorize") < told.index(BEGINS[of_service])


async def test_a_card_that_the_service_refuses_charges_nothing(
    tmp_path: Path, of_charger: str, of_service: str
) -> None:
    async with billed(tmp_path, of_charger, of_service) as (csms, charger, _):
        csms.refused_tags = {"STRANGER"}
        assert await charger.show("STRANGER") == "Invalid"
        assert await charger.show("04A1B2C3") == "Accepted"


async def test_a_session_from_afar(tmp_path: Path, of_charger: str, of_service: str) -> None:
    async with billed(tmp_path, of_charger, of_service) as (csms, charger, _):
        assert await start(csms, "REMOTE", 77) == "Accepted"
        running_there = await begun(csms)
        charger.meter.register += 500
        await charger.tell_meter()
        assert await stop(csms, running_there.id) == "Accepted"
        (bill,) = await over(csms)
        assert (bill.id, bill.tag, bill.energy) == (running_there.id, "REMOTE", 500)
        assert bill.remote_start_id == (None if of_service == "1.6" else 77)
        assert bill.whole
        assert (charger.seen.count("start"), charger.seen.count("stop")) == (1, 1)


async def test_the_current_follows_the_service_s_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_charger: str, of_service: str
) -> None:
    monkeypatch.setattr(steering, "CALM", timedelta(seconds=0.1))  # which more would wait for, and ten seconds are long
    async with billed(tmp_path, of_charger, of_service) as (csms, charger, _):
        await charger.begin()
        await begun(csms)
        assert await limit(csms, 10) == "Accepted"
        assert charger.meter.current == await composite(csms) == 10
        assert await unlimit(csms) == "Accepted"
        await charger.meter.gives(32)
        assert await unlimit(csms) == "Unknown"
