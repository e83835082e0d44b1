"""A provider that may do no more than lower its own: what it lowered stays, what it had before goes."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.arbitration import Arbitration, wishes
from ocpp_mqtt_proxy.arbitration.limits import least
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from tests.fakes import FakeLink, a_charger, a_hub, an_arbitration, providers


@pytest.fixture
def arbitration() -> Arbitration:
    """One charger, and a provider whose session runs at 10 A of its own, lowered from 16."""
    hub = a_hub()
    station = a_charger(hub, FakeLink())
    session = station.connectors[1].session = Session("test-1", "CP1", 1, "7", hub.clock.now())
    session.claim("x", hub.clock.now(), station.plan.prices)
    return an_arbitration(hub, Rules(providers=providers("x")))


@pytest.fixture
async def station(arbitration: Arbitration) -> Station:
    for amps in (16, 10):
        assert (await wishes.set_limit(arbitration, "x", "CP1", Amps(amps))).ok
    return arbitration.hub.station("CP1")


def binds(arbitration: Arbitration, station: Station) -> Amps | None:
    provided = least(arbitration, station, arbitration.hub.clock.now())
    return None if provided is None else provided.amps


async def test_a_limit_that_was_lowered_in_good_times_goes_with_the_override(
    arbitration: Arbitration, station: Station
) -> None:
    assert binds(arbitration, station) == Amps(10)
    station.control.set_mode(OWNER)
    assert binds(arbitration, station) is None


async def test_a_limit_that_is_lowered_under_the_override_stays(arbitration: Arbitration, station: Station) -> None:
    station.control.set_mode(OWNER)
    assert (await wishes.set_limit(arbitration, "x", "CP1", Amps(8))).ok
    assert binds(arbitration, station) == Amps(8)
