"""What OCPP 1.6 charge points send, the security whitepaper's messages included."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.model import IdToken, Nameplate, Status, StopReason, WattHours
from ocpp_mqtt_proxy.core.reports import (
    AuthorizationAnswer,
    AuthorizationRequested,
    BootReported,
    DataTransferAnswer,
    MeterReported,
    Phase,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.ocppj import alike
from ocpp_mqtt_proxy.ocppj.dialect import Hear, Payload
from ocpp_mqtt_proxy.ocppj.fields import (
    Object,
    as_text,
    choice,
    instant,
    integer,
    text,
    without_nothing,
    words,
)
from ocpp_mqtt_proxy.ocppj.names import pascal
from ocpp_mqtt_proxy.ocppj.v16.words import REASON, STATUS, connector_id, id_tag_info, place, samples, transaction_id


def _boot(payload: Object) -> BootReported:
    return BootReported(
        Nameplate(
            vendor=text(payload, "chargePointVendor"),
            model=text(payload, "chargePointModel"),
            serial=text(payload, "chargePointSerialNumber") or text(payload, "chargeBoxSerialNumber"),
            firmware=text(payload, "firmwareVersion"),
            iccid=text(payload, "iccid"),
            imsi=text(payload, "imsi"),
            meter_type=text(payload, "meterType"),
            meter_serial=text(payload, "meterSerialNumber"),
        )
    )


def _status(payload: Object) -> StatusReported:
    return StatusReported(
        place=place(connector_id(payload)),
        status=choice(payload, "status", STATUS, Status.UNKNOWN),
        at=instant(payload, "timestamp"),
        error_code=text(payload, "errorCode") or "NoError",
        info=words(payload, "info"),
        vendor_error_code=words(payload, "vendorErrorCode"),
    )


def _authorize(payload: Object) -> AuthorizationRequested:
    return AuthorizationRequested(IdToken(text(payload, "idTag")))


def _authorized(answer: AuthorizationAnswer) -> Payload:
    return {"idTagInfo": id_tag_info(answer.authorization)}


def _watt_hours(payload: Object, key: str) -> WattHours | None:
    value = integer(payload, key)
    return None if value is None else WattHours(value)


def _start(payload: Object) -> TransactionReported:
    return TransactionReported(
        phase=Phase.STARTED,
        transaction_id=None,
        at=instant(payload, "timestamp"),
        place=place(connector_id(payload)),
        token=IdToken(text(payload, "idTag")),
        meter_start=_watt_hours(payload, "meterStart"),
        reservation_id=integer(payload, "reservationId"),
    )


def _started(answer: TransactionAnswer) -> Payload:
    info = id_tag_info(answer.authorization) if answer.authorization else {"status": "Accepted"}
    return {"transactionId": int(answer.transaction_id), "idTagInfo": info}


def _stop(payload: Object) -> TransactionReported:
    tag = text(payload, "idTag")
    return TransactionReported(
        phase=Phase.ENDED,
        transaction_id=transaction_id(payload),
        at=instant(payload, "timestamp"),
        token=IdToken(tag) if tag else None,
        meter_stop=_watt_hours(payload, "meterStop"),
        samples=samples(payload, "transactionData"),
        stop_reason=choice(payload, "reason", REASON, StopReason.LOCAL),
    )


def _stopped(answer: TransactionAnswer) -> Payload:
    return {"idTagInfo": id_tag_info(answer.authorization)} if answer.authorization else {}


def _meter(payload: Object) -> MeterReported:
    return MeterReported(
        place=place(connector_id(payload)),
        samples=samples(payload, "meterValue"),
        transaction_id=transaction_id(payload),
    )


def _data_transferred(answer: DataTransferAnswer) -> Payload:
    return without_nothing(status=pascal(answer.status), data=as_text(answer.data))


_TIME = frozenset({"timestamp"})

HEAR = {
    "Authorize": Hear(_authorize, _authorized),
    "BootNotification": Hear(_boot, alike.boot_accepted, tolerant=True),
    "DataTransfer": Hear(alike.heard_data_transfer, _data_transferred, tolerant=True),
    "DiagnosticsStatusNotification": Hear(alike.heard_upload, alike.nothing),
    "FirmwareStatusNotification": Hear(alike.heard_firmware, alike.nothing),
    "Heartbeat": Hear(alike.heard_heartbeat, alike.time_told, tolerant=True),
    "LogStatusNotification": Hear(alike.heard_upload, alike.nothing),
    "MeterValues": Hear(_meter, alike.nothing, tolerant=True, plain=lambda payload: transaction_id(payload) or ""),
    "SecurityEventNotification": Hear(alike.heard_security, alike.nothing),
    # We sign nothing yet: a charger keeps the certificate it has (A02).
    "SignCertificate": Hear(alike.noticed("SignCertificate"), alike.answered("Rejected")),
    "SignedFirmwareStatusNotification": Hear(alike.heard_firmware, alike.nothing),
    "StartTransaction": Hear(_start, _started, tolerant=True, forgiven=_TIME),
    "StatusNotification": Hear(_status, alike.nothing, tolerant=True),
    "StopTransaction": Hear(_stop, _stopped, tolerant=True, forgiven=_TIME),
}
