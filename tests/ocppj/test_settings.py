"""Configuration keys and the variables that mean the same."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.ocppj.v201.variables import (
    addressed,
    asked,
    asked_name,
    attribute_of,
    name_of,
    wanted,
    wanted_name,
)


@pytest.mark.parametrize("key", settings.TO_VARIABLE)
def test_a_key_and_its_variable_are_one(key: str) -> None:
    variable = settings.variable(key)
    assert variable != key
    assert settings.key(variable) == key
    assert settings.key(key) == key
    assert settings.variable(variable) == variable


@pytest.mark.parametrize("variable", settings.TO_KEY)
def test_every_variable_can_be_addressed(variable: str) -> None:
    assert name_of(addressed(variable)) == variable


@pytest.mark.parametrize("name", ["LightIntensity", "VendorCtrlr.Beep", ""])
def test_a_name_without_a_pair_stays(name: str) -> None:
    assert settings.key(name) == settings.variable(name) == name


@pytest.mark.parametrize("attribute", ["Target", "MinSet", "MaxSet"])
@pytest.mark.parametrize("name", ["TxCtrlr.EVConnectionTimeOut", "OCPPCommCtrlr.MessageAttempts(TransactionEvent)"])
def test_an_attribute_other_than_the_value_is_asked_by_its_own_name(name: str, attribute: str) -> None:
    assert asked_name(asked(f"{name}[{attribute}]")) == f"{name}[{attribute}]"
    assert attribute_of(f"{name}[{attribute}]") == (name, attribute)


def test_the_value_itself_goes_without_saying() -> None:
    asked_for = addressed("TxCtrlr.EVConnectionTimeOut")
    assert asked("TxCtrlr.EVConnectionTimeOut") == asked_for
    assert asked_name(asked_for | {"attributeType": "Actual"}) == "TxCtrlr.EVConnectionTimeOut"


@pytest.mark.parametrize("name", ["EVSE@1", "Connector@1:1.Available", "SecurityCtrlr", "Display(Left)"])
def test_a_component_can_be_wanted_whole(name: str) -> None:
    assert wanted_name(wanted(name)) == name
