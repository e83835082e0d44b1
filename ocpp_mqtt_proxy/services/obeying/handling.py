"""What the rooms here hand to `obey`: who does what, by the type of order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.services.outstation import Outstation

Handler = Callable[[Outstation, Any], Awaitable[Outcome]]
"""Does what an order asks for, or says why not."""

Handlers = dict[type, Handler]
