"""Who is at home, told by MQTT: on a topic of the house's own (`presence_topic`) or on ours (`presence/set`).

Whatever cannot be read, and a broker that is lost, is `unknown`: nobody can tell, and the arbiter says no.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from ocpp_mqtt_proxy.adapters.mqtt.feeds import told
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_presence
from ocpp_mqtt_proxy.core.sharing import Presence, presence_told
from ocpp_mqtt_proxy.topics import Topics

log = logging.getLogger(__name__)

BY = "mqtt"
KEYS = ("presence", "occupancy", "state")
"""Where a JSON object tells it."""


def read(payload: bytes) -> Presence:
    """What a message says: a word in any of the contract's spellings, also as JSON, or in a JSON object."""
    return presence_told(told(payload, KEYS) or "")


@dataclass
class PresenceFeed:
    """Listens. `topic` is the house's own, or empty; `alone` where no other feed than MQTT is configured."""

    arbitration: Arbitration
    topics: Topics
    topic: str = ""
    alone: bool = True

    def subscriptions(self) -> Iterable[str]:
        """What to listen to."""
        return dict.fromkeys(topic for topic in (self._ours, self.topic) if topic)

    @property
    def _ours(self) -> str:
        return f"{self.topics.presence}/set"

    @property
    def _configured(self) -> bool:
        return bool(self.topic) or not self.alone

    def take(self, incoming: Incoming) -> None:
        """Take a message.

        What was retained on `presence/set` is no news: where a feed is configured, that knows better.
        """
        if incoming.topic not in self.subscriptions():
            return
        if incoming.topic != self.topic and incoming.retained and self._configured:
            log.warning("%s: what is retained there is ignored, because a feed is configured", incoming.topic)
            return
        presence = read(incoming.payload)
        if presence is Presence.UNKNOWN and incoming.payload:
            log.warning("%s: says neither home nor away: %r", incoming.topic, incoming.payload[:50])
        set_presence(self.arbitration, presence, BY)

    def lost(self) -> None:
        """The broker is lost, and with it whoever told by it."""
        if (self.topic and self.alone) or self.arbitration.presence_by == BY:
            set_presence(self.arbitration, Presence.UNKNOWN, BY)
