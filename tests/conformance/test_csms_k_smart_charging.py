"""Smart charging: profiles that are set, replaced, cleared and read, and limits that others set."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import PLACE, Charger, Unable, now
from tests.conformance.house import Home

pytestmark = pytest.mark.asyncio(loop_scope="module")

Payload = dict[str, Any]


def profiles(charger: Charger, purpose: str = "") -> list[Payload]:
    """The requests to set a profile that came, of a purpose."""
    asked = charger.asked("SetChargingProfile")
    return [one for one in asked if purpose in ("", one["chargingProfile"]["chargingProfilePurpose"])]


def refusing(*purposes: str) -> Any:
    """A charger that takes no profiles of these purposes."""

    def answer(asked: Payload) -> Payload:
        refused = asked["chargingProfile"]["chargingProfilePurpose"] in purposes
        return {"status": "Rejected" if refused else "Accepted"}

    return answer


def is_absolute_from_now_on(profile: Payload, amps: float) -> None:
    """So much from the start on, at a time that it names (K01.FR.40)."""
    (schedule,) = profile["chargingSchedule"]
    assert profile["chargingProfileKind"] == "Absolute"
    assert schedule["startSchedule"] <= now()
    assert schedule["chargingRateUnit"] == "A"
    first = schedule["chargingSchedulePeriod"][0]
    assert (first["startPeriod"], first["limit"]) == (0, amps)


def lasts(profile: Payload) -> bool:
    """Whether it holds for good, or is over by itself."""
    return "duration" not in profile["chargingSchedule"][0]


def a_profile(purpose: str, **given: Any) -> Payload:
    """A profile of the owner's own writing."""
    period = {"startPeriod": 0, "limit": 8.0}
    schedule = {"id": 1, "chargingRateUnit": "A", "startSchedule": now(), "chargingSchedulePeriod": [period]}
    return {
        "id": 40,
        "stackLevel": 1,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
        **given,
    }


# Setting


@case("TC_K_10_CSMS")
async def test_the_owner_s_ceiling_is_the_default_of_every_transaction(charger: Charger, home: Home) -> None:
    await home.does("limit", amps=13)
    asked = profiles(charger)
    assert {(one["evseId"], one["chargingProfile"]["chargingProfilePurpose"]) for one in asked} == {
        (0, "TxDefaultProfile")
    }
    is_absolute_from_now_on(asked[-1]["chargingProfile"], 13)
    await home.sees("current_limit", "13")


@case("TC_K_10_CSMS")
async def test_below_the_ceiling_lies_what_the_charger_falls_back_to(charger: Charger, home: Home) -> None:
    await home.does("limit", amps=13)
    below, above = (asked["chargingProfile"] for asked in profiles(charger)[-2:])
    assert (below["stackLevel"], lasts(below), lasts(above)) == (above["stackLevel"] - 1, True, False)
    assert below["id"] != above["id"]
    is_absolute_from_now_on(below, 6)


@case("TC_K_01_CSMS", "TC_K_02_CSMS")
async def test_where_a_profile_of_the_transaction_is_refused_the_default_of_its_evse_holds(
    charger: Charger, home: Home
) -> None:
    charger.answers["SetChargingProfile"] = refusing("TxProfile")
    other = {"evseId": 2, "connectorId": 1, "connectorStatus": "Available"}
    await charger.say("StatusNotification", timestamp=now(), **other)
    await charger.charge()
    await home.does("pause")
    asked = profiles(charger, "TxDefaultProfile")[-1]
    assert (asked["evseId"], "transactionId" in asked["chargingProfile"]) == (1, False)
    is_absolute_from_now_on(asked["chargingProfile"], 0)
    await home.shows("charging", "OFF")


