"""Remote control: starts and stops from afar, and messages that are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backends import backend, provider
from tests.conformance.cases import case
from tests.conformance.charger import PLACE, Charger, now, wh
from tests.conformance.house import Home, House

pytestmark = pytest.mark.asyncio(loop_scope="module")

GIVEN = {"id_tags": [{"tag": "04A1B2C3", "name": "Anna"}], "unknown_id_tag": "reject", "providers": [provider("night")]}

GUEST = {"idToken": "GUEST", "type": "Central"}
"""No card of the house: a remote start's own is taken all the same."""


async def start(charger: Charger, home: Home) -> dict[str, Any]:
    """Start from afar, with a card of nobody's; what the charger was asked."""
    await home.does("start", id_tag="GUEST")
    asked = charger.asked("RequestStartTransaction")[-1]
    assert (asked["idToken"], asked["evseId"]) == (GUEST, 1)
    return asked


async def is_the_owner_s(charger: Charger, home: Home) -> None:
    await home.shows("transaction_id", charger.transaction)
    await home.shows("session_provider", "owner")
    await home.shows("charging", "ON")


@case("TC_F_01_CSMS")
async def test_a_remote_start_takes_up_the_transaction_of_a_car_that_is_plugged_in(
    charger: Charger, home: Home
) -> None:
    await charger.tell_status("Occupied")
    await charger.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await home.shows("transaction_id", charger.transaction)
    charger.answers["RequestStartTransaction"] = {"status": "Accepted", "transactionId": charger.transaction}
    asked = await start(charger, home)
    info = {"remoteStartId": asked["remoteStartId"]}
    answer = await charger.event("Updated", "RemoteStart", idToken=GUEST, info=info)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await home.shows("status", "charging")
    await is_the_owner_s(charger, home)
    assert home.heard("transaction_started") == 1


async def plug_in(charger: Charger, home: Home) -> None:
    """A transaction begins with the cable, and waits for a card."""
    await charger.tell_status("Occupied")
    await charger.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await home.shows("transaction_id", charger.transaction)


async def follow(charger: Charger) -> None:
    """Do what the start from afar asks, in the transaction that runs."""
    asked = await charger.until("RequestStartTransaction")
    info = {"remoteStartId": asked["remoteStartId"], "chargingState": "Charging"}
    await charger.event("Updated", "RemoteStart", idToken=asked["idToken"], info=info)


async def test_the_switch_starts_what_waits_for_a_card(charger: Charger, home: Home) -> None:
    await plug_in(charger, home)
    await home.watcher.set(f"charger/{home.charger}/connector/1/charging", "ON")
    await follow(charger)
    await is_the_owner_s(charger, home)


async def test_a_start_of_what_waits_for_a_card_may_have_a_limit(charger: Charger, home: Home) -> None:
    await plug_in(charger, home)
    await home.does("start", id_tag="GUEST", limit_amps=10)
    await follow(charger)
    await home.shows("effective_limit", "10")


async def test_a_provider_may_start_what_waits_for_a_card(house: House, charger: Charger, home: Home) -> None:
    await plug_in(charger, home)
    async with backend(house.service, "night") as night:
        await night.does("start", charger=home.charger)
        await follow(charger)
        await home.shows("session_provider", "night")
        await home.shows("status", "charging")
    assert home.heard("transaction_started") == 1


async def test_what_has_its_card_is_not_started_again(charger: Charger, home: Home) -> None:
    await charger.charge()
    await home.shows("status", "charging")
    result = await home.does("start", id_tag="GUEST")
    assert result["transaction_id"] == charger.transaction
    assert charger.asked("RequestStartTransaction") == []


@case("TC_F_01_CSMS")
async def test_a_remote_start_begins_the_transaction_of_a_car_that_is_plugged_in(charger: Charger, home: Home) -> None:
    await charger.tell_status("Occupied")
    await home.shows("status", "preparing")
    asked = await start(charger, home)
    info = {"remoteStartId": asked["remoteStartId"], "chargingState": "EVConnected"}
    answer = await charger.event("Started", "RemoteStart", idToken=GUEST, info=info)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await is_the_owner_s(charger, home)


