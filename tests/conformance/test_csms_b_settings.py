"""Provisioning: settings that are read and written, and the device model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import Charger, now
from tests.conformance.house import Home

pytestmark = pytest.mark.asyncio(loop_scope="module")

THRESHOLD = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "OfflineThreshold"}}


@case("TC_B_06_CSMS")
async def test_one_variable_is_read(charger: Charger, home: Home) -> None:
    charger.settings["OCPPCommCtrlr.OfflineThreshold"] = "60"
    result = await home.does("configuration", get=["OCPPCommCtrlr.OfflineThreshold"])
    assert {"getVariableData": [THRESHOLD]} in charger.asked("GetVariables")
    assert result["values"] == {"OCPPCommCtrlr.OfflineThreshold": "60"}


@case("TC_B_09_CSMS")
async def test_one_variable_is_written(charger: Charger, home: Home) -> None:
    result = await home.does("configuration", set={"OCPPCommCtrlr.OfflineThreshold": 123})
    assert {"setVariableData": [{**THRESHOLD, "attributeValue": "123"}]} in charger.asked("SetVariables")
    assert result["set"] == {"OCPPCommCtrlr.OfflineThreshold": "accepted"}
    assert charger.settings["OCPPCommCtrlr.OfflineThreshold"] == "123"


def variable(component: str, name: str, value: str) -> dict[str, Any]:
    """A variable as reports have it."""
    attribute = {"value": value, "type": "Actual", "mutability": "ReadWrite"}
    return {"component": {"name": component}, "variable": {"name": name}, "variableAttribute": [attribute]}


async def tell_report(charger: Charger, request_id: int, *parts: dict[str, Any]) -> None:
    """A report, a variable in each part."""
    for number, part in enumerate(parts):
        more = number + 1 < len(parts)
        told = {"requestId": request_id, "generatedAt": now(), "seqNo": number, "tbc": more, "reportData": [part]}
        assert await charger.say("NotifyReport", **told) == {}


@case("TC_B_12_CSMS")
async def test_the_inventory_of_what_can_be_configured_is_taken_in_all_its_parts(charger: Charger, home: Home) -> None:
    payload = {"requestId": 7, "reportBase": "ConfigurationInventory"}
    assert await home.call("GetBaseReport", **payload) == {"status": "Accepted"}
    assert charger.asked("GetBaseReport")[-1] == payload
    parts = [variable("AlignedDataCtrlr", name, "900") for name in ("Interval", "TxEndedInterval", "SendDuringIdle")]
    await tell_report(charger, 7, *parts)
    shown = (await home.does("configuration", get=[]))["values"]
    assert shown == {f"AlignedDataCtrlr.{part['variable']['name']}": "900" for part in parts}


@case("TC_B_13_CSMS")
async def test_the_full_inventory_is_asked_for_after_a_boot_and_taken(charger: Charger, home: Home) -> None:
    asked = await charger.until("GetBaseReport")
    assert asked["reportBase"] == "FullInventory"
    assert asked["requestId"] >= 0
    parts = [variable("OCPPCommCtrlr", "HeartbeatInterval", "300"), variable("AuthCtrlr", "Enabled", "true")]
    await tell_report(charger, asked["requestId"], *parts)
    shown = (await home.does("configuration", get=[]))["values"]
    assert shown == {"OCPPCommCtrlr.HeartbeatInterval": "300", "AuthCtrlr.Enabled": "true"}
