"""The valid no of every action that we have no row for: a refusal is an answer, not an error (Part 4 §4.2.2).

Actions with a row answer no by that row. Those that are not here have no answer that says no: they are answered by a
CALLERROR NotSupported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import Object, children

_WORDS: Mapping[str, tuple[str, ...]] = {
    "Rejected": (
        "AFRRSignal",
        "AdjustPeriodicEventStream",
        "ChangeTransactionTariff",
        "CustomerInformation",
        "GetCompositeSchedule",
        "NotifyAllowedEnergyTransfer",
        "PublishFirmware",
        "RequestBatterySwap",
        "SetDefaultTariff",
        "SetDisplayMessage",
        "SetMonitoringLevel",
        "SetNetworkProfile",
        "UpdateDynamicSchedule",
    ),
    "NotSupported": ("ClearDERControl", "GetDERControl", "GetMonitoringReport", "SetDERControl", "SetMonitoringBase"),
    "Unknown": ("ClearDisplayMessage", "GetDisplayMessages"),
    "NoFirmware": ("UnpublishFirmware",),
    "NoProfile": ("UsePriorityCharging",),
    "NoProfiles": ("GetChargingProfiles",),
    "NoTariff": ("GetTariffs",),
}
_WORD_OF = {action: word for word, actions in _WORDS.items() for action in actions}

_REPEATED = ("type", "severity", "component", "variable")


def _monitors_not_set(payload: Object) -> Payload:
    """One result for each monitor that was to be set (N04.FR.01)."""
    return {
        "setMonitoringResult": [
            {"status": "Rejected"} | {key: item[key] for key in _REPEATED}
            for item in children(payload, "setMonitoringData")
        ]
    }


def _monitors_unknown(payload: Object) -> Payload:
    """One result for each monitor that was to be cleared (N06.FR.01)."""
    return {"clearMonitoringResult": [{"status": "NotFound", "id": number} for number in _listed(payload, "id")]}


def _tariffs_unknown(payload: Object) -> Payload:
    """One result for each tariff, or for all of them."""
    named = [{"status": "NoTariff", "tariffId": one} for one in _listed(payload, "tariffIds")]
    return {"clearTariffsResult": named or [{"status": "NoTariff"}]}


def _no_streams(_: Object) -> Payload:
    """That there are none (N13)."""
    return {}


_BY_ITEM: Mapping[str, Callable[[Object], Payload]] = {
    "ClearTariffs": _tariffs_unknown,
    "ClearVariableMonitoring": _monitors_unknown,
    "GetPeriodicEventStream": _no_streams,
    "SetVariableMonitoring": _monitors_not_set,
}


def _listed(payload: Object, key: str) -> Iterator[object]:
    given = payload.get(key)
    return iter(given if isinstance(given, list) else ())


def refusal(action: str, payload: Object) -> Payload | None:
    """How an action without a row is answered no; None where no answer says so."""
    if action in _BY_ITEM:
        return _BY_ITEM[action](payload)
    return {"status": _WORD_OF[action]} if action in _WORD_OF else None
