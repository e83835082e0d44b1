"""Whether a charger keeps to a limit that it confirmed: by what it says that it offers, and by what flows.

    kept      what flows was more before and is no longer, or is just the limit; or no more is offered
    broken    in two readings clearly more flows or is offered, though a car had time to follow (5 s, IEC 61851-1)

A car that takes less than it may, and never took more, tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import CURRENT, CURRENT_OFFERED, POWER_OFFERED, Amps, Reading
from ocpp_mqtt_proxy.core.readings import metrics_of, of_line, pick

SLACK_AMPS = 1.0
SLACK = 0.05
"""By how much a meter and a charger may be off: the larger of the two."""

FOLLOWED = timedelta(seconds=10)
"""How long after a limit a reading tells that it is not kept to: a car takes its time, and so does a meter."""

FLOW, OFFER, SCHEDULE = "flow", "offer", "schedule"

TWICE = 2
"""Readings in a row that it takes to accuse a charger, or to believe it again."""

LEAST_VOLTS, NO_PHASE = 150.0, 300.0
"""Between a phase and neutral at least; and what is none any more: of direct current, or between phases."""

MOST_VOLTS = 253.0
"""What there may be where it is not read (EN 50160): power then stands for the least current."""

_LINES = ("_l1", "_l2", "_l3")
_OFFERS = frozenset({CURRENT_OFFERED, POWER_OFFERED})


class Seen(NamedTuple):
    """What the readings of one instant tell, in A on the fullest phase; None for nothing.

    `offered_power` is the same as a current on all phases: on fewer, more may be offered than it shows.
    """

    drawn: float | None = None
    offered: float | None = None
    offered_power: float | None = None


class Evidence(NamedTuple):
    """What one instant says of a limit, and by what: `FLOW`, `OFFER` or `SCHEDULE`."""

    kept: bool
    by: str


def seen_in(readings: Iterable[Reading], volts_before: Callable[[], float | None], phases: int) -> Seen:
    """What readings tell of a charger with so many phases; the volts that were read last, where they tell none."""
    metrics = metrics_of(pick(readings))
    volts = metrics["voltage"] if "voltage" in metrics else volts_before()
    if volts is not None and volts >= NO_PHASE:
        return Seen()
    per_amp = phases * (volts if volts is not None and volts >= LEAST_VOLTS else MOST_VOLTS)
    return Seen(
        drawn_of(metrics, per_amp),
        metrics.get("current_offered"),
        _over(metrics.get("power_offered"), per_amp),
    )


def drawn_of(metrics: Mapping[str, float], per_amp: float = 3 * MOST_VOLTS) -> float | None:
    """What flows on the fullest phase. Of no phase it may be the sum of all: then what the power comes to counts."""
    lines = [metrics[name] for name in (f"current{line}" for line in _LINES) if name in metrics]
    if lines:
        return max(lines)
    told = [metrics.get("current"), _over(metrics.get("power"), per_amp)]
    return min((one for one in told if one is not None), default=None)


def takes_less(readings: Iterable[Reading], amps: float) -> bool:
    """Whether less flows on each phase, and nothing is said to be offered: what most readings tell, at a glance."""
    told = False
    for reading in readings:
        if reading.measurand in _OFFERS or (reading.measurand == CURRENT and reading.value >= amps):
            return False
        told = told or (reading.measurand == CURRENT and of_line(reading))
    return told


def _over(watts: float | None, per_amp: float) -> float | None:
    return None if watts is None else watts / per_amp


def slack(amps: float) -> float:
    """By how much what is seen may be off a limit."""
    return max(SLACK_AMPS, SLACK * amps)


def evidence(amps: float, before: float, seen: Seen) -> Evidence | None:
    """What one instant says of a limit, where `before` is what flowed before it: what flows counts before words."""
    most, least = amps + slack(amps), amps - slack(amps)
    drawn, offered = seen.drawn, seen.offered
    if drawn is not None and drawn > most:
        return Evidence(kept=False, by=FLOW)
    if drawn is not None and (before > most or (amps > 0 and drawn >= least)):
        return Evidence(kept=True, by=FLOW)
    if offered is not None and (drawn is None or offered + slack(drawn) >= drawn):
        return Evidence(offered <= most, OFFER)
    if seen.offered_power is not None and seen.offered_power >= least:
        return Evidence(seen.offered_power <= most, OFFER)
    return None


@dataclass(slots=True)
class Check:
    """A limit that a charger confirmed, and whether it was seen to keep to it: `verified` None while nobody knows.

    `before` is what flowed before it, `lowers` whether it is less than the last one, `asked` whether the charger was
    asked for its schedule. `caught` once it was seen not to keep to it: it is watched on then.
    """

    amps: Amps
    since: datetime
    before: float = 0.0
    lowers: bool = False
    verified: bool | None = None
    by: str = ""
    asked: bool = False
    caught: bool = False
    contrary: int = 0
    last: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether there is nothing left to see: what a charger says of its schedule is less than what it does."""
        return self.verified is True and not self.caught and self.by != SCHEDULE

    def tells(self, at: datetime) -> bool:
        """Whether readings of a time may tell anything."""
        return at > self.since and (self.last is None or at > self.last)

    def passes_over(self, readings: Iterable[Reading]) -> bool:
        """Whether readings tell nothing, as most do: the car takes less than it may, and took no more before."""
        off = slack(self.amps)
        return self.before <= self.amps + off and takes_less(readings, self.amps - off)

    def take(self, seen: Seen, at: datetime) -> bool:
        """What was seen at a time that tells something; whether the verdict is another now."""
        says = evidence(self.amps, self.before, seen)
        if says is None or (not says.kept and at < self.since + FOLLOWED):
            return False
        self.last = at
        if not says.kept and seen.drawn is not None:
            self.before = max(self.before, seen.drawn)
        if says.kept is self.verified:
            self.by, self.contrary = says.by, 0
            return False
        self.contrary += 1
        if self.contrary < TWICE and not (says.kept and self.verified is None):
            return False
        return self._settle(says)

    def scheduled(self, amps: float) -> bool:
        """What the charger's own composite schedule allows now; whether the verdict is another now."""
        if self.verified is not None or self.contrary or amps > self.amps + slack(self.amps):
            return False
        return self._settle(Evidence(kept=True, by=SCHEDULE))

    def _settle(self, says: Evidence) -> bool:
        self.verified, self.by, self.contrary = says.kept, says.by, 0
        self.caught = self.caught or not says.kept
        return True


class Ignored(NamedTuple):
    """A charger that ignores limits: since when, and the most that it gave where less was allowed, in A."""

    since: datetime
    gave: float
