"""OCPP 1.6: we are the central system of a charge point."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.backends import provider
from tests.conformance.cases import case
from tests.conformance.charger import CARD, Charger, now
from tests.conformance.house import Home, House
from tests.conformance.judge import BLOCKED, EXPIRED, STRANGE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("judge")]

GIVEN = {"id_tags": [{"tag": CARD, "name": "Anna"}], "providers": [provider("judge")]}

Payload = dict[str, Any]


@pytest.fixture
def version() -> str:
    return "1.6"


def ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds").replace("+00:00", "Z")


async def verdict(charger: Charger, tag: str) -> str:
    """What is said of a card that is shown."""
    return str((await charger.say("Authorize", idTag=tag))["idTagInfo"]["status"])


async def begin(charger: Charger, tag: str = CARD, register: int = 1000, at: str = "") -> int:
    """A transaction begins; its id."""
    answer = await begun(charger, tag, register, at)
    assert answer["idTagInfo"]["status"] == "Accepted"
    return int(answer["transactionId"])


async def begun(charger: Charger, tag: str, register: int = 1000, at: str = "") -> Payload:
    return await charger.say("StartTransaction", connectorId=1, idTag=tag, meterStart=register, timestamp=at or now())


async def tell_register(charger: Charger, number: int | None, register: int, at: str = "") -> None:
    reading = {"timestamp": at or now(), "sampledValue": [{"value": str(register)}]}
    of = {} if number is None else {"transactionId": number}
    assert await charger.say("MeterValues", connectorId=1, meterValue=[reading], **of) == {}


async def end(charger: Charger, number: int, register: int, reason: str = "Local", at: str = "") -> None:
    told = {"transactionId": number, "meterStop": register, "timestamp": at or now(), "reason": reason}
    assert "idTagInfo" not in await charger.say("StopTransaction", **told)


async def is_over(home: Home, number: int, energy_kwh: float, reason: str = "local") -> Payload:
    ended = await home.hears("transaction_ended", transaction_id=str(number))
    assert (ended["energy_kwh"], ended["reason"]) == (energy_kwh, reason)
    await home.shows("charging", "OFF")
    return ended


# Booting and sessions


@case("16_CS_001")
async def test_a_charge_point_that_boots_is_accepted_and_heard(house: House, home: Home, charger_id: str) -> None:
    async with Charger.at(house.chargers, "1.6", charger_id) as charger:
        answer = await charger.boot()
        assert (answer["status"], answer["interval"]) == ("Accepted", 300)
        await charger.tell_status("Available")
        assert "currentTime" in await charger.say("Heartbeat")
        await home.shows("status", "available")


@case("16_CS_003")
async def test_plugged_in_first_it_charges_and_stops(charger: Charger, home: Home) -> None:
    await charger.tell_status("Preparing")
    await home.shows("plugged_in", "ON")
    assert await verdict(charger, CARD) == "Accepted"
    number = await begin(charger, register=1000)
    await charger.tell_status("Charging")
    await tell_register(charger, number, 1700)
    await home.shows("session_energy", "0.7")
    await end(charger, number, 3000)
    await charger.tell_status("Finishing")
    await is_over(home, number, 2.0)


@case("16_CS_004")
async def test_with_the_card_first_it_charges_and_stops(charger: Charger, home: Home) -> None:
    assert await verdict(charger, CARD) == "Accepted"
    await charger.tell_status("Preparing")
    number = await begin(charger, register=500)
    await charger.tell_status("Charging")
    await home.shows("charging", "ON")
    await tell_register(charger, number, 900)
    assert await verdict(charger, CARD) == "Accepted"
    await end(charger, number, 1500)
    await is_over(home, number, 1.0)


@case("16_CS_005")
async def test_unplugged_at_the_car_it_is_over(charger: Charger, home: Home) -> None:
    number = await begin(charger)
    await charger.tell_status("SuspendedEV")
    await home.shows("status", "suspended_ev")
    await end(charger, number, 1250, "EVDisconnected")
    await charger.tell_status("Available")
    await is_over(home, number, 0.25, "ev_disconnected")


# From afar


@case("16_CS_010", "16_CS_011")
async def test_started_and_stopped_from_afar(charger: Charger, home: Home) -> None:
    await charger.tell_status("Preparing")
    await home.does("start", id_tag="GUEST")
    assert charger.asked("RemoteStartTransaction") == [{"connectorId": 1, "idTag": "GUEST"}]
    assert await verdict(charger, "GUEST") == "Accepted"
    number = await begin(charger, "GUEST")
    await home.shows("session_provider", "owner")
    await home.does("stop")
    assert charger.asked("RemoteStopTransaction") == [{"transactionId": number}]
    await end(charger, number, 2000, "Remote")
    await is_over(home, number, 1.0, "remote")


@case("16_CS_012")
async def test_a_session_of_a_card_is_stopped_from_afar(charger: Charger, home: Home) -> None:
    number = await begin(charger)
    await home.does("stop", transaction_id=number)
    assert charger.asked("RemoteStopTransaction") == [{"transactionId": number}]
    await end(charger, number, 2000, "Remote")
    await is_over(home, number, 1.0, "remote")


@pytest.mark.parametrize(
    ("kind", "word", "reason"), [("hard", "Hard", "immediate_reset"), ("soft", "Soft", "soft_reset")]
)
@case("16_CS_013", "16_CS_014")
async def test_a_reset_ends_what_runs_and_the_boot_after_it_is_accepted(
    charger: Charger, home: Home, kind: str, word: str, reason: str
) -> None:
    number = await begin(charger)
    await home.does("reset", type=kind)
    assert charger.asked("Reset") == [{"type": word}]
    await end(charger, number, 2000, f"{word}Reset")
    assert (await charger.boot())["status"] == "Accepted"
    await charger.tell_status("Available")
    await is_over(home, number, 1.0, reason)


@case("16_CS_026")
async def test_a_start_that_is_rejected_leaves_no_session_and_no_accepted_card(charger: Charger, home: Home) -> None:
    charger.answers["RemoteStartTransaction"] = {"status": "Rejected"}
    assert await home.refused("start", id_tag=STRANGE) == "charger_rejected"
    assert await verdict(charger, STRANGE) == "Invalid"
    number = await begin(charger)
    await home.hears("transaction_started", transaction_id=str(number))
    assert home.heard("transaction_started") == 1


@case("16_CS_028")
async def test_a_stop_that_is_rejected_is_told_and_charging_goes_on(charger: Charger, home: Home) -> None:
    charger.answers["RemoteStopTransaction"] = {"status": "Rejected"}
    number = await begin(charger)
    assert await home.refused("stop") == "charger_rejected"
    await tell_register(charger, number, 1500)
    await home.shows("session_energy", "0.5")
    await home.shows("charging", "ON")


# Settings, messages asked for, and the rest


@case("16_CS_019")
async def test_one_setting_and_all_of_them_are_read(charger: Charger, home: Home) -> None:
    charger.settings |= {"HeartbeatInterval": "300", "ConnectionTimeOut": "60"}
    one = await home.does("configuration", get=["ConnectionTimeOut"])
    assert one["values"] == {"ConnectionTimeOut": "60"}
    assert {"key": ["ConnectionTimeOut"]} in charger.asked("GetConfiguration")
    everything = await home.does("configuration", get=[])
    assert {"HeartbeatInterval": "300", "ConnectionTimeOut": "60"}.items() <= everything["values"].items()
    assert charger.asked("GetConfiguration")[-1] in ({}, {"key": []})


@case("16_CS_021")
async def test_a_setting_is_written(charger: Charger, home: Home) -> None:
    result = await home.does("configuration", set={"ConnectionTimeOut": 90})
    assert {"key": "ConnectionTimeOut", "value": "90"} in charger.asked("ChangeConfiguration")
    assert result["set"] == {"ConnectionTimeOut": "accepted"}


@pytest.mark.parametrize(("tag", "said"), [(STRANGE, "Invalid"), (EXPIRED, "Expired"), (BLOCKED, "Blocked")])
@case("16_CS_023_1", "16_CS_023_2", "16_CS_023_3")
async def test_a_card_that_does_not_count_hears_why(charger: Charger, home: Home, tag: str, said: str) -> None:
    assert await verdict(charger, tag) == said
    await home.hears("authorization", verdict=said.lower(), by="judge")


@case("16_CS_054")
async def test_a_message_comes_when_it_is_asked_for(charger: Charger, home: Home) -> None:
    await home.does("trigger", message="meter", connector=1)
    assert {"requestedMessage": "MeterValues", "connectorId": 1} in charger.asked("TriggerMessage")
    await tell_register(charger, None, 4321)
    await home.shows("energy", "4.321")


@case("16_CS_055")
async def test_a_message_that_is_not_sent_is_told_as_that(charger: Charger, home: Home) -> None:
    charger.answers["TriggerMessage"] = {"status": "Rejected"}
    assert await home.refused("trigger", message="heartbeat") == "charger_rejected"


@case("16_CS_061")
async def test_the_cache_of_cards_is_cleared(charger: Charger, home: Home) -> None:
    await home.does("clear_cache")
    assert charger.asked("ClearCache") == [{}]
    charger.answers["ClearCache"] = {"status": "Rejected"}
    assert await home.refused("clear_cache") == "charger_rejected"


@case("16_CS_064")
async def test_vendors_data_goes_both_ways(charger: Charger, home: Home) -> None:
    charger.answers["DataTransfer"] = {"status": "Accepted", "data": "high"}
    result = await home.does("data_transfer", vendor_id="com.acme", message_id="mood", data="how?")
    assert charger.asked("DataTransfer") == [{"vendorId": "com.acme", "messageId": "mood", "data": "how?"}]
    assert result["data"] == "high"
    assert (await charger.say("DataTransfer", vendorId="com.acme", data="low"))["status"] == "UnknownVendorId"
    assert (await home.hears("data_transfer", vendor_id="com.acme"))["data"] == "low"


# Profiles


def profile_of(charger: Charger) -> Payload:
    """The last profile that was set, and where."""
    asked = charger.asked("SetChargingProfile")[-1]
    return {"connectorId": asked["connectorId"], **asked["csChargingProfiles"]}


def amps_of(profile: Payload) -> float:
    schedule = profile["chargingSchedule"]
    (period,) = schedule["chargingSchedulePeriod"]
    assert (schedule["chargingRateUnit"], period["startPeriod"]) == ("A", 0)
    return float(period["limit"])


@case("16_CS_056")
async def test_the_owner_s_ceiling_is_the_default_of_every_transaction(charger: Charger, home: Home) -> None:
    await home.does("limit", amps=13)
    profile = profile_of(charger)
    assert (profile["connectorId"], profile["chargingProfilePurpose"]) == (0, "TxDefaultProfile")
    assert "transactionId" not in profile
    assert profile["chargingProfileKind"] == "Absolute"
    assert profile["chargingSchedule"]["startSchedule"] <= now()
    assert amps_of(profile) == 13


@case("16_CS_057")
async def test_a_limit_of_a_transaction_names_it(charger: Charger, home: Home) -> None:
    number = await begin(charger)
    await charger.tell_status("Charging")
    await home.does("pause")
    profile = profile_of(charger)
    assert (profile["connectorId"], profile["chargingProfilePurpose"]) == (1, "TxProfile")
    assert (profile["transactionId"], amps_of(profile)) == (number, 0)


@case("16_CS_059")
async def test_a_start_from_afar_may_bring_a_profile_of_its_own(charger: Charger, home: Home) -> None:
    await home.does("start", id_tag="GUEST", limit_amps=10)
    profile = charger.asked("RemoteStartTransaction")[-1]["chargingProfile"]
    assert (profile["chargingProfilePurpose"], profile["chargingProfileKind"]) == ("TxProfile", "Relative")
    assert "transactionId" not in profile
    assert amps_of(profile) == 10
    await begin(charger, "GUEST")
    await home.shows("effective_limit", "10")


@case("16_CS_066")
async def test_what_profiles_come_to_is_read(charger: Charger, home: Home) -> None:
    schedule = {
        "duration": 300,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
    }
    answer = {"status": "Accepted", "connectorId": 1, "scheduleStart": now(), "chargingSchedule": schedule}
    charger.answers["GetCompositeSchedule"] = answer
    asked = {"connectorId": 1, "duration": 300, "chargingRateUnit": "A"}
    assert await home.call("GetCompositeSchedule", **asked) == answer
    assert charger.asked("GetCompositeSchedule") == [asked]


@pytest.mark.parametrize("status", ["Accepted", "Unknown"])
@case("16_CS_067")
async def test_a_profile_is_cleared_or_was_not_there(charger: Charger, home: Home, status: str) -> None:
    charger.answers["ClearChargingProfile"] = {"status": status}
    asked = {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}
    assert await home.call("ClearChargingProfile", **asked) == {"status": status}
    assert charger.asked("ClearChargingProfile") == [asked]


# What goes wrong


@case("16_CS_OFFLINE")
async def test_what_was_queued_while_it_was_away_is_a_session_of_that_time(charger: Charger, home: Home) -> None:
    number = await begin(charger, register=1000, at=ago(90))
    await tell_register(charger, number, 2000, at=ago(60))
    await end(charger, number, 4000, at=ago(30))
    ended = await is_over(home, number, 3.0)
    assert ended["duration_s"] == pytest.approx(3600, abs=2)


@case("16_CS_OFFLINE")
async def test_what_is_repeated_counts_once(charger: Charger, home: Home) -> None:
    began, over = ago(60), ago(30)
    number = await begin(charger, register=1000, at=began)
    assert await begin(charger, register=1000, at=began) == number
    for _ in range(2):
        await end(charger, number, 2000, at=over)
    assert await begin(charger, register=1000, at=began) == number
    await is_over(home, number, 1.0)
    another = await begin(charger, register=2000)
    await home.hears("transaction_started", transaction_id=str(another))
    assert (home.heard("transaction_started"), home.heard("transaction_ended")) == (2, 1)


@case("16_CS_OFFLINE")
async def test_messages_of_a_start_that_never_arrived_are_answered(charger: Charger, home: Home) -> None:
    await tell_register(charger, -1, 1500, at=ago(20))
    await end(charger, -1, 2000, at=ago(10))
    await charger.tell_status("Available")
    await home.shows("charging", "OFF")
    await home.shows("energy", "1.5")


@case("16_CS_OFFLINE")
async def test_three_losses_of_the_connection_leave_one_session(house: House, home: Home, charger_id: str) -> None:
    number = 0
    for stretch in range(4):
        async with Charger.at(house.chargers, "1.6", charger_id) as charger:
            if stretch == 0:
                await charger.boot()
                number = await begin(charger, register=1000)
            await tell_register(charger, number, 1500 + 500 * stretch)
            if stretch == 3:
                await end(charger, number, 3500)
    await is_over(home, number, 2.5)
    assert (home.heard("transaction_started"), home.heard("transaction_ended")) == (1, 1)


@case("16_CS_REFUSED")
async def test_a_start_with_an_unknown_card_has_an_id_and_is_refused(charger: Charger, home: Home) -> None:
    answer = await begun(charger, STRANGE)
    assert answer["idTagInfo"]["status"] == "Invalid"
    number = answer["transactionId"]
    assert number > 0
    await end(charger, number, 1000, "DeAuthorized")
    await is_over(home, number, 0.0, "deauthorized")


@case("16_CS_POWERLOSS")
async def test_a_power_cut_s_stop_after_the_boot_ends_the_session(house: House, home: Home, charger_id: str) -> None:
    async with Charger.at(house.chargers, "1.6", charger_id) as charger:
        await charger.boot()
        number = await begin(charger)
    async with Charger.at(house.chargers, "1.6", charger_id) as charger:
        assert (await charger.boot())["status"] == "Accepted"
        await end(charger, number, 1800, "PowerLoss")
        await is_over(home, number, 0.8, "power_loss")


@case("16_CS_POWERLOSS")
async def test_a_session_goes_on_after_a_power_cut_without_another_start(
    house: House, home: Home, charger_id: str
) -> None:
    async with Charger.at(house.chargers, "1.6", charger_id) as charger:
        await charger.boot()
        number = await begin(charger, register=1000)
    async with Charger.at(house.chargers, "1.6", charger_id) as charger:
        await charger.boot()
        await charger.tell_status("Charging")
        await tell_register(charger, number, 1600)
        await home.shows("session_energy", "0.6")
        await home.shows("charging", "ON")
        await end(charger, number, 2000)
        await is_over(home, number, 1.0)
        shown = json.loads(home.watcher.last[f"{home.watcher.base}/charger/{charger_id}/connector/1/session"])
        assert shown["transaction_id"] == str(number)
    assert home.heard("transaction_started") == 1
