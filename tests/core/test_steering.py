"""Which profile a charger must be put next: a table of situations, and that it comes to an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.held import Held, Steps
from ocpp_mqtt_proxy.core.limit_orders import Layer, ProfileForm, Purpose
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps, Place
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Failure, Provided, Station
from ocpp_mqtt_proxy.core.steering import (
    CALM,
    CHARGING,
    RETRY,
    SHOWN,
    SHUT,
    STANDING_IN,
    Want,
    next_look,
    shown,
    wants,
)
from ocpp_mqtt_proxy.steering.orders import order_for
from tests.core.yard import NOON, Yard

MINUTE = timedelta(minutes=1)
BEFORE = NOON - timedelta(minutes=1)
DEFAULT_FORM = ProfileForm(1)
OLD = Held(((NOON - timedelta(hours=1), Amps(32)),))


def held(amps: float, since: datetime = BEFORE, lasts: timedelta | None = CHARGING) -> Held:
    return Held(((since, Amps(amps)),), None if lasts is None else since + lasts)


@dataclass
class Case:
    """A charger that was limited before, at noon, with connectors, and what it holds."""

    installed: Held | None = field(default_factory=lambda: held(32, lasts=SHOWN))
    safe: float | None = 6
    ceiling: float | None = None
    charging: dict[int, Held | None] = field(default_factory=dict)
    connectors: int = 1
    provided: float | None = None
    ahead: Steps = ()
    knows: ChargerMemory = field(default_factory=lambda: ChargerMemory("CP1", form=DEFAULT_FORM))
    change: Callable[[Station], object] = lambda _: None

    def station(self) -> Station:
        memory = replace(self.knows, installed=self.installed, safe=None if self.safe is None else Amps(self.safe))
        memory.limit = None if self.ceiling is None else Amps(self.ceiling)
        connectors = {number: Connector("CP1", number, Place(number, 1)) for number in range(1, self.connectors + 1)}
        station = Station(memory, connectors=connectors)
        station.behind = timedelta(0)
        for number, has in self.charging.items():
            session = Session(f"S{number}", "CP1", number, f"T{number}", BEFORE, "CARD", held=has)
            station.book.add(session)
            connectors[number].open(session)
        self._bind(station)
        self.change(station)
        return station

    def _bind(self, station: Station) -> None:
        if self.provided is not None:
            station.provided = Provided(Amps(self.provided), "grid")
            station.ahead = dict.fromkeys(station.connectors, self.ahead or ((NOON, Amps(self.provided)),))


def told(want: Want) -> tuple[str, list[tuple[float, float]], float | None, bool]:
    """A want in short: its key, minutes and A of its steps, for how many minutes, and whether it lowers."""
    steps = [((at - NOON) / MINUTE, float(amps)) for at, amps in want.steps]
    return want.key, steps, None if want.until is None else (want.until - NOON) / MINUTE, want.lowers


def doubts(*keys: str) -> Callable[[Station], object]:
    return lambda station: station.doubted.update(keys)


def loses(*keys: str) -> Callable[[Station], object]:
    """A boot may have cost it these."""

    def booted(station: Station) -> None:
        station.doubted.update(keys)
        station.lost.update(keys)

    return booted


def fails(key: str, *, times: int, ago: timedelta, lowers: bool) -> Callable[[Station], object]:
    return lambda station: station.failed.update({key: Failure(times, NOON - ago, lowers)})


def pauses(station: Station) -> None:
    station.connectors[1].session.paused = True  # type: ignore[union-attr]  # the case has one


def wishes(amps: float) -> Callable[[Station], object]:
    return lambda station: setattr(station, "wish", Amps(amps))


def worn_out(station: Station) -> None:
    """Its flash was written as often as it bears."""
    for _ in range(120):
        station.wear.lasting.write(NOON)
        station.wear.passing.write(NOON)


FLAT = ChargerMemory("CP1", form=DEFAULT_FORM, flat=True)
ONE_PERIOD = ChargerMemory("CP1", form=DEFAULT_FORM, flat=True, most_periods=1)
RELATIVE = ChargerMemory("CP1", form=ProfileForm(0, relative=True))
NO_TX = ChargerMemory("CP1", form=DEFAULT_FORM, session_form=replace(DEFAULT_FORM, purpose=Purpose.DEFAULT))
MAX_ONLY = replace(DEFAULT_FORM, purpose=Purpose.CHARGER)
ONLY_MAX = ChargerMemory("CP1", form=MAX_ONLY, session_form=MAX_ONLY)
EARLY, LATE = timedelta(seconds=5), timedelta(seconds=10)
SOON_LESS = ((NOON, Amps(16)), (NOON + 10 * MINUTE, Amps(8)))
HALF_OVER = NOON - CHARGING / 2

TABLE: dict[str, tuple[Case, list[tuple[str, list[tuple[float, float]], float | None, bool]]]] = {
    "nobody ever limited it": (Case(None, None), []),
    "it was never limited and is to be: the plain profile first": (
        Case(None, None, provided=10, knows=ChargerMemory("CP1")),
        [("default", [(0, 10)], None, True), ("base", [(0, 6)], None, False)],
    ),
    "it has all it needs": (Case(), []),
    "less is allowed while it is idle: for two hours where that is below the base": (
        Case(provided=0),
        [("default", [(0, 0)], 120, True)],
    ),
    "what is not below the base lasts a quarter of an hour": (
        Case(provided=10),
        [("default", [(0, 10)], 15, True)],
    ),
    "more is allowed while it is idle": (
        Case(held(10, lasts=SHOWN)),
        [("default", [(0, 32)], 15, False)],
    ),
    "more waits for calm": (Case(held(10, NOON - EARLY, SHOWN)), []),
    "but not for longer": (
        Case(held(10, NOON - LATE, SHOWN)),
        [("default", [(0, 32)], 15, False)],
    ),
    "a default that ran out above the base is not put again: what begins gets its own": (Case(held(32, OLD.since)), []),
    "one below the base is, at half time": (
        Case(held(0, NOON - SHUT / 2, SHUT), provided=0),
        [("default", [(0, 0)], 120, False)],
    ),
    "what goes down for long never goes up above the base by itself": (
        Case(provided=0, ahead=((NOON, Amps(0)), (NOON + 10 * MINUTE, Amps(32)))),
        [("default", [(0, 0), (10, 6)], 120, True)],
    ),
    "a session begins: it has its own at once": (
        Case(charging={1: None}, provided=16),
        [("S1", [(0, 16)], 15, True), ("default", [(0, 16)], 15, True)],
    ),
    "with steps as they are known": (
        Case(held(16, lasts=SHOWN), charging={1: held(32)}, provided=16, ahead=SOON_LESS),
        [("S1", [(0, 16), (10, 8)], 15, True)],
    ),
    "the last of those that it takes is the least of what follows": (
        Case(
            held(16, lasts=SHOWN),
            charging={1: held(32)},
            provided=16,
            ahead=((NOON, Amps(16)), (NOON + 5 * MINUTE, Amps(10)), (NOON + 8 * MINUTE, Amps(6))),
            change=lambda station: setattr(station, "max_periods", 2),
        ),
        [("S1", [(0, 16), (5, 6)], 15, True)],
    ),
    "a session's own is put again at half time": (
        Case(charging={1: held(32, HALF_OVER)}),
        [("S1", [(0, 32)], 15, False)],
    ),
    "more waits for calm in a session too": (Case(charging={1: held(10, NOON - EARLY)}), []),
    "where it has none of its own, for that of what it has": (
        Case(held(10, NOON - EARLY, SHOWN), charging={1: None}),
        [],
    ),
    "and comes after it": (Case(charging={1: held(10, NOON - LATE)}), [("S1", [(0, 32)], 15, False)]),
    "a paused one gets nothing": (
        Case(charging={1: held(32)}, change=pauses),
        [("S1", [(0, 0)], 15, True)],
    ),
    "each connector has its own": (
        Case(held(10, lasts=SHOWN), charging={1: held(10), 2: held(32)}, connectors=2, provided=10),
        [("S2", [(0, 10)], 15, True)],
    ),
    "the base is never above the owner's ceiling": (
        Case(held(0), ceiling=0),
        [("base", [(0, 0)], None, True)],
    ),
    "and comes back with it": (Case(held(32, lasts=SHOWN), safe=0, ceiling=32), [("base", [(0, 6)], None, False)]),
    "but not above what binds": (Case(held(0, lasts=SHUT), safe=0, provided=0), []),
    "a charger with one default has it go down by itself": (
        Case(held(32, lasts=None), None, provided=16, knows=FLAT),
        [("default", [(0, 16), (15, 6)], None, True)],
    ),
    "and not where it takes one period": (
        Case(held(32, lasts=None), None, provided=16, knows=ONE_PERIOD),
        [("default", [(0, 16)], None, True)],
    ),
    "what goes down goes no higher than is allowed by then": (
        Case(
            held(32, lasts=None),
            None,
            provided=16,
            ahead=((NOON, Amps(16)), (NOON + 14 * MINUTE, Amps(0))),
            knows=FLAT,
        ),
        [("default", [(0, 16), (15, 0)], None, True)],
    ),
    "its sessions' have no end while what is below them is above the safe current": (
        Case(held(10, lasts=None), None, charging={1: held(16, lasts=None)}, provided=10, knows=ONE_PERIOD),
        [("S1", [(0, 10)], None, True)],
    ),
    "relative ones alone have neither steps nor end": (
        Case(held(32, lasts=None), None, provided=16, ahead=SOON_LESS, knows=RELATIVE),
        [("default", [(0, 16)], None, True)],
    ),
    "what stands in for a session's lasts half an hour": (
        Case(held(32, lasts=SHOWN), charging={1: None}, provided=16, knows=NO_TX),
        [("default", [(0, 16)], 30, True)],
    ),
    "and pauses it": (
        Case(held(32, lasts=STANDING_IN), charging={1: None}, knows=NO_TX, change=pauses),
        [("default", [(0, 0)], 120, True)],
    ),
    "but what lies below is not paused": (
        Case(held(32, lasts=STANDING_IN), None, charging={1: None}, knows=NO_TX, change=pauses),
        [("default", [(0, 0)], None, True), ("base", [(0, 6)], None, False)],
    ),
    "a charger with a maximum alone has that go down by itself": (
        Case(held(32, lasts=None), None, charging={1: None}, provided=16, knows=ONLY_MAX),
        [("default", [(0, 16), (30, 6)], None, True)],
    ),
    "steps are not for a clock that nobody knows": (
        Case(
            charging={1: held(32)},
            provided=16,
            ahead=SOON_LESS,
            change=lambda station: setattr(station, "behind", None),
        ),
        [("S1", [(0, 16)], 15, True), ("default", [(0, 16)], 10, True)],
    ),
    "nor for one that is off": (
        Case(
            held(16, lasts=SHOWN),
            charging={1: held(32)},
            provided=16,
            ahead=SOON_LESS,
            change=lambda station: setattr(station, "clock_ahead", timedelta(seconds=6)),
        ),
        [("S1", [(0, 16)], 15, True)],
    ),
    "what it may have lost is put again": (
        Case(held(32), charging={1: held(32)}, change=doubts("S1", Layer.BASE, Layer.DEFAULT)),
        [("S1", [(0, 32)], 15, False), ("default", [(0, 32)], 15, False), ("base", [(0, 6)], None, False)],
    ),
    "after a boot at once, as far as more may flow where it lost that": (
        Case(held(10), charging={1: held(10)}, provided=10, change=loses("S1", Layer.BASE, Layer.DEFAULT)),
        [("S1", [(0, 10)], 15, True), ("default", [(0, 10)], 15, True), ("base", [(0, 6)], None, False)],
    ),
    "and not where what lies below is no more": (
        Case(held(10), charging={1: held(10)}, provided=10, change=loses("S1")),
        [("S1", [(0, 10)], 15, False)],
    ),
    "what lowers goes before what raises": (
        Case(held(16), charging={1: held(6, NOON - CALM), 2: held(32)}, connectors=2, provided=16),
        [("S2", [(0, 16)], 15, True), ("S1", [(0, 16)], 15, False)],
    ),
    "what raises waits where flash was written too often": (Case(held(10, lasts=SHOWN), change=worn_out), []),
    "what lowers never does": (
        Case(provided=10, change=worn_out),
        [("default", [(0, 10)], 15, True)],
    ),
    "the owner's wish counts while it is asked for": (
        Case(change=wishes(10)),
        [("default", [(0, 10)], 15, True)],
    ),
    "what was refused waits a while": (
        Case(charging={1: held(10)}, change=fails("S1", times=1, ago=EARLY, lowers=False)),
        [],
    ),
    "and ever longer": (
        Case(charging={1: held(10)}, change=fails("S1", times=3, ago=3 * RETRY, lowers=False)),
        [],
    ),
    "what others allow less of is tried again soon": (
        Case(held(10), charging={1: held(32)}, provided=10, change=fails("S1", times=9, ago=RETRY, lowers=True)),
        [("S1", [(0, 10)], 15, True)],
    ),
    "what lowers does not wait for what raised": (
        Case(held(10), charging={1: held(32)}, provided=10, change=fails("S1", times=9, ago=EARLY, lowers=False)),
        [("S1", [(0, 10)], 15, True)],
    ),
    "what the installation bears is put though nobody asked": (
        Case(None, None, change=lambda station: setattr(station, "plan", Plan(enforced=True))),
        [("default", [(0, 32)], None, True), ("base", [(0, 6)], None, False)],
    ),
}


@pytest.mark.parametrize("situation", TABLE)
def test_what_is_put(situation: str) -> None:
    case, expected = TABLE[situation]
    assert [told(want) for want in wants(case.station(), NOON)] == expected


def test_the_owner_s_word_waits_for_no_calm() -> None:
    station = Case(held(10, NOON - EARLY, SHOWN), charging={1: held(10, NOON - EARLY)}).station()
    assert [told(want) for want in wants(station, NOON, eager=True)] == [("S1", [(0, 32)], 15, False)]


def test_what_it_may_have_taken_counts() -> None:
    station = Case(held(10), charging={1: held(10)}, provided=10).station()
    station.memory.asked["S1"] = held(16)
    assert [told(want) for want in wants(station, NOON)] == [("S1", [(0, 10)], 15, True)]


@pytest.mark.parametrize(
    ("lost", "amps"),
    [([], 6), (["S1"], 8), ([Layer.DEFAULT], 6), (["S1", Layer.DEFAULT], 8), (["S1", Layer.DEFAULT, Layer.BASE], 32)],
)
def test_after_a_boot_the_most_is_shown_that_it_may_be_left_with(lost: list[str], amps: float) -> None:
    station = Case(held(8, lasts=SHOWN), charging={1: held(6)}, provided=6, change=loses(*lost)).station()
    assert shown(station, station.connectors[1], NOON) == Amps(amps)


# It comes to an end


def confirm(station: Station, want: Want, now: datetime, yard: Yard) -> None:
    """The charger takes it, in its first form."""
    form = station.memory.form or DEFAULT_FORM
    form = (station.memory.session_form or replace(form, purpose=None)) if want.session is not None else form
    order = order_for(station, want, form, now)
    (station.wear.passing if want.layer is Layer.SESSION else station.wear.lasting).write(now)
    station.doubted.discard(want.key)
    yard.note(rules.confirm(station, order, now, yard.numbers))


def satisfied(station: Station, now: datetime, *, eager: bool = False) -> Counter[str]:
    """Put what is wanted until nothing is; how often what was put."""
    yard, puts = Yard(), Counter[str]()
    while (want := next(iter(wants(station, now, eager=eager)), None)) is not None:
        puts[want.key] += 1
        assert puts[want.key] <= 3, f"{want} again and again"
        confirm(station, want, now, yard)
    return puts


AMPS = st.sampled_from([0, 6, 8, 16, 32])


@st.composite
def lines(draw: st.DrawFn) -> Steps:
    minutes = [0, *draw(st.lists(st.integers(1, 30), max_size=3, unique=True).map(sorted))]
    return tuple((NOON + minute * MINUTE, Amps(draw(AMPS))) for minute in minutes)


@st.composite
def stations(draw: st.DrawFn) -> Station:
    """Any charger, whatever it holds and takes."""
    memory = ChargerMemory(
        "CP1",
        form=draw(st.sampled_from([None, DEFAULT_FORM, ProfileForm(0), ProfileForm(0, relative=True), MAX_ONLY])),
        flat=draw(st.booleans()),
        untimed=draw(st.booleans()),
        most_periods=draw(st.sampled_from([None, 1, 2])),
    )
    connectors = draw(st.integers(1, 2))
    if connectors == 1 and draw(st.booleans()):
        memory.session_form = draw(st.sampled_from([NO_TX.session_form, MAX_ONLY]))
        if memory.form is not None and memory.session_form is not None:
            memory.form = replace(memory.form, purpose=memory.session_form.purpose)
    some = st.none() | st.builds(held, AMPS, st.just(BEFORE), st.sampled_from([None, CHARGING, SHUT]))
    case = Case(
        draw(some),
        draw(st.none() | st.sampled_from([0, 6])),
        draw(st.none() | AMPS),
        {number: draw(some) for number in range(1, draw(st.integers(0, connectors)) + 1)},
        connectors,
        draw(AMPS),
        draw(lines()),
        memory,
    )
    station = case.station()
    station.behind = draw(st.sampled_from([None, timedelta(0)]))
    return station


def next_time(station: Station, now: datetime) -> datetime:
    """When something changes by itself."""
    looks = [next_look(station, now), *(at for steps in station.ahead.values() for at, _ in steps if at > now)]
    return min(at for at in (*looks, now + timedelta(hours=25)) if at is not None)


@given(station=stations(), eager=st.booleans())
@settings(max_examples=200, deadline=None)
def test_nothing_is_wanted_once_all_that_was_is_confirmed_until_it_is_time(station: Station, eager: bool) -> None:
    satisfied(station, NOON, eager=eager)
    then = next_time(station, NOON)
    for part in (0.01, 0.5, 0.99):
        at = NOON + (then - NOON) * part
        assert [want for want in wants(station, at) if want.lowers] == []


@given(station=stations())
@settings(max_examples=60, deadline=None)
def test_in_a_day_no_memory_is_written_more_often_than_it_bears(station: Station) -> None:
    written, now, end = Counter[str](), NOON, NOON + timedelta(hours=24)
    while now < end:
        written += satisfied(station, now)
        now = next_time(station, now)
    sessions = [session.session_id for session in station.sessions()]
    assert written[Layer.BASE] <= 3
    assert written[Layer.DEFAULT] <= 24 * 4 + 12
    assert all(written[session] <= 24 * 8 + 12 for session in sessions)
