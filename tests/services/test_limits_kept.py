"""Whether a charger keeps to its limits is no business of a service's: it is told of limits alone."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core.model import CURRENT, CURRENT_OFFERED, OWNER, Place, Reading, Sample, Version
from ocpp_mqtt_proxy.core.reports import MeterReported
from ocpp_mqtt_proxy.requests import Limit
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.fakes import FakeClock
from tests.services.test_constraining import LIMITED, RELEASED, charging, followed, limit, told
from tests.services.test_profiles_of_services import in_2x, set_profile


def reads(out: Outstation, measurand: str, amps: float) -> None:
    """The charger reads something a while later."""
    clock = out.hub.clock
    assert isinstance(clock, FakeClock)
    clock.pass_(seconds=15)
    sample = Sample(clock.now(), (Reading(measurand, amps, "A"),))
    out.hub.hear("CP1", MeterReported(Place(1, 1), (sample,)))


@in_2x
@pytest.mark.parametrize(("measurand", "amps", "verified"), [(CURRENT_OFFERED, 10, True), (CURRENT, 32, False)])
async def test_that_a_limit_is_kept_to_or_not_is_nothing_to_tell(
    version: Version, measurand: str, amps: float, verified: bool
) -> None:
    out, mirror = followed(version)
    await charging(out)
    await limit(out, 10)
    before = len(told(out, LIMITED)), len(told(out, RELEASED)), mirror.rates
    for _ in range(3):
        reads(out, measurand, amps)
    assert out.station.connectors[1].limit_verified is verified
    assert (len(told(out, LIMITED)), len(told(out, RELEASED)), mirror.rates) == before


@in_2x
async def test_whose_limit_it_is_is_told_though_it_is_kept_to_all_the_while(version: Version) -> None:
    out, mirror = followed(version)
    await charging(out)
    await set_profile(out, limit=10)
    reads(out, CURRENT_OFFERED, 10)
    before = mirror.rates
    assert (await out.arbitration.dispatcher.submit("CP1", Limit(amps=10))).ok
    assert (out.station.connectors[1].limited_by, out.station.connectors[1].limit_verified) == (OWNER, True)
    assert mirror.rates == before + 1
