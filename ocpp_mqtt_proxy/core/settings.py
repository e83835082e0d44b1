"""Settings of chargers that we know by meaning, under one name for all versions: the 2.x variable's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ocpp_mqtt_proxy.core.model import Variable

METER_INTERVAL: Final = "SampledDataCtrlr.TxUpdatedInterval"
MEASURANDS: Final = "SampledDataCtrlr.TxUpdatedMeasurands"
PING_INTERVAL: Final = "OCPPCommCtrlr.WebSocketPingInterval"
RATE_UNIT: Final = "SmartChargingCtrlr.RateUnit"
MOST_PERIODS: Final = "SmartChargingCtrlr.PeriodsPerSchedule"
STACK_LEVEL: Final = "SmartChargingCtrlr.ProfileStackLevel"

MOST_STRANGE = 200
"""Names remembered that a charger was asked for and does not know; more are taken for strange unasked."""


@dataclass(slots=True)
class Told:
    """What a charger said of its settings, by their names in lower case; it is true for a while.

    `whole` once it was asked for all of them (1.6), `unknown` are those that it was asked for by name in vain.
    """

    known: dict[str, Variable] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    whole: bool = False
    since: datetime | None = None

    def is_fresh(self, now: datetime, kept: timedelta) -> bool:
        """Whether it is younger than that."""
        return self.since is not None and now - self.since < kept

    def strange(self, name: str) -> bool:
        """Whether there is no use in asking for a name."""
        return name in self.known or name in self.unknown or len(self.unknown) >= MOST_STRANGE
