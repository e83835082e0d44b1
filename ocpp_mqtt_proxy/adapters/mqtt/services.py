"""Services' topics: how each stands, and its links one by one (contract §5 `ocpp/service/<id>`).

What a link becomes is shown at once. What grows and falls with every message, as queues do, is shown now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.events import ChargerForgotten, Fact, ProviderChanged
from ocpp_mqtt_proxy.ports import Publisher
from ocpp_mqtt_proxy.services.views import Overview
from ocpp_mqtt_proxy.topics import Topics

CALM_SECONDS = 10.0
"""How often queues are looked at."""


@dataclass
class ServiceTopics:
    """Retains them, and again when they changed. `calm` is how often it looks, in seconds."""

    overview: Overview
    publisher: Publisher
    topics: Topics
    calm: float = CALM_SECONDS
    _shown: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Show what nobody tells of, for ever."""
        while True:
            self.publish()
            await asyncio.sleep(self.calm)

    def hear(self, facts: Iterable[Fact]) -> None:
        """Publish what these facts changed."""
        changed: set[str] = set()
        for fact in facts:
            if isinstance(fact, ProviderChanged):
                changed.add(fact.provider)
            elif isinstance(fact, ChargerForgotten):
                changed |= self.overview.services.keys()
        if changed:
            self.publish(changed & self.overview.services.keys())

    def publish(self, services: Iterable[str] | None = None) -> None:
        """Publish all services, or some: what is retained as it is already is not sent. Those gone are cleared."""
        for gone in self._shown - self.overview.services.keys():
            self.publisher.clear(self.topics.service(gone, "state"))
            self.publisher.clear(self.topics.service(gone, "info"))
        self._shown = set(self.overview.services)
        for service in list(self.overview.services if services is None else services):
            self.publisher.retain(self.topics.service(service, "state"), self.overview.state(service))
            self.publisher.retain(self.topics.service(service, "info"), shapes.dump(self.overview.info(service)))
