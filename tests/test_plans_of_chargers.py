"""What the configuration says of a charger's current, in the domain's words."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.household import plan_of
from tests.test_config import config_of


def plan(**given: Any) -> Plan:
    config = config_of(chargers=[{"id": "CP1"} | given])
    return plan_of(config.charger("CP1"), config)


def test_a_charger_is_planned_as_it_is_configured() -> None:
    made = plan(max_current=20, safe_current=8, connector_max_current={2: 16})
    assert (made.max_current, made.safe_current) == (Amps(20), Amps(8))
    assert made.max_currents == {2: Amps(16)}


@pytest.mark.parametrize("given", [{"max_current": 32}, {"max_current": 16}, {"connector_max_current": {1: 16}}])
def test_a_charger_of_which_it_is_said_what_it_bears_is_told_so(given: dict[str, Any]) -> None:
    assert plan(**given).enforced
    assert Station(ChargerMemory("CP1"), plan(**given)).limited


@pytest.mark.parametrize("given", [{}, {"name": "Garage", "safe_current": 8}, {"connector_max_current": {}}])
def test_one_of_which_nothing_is_said_is_left_alone(given: dict[str, Any]) -> None:
    assert not plan(**given).enforced
    assert not Station(ChargerMemory("CP1"), plan(**given)).limited


def test_so_is_one_that_is_not_configured() -> None:
    assert not plan_of(None, Config()).enforced


def test_a_connector_bears_what_is_said_of_it_and_else_what_the_charger_does() -> None:
    station = Station(ChargerMemory("CP1"), plan(max_current=20, connector_max_current={2: 16}))
    assert [station.ceiling_of(number) for number in (1, 2)] == [Amps(20), Amps(16)]
