"""Where we stand with a service: accepted, pending or rejected, and what that allows (B01-B03; 1.6 §4.2).

Pure: time is an argument. One service's verdict is its own; the charger and other services never hear of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.peer import Peer, Standing
from ocpp_mqtt_proxy.core.reports import BootAnswer

OWN_WAIT = 30
"""Seconds until a boot is repeated where the service names none; doubled each time (B02.FR.07, B03.FR.05)."""

LONGEST_OWN_WAIT = 900
"""Seconds that no wait of our own exceeds."""

OWN_PULSE = 300
"""Seconds between heartbeats where the service leaves them to us."""

DAY = 86_400
"""Seconds that no heartbeat may be late (Part 4 §5.2)."""

LONGEST_WAIT = 365 * DAY
"""Seconds that a service may put us off; more is a number that went wrong."""


class Reception(StrEnum):
    """What becomes of a service's call."""

    OBEYED = "obeyed"
    REJECTED = "rejected"
    FORBIDDEN = "forbidden"
    UNHEARD = "unheard"


_STARTS_AND_STOPS = frozenset(
    {"RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction"}
)


def reception(standing: Standing, version: Version, action: str) -> Reception:
    """What becomes of a call while we stand so.

    Until it accepted us a service may look and configure, not start or stop (B02.FR.01, B02.FR.05; 1.6 §4.2); one that
    rejected us may do nothing: 1.6 has no answer for it, 2.x a SecurityError (B03.FR.08).
    """
    if standing is Standing.ACCEPTED:
        return Reception.OBEYED
    if standing is Standing.REJECTED:
        return Reception.UNHEARD if version is Version.V16 else Reception.FORBIDDEN
    return Reception.REJECTED if action in _STARTS_AND_STOPS else Reception.OBEYED


def pulse(seconds: int) -> int:
    """The seconds between heartbeats: as the service wants it, but one a day at least, for the clock."""
    return min(seconds, DAY) if seconds > 0 else OWN_PULSE


@dataclass(slots=True)
class Registration:
    """When the next boot may be sent. What the service said is kept in the `peer`, over restarts."""

    peer: Peer
    _refused: int = 0
    _not_before: datetime | None = None

    def answered(self, answer: BootAnswer, now: datetime) -> Standing:
        """The service answered a boot. A word that OCPP does not know is taken for Pending: it is asked again."""
        try:
            self.peer.standing = Standing(answer.status)
        except ValueError:
            self.peer.standing = Standing.PENDING
        if self.peer.standing is Standing.ACCEPTED:
            self._refused, self._not_before = 0, None
        else:
            self._put_off(answer.interval, now)
        self.peer.interval = answer.interval
        return self.peer.standing

    def unanswered(self, now: datetime) -> None:
        """A boot had no answer, or an error for one: what held before holds."""
        self._put_off(0, now)

    def wait(self, now: datetime) -> float:
        """The seconds until a boot may be sent that the service did not ask for (B02.FR.04)."""
        return 0.0 if self._not_before is None else max(0.0, (self._not_before - now).total_seconds())

    def _put_off(self, seconds: int, now: datetime) -> None:
        own = min(OWN_WAIT * 2 ** min(self._refused, 10), LONGEST_OWN_WAIT)
        self._refused += 1
        self._not_before = now + timedelta(seconds=min(seconds, LONGEST_WAIT) if seconds > 0 else own)
