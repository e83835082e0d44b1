"""What a kWh costs the owner now, told by MQTT (`tariff.price_topic`).

A number, as text or JSON, or a JSON object with one; retained or not. Negative prices exist. What cannot be read
changes nothing: the last price holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from ocpp_mqtt_proxy.adapters.mqtt.feeds import told
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.ports import Clock

log = logging.getLogger(__name__)

MOST = Decimal(1000)
"""No kWh costs more, in any currency that is used for it, nor earns more."""

KEYS = ("price_per_kwh", "price", "value", "state")
"""Where a JSON object tells it."""


def read(payload: bytes) -> Decimal | None:
    """The price that a message tells; None where it tells none."""
    try:
        price = Decimal((told(payload, KEYS) or "").strip())
    except InvalidOperation:
        return None
    return price if price.is_finite() and abs(price) <= MOST else None


@dataclass
class PriceFeed:
    """Listens on a topic, where one is configured. `set_price` takes the price and since when it holds."""

    topic: str
    clock: Clock
    set_price: Callable[[Decimal, datetime], None]
    _last: Decimal | None = None

    def subscriptions(self) -> Iterable[str]:
        """What to listen to."""
        return [self.topic] if self.topic else []

    def take(self, incoming: Incoming) -> None:
        """Take a message."""
        if not self.topic or incoming.topic != self.topic:
            return
        price = read(incoming.payload)
        if price is None:
            log.warning("%s: tells no price per kWh: %r", incoming.topic, incoming.payload[:50])
        elif price != self._last:
            self._last = price
            self.set_price(price, self.clock.now())
