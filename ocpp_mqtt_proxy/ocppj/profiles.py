"""Our own charging profiles, as the versions write them alike.

Issued as an Absolute schedule that began a minute ago (1.6 §5.16.4), it takes effect at once, in a running
transaction too (errata 3.8, K01.FR.32).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ocpp_mqtt_proxy.core.limit_orders import STARTED_AGO, SetLimit
from ocpp_mqtt_proxy.core.limits.profile import VOLTS, rounded
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.ocppj.fields import without_nothing, zulu

PROFILE_ID = 7300
"""Profile ids of ours begin here; the connector's number is added."""
BASE_ID = 7299
"""The id of the one below them."""


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
    """The schedule of a limit: in whole seconds never more than is meant, nor for longer.

    Watts are the total over the charger's phases (errata 3.68).
    """
    start = order.start.replace(microsecond=0)
    now = 0.0 if order.form.relative else (STARTED_AGO + (order.start - start)).total_seconds()
    duration = None if order.seconds is None else math.floor(now + order.seconds)
    steps = [(0.0, order.limit), *((now + after, amps) for after, amps in order.later)]
    periods = _in_whole_seconds([(at, _amount(order, amps)) for at, amps in steps])
    return Schedule(
        "W" if order.form.in_watts else "A",
        tuple((at, limit) for at, limit in periods if duration is None or at < duration),
        "Relative" if order.form.relative else "Absolute",
        None if order.form.relative else start,
        duration,
    )


def _in_whole_seconds(steps: list[tuple[float, float]]) -> Iterator[tuple[int, float]]:
    """Each second has the least of what is meant within it: what lowers comes rather early, what raises rather late."""
    ends = [*(at for at, _ in steps[1:]), math.inf]
    told = -1.0
    for second in sorted({round_(at) for at, _ in steps for round_ in (math.floor, math.ceil)}):
        limit = min(limit for (at, limit), end in zip(steps, ends, strict=True) if at < second + 1 and end > second)
        if limit != told:
            yield second, limit
        told = limit


def _amount(order: SetLimit, amps: Amps) -> float:
    return rounded(amps * order.phases * VOLTS if order.form.in_watts else amps)


def from_the_start(limit: Amps) -> Schedule:
    """The schedule of a limit that a transaction begins with, from its start on."""
    return Schedule("A", ((0, rounded(limit)),), "Relative")


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
