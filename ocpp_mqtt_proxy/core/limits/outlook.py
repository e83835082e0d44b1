"""What will flow at most in the time to come, in steps."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import Amps


class Step(NamedTuple):
    """From a time on at most so much, in A per phase, and whose limit that is."""

    at: datetime
    amps: Amps
    by: str


class Outlook(NamedTuple):
    """The steps from a time until another, the first at once."""

    since: datetime
    until: datetime
    steps: tuple[Step, ...]

    @property
    def tells(self) -> tuple[object, ...]:
        """What it comes to, whenever it was made."""
        return (self.steps[0].amps, self.steps[0].by, *self.steps[1:])

    @property
    def next_step(self) -> datetime | None:
        """When what binds changes next."""
        return self.steps[1].at if len(self.steps) > 1 else None
