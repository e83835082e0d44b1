"""Variables that a service's CSMS reads and sets, as if we were the charger."""

from __future__ import annotations

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Desk
from tests.conformance.charger import Charger, Payload

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

OURS, THEIRS = ("OCPPCommCtrlr", "OfflineThreshold"), ("TxCtrlr", "EVConnectionTimeOut")
"""A variable of our link, and one of the charger's."""


def named(component: str, variable: str) -> Payload:
    return {"component": {"name": component}, "variable": {"name": variable}}


async def read(desk: Desk, component: str, variable: str) -> Payload:
    asked = named(component, variable)
    (told,) = (await desk.ask("GetVariables", getVariableData=[asked]))["getVariableResult"]
    assert {key: told[key] for key in asked} == asked
    return dict(told)


async def write(desk: Desk, component: str, variable: str, value: str) -> str:
    asked = named(component, variable)
    data = [{**asked, "attributeValue": value}]
    (told,) = (await desk.ask("SetVariables", setVariableData=data))["setVariableResult"]
    assert {key: told[key] for key in asked} == asked
    return str(told["attributeStatus"])


@pytest.mark.parametrize("name", [OURS, THEIRS], ids=["ours", "the charger's"])
@case("TC_B_06_CS")
async def test_a_variable_is_read(box: Charger, desk: Desk, name: tuple[str, str]) -> None:
    box.settings["TxCtrlr.EVConnectionTimeOut"] = "45"
    told = await read(desk, *name)
    assert told["attributeStatus"] == "Accepted"
    assert told["attributeValue"] == {OURS: "0", THEIRS: "45"}[name]


@pytest.mark.parametrize("name", [OURS, THEIRS], ids=["ours", "the charger's"])
@case("TC_B_09_CS")
async def test_a_variable_is_set(box: Charger, desk: Desk, name: tuple[str, str]) -> None:
    box.settings["TxCtrlr.EVConnectionTimeOut"] = "45"
    assert await write(desk, *name, "123") == "Accepted"
    assert (await read(desk, *name))["attributeValue"] == "123"
    assert box.settings["TxCtrlr.EVConnectionTimeOut"] == {OURS: "45", THEIRS: "123"}[name]


@pytest.mark.parametrize("value", ["-1", "soon", "1.5", ""])
@case("TC_B_11_CS")
async def test_a_value_that_makes_no_sense_is_rejected(box: Charger, desk: Desk, value: str) -> None:
    assert await write(desk, *OURS, value) == "Rejected"
    assert (await read(desk, *OURS))["attributeValue"] == "0"


@case("TC_B_11_CS")
async def test_a_value_that_the_charger_rejects_is_rejected(box: Charger, desk: Desk) -> None:
    box.settings["TxCtrlr.EVConnectionTimeOut"] = "45"
    result = {**named(*THEIRS), "attributeStatus": "Rejected"}
    box.answers["SetVariables"] = {"setVariableResult": [result]}
    assert await write(desk, *THEIRS, "-1") == "Rejected"


@case("TC_B_32_CS")
async def test_what_is_no_component_is_not_read(box: Charger, desk: Desk) -> None:
    assert (await read(desk, "NoSuchCtrlr", "Enabled"))["attributeStatus"] == "UnknownComponent"


@case("TC_B_33_CS")
async def test_what_is_no_variable_of_a_component_is_not_read(box: Charger, desk: Desk) -> None:
    assert (await read(desk, "OCPPCommCtrlr", "NoSuchThing"))["attributeStatus"] == "UnknownVariable"


def knows_not(box: Charger, word: str) -> None:
    """The charger has no such thing, and says so."""
    box.answers["SetVariables"] = lambda asked: {
        "setVariableResult": [
            {"component": one["component"], "variable": one["variable"], "attributeStatus": word}
            for one in asked["setVariableData"]
        ]
    }


@case("TC_B_35_CS")
async def test_what_is_no_component_is_not_set(box: Charger, desk: Desk) -> None:
    knows_not(box, "UnknownComponent")
    assert await write(desk, "NoSuchCtrlr", "Enabled", "true") == "UnknownComponent"


@case("TC_B_36_CS")
async def test_what_is_no_variable_of_a_component_is_not_set(box: Charger, desk: Desk) -> None:
    knows_not(box, "UnknownVariable")
    assert await write(desk, "OCPPCommCtrlr", "NoSuchThing", "1") == "UnknownVariable"
