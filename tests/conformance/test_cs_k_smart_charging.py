"""Smart charging: a service's CSMS sets, replaces, clears and reads profiles of its own, and what they come to flows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.central import V2, Central, Desk, provider, service
from tests.conformance.charger import Charger, Payload, token
from tests.running import running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

FREE = 32.0
"""What may flow where nobody limits it, in A."""

LENGTH = 300
"""Seconds that composite schedules are asked for."""

DEFAULT, MAXIMUM, TRANSACTION = "TxDefaultProfile", "ChargingStationMaxProfile", "TxProfile"

Steps = list[tuple[int, float]]


def after(seconds: float) -> str:
    """A time from now on."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_profile(purpose: str = DEFAULT, *steps: tuple[int, float], start: float = 0, **given: Any) -> Payload:
    """A profile of 6 A, or of steps of seconds and A."""
    schedule = {
        "id": 1,
        "startSchedule": after(start),
        "duration": 500,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": at, "limit": amps} for at, amps in steps or ((0, 6.0),)],
    }
    told = {"id": 41, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Absolute"}
    return {**told, "chargingSchedule": [schedule], **given}


async def put(desk: Desk, profile: Payload, evse: int = 1) -> str:
    """Set a profile; what it is answered."""
    return str((await desk.ask("SetChargingProfile", evseId=evse, chargingProfile=profile))["status"])


async def clear(desk: Desk, **criteria: Any) -> str:
    return str((await desk.ask("ClearChargingProfile", **criteria))["status"])


async def composite(desk: Desk, evse: int = 1) -> Steps:
    """What will flow: seconds and A."""
    answer = await desk.ask("GetCompositeSchedule", evseId=evse, duration=LENGTH, chargingRateUnit="A")
    assert answer["status"] == "Accepted"
    schedule = answer["schedule"]
    assert (schedule["evseId"], schedule["duration"], schedule["chargingRateUnit"]) == (evse, LENGTH, "A")
    return [(one["startPeriod"], one["limit"]) for one in schedule["chargingSchedulePeriod"]]


def about(steps: Steps, *expected: tuple[int, float]) -> bool:
    """Whether these are the steps, a little sooner or later as time goes by."""
    near = all(abs(one[0] - other[0]) <= 5 and one[1] == other[1] for one, other in zip(steps, expected, strict=False))
    return near and len(steps) == len(expected)


async def reported(desk: Desk, **asked: Any) -> list[tuple[int, Payload]]:
    """The profiles that are told, each with its EVSE."""
    number = len(desk.told("ReportChargingProfiles")) + 1
    assert await desk.ask("GetChargingProfiles", requestId=number, **asked) == {"status": "Accepted"}
    last = await desk.until("ReportChargingProfiles", lambda told: told["requestId"] == number and not told.get("tbc"))
    assert last["chargingLimitSource"] == "CSO"
    told = [one for one in desk.told("ReportChargingProfiles") if one["requestId"] == number]
    return [(part["evseId"], profile) for part in told for profile in part["chargingProfile"]]


def limit(asked: Payload) -> float:
    """What a profile of ours allows the charger at once."""
    return float(asked["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"])


async def charges(box: Charger, desk: Desk) -> str:
    """A session of the CSMS's runs; its id there."""
    await box.charge()
    told = await desk.event("Updated", "ChargingStateChanged")
    return str(told["transactionInfo"]["transactionId"])


# What is set


@pytest.mark.parametrize("evse", [1, 0])
@case("TC_K_01_CS", "TC_K_10_CS")
async def test_a_default_holds_for_what_charges_then(box: Charger, desk: Desk, evse: int) -> None:
    assert await put(desk, a_profile(DEFAULT), evse) == "Accepted"
    assert await composite(desk) == [(0, 6.0)]
    await charges(box, desk)
    assert limit(await box.until("SetChargingProfile")) == 6.0
    assert 41 not in [one["chargingProfile"]["id"] for one in box.asked("SetChargingProfile")]


@case("TC_K_28_CS")
async def test_a_default_holds_for_what_charges_already(box: Charger, desk: Desk) -> None:
    await charges(box, desk)
    assert await put(desk, a_profile(DEFAULT)) == "Accepted"
    await box.until("SetChargingProfile", lambda asked: limit(asked) == 6.0)
    assert await composite(desk) == [(0, 6.0)]


@case("TC_K_03_CS")
async def test_the_whole_charger_is_limited(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(MAXIMUM, (0, 10.0)), evse=0) == "Accepted"
    assert await composite(desk, evse=0) == await composite(desk, evse=1) == [(0, 10.0)]


@case("TC_K_04_CS")
async def test_a_profile_takes_the_place_of_the_one_of_its_id(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT, (0, 8.0))) == "Accepted"
    assert await put(desk, a_profile(DEFAULT, (0, 10.0))) == "Accepted"
    ((_, told),) = await reported(desk, evseId=1, chargingProfile={})
    assert (told["id"], told["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"]) == (41, 10.0)
    assert await composite(desk) == [(0, 10.0)]


