"""Registration of us, as a 1.6 charge point, with a service's CSMS."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.core.reports import BootAnswer
from ocpp_mqtt_proxy.services.registration import OWN_WAIT, Registration
from tests.conformance.cases import case
from tests.conformance.central import Desk, Served, boots
from tests.conformance.charger import CARD, Charger, now
from tests.fakes import NOON

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", ["1.6"], indirect=True, scope="module"),
]

LONG_AGO = "2001-01-01T00:00:00Z"

START = {"idTag": CARD, "connectorId": 1}


async def comes(box: Charger) -> None:
    await box.boot()
    await box.tell_status("Available")


@case("16_CP_BOOT_ACCEPTED", "16_CP_HEARTBEAT")
async def test_once_accepted_we_tell_states_and_beat_as_it_said(served: Served, early: Desk, charger_id: str) -> None:
    early.answers["BootNotification"] = boots(("Accepted", 1))
    async with Charger.at(served.chargers, "1.6", charger_id) as box:
        await comes(box)
        await early.status("Available")
        assert (await early.until("BootNotification"))["chargePointVendor"] == "Acme"
        assert {told["connectorId"] for told in early.told("StatusNotification")} == {0, 1}
        (told,) = (await early.ask("GetConfiguration", key=["HeartbeatInterval"]))["configurationKey"]
        assert told["value"] == "1"
        await early.until("Heartbeat")
        assert early.order[0] == "BootNotification"


@case("16_CP_HEARTBEAT")
async def test_its_clock_is_not_taken_over(served: Served, early: Desk, charger_id: str) -> None:
    early.answers["BootNotification"] = {"status": "Accepted", "interval": 300, "currentTime": LONG_AGO}
    early.answers["Heartbeat"] = {"currentTime": LONG_AGO}
    before = now()
    async with Charger.at(served.chargers, "1.6", charger_id) as box:
        await comes(box)
        await early.status("Available")
        assert await early.ask("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Accepted"}
        await early.until("Heartbeat")
        assert (await box.say("Heartbeat"))["currentTime"] >= before[:19]
        await box.start()
        assert (await early.until("StartTransaction"))["timestamp"] >= before[:19]


@case("16_CP_BOOT_PENDING")
async def test_while_it_has_us_wait_it_hears_nothing_and_starts_nothing(
    served: Served, early: Desk, charger_id: str
) -> None:
    early.answers["BootNotification"] = boots(("Pending", 300))
    async with Charger.at(served.chargers, "1.6", charger_id) as box:
        await comes(box)
        await early.until("BootNotification")
        assert await early.ask("RemoteStartTransaction", **START) == {"status": "Rejected"}
        assert (await early.ask("GetConfiguration", key=["HeartbeatInterval"]))["configurationKey"]
        await box.start()
        await box.stop()
        assert box.asked("RemoteStartTransaction") == []
        assert early.order.count("BootNotification") == len(early.calls) == 1
        early.answers["BootNotification"] = boots(("Accepted", 300))
        assert await early.ask("TriggerMessage", requestedMessage="BootNotification") == {"status": "Accepted"}
        await early.status("Available")
        heard = [action for action, _ in early.calls]
        missed = ["StartTransaction", "StopTransaction"]
        assert heard[:4] == ["BootNotification", "BootNotification", *missed]


@case("16_CP_BOOT_REJECTED")
async def test_one_that_rejects_us_is_left_alone_for_as_long_as_it_says(
    served: Served, early: Desk, charger_id: str
) -> None:
    early.answers["BootNotification"] = boots(("Rejected", 1), ("Accepted", 300))
    async with Charger.at(served.chargers, "1.6", charger_id) as box:
        await comes(box)
        await early.until("BootNotification")
        unheard = early.send("RemoteStartTransaction", START)
        await box.start()
        await early.until("BootNotification", number=2)
        assert not unheard.done()
        assert box.asked("RemoteStartTransaction") == []
        assert [action for action, _ in early.calls] == ["BootNotification", "BootNotification"]
        assert await early.until("StartTransaction")


@case("16_CP_BOOT_REJECTED")
async def test_where_it_names_no_time_the_pause_is_our_own(served: Served) -> None:
    registration = Registration(Peer("billing", "CP1", version=Version.V16))
    registration.answered(BootAnswer(NOON, 0, "Rejected"), NOON)
    assert registration.wait(NOON) == OWN_WAIT
    registration.answered(BootAnswer(NOON, 0, "Rejected"), NOON + timedelta(seconds=OWN_WAIT))
    assert registration.wait(NOON + timedelta(seconds=OWN_WAIT)) == 2 * OWN_WAIT
