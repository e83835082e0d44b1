"""Limits that were put on a charger at the charger itself (K12, K13)."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core.events import ChargerLimited
from ocpp_mqtt_proxy.core.external import MOST
from ocpp_mqtt_proxy.core.limits.profile import Period, Schedule
from ocpp_mqtt_proxy.core.model import STATION, Nameplate, Place, Status, Version
from ocpp_mqtt_proxy.core.reports import Acknowledged, BootReported, LimitCleared, LimitReported, StatusReported
from tests.core.yard import ONE, Yard

EVSE = Place(1)


@pytest.fixture
def yard() -> Yard:
    yard = Yard(Version.V201)
    yard.hear(StatusReported(ONE, Status.AVAILABLE))
    return yard


def allowing(*amps: float) -> Schedule:
    return Schedule(tuple(Period(60.0 * minute, one) for minute, one in enumerate(amps)))


def limits(yard: Yard) -> dict[tuple[str, int], float]:
    """The first that each allows, by source and connector."""
    return {key: profile.schedule.periods[0].limit for key, profile in yard.station.external.items()}


def test_one_is_known_until_it_is_cleared(yard: Yard) -> None:
    assert yard.hear(LimitReported(STATION, "EMS", allowing(10))).answer == Acknowledged()
    assert limits(yard) == {("EMS", 0): 10}
    assert yard.hear(LimitCleared(STATION, "EMS")).answer == Acknowledged()
    assert limits(yard) == {}
    assert len(yard.told(ChargerLimited)) == 2


def test_a_source_s_new_one_takes_the_place_of_its_last(yard: Yard) -> None:
    for amps in (10, 16):
        yard.hear(LimitReported(EVSE, "SO", allowing(amps)))
    yard.hear(LimitReported(EVSE, "EMS", allowing(20)))
    assert limits(yard) == {("SO", 1): 16, ("EMS", 1): 20}


def test_the_whole_charger_s_end_ends_those_of_its_evses(yard: Yard) -> None:
    yard.hear(LimitReported(EVSE, "SO", allowing(16)))
    yard.hear(LimitReported(STATION, "EMS", allowing(20)))
    yard.hear(LimitCleared(STATION, "SO"))
    assert limits(yard) == {("EMS", 0): 20}


def test_what_a_csms_set_is_none(yard: Yard) -> None:
    yard.hear(LimitReported(STATION, "CSO", allowing(10)))
    assert limits(yard) == {}


@pytest.mark.parametrize("schedule", [None, Schedule(()), allowing(-1), Schedule((Period(5.0, 16.0),))], ids=str)
def test_one_that_does_not_tell_what_it_allows_ends_what_was_known(yard: Yard, schedule: Schedule | None) -> None:
    yard.hear(LimitReported(STATION, "EMS", allowing(10)))
    yard.hear(LimitReported(STATION, "EMS", schedule))
    assert limits(yard) == {}


def test_a_boot_forgets_them(yard: Yard) -> None:
    yard.hear(LimitReported(STATION, "EMS", allowing(10)))
    yard.hear(BootReported(Nameplate(vendor="Alfen", model="Eve")))
    assert limits(yard) == {}
    assert len(yard.told(ChargerLimited)) == 2


def test_a_charger_that_babbles_is_not_remembered_for_ever(yard: Yard) -> None:
    for number in range(MOST + 9):
        yard.hear(LimitReported(STATION, f"source {number}", allowing(10)))
    assert len(yard.station.external) == MOST
