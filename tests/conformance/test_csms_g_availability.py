"""Availability: connectors and chargers that are taken out of service."""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import PLACE, Charger
from tests.conformance.house import Home

pytestmark = pytest.mark.asyncio(loop_scope="module")


@case("TC_G_03_CSMS")
async def test_one_evse_is_taken_out_of_service(charger: Charger, home: Home) -> None:
    await home.does("availability", operative=False, connector=1)
    assert charger.asked("ChangeAvailability") == [{"operationalStatus": "Inoperative", "evse": PLACE}]
    await charger.tell_status("Unavailable")
    await home.shows("status", "unavailable")
    assert await home.refused("start") == "charger_unavailable"


@case("TC_G_05_CSMS")
async def test_the_whole_charger_is_taken_out_of_service(charger: Charger, home: Home) -> None:
    await home.does("availability", operative=False)
    assert charger.asked("ChangeAvailability") == [{"operationalStatus": "Inoperative"}]
    await charger.tell_status("Unavailable")
    await home.sees("available", "OFF")
    await home.shows("status", "unavailable")


@case("TC_G_11_CSMS")
async def test_what_charges_is_taken_out_of_service_once_it_has_charged(charger: Charger, home: Home) -> None:
    charger.answers["ChangeAvailability"] = {"status": "Scheduled"}
    await charger.charge()
    result = await home.does("availability", operative=False, connector=1)
    assert result["charger_status"] == "Scheduled"
    assert charger.asked("ChangeAvailability") == [{"operationalStatus": "Inoperative", "evse": PLACE}]
    await home.shows("status", "charging")
    await charger.event("Updated", "StopAuthorized", info={"chargingState": "EVConnected"})
    await charger.unplug()
    await home.hears("transaction_ended")
    await charger.tell_status("Unavailable")
    await home.shows("status", "unavailable")