@case("TC_K_60_CS")
async def test_a_transaction_s_profile_holds_for_it_and_goes_with_it(box: Charger, desk: Desk) -> None:
    transaction = await charges(box, desk)
    assert await put(desk, a_profile(TRANSACTION, transactionId=transaction)) == "Accepted"
    ((evse, told),) = await reported(desk, chargingProfile={"chargingProfilePurpose": TRANSACTION})
    assert (evse, told["transactionId"]) == (1, transaction)
    await box.until("SetChargingProfile", lambda asked: limit(asked) == 6.0)
    await box.unplug()
    await desk.event("Ended")
    assert await composite(desk) == [(0, FREE)]


@case("TC_K_37_CS")
async def test_a_start_brings_a_profile_for_its_transaction(box: Charger, desk: Desk) -> None:
    start = {"idToken": token(), "remoteStartId": 5, "evseId": 1, "chargingProfile": a_profile(TRANSACTION)}
    assert (await desk.ask("RequestStartTransaction", **start))["status"] == "Accepted"
    asked = await box.until("RequestStartTransaction")
    info = {"chargingState": "Charging", "remoteStartId": asked["remoteStartId"]}
    await box.event("Started", "RemoteStart", idToken=asked["idToken"], info=info)
    transaction = (await desk.event("Started"))["transactionInfo"]["transactionId"]
    ((_, told),) = await reported(desk, chargingProfile={"chargingProfilePurpose": TRANSACTION})
    assert (told["id"], told["transactionId"]) == (41, transaction)
    assert await composite(desk) == [(0, 6.0)]
    given = [limit(one) for one in [asked, *box.asked("SetChargingProfile")] if "chargingProfile" in one]
    assert given[-1] == 6.0


# What is not taken


@case("TC_K_02_CS")
async def test_a_transaction_s_profile_is_refused_where_none_runs(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(TRANSACTION, transactionId="one of before")) == "Rejected"
    assert await composite(desk) == [(0, FREE)]


@pytest.mark.parametrize(("evse", "known"), [(0, True), (1, False)], ids=["all EVSEs", "another's id"])
@case("TC_K_11_CS", "TC_K_16_CS")
async def test_a_transaction_s_profile_is_for_it_alone(box: Charger, desk: Desk, evse: int, known: bool) -> None:
    transaction = await charges(box, desk)
    profile = a_profile(TRANSACTION, transactionId=transaction if known else "another's")
    assert await put(desk, profile, evse) == "Rejected"
    assert await composite(desk) == [(0, FREE)]


@case("TC_K_14_CS", "TC_K_47_CS")
async def test_an_evse_that_is_none_has_neither_profiles_nor_a_schedule(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT), evse=9) == "Rejected"
    answer = await desk.ask("GetCompositeSchedule", evseId=9, duration=LENGTH)
    assert answer["status"] == "Rejected"


