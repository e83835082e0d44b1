"""The words that OCPP 2.1 has more of than 2.0.1."""

from __future__ import annotations

from dataclasses import replace

from ocpp_mqtt_proxy.core.model import CURRENT_OFFERED, POWER_OFFERED, SOC, StopReason
from ocpp_mqtt_proxy.core.readings import UPSTREAM
from ocpp_mqtt_proxy.ocppj.names import snake
from ocpp_mqtt_proxy.ocppj.v201.words import WORDS as WORDS_201

_REFUSED = "ReqEnergyTransferRejected"
_TRIGGERS = (
    "CostLimitReached",
    "LimitSet",
    "OperationModeChanged",
    "RunningCost",
    "SoCLimitReached",
    "TariffChanged",
    "TariffNotAccepted",
    "TxResumed",
)
SYNONYMS = {
    "Current.Import.Offered": CURRENT_OFFERED,
    "Display.PresentSOC": SOC,
    "Power.Import.Offered": POWER_OFFERED,
}
"""Measurands by another name (semantics §10.7): they are heard by the one that all versions have."""

WORDS = replace(
    WORDS_201,
    reason={**WORDS_201.reason, _REFUSED: StopReason.REQ_ENERGY_TRANSFER_REJECTED},
    reason_word={**WORDS_201.reason_word, StopReason.REQ_ENERGY_TRANSFER_REJECTED: _REFUSED},
    trigger_word={**WORDS_201.trigger_word, **{snake(word): word for word in _TRIGGERS}},
    locations=WORDS_201.locations | {UPSTREAM},
    kinds=None,
    reservation_word={},
    synonyms=SYNONYMS,
    signed=32768,
    measurands=WORDS_201.measurands
    | SYNONYMS.keys()
    | {
        "Current.Export.Minimum",
        "Current.Export.Offered",
        "Current.Import.Minimum",
        "Display.BatteryEnergyCapacity",
        "Display.ChargingComplete",
        "Display.InletHot",
        "Display.MaximumSOC",
        "Display.MinimumSOC",
        "Display.RemainingTimeToMaximumSOC",
        "Display.RemainingTimeToMinimumSOC",
        "Display.RemainingTimeToTargetSOC",
        "Display.TargetSOC",
        "Energy.Active.Import.CableLoss",
        "Energy.Active.Import.LocalGeneration.Register",
        "Energy.Active.Setpoint.Interval",
        "EnergyRequest.Bulk",
        "EnergyRequest.Maximum",
        "EnergyRequest.Maximum.V2X",
        "EnergyRequest.Minimum",
        "EnergyRequest.Minimum.V2X",
        "EnergyRequest.Target",
        "Power.Active.Residual",
        "Power.Active.Setpoint",
        "Power.Export.Minimum",
        "Power.Export.Offered",
        "Power.Import.Minimum",
        "Voltage.Maximum",
        "Voltage.Minimum",
    },
)
