"""Smart charging of us, as a 1.6 charge point: a set of profiles of the CSMS's own, and what they come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.central import USUAL_SETTINGS, Central, Desk, provider, service
from tests.conformance.charger import Charger, Payload
from tests.running import running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", ["1.6"], indirect=True, scope="module"),
]

FREE = 32.0
"""What may flow where nobody limits it, in A."""

DEFAULT, MAXIMUM, TRANSACTION = "TxDefaultProfile", "ChargePointMaxProfile", "TxProfile"


def a_profile(purpose: str, limit: float = 6.0, unit: str = "A", **given: Any) -> Payload:
    start = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    schedule = {
        "startSchedule": start,
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    told = {"chargingProfileId": 41, "stackLevel": 0, "chargingProfilePurpose": purpose}
    return {**told, "chargingProfileKind": "Absolute", "chargingSchedule": schedule, **given}


async def put(desk: Desk, profile: Payload, connector: int = 1) -> str:
    asked = {"connectorId": connector, "csChargingProfiles": profile}
    return str((await desk.ask("SetChargingProfile", **asked))["status"])


async def clear(desk: Desk, **criteria: Any) -> str:
    return str((await desk.ask("ClearChargingProfile", **criteria))["status"])


async def flows(desk: Desk, connector: int = 1) -> float:
    """What may flow now, in A."""
    answer = await desk.ask("GetCompositeSchedule", connectorId=connector, duration=300, chargingRateUnit="A")
    assert (answer["status"], answer["connectorId"]) == ("Accepted", connector)
    (period,) = answer["chargingSchedule"]["chargingSchedulePeriod"]
    assert period["startPeriod"] == 0
    return float(period["limit"])


def limit(asked: Payload) -> float:
    """What a profile of ours allows the charger."""
    return float(asked["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])


async def charges(box: Charger, desk: Desk) -> int:
    """A session runs; its number at the CSMS."""
    await box.start()
    await desk.status("Charging")
    return desk.central.first + len(desk.told("StartTransaction"))


@pytest.mark.parametrize(("purpose", "connector"), [(MAXIMUM, 0), (DEFAULT, 0), (DEFAULT, 1)])
@case("16_CP_SET_PROFILE")
async def test_the_charger_is_limited_by_what_the_profile_comes_to(
    box: Charger, desk: Desk, purpose: str, connector: int
) -> None:
    assert await put(desk, a_profile(purpose), connector) == "Accepted"
    await charges(box, desk)
    await box.until("SetChargingProfile", lambda asked: limit(asked) == 6.0)
    assert await flows(desk) == 6.0


@case("16_CP_SET_PROFILE")
async def test_a_transaction_s_profile_holds_for_it_and_goes_with_it(box: Charger, desk: Desk) -> None:
    number = await charges(box, desk)
    assert await put(desk, a_profile(TRANSACTION, transactionId=number)) == "Accepted"
    asked = await box.until("SetChargingProfile", lambda asked: limit(asked) == 6.0)
    assert asked["csChargingProfiles"].get("transactionId", int(box.transaction)) == int(box.transaction)
    await box.stop()
    await desk.until("StopTransaction")
    assert await flows(desk) == FREE


@case("16_CP_SET_PROFILE")
async def test_what_is_for_nothing_that_is_there_is_rejected(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT), connector=9) == "Rejected"
    assert await put(desk, a_profile(TRANSACTION)) == "Rejected"
    assert await put(desk, a_profile(MAXIMUM), connector=1) == "Rejected"
    assert await put(desk, a_profile(DEFAULT, stackLevel=101)) == "Rejected"
    await charges(box, desk)
    assert await put(desk, a_profile(TRANSACTION, transactionId=int(box.transaction))) == "Rejected"
    assert await flows(desk) == FREE


@pytest.mark.parametrize(
    "same", [{"stackLevel": 5}, {"chargingProfileId": 42}], ids=["by its id", "by its purpose and level"]
)
@case("16_CP_SET_PROFILE")
async def test_a_profile_takes_the_place_of_another(box: Charger, desk: Desk, same: Payload) -> None:
    assert await put(desk, a_profile(DEFAULT, 6.0)) == "Accepted"
    assert await put(desk, a_profile(DEFAULT, 10.0, **same)) == "Accepted"
    assert await flows(desk) == 10.0
    second = {"chargingProfileId": 41, "stackLevel": 0, **same}
    assert await clear(desk, id=second["chargingProfileId"]) == "Accepted"
    assert await flows(desk) == FREE


@case("16_CP_SET_PROFILE")
async def test_a_profile_in_watts_is_kept_to_in_amperes(box: Charger, desk: Desk) -> None:
    """Both units are allowed for a service, whatever the charger takes."""
    (told,) = (await desk.ask("GetConfiguration", key=["ChargingScheduleAllowedChargingRateUnit"]))["configurationKey"]
    assert told["value"] == "Current,Power"
    assert await put(desk, a_profile(DEFAULT, 10 * 3 * 230.0, "W", chargingProfileId=43)) == "Accepted"
    await charges(box, desk)
    asked = await box.until("SetChargingProfile", lambda asked: limit(asked) == 10.0)
    assert asked["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"] == "A"


@case("16_CP_SET_PROFILE")
async def test_where_the_charger_cannot_be_limited_that_is_told(box: Charger, desk: Desk) -> None:
    box.answers["SetChargingProfile"] = {"status": "NotSupported"}
    await charges(box, desk)
    assert await put(desk, a_profile(DEFAULT)) == "NotSupported"
    assert await flows(desk) == FREE


@pytest.mark.parametrize(
    "criteria",
    [{"id": 41}, {"connectorId": 1}, {"chargingProfilePurpose": DEFAULT}, {"stackLevel": 0, "connectorId": 1}, {}],
    ids=str,
)
@case("16_CP_CLEAR_PROFILE")
async def test_profiles_are_cleared(box: Charger, desk: Desk, criteria: Payload) -> None:
    await put(desk, a_profile(DEFAULT))
    assert await clear(desk, **criteria) == "Accepted"
    assert await flows(desk) == FREE


@pytest.mark.parametrize(
    "criteria", [{"id": 42}, {"connectorId": 0}, {"chargingProfilePurpose": MAXIMUM}, {"stackLevel": 3}], ids=str
)
@case("16_CP_CLEAR_PROFILE")
async def test_that_no_profile_is_meant_is_told(box: Charger, desk: Desk, criteria: Payload) -> None:
    await put(desk, a_profile(DEFAULT))
    assert await clear(desk, **criteria) == "Unknown"
    assert await flows(desk) == 6.0


@case("16_CP_COMPOSITE")
async def test_what_flows_is_the_smallest_of_all_that_have_a_say(tmp_path: Path, served: object) -> None:
    async with Central.of("1.6") as one, Central.of("1.6") as other:
        given: Payload = {
            "ocpp_services": [service(one, "first"), service(other, "second")],
            "providers": [provider("first"), provider("second")],
            "rate_limit_seconds": 0,
        }
        async with (
            running(tmp_path, None, **given) as proxy,
            Charger.at(proxy.chargers, "1.6", "CP1") as box,
        ):
            box.settings |= USUAL_SETTINGS["1.6"]
            await box.boot()
            await box.tell_status("Available")
            first, second = one.desk("CP1"), other.desk("CP1")
            for desk, amps in ((first, 16.0), (second, 10.0)):
                await desk.status("Available")
                assert await put(desk, a_profile(DEFAULT, amps)) == "Accepted"
            assert await flows(first) == await flows(second) == 10.0
            assert await clear(second) == "Accepted"
            assert await flows(first) == await flows(second) == 16.0
