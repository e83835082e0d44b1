"""That a transaction went on is told alike, whatever the charger's version: by its state, never by readings alone."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core.events import SessionUpdated
from ocpp_mqtt_proxy.core.model import OCCUPIED, ChargingState, Status, Version
from ocpp_mqtt_proxy.core.reports import Phase
from tests.core.yard import Yard, energy, event, meter, start, status


def states(yard: Yard) -> list[tuple[ChargingState | None, str]]:
    return [(fact.charging_state, fact.trigger) for fact in yard.told(SessionUpdated)]


def yard_16() -> Yard:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    yard.hear(start(1000, yard.now))
    return yard


def yard_201() -> Yard:
    yard = Yard(version=Version.V201)
    yard.hear(status(OCCUPIED, at=yard.now))
    yard.hear(event(Phase.STARTED, energy(1000), at=yard.now, state=ChargingState.CHARGING))
    return yard


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Status.CHARGING, ChargingState.CHARGING),
        (Status.SUSPENDED_EV, ChargingState.SUSPENDED_EV),
        (Status.SUSPENDED_EVSE, ChargingState.SUSPENDED_EVSE),
    ],
)
def test_a_1_6_transaction_is_told_of_by_its_connector_s_state(said: Status, state: ChargingState) -> None:
    yard = yard_16()
    yard.hear(status(said))
    yard.hear(status(said))
    assert states(yard) == [(state, "charging_state_changed")]


def test_a_connector_without_a_transaction_tells_of_none() -> None:
    yard = Yard()
    yard.hear(status(Status.SUSPENDED_EVSE))
    assert states(yard) == []


def test_readings_alone_are_told_as_readings() -> None:
    old, new = yard_16(), yard_201()
    old.hear(meter(energy(1500)))
    new.hear(event(Phase.UPDATED, energy(1500), trigger="meter_value_periodic", state=ChargingState.CHARGING))
    assert states(old) == states(new) == []


def test_a_state_that_comes_with_readings_is_told() -> None:
    yard = yard_201()
    suspended = ChargingState.SUSPENDED_EV
    yard.hear(event(Phase.UPDATED, energy(1500), trigger="meter_value_periodic", state=suspended))
    assert states(yard) == [(suspended, "meter_value_periodic")]


def test_a_2_x_status_is_not_told_as_a_state_of_the_transaction_again() -> None:
    yard = yard_201()
    yard.hear(event(Phase.UPDATED, trigger="charging_state_changed", state=ChargingState.SUSPENDED_EVSE))
    yard.hear(status(OCCUPIED, at=yard.now))
    assert states(yard) == [(ChargingState.SUSPENDED_EVSE, "charging_state_changed")]
