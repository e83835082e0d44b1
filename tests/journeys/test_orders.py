"""The owner's commands by MQTT, put to an independent charger of each version: one answer each, after the charger's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import Running, Watcher

KEY, VARIABLE = "MeterValueSampleInterval", "SampledDataCtrlr.TxUpdatedInterval"
"""One setting, as 1.6 and as 2.x have it."""

AT = "charger/CP1/connector/1"


@dataclass
class Garage:
    """A charger that is plugged in, and what is seen of it."""

    charger: Any
    watcher: Watcher
    version: str

    async def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        return await self.watcher.ask(f"charger/CP1/request/{verb}", **arguments)

    async def shows(self, metric: str, value: str) -> None:
        await self.watcher.value(f"{AT}/{metric}", value)


@pytest.fixture(params=CHARGERS)
async def garage(request: pytest.FixtureRequest, proxy: Running, watcher: Watcher) -> AsyncIterator[Garage]:
    version = str(request.param)
    async with independent_charger(proxy.chargers, version, "CP1") as charger:
        await charger.tell_status(PLUGGED[version])
        await watcher.value(f"{AT}/status", "preparing")
        yield Garage(charger, watcher, version)


async def test_start_and_stop_are_answered_and_become_a_session(garage: Garage) -> None:
    assert (await garage.ask("start", id_tag="04A1B2C3"))["status"] == "ok"
    await garage.shows("charging", "ON")
    await garage.shows("id_tag", "***C3")
    assert (await garage.ask("stop"))["status"] == "ok"
    await garage.shows("charging", "OFF")
    await garage.shows("stop_reason", "remote")


async def test_a_transaction_can_be_stopped_by_its_id(garage: Garage) -> None:
    transaction = str(await garage.charger.begin())
    await garage.shows("transaction_id", transaction)
    assert (await garage.ask("stop", transaction_id=transaction))["status"] == "ok"
    await garage.shows("charging", "OFF")


async def test_a_start_while_charging_and_a_stop_while_idle_disturb_nothing(garage: Garage) -> None:
    assert (await garage.ask("stop"))["status"] == "refused"
    await garage.charger.begin()
    await garage.shows("charging", "ON")
    garage.charger.seen.clear()
    assert (await garage.ask("start"))["status"] == "ok"
    assert "start" not in garage.charger.seen


async def test_the_switch_starts_for_the_owner_and_stops(garage: Garage) -> None:
    await garage.watcher.set(f"{AT}/charging", "ON")
    await garage.shows("charging", "ON")
    started = await garage.watcher.document("charger/CP1/event/transaction_started")
    assert (started["id_tag"], started["provider"]) == ("***ME", "owner")
    await garage.watcher.set(f"{AT}/charging", "OFF")
    await garage.shows("charging", "OFF")


async def test_a_limit_is_shown_once_the_charger_has_taken_it(garage: Garage) -> None:
    await garage.charger.begin()
    assert (await garage.ask("limit", amps=10))["status"] == "ok"
    await garage.watcher.value("charger/CP1/current_limit", "10")
    await garage.shows("effective_limit", "10")
    await garage.shows("limited_by", "owner")
    assert garage.charger.meter.offered == 10


@pytest.mark.parametrize(("set_to", "becomes"), [("10.3", 10.3), ("10.37", 10.3), ("6", 6), ("6.04", 6)])
async def test_a_limit_goes_to_the_charger_as_it_is_rounded_down_to_a_tenth(
    garage: Garage, set_to: str, becomes: float
) -> None:
    await garage.charger.begin()
    await garage.watcher.set("charger/CP1/current_limit", set_to)
    await garage.watcher.value("charger/CP1/current_limit", f"{becomes:g}")
    await garage.shows("effective_limit", f"{becomes:g}")
    assert float(garage.charger.meter.offered) == becomes


async def test_less_than_a_car_takes_is_nothing(garage: Garage) -> None:
    await garage.watcher.set("charger/CP1/current_limit", "5.9")
    await garage.watcher.value("charger/CP1/current_limit", "0")
    assert garage.charger.meter.offered == 0


async def test_more_than_the_charger_may_is_refused_with_what_is_allowed(garage: Garage) -> None:
    answer = await garage.ask("limit", amps=33)
    assert answer["status"] in ("refused", "error")
    assert answer["reason"] == "invalid"
    assert "32" in answer["message"]
    assert garage.charger.meter.offered == 16


async def test_a_pause_keeps_the_session_and_resume_goes_on_with_it(garage: Garage) -> None:
    await garage.charger.begin()
    await garage.shows("charging", "ON")
    assert (await garage.ask("pause"))["status"] == "ok"
    await garage.shows("charging", "OFF")
    assert garage.charger.meter.offered == 0
    assert garage.charger.transaction is not None
    assert (await garage.ask("resume"))["status"] == "ok"
    await garage.shows("charging", "ON")
    assert garage.charger.meter.offered == 32
    await garage.watcher.value("charger/CP1/current_limit", "32")


async def test_the_switch_resumes_what_is_paused(garage: Garage) -> None:
    await garage.charger.begin()
    await garage.ask("pause")
    await garage.watcher.set(f"{AT}/charging", "ON")
    await garage.shows("charging", "ON")
    assert garage.charger.meter.offered == 32
    assert "start" not in garage.charger.seen


async def test_a_pause_ends_with_its_session(garage: Garage) -> None:
    await garage.charger.begin()
    await garage.ask("pause")
    await garage.shows("effective_limit", "0")
    await garage.charger.end()
    await garage.shows("effective_limit", "32")
    await garage.charger.begin("04FFFFFF")
    await garage.shows("charging", "ON")
    assert garage.charger.meter.offered == 32


async def test_a_pause_outlasts_a_reboot_of_the_charger(garage: Garage) -> None:
    await garage.charger.begin()
    await garage.ask("limit", amps=20)
    await garage.ask("pause")
    garage.charger.meter.forget()
    await garage.charger.boot()
    await garage.charger.meter.gives(0)
    assert (await garage.ask("resume"))["status"] == "ok"
    assert garage.charger.meter.offered == 20


async def test_the_switch_lifts_a_ceiling_of_0_to_what_it_was(garage: Garage) -> None:
    await garage.charger.begin()
    for amps in (13, 0):
        await garage.watcher.set("charger/CP1/current_limit", amps)
        await garage.watcher.value("charger/CP1/current_limit", str(amps))
    await garage.shows("charging", "OFF")
    await garage.watcher.set(f"{AT}/charging", "ON")
    await garage.shows("charging", "ON")
    await garage.watcher.value("charger/CP1/current_limit", "13")
    assert garage.charger.meter.offered == 13


async def test_a_start_may_have_a_limit_for_its_session_alone(garage: Garage) -> None:
    assert (await garage.ask("start", limit_amps=10))["status"] == "ok"
    await garage.shows("effective_limit", "10")
    assert garage.charger.meter.offered == 10
    await garage.ask("limit", amps=8)
    await garage.shows("effective_limit", "8")
    assert garage.charger.meter.offered == 8
    await garage.ask("stop")
    await garage.shows("charging", "OFF")
    await garage.charger.meter.gives(8)


@pytest.mark.parametrize(("status", "reason"), [("Faulted", "charger_faulted"), ("Unavailable", "charger_unavailable")])
async def test_nothing_is_started_on_a_connector_that_cannot(garage: Garage, status: str, reason: str) -> None:
    await garage.charger.tell_status(status)
    await garage.shows("status", status.lower())
    answer = await garage.ask("start")
    assert (answer["status"], answer["reason"]) == ("refused", reason)
    await garage.watcher.set(f"{AT}/charging", "ON")
    told = await garage.watcher.document("charger/CP1/response/charging")
    assert (told["status"], told["reason"]) == ("refused", reason)
    assert "start" not in garage.charger.seen


async def test_taking_out_of_service_shows_when_the_charger_says_so(garage: Garage) -> None:
    await garage.watcher.set("charger/CP1/available", "OFF")
    await garage.watcher.value("charger/CP1/available", "OFF")
    await garage.shows("status", "unavailable")
    assert (await garage.ask("availability", operative=True))["status"] == "ok"
    await garage.watcher.value("charger/CP1/available", "ON")
    await garage.shows("status", "available")


async def test_settings_are_read_and_written_by_the_names_of_either_version(garage: Garage) -> None:
    for name in (KEY, VARIABLE):
        written = await garage.ask("configuration", set={name: 17})
        assert written["result"]["set"] == {name: "accepted"}
        read = await garage.ask("configuration", get=[name])
        assert read["result"]["values"] == {name: "17"}


async def test_a_setting_asked_by_both_its_names_is_told_by_both(garage: Garage) -> None:
    read = await garage.ask("configuration", get=[KEY, VARIABLE])
    assert set(read["result"]["values"]) == {KEY, VARIABLE}
    assert read["result"]["unknown"] == []


async def test_a_setting_the_charger_lacks_is_told_as_unknown(garage: Garage) -> None:
    read = await garage.ask("configuration", get=["NoSuchCtrlr.NoSuchThing"])
    assert read["result"]["unknown"] == ["NoSuchCtrlr.NoSuchThing"]


async def test_all_settings_are_read_where_none_is_named(garage: Garage) -> None:
    await garage.watcher.until(lambda: garage.version == "1.6" or "report" in garage.charger.seen)
    read = await garage.ask("configuration", get=[])
    assert read["status"] == "ok"
    assert (KEY if garage.version == "1.6" else VARIABLE) in read["result"]["values"]


@pytest.mark.parametrize("message", ["status", "meter", "boot"])
async def test_a_triggered_message_comes(garage: Garage, message: str) -> None:
    word = {"status": "StatusNotification", "meter": "MeterValues", "boot": "BootNotification"}[message]
    assert (await garage.ask("trigger", message=message))["status"] == "ok"
    assert f"trigger {word}" in garage.charger.seen


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("unlock", {}),
        ("reset", {"type": "hard"}),
        ("clear_cache", {}),
        ("refresh", {}),
        ("data_transfer", {"vendor_id": "ABB"}),
    ],
)
async def test_what_the_charger_agrees_to_is_ok(garage: Garage, verb: str, arguments: dict[str, Any]) -> None:
    assert (await garage.ask(verb, **arguments))["status"] == "ok"


async def test_a_vendor_s_answer_is_handed_through(garage: Garage) -> None:
    answer = await garage.ask("data_transfer", vendor_id="ABB", message_id="m", data="hello")
    assert answer["result"]["data"] == "hello"
    stranger = await garage.ask("data_transfer", vendor_id="nobody")
    assert (stranger["status"], stranger["reason"]) == ("refused", "charger_rejected")


async def test_a_reservation_is_made_and_given_up(garage: Garage) -> None:
    made = await garage.ask("reserve", id_tag="04A1B2C3", until="2036-01-01T00:00:00Z")
    assert made["status"] == "ok"
    given_up = await garage.ask("cancel_reservation", reservation_id=made["result"]["reservation_id"])
    assert given_up["status"] == "ok"
    unknown = await garage.ask("cancel_reservation", reservation_id=1)
    assert (unknown["status"], unknown["reason"]) == ("refused", "charger_rejected")


async def test_logs_and_firmware_are_asked_for(garage: Garage) -> None:
    assert (await garage.ask("diagnostics", url="ftp://logs.example/"))["status"] == "ok"
    assert (await garage.ask("firmware", url="https://firmware.example/f.bin"))["status"] == "ok"
    assert [asked for asked in garage.charger.seen if asked in ("log", "firmware")] == ["log", "firmware"]


async def test_any_call_goes_through_as_it_is(garage: Garage) -> None:
    answer = await garage.ask("call", ocpp_action="ClearCache", payload={})
    assert answer["status"] == "ok"
    assert answer["result"] == {"status": "Accepted"}


async def test_what_the_charger_does_not_know_is_refused_as_not_supported(garage: Garage) -> None:
    answer = await garage.ask("call", ocpp_action="GetLocalListVersion", payload={})
    assert (answer["status"], answer["reason"]) == ("refused", "not_supported")


async def test_a_session_whose_end_was_lost_can_be_closed(garage: Garage) -> None:
    await garage.charger.begin()
    await garage.shows("charging", "ON")
    assert (await garage.ask("close_session"))["status"] == "ok"
    await garage.watcher.document("charger/CP1/event/transaction_ended")
    await garage.shows("charging", "OFF")


async def test_each_request_has_exactly_one_answer(garage: Garage) -> None:
    base = garage.watcher.base
    for number in range(3):
        await garage.watcher.client.publish(f"{base}/charger/CP1/request/clear_cache", json.dumps({"id": number}))
    await garage.ask("unlock")
    await garage.ask("clear_cache")
    answers = [json.loads(text) for text in garage.watcher.all[f"{base}/charger/CP1/response/clear_cache"]]
    assert [answer["id"] for answer in answers[:3]] == [0, 1, 2]
    assert len(answers) == 4


async def test_a_charger_that_charges_is_not_forgotten(garage: Garage) -> None:
    await garage.charger.begin()
    await garage.shows("charging", "ON")
    refused = await garage.watcher.ask("bridge/request/forget_charger", charger="CP1")
    assert (refused["status"], refused["reason"]) == ("refused", "invalid")
    await garage.charger.end()
    await garage.shows("charging", "OFF")
    assert (await garage.watcher.ask("bridge/request/forget_charger", charger="CP1"))["status"] == "ok"


async def test_what_cannot_be_understood_says_what_where_and_what_is_allowed(garage: Garage) -> None:
    unknown = await garage.ask("dance")
    assert unknown["status"] == "error"
    assert "start" in unknown["message"]
    wrong = await garage.ask("limit", amps="much")
    assert wrong["status"] == "error"
    assert "amps" in wrong["message"]
    extra = await garage.ask("reset", how="hard")
    assert "allowed: type" in extra["message"]


async def test_a_connector_that_is_not_there_is_named(garage: Garage) -> None:
    answer = await garage.ask("start", connector=7)
    assert (answer["status"], answer["reason"]) == ("refused", "unknown_connector")


async def test_orders_to_a_charger_that_is_away_are_refused(proxy: Running, watcher: Watcher) -> None:
    async with independent_charger(proxy.chargers, "1.6", "CP1"):
        await watcher.value(f"{AT}/status", "available")
    await watcher.value("charger/CP1/availability", "offline")
    for verb, arguments in (("start", {}), ("limit", {"amps": 10}), ("refresh", {}), ("reset", {})):
        answer = await watcher.ask(f"charger/CP1/request/{verb}", **arguments)
        assert (answer["status"], answer["reason"]) == ("refused", "charger_offline")
    await watcher.value("charger/CP1/current_limit", "32")


async def test_orders_to_a_charger_nobody_knows_are_refused(watcher: Watcher) -> None:
    answer = await watcher.ask("charger/NOBODY/request/start")
    assert (answer["status"], answer["reason"]) == ("refused", "unknown_charger")
