"""What a charger of the benchmark does when it is asked for something: as little as a plain, willing one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.bench.frames import Script

Json = dict[str, Any]

ACCEPTED: Json = {"status": "Accepted"}

_SETTINGS = {
    "MeterValueSampleInterval": "30",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage",
    "WebSocketPingInterval": "30",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargeProfileMaxStackLevel": "8",
}


def obey(action: str, payload: Json, script: Script) -> tuple[Json, bytes]:
    """The answer, and the call that follows it (empty: none)."""
    if action in ("TriggerMessage", "ExtendedTriggerMessage"):
        return ACCEPTED, _triggered(payload, script)
    if action == "GetBaseReport":
        return ACCEPTED, script.report
    make = _ANSWERS.get(action)
    return make(payload) if make else ACCEPTED, b""


def _triggered(payload: Json, script: Script) -> bytes:
    lines = {
        "BootNotification": script.boot,
        "StatusNotification": script.status,
        "MeterValues": script.meter,
        "Heartbeat": script.heartbeat,
    }
    return lines.get(payload["requestedMessage"], b"")


def _configuration(payload: Json) -> Json:
    wanted = payload.get("key") or list(_SETTINGS)
    known = [{"key": key, "readonly": False, "value": _SETTINGS[key]} for key in wanted if key in _SETTINGS]
    return {"configurationKey": known, "unknownKey": [key for key in wanted if key not in _SETTINGS]}


def _of_each(payload: Json, plural: str, result: str, status: str) -> Json:
    what = [{"component": data["component"], "variable": data["variable"]} for data in payload[plural]]
    return {result: [{"attributeStatus": status} | one for one in what]}


_ANSWERS: dict[str, Callable[[Json], Json]] = {
    "GetConfiguration": _configuration,
    "GetVariables": lambda payload: _of_each(payload, "getVariableData", "getVariableResult", "UnknownVariable"),
    "SetVariables": lambda payload: _of_each(payload, "setVariableData", "setVariableResult", "Accepted"),
}
