"""Messages of 1.6 on a socket of 2.x: the same said in the shape that belongs there."""

from __future__ import annotations

from collections.abc import Mapping

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.fields import Object, children, without_nothing
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
    values = [{**value, "sampledValue": _sampled(value)} for value in children(payload, "meterValue")]
    return {"evseId": payload["connectorId"], "meterValue": values}


def _sampled(value: Object) -> list[Payload]:
    """Sampled values, their unit where 2.x has it."""
    return [
        without_nothing(
            **{key: field for key, field in one.items() if key not in ("unit", "format")},
            unitOfMeasure={"unit": one["unit"]} if "unit" in one else None,
        )
        for one in children(value, "sampledValue")
    ]


_OF_16: Mapping[str, MessageRepair] = {"BootNotification": _boot, "StatusNotification": _status, "MeterValues": _meter}

SIXTEEN_ON_TWO: Mapping[tuple[Version, str], MessageRepair] = {
    (version, action): repair for version in (Version.V201, Version.V21) for action, repair in _OF_16.items()
}
