"""What is foreseen to flow: it is what binds when the time has come."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.limits import least
from ocpp_mqtt_proxy.arbitration.outlook import MAX_STEPS, outlook
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch
from ocpp_mqtt_proxy.core.control import Limit, Plan
from ocpp_mqtt_proxy.core.limits.outlook import Outlook
from ocpp_mqtt_proxy.core.limits.profile import DAILY, ChargingProfile, Kind, Period, Purpose, Schedule
from ocpp_mqtt_proxy.core.model import CHARGER, OWNER, STATION, Amps
from ocpp_mqtt_proxy.core.reports import LimitCleared, LimitReported
from ocpp_mqtt_proxy.core.schedule import Window, changes_of, is_open
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from tests.adapters.mqtt_rig import until
from tests.fakes import FakeClock, FakeLink, a_charger, a_hub, an_arbitration, providers

HOUR = timedelta(hours=1)
NIGHT = Window(time(23), time(7))
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def arbitration() -> Arbitration:
    return a_house()


def a_house(provider: str = "y", **terms: Any) -> Arbitration:
    """One charger with one connector, and providers x and y, one of which has terms of its own."""
    hub = a_hub()
    a_charger(hub, FakeLink())
    return an_arbitration(hub, Rules(providers=providers("x", "y") | providers(provider, **terms)))


def the_charger(arbitration: Arbitration) -> Station:
    return arbitration.hub.station("CP1")


def seen(arbitration: Arbitration) -> Outlook:
    return outlook(arbitration, the_charger(arbitration), arbitration.hub.clock.now())


def told(arbitration: Arbitration) -> list[tuple[float, float, str]]:
    """After how many hours what binds, and whose it is."""
    found = seen(arbitration)
    return [((step.at - found.since) / HOUR, step.amps, step.by) for step in found.steps]


def begin(arbitration: Arbitration, provider: str = OWNER) -> Session:
    station, now = the_charger(arbitration), arbitration.hub.clock.now()
    session = station.connectors[1].session = Session("test-1", "CP1", 1, "7", now)
    session.claim(provider, now, station.plan.prices)
    return session


def planned(*periods: tuple[float, float], start: datetime | None) -> Plan:
    made = tuple(Period(hours * 3600, amps) for hours, amps in periods)
    return Plan((ChargingProfile(Schedule(made, start=start), Purpose.DEFAULT),))


def test_where_nobody_else_has_a_say_the_owner_s_limit_binds_all_day(arbitration: Arbitration) -> None:
    the_charger(arbitration).memory.limit = Amps(20)
    found = seen(arbitration)
    assert told(arbitration) == [(0, 20, OWNER)]
    assert found.until - found.since == timedelta(days=1)


def test_a_schedule_s_steps_are_those_of_its_provider_below_the_ceiling(arbitration: Arbitration) -> None:
    now = arbitration.hub.clock.now()
    the_charger(arbitration).control.plans["x"] = planned((0, 40), (2, 16), (5, 5), (6, 32), start=now)
    assert told(arbitration) == [(0, 32, OWNER), (2, 16, "x"), (5, 0, "x"), (6, 32, OWNER)]


def test_a_limit_binds_until_it_runs_out(arbitration: Arbitration) -> None:
    until = arbitration.hub.clock.now() + HOUR
    the_charger(arbitration).control.limits.update({"x": Limit(Amps(10), until=until), "y": Limit(Amps(16))})
    assert told(arbitration) == [(0, 10, "x"), (1, 16, "y")]


def test_a_provider_limits_within_its_hours() -> None:
    arbitration = a_house("x", schedule=(NIGHT,))
    the_charger(arbitration).control.limits["x"] = Limit(Amps(10))
    assert told(arbitration) == [(0, 32, OWNER), (11, 10, "x"), (19, 32, OWNER)]  # it is noon


def test_a_provider_s_session_has_what_the_configuration_allows_it() -> None:
    arbitration = a_house("x", max_current=Amps(13))
    begin(arbitration, "x")
    assert told(arbitration) == [(0, 13, "x")]


def test_a_session_s_own_limit_is_not_exceeded_and_nothing_flows_while_it_is_paused(arbitration: Arbitration) -> None:
    the_charger(arbitration).control.plans["x"] = planned((0, 8), (1, 20), start=arbitration.hub.clock.now())
    session = begin(arbitration)
    session.limit = Amps(10)
    assert told(arbitration) == [(0, 8, "x"), (1, 10, OWNER)]
    session.paused = True
    assert told(arbitration) == [(0, 0, OWNER)]


def test_where_no_session_runs_it_is_told_as_if_one_began(arbitration: Arbitration) -> None:
    the_charger(arbitration).control.plans["x"] = planned((0, 8), (1, 20), start=None)
    assert told(arbitration) == [(0, 8, "x"), (1, 20, "x")]


def test_under_the_owner_s_override_providers_have_no_say(arbitration: Arbitration) -> None:
    the_charger(arbitration).control.limits["x"] = Limit(Amps(10))
    the_charger(arbitration).control.set_mode(OWNER)
    assert told(arbitration) == [(0, 32, OWNER)]


def test_too_many_steps_end_it_before_its_time(arbitration: Arbitration) -> None:
    every_minute = [(minute / 60, 10.0 + minute % 2) for minute in range(600)]
    the_charger(arbitration).control.plans["x"] = planned(*every_minute, start=arbitration.hub.clock.now())
    found = seen(arbitration)
    assert len(found.steps) == MAX_STEPS
    assert found.until - found.since == timedelta(minutes=MAX_STEPS)


AMOUNTS = st.integers(0, 320).map(lambda tenths: tenths / 10)
OFFSETS = st.lists(st.integers(1, 90), unique=True, max_size=6).map(sorted)


@st.composite
def schedules(draw: st.DrawFn) -> ChargingProfile:
    """A profile with steps at quarters of an hour of a day that began some hours ago."""
    now = FakeClock().now()
    periods = tuple(Period(quarter * 900, draw(AMOUNTS)) for quarter in [0, *draw(OFFSETS)])
    start = now - draw(st.integers(0, 90)) * HOUR / 4
    duration = draw(st.one_of(st.none(), st.integers(1, 90).map(lambda quarters: quarters * 900.0)))
    again = draw(st.booleans())
    return ChargingProfile(
        Schedule(periods, start=start, duration=duration),
        draw(st.sampled_from([Purpose.DEFAULT, Purpose.STATION_MAX])),
        Kind.RECURRING if again else Kind.ABSOLUTE,
        level=draw(st.integers(0, 3)),
        every=DAILY if again else None,
    )


@given(mine=st.lists(schedules(), max_size=4), others=st.lists(schedules(), max_size=4), running=st.booleans())
@settings(max_examples=40)
def test_what_is_foreseen_is_what_binds_when_the_time_has_come(
    mine: list[ChargingProfile], others: list[ChargingProfile], running: bool
) -> None:
    arbitration = a_house("y", schedule=(NIGHT,))
    station, clock = the_charger(arbitration), arbitration.hub.clock
    assert isinstance(clock, FakeClock)
    station.control.plans.update(x=Plan(tuple(mine)), y=Plan(tuple(others)))
    if running:
        begin(arbitration)
    steps = seen(arbitration).steps
    for _ in range(96):
        bound = least(arbitration, station, clock.now())
        foreseen = [step for step in steps if step.at <= clock.now()][-1]
        by_provider = bound is not None and bound.amps < station.limit
        expected = bound if by_provider else (station.limit, OWNER)
        assert (foreseen.amps, foreseen.by) == expected
        clock.pass_(minutes=15)


@pytest.mark.parametrize("noon", [(2026, 3, 28), (2026, 10, 24), (2026, 7, 1)], ids=["spring", "autumn", "summer"])
@pytest.mark.parametrize("start", [time(1, 30), time(2), time(2, 30), time(3), time(23)])
@pytest.mark.parametrize("end", [time(2, 30), time(3), time(4), time(12)])
def test_hours_open_and_close_by_the_clock_on_the_wall(noon: tuple[int, int, int], start: time, end: time) -> None:
    local = datetime(*noon, 12, tzinfo=BERLIN)
    windows = [Window(start, end)]
    changes = list(changes_of(windows, local, timedelta(days=1)))
    at, opened = local.astimezone(UTC), is_open(windows, local)
    for _ in range(48 * 2 - 1):
        at += timedelta(minutes=15)
        if is_open(windows, at.astimezone(BERLIN)) is not opened:
            opened = not opened
            assert changes.pop(0) == at
    assert changes == []


def limited(arbitration: Arbitration, *periods: tuple[float, float]) -> None:
    """Somebody limits the charger at the charger itself, from now on."""
    made = tuple(Period(hours * 3600, amps) for hours, amps in periods)
    arbitration.hub.hear("CP1", LimitReported(STATION, "EMS", Schedule(made)))


async def test_what_was_put_on_the_charger_itself_binds_with_the_others(arbitration: Arbitration) -> None:
    the_charger(arbitration).control.limits["x"] = Limit(Amps(12))
    limited(arbitration, (0, 10), (2, 16))
    assert told(arbitration) == [(0, 10, CHARGER), (2, 12, "x")]


async def test_it_binds_at_once_and_until_it_is_taken_away(arbitration: Arbitration) -> None:
    station = the_charger(arbitration)
    connector, mailbox = station.connectors[1], arbitration.hub.bus.mailbox("arbiter", only=WATCHED)
    work = asyncio.create_task(Watch(arbitration, mailbox).run())
    try:
        limited(arbitration, (0, 10))
        await until(lambda: connector.limited_by == CHARGER)
        assert connector.effective_limit == Amps(10)
        arbitration.hub.hear("CP1", LimitCleared(STATION, "EMS"))
        await until(lambda: connector.limited_by == OWNER)
        assert connector.effective_limit == Amps(32)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