@case("TC_F_02_CSMS")
async def test_a_charger_that_asks_about_a_remote_start_s_card_is_told_that_it_counts(
    charger: Charger, home: Home
) -> None:
    asked = await start(charger, home)
    assert (await charger.say("Authorize", idToken=GUEST))["idTokenInfo"]["status"] == "Accepted"
    info = {"remoteStartId": asked["remoteStartId"]}
    answer = await charger.event("Started", "RemoteStart", idToken=GUEST, info=info)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await charger.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await is_the_owner_s(charger, home)


@case("TC_F_03_CSMS")
async def test_a_remote_start_waits_for_the_car(charger: Charger, home: Home) -> None:
    asked = await start(charger, home)
    info = {"remoteStartId": asked["remoteStartId"]}
    answer = await charger.event("Started", "RemoteStart", idToken=GUEST, info=info)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await charger.tell_status("Occupied")
    await charger.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await is_the_owner_s(charger, home)


@case("TC_F_04_CSMS")
async def test_a_remote_start_whose_car_never_comes_is_over(charger: Charger, home: Home) -> None:
    asked = await start(charger, home)
    info = {"remoteStartId": asked["remoteStartId"]}
    await charger.event("Started", "RemoteStart", idToken=GUEST, info=info)
    await home.shows("transaction_id", charger.transaction)
    await charger.event("Updated", "EVConnectTimeout")
    await charger.event("Ended", "EVConnectTimeout", info={"stoppedReason": "Timeout"})
    ended = await home.hears("transaction_ended", transaction_id=charger.transaction)
    assert (ended["energy_kwh"], ended["provider"]) == (0.0, "owner")
    await home.shows("charging", "OFF")


# Messages that are asked for


@case("TC_F_11_CSMS")
async def test_readings_of_one_evse_come_when_they_are_asked_for(charger: Charger, home: Home) -> None:
    await home.does("trigger", message="meter", connector=1)
    assert {"requestedMessage": "MeterValues", "evse": PLACE} in charger.asked("TriggerMessage")
    assert await charger.say("MeterValues", evseId=1, meterValue=wh(4321, "Trigger")) == {}
    await home.shows("energy", "4.321")


@case("TC_F_20_CSMS")
async def test_a_heartbeat_comes_when_it_is_asked_for(charger: Charger, home: Home) -> None:
    await home.does("trigger", message="heartbeat")
    assert {"requestedMessage": "Heartbeat"} in charger.asked("TriggerMessage")
    assert "currentTime" in await charger.say("Heartbeat")
    await home.hears("heartbeat")


@case("TC_F_23_CSMS")
async def test_the_status_of_a_connector_comes_when_it_is_asked_for(charger: Charger, home: Home) -> None:
    await charger.tell_status("Unavailable")
    await home.shows("status", "unavailable")
    await home.does("trigger", message="status", connector=1)
    assert {"requestedMessage": "StatusNotification", "evse": PLACE} in charger.asked("TriggerMessage")
    await charger.tell_status("Available")
    await home.shows("status", "available")


@case("TC_F_23_CSMS")
async def test_a_connector_may_tell_its_state_by_its_variable(charger: Charger, home: Home) -> None:
    await charger.tell_status("Unavailable")
    await home.shows("status", "unavailable")
    told = {
        "eventId": 1,
        "timestamp": now(),
        "trigger": "Delta",
        "actualValue": "Available",
        "eventNotificationType": "HardWiredNotification",
        "component": {"name": "Connector", "evse": PLACE},
        "variable": {"name": "AvailabilityState"},
    }
    assert await charger.say("NotifyEvent", generatedAt=now(), seqNo=0, eventData=[told]) == {}
    await home.shows("status", "available")


@case("TC_F_27_CSMS")
async def test_a_message_that_a_charger_cannot_send_is_told_as_that(charger: Charger, home: Home) -> None:
    charger.answers["TriggerMessage"] = {"status": "NotImplemented"}
    assert await home.refused("trigger", message="firmware") == "not_supported"
    assert "currentTime" in await charger.say("Heartbeat")
