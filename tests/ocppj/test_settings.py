"""Configuration keys and the variables that mean the same."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.ocppj.v201.variables import addressed, name_of


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
