"""Charging profiles for property tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from ocpp_mqtt_proxy.core.limits.profile import DAILY, ChargingProfile, Kind, Period, Purpose, Schedule

MIDNIGHT = datetime(2026, 3, 14, tzinfo=UTC)


@st.composite
def profiles(draw: st.DrawFn) -> ChargingProfile:
    """Any one profile that begins about midnight, its times whole minutes."""
    gaps = draw(st.lists(st.integers(1, 300), max_size=4))
    starts = [0]
    for gap in gaps:
        starts.append(starts[-1] + gap * 60)
    periods = tuple(Period(start, draw(st.integers(0, 32)), draw(st.none() | st.just(1))) for start in starts)
    minutes = st.none() | st.integers(1, 300).map(lambda minutes: minutes * 60.0)
    schedule = Schedule(periods, draw(st.booleans()), MIDNIGHT, draw(minutes), draw(st.none() | st.just(1.5)), 3)
    kind, purpose = draw(st.sampled_from(Kind)), draw(st.sampled_from(Purpose))
    edges = st.none() | st.integers(0, 300).map(lambda minutes: MIDNIGHT + timedelta(minutes=minutes))
    return ChargingProfile(
        schedule,
        purpose,
        kind,
        id=draw(st.integers(0, 9)),
        level=draw(st.integers(0, 9)),
        connector=draw(st.integers(0, 2)),
        every=DAILY if kind is Kind.RECURRING else None,
        valid_from=draw(edges),
        valid_to=draw(edges),
        session="S" if purpose is Purpose.TRANSACTION else None,
        installed=draw(st.none() | st.just(MIDNIGHT)),
    )
