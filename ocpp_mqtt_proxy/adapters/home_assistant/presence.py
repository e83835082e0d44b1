"""Who is at home, told by an entity of Home Assistant (`presence_sensor`).

An entity that does not know, is not available or is gone, and a Home Assistant that is lost, are `unknown`: nobody
can tell, and the arbiter says no.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_presence
from ocpp_mqtt_proxy.core.sharing import Presence, presence_told

log = logging.getLogger(__name__)

BY = "home_assistant"

NOWHERE = frozenset({"", "unknown", "unavailable", "none"})
"""States of somebody of whom it is not known where they are."""

TRACKED = ("person", "device_tracker")
"""Entities whose state is a place: `home`, `not_home`, or a zone's name, whatever that is."""


def presence_of(entity: str, state: str | None) -> Presence:
    """What an entity's state says. A number is one of people, as a zone counts them."""
    if state is None or state.strip().lower() in NOWHERE:
        return Presence.UNKNOWN
    if entity.partition(".")[0] in TRACKED:
        return Presence.HOME if state == "home" else Presence.AWAY
    told = presence_told(state)
    return _counted(state) if told is Presence.UNKNOWN else told


def _counted(state: str) -> Presence:
    try:
        number = float(state)
    except ValueError:
        return Presence.UNKNOWN
    if not math.isfinite(number) or number < 0:
        return Presence.UNKNOWN
    return Presence.HOME if number > 0 else Presence.AWAY


@dataclass
class PresenceSensor:
    """Passes on what the entity says. `alone` where no other feed is configured; else the last word counts."""

    arbitration: Arbitration
    entity: str
    alone: bool = True
    last: str | None = None
    _live: bool = False

    def hear(self, state: str | None) -> None:
        """The entity is in a state, or (None) not there. One that it was in before, heard again, is no news."""
        if state is None:
            log.warning(
                "Home Assistant has no %s (presence_sensor): whether somebody is at home is unknown", self.entity
            )
        again, self.last, self._live = state == self.last, state, True
        if not (again and self._other_spoke):
            set_presence(self.arbitration, presence_of(self.entity, state), BY)

    def lost(self) -> None:
        """Home Assistant is lost, and with it whoever told by it."""
        self._live = False
        if self.alone or not self._other_spoke:
            set_presence(self.arbitration, Presence.UNKNOWN, BY)

    def mind(self) -> None:
        """Presence changed. Where it was told by hand and is lost with the broker, the feed still knows."""
        unknown = self.arbitration.house.presence is Presence.UNKNOWN
        if unknown and self._other_spoke and self._live and self.alone:
            set_presence(self.arbitration, presence_of(self.entity, self.last), BY)

    @property
    def _other_spoke(self) -> bool:
        return self.arbitration.presence_by not in ("", BY)
