"""The charger as one service believes it to be: what it set that is kept for it alone (semantics §5.5, §6.7, §7).

A service without `management` changes nothing in the charger; what it sets is remembered, answered, and for its own
view alone acted upon.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.reports import Authorization


@dataclass(slots=True)
class LocalList:
    """A service's local authorisation list (D01). Version 0 is empty."""

    version: int = 0
    cards: dict[str, Authorization] = field(default_factory=dict)


@dataclass(slots=True)
class Virtual:
    """What one service set of one charger.

    `settings` are by the 1.6 key, or the 2.x variable where there is no such key. `inoperative` are the connectors
    that it took out of service, 0 the charger.
    """

    service: str
    charger: str
    settings: dict[str, str] = field(default_factory=dict)
    inoperative: set[int] = field(default_factory=set)
    local_list: LocalList = field(default_factory=LocalList)
