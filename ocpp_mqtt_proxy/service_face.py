"""The services, wired: who they are, how they are dialled, what they ask is done by, what waits for them on disk."""

from __future__ import annotations

from ocpp_mqtt_proxy.adapters.services.dial import Dialer
from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.services.conversation import Ways
from ocpp_mqtt_proxy.services.courier import Courier
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.plan import plans_of
from ocpp_mqtt_proxy.services.roster import Services


class ServiceFace:
    """Everything about services. Its `services` are the hub's mirror, and are to be run."""

    def __init__(self, config: Config, arbitration: Arbitration, store: Store, budget: Budget) -> None:
        self._store = store
        self.dialer = Dialer(log_frames=config.log.frames, budget=budget)
        self.services = Services(
            arbitration=arbitration,
            plans=plans_of(config),
            outbox=store.outbox,
            ways=Ways(self.dialer, obey, Courier),
        )

    async def restore(self) -> None:
        """Go on where we stopped: what services know us and our transactions by. Raises LedgerFailed."""
        self.services.restore(await self._store.peers(), await self._store.virtuals())
