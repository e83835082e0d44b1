from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownConnector
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import (
    OCCUPIED,
    STATION,
    Amps,
    ChargingState,
    Place,
    Status,
    StopReason,
    Version,
)
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import Phase
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.station import MAX_CONNECTORS, MAX_ID, Station, restore
from tests.core.yard import NOON, ONE, PRICES, TWO, Yard, energy, event, meter, start, status, stop


def a_station() -> Station:
    return Station(ChargerMemory("CP1"), Plan(max_current=Amps(20)))


def numbers(*places: Place) -> list[int]:
    """The numbers that connectors at these places get, in this order."""
    station = a_station()
    found = [station.at(place) for place in places]
    return [connector.number if connector else 0 for connector in found]


def test_connectors_of_1_6_keep_their_numbers_in_whatever_order_they_come() -> None:
    assert numbers(Place(3, 1), Place(1, 1), Place(2, 1)) == [3, 1, 2]


def test_connectors_that_share_an_evse_get_numbers_of_their_own() -> None:
    assert numbers(Place(1, 1), Place(1, 2), Place(2, 1), Place(2, 2)) == [1, 2, 3, 4]


def test_an_evse_whose_number_is_taken_gets_the_next() -> None:
    assert numbers(Place(1, 2), Place(1, 1), Place(2, 1)) == [1, 2, 3]


def test_a_place_is_the_same_connector_ever_after() -> None:
    station = a_station()
    assert station.at(Place(1, 2)) is station.at(Place(1, 2))


@pytest.mark.parametrize("connector", [None, 0])
def test_an_evse_without_a_connector_is_its_first(connector: int | None) -> None:
    assert numbers(Place(2, 1), Place(2, connector)) == [2, 2]


def test_an_evse_without_a_connector_is_the_one_known_there() -> None:
    assert numbers(Place(2, 2), Place(2)) == [1, 1]


@pytest.mark.parametrize(
    "place",
    [
        STATION,
        Place(0),
        Place(0, 1),
        Place(-1, 1),
        Place(1, -1),
        Place(MAX_ID + 1, 1),
        Place(1, MAX_ID + 1),
        Place(10**30),
    ],
)
def test_a_place_that_cannot_be_is_no_connector(place: Place) -> None:
    station = a_station()
    assert station.at(place) is None
    assert station.connectors == {}


def test_a_charger_that_babbles_gets_no_more_connectors() -> None:
    station = a_station()
    found = [station.at(Place(number, 1)) for number in range(1, MAX_CONNECTORS + 5)]
    assert found[MAX_CONNECTORS - 1] is not None
    assert found[MAX_CONNECTORS:] == [None] * 4
    assert station.at(Place(1, 1)) is found[0]


@given(st.lists(st.builds(Place, st.integers(-1, 6), st.none() | st.integers(-1, 3)), max_size=60))
def test_numbers_are_unique_positive_and_stable(places: list[Place]) -> None:
    station = a_station()
    first = {place: station.at(place) for place in places}
    assert all(station.at(place) is connector for place, connector in first.items() if place.connector)
    assert [c.number for c in station.ordered()] == sorted({c.number for c in station.connectors.values()})
    assert all(number > 0 for number in station.connectors)
    assert len({c.place for c in station.connectors.values()}) == len(station.connectors)


def test_the_sole_connector_is_made_known_where_none_was_heard_of() -> None:
    station = a_station()
    only = station.sole()
    assert only is not None
    assert (only.number, only.place) == (1, ONE)
    assert station.sole() is only


def test_of_several_connectors_none_is_the_sole_one() -> None:
    station = a_station()
    station.at(ONE), station.at(TWO)
    assert station.sole() is None


def test_an_unknown_connector_is_told_with_those_there_are() -> None:
    station = a_station()
    with pytest.raises(UnknownConnector, match="CP1 has no connector 2; it has none yet"):
        station.connector(2)
    station.at(ONE), station.at(Place(3, 1))
    with pytest.raises(UnknownConnector, match="it has 1, 3"):
        station.connector(2)
    assert station.connector(3).place == Place(3, 1)


def test_the_ceiling_is_the_plan_s_until_the_owner_sets_one() -> None:
    station = a_station()
    assert station.limit == Amps(20)
    station.memory.limit = Amps(0)
    assert station.limit == Amps(0)


def test_a_charger_is_faulted_where_any_part_of_it_is() -> None:
    yard = Yard()
    yard.hear(status(Status.AVAILABLE))
    assert not yard.station.faulted
    yard.hear(status(Status.FAULTED, TWO))
    assert yard.station.faulted


