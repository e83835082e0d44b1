"""Transactions: how they begin, what happens in them, and how they end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.cases import case
from tests.conformance.charger import BEGIN, CARD, END, Charger, token, wh
from tests.conformance.house import Home, House

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGE = "04FFFFFF"

GIVEN = {"id_tags": [{"tag": CARD, "name": "Anna"}], "unknown_id_tag": "reject"}


async def is_shown_running(charger: Charger, home: Home) -> None:
    """The transaction is the one that is shown, with its card."""
    await home.shows("transaction_id", charger.transaction)
    await home.shows("id_tag", "***C3")
    await home.shows("status", "charging")
    await home.shows("charging", "ON")


async def authorized(charger: Charger) -> None:
    answer = await charger.say("Authorize", idToken=token())
    assert answer["idTokenInfo"]["status"] == "Accepted"


# How they begin


@case("TC_E_03_CSMS")
async def test_plugged_in_first_a_session_runs_from_there(charger: Charger, home: Home) -> None:
    await charger.tell_status("Occupied")
    await charger.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"}, meterValue=wh(1000, BEGIN))
    await home.shows("plugged_in", "ON")
    await authorized(charger)
    answer = await charger.event("Updated", "Authorized", idToken=token(), info={"chargingState": "EVConnected"})
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await is_shown_running(charger, home)


@case("TC_E_04_CSMS")
async def test_with_the_card_first_a_session_runs_once_it_is_plugged_in(charger: Charger, home: Home) -> None:
    await authorized(charger)
    answer = await charger.event("Started", "Authorized", idToken=token(), info={"chargingState": "Idle"})
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await charger.tell_status("Occupied")
    await charger.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await is_shown_running(charger, home)
    assert home.heard("transaction_started") == 1


@case("TC_E_09_CSMS")
async def test_a_transaction_may_begin_with_the_cable_and_no_card(charger: Charger, home: Home) -> None:
    await charger.tell_status("Occupied")
    answer = await charger.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"})
    assert "idTokenInfo" not in answer
    await home.hears("transaction_started", transaction_id=charger.transaction)
    await home.shows("transaction_id", charger.transaction)


@case("TC_E_10_CSMS")
async def test_a_transaction_may_begin_with_its_card(charger: Charger, home: Home) -> None:
    await authorized(charger)
    answer = await charger.event("Started", "Authorized", idToken=token())
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await home.hears("transaction_started", transaction_id=charger.transaction, id_tag="***C3")


@case("TC_E_53_CSMS")
async def test_each_transaction_counts_its_messages_from_0(charger: Charger, home: Home) -> None:
    for energy in (2.0, 1.5):
        await charger.charge(register=1000)
        first = charger.transaction
        await charger.unplug(register=1000 + energy * 1000)
        ended = await home.hears("transaction_ended", transaction_id=first)
        assert ended["energy_kwh"] == energy
    assert home.heard("transaction_started") == home.heard("transaction_ended") == 2


# How they end


@case("TC_E_14_CSMS")
async def test_unplugging_at_the_charger_ends_the_transaction(charger: Charger, home: Home) -> None:
    await charger.charge()
    await charger.event("Updated", "StopAuthorized", idToken=token(), info={"chargingState": "EVConnected"})
    info = {"chargingState": "Idle", "stoppedReason": "Local"}
    await charger.event("Ended", "EVCommunicationLost", info=info, meterValue=wh(3500, END))
    await charger.tell_status("Available")
    ended = await home.hears("transaction_ended")
    assert (ended["reason"], ended["energy_kwh"]) == ("local", 2.5)
    await home.shows("status", "available")


@case("TC_E_15_CSMS")
async def test_the_card_ends_the_transaction(charger: Charger, home: Home) -> None:
    await charger.charge()
    info = {"chargingState": "EVConnected", "stoppedReason": "Local"}
    answer = await charger.event("Ended", "StopAuthorized", idToken=token(), info=info, meterValue=wh(2000, END))
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert (await home.hears("transaction_ended"))["reason"] == "local"
    await home.shows("charging", "OFF")


@case("TC_E_16_CSMS")
async def test_an_unknown_card_is_refused_and_the_charger_ends_what_it_began(charger: Charger, home: Home) -> None:
    answer = await charger.event("Started", "Authorized", idToken=token(STRANGE))
    assert answer["idTokenInfo"]["status"] in ("Invalid", "Unknown")
    assert await charger.event("Ended", "Deauthorized", info={"stoppedReason": "DeAuthorized"}) == {}
    assert (await home.hears("transaction_ended"))["reason"] == "deauthorized"
    await home.shows("charging", "OFF")


@case("TC_E_17_CSMS")
async def test_unplugging_at_the_car_ends_the_transaction(charger: Charger, home: Home) -> None:
    await charger.charge()
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "SuspendedEV"})
    await home.shows("status", "suspended_ev")
    await charger.unplug(register=1800)
    ended = await home.hears("transaction_ended")
    assert (ended["reason"], ended["energy_kwh"]) == ("ev_disconnected", 0.8)
    await home.shows("plugged_in", "OFF")


@case("TC_E_21_CSMS")
async def test_the_owner_ends_the_transaction_from_afar(charger: Charger, home: Home) -> None:
    await charger.charge()
    await home.does("stop")
    assert charger.asked("RequestStopTransaction") == [{"transactionId": charger.transaction}]
    info = {"chargingState": "EVConnected", "stoppedReason": "Remote"}
    await charger.event("Ended", "RemoteStop", info=info, meterValue=wh(1500, END))
    assert (await home.hears("transaction_ended"))["reason"] == "remote"


@case("TC_E_39_CSMS")
async def test_a_transaction_whose_car_never_came_is_over(charger: Charger, home: Home) -> None:
    await charger.event("Started", "Authorized", idToken=token(), info={"chargingState": "Idle"})
    await charger.event("Ended", "EVConnectTimeout", info={"stoppedReason": "Timeout"})
    ended = await home.hears("transaction_ended")
    assert (ended["reason"], ended["energy_kwh"]) == ("timeout", 0.0)
    await home.shows("charging", "OFF")


# What happens in them


@case("TC_E_26_CSMS")
async def test_a_car_that_is_unplugged_and_plugged_in_again_goes_on(charger: Charger, home: Home) -> None:
    await charger.charge()
    await charger.event("Updated", "EVCommunicationLost", info={"chargingState": "Idle"})
    await charger.tell_status("Available")
    await home.shows("plugged_in", "OFF")
    await home.shows("transaction_id", charger.transaction)
    await charger.event("Updated", "CablePluggedIn", info={"chargingState": "EVConnected"})
    await charger.tell_status("Occupied")
    await charger.event("Updated", "ChargingStateChanged", info={"chargingState": "Charging"})
    await is_shown_running(charger, home)
    assert home.heard("transaction_ended") == 0


async def charge_and_vanish(house: House, version: str, charger_id: str) -> Charger:
    """A charger that loses its connection while it charges."""
    async with Charger.at(house.chargers, version, charger_id) as charger:
        await charger.boot()
        await charger.charge()
        return charger


def ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="seconds").replace("+00:00", "Z")


def standing(*, ongoing: bool) -> dict[str, Any]:
    return {"ongoingIndicator": ongoing, "messagesInQueue": True}


@case("TC_E_29_CSMS")
async def test_a_charger_says_that_a_transaction_goes_on_and_messages_wait(
    house: House, home: Home, version: str, charger_id: str
) -> None:
    before = await charge_and_vanish(house, version, charger_id)
    async with Charger.at(house.chargers, version, charger_id) as charger:
        charger.resume(before)
        charger.answers["GetTransactionStatus"] = standing(ongoing=True)
        told = await home.call("GetTransactionStatus", transactionId=charger.transaction)
        assert told == standing(ongoing=True)
        await charger.event("Updated", "MeterValuePeriodic", offline=True, meterValue=wh(1700, at=ago(1)))
        await home.shows("session_energy", "0.7")
        await home.shows("charging", "ON")


@case("TC_E_31_CSMS")
async def test_a_transaction_that_ended_takes_what_still_waited(
    house: House, home: Home, version: str, charger_id: str
) -> None:
    before = await charge_and_vanish(house, version, charger_id)
    async with Charger.at(house.chargers, version, charger_id) as charger:
        charger.resume(before)
        await charger.tell_status("Available")
        info = {"chargingState": "Idle", "stoppedReason": "EVDisconnected"}
        seen = charger.sequence
        ending = wh(3000, END, at=ago(1))
        await charger.event("Ended", "EVCommunicationLost", info=info, offline=True, seqNo=seen + 2, meterValue=ending)
        assert (await home.hears("transaction_ended"))["energy_kwh"] == 2.0
        charger.answers["GetTransactionStatus"] = standing(ongoing=False)
        told = await home.call("GetTransactionStatus", transactionId=charger.transaction)
        assert told == standing(ongoing=False)
        for number, register in ((seen, 1500), (seen + 1, 2500)):
            late = wh(register, at=ago(3))
            await charger.event("Updated", "MeterValuePeriodic", offline=True, seqNo=number, meterValue=late)
        await home.call("ClearCache")
        shown = json.loads(home.watcher.last[f"{home.watcher.base}/charger/{charger_id}/connector/1/session"])
        assert shown["energy_kwh"] == 2.0
        assert home.heard("transaction_ended") == home.heard("transaction_started") == 1
