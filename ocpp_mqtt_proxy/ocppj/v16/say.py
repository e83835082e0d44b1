"""What we tell an OCPP 1.6 Central System, as a charge point."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.model import OCCUPIED, Place, StopReason
from ocpp_mqtt_proxy.core.reports import (
    AuthorizationAnswer,
    AuthorizationRequested,
    BootReported,
    DataTransferReported,
    DiagnosticsReported,
    FirmwareReported,
    HeartbeatReported,
    MeterReported,
    Phase,
    SecurityReported,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.ocppj import alike
from ocpp_mqtt_proxy.ocppj.dialect import Calls, Payload, Say
from ocpp_mqtt_proxy.ocppj.fields import (
    Object,
    as_text,
    integer,
    without_nothing,
    zulu,
)
from ocpp_mqtt_proxy.ocppj.names import pascal
from ocpp_mqtt_proxy.ocppj.v16.words import (
    ERROR_CODES,
    FIRMWARE_WORD,
    REASON_WORD,
    STATUS_WORD,
    UPLOADS,
    authorization,
    id_tag,
    meter_values,
)


def _boot(report: BootReported) -> Calls:
    plate = report.nameplate
    payload = without_nothing(
        chargePointVendor=plate.vendor[:20] or "unknown",
        chargePointModel=plate.model[:20] or "unknown",
        chargePointSerialNumber=plate.serial[:25],
        firmwareVersion=plate.firmware[:50],
        iccid=plate.iccid[:20],
        imsi=plate.imsi[:20],
        meterType=plate.meter_type[:25],
        meterSerialNumber=plate.meter_serial[:25],
    )
    return [("BootNotification", payload)]


def _connector(place: Place | None) -> int:
    return place.evse if place else 0


def _status(report: StatusReported) -> Calls:
    word = "Preparing" if report.status == OCCUPIED else STATUS_WORD.get(report.status, "Unavailable")
    known = report.error_code in ERROR_CODES
    payload = without_nothing(
        connectorId=_connector(report.place),
        status=word,
        errorCode=report.error_code if known else "OtherError",
        info=report.info[:50],
        vendorErrorCode=(report.vendor_error_code or ("" if known else report.error_code))[:50],
        timestamp=zulu(report.at) if report.at else None,
    )
    return [("StatusNotification", payload)]


def _authorize(report: AuthorizationRequested) -> Calls:
    return [("Authorize", {"idTag": id_tag(report.token)})]


def _transaction(report: TransactionReported) -> Calls:
    """Started and ended have messages of their own; what is between shows in meter values, if at all (§10.6)."""
    match report.phase:
        case Phase.STARTED:
            return [("StartTransaction", _start(report))]
        case Phase.ENDED:
            return [("StopTransaction", _stop(report))]
        case _:
            return _meter(report)


def _start(report: TransactionReported) -> Payload:
    return without_nothing(
        connectorId=_connector(report.place),
        idTag=(id_tag(report.token) if report.token else "") or "unknown",
        meterStart=round(report.meter_start or 0),
        reservationId=report.reservation_id,
        timestamp=zulu(report.at or alike.EPOCH),
    )


def _stop(report: TransactionReported) -> Payload:
    reason = REASON_WORD.get(report.stop_reason or StopReason.LOCAL, "Other")
    return without_nothing(
        transactionId=int(report.transaction_id or -1),
        idTag=id_tag(report.token) if report.token else None,
        meterStop=round(report.meter_stop or 0),
        timestamp=zulu(report.at or alike.EPOCH),
        reason=reason,
        transactionData=meter_values(report.samples) or None,
    )


def _meter(report: MeterReported | TransactionReported) -> Calls:
    values = meter_values(report.samples)
    payload = without_nothing(
        connectorId=_connector(report.place),
        transactionId=int(report.transaction_id) if report.transaction_id else None,
        meterValue=values,
    )
    return [("MeterValues", payload)] if values else []


def _transaction_answer(payload: Object) -> TransactionAnswer:
    """A transaction's id is a number; what is none names no transaction, as if it was left out."""
    verdict = authorization(payload) if "idTagInfo" in payload else None
    number = integer(payload, "transactionId")
    return TransactionAnswer("" if number is None else str(number), verdict)


def _firmware(report: FirmwareReported) -> Calls:
    """With a request's id for a CSMS that asked for a signed update, which knows more words."""
    if report.request_id is not None:
        payload: Payload = {"status": pascal(report.status), "requestId": report.request_id}
        return [("SignedFirmwareStatusNotification", payload)]
    return [("FirmwareStatusNotification", {"status": FIRMWARE_WORD.get(report.status) or pascal(report.status)})]


def _diagnostics(report: DiagnosticsReported) -> Calls:
    """With a request's id for a CSMS that asked for a log, which knows more words."""
    if report.request_id is not None:
        status = "UploadFailure" if report.status == "upload_failed" else pascal(report.status)
        return [("LogStatusNotification", {"status": status, "requestId": report.request_id})]
    return [("DiagnosticsStatusNotification", {"status": UPLOADS.get(report.status, "UploadFailed")})]


def _data_transfer(report: DataTransferReported) -> Calls:
    rest = without_nothing(messageId=report.message_id[:50], data=as_text(report.data))
    return [("DataTransfer", {"vendorId": report.vendor_id[:255], **rest})]


SAY = {
    BootReported: Say(_boot, alike.read_boot),
    HeartbeatReported: Say(alike.say_heartbeat, alike.read_time),
    StatusReported: Say(_status, alike.read_nothing),
    AuthorizationRequested: Say(_authorize, lambda p: AuthorizationAnswer(authorization(p))),
    TransactionReported: Say(_transaction, _transaction_answer),
    MeterReported: Say(_meter, alike.read_nothing),
    FirmwareReported: Say(_firmware, alike.read_nothing),
    DiagnosticsReported: Say(_diagnostics, alike.read_nothing),
    SecurityReported: Say(alike.say_security, alike.read_nothing),
    DataTransferReported: Say(_data_transfer, alike.read_data_transfer),
}
