"""Our own charging profiles, as the versions write them alike.

Issued as an Absolute schedule that began a minute ago (1.6 §5.16.4), it takes effect at once, in a running
transaction too (errata 3.8, K01.FR.32).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ocpp_mqtt_proxy.core.limit_orders import STARTED_AGO, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import VOLTS, rounded
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.ocppj.fields import Object, children, integer, number, without_nothing, zulu

PROFILE_ID = 7300
"""Profile ids of ours begin here; the connector's number is added."""
BASE_ID = 7299
"""The id of the one below them."""
PHASES = 3
"""Phases a limit is for where the profile does not say (K01.FR.49)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The inner part that the versions share: unit, limits rounded down to 0.1 by their seconds, kind and start.

    `duration` in seconds; None for good.
    """

    unit: str
    periods: tuple[tuple[int, float], ...]
    kind: str
    start: datetime | None = None
    duration: int | None = None


def schedule(order: SetLimit) -> Schedule:
    """The schedule of a limit. Watts are the total over the charger's phases (errata 3.68)."""
    ago = 0.0 if order.form.relative else STARTED_AGO.total_seconds()
    steps = [(0.0, order.limit), *((ago + after, amps) for after, amps in order.later)]
    lower = [True, *(later[1] < earlier[1] for earlier, later in pairwise(steps))]
    return Schedule(
        "W" if order.form.in_watts else "A",
        tuple((_whole(at, early=early), _amount(order, amps)) for (at, amps), early in zip(steps, lower, strict=True)),
        "Relative" if order.form.relative else "Absolute",
        None if order.form.relative else order.start,
        None if order.seconds is None else math.floor(ago + order.seconds),
    )


def _whole(seconds: float, *, early: bool) -> int:
    """Whole seconds: what lowers rather early, what raises rather late."""
    return math.floor(seconds) if early else math.ceil(seconds)


def _amount(order: SetLimit, amps: Amps) -> float:
    return rounded(amps * order.phases * VOLTS if order.form.in_watts else amps)


def from_the_start(limit: Amps) -> Schedule:
    """The schedule of a limit that a transaction begins with, from its start on."""
    return Schedule("A", ((0, float(limit)),), "Relative")


def stack_level(order: SetLimit) -> int:
    """The stack level: what lies below another is at the next lower one."""
    return order.form.stack_level - 1 if order.base else order.form.stack_level


def profile_id(order: SetLimit) -> int:
    """The profile's id."""
    return BASE_ID if order.base else PROFILE_ID + order.at.connector


def body(plan: Schedule) -> dict[str, object]:
    """A ChargingSchedule, the fields that both versions have."""
    return without_nothing(
        chargingRateUnit=plan.unit,
        chargingSchedulePeriod=[{"startPeriod": at, "limit": limit} for at, limit in plan.periods],
        startSchedule=zulu(plan.start) if plan.start else None,
        duration=plan.duration,
    )


def first_limit(plan: Object) -> tuple[Amps | None, int]:
    """The limit of a schedule's first period in A per phase, and the phases it is for (whole ones: `schedules`)."""
    period: Object = next(children(plan, "chargingSchedulePeriod"), {})
    told = integer(period, "numberPhases")
    phases = told if told in (1, 2, 3) else PHASES
    limit = number(period.get("limit"))
    if limit is None:
        return None, phases
    return Amps(limit / (phases * VOLTS)) if plan.get("chargingRateUnit") == "W" else Amps(limit), phases