# When it holds


RECURRING = {"chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}


@case("TC_K_19_CS")
async def test_a_profile_comes_again_day_by_day(box: Charger, desk: Desk) -> None:
    yesterday = -86400 - 100
    profile = a_profile(DEFAULT, (0, 6.0), (200, 8.0), start=yesterday, **RECURRING)
    assert await put(desk, profile) == "Accepted"
    assert about(await composite(desk), (0, 6.0), (100, 8.0))


@case("TC_K_21_CS")
async def test_a_profile_holds_from_when_it_is_valid(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT, validFrom=after(100))) == "Accepted"
    assert about(await composite(desk), (0, FREE), (100, 6.0))


@case("TC_K_22_CS")
async def test_a_profile_holds_until_it_is_valid_no_more(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT, validTo=after(100))) == "Accepted"
    assert about(await composite(desk), (0, 6.0), (100, FREE))


@case("TC_K_23_CS")
async def test_a_profile_holds_from_where_its_schedule_starts(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT, start=100)) == "Accepted"
    assert about(await composite(desk), (0, FREE), (100, 6.0))


@case("TC_K_13_CS")
async def test_profiles_outlive_a_boot_of_the_charger(box: Charger, desk: Desk) -> None:
    assert await put(desk, a_profile(DEFAULT)) == "Accepted"
    await box.boot("RemoteReset")
    await box.tell_status("Available")
    await desk.until("BootNotification", number=2)
    assert [told["id"] for _, told in await reported(desk, evseId=1, chargingProfile={})] == [41]
    assert await composite(desk) == [(0, 6.0)]


@case("TC_K_13_CS")
async def test_profiles_outlive_a_restart_of_ours(served: Any, tmp_path: Path) -> None:
    async with Central.of(served.central.version) as central:
        given: Payload = {"ocpp_services": [service(central)], "providers": [provider()]}
        desk = central.desk("CP1")
        for boots in (1, 2):
            async with (
                running(tmp_path, None, **given) as one,
                Charger.at(one.chargers, central.version, "CP1") as box,
            ):
                await box.boot()
                await box.tell_status("Available")
                await desk.until("StatusNotification", number=boots)
                if boots == 1:
                    assert await put(desk, a_profile(DEFAULT)) == "Accepted"
                assert await composite(desk) == [(0, 6.0)]


# Clearing


@pytest.mark.parametrize(
    "criteria",
    [
        {"chargingProfileId": 41},
        {"chargingProfileCriteria": {"evseId": 1, "chargingProfilePurpose": DEFAULT, "stackLevel": 0}},
    ],
    ids=["id", "level and purpose"],
)
@case("TC_K_05_CS", "TC_K_06_CS")
async def test_a_profile_is_cleared(box: Charger, desk: Desk, criteria: Payload) -> None:
    await put(desk, a_profile(DEFAULT))
    assert await clear(desk, **criteria) == "Accepted"
    asked = {"requestId": 3, "chargingProfile": {}}
    assert await desk.ask("GetChargingProfiles", **asked) == {"status": "NoProfiles"}
    assert await composite(desk) == [(0, FREE)]


@case("TC_K_07_CS")
async def test_that_no_profile_is_meant_is_told(box: Charger, desk: Desk) -> None:
    await put(desk, a_profile(DEFAULT))
    criteria = {"evseId": 1, "chargingProfilePurpose": DEFAULT, "stackLevel": 7}
    assert await clear(desk, chargingProfileCriteria=criteria) == "Unknown"
    assert await composite(desk) == [(0, 6.0)]


