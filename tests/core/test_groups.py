"""One fuse for several chargers: shared fairly, in turns where it is too small, and never exceeded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.core.groups import REST, TURN, Member, Shares, Turn, overbooked, share_out, total
from ocpp_mqtt_proxy.core.house_load import CALM, LATELY, STALE, HouseLoad
from ocpp_mqtt_proxy.core.model import Amps
from tests.core.yard import NOON

NAMES = "abcdefgh"


def those(*wishes: float, **all_: Any) -> list[Member]:
    """Members that want so much at most; 0 wants nothing."""
    return [Member(name, wants=bool(most), most=Amps(most), **all_) for name, most in zip(NAMES, wishes, strict=False)]


def shared(members: list[Member], room: float, turns: dict[str, Turn] | None = None, at: datetime = NOON) -> Shares:
    return share_out(members, room, turns or {}, at)


def plain(shares: Shares) -> dict[str, float]:
    """What each gets, by name."""
    return dict(shares.amps)


def amps(members: list[Member], room: float) -> list[float]:
    """What each gets, by name; None is not asked."""
    given_ = shared(members, room).amps
    return [given_[one.id] for one in members if one.id in given_]


# Fair


@pytest.mark.parametrize(
    ("wishes", "room", "parts"),
    [
        ((32,), 25, [25]),
        ((16,), 25, [16]),
        ((32, 32), 25, [12.5, 12.5]),
        ((32, 32, 32), 25, [8.3, 8.3, 8.3]),
        ((32, 7, 32), 25, [9, 7, 9]),
        ((6, 6, 32), 40, [6, 6, 28]),
        ((32, 0, 32), 25, [12.5, 0, 12.5]),
        ((5.9, 32), 25, [0, 25]),
        ((32, 32), 5.9, [0, 0]),
        ((), 25, []),
    ],
)
def test_those_that_want_share_equally_and_what_one_cannot_use_is_the_others(
    wishes: tuple[float, ...], room: float, parts: list[float]
) -> None:
    assert amps(those(*wishes), room) == parts


def test_a_charger_with_two_connectors_has_the_same_for_each() -> None:
    double, single = those(32, 32)
    assert amps([replace(double, connectors=2), single], 30) == [10, 10]


def test_a_charger_with_two_connectors_needs_twice_the_least_to_be_of_use() -> None:
    double, single = those(32, 32)
    assert amps([replace(double, connectors=2), single], 17) == [8.5, 0]


# In turns


def play(members: list[Member], room: float, minutes: int) -> dict[str, list[bool]]:
    """Who had current, minute by minute, where everything asked is confirmed."""
    had: dict[str, list[bool]] = {one.id: [] for one in members}
    turns: dict[str, Turn] = {}
    for minute in range(minutes):
        for _ in range(2):  # what is raised waits for what is lowered
            shares = shared(members, room, turns, NOON + timedelta(minutes=minute))
            members = [replace(one, held=shares.amps[one.id]) for one in members]
            turns = dict(shares.turns)
        for one in members:
            had[one.id].append(one.held > 0)
    return had


def test_where_it_does_not_do_for_all_they_take_turns_of_a_quarter_of_an_hour() -> None:
    had = play(those(32, 32, 32), 13, 90)
    assert all(59 <= sum(minutes) <= 61 for minutes in had.values())
    assert all(sum(now) == 2 for now in zip(*had.values(), strict=True))


def test_a_turn_once_begun_lasts_and_so_does_the_wait_after_it() -> None:
    for minutes in play(those(32, 32, 32, 32), 7, 120).values():
        runs = "".join("x" if on else " " for on in minutes).split()
        assert {len(run) for run in runs[:-1]} == {TURN / timedelta(minutes=1)}


def test_whoever_comes_waits_for_the_turns_that_have_begun() -> None:
    first, later = those(32, 32)
    turns = shared([first, replace(later, wants=False)], 10).turns
    shares = shared([replace(first, held=Amps(10)), later], 10, dict(turns), NOON + timedelta(minutes=1))
    assert plain(shares) == {"a": 10, "b": 0}


def test_who_lost_its_current_to_the_house_gets_it_back_after_a_while_and_not_at_once() -> None:
    (member,) = those(32)
    turns = dict(shared([member], 10).turns)
    turns = dict(shared([member], 3, turns).turns)
    assert plain(shared([member], 10, turns, NOON + REST / 2)) == {"a": 0}
    assert plain(shared([member], 10, turns, NOON + REST)) == {"a": 10}


# On the safe side


def test_a_raise_waits_for_the_lowering_that_makes_room_for_it() -> None:
    charging, joining = those(32, 32)
    charging = replace(charging, held=Amps(25))
    assert amps([charging, joining], 25) == [12.5, 0]
    assert amps([replace(charging, held=Amps(12.5)), joining], 25) == [12.5, 12.5]


@pytest.mark.parametrize(("held", "left"), [(0, 19), (10, 15)])
def test_who_cannot_be_reached_counts_at_the_larger_of_its_last_limit_and_its_safe_current(
    held: float, left: float
) -> None:
    here, away = those(32, 32)
    assert plain(shared([here, replace(away, online=False, held=Amps(held))], 25)) == {"a": left}


def test_who_does_not_do_as_it_is_asked_counts_at_what_it_has_and_is_asked_again() -> None:
    here, stubborn = those(32, 32)
    assert amps([here, replace(stubborn, sure=False, held=Amps(16))], 25) == [9, 12.5]


def test_who_does_not_do_as_it_is_asked_gets_nothing_more() -> None:
    assert amps(those(32, sure=False, held=Amps(8)), 25) == [8]


def test_others_give_way_to_who_cannot_be_lowered() -> None:
    obeying, stubborn = those(32, 32)
    assert amps([replace(obeying, held=Amps(8)), replace(stubborn, sure=False, held=Amps(16))], 20) == [0, 10]


def test_beside_one_that_keeps_what_it_has_for_good_all_count_with_what_they_fall_back_to() -> None:
    keeper, idle, joining = those(32, 0, 32)
    keeper = replace(keeper, keeps=True)
    assert amps([keeper, idle], 25) == [19, 0]
    assert amps([keeper, idle, joining], 25) == [9.5, 0, 9.5]
    assert amps([replace(keeper, held=Amps(25)), idle], 25) == [19, 0]


def test_nobody_is_given_even_what_it_falls_back_to_while_others_have_it_all() -> None:
    keeper, joining = those(32, 32)
    assert amps([replace(keeper, keeps=True, held=Amps(25)), joining], 25) == [12.5, 0]


@pytest.mark.parametrize(("safe", "fuse", "more"), [((6, 6, 13), 25, False), ((6, 6, 13.1), 25, True), ((), 0, False)])
def test_a_fuse_may_bear_less_than_its_chargers_fall_back_to(safe: tuple[float, ...], fuse: float, more: bool) -> None:
    assert overbooked(safe, fuse) is more


# Never exceeded


@dataclass
class Street:
    """Chargers on a fuse, as they are: what each has in force, what it was asked and has not answered.

    What is told of them to `share_out` is what can be known: that an order was taken shows in its answer alone.
    """

    fuse: float
    members: dict[str, Member]
    installed: dict[str, float]
    asked: dict[str, list[float]] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    now: datetime = NOON
    room: float = 0.0

    def change(self, name: str, **what: Any) -> None:
        self.members[name] = replace(self.members[name], **what)

    def recompute(self) -> None:
        """Share out and ask; never may a raise make it more than there is room for."""
        before = total(self.members.values())
        shares = share_out(self.members.values(), self.room, self.turns, self.now)
        self.turns = dict(shares.turns)
        for name, share in shares.amps.items():
            member = self.members[name]
            self.asked.setdefault(name, []).append(share)
            self.change(name, held=Amps(max(member.held, share)))
        assert total(self.members.values()) <= max(before, self.room) + 1e-6

    def answer(self, name: str, *, takes: bool, tells: bool) -> None:
        """A charger answers what it was asked: takes it or not; the answer may get lost."""
        if not (asked := self.asked.pop(name, None)) or not self.members[name].online:
            return
        if takes:
            self.installed[name] = asked[-1]
        if takes and tells:
            self.change(name, held=Amps(asked[-1]), sure=True)
        else:
            self.change(name, sure=False)

    def lose(self, name: str) -> None:
        """The last thing it was asked it may have taken all the same."""
        if asked := self.asked.pop(name, None):
            self.installed[name] = max(self.installed[name], asked[-1])
        self.change(name, online=False)

    @property
    def drawn(self) -> float:
        return sum(self.installed[name] * member.connectors for name, member in self.members.items())


STEPS = st.one_of(
    st.tuples(st.just("wants"), st.integers(0, 4), st.booleans()),
    st.tuples(st.just("most"), st.integers(0, 4), st.floats(0, 40)),
    st.tuples(st.just("answers"), st.integers(0, 4), st.tuples(st.booleans(), st.booleans())),
    st.tuples(st.just("takes"), st.integers(0, 4), st.none()),
    st.tuples(st.just("loses"), st.integers(0, 4), st.none()),
    st.tuples(st.just("comes"), st.integers(0, 4), st.none()),
    st.tuples(st.just("house"), st.just(0), st.floats(0, 40)),
    st.tuples(st.just("time"), st.just(0), st.integers(1, 1200)),
)


def a_street(fuse: float, connectors: list[int]) -> Street:
    members = {
        name: Member(name, safe=Amps(0), connectors=count) for name, count in zip(NAMES, connectors, strict=False)
    }
    return Street(fuse, members, dict.fromkeys(members, 0.0), room=fuse)


def step(street: Street, what: str, number: int, value: Any) -> None:
    name = NAMES[number % len(street.members)]
    match what:
        case "wants":
            street.change(name, wants=value)
        case "most":
            street.change(name, most=Amps(value))
        case "answers":
            street.answer(name, takes=value[0], tells=value[1])
        case "takes":
            street.answer(name, takes=True, tells=True)
        case "loses":
            street.lose(name)
        case "comes":
            street.change(name, online=True)
        case "house":
            street.room = max(0.0, street.fuse - value)
        case _:
            street.now += timedelta(seconds=value)


@settings(max_examples=400)
@given(
    fuse=st.floats(6, 80),
    connectors=st.lists(st.integers(1, 2), min_size=1, max_size=5),
    steps=st.lists(STEPS, max_size=60),
)
def test_whatever_happens_what_may_flow_never_exceeds_the_fuse(
    fuse: float, connectors: list[int], steps: list[tuple[str, int, Any]]
) -> None:
    street = a_street(fuse, connectors)
    for one in steps:
        step(street, *one)
        street.recompute()
        assert street.drawn <= fuse + 1e-6
        assert all(street.installed[name] <= member.held for name, member in street.members.items())


@settings(max_examples=300)
@given(
    room=st.floats(0, 80),
    wishes=st.lists(st.floats(0, 40), min_size=1, max_size=8),
    safe=st.floats(0, 16),
    away=st.sets(st.sampled_from(NAMES)),
)
def test_once_all_have_confirmed_all_there_is_is_used_and_nobody_is_treated_worse(
    room: float, wishes: list[float], safe: float, away: set[str]
) -> None:
    members = [replace(one, safe=Amps(safe), online=one.id not in away) for one in those(*wishes)]
    shares = shared(members, room)
    parts = {one.id: shares.amps[one.id] for one in members if one.online}
    lost = sum(one.safe for one in members if not one.online)
    assert sum(parts.values()) + lost <= max(room, lost) + 1e-6
    having = [one for one in members if parts.get(one.id)]
    greatest = max(parts.values(), default=0)
    assert all(parts[one.id] >= min(greatest, one.most) - 0.11 for one in having)
    assert all(6 <= parts[one.id] <= one.most + 1e-6 for one in having)
    waiting = [one for one in members if one.hungry and not parts[one.id]]
    assert not waiting or 6 * (len(having) + 1) > room - lost - 1e-6


# The house


def taken(house: HouseLoad, at: datetime) -> float | None:
    """What the house counts as taking."""
    return house.load(at)


def test_a_house_that_has_not_spoken_may_take_all() -> None:
    assert HouseLoad().load(NOON) is None


def test_a_house_s_rise_counts_at_once_and_its_fall_when_it_lasts() -> None:
    house = HouseLoad()
    house.take(4, NOON)
    house.take(12, NOON + timedelta(seconds=1))
    house.take(5, NOON + timedelta(seconds=2))
    assert taken(house, NOON + timedelta(seconds=2)) == 12
    assert taken(house, NOON + timedelta(seconds=1) + CALM) == 5


@pytest.mark.parametrize("lost", [True, False])
def test_a_house_that_is_not_heard_takes_the_most_that_it_took_lately(*, lost: bool) -> None:
    house = HouseLoad()
    house.take(30, NOON - LATELY)
    house.take(18, NOON - LATELY / 2)
    house.take(3, NOON)
    if lost:
        house.lose()
    assert taken(house, NOON if lost else NOON + STALE) == 18
    house.take(3, NOON + STALE)
    assert taken(house, NOON + STALE) == 3


def test_what_a_broker_kept_of_a_house_tells_nothing_of_now_but_what_there_can_be() -> None:
    house = HouseLoad()
    house.recall(20, NOON)
    assert house.load(NOON) is None
    house.take(3, NOON)
    assert taken(house, NOON + CALM) == 3
    assert taken(house, NOON + STALE) == 20


def test_a_house_that_feeds_in_takes_nothing() -> None:
    house = HouseLoad()
    house.take(-8, NOON)
    assert taken(house, NOON) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 2000)), min_size=1, max_size=50))
def test_a_house_is_never_taken_for_less_than_it_just_said(figures: list[tuple[float, int]]) -> None:
    house, now = HouseLoad(), NOON
    for amps_, seconds in figures:
        now += timedelta(seconds=seconds)
        house.take(amps_, now)
        load = house.load(now)
        house.lose()
        assert load is not None
        assert (lost := house.load(now)) is not None
        assert amps_ <= load <= lost
