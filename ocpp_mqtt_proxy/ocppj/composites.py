"""What a charger says that limits it: its composite schedule (1.6 §5.7, K08)."""

from __future__ import annotations

from dataclasses import replace

from ocpp_mqtt_proxy.core.commands import Outcome, Reason, TellSchedule, done, failed
from ocpp_mqtt_proxy.ocppj.dialect import Payload, agreed
from ocpp_mqtt_proxy.ocppj.fields import Object, child, children, integer, number, text, without_nothing


def asked(place: str, order: TellSchedule) -> tuple[str, Payload]:
    """The question; `place` is the name of the field that says where."""
    unit = None if order.in_watts is None else "W" if order.in_watts else "A"
    where = {place: order.at.place.evse}
    return "GetCompositeSchedule", without_nothing(**where, duration=order.duration, chargingRateUnit=unit)


def told(field: str, start: str, order: TellSchedule, payload: Object) -> Outcome:
    """The answer: its schedule and when that begins, by the names of their fields. `phases` where it says for how many.

    In 1.6 the start stands beside the schedule, too (errata 3.51).
    """
    outcome = agreed(payload)
    if not outcome.ok:
        return outcome
    schedule = child(payload, field)
    periods = [pair for period in children(schedule, "chargingSchedulePeriod") if (pair := _pair(period)) is not None]
    if not periods:
        return failed(Reason.INVALID, "the charger's schedule tells nothing")
    first: Object = next(children(schedule, "chargingSchedulePeriod"), {})
    phases = integer(first, "numberPhases")
    outcome = done(
        start=text(schedule, start) or text(payload, start),
        duration=integer(schedule, "duration") or order.duration,
        in_watts=schedule.get("chargingRateUnit") == "W",
        periods=periods,
    )
    return replace(outcome, result={**outcome.result, "phases": phases}) if phases in (1, 2, 3) else outcome


def _pair(period: Object) -> tuple[int, float] | None:
    start, limit = integer(period, "startPeriod"), number(period.get("limit"))
    return None if start is None or limit is None else (start, limit)
