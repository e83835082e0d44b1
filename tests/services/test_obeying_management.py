"""Resets, logs, firmware, certificates, triggers and what is passed on as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import (
    ClearCache,
    DataTransfer,
    GetDiagnostics,
    Message,
    Order,
    Outcome,
    RawCall,
    Reset,
    Result,
    Trigger,
    UpdateFirmware,
    done,
)
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.model import IdToken, Place, Reading, Sample, Status, Version
from ocpp_mqtt_proxy.core.peer import PeerTransaction
from ocpp_mqtt_proxy.core.reports import (
    DiagnosticsReported,
    FirmwareReported,
    MeterReported,
    Phase,
    Report,
    StatusReported,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Mirror
from ocpp_mqtt_proxy.services import living
from ocpp_mqtt_proxy.services.outstation import MOST_BEHIND, MOST_ERRANDS, Outstation
from tests.fakes import NOON
from tests.services.fakes import charger_of, outbox_of
from tests.services.obedience import call, served

V16, V201, V21 = Version
PAIRS = [pytest.param(service, charger, id=f"{service}-to-{charger}") for service in Version for charger in Version]
each_pair = pytest.mark.parametrize(("service", "charger"), PAIRS)
each_2x = pytest.mark.parametrize("service", [V201, V21])
SOFT = {V16: "Soft", V201: "OnIdle", V21: "OnIdle"}
URL = "https://example.org/log"
ENERGY = "Energy.Active.Import.Register"


def managed(service: Version, charger: Version) -> Outstation:
    return served(service, charger, roles=ControlClass)


async def get_log(out: Outstation) -> dict[str, Any]:
    if out.version is V16:
        return await call(out, "GetDiagnostics", location=URL)
    return await call(out, "GetLog", logType="DiagnosticsLog", requestId=7, log={"remoteLocation": URL})


async def update(out: Outstation) -> dict[str, Any]:
    if out.version is V16:
        return await call(out, "UpdateFirmware", location=URL, retrieveDate="2026-03-14T12:00:00Z")
    firmware = {"location": URL, "retrieveDateTime": "2026-03-14T12:00:00Z"}
    return await call(out, "UpdateFirmware", requestId=7, firmware=firmware)


def told(out: Outstation) -> list[tuple[str, dict[str, Any]]]:
    """What the service is about to be told, what it asked for first."""
    return [*out.asked, *out.live]


async def settled(out: Outstation) -> None:
    """Until nothing is done any more that nobody waits for."""
    while out._errands:  # noqa: SLF001 (nothing else knows when they are over)
        await asyncio.wait(out._errands)  # noqa: SLF001 (the same)


# With management, and without


@each_pair
async def test_a_reset_goes_through_with_management_alone(service: Version, charger: Version) -> None:
    out = managed(service, charger)
    assert (await call(out, "Reset", type=SOFT[service]))["status"] == "Accepted"
    assert charger_of(out).asked == [Reset()]


@each_2x
async def test_a_reset_of_one_evse_is_none_of_the_charger(service: Version) -> None:
    out = managed(service, V16)
    assert await call(out, "Reset", type="Immediate", evseId=1) == {"status": "Rejected"}
    assert charger_of(out).asked == []


@each_pair
async def test_a_vendor_s_message_goes_through_with_management_alone(service: Version, charger: Version) -> None:
    without = served(service, charger)
    assert await call(without, "DataTransfer", vendorId="x") == {"status": "UnknownVendorId"}
    assert charger_of(without).asked == []
    out = managed(service, charger)
    assert (await call(out, "DataTransfer", vendorId="x", data="y"))["status"] == "Accepted"
    assert charger_of(out).asked == [DataTransfer("x", "", "y")]


@each_pair
async def test_a_cache_is_cleared_for_the_service_alone_or_in_the_charger(service: Version, charger: Version) -> None:
    out = served(service, charger)
    out.peer.accepted_tags["card"] = NOON
    assert await call(out, "ClearCache") == {"status": "Accepted"}
    assert (out.peer.accepted_tags, charger_of(out).asked) == ({}, [])
    out = managed(service, charger)
    await call(out, "ClearCache")
    assert charger_of(out).asked == [ClearCache()]


# Logs and firmware


@each_pair
async def test_a_log_is_asked_for_under_a_number_of_ours_and_told_by_the_service_s(
    service: Version, charger: Version
) -> None:
    out = managed(service, charger)
    await get_log(out)
    (order,) = charger_of(out).asked
    assert isinstance(order, GetDiagnostics)
    assert (order.url, order.request_id != 7) == (URL, True)
    out.hub.mirror = Follow(out)
    number = None if charger is V16 else order.request_id
    out.hub.hear(out.charger_id, DiagnosticsReported("uploading", number))
    ((action, payload),) = told(out)
    assert action == ("DiagnosticsStatusNotification" if service is V16 else "LogStatusNotification")
    assert payload.get("requestId") == (None if service is V16 else 7)


@each_pair
async def test_firmware_is_updated_under_a_number_of_ours_and_told_by_the_service_s(
    service: Version, charger: Version
) -> None:
    out = managed(service, charger)
    await update(out)
    (order,) = charger_of(out).asked
    assert isinstance(order, UpdateFirmware)
    out.hub.mirror = Follow(out)
    number = None if charger is V16 else order.request_id
    out.hub.hear(out.charger_id, FirmwareReported("downloading", number))
    ((action, payload),) = told(out)
    assert (action, payload.get("requestId")) == ("FirmwareStatusNotification", None if service is V16 else 7)


@each_pair
async def test_without_management_nothing_is_uploaded_or_updated(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await get_log(out) == ({} if service is V16 else {"status": "Rejected"})
    assert await update(out) == ({} if service is V16 else {"status": "Rejected"})
    assert charger_of(out).asked == []
    assert (out.peer.requests, out.awaits) == ({}, {})
    failed = [("FirmwareStatusNotification", {"status": "InstallationFailed"})]
    assert told(out) == (failed if service is V16 else [])  # its answer has no word for no


# Certificates


@each_2x
@pytest.mark.parametrize("roles", [(), tuple(ControlClass)], ids=["without", "with management"])
async def test_certificates_and_networks_are_our_own_affair(service: Version, roles: tuple[ControlClass, ...]) -> None:
    out = served(service, service, roles=roles)
    install = await call(out, "InstallCertificate", certificateType="CSMSRootCertificate", certificate="PEM")
    signed = await call(out, "CertificateSigned", certificateChain="PEM")
    assert [install, signed] == [{"status": "Rejected"}] * 2
    named = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
    assert await call(out, "DeleteCertificate", certificateHashData=named) == {"status": "NotFound"}
    assert await call(out, "GetInstalledCertificateIds") == {"status": "NotFound"}
    sign = await call(out, "TriggerMessage", requestedMessage="SignChargingStationCertificate")
    assert sign == {"status": "NotImplemented"}
    assert charger_of(out).asked == []


# As it came


async def test_what_we_have_no_word_for_passes_between_links_of_one_version_with_management() -> None:
    out = managed(V201, V201)
    charger_of(out).answer = lambda _: Outcome(Result.OK, result={"status": "Accepted"})
    assert await call(out, "SetMonitoringLevel", severity=3) == {"status": "Accepted"}
    assert charger_of(out).asked == [RawCall("SetMonitoringLevel", {"severity": 3})]


@pytest.mark.parametrize(
    ("service", "charger", "roles"),
    [(V21, V201, tuple(ControlClass)), (V201, V21, tuple(ControlClass)), (V201, V201, ())],
)
async def test_nothing_passes_between_versions_nor_without_management(
    service: Version, charger: Version, roles: tuple[ControlClass, ...]
) -> None:
    out = served(service, charger, roles=roles)
    assert await call(out, "SetMonitoringLevel", severity=3) == {"status": "Rejected"}
    assert charger_of(out).asked == []


async def test_a_request_s_id_is_exchanged_for_one_of_ours() -> None:
    out = managed(V201, V201)
    charger_of(out).answer = lambda _: Outcome(Result.OK, result={"status": "Accepted"})
    asked = {"requestId": 7, "report": True, "clear": False}
    assert await call(out, "CustomerInformation", **asked) == {"status": "Accepted"}
    (order,) = charger_of(out).asked
    assert isinstance(order, RawCall)
    assert out.peer.requests == {order.payload["requestId"]: 7}
    assert order.payload["requestId"] != 7


async def test_a_transaction_s_id_is_the_charger_s_own_where_a_call_passes() -> None:
    out = managed(V201, V201)
    charger_of(out).answer = lambda _: Outcome(Result.OK)
    runs(out)
    assert await call(out, "CostUpdated", totalCost=1.5, transactionId="901") == {}
    (order,) = charger_of(out).asked
    assert isinstance(order, RawCall)
    assert order.payload == {"totalCost": 1.5, "transactionId": "tx"}


async def test_an_answer_that_breaks_its_schema_does_not_go_on() -> None:
    out = managed(V201, V201)
    charger_of(out).answer = lambda _: Outcome(Result.OK, result={"status": "Perhaps"})
    assert await call(out, "SetMonitoringLevel", severity=3) == {"status": "Rejected"}


# Triggers


class Follow(Mirror):
    """A mirror with one service, for what it is told at once."""

    def __init__(self, out: Outstation) -> None:
        self.out = out

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        living.follow(self.out, report, facts)
        return []

    def ask(self, *_: Any) -> None:
        return None


async def trigger(out: Outstation, message: str, at: int | None = None) -> str:
    where: dict[str, Any] = {}
    if at is not None:
        where = {"connectorId": at} if out.version is V16 else {"evse": {"id": at, "connectorId": 1}}
    return str((await call(out, "TriggerMessage", requestedMessage=message, **where))["status"])


def reads(out: Outstation, energy: float) -> None:
    out.hub.hear(out.charger_id, MeterReported(Place(1, 1), (Sample(NOON, (Reading(ENERGY, energy, "Wh"),)),)))


def runs(out: Outstation) -> None:
    """A transaction that the service knows."""
    ours = None if out.station.version is V16 else "tx"
    out.hub.hear(out.charger_id, TransactionReported(Phase.STARTED, ours, NOON, Place(1, 1), IdToken("A"), seq_no=0))
    (session,) = out.station.sessions()
    known = PeerTransaction(session.session_id, session.transaction_id, "901", 1)
    out.peer.transactions[known.key] = known


@each_pair
async def test_a_heartbeat_and_states_are_told_from_what_we_know(service: Version, charger: Version) -> None:
    out = served(service, charger, roles=())
    out.hub.hear(out.charger_id, StatusReported(Place(1, 1), Status.AVAILABLE, NOON))
    assert await trigger(out, "Heartbeat") == await trigger(out, "StatusNotification", 1) == "Accepted"
    assert [action for action, _ in told(out)] == ["Heartbeat", "StatusNotification"]
    assert charger_of(out).asked == []


@pytest.mark.parametrize("service", Version)
async def test_a_boot_is_sent_again_where_2x_has_not_accepted_us_and_1_6_wants_it(service: Version) -> None:
    out = served(service, accepted=False)
    assert await trigger(out, "BootNotification") == "Accepted"
    assert out.wanted == "triggered"
    again = await trigger(served(service), "BootNotification")
    assert again == ("Accepted" if service is V16 else "Rejected")  # F06.FR.17


@each_pair
async def test_an_unknown_connector_triggers_nothing(service: Version, charger: Version) -> None:
    out = served(service, charger)
    assert await trigger(out, "StatusNotification", 9) == "Rejected"
    assert told(out) == []


@each_pair
async def test_uploads_and_updates_of_others_are_nobody_else_s_business(service: Version, charger: Version) -> None:
    out = served(service, charger)
    out.hub.hear(out.charger_id, FirmwareReported("downloading"))
    log = "DiagnosticsStatusNotification" if service is V16 else "LogStatusNotification"
    assert await trigger(out, "FirmwareStatusNotification") == await trigger(out, log) == "Accepted"
    assert [payload for _, payload in told(out)] == [{"status": "Idle"}] * 2


@each_pair
async def test_fresh_readings_are_told_as_asked_for_without_asking_the_charger(
    service: Version, charger: Version
) -> None:
    out = served(service, charger, roles=())
    reads(out, 5000.0)
    assert await trigger(out, "MeterValues", 1) == "Accepted"
    await settled(out)
    ((action, payload),) = told(out)
    (value,) = payload["meterValue"][0]["sampledValue"]
    assert (action, value["context"], float(value["value"])) == ("MeterValues", "Trigger", 5000.0)
    assert charger_of(out).asked == []


@each_pair
async def test_where_nothing_is_fresh_the_charger_is_asked_first(service: Version, charger: Version) -> None:
    out = served(service, charger, roles=())

    def reads_now(_: Order) -> Outcome:
        asyncio.get_running_loop().call_soon(reads, out, 6000.0)
        return done()

    charger_of(out).answer = reads_now
    assert await trigger(out, "MeterValues", 1) == "Accepted"
    assert told(out) == []  # it is answered first
    await settled(out)
    assert [type(order) for order in charger_of(out).asked] == [Trigger]
    assert charger_of(out).asked[0].message is Message.METER  # type: ignore[union-attr]  # it is a trigger
    assert [action for action, _ in told(out)] == ["MeterValues"]


async def test_one_that_is_blocked_does_not_have_the_charger_asked() -> None:
    out = served(roles=())
    out.arbitration.rules = replace(out.arbitration.rules, blocked=frozenset({out.id}))
    assert await trigger(out, "MeterValues", 1) == "Accepted"
    await settled(out)
    assert (charger_of(out).asked, told(out)) == ([], [])


@pytest.mark.parametrize("charger", Version)
async def test_a_transaction_event_follows_in_order_with_the_others(charger: Version) -> None:
    out = served(V201, charger)
    runs(out)
    reads(out, 5000.0)
    assert await trigger(out, "TransactionEvent") == "Accepted"
    await settled(out)
    (outgoing,) = outbox_of(out.hub).given
    assert isinstance(outgoing.told, TransactionReported)
    assert (outgoing.told.trigger, outgoing.told.phase) == ("trigger", Phase.UPDATED)


@each_2x
async def test_without_a_transaction_there_is_no_event(service: Version) -> None:
    assert await trigger(served(service), "TransactionEvent") == "Rejected"


@pytest.mark.parametrize("charger", Version)
async def test_16_hears_readings_of_its_transaction_with_it(charger: Version) -> None:
    out = served(V16, charger)
    runs(out)
    reads(out, 5000.0)
    await trigger(out, "MeterValues", 1)
    await settled(out)
    assert (len(outbox_of(out.hub).given), told(out)) == (1, [])


@pytest.mark.parametrize(
    ("service", "message"), [(V16, "MeterValues"), (V201, "TransactionEvent"), (V21, "TransactionEvent")]
)
async def test_who_asks_faster_than_it_can_be_told_is_refused_before_its_queue_is_full(
    service: Version, message: str
) -> None:
    out = served(service)
    runs(out)
    reads(out, 5000.0)
    answers: list[str] = []
    while "Rejected" not in answers and len(answers) < 2 * MOST_BEHIND:
        answers.append(await trigger(out, message, 1))
        await settled(out)
    assert answers[-1] == "Rejected"
    assert len(outbox_of(out.hub).given) == MOST_BEHIND


async def test_who_asks_for_more_than_can_be_done_at_once_is_refused() -> None:
    out = served(roles=())
    reads(out, 5000.0)
    answers = [await trigger(out, "MeterValues", 1) for _ in range(MOST_ERRANDS + 1)]
    assert answers == ["Accepted"] * MOST_ERRANDS + ["Rejected"]
    await settled(out)


@each_2x
async def test_what_cannot_be_triggered_is_not_implemented(service: Version) -> None:
    assert await trigger(served(service, service), "PublishFirmwareStatusNotification") == "NotImplemented"
