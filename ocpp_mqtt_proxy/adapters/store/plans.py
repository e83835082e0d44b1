"""Providers' charging profiles as they are written down, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy.core.control import Plan
from ocpp_mqtt_proxy.core.profile import Kind, Profile, Schedule, Step


def plan_document(plan: Plan) -> dict[str, Any]:
    """A provider's profile as JSON; times as text, lengths in seconds."""
    profile, schedule = plan.profile, plan.profile.schedule
    return {
        "eased": plan.eased,
        "kind": profile.kind,
        "every": _seconds(profile.every),
        "valid_from": _text(profile.valid_from),
        "valid_to": _text(profile.valid_to),
        "in_watts": schedule.in_watts,
        "start": _text(schedule.start),
        "duration": _seconds(schedule.duration),
        "steps": [[step.start.total_seconds(), step.limit, step.phases] for step in schedule.steps],
    }


def plan_of(document: Mapping[str, Any]) -> Plan:
    """A provider's profile from what was written down."""
    schedule = Schedule(
        steps=tuple(Step(timedelta(seconds=at), limit, phases) for at, limit, phases in document["steps"]),
        in_watts=bool(document["in_watts"]),
        start=_time(document["start"]),
        duration=_length(document["duration"]),
    )
    profile = Profile(
        kind=Kind(document["kind"]),
        schedule=schedule,
        every=_length(document["every"]),
        valid_from=_time(document["valid_from"]),
        valid_to=_time(document["valid_to"]),
    )
    return Plan(profile, eased=bool(document["eased"]))


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _length(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
