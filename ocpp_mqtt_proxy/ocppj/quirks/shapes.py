"""Messages of 1.6 on a socket of 2.x: the same said in the shape that belongs there."""

from __future__ import annotations

from collections.abc import Mapping

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.fields import without_nothing
from ocpp_mqtt_proxy.ocppj.quirks.rows import MessageRepair, Payload


def _boot(payload: Payload) -> Payload:
    if "chargePointModel" not in payload:
        return payload
    station = without_nothing(
        vendorName=payload.get("chargePointVendor"),
        model=payload["chargePointModel"],
        serialNumber=payload.get("chargePointSerialNumber"),
        firmwareVersion=payload.get("firmwareVersion"),
    )
    return {"reason": "Unknown", "chargingStation": station}


def _status(payload: Payload) -> Payload:
    if "status" not in payload or "evseId" in payload:
        return payload
    connector = payload.get("connectorId", 0)
    return without_nothing(
        evseId=connector,
        connectorId=1 if connector else 0,
        connectorStatus=payload["status"],
        timestamp=payload.get("timestamp"),
    )


def _meter(payload: Payload) -> Payload:
    if "connectorId" not in payload or "evseId" in payload:
        return payload
    return {"evseId": payload["connectorId"], "meterValue": payload.get("meterValue", [])}


_OF_16: Mapping[str, MessageRepair] = {"BootNotification": _boot, "StatusNotification": _status, "MeterValues": _meter}

SIXTEEN_ON_TWO: Mapping[tuple[Version, str], MessageRepair] = {
    (version, action): repair for version in (Version.V201, Version.V21) for action, repair in _OF_16.items()
}