class TestAfterARestart:
    @pytest.mark.parametrize("version", Version)
    def test_a_session_that_ran_goes_on(self, version: Version) -> None:
        yard = Yard(version=version)
        begun = start(1000, yard.now) if version is Version.V16 else event(Phase.STARTED, energy(1000), at=yard.now)
        number = yard.started(begun).transaction_id
        yard.pass_(minutes=5)
        yard.hear(meter(energy(1500), of=number if version is Version.V16 else None))
        yard.restart()
        yard.pass_(minutes=5)
        ended = stop(number, 2500) if version is Version.V16 else event(Phase.ENDED, energy(2500), place=None)
        yard.hear(ended)
        (session,) = yard.sessions
        assert (session.state, session.energy) == (State.ENDED, 1500)
        assert yard.connector.session is None

    def test_a_repeated_start_is_still_known(self) -> None:
        yard = Yard()
        report = start(1000, yard.now)
        begun = yard.started(report)
        yard.restart()
        assert yard.started(report).transaction_id == begun.transaction_id
        assert len(yard.sessions) == 1

    def test_a_late_stop_still_corrects_a_close(self) -> None:
        yard = Yard()
        begun = yard.started(start(1000, yard.now))
        begun.close(yard.now, StopReason.OTHER)
        yard.restart()
        yard.pass_(hours=1)
        yard.hear(stop(begun.transaction_id, 4000))
        assert (yard.sessions[0].state, yard.sessions[0].energy) == (State.ENDED, 3000)

    def test_the_lifetime_register_goes_on(self) -> None:
        yard = Yard()
        yard.hear(meter(energy(5_000_000)))
        yard.restart()
        yard.hear(meter(energy(0)))
        yard.hear(meter(energy(5_000_100)))
        assert yard.lifetime == 5_000_100

    def test_the_last_session_is_shown(self) -> None:
        yard = Yard()
        for wh in (1000, 2000):
            yard.hear(stop(yard.started(start(wh, yard.pass_(minutes=1))).transaction_id, wh, yard.pass_(minutes=1)))
        yard.restart()
        assert yard.connector.shown_session is yard.sessions[-1]

    def test_what_a_transaction_told_is_still_shown(self) -> None:
        yard = Yard(version=Version.V201)
        yard.hear(status(OCCUPIED))
        yard.hear(event(Phase.STARTED, state=ChargingState.SUSPENDED_EV))
        yard.restart()
        assert (yard.status, yard.connector.plugged_in) == (Status.SUSPENDED_EV, True)

    def test_a_session_without_its_connector_makes_it_known(self) -> None:
        session = Session("test-1", "CP1", 2, "7", NOON)
        station = restore(ChargerMemory("CP1"), Plan(prices=PRICES), [], [session])
        assert station.connector(2).session is session
        assert station.connector(2).place == TWO


class TestReadings:
    """Live figures of a connector."""

    def a_connector(self) -> Connector:
        return Connector("CP1", 1, ONE)

    def test_nothing_is_known_before_anything_is_read(self) -> None:
        connector = self.a_connector()
        assert connector.energy is None
        assert connector.value("power") is None

    def test_a_flow_is_0_where_nothing_can_flow(self) -> None:
        connector = self.a_connector()
        connector.report(Status.AVAILABLE, NOON)
        assert (connector.value("power"), connector.value("current_l3"), connector.value("voltage")) == (0, 0, None)

    def test_counting_does_not_begin_with_a_0(self) -> None:
        """Else what the meter shows next would be energy from nowhere, or never be shown."""
        yard = Yard()
        yard.hear(meter(energy(0)))
        assert yard.connector.energy is None
        yard.hear(meter(energy(5_000_000)))
        assert yard.lifetime == 5_000_000

    def test_a_start_at_0_does_not_begin_counting_either(self) -> None:
        yard = Yard()
        yard.hear(start(0, yard.now))
        assert yard.connector.energy is None

    def test_an_older_reading_does_not_replace_a_later_one(self) -> None:
        yard = Yard()
        yard.hear(meter(energy(2000), at=yard.now))
        yard.hear(meter(energy(1000), at=yard.ago(minutes=5)))
        assert yard.connector.meter is not None
        assert yard.connector.meter.at == yard.now

    def test_a_backlog_is_not_live(self) -> None:
        yard = Yard()
        yard.hear(meter(energy(2000), at=yard.ago(hours=1)))
        assert yard.connector.meter is None
        assert yard.lifetime == 2000

    def test_a_connector_charges_unless_it_is_paused(self) -> None:
        yard = Yard()
        yard.hear(start(1000, yard.now))
        assert yard.connector.charging
        yard.connector.effective_limit = Amps(0)
        assert not yard.connector.charging


def test_a_later_time_without_sessions_changes_nothing() -> None:
    yard = Yard()
    yard.hear(status(Status.AVAILABLE))
    yard.now += timedelta(days=30)
    yard.hear(meter(energy(100)))
    assert yard.sessions == []
