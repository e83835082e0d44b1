"""What a connector's status means (semantics §10.4)."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core.events import StatusChanged
from ocpp_mqtt_proxy.core.model import OCCUPIED, ChargingState, Status, Version
from ocpp_mqtt_proxy.core.reports import Phase
from tests.core.yard import Yard, energy, event, meter, power, start, status, stop

SAID_AS_THEY_ARE = [Status.RESERVED, Status.UNAVAILABLE, Status.FAULTED]
CHARGING, EV_CONNECTED, IDLE = ChargingState.CHARGING, ChargingState.EV_CONNECTED, ChargingState.IDLE
SUSPENDED_EV, SUSPENDED_EVSE = ChargingState.SUSPENDED_EV, ChargingState.SUSPENDED_EVSE


def a_yard() -> Yard:
    return Yard(version=Version.V201)


def in_transaction(*states: ChargingState, said: str = OCCUPIED) -> Yard:
    """A connector in a transaction that went through these states."""
    yard = a_yard()
    yard.hear(status(said))
    for number, state in enumerate(states):
        yard.hear(event(Phase.UPDATED if number else Phase.STARTED, at=yard.pass_(seconds=10), state=state))
    return yard


@pytest.mark.parametrize("said", [s for s in Status if s is not Status.UNKNOWN])
def test_what_1_6_says_is_what_it_is(said: Status) -> None:
    yard = Yard()
    yard.hear(status(said))
    assert yard.status is said


@pytest.mark.parametrize(
    ("states", "means"),
    [
        ([], Status.PREPARING),
        ([EV_CONNECTED], Status.PREPARING),
        ([CHARGING], Status.CHARGING),
        ([EV_CONNECTED, CHARGING], Status.CHARGING),
        ([SUSPENDED_EV], Status.SUSPENDED_EV),
        ([SUSPENDED_EVSE], Status.SUSPENDED_EVSE),
        ([SUSPENDED_EVSE, EV_CONNECTED], Status.PREPARING),
        ([CHARGING, EV_CONNECTED], Status.SUSPENDED_EVSE),
        ([SUSPENDED_EV, EV_CONNECTED], Status.SUSPENDED_EVSE),
        ([IDLE], Status.PREPARING),
        ([CHARGING, IDLE], Status.FINISHING),
        ([CHARGING, IDLE, CHARGING], Status.CHARGING),
    ],
)
def test_an_occupied_connector_is_told_by_its_transaction(states: list[ChargingState], means: Status) -> None:
    assert in_transaction(*states).status is means


@pytest.mark.parametrize("said", SAID_AS_THEY_ARE)
@pytest.mark.parametrize("state", ChargingState)
def test_some_states_are_what_they_are_in_a_transaction_too(said: Status, state: ChargingState) -> None:
    yard = in_transaction(state)
    yard.hear(status(said))
    assert yard.status is said


def test_a_transaction_without_a_charging_state_has_begun() -> None:
    yard = a_yard()
    yard.hear(status(OCCUPIED))
    yard.hear(event(Phase.STARTED))
    assert yard.status is Status.PREPARING


def test_an_event_without_a_charging_state_leaves_it_as_it_was() -> None:
    yard = in_transaction(CHARGING)
    yard.hear(event(Phase.UPDATED))
    assert yard.status is Status.CHARGING


def test_after_its_transaction_an_occupied_connector_is_finishing_until_the_cable_is_out() -> None:
    yard = in_transaction(CHARGING)
    yard.hear(event(Phase.ENDED))
    assert (yard.status, yard.connector.plugged_in) == (Status.FINISHING, True)
    yard.hear(status(Status.AVAILABLE))
    assert (yard.status, yard.connector.plugged_in) == (Status.AVAILABLE, False)
    yard.hear(status(OCCUPIED))
    assert (yard.status, yard.connector.plugged_in) == (Status.PREPARING, True)


def test_a_second_transaction_on_one_plug_in_is_no_longer_finishing() -> None:
    yard = in_transaction(CHARGING)
    yard.hear(event(Phase.ENDED))
    yard.hear(event(Phase.STARTED, tx="tx-2"))
    assert yard.status is Status.PREPARING
    assert [fact.status for fact in yard.told(StatusChanged)][-2:] == [Status.FINISHING, Status.PREPARING]


@pytest.mark.parametrize("state", [CHARGING, SUSPENDED_EV, SUSPENDED_EVSE])
@pytest.mark.parametrize("said", [Status.AVAILABLE, Status.UNKNOWN])
def test_a_connector_that_never_says_occupied_is_told_by_its_transaction(said: Status, state: ChargingState) -> None:
    yard = in_transaction(state, said=said)
    assert yard.status == state.value
    yard.hear(event(Phase.ENDED))
    assert yard.status is said


def test_a_transaction_event_may_come_before_the_status() -> None:
    yard = a_yard()
    yard.hear(status(OCCUPIED))
    yard.hear(status(Status.AVAILABLE, at=yard.pass_(minutes=1)))
    yard.hear(event(Phase.STARTED, at=yard.pass_(hours=1), state=CHARGING))
    assert yard.status is Status.CHARGING


def test_available_in_mid_transaction_means_that_the_cable_is_out() -> None:
    yard = in_transaction(CHARGING)
    yard.hear(status(Status.AVAILABLE, at=yard.pass_(minutes=1)))
    assert (yard.status, yard.connector.plugged_in) == (Status.AVAILABLE, False)


def test_a_car_that_is_not_plugged_in_yet_is_not_plugged_in() -> None:
    yard = in_transaction(IDLE)
    assert (yard.status, yard.connector.plugged_in) == (Status.PREPARING, False)


def test_a_status_that_follows_from_a_transaction_is_told() -> None:
    yard = in_transaction(EV_CONNECTED, CHARGING, SUSPENDED_EV)
    yard.hear(event(Phase.ENDED))
    told = [fact.status for fact in yard.told(StatusChanged)]
    assert told == [Status.PREPARING, Status.CHARGING, Status.SUSPENDED_EV, Status.FINISHING]


def test_an_older_charging_state_is_passed_over() -> None:
    yard = in_transaction(EV_CONNECTED)
    yard.hear(event(Phase.UPDATED, at=yard.pass_(minutes=2), state=CHARGING, seq_no=3))
    yard.hear(event(Phase.UPDATED, at=yard.ago(minutes=1), state=SUSPENDED_EVSE, seq_no=2))
    assert yard.status is Status.CHARGING


def test_a_fault_keeps_the_readings() -> None:
    yard = Yard()
    yard.hear(start(1000, yard.now))
    yard.hear(status(Status.CHARGING))
    yard.hear(meter(power(7000), energy(1500)))
    yard.hear(status(Status.FAULTED))
    assert yard.connector.metrics["power"] == 7000
    assert yard.lifetime == 1500
    assert yard.connector.plugged_in


@pytest.mark.parametrize("said", [Status.SUSPENDED_EV, Status.SUSPENDED_EVSE, Status.FINISHING, Status.AVAILABLE])
def test_nothing_flows_once_charging_is_said_to_be_over(said: Status) -> None:
    """Some chargers send no reading after that."""
    yard = Yard()
    number = yard.started(start(1000, yard.now)).transaction_id
    yard.hear(status(Status.CHARGING))
    yard.hear(meter(power(7000), power(7000, phase="L1"), energy(1500), of=number))
    yard.hear(status(said))
    if said is Status.AVAILABLE:
        yard.hear(stop(number, 1500))
    assert (yard.connector.value("power"), yard.connector.value("power_l1")) == (0, 0)
    assert yard.lifetime == 1500


def test_a_car_that_still_draws_a_little_while_suspended_is_shown_so() -> None:
    yard = Yard()
    number = yard.started(start(1000, yard.now)).transaction_id
    yard.hear(status(Status.SUSPENDED_EV))
    yard.hear(meter(power(40), of=number))
    yard.hear(status(Status.SUSPENDED_EV, info="still"))
    assert yard.connector.value("power") == 40


def test_nothing_flows_after_a_stop() -> None:
    yard = Yard()
    number = yard.started(start(1000, yard.now)).transaction_id
    yard.hear(status(Status.CHARGING))
    yard.hear(meter(power(7000), of=number))
    yard.hear(stop(number, 1500))
    assert yard.connector.value("power") == 0


def test_closing_readings_of_an_ended_session_are_not_live() -> None:
    yard = Yard()
    number = yard.started(start(1000, yard.now)).transaction_id
    yard.hear(stop(number, 1500))
    yard.hear(status(Status.FINISHING))
    yard.hear(meter(power(7000), energy(1510), of=number))
    assert yard.connector.value("power") == 0
    assert yard.lifetime == 1510
    assert yard.sessions[0].energy == 500


@pytest.mark.parametrize("passed_over", [{"context": "Transaction.Begin"}, {"location": "Upstream"}])
def test_a_measurand_is_known_once_it_was_read_though_it_was_passed_over_before(passed_over: dict[str, str]) -> None:
    yard = Yard()
    number = yard.started(start(1000, yard.now)).transaction_id
    yard.hear(meter(power(7000, **passed_over), of=number))
    assert "power" not in yard.station.memory.measurands
    yard.hear(meter(power(7000), of=number))
    assert "power" in yard.station.memory.measurands


def test_readings_upstream_of_the_charger_are_not_what_flows_through_it() -> None:
    yard = Yard()
    number = yard.started(start(1000, yard.now)).transaction_id
    yard.hear(meter(power(7000), energy(1500), of=number))
    yard.hear(meter(power(9000, location="Upstream"), energy(900_000, location="Upstream"), of=number))
    assert yard.connector.value("power") == 7000
    assert yard.lifetime == 1500
