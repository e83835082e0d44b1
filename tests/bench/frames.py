"""What the chargers of the benchmark say: frames built once, with holes for what differs from one to the next.

A reading has twelve samples in 1.7 kB (2.x: 1.9); registers, times and values change with every frame, as a meter's do: what
is quick only because it saw the same text before must not look quick here.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any

VERSIONS = ("1.6", "2.0.1", "2.1")

REGISTER = "Energy.Active.Import.Register"
"""The measurand by which readings are told apart."""

_PHASED = (("Voltage", "v", "V"), ("Current.Import", "c", "A"), ("Power.Active.Import", "p", "W"))

_SAMPLES: tuple[tuple[str, str, str, str | None], ...] = (
    (REGISTER, "%(wh)d", "Wh", None),
    ("Energy.Reactive.Import.Register", "%(varh)d", "varh", None),
    *((name, f"%({hole}{line})b", unit, f"L{line}") for name, hole, unit in _PHASED for line in (1, 2, 3)),
    ("SoC", "%(soc)b", "Percent", None),
)
"""Measurand, hole for its value, unit, phase."""


def _load(number: int) -> dict[bytes, bytes]:
    """What flows: values with one decimal, each combination another."""
    load = {b"soc": b"%.1f" % (20 + number % 60)}
    for line in (1, 2, 3):
        volts, amps = 228 + (number * 7 + line) % 50 / 10, 14 + (number * 3 + line) % 20 / 10
        load |= {b"v%d" % line: b"%.1f" % volts, b"c%d" % line: b"%.1f" % amps, b"p%d" % line: b"%.1f" % (volts * amps)}
    return load


_LOADS = tuple(map(_load, range(97)))


_TRANSFER = {"vendorId": "bench", "messageId": "at", "data": "%(wh)d at %(at)b, and so on for a line or two of text"}


@dataclass(frozen=True)
class Script:
    """A charger's lines in one OCPP version."""

    subprotocol: str
    boot: bytes
    status: bytes
    start: bytes
    meter: bytes
    stop: bytes
    heartbeat: bytes
    transfer: bytes
    report: bytes
    """A device model (2.x), as the answer to GetBaseReport."""


def fill(template: bytes, *, number: int, wh: int, tx: int) -> bytes:
    """A frame, its holes filled."""
    holes: dict[bytes, object] = {b"id": number, b"wh": wh, b"varh": wh // 10, b"tx": tx, b"at": _now()}
    holes.update(_LOADS[wh % len(_LOADS)])
    return template % holes


def _now() -> bytes:
    now = time.time()
    return b"%b.%03dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)).encode(), now % 1 * 1000)


def script(version: str) -> Script:
    """The lines of a version."""
    return _v16() if version == "1.6" else _v2(f"ocpp{version}")


def _template(action: str, payload: dict[str, Any]) -> bytes:
    """A call. In angle brackets stands what is no text: `"<%(wh)d>"` becomes `%(wh)d`."""
    text = json.dumps([2, "m%(id)d", action, payload], separators=(",", ":"))
    return re.sub(r'"<([^>]*)>"', r"\1", text).encode()


def _v16() -> Script:
    usual = {"context": "Sample.Periodic", "format": "Raw", "location": "Outlet"}
    sampled = [
        {"value": value, "measurand": name, "unit": unit} | usual | ({"phase": phase} if phase else {})
        for name, value, unit, phase in _SAMPLES
    ]
    values = [{"timestamp": "%(at)b", "sampledValue": sampled}]
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Charging", "timestamp": "%(at)b"}
    start = {"connectorId": 1, "idTag": "BENCH", "meterStart": "<%(wh)d>", "timestamp": "%(at)b"}
    boot = {"chargePointVendor": "Bench", "chargePointModel": "Bench", "firmwareVersion": "1"}
    stop = {"transactionId": "<%(tx)d>", "meterStop": "<%(wh)d>", "timestamp": "%(at)b"}
    return Script(
        subprotocol="ocpp1.6",
        boot=_template("BootNotification", boot),
        status=_template("StatusNotification", status),
        start=_template("StartTransaction", start),
        meter=_template("MeterValues", {"connectorId": 1, "transactionId": "<%(tx)d>", "meterValue": values}),
        stop=_template("StopTransaction", stop),
        heartbeat=_template("Heartbeat", {}),
        transfer=_template("DataTransfer", _TRANSFER),
        report=b"",
    )


def _v2(subprotocol: str) -> Script:
    station = {"model": "Bench", "vendorName": "Bench", "firmwareVersion": "1"}
    status = {"timestamp": "%(at)b", "connectorStatus": "Occupied", "evseId": 1, "connectorId": 1}
    return Script(
        subprotocol=subprotocol,
        boot=_template("BootNotification", {"reason": "PowerUp", "chargingStation": station}),
        status=_template("StatusNotification", status),
        start=_event("Started", "Authorized"),
        meter=_event("Updated", "MeterValuePeriodic"),
        stop=_event("Ended", "StopAuthorized"),
        heartbeat=_template("Heartbeat", {}),
        transfer=_template("DataTransfer", _TRANSFER),
        report=_report(),
    )


def _event(kind: str, trigger: str) -> bytes:
    usual = {"context": "Sample.Periodic", "location": "Outlet"}
    sampled = [
        {"value": f"<{value}>", "measurand": name, "unitOfMeasure": {"unit": unit}}
        | usual
        | ({"phase": phase} if phase else {})
        for name, value, unit, phase in _SAMPLES
    ]
    return _template(
        "TransactionEvent",
        {
            "eventType": kind,
            "timestamp": "%(at)b",
            "triggerReason": trigger,
            "seqNo": "<%(id)d>",
            "transactionInfo": {"transactionId": "%(tx)d", "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": [{"timestamp": "%(at)b", "sampledValue": sampled}],
        },
    )


_VARIABLES = (
    ("ChargingStation", "Available", "true", "boolean"),
    ("ChargingStation", "Model", "Bench", "string"),
    ("ChargingStation", "VendorName", "Bench", "string"),
    ("EVSE", "AvailabilityState", "Available", "OptionList"),
    ("EVSE", "SupplyPhases", "3", "integer"),
    ("SampledDataCtrlr", "TxUpdatedInterval", "30", "integer"),
    ("SmartChargingCtrlr", "RateUnit", "A,W", "MemberList"),
    ("OCPPCommCtrlr", "WebSocketPingInterval", "30", "integer"),
)


def _report() -> bytes:
    data = [
        {
            "component": {"name": component},
            "variable": {"name": variable},
            "variableAttribute": [{"type": "Actual", "value": value}],
            "variableCharacteristics": {"dataType": kind, "supportsMonitoring": False},
        }
        for component, variable, value, kind in _VARIABLES
    ]
    report = {"requestId": 1, "generatedAt": "%(at)b", "tbc": False, "seqNo": 0, "reportData": data}
    return _template("NotifyReport", report)
