"""What binds a charger, said once more as plainly as can be: second by second, from what is known at a time.

It shares nothing with how the program reckons: profiles are read by `composite_reference`, in fractions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from math import floor

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.standing import limit_stands
from ocpp_mqtt_proxy.core.world import world_of
from tests.core import composite_reference as book
from tests.limits_scene import Scene
from tests.obedient import Object

LEAST = 6
VOLTS = 230


def exact(amount: float) -> Fraction:
    """A number as it is written."""
    return Fraction(str(amount))


def usable(amps: Fraction) -> Fraction:
    """What a car takes: nothing below 6 A."""
    return amps if amps >= LEAST else Fraction(0)


def shared(amps: Fraction, among: int) -> Fraction:
    return Fraction(floor(amps / among * 10), 10)


@dataclass
class Oracle:
    """Reads what everybody said off the scene. `words` are the providers' profiles as they said them,
    `imposed` what was put on the charger itself, by its source and EVSE."""

    scene: Scene
    words: dict[ChargingProfile, Object] = field(default_factory=dict)
    imposed: dict[tuple[str, int], Object] = field(default_factory=dict)

    def ceiling(self) -> Fraction:
        """The owner's; while another is asked for, the larger of the two may be what goes out."""
        return max(exact(amps) for amps in (self.scene.station.limit, *self.scene.owner.ceilings))

    def firm_ceiling(self) -> Fraction:
        """The smaller of the two."""
        return min(exact(amps) for amps in (self.scene.station.limit, *self.scene.owner.ceilings))

    def bound(self, connector: Connector, at: datetime, *, own: bool = True, firm: bool = False) -> Fraction:
        """The most that may flow on a connector at a time, as is known now."""
        ceiling = self.firm_ceiling() if firm else self.ceiling()
        most = exact(self.scene.plan.max_currents.get(connector.number, self.scene.plan.max_current))
        found = [exact(self.scene.plan.max_current), ceiling, most, *self.others(connector, at)]
        session = connector.session
        if own and session is not None:
            if session.paused and (firm or not self.scene.owner.resumes):
                return Fraction(0)
            found += [exact(session.limit)] if session.limit is not None else []
        return usable(min(found))

    def others(self, connector: Connector, at: datetime) -> Iterator[Fraction]:
        """What everybody but the owner allows there."""
        station = self.scene.station
        for provider in station.control.limiting:
            if self.stands(provider, at):
                yield from (usable(amps) for amps in self.of_provider(provider, connector, at))
        imposed = self.composed([self.imposed[key] for key in station.external], connector, at)
        yield from (usable(amps) for amps in imposed)
        session = connector.session
        terms = None if session is None or session.provider == OWNER else self.scene.rules.terms(session.provider)
        if terms is not None and terms.max_current is not None:
            yield usable(exact(terms.max_current))

    def stands(self, provider: str, at: datetime) -> bool:
        """Whether its limits are in force then."""
        station, arbitration = self.scene.station, self.scene.arbitration
        return limit_stands(station.control, provider, world_of(station, arbitration.house), self.scene.rules, at)

    def of_provider(self, provider: str, connector: Connector, at: datetime) -> Iterator[Fraction]:
        """Its limit, while that lasts, and its profiles."""
        control = self.scene.station.control
        limit = control.limits.get(provider)
        if limit is not None and (limit.until is None or at < limit.until):
            if not limit.connector:
                yield shared(exact(limit.amps), self.busy)
            elif limit.connector == connector.number:
                yield exact(limit.amps)
        plan = control.plans.get(provider)
        if plan is not None:
            yield from self.composed([self.words[one] for one in plan.profiles], connector, at)

    @property
    def busy(self) -> int:
        """How many transactions run."""
        return max(1, len(list(self.scene.station.sessions())))

    def composed(self, profiles: list[Object], connector: Connector, at: datetime) -> Iterator[Fraction]:
        """What profiles come to; where nothing runs, with what one begins that begins then."""
        session = connector.session
        asked = book.Asked(
            evse=connector.number,
            transaction=session.session_id if session else None,
            began=session.started_at if session else at,
            phases=self.scene.plan.phases,
            busy=self.busy,
            priority=False,
        )
        limit = book.allowed(profiles, asked, at)
        if limit is not None:
            yield limit

    def others_alone(self, connector: Connector) -> Fraction:
        """What others allow now; all there is where they say nothing."""
        now = self.scene.now
        return usable(min([exact(self.scene.plan.max_current), *self.others(connector, now)]))
