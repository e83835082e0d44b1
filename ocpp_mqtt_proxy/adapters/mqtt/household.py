"""The house's topics: who is at home as the arbiter believes, and how each provider stands (contract §5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.adapters.mqtt.projection import switch
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.events import (
    ChargerForgotten,
    ControlGranted,
    ControlRevoked,
    Fact,
    LimitsChanged,
    PresenceChanged,
    ProviderChanged,
)
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.ports import Publisher
from ocpp_mqtt_proxy.topics import Topics


@dataclass
class Household:
    """Retains them, and again when facts changed them."""

    arbitration: Arbitration
    publisher: Publisher
    topics: Topics

    def publish_all(self) -> None:
        """Publish everything, as at the start."""
        self._show_presence()
        self._show(self.arbitration.providers())

    def hear(self, facts: Iterable[Fact]) -> None:
        """Publish what these facts changed."""
        changed: dict[str, None] = {}
        for fact in facts:
            match fact:
                case PresenceChanged():
                    self._show_presence()
                case ProviderChanged() | ControlGranted() | ControlRevoked():
                    changed[fact.provider] = None
                case LimitsChanged() | ChargerForgotten():
                    changed |= dict.fromkeys(self.arbitration.providers())
        if changed:
            self._show(changed.keys() & self.arbitration.providers().keys())

    def _show_presence(self) -> None:
        self.publisher.retain(self.topics.presence, self.arbitration.house.presence or Presence.UNKNOWN)

    def _show(self, providers: Iterable[str]) -> None:
        for provider in providers:
            connected = provider in self.arbitration.house.present
            enabled = provider not in self.arbitration.house.disabled
            document = shapes.provider(
                connected=connected,
                classes=self.arbitration.held(provider),
                refusal=self.arbitration.refusals.get(provider),
            )
            at = self.topics.backend
            self.publisher.retain(at(provider, "state"), shapes.dump(document))
            self.publisher.retain(at(provider, "connected"), switch(connected))
            self.publisher.retain(at(provider, "enabled"), switch(enabled))