@case("TC_K_09_CS")
async def test_what_charges_may_draw_more_once_the_default_is_cleared(box: Charger, desk: Desk) -> None:
    await put(desk, a_profile(DEFAULT))
    await charges(box, desk)
    assert await composite(desk) == [(0, 6.0)]
    limited = len(box.calls)
    assert await clear(desk, chargingProfileCriteria={"chargingProfilePurpose": DEFAULT}) == "Accepted"
    assert await composite(desk) == [(0, FREE)]
    eased = [payload for action, payload in box.calls[limited:] if action == "SetChargingProfile"]
    cleared = [payload for action, payload in box.calls[limited:] if action == "ClearChargingProfile"]
    assert cleared or limit(eased[-1]) == FREE


# Telling


@case("TC_K_29_CS", "TC_K_32_CS")
async def test_profiles_are_told_by_evse_and_by_id(box: Charger, desk: Desk) -> None:
    whole, one = a_profile(MAXIMUM, (0, 16.0), id=50), a_profile(DEFAULT, id=51)
    await put(desk, whole, evse=0)
    await put(desk, one, evse=1)
    assert await reported(desk, evseId=0, chargingProfile={"chargingProfilePurpose": MAXIMUM}) == [(0, whole)]
    assert await reported(desk, chargingProfile={"chargingProfileId": [51]}) == [(1, one)]


@case("TC_K_39_CS")
async def test_without_profiles_as_much_flows_as_may(box: Charger, desk: Desk) -> None:
    assert await composite(desk) == await composite(desk, evse=0) == [(0, FREE)]


@case("TC_K_40_CS")
async def test_the_higher_of_stacked_profiles_holds_as_long_as_it_does(box: Charger, desk: Desk) -> None:
    await put(desk, a_profile(DEFAULT, (0, 6.0), id=50))
    higher = a_profile(DEFAULT, (0, 8.0), id=51, stackLevel=1)
    higher["chargingSchedule"][0]["duration"] = 100
    await put(desk, higher)
    assert about(await composite(desk), (0, 8.0), (100, 6.0))


@case("TC_K_41_CS")
async def test_of_several_purposes_the_smallest_holds(box: Charger, desk: Desk) -> None:
    transaction = await charges(box, desk)
    await put(desk, a_profile(MAXIMUM, (0, 10.0), id=50), evse=0)
    await put(desk, a_profile(DEFAULT, (0, 6.0), id=51))
    mine = a_profile(TRANSACTION, (0, 8.0), (100, 16.0), id=52, transactionId=transaction)
    assert await put(desk, mine) == "Accepted"
    assert about(await composite(desk), (0, 8.0), (100, 10.0))


# Limits of others


@case("TC_K_52_CS")
async def test_what_others_allow_is_told_as_a_constraint_that_is_not_the_csms_s(served: Any, tmp_path: Path) -> None:
    version = served.central.version
    wanted = {"chargingProfile": {"chargingProfilePurpose": "ChargingStationExternalConstraints"}}
    async with Central.of(version) as one, Central.of(version) as other:
        given: Payload = {
            "ocpp_services": [service(one, "one"), service(other, "other")],
            "providers": [provider("one"), provider("other")],
        }
        async with running(tmp_path, None, **given) as proxy, Charger.at(proxy.chargers, version, "CP1") as box:
            await box.boot()
            await box.tell_status("Available")
            desk, elsewhere = one.desk("CP1"), other.desk("CP1")
            for each in (desk, elsewhere):
                await each.status("Available")
            assert await desk.ask("GetChargingProfiles", requestId=1, **wanted) == {"status": "NoProfiles"}
            assert await put(elsewhere, a_profile(DEFAULT, (0, 10.0))) == "Accepted"
            assert await desk.ask("GetChargingProfiles", requestId=2, **wanted) == {"status": "Accepted"}
            told = await desk.until("ReportChargingProfiles")
            assert (told["requestId"], told["chargingLimitSource"], told["evseId"]) == (2, "EMS", 1)
            (profile,) = told["chargingProfile"]
            assert profile["chargingProfilePurpose"] == "ChargingStationExternalConstraints"
            assert profile["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 10.0
            assert profile["id"] != 41
