"""What a charger's clock shows, and what becomes of profiles that were put by a wrong idea of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from ocpp_mqtt_proxy.core import clock
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import Layer
from ocpp_mqtt_proxy.core.model import Amps, Nameplate, Status, Version
from ocpp_mqtt_proxy.core.reports import BootReported, HeartbeatReported, Report
from ocpp_mqtt_proxy.core.rules import connect
from ocpp_mqtt_proxy.core.steering import EXACT
from tests.core.yard import Yard, begin, meter, power, status

HOUR = timedelta(hours=1)
TOLD_THE_TIME = [HeartbeatReported(), BootReported(Nameplate("Acme", "Box"), "power_up")]
TIMED: dict[str, Callable[[datetime], Report]] = {
    "a reading": lambda at: meter(power(7000), at=at),
    "a state": lambda at: status(Status.CHARGING, at=at),
}


@pytest.fixture
def yard() -> Yard:
    """A charger that charges, and has three profiles of ours."""
    yard = Yard()
    held = Held(((yard.now, Amps(6)),), yard.now + HOUR / 4)
    begin(yard).held = yard.station.memory.installed = held
    yard.station.memory.safe = Amps(6)
    return yard


def reads(yard: Yard, at: datetime | None) -> None:
    """The charger tells a reading of a time by its clock."""
    yard.hear(meter(power(7000), at=at))


@pytest.mark.parametrize("told", TIMED.values(), ids=TIMED)
@pytest.mark.parametrize("error", [-HOUR, HOUR])
def test_whatever_it_tells_shows_what_time_it_has(told: Callable[[datetime], Report], error: timedelta) -> None:
    yard = Yard()
    yard.hear(told(yard.now + error))
    assert clock.error(yard.station) == error


def test_what_it_had_kept_does_not_make_its_clock_less_fast(yard: Yard) -> None:
    reads(yard, yard.now + HOUR)
    reads(yard, yard.now)
    assert clock.error(yard.station) == HOUR


def test_a_state_without_a_time_says_nothing_of_its_clock(yard: Yard) -> None:
    reads(yard, yard.now + HOUR)
    yard.hear(status(Status.CHARGING, at=None))
    assert clock.error(yard.station) == HOUR


@pytest.mark.parametrize("told", TOLD_THE_TIME, ids=["heartbeat", "boot"])
def test_once_told_the_time_it_may_have_set_its_clock(yard: Yard, told: Report) -> None:
    reads(yard, yard.now + HOUR)
    yard.hear(told)
    reads(yard, yard.now)
    assert clock.error(yard.station) == timedelta(0)


def test_one_that_comes_again_may_have_set_its_clock(yard: Yard) -> None:
    reads(yard, yard.now + HOUR)
    connect(yard.station, Version.V16, "10.0.0.1", yard.now, yard.numbers)
    reads(yard, yard.now - HOUR)
    assert clock.error(yard.station) == -HOUR


@pytest.mark.parametrize("error", [-HOUR, HOUR])
def test_what_was_put_by_another_clock_is_put_again(yard: Yard, error: timedelta) -> None:
    connect(yard.station, Version.V16, "10.0.0.1", yard.now, yard.numbers)
    (session,) = yard.station.sessions()
    reads(yard, yard.now + error)
    assert yard.station.doubted == yard.station.lost == {session.session_id, Layer.DEFAULT, Layer.BASE}


def test_seconds_harm_nothing_that_was_put(yard: Yard) -> None:
    reads(yard, yard.now + EXACT)
    assert not yard.station.doubted


def test_where_nothing_was_put_nothing_is_put_again() -> None:
    yard = Yard()
    begin(yard)
    reads(yard, yard.now + HOUR)
    assert not yard.station.doubted


def test_a_clock_that_leaps_all_the_time_costs_no_more_writes_than_flash_bears(yard: Yard) -> None:
    wear = yard.station.wear
    wear.lasting.left = wear.passing.left = 0
    wear.lasting.at = wear.passing.at = yard.now
    reads(yard, yard.now + HOUR)
    assert not yard.station.doubted
