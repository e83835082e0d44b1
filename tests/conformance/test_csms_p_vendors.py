"""What vendors add: messages and fields of their own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import CARD, Charger, now, token, wh
from tests.conformance.house import Home

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUSTOM = {"vendorId": "com.acme", "mood": {"of": ["the", "box"]}, "level": 7}


@pytest.mark.parametrize("more", [{}, {"messageId": "mood"}, {"messageId": "mood", "data": {"level": 7}}])
@case("TC_P_02_CSMS")
async def test_a_vendor_that_nobody_knows_is_told_so(charger: Charger, home: Home, more: dict[str, Any]) -> None:
    assert await charger.say("DataTransfer", vendorId="com.acme", **more) == {"status": "UnknownVendorId"}
    await home.hears("data_transfer", vendor_id="com.acme")


@case("TC_P_03_CSMS")
async def test_a_vendor_s_own_fields_are_passed_over_wherever_they_stand(charger: Charger, home: Home) -> None:
    station = {"vendorName": "Acme", "model": "Box", "customData": CUSTOM}
    booted = await charger.say("BootNotification", reason="PowerUp", chargingStation=station, customData=CUSTOM)
    assert booted["status"] == "Accepted"
    told = {"evseId": 1, "connectorId": 1, "connectorStatus": "Occupied", "customData": CUSTOM}
    assert await charger.say("StatusNotification", timestamp=now(), **told) == {}
    shown = await charger.say("Authorize", idToken={**token(CARD), "customData": CUSTOM}, customData=CUSTOM)
    assert shown["idTokenInfo"]["status"] == "Accepted"
    reading = wh(1000)
    reading[0]["customData"] = reading[0]["sampledValue"][0]["customData"] = CUSTOM
    info = {"chargingState": "Charging", "customData": CUSTOM}
    await charger.event("Started", "Authorized", idToken=token(), info=info, meterValue=reading, customData=CUSTOM)
    await home.shows("status", "charging")
    await home.shows("energy", "1")
