"""Providers' profiles on disk come back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.store.plans import plan_document, plan_of
from ocpp_mqtt_proxy.core.control import Plan
from ocpp_mqtt_proxy.core.limits.profile import ChargingProfile, Kind, Period, Schedule
from tests.core.profiles import profiles


@given(profiles=st.lists(profiles(), max_size=3).map(tuple), flags=st.tuples(*[st.booleans()] * 3))
def test_profiles_come_back_as_they_were(profiles: tuple[ChargingProfile, ...], flags: tuple[bool, bool, bool]) -> None:
    plan = Plan(profiles, *flags)
    assert plan_of(orjson.loads(orjson.dumps(plan_document(plan)))) == plan


def test_a_profile_of_when_there_was_but_one_is_read() -> None:
    document = {
        "eased": True,
        "kind": "Recurring",
        "every": 86400.0,
        "valid_from": None,
        "valid_to": "2026-03-15T00:00:00+00:00",
        "in_watts": True,
        "start": "2026-03-14T00:00:00+00:00",
        "duration": 28800.0,
        "steps": [[0.0, 11040, None], [7200.0, 3680, 1]],
    }
    midnight = datetime(2026, 3, 14, tzinfo=UTC)
    schedule = Schedule((Period(0, 11040), Period(7200, 3680, 1)), in_watts=True, start=midnight, duration=28800)
    day = timedelta(days=1)
    profile = ChargingProfile(schedule, kind=Kind.RECURRING, every=day, valid_to=midnight + day)
    assert plan_of(document) == Plan((profile,), eased=True)
