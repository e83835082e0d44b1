"""The backends, wired: one desk and one fan-out behind both ways in, their gate and what is counted."""

from __future__ import annotations

from ocpp_mqtt_proxy.adapters.backends.gate import BackendGate
from ocpp_mqtt_proxy.adapters.server import SocketRoute
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.backends.desk import Asked, Desk, Records
from ocpp_mqtt_proxy.backends.fanout import Fanout
from ocpp_mqtt_proxy.backends.tokens import Tokens
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.config import Config


class BackendFace:
    """Everything about backends. Its `fanout` is to be run."""

    def __init__(
        self, config: Config, arbitration: Arbitration, records: Records, asked: Asked, budget: Budget
    ) -> None:
        self.desk = Desk(arbitration, records, asked)
        self.fanout = Fanout(arbitration.hub.bus.mailbox("backends"))
        self.tokens = Tokens(config, budget)
        self.gate = BackendGate(self.desk, self.fanout, self.tokens, budget)

    def route(self) -> SocketRoute:
        """Where WebSocket backends come in."""
        return SocketRoute(lambda path: path.rstrip("/") == "/backend", self.gate.admit, self.gate.converse)
