"""What takes management, and what concerns nobody but us: never more than the rules let through (semantics §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.certificates import DeleteCertificate, InstallCertificate, ListCertificates, TakeCertificate
from ocpp_mqtt_proxy.core.commands import (
    ClearCache,
    DataTransfer,
    GetDiagnostics,
    Order,
    Outcome,
    RawCall,
    Reason,
    Reset,
    UpdateFirmware,
    done,
    refused,
)
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.peer import remember
from ocpp_mqtt_proxy.core.reports import FirmwareReported
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.services.living import UPDATING, UPLOADING
from ocpp_mqtt_proxy.services.obeying import permission
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

MOST_REQUESTS = 100
"""Requests whose ids are remembered of each service and charger; the oldest go first."""


async def _manage(out: Outstation, subject: str, order: Order) -> Outcome:
    return await wishes.manage(out.arbitration, out.id, out.charger_id, subject, order)


async def _reset(out: Outstation, order: Reset) -> Outcome:
    """Reset: it is everybody's charger."""
    return await _manage(out, "reset", order)


async def _data_transfer(out: Outstation, order: DataTransfer) -> Outcome:
    """DataTransfer: to whom it may not go, it is of a vendor that nobody knows (semantics §7)."""
    outcome = await _manage(out, "data_transfer", order)
    return replace(outcome, reason=Reason.NOT_SUPPORTED) if outcome.reason is Reason.ROLE else outcome


async def _clear_cache(out: Outstation, order: ClearCache) -> Outcome:
    """ClearCache: without management, what we remember of the cards that it took (semantics §7)."""
    out.peer.accepted_tags.clear()
    out.keep()
    managed = permission.has(out, ControlClass.MANAGEMENT)
    return await _manage(out, "clear_cache", order) if managed else done()


# What is told about later, by the service's id


async def _diagnostics(out: Outstation, order: GetDiagnostics) -> Outcome:
    """GetDiagnostics, GetLog: the charger uploads straight to the service, so it takes management."""
    number = _numbered(out, order.request_id)
    outcome = await _manage(out, "diagnostics", replace(order, request_id=number))
    return _awaited(out, UPLOADING, number, outcome)


async def _firmware(out: Outstation, order: UpdateFirmware) -> Outcome:
    """UpdateFirmware, SignedUpdateFirmware. Where the answer has no word for no, a report says it (errata 3.63)."""
    number = _numbered(out, order.request_id)
    outcome = await _manage(out, "firmware", replace(order, request_id=number))
    if not outcome.ok and out.version is Version.V16 and not order.signed:
        out.report(FirmwareReported("installation_failed"), asked=True)
    return _awaited(out, UPDATING, number, outcome)


def _numbered(out: Outstation, theirs: int) -> int:
    """A number of ours for a request of the service's; known before the charger is asked, which may tell at once."""
    number = out.arbitration.dispatcher.next_id()
    remember(out.peer.requests, number, theirs, MOST_REQUESTS)
    out.keep()
    return number


def _awaited(out: Outstation, kind: str, number: int, outcome: Outcome) -> Outcome:
    """What follows is told to the service by its own id; a 1.6 one gives none with what is not signed."""
    theirs: int | None = out.peer.requests[number]
    if not outcome.ok or (out.version is Version.V16 and not theirs):
        del out.peer.requests[number]
        out.keep()
        theirs = None
    if outcome.ok:
        out.awaits[kind] = theirs
    return outcome


# Certificates are of one's own identity: ours towards the service, the charger's towards us (semantics §9)


async def _stays_here(_: Outstation, __: Order) -> Outcome:
    return refused(Reason.ROLE, "certificates and networks of the charger are the proxy's own affair")


async def _no_certificate(_: Outstation, __: DeleteCertificate) -> Outcome:
    return refused(Reason.NOT_SUPPORTED, "there is no such certificate")


async def _no_certificates(_: Outstation, __: ListCertificates) -> Outcome:
    return done(certificates=[])


# What is passed on as it came

_STAYS: frozenset[str] = frozenset(
    {
        *("CertificateSigned", "InstallCertificate", "DeleteCertificate", "GetInstalledCertificateIds"),
        *("SetNetworkProfile", "ReserveNow", "RequestStartTransaction", "RemoteStartTransaction"),
        *("SetChargingProfile", "ClearChargingProfile", "SetVariables", "SendLocalList", "UsePriorityCharging"),
        *("UpdateDynamicSchedule", "ChangeAvailability"),
    }
)
"""What never passes: it has ids that are nobody's but the service's, or what it says is about our own links."""


def _wants_a_certificate(call: RawCall) -> bool:
    return str(call.payload.get("requestedMessage", "")).startswith("Sign")


async def _pass_on(out: Outstation, call: RawCall) -> Outcome:
    """A call that we have no word for: between links of one version, with management, under ids of ours."""
    if out.version is not out.station.version:
        return refused(Reason.NOT_SUPPORTED, f"OCPP {out.station.version} chargers are not asked for {call.action}")
    if call.action in _STAYS or _wants_a_certificate(call):
        return refused(Reason.NOT_SUPPORTED, f"{call.action} of a service does not go to the charger")
    payload = _translated(out, call.payload)
    if payload is None:
        return refused(Reason.NOT_YOURS, "no such transaction of yours runs")
    theirs = payload.get("requestId")
    number = _numbered(out, theirs) if isinstance(theirs, int) else None
    request = requests.Call(ocpp_action=call.action, payload=payload | ({"requestId": number} if number else {}))
    outcome = await wishes.call(out.arbitration, out.id, out.charger_id, request)
    if not outcome.ok and number is not None:
        out.peer.requests.pop(number, None)
    beyond = call.action.endswith("TriggerMessage") and outcome.reason is Reason.ROLE
    return replace(outcome, reason=Reason.NOT_SUPPORTED) if beyond else outcome  # F06.FR.08: NotImplemented


def _translated(out: Outstation, payload: Mapping[str, object]) -> dict[str, Any] | None:
    """With the charger's own transaction ids, wherever there are any; None where one is not the service's."""
    found: dict[str, Any] = {}
    for key, value in payload.items():
        inner: object = value
        if key == "transactionId":
            known = out.peer.running(str(value))
            inner = known.ours if known else None
        elif isinstance(value, dict):
            inner = _translated(out, value)
        if inner is None and value is not None:
            return None
        found[key] = inner
    return found


HANDLERS: Handlers = {
    ClearCache: _clear_cache,
    DataTransfer: _data_transfer,
    DeleteCertificate: _no_certificate,
    GetDiagnostics: _diagnostics,
    InstallCertificate: _stays_here,
    ListCertificates: _no_certificates,
    RawCall: _pass_on,
    Reset: _reset,
    TakeCertificate: _stays_here,
    UpdateFirmware: _firmware,
}
