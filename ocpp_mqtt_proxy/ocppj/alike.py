"""What 1.6 (with its security whitepaper) and 2.x say the same way: words, and halves of rows.

A version's own tables take these as they are; where one of them differs, it has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ocpp_mqtt_proxy.core.commands import GetDiagnostics, Outcome, Reserve, UpdateFirmware, done
from ocpp_mqtt_proxy.core.model import STATION
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    BootAnswer,
    DataTransferAnswer,
    DataTransferReported,
    DiagnosticsReported,
    FirmwareReported,
    HeartbeatReported,
    NoticeReported,
    SecurityReported,
    TimeAnswer,
)
from ocpp_mqtt_proxy.ocppj.dialect import Calls, Payload, agreed, usual_answer
from ocpp_mqtt_proxy.ocppj.fields import Object, child, instant, integer, text, without_nothing, zulu
from ocpp_mqtt_proxy.ocppj.names import snake

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands where a time is needed and none is known; whoever reads it takes the time of receipt."""

CONTEXTS = frozenset(
    {
        "Interruption.Begin",
        "Interruption.End",
        "Other",
        "Sample.Clock",
        "Sample.Periodic",
        "Transaction.Begin",
        "Transaction.End",
        "Trigger",
    }
)
LOCATIONS = frozenset({"Body", "Cable", "EV", "Inlet", "Outlet"})
PHASES = frozenset({"L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"})
MEASURANDS = frozenset(
    {
        "Current.Export",
        "Current.Import",
        "Current.Offered",
        "Energy.Active.Export.Interval",
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Interval",
        "Energy.Active.Import.Register",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Import.Register",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Factor",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "SoC",
        "Voltage",
    }
)
"""Those that every version has (semantics §10.7)."""

# What a charger sends


def heard_firmware(payload: Object) -> FirmwareReported:
    """FirmwareStatusNotification, signed or not."""
    return FirmwareReported(snake(text(payload, "status")), integer(payload, "requestId"))


def heard_upload(payload: Object) -> DiagnosticsReported:
    """DiagnosticsStatusNotification, LogStatusNotification."""
    return DiagnosticsReported(snake(text(payload, "status")), integer(payload, "requestId"))


def heard_security(payload: Object) -> SecurityReported:
    """SecurityEventNotification."""
    return SecurityReported(text(payload, "type"), instant(payload, "timestamp"), text(payload, "techInfo"))


def heard_data_transfer(payload: Object) -> DataTransferReported:
    """DataTransfer."""
    return DataTransferReported(text(payload, "vendorId"), text(payload, "messageId"), payload.get("data"))


def heard_heartbeat(_: Object) -> HeartbeatReported:
    """Heartbeat."""
    return HeartbeatReported()


def noticed(action: str) -> Callable[[Object], NoticeReported]:
    """Any message that changes nothing of ours."""
    return lambda payload: NoticeReported(action, payload, STATION)


# What it is answered


def boot_accepted(answer: BootAnswer) -> Payload:
    """BootNotification is always accepted."""
    return {"status": "Accepted", "currentTime": zulu(answer.now), "interval": answer.interval}


def time_told(answer: TimeAnswer) -> Payload:
    """Heartbeat's answer."""
    return {"currentTime": zulu(answer.now)}


def nothing(_: Acknowledged) -> Payload:
    """An answer without fields."""
    return {}


def answered(status: str, **fields: object) -> Callable[[Acknowledged], Payload]:
    """An answer that is always the same."""
    return lambda _: {"status": status, **fields}


# What we tell a CSMS, and what its answer means


def say_heartbeat(_: HeartbeatReported) -> Calls:
    """Heartbeat."""
    return [("Heartbeat", {})]


def say_security(said: SecurityReported) -> Calls:
    """SecurityEventNotification."""
    payload = without_nothing(type=said.type, timestamp=zulu(said.at or EPOCH), techInfo=said.info[:255])
    return [("SecurityEventNotification", payload)]


def read_boot(payload: Object) -> BootAnswer:
    """BootNotification's answer."""
    interval = max(0, integer(payload, "interval") or 0)
    return BootAnswer(instant(payload, "currentTime") or EPOCH, interval, snake(text(payload, "status")))


def read_time(payload: Object) -> TimeAnswer:
    """Heartbeat's answer."""
    return TimeAnswer(instant(payload, "currentTime") or EPOCH)


def read_data_transfer(payload: Object) -> DataTransferAnswer:
    """DataTransfer's answer."""
    return DataTransferAnswer(snake(text(payload, "status")), payload.get("data"))


def read_nothing(_: Object) -> Acknowledged:
    """An answer without fields."""
    return Acknowledged()


# Orders about logs and firmware


def log_sent(_: GetDiagnostics, payload: Object) -> Outcome:
    """GetLog's answer."""
    outcome = agreed(payload, "AcceptedCanceled")
    return done(file_name=text(payload, "filename")) if outcome.ok else outcome


def obeyed_log(payload: Object) -> GetDiagnostics:
    """GetLog."""
    url = text(child(payload, "log"), "remoteLocation")
    return GetDiagnostics(integer(payload, "requestId") or 0, url, payload.get("logType") == "SecurityLog")


def uploading(_: GetDiagnostics, outcome: Outcome) -> Payload:
    """The answer to GetLog."""
    answer: Payload = {"status": "Accepted" if outcome.ok else "Rejected"}
    return answer | without_nothing(filename=text(outcome.result, "file_name")[:255])


def firmware(order: UpdateFirmware) -> Payload:
    """FirmwareType."""
    return without_nothing(
        location=order.url,
        retrieveDateTime=zulu(order.at),
        signingCertificate=order.certificate if order.signed else None,
        signature=order.signature if order.signed else None,
    )


_RESERVED = usual_answer(
    charger_faulted="Faulted",
    charger_unavailable="Unavailable",
    held_by_other="Occupied",
)


def reserved(order: Reserve, outcome: Outcome) -> Payload:
    """The answer to ReserveNow: the charger's own word, where it gave one."""
    said = outcome.result.get("charger_status")
    no = said in ("Faulted", "Occupied", "Unavailable") and not outcome.ok
    return {"status": said} if no else _RESERVED(order, outcome)


def obeyed_firmware(payload: Object) -> UpdateFirmware:
    """SignedUpdateFirmware of 1.6, UpdateFirmware of 2.x."""
    given = child(payload, "firmware")
    return UpdateFirmware(
        request_id=integer(payload, "requestId") or 0,
        url=text(given, "location"),
        at=instant(given, "retrieveDateTime") or EPOCH,
        certificate=as_it_came(given, "signingCertificate"),
        signature=as_it_came(given, "signature"),
    )


def as_it_came(payload: Object, key: str) -> str:
    """Text of which every character counts: a signature, a certificate."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""