@case("TC_K_02_CSMS")
async def test_a_profile_of_a_transaction_that_does_not_run_is_told_as_refused(charger: Charger, home: Home) -> None:
    charger.answers["SetChargingProfile"] = refusing("TxProfile")
    profile = a_profile("TxProfile", chargingProfileKind="Relative", transactionId="none")
    del profile["chargingSchedule"][0]["startSchedule"]
    assert await home.call("SetChargingProfile", evseId=1, chargingProfile=profile) == {"status": "Rejected"}
    assert profiles(charger) == [{"evseId": 1, "chargingProfile": profile}]


@case("TC_K_03_CSMS")
async def test_where_no_default_is_taken_the_whole_charger_is_limited(charger: Charger, home: Home) -> None:
    charger.answers["SetChargingProfile"] = refusing("TxDefaultProfile")
    await home.does("limit", amps=8)
    asked = profiles(charger, "ChargingStationMaxProfile")[-1]
    assert asked["evseId"] == 0
    is_absolute_from_now_on(asked["chargingProfile"], 8)
    await home.sees("current_limit", "8")


@case("TC_K_04_CSMS")
async def test_a_new_ceiling_replaces_the_last_under_its_id(charger: Charger, home: Home) -> None:
    for amps in (8, 6):
        await home.does("limit", amps=amps)
    first, *_, last = (asked["chargingProfile"] for asked in profiles(charger))
    assert (first["id"], first["stackLevel"]) == (last["id"], last["stackLevel"])
    is_absolute_from_now_on(last, 6)


@case("TC_K_15_CSMS")
async def test_a_charger_that_knows_no_profiles_is_told_as_that(charger: Charger, home: Home) -> None:
    charger.answers["SetChargingProfile"] = Unable("NotSupported")
    assert await home.refused("limit", amps=10) == "not_supported"
    await home.sees("current_limit", "32")


@case("TC_K_19_CSMS")
async def test_a_profile_that_recurs_is_passed_on_as_it_is(charger: Charger, home: Home) -> None:
    profile = a_profile("TxDefaultProfile", chargingProfileKind="Recurring", recurrencyKind="Daily")
    assert await home.call("SetChargingProfile", evseId=1, chargingProfile=profile) == {"status": "Accepted"}
    assert profiles(charger) == [{"evseId": 1, "chargingProfile": profile}]


@case("TC_K_37_CSMS")
async def test_a_start_from_afar_may_bring_a_profile_of_its_own(charger: Charger, home: Home) -> None:
    await home.does("start", id_tag="GUEST", limit_amps=10)
    (asked,) = charger.asked("RequestStartTransaction")
    profile = asked["chargingProfile"]
    assert (profile["chargingProfilePurpose"], profile["chargingProfileKind"]) == ("TxProfile", "Relative")
    assert "transactionId" not in profile
    info = {"remoteStartId": asked["remoteStartId"], "chargingState": "Charging"}
    await charger.event("Started", "RemoteStart", idToken=asked["idToken"], info=info)
    await home.shows("effective_limit", "10")


@case("TC_K_60_CSMS")
async def test_a_limit_of_the_running_transaction_names_it(charger: Charger, home: Home) -> None:
    await charger.charge()
    await home.does("pause")
    asked = profiles(charger, "TxProfile")[-1]
    assert (asked["evseId"], asked["chargingProfile"]["transactionId"]) == (1, charger.transaction)
    is_absolute_from_now_on(asked["chargingProfile"], 0)
    await home.shows("effective_limit", "0")


@case("TC_K_70_CSMS")
async def test_a_ceiling_and_a_limit_of_a_transaction_stand_side_by_side(charger: Charger, home: Home) -> None:
    await home.does("limit", amps=13)
    await charger.charge()
    await home.does("pause")
    default, own = profiles(charger, "TxDefaultProfile")[-1], profiles(charger, "TxProfile")[-1]
    assert default["chargingProfile"]["id"] != own["chargingProfile"]["id"]
    for level in (1, 2):
        profile = a_profile("TxDefaultProfile", id=40 + level, stackLevel=level)
        await home.call("SetChargingProfile", evseId=1, chargingProfile=profile)
    lower, higher = (asked["chargingProfile"] for asked in profiles(charger)[-2:])
    assert (lower["id"], lower["stackLevel"], higher["id"], higher["stackLevel"]) == (41, 1, 42, 2)


