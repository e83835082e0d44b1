"""What the chargers of the benchmark say: frames built once, with holes for what differs.

`%(id)d` is the message's number, `%(wh)d` the energy register (it tells frames apart), `%(tx)d` the transaction.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_PHASED = (("Voltage", 230.1, "V"), ("Current.Import", 15.9, "A"), ("Power.Active.Import", 3650.5, "W"))

_SAMPLES: list[tuple[str, object, str, str | None]] = [
    ("Power.Active.Import", 10951.5, "W", None),
    ("SoC", 55.0, "Percent", None),
    *((name, value, unit, f"L{line}") for name, value, unit in _PHASED for line in (1, 2, 3)),
]
"""What is read beside the register: twelve readings in all."""


@dataclass(frozen=True)
class Script:
    """A charger's lines in one OCPP version."""

    subprotocol: str
    boot: bytes
    status: bytes
    start: bytes
    meter: bytes
    stop: bytes


def fill(template: bytes, *, number: int, wh: int, tx: int) -> bytes:
    """A frame, its holes filled."""
    return template % {b"id": number, b"wh": wh, b"tx": tx}


def script(version: str) -> Script:
    """The lines of a version, as of now."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _v16(at) if version == "1.6" else _v201(at)


def _template(action: str, payload: dict[str, Any]) -> bytes:
    """A call. A text `#wh` stands for a number."""
    text = json.dumps([2, "m%(id)d", action, payload], separators=(",", ":"))
    return re.sub(r'"#(\w+)"', r"%(\1)d", text).encode()


def _v16(at: str) -> Script:
    register = {"value": "%(wh)d", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
    sampled = [
        register,
        *(
            {"value": str(value), "measurand": name, "unit": unit} | ({"phase": phase} if phase else {})
            for name, value, unit, phase in _SAMPLES
        ),
    ]
    usual = {"context": "Sample.Periodic", "format": "Raw", "location": "Outlet"}
    values = [{"timestamp": at, "sampledValue": [sample | usual for sample in sampled]}]
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": at}
    start = {"connectorId": 1, "idTag": "BENCH", "meterStart": "#wh", "timestamp": at}
    return Script(
        subprotocol="ocpp1.6",
        boot=_template("BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "Bench"}),
        status=_template("StatusNotification", status),
        start=_template("StartTransaction", start),
        meter=_template("MeterValues", {"connectorId": 1, "transactionId": "#tx", "meterValue": values}),
        stop=_template("StopTransaction", {"transactionId": "#tx", "meterStop": "#wh", "timestamp": at}),
    )


def _v201(at: str) -> Script:
    station = {"model": "Bench", "vendorName": "Bench"}
    status = {"timestamp": at, "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    return Script(
        subprotocol="ocpp2.0.1",
        boot=_template("BootNotification", {"reason": "PowerUp", "chargingStation": station}),
        status=_template("StatusNotification", status),
        start=_event(at, "Started", "Authorized"),
        meter=_event(at, "Updated", "MeterValuePeriodic"),
        stop=_event(at, "Ended", "StopAuthorized"),
    )


def _event(at: str, kind: str, trigger: str) -> bytes:
    register: dict[str, object] = {
        "value": "#wh",
        "measurand": "Energy.Active.Import.Register",
        "unitOfMeasure": {"unit": "Wh"},
    }
    sampled = [
        register,
        *(
            {"value": value, "measurand": name, "unitOfMeasure": {"unit": unit}} | ({"phase": phase} if phase else {})
            for name, value, unit, phase in _SAMPLES
        ),
    ]
    usual = {"context": "Sample.Periodic", "location": "Outlet"}
    return _template(
        "TransactionEvent",
        {
            "eventType": kind,
            "timestamp": at,
            "triggerReason": trigger,
            "seqNo": "#id",
            "transactionInfo": {"transactionId": "%(tx)d", "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": at, "sampledValue": [sample | usual for sample in sampled]}],
        },
    )
