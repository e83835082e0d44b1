"""What vendors add: a service's CSMS may say what it likes, and is told who knows it."""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Desk
from tests.conformance.charger import Charger, Payload, token

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize(
        "served",
        [(version, ("transactions",)) for version in V2],
        ids=V2,
        indirect=True,
        scope="module",
    ),
]

CUSTOM = {"vendorId": "com.acme", "mood": {"of": ["the", "day"]}, "level": 7}


@pytest.mark.parametrize("more", [{}, {"messageId": "mood"}, {"messageId": "mood", "data": {"level": 7}}])
@case("TC_P_01_CS")
async def test_a_vendor_that_nobody_here_knows_is_said_to_be_unknown(box: Charger, desk: Desk, more: Payload) -> None:
    assert (await desk.ask("DataTransfer", vendorId="com.acme", **more))["status"] == "UnknownVendorId"
    assert box.asked("DataTransfer") == []


@case("TC_P_03_CS")
async def test_a_vendor_s_own_fields_are_passed_over_wherever_they_stand(box: Charger, desk: Desk) -> None:
    assert (await desk.ask("TriggerMessage", requestedMessage="Heartbeat", customData=CUSTOM))["status"] == "Accepted"
    component = {"name": "OCPPCommCtrlr", "customData": CUSTOM}
    variable = {"name": "HeartbeatInterval", "customData": CUSTOM}
    asked = {"component": component, "variable": variable, "customData": CUSTOM}
    (told,) = (await desk.ask("GetVariables", getVariableData=[asked], customData=CUSTOM))["getVariableResult"]
    assert (told["attributeStatus"], told["attributeValue"]) == ("Accepted", "300")
    card = {**token(), "customData": CUSTOM}
    start = {"idToken": card, "remoteStartId": 5, "evseId": 1, "customData": CUSTOM}
    assert (await desk.ask("RequestStartTransaction", **start))["status"] == "Accepted"
    assert (await box.until("RequestStartTransaction"))["idToken"]["idToken"] == card["idToken"]


@case("TC_P_03_CS")
async def test_a_vendor_s_own_fields_in_answers_are_passed_over(box: Charger, desk: Desk) -> None:
    desk.answers["TransactionEvent"] = lambda told: {
        "customData": CUSTOM,
        **({"idTokenInfo": {"status": "Accepted", "customData": CUSTOM}} if "idToken" in told else {}),
    }
    await box.charge()
    await box.unplug()
    await desk.event("Ended")
    assert [one["seqNo"] for one in desk.told("TransactionEvent")] == [0, 1, 2, 3]