# Clearing


BY_PURPOSE = {"chargingProfileCriteria": {"evseId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}}


@pytest.mark.parametrize("criteria", [{"chargingProfileId": 40}, BY_PURPOSE], ids=["id", "level and purpose"])
@case("TC_K_05_CSMS", "TC_K_06_CSMS")
async def test_a_profile_is_cleared(charger: Charger, home: Home, criteria: Payload) -> None:
    await home.call("SetChargingProfile", evseId=1, chargingProfile=a_profile("TxDefaultProfile"))
    assert await home.call("ClearChargingProfile", **criteria) == {"status": "Accepted"}
    assert charger.asked("ClearChargingProfile") == [criteria]


@case("TC_K_08_CSMS")
async def test_that_there_was_no_profile_to_clear_is_told(charger: Charger, home: Home) -> None:
    charger.answers["ClearChargingProfile"] = {"status": "Unknown"}
    assert await home.call("ClearChargingProfile", **BY_PURPOSE) == {"status": "Unknown"}
    assert charger.asked("ClearChargingProfile") == [BY_PURPOSE]


# Reading


@case("TC_K_29_CSMS")
async def test_the_profiles_of_the_whole_charger_are_asked_for_and_taken(charger: Charger, home: Home) -> None:
    await charger.charge()
    asked = {"requestId": 9, "evseId": 0, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}
    assert await home.call("GetChargingProfiles", **asked) == {"status": "Accepted"}
    assert charger.asked("GetChargingProfiles") == [asked]
    for number, more in ((40, True), (41, False)):
        told = {"requestId": 9, "chargingLimitSource": "CSO", "evseId": 1, "tbc": more}
        held = [a_profile("TxDefaultProfile", id=number)]
        assert await charger.say("ReportChargingProfiles", chargingProfile=held, **told) == {}
    await home.shows("charging", "ON")


@pytest.mark.parametrize("evse", [1, 0])
@case("TC_K_43_CSMS", "TC_K_44_CSMS")
async def test_what_profiles_come_to_is_read(charger: Charger, home: Home, evse: int) -> None:
    schedule = {
        "evseId": evse,
        "duration": 300,
        "scheduleStart": now(),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10}],
    }
    charger.answers["GetCompositeSchedule"] = {"status": "Accepted", "schedule": schedule}
    asked = {"evseId": evse, "duration": 300, "chargingRateUnit": "A"}
    assert await home.call("GetCompositeSchedule", **asked) == {"status": "Accepted", "schedule": schedule}
    assert charger.asked("GetCompositeSchedule") == [asked]


# Limits of others


@case("TC_K_48_CSMS", "TC_K_50_CSMS")
async def test_a_limit_of_the_house_s_own_is_taken_and_given_up(charger: Charger, home: Home) -> None:
    limit = {"chargingLimitSource": "EMS"}
    assert await charger.say("NotifyChargingLimit", chargingLimit=limit) == {}
    assert await charger.say("ClearedChargingLimit", chargingLimitSource="EMS") == {}
    await home.shows("status", "available")


@case("TC_K_51_CSMS")
async def test_a_limit_that_goes_in_a_transaction_lets_it_draw_more(charger: Charger, home: Home) -> None:
    await charger.charge()
    assert await charger.say("ClearedChargingLimit", chargingLimitSource="EMS", evseId=PLACE["id"]) == {}
    await charger.event("Updated", "ChargingRateChanged", info={"chargingState": "Charging"})
    await home.hears("transaction_updated", trigger="charging_rate_changed")
    await home.shows("charging", "ON")
