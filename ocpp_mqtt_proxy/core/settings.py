"""Settings of chargers that we know by meaning, under one name for all versions: the 2.x variable's."""

from __future__ import annotations

from typing import Final

METER_INTERVAL: Final = "SampledDataCtrlr.TxUpdatedInterval"
MEASURANDS: Final = "SampledDataCtrlr.TxUpdatedMeasurands"
PING_INTERVAL: Final = "OCPPCommCtrlr.WebSocketPingInterval"
RATE_UNIT: Final = "SmartChargingCtrlr.RateUnit"
STACK_LEVEL: Final = "SmartChargingCtrlr.ProfileStackLevel"
