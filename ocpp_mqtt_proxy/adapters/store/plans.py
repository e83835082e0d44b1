"""Providers' charging profiles as they are written down, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy.core.control import Plan
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Purpose, Schedule


def plan_document(plan: Plan) -> dict[str, Any]:
    """A provider's profiles as JSON; times as text, lengths in seconds."""
    return {
        "eased": plan.eased,
        "lasting": plan.lasting,
        "lent": plan.lent,
        "profiles": [_profile_document(profile) for profile in plan.profiles],
    }


def _profile_document(profile: ChargingProfile) -> dict[str, Any]:
    schedule = profile.schedule
    return {
        "id": profile.id,
        "level": profile.level,
        "connector": profile.connector,
        "purpose": profile.purpose,
        "session": profile.session,
        "installed": _text(profile.installed),
        "kind": profile.kind,
        "every": _seconds(profile.every),
        "valid_from": _text(profile.valid_from),
        "valid_to": _text(profile.valid_to),
        "schedule": schedule.id,
        "in_watts": schedule.in_watts,
        "least": schedule.least,
        "start": _text(schedule.start),
        "duration": schedule.duration,
        "steps": [[one.start, one.limit, one.phases, one.phase] for one in schedule.periods],
    }


def plan_of(document: Mapping[str, Any]) -> Plan:
    """A provider's profiles from what was written down; where there was but one, it stood for itself."""
    profiles = document.get("profiles", [document])
    eased, lasting, lent = (bool(document.get(name, False)) for name in ("eased", "lasting", "lent"))
    return Plan(tuple(_profile(one) for one in profiles), eased, lasting, lent)


def _profile(document: Mapping[str, Any]) -> ChargingProfile:
    return ChargingProfile(
        schedule=_schedule(document),
        purpose=Purpose(document.get("purpose", Purpose.DEFAULT)),
        kind=Kind(document["kind"]),
        id=int(document.get("id", 0)),
        level=int(document.get("level", 0)),
        connector=int(document.get("connector", 0)),
        every=_length(document["every"]),
        valid_from=_time(document["valid_from"]),
        valid_to=_time(document["valid_to"]),
        session=document.get("session"),
        installed=_time(document.get("installed")),
    )


def _schedule(document: Mapping[str, Any]) -> Schedule:
    return Schedule(
        periods=tuple(Period(*step) for step in document["steps"]),
        in_watts=bool(document["in_watts"]),
        start=_time(document["start"]),
        duration=document["duration"],
        least=document.get("least"),
        id=int(document.get("schedule", 0)),
    )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _length(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
