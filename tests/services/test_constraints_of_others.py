"""What others allow at most, as a 2.x service is shown it among its profiles (K12.FR.05)."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.model import Amps, Place, Status, Version
from ocpp_mqtt_proxy.core.reports import StatusReported
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.services.test_profiles_of_services import a_service, in_2x, set_profile

EXTERNAL = {"chargingProfilePurpose": "ChargingStationExternalConstraints"}


async def reported(out: Outstation, wanted: dict[str, Any], **given: Any) -> list[tuple[str, int, dict[str, Any]]]:
    """The profiles that are told: their source, their EVSE, and what they say."""
    out.asked.clear()
    await obey(out, "GetChargingProfiles", {"requestId": 3, "chargingProfile": wanted, **given})
    for action, part in out.asked:
        assert schema.check(out.version, action, part) is None
    parts: list[Any] = [part for _, part in out.asked]
    return [(part["chargingLimitSource"], part["evseId"], one) for part in parts for one in part["chargingProfile"]]


async def limited(out: Outstation, provider: str, amps: float) -> None:
    assert (await wishes.set_limit(out.arbitration, provider, "CP1", Amps(amps))).ok


def amps_of(told: dict[str, Any]) -> list[float]:
    return [period["limit"] for period in told["chargingSchedule"][0]["chargingSchedulePeriod"]]


@in_2x
async def test_what_another_allows_is_shown_as_the_house_s(version: Version) -> None:
    out = a_service(version)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    await limited(out, "rival", 10)
    ((source, evse, told),) = await reported(out, EXTERNAL)
    assert (source, evse, amps_of(told)) == ("EMS", 1, [10.0])
    assert told["id"] < 0
    assert (told["chargingProfileKind"], told["stackLevel"]) == ("Absolute", 0)


@in_2x
async def test_what_it_set_itself_is_not_among_it(version: Version) -> None:
    out = a_service(version)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    await set_profile(out, limit=8)
    await limited(out, "rival", 10)
    told = {source: amps_of(one) for source, _, one in await reported(out, {})}
    assert told == {"CSO": [8.0], "EMS": [10.0]}


@in_2x
async def test_the_owner_s_ceiling_is_among_it(version: Version) -> None:
    out = a_service(version)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    out.station.memory.limit = Amps(12.0)
    ((_, _, told),) = await reported(out, EXTERNAL)
    assert amps_of(told) == [12.0]


@in_2x
async def test_where_nobody_else_limits_there_is_none(version: Version) -> None:
    out = a_service(version)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    await set_profile(out)
    assert await reported(out, EXTERNAL) == []


@in_2x
@pytest.mark.parametrize(
    ("wanted", "given"),
    [({"chargingLimitSource": ["CSO"]}, {}), ({"chargingProfileId": [5]}, {}), ({"stackLevel": 4}, {})],
)
async def test_it_is_told_only_to_who_wants_it(version: Version, wanted: dict[str, Any], given: dict[str, Any]) -> None:
    out = a_service(version)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    await limited(out, "rival", 10)
    assert await reported(out, wanted, **given) == []


@in_2x
async def test_it_cannot_be_cleared(version: Version) -> None:
    out = a_service(version)
    out.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    await limited(out, "rival", 10)
    assert (await obey(out, "ClearChargingProfile", {"chargingProfileId": -1}))["status"] == "Unknown"
    assert len(await reported(out, EXTERNAL)) == 1
