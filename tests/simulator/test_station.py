"""The simulated charger on a CSMS that is not ours, for each version it speaks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v201 import call as call201

from ocpp_mqtt_proxy.core.commands import Message
from ocpp_mqtt_proxy.core.model import IdToken, StopReason, Version
from ocpp_mqtt_proxy.core.reports import HeartbeatReported
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.simulator import station as station_module
from ocpp_mqtt_proxy.simulator.box import HEARTBEAT_INTERVAL, Box, Welcome
from ocpp_mqtt_proxy.simulator.car import Car
from ocpp_mqtt_proxy.simulator.station import Pace, Station
from tests.independent_csms import Csms, csms_of

pytestmark = [pytest.mark.integration, pytest.mark.parametrize("version", [str(version) for version in DIALECTS])]

QUICK = Pace(speed=200, tick=0.02, retry=0.01, call=2)
"""A second of charging takes 5 ms."""

TAG = "04A1B2C3"
TRANSACTION = ("StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent")


@pytest.fixture
async def csms(version: str) -> AsyncIterator[Csms]:
    """The judge. In the end nobody may have answered with an error, unless a test wanted one."""
    async with csms_of(version) as judge:
        yield judge


@contextlib.asynccontextmanager
async def charger(
    csms: Csms, pace: Pace = QUICK, password: str = "", clock: Callable[[], datetime] | None = None
) -> AsyncIterator[Station]:
    """A simulated charger, running."""
    station = Station(Box(), DIALECTS[Version(csms.version)], csms.url, "SIM 1", password, pace, clock)
    running = asyncio.create_task(station.run())
    try:
        yield station
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def station(csms: Csms) -> AsyncIterator[Station]:
    async with charger(csms) as running:
        await csms.status("Available")
        yield running
        assert csms.faults == []


def now() -> datetime:
    return datetime.now(UTC)


def plug(station: Station, soc: float = 35) -> None:
    station.box.plug(Car(soc=soc), now())
    station.collect()


def tap(station: Station, tag: str = TAG) -> None:
    station.box.authorize(Welcome(IdToken(tag), now()), now())
    station.collect()


def stop(station: Station) -> None:
    station.box.stop(StopReason.LOCAL, now())
    station.collect()


async def begin(csms: Csms, station: Station) -> Any:
    """A session runs; its id, as the CSMS has it."""
    plug(station)
    tap(station)
    if csms.version == "1.6":
        await csms.status("Charging")
        return 700 + len(csms.calls("StartTransaction"))
    return (await csms.call("TransactionEvent"))["transactionInfo"]["transactionId"]


def is_end(call: dict[str, Any]) -> bool:
    return "meterStop" in call or call.get("eventType") == "Ended"


async def ended(csms: Csms) -> dict[str, Any]:
    """Wait for the end of a session."""
    return dict(await csms.until(lambda: next((c for c in csms.calls(*TRANSACTION) if is_end(c)), None)))


def reason_of(end: dict[str, Any]) -> str:
    return str(end.get("reason") or end["transactionInfo"]["stoppedReason"])


# Telling


async def test_it_boots_says_who_it_is_and_that_it_is_free(csms: Csms, station: Station) -> None:
    boot = csms.calls("BootNotification")[0]
    plate = boot.get("chargingStation", boot)
    assert "Simulator" in (plate.get("model"), plate.get("chargePointModel"))
    assert [frame[2] for frame in csms.heard[:2]] == ["BootNotification", "StatusNotification"]


async def test_it_is_addressed_by_its_id_and_speaks_one_subprotocol(csms: Csms, station: Station) -> None:
    assert csms.charger.id == "SIM%201"
    assert csms.headers["Sec-WebSocket-Protocol"] == f"ocpp{csms.version}"


async def test_a_whole_session_is_told(csms: Csms, station: Station) -> None:
    plug(station)
    tap(station)
    await csms.until(lambda: len([c for c in csms.calls(*TRANSACTION) if "meterValue" in c]) >= 4)
    stop(station)
    await ended(csms)
    station.box.unplug(now())
    station.collect()
    await csms.status("Available")
    if csms.version == "1.6":
        start, end = csms.calls("StartTransaction")[0], csms.calls("StopTransaction")[0]
        assert (start["idTag"], end["transactionId"], end["reason"]) == (TAG, 701, "Local")
        assert end["meterStop"] > start["meterStart"]
        assert {c["transactionId"] for c in csms.calls("MeterValues")} == {701}
    else:
        events = csms.calls("TransactionEvent")
        assert [event["seqNo"] for event in events] == list(range(len(events)))
        assert [events[0]["eventType"], events[-1]["eventType"]] == ["Started", "Ended"]
        assert events[0]["idToken"]["idToken"] == TAG


async def test_the_statuses_of_a_session_are_those_of_its_version(csms: Csms, station: Station) -> None:
    plug(station)
    tap(station)
    await csms.until(lambda: csms.calls("MeterValues", "TransactionEvent"))
    stop(station)
    station.box.unplug(now())
    station.collect()
    await csms.until(lambda: len(csms.calls("StatusNotification")) > 2)
    await csms.status("Available")
    told = [call.get("status") or call["connectorStatus"] for call in csms.calls("StatusNotification")]
    if csms.version == "1.6":
        assert told == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    else:
        assert told == ["Available", "Occupied", "Available"]


async def test_a_tag_that_the_csms_refuses_ends_the_session(csms: Csms, station: Station) -> None:
    csms.refused_tags.add("BAD")
    plug(station)
    tap(station, "BAD")
    assert reason_of(await ended(csms)) == "DeAuthorized"


async def test_a_heartbeat_comes_in_quiet_times(csms: Csms) -> None:
    csms.interval = 1
    async with charger(csms) as station:
        await station.online.wait()
        assert station.box.settings[HEARTBEAT_INTERVAL] == "1"
        await csms.until(lambda: any(frame[2:3] == ["Heartbeat"] for frame in csms.heard))


async def test_it_shows_its_password_where_it_has_one(csms: Csms) -> None:
    async with charger(csms, password="secret") as station:
        await station.online.wait()
    scheme, _, given = csms.headers["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(given)) == ("Basic", b"SIM 1:secret")


# Obeying


def start_call(version: str, amps: float | None = None) -> Any:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}]}
    if version == "1.6":
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": schedule,
        }
        return call16.RemoteStartTransaction("TAG7", connector_id=1, charging_profile=profile if amps else None)
    profile = {
        "id": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": [{"id": 1, **schedule}],
    }
    token = {"idToken": "TAG7", "type": "Central"}
    return call201.RequestStartTransaction(token, 77, evse_id=1, charging_profile=profile if amps else None)


def stop_call(version: str, transaction: Any) -> Any:
    if version == "1.6":
        return call16.RemoteStopTransaction(transaction)
    return call201.RequestStopTransaction(str(transaction))


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def limit_call(version: str, amps: float, transaction: Any = None, **more: int) -> Any:
    purpose = "TxDefaultProfile" if transaction is None else "TxProfile"
    schedule = {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}],
        "startSchedule": JANUARY.isoformat(),
        **more,
    }
    common = {"stackLevel": 1, "chargingProfilePurpose": purpose, "chargingProfileKind": "Absolute"}
    if transaction is not None:
        common["transactionId"] = transaction
    if version == "1.6":
        return call16.SetChargingProfile(1, {"chargingProfileId": 5, "chargingSchedule": schedule, **common})
    return call201.SetChargingProfile(1, {"id": 5, "chargingSchedule": [{"id": 1, **schedule}], **common})


async def test_it_starts_and_stops_when_told(csms: Csms, station: Station) -> None:
    plug(station)
    assert (await csms.ask(start_call(csms.version))).status == "Accepted"
    if csms.version == "1.6":
        transaction: Any = 701
        assert (await csms.call("StartTransaction"))["idTag"] == "TAG7"
        await csms.call("MeterValues")
    else:
        info = (await csms.call("TransactionEvent"))["transactionInfo"]
        transaction = info["transactionId"]
        assert info["remoteStartId"] == 77
    assert (await csms.ask(stop_call(csms.version, 999))).status == "Rejected"
    assert (await csms.ask(stop_call(csms.version, transaction))).status == "Accepted"
    assert reason_of(await ended(csms)) == "Remote"


async def test_it_starts_with_the_limit_given(csms: Csms, station: Station) -> None:
    plug(station)
    await csms.ask(start_call(csms.version, 9))
    assert station.box.offered == 9


@pytest.mark.parametrize("of_transaction", [False, True])
async def test_it_obeys_a_profile_and_pauses_at_nought(csms: Csms, station: Station, of_transaction: bool) -> None:
    transaction = await begin(csms, station)
    named = transaction if of_transaction else None
    assert (await csms.ask(limit_call(csms.version, 8, named))).status == "Accepted"
    assert (station.box.offered, station.box.power) == (8, 8 * 3 * 230)
    assert (await csms.ask(limit_call(csms.version, 0, named))).status == "Accepted"
    assert station.box.power == 0
    if csms.version == "1.6":
        await csms.status("SuspendedEVSE")
    else:
        await csms.call("TransactionEvent", lambda e: e["transactionInfo"].get("chargingState") == "SuspendedEVSE")


async def test_a_profile_can_be_cleared(csms: Csms, station: Station) -> None:
    await begin(csms, station)
    await csms.ask(limit_call(csms.version, 0))
    clear = (call16 if csms.version == "1.6" else call201).ClearChargingProfile()
    assert (await csms.ask(clear)).status == "Accepted"
    assert station.box.offered == 32
    assert (await csms.ask(clear)).status == "Unknown"


async def test_a_profile_outlasts_a_reset(csms: Csms, station: Station) -> None:
    await csms.ask(limit_call(csms.version, 8))
    await csms.ask(reset_call(csms.version, hard=True))
    await csms.until(lambda: len(csms.calls("BootNotification")) == 2)
    plug(station)
    tap(station)
    assert station.box.offered == 8


def schedule_call(version: str) -> Any:
    if version == "1.6":
        return call16.GetCompositeSchedule(1, 3600, charging_rate_unit="W")
    return call201.GetCompositeSchedule(3600, 1, charging_rate_unit="W")


async def test_it_tells_what_it_will_offer(csms: Csms, station: Station) -> None:
    await begin(csms, station)
    await csms.ask(limit_call(csms.version, 8))
    told = await csms.ask(schedule_call(csms.version))
    schedule = told.charging_schedule if csms.version == "1.6" else told.schedule
    assert (told.status, schedule["charging_rate_unit"], schedule["duration"]) == ("Accepted", "W", 3600)
    assert schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 8 * 3 * 230}]


async def test_it_follows_a_profile_by_its_own_clock(csms: Csms) -> None:
    ahead = timedelta(0)
    async with charger(csms, clock=lambda: now() + ahead) as station:
        await csms.status("Available")
        await begin(csms, station)
        await csms.ask(limit_call(csms.version, 8, duration=int((now() - JANUARY).total_seconds()) + 600))
        assert station.box.offered == 8
        ahead = timedelta(minutes=11)
        station.box.tick(station.clock(), 1)
        assert station.box.offered == 32


def reset_call(version: str, *, hard: bool) -> Any:
    if version == "1.6":
        return call16.Reset("Hard" if hard else "Soft")
    return call201.Reset("Immediate" if hard else "OnIdle")


@pytest.mark.parametrize("hard", [True, False])
async def test_a_reset_of_an_idle_charger_boots_it_again(csms: Csms, station: Station, hard: bool) -> None:
    assert (await csms.ask(reset_call(csms.version, hard=hard))).status == "Accepted"
    await csms.until(lambda: len(csms.calls("BootNotification")) == 2)
    assert csms.visits == 2
    if csms.version != "1.6":
        assert csms.calls("BootNotification")[1]["reason"] == "RemoteReset"


async def test_a_hard_reset_ends_what_runs_and_boots(csms: Csms, station: Station) -> None:
    await begin(csms, station)
    assert (await csms.ask(reset_call(csms.version, hard=True))).status == "Accepted"
    assert reason_of(await ended(csms)) == ("HardReset" if csms.version == "1.6" else "ImmediateReset")
    await csms.until(lambda: len(csms.calls("BootNotification")) == 2)


async def test_a_soft_reset_ends_what_runs_in_1_6_and_waits_for_it_in_2_x(csms: Csms, station: Station) -> None:
    await begin(csms, station)
    answer = await csms.ask(reset_call(csms.version, hard=False))
    if csms.version == "1.6":
        assert (answer.status, reason_of(await ended(csms))) == ("Accepted", "SoftReset")
    else:
        assert (answer.status, len(csms.calls("BootNotification"))) == ("Scheduled", 1)
        stop(station)
    await csms.until(lambda: len(csms.calls("BootNotification")) == 2)
    if csms.version != "1.6":
        assert csms.calls("BootNotification")[1]["reason"] == "ScheduledReset"


def sent_since(csms: Csms, action: str, already: int) -> bool:
    return any(frame[2:3] == [action] for frame in csms.heard[already:])


async def test_it_sends_what_is_asked_of_it(csms: Csms, station: Station) -> None:
    await begin(csms, station)
    calls: Any = call16 if csms.version == "1.6" else call201
    for word in TRIGGERED[csms.version]:
        already = len(csms.heard)
        assert (await csms.ask(calls.TriggerMessage(word))).status == "Accepted"
        await csms.until(partial(sent_since, csms, word, already))


_TRIGGERED_IN_2X = ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "TransactionEvent",
                    "FirmwareStatusNotification", "LogStatusNotification"]  # fmt: skip
TRIGGERED = {
    "1.6": ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "FirmwareStatusNotification",
            "DiagnosticsStatusNotification"],
    "2.0.1": _TRIGGERED_IN_2X,
    "2.1": _TRIGGERED_IN_2X,
}  # fmt: skip


async def test_out_of_service_is_told_and_back(csms: Csms, station: Station) -> None:
    def availability(operative: bool) -> Any:
        word = "Operative" if operative else "Inoperative"
        return call16.ChangeAvailability(1, word) if csms.version == "1.6" else call201.ChangeAvailability(word)

    assert (await csms.ask(availability(False))).status == "Accepted"
    await csms.status("Unavailable")
    await csms.ask(availability(True))
    await csms.status("Available")


async def test_settings_are_read_and_written(csms: Csms, station: Station) -> None:
    if csms.version == "1.6":
        read = await csms.ask(call16.GetConfiguration(["MeterValueSampleInterval", "Nonsense"]))
        assert read.configuration_key == [{"key": "MeterValueSampleInterval", "readonly": False, "value": "60"}]
        assert read.unknown_key == ["Nonsense"]
        assert (await csms.ask(call16.ChangeConfiguration("MeterValueSampleInterval", "15"))).status == "Accepted"
        assert (await csms.ask(call16.ChangeConfiguration("Nonsense", "15"))).status == "NotSupported"
    else:
        what = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
        read = await csms.ask(call201.GetVariables([what]))
        assert read.get_variable_result[0]["attribute_value"] == "60"
        written = await csms.ask(call201.SetVariables([{"attributeValue": "15", **what}]))
        assert written.set_variable_result[0]["attribute_status"] == "Accepted"
        assert (await csms.ask(call201.GetBaseReport(3, "FullInventory"))).status == "Accepted"
        report = await csms.call("NotifyReport")
        assert {"DeviceName", "TxUpdatedInterval"} & {item["variable"]["name"] for item in report["reportData"]}
    assert station.box.settings["SampledDataCtrlr.TxUpdatedInterval"] == "15"


async def test_of_a_local_list_that_it_has_not_it_says_so(csms: Csms) -> None:
    """As 1.6 §5.10 has it: -1. 2.x knows only that of none yet (D02)."""
    calls: Any = call16 if csms.version == "1.6" else call201
    async with charger(csms) as station:
        await station.online.wait()
        answer = await csms.ask(calls.GetLocalListVersion())
        assert vars(answer).get("list_version", 0) == (-1 if csms.version == "1.6" else 0)
        assert not vars(answer).get("version_number")


async def test_the_cable_is_unlocked(csms: Csms, station: Station) -> None:
    unlock = call16.UnlockConnector(1) if csms.version == "1.6" else call201.UnlockConnector(1, 1)
    assert (await csms.ask(unlock)).status == "Unlocked"


# Offline


async def test_what_happened_offline_is_told_afterwards_in_order(csms: Csms, station: Station) -> None:
    await csms.close()
    await csms.until(lambda: not station.online.is_set())
    plug(station)
    tap(station)
    for _ in range(3):
        station.box.tick(now(), 60)
    stop(station)
    assert csms.calls(*TRANSACTION) == []
    await csms.open()
    await ended(csms)
    told = csms.calls(*TRANSACTION)
    if csms.version == "1.6":
        words = [frame[2] for frame in csms.heard if frame[2:3] and frame[2] in TRANSACTION]
        assert words == ["StartTransaction", "MeterValues", "MeterValues", "MeterValues", "StopTransaction"]
        assert {call["transactionId"] for call in told[1:]} == {701}
    else:
        assert all(event["offline"] for event in told)
        assert [event["seqNo"] for event in told] == list(range(len(told)))
        assert [told[0]["eventType"], told[-1]["eventType"]] == ["Started", "Ended"]
    times = [call.get("timestamp") or call["meterValue"][0]["timestamp"] for call in told]
    assert times == sorted(times)


async def test_a_session_goes_on_through_a_lost_connection(csms: Csms, station: Station) -> None:
    transaction = await begin(csms, station)
    await csms.close()
    await csms.open()
    await csms.until(lambda: csms.visits == 2)
    stop(station)
    end = await ended(csms)
    assert end.get("transactionId", transaction) == transaction
    assert not end.get("offline") or csms.version != "1.6"


async def test_a_charger_that_did_not_restart_does_not_boot_again(csms: Csms, station: Station) -> None:
    await csms.close()
    await csms.open()
    await csms.until(lambda: len(csms.calls("StatusNotification")) == 2)
    assert len(csms.calls("BootNotification")) == 1


async def test_a_charger_sent_offline_comes_back_by_itself(csms: Csms, station: Station) -> None:
    await station.go_offline(0.05)
    assert not station.online.is_set()
    await csms.until(lambda: csms.visits == 2)
    await csms.until(lambda: len(csms.calls("StatusNotification")) == 2)


async def test_an_answer_that_does_not_come_loses_no_message(csms: Csms) -> None:
    async with charger(csms, Pace(tick=0.02, retry=0.01, call=0.1)) as station:
        await csms.status("Available")
        csms.deaf = True
        plug(station)
        tap(station)
        first = "StartTransaction" if csms.version == "1.6" else "TransactionEvent"
        await csms.call(first)
        csms.deaf = False
        await csms.until(lambda: csms.visits > 1)
        stop(station)
        await ended(csms)
    starts = [c for c in csms.calls(first) if c.get("eventType", "Started") == "Started"]
    assert len(starts) > 1
    assert all(start == starts[0] for start in starts)


async def test_a_message_that_fails_is_sent_again(csms: Csms) -> None:
    async with charger(csms) as station:
        await csms.status("Available")
        csms.errors_to_come = 2
        plug(station)
        tap(station)
        stop(station)
        await ended(csms)
    first = "StartTransaction" if csms.version == "1.6" else "TransactionEvent"
    starts = [c for c in csms.calls(first) if c.get("eventType", "Started") == "Started"]
    assert len(starts) == 3


async def test_a_message_that_fails_for_ever_does_not_hold_up_the_rest(csms: Csms) -> None:
    async with charger(csms) as station:
        await csms.status("Available")
        csms.errors_to_come = 3
        plug(station)
        tap(station)
        stop(station)
        end = await ended(csms)
    if csms.version == "1.6":
        assert end["transactionId"] == -1  # the CSMS never named it


async def test_a_queue_that_is_full_keeps_starts_and_ends(
    csms: Csms, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_module, "MAX_QUEUE", 20)
    await csms.close()
    await csms.until(lambda: not station.online.is_set())
    plug(station)
    tap(station)
    for _ in range(50):
        station.box.tick(now(), 60)
        station.collect()
    stop(station)
    await csms.open()
    await ended(csms)
    assert len(csms.calls(*TRANSACTION)) <= 21


async def test_nonsense_from_the_csms_is_passed_over(csms: Csms) -> None:
    async with charger(csms) as station:
        await csms.status("Available")
        await csms.blurt('"nonsense"')
        await csms.blurt('[3, "no call of this id", {}]')
        assert await station.ask(HeartbeatReported()) is not None


async def test_while_offline_nothing_can_be_asked(csms: Csms, station: Station) -> None:
    await station.go_offline(60)
    with pytest.raises(ConnectionError):
        await station.ask(HeartbeatReported())


def test_every_message_that_can_be_asked_for_is_tried(version: str) -> None:
    words = set(Message) - ({Message.TRANSACTION} if version == "1.6" else set())
    assert len(TRIGGERED[version]) == len(words)
