"""Device-model variables by one name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Place, Variable
from ocpp_mqtt_proxy.ocppj.v201.variables import addressed, name_of, report, reported
from tests.ocppj.test_rpc import JSON

ADDRESSES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("OCPPCommCtrlr.HeartbeatInterval", {"name": "OCPPCommCtrlr"}, {"name": "HeartbeatInterval"}),
    (
        "OCPPCommCtrlr.MessageAttempts(TransactionEvent)",
        {"name": "OCPPCommCtrlr"},
        {"name": "MessageAttempts", "instance": "TransactionEvent"},
    ),
    ("Connector@1:2.Available", {"name": "Connector", "evse": {"id": 1, "connectorId": 2}}, {"name": "Available"}),
    ("EVSE@2.Power", {"name": "EVSE", "evse": {"id": 2}}, {"name": "Power"}),
    (
        "Cable(left)@1:1.Locked",
        {"name": "Cable", "instance": "left", "evse": {"id": 1, "connectorId": 1}},
        {"name": "Locked"},
    ),
]


@pytest.mark.parametrize(
    ("name", "component", "variable"), ADDRESSES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_name_stands_for_a_component_and_a_variable(
    name: str, component: dict[str, Any], variable: dict[str, Any]
) -> None:
    assert addressed(name) == {"component": component, "variable": variable}
    assert name_of(addressed(name)) == name


def test_a_lone_name_is_tried_as_a_component_of_that_name() -> None:
    assert addressed("LightIntensity") == {
        "component": {"name": "LightIntensity"},
        "variable": {"name": "LightIntensity"},
    }


@pytest.mark.parametrize("name", ["", "(", ".", "a.b.c(", "@1", "x" * 200, "a" * 60 + "." + "b" * 60])
def test_a_name_that_is_none_still_fits(name: str) -> None:
    written = addressed(name)
    assert all(len(part["name"]) <= 50 for part in written.values() if isinstance(part, dict))


@given(name=st.text(max_size=80))
def test_any_name_can_be_asked_for(name: str) -> None:
    addressed(name)


@given(
    item=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("component", "variable", "variableAttribute", "variableCharacteristics"), JSON)
    )
)
def test_reading_a_report_never_raises(item: dict[str, Any]) -> None:
    reported(item)


def test_the_actual_value_is_the_variables() -> None:
    attributes = [{"type": "Target", "value": "1"}, {"type": "Actual", "value": "2", "mutability": "ReadOnly"}]
    assert reported({**addressed("A.b"), "variableAttribute": attributes}) == Variable("A.b", "2", True, None, "A")


def test_without_an_actual_value_the_first_counts() -> None:
    given = {**addressed("A.b"), "variableAttribute": [{"type": "MaxSet", "value": "9"}]}
    assert reported(given).value == "9"


def test_a_variable_may_have_no_value() -> None:
    assert reported({**addressed("A.b"), "variableAttribute": [{}]}).value is None
    assert reported(addressed("A.b")).value is None


@pytest.mark.parametrize(
    "variable",
    [
        Variable("A.b", "2", True, "W", "A"),
        Variable("Connector@1:1.AvailabilityState", "Available", False, None, "Connector", Place(1, 1)),
        Variable("EVSE@2.Power", None, False, None, "EVSE", Place(2)),
    ],
)
def test_a_variable_reported_is_read_back(variable: Variable) -> None:
    assert reported(report(variable)) == variable


@given(name=st.text(max_size=20), variable=st.text(max_size=20), instance=st.text(max_size=20))
def test_names_with_our_own_signs_in_them_are_told_as_they_came(name: str, variable: str, instance: str) -> None:
    """A result is about the very variable that was asked for (B06.FR.02)."""
    instances = {"instance": instance.strip()} if instance.strip() else {}
    item = {"component": {"name": name.strip()}, "variable": {"name": variable.strip(), **instances}}
    assert addressed(name_of(item)) == item
