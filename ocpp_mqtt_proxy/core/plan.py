"""What the configuration says of one charger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.model import Amps, Nameplate
from ocpp_mqtt_proxy.core.tariff import Prices
from ocpp_mqtt_proxy.core.traits import PLAIN, Traits

MAX_CURRENT = Amps(32)
SAFE_CURRENT = Amps(6)


@dataclass(slots=True)
class Plan:
    """What the configuration says of a charger. Currents in A per phase, intervals in seconds.

    `max_currents` is less for some connectors, by our number. `enforced`: the charger itself may allow more.
    `quirks` switches some on or off; `traits_of` tells what has to be done differently, by the nameplate
    and by the quirks that it turned out to have.
    `password` is plain or hashed. `group` is the fuse that it shares with others.
    """

    name: str = ""
    password: str = field(default="", repr=False)
    max_current: Amps = MAX_CURRENT
    max_currents: Mapping[int, Amps] = field(default_factory=dict)
    enforced: bool = False
    safe_current: Amps = SAFE_CURRENT
    phases: int = 3
    group: str = ""
    heartbeat_interval: int = 300
    ping_interval: int = 30
    meter_interval: int = 30
    measurands: tuple[str, ...] | None = ()
    quirks: tuple[str, ...] = ()
    traits_of: Callable[[Nameplate, Collection[str]], Traits] = lambda _, __: PLAIN
    prices: Prices = field(default_factory=Prices)
