"""Our one charging profile, as both versions write it: a default for every transaction, with one period.

Issued as an Absolute schedule that began a minute ago (1.6 §5.16.4), it takes effect at once, in a running
transaction too (errata 3.8, K01.FR.32).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ocpp_mqtt_proxy.core.commands import SetLimit
from ocpp_mqtt_proxy.core.limits.profile import VOLTS, rounded
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.ocppj.fields import Object, children, integer, number, without_nothing, zulu

PROFILE_ID = 7300
"""Profile ids of ours begin here; the connector's number is added."""
PHASES = 3
"""Phases a limit is for where the profile does not say (K01.FR.49)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The inner part that the versions share: unit, limit rounded down to 0.1, kind and start."""

    unit: str
    limit: float
    kind: str
    start: datetime | None


def schedule(order: SetLimit) -> Schedule:
    """The schedule of a limit. Watts are the total over the charger's phases (errata 3.68)."""
    amount: float = order.limit
    if order.form.in_watts:
        amount *= order.phases * VOLTS
    kind = "Relative" if order.form.relative else "Absolute"
    return Schedule(
        "W" if order.form.in_watts else "A", rounded(amount), kind, None if order.form.relative else order.start
    )


def body(plan: Schedule) -> dict[str, object]:
    """A ChargingSchedule, the fields that both versions have."""
    return without_nothing(
        chargingRateUnit=plan.unit,
        chargingSchedulePeriod=[{"startPeriod": 0, "limit": plan.limit}],
        startSchedule=zulu(plan.start) if plan.start else None,
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
