"""What energy costs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ocpp_mqtt_proxy.core.model import WattHours

WH_PER_KWH = Decimal(1000)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price for energy. Money is decimal; binary floats lose cents over a year of sessions."""

    currency: str = "EUR"
    price_per_kwh: Decimal = Decimal(0)

    def price(self, energy: WattHours) -> Decimal:
        """The price of some energy, unrounded, in `currency`."""
        return Decimal(str(energy)) / WH_PER_KWH * self.price_per_kwh
