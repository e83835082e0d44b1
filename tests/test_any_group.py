"""Whatever becomes of the chargers on one fuse, of their cars, of the house and of us: the fuse bears it.

What the chargers really give, by the profiles that they hold, is added up after each thing that happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.groups import LONGEST, LOOK_SECONDS, Groups
from ocpp_mqtt_proxy.arbitration.watch import review
from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.groups import TURN, Group
from ocpp_mqtt_proxy.core.house_load import HouseLoad
from ocpp_mqtt_proxy.core.model import Amps, IdToken, Place
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import Phase, TransactionReported
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import next_look
from ocpp_mqtt_proxy.hub import Delayed, Hub
from tests.fakes import FakeClock, an_arbitration
from tests.group_rig import Meter, MeterLink, Mood
from tests.kept import KeptLedger
from tests.obedient import ALL, Make

FUSE = 25.0
NAMES = ("CP1", "CP2", "CP3")
ANY = st.sampled_from(NAMES)
MAKES = st.sampled_from(
    [
        *[Make()] * 4,
        Make(second_default=False),
        Make(second_default=False, most_periods=1),
        Make(takes_duration=False),
        Make(purposes=ALL - {"TxProfile"}),
        Make(most_periods=1),
    ]
)


class AnyGroup(RuleBasedStateMachine):
    """Three chargers on a fuse that bears what they fall back to."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        if hasattr(self, "groups"):
            self.in_the_end_every_car_has_current()
            self.dies()
        self.loop.close()

    @initialize(
        makes=st.tuples(MAKES, MAKES, MAKES),
        safe=st.sampled_from([0, 6, 8]),
        cars=st.frozensets(ANY, min_size=1),
        measured=st.sampled_from([False, False, False, True]),
    )
    def is_built(self, makes: tuple[Make, ...], safe: int, cars: frozenset[str], *, measured: bool) -> None:
        self.clock, self.disk = FakeClock(), KeptLedger()
        self.plan, self.measured, self.run = Plan(group="house", safe_current=Amps(safe)), measured, 0
        self.meters = {name: Meter(make, self.clock.now) for name, make in zip(NAMES, makes, strict=True)}
        self.away: set[str] = set()
        self.loop.run_until_complete(self.begins())
        for station in self.hub.stations.values():
            station.memory.accepted = True
            self.hub.ledger.note([station.memory])
        self.settle()
        for name in sorted(cars):
            self.car_comes(name)
        self.pass_(timedelta(minutes=1))

    # The program

    async def begins(self) -> None:
        """Start, with what is on disk."""
        self.run += 1
        numbers = Numbers(f"run{self.run}", 0)
        self.hub = Hub(clock=self.clock, bus=Bus(), ledger=self.disk, numbers=numbers, plan_for=lambda _: self.plan)
        self.hub.stations |= self.disk.stations(self.plan)
        self.arbitration: Arbitration = an_arbitration(self.hub)
        house = HouseLoad() if self.measured else None
        self.groups = Groups(self.arbitration, [Group("house", NAMES, Amps(FUSE), house)], self.hub.plan_for)
        self.links: dict[str, MeterLink] = {}
        self.reviews: dict[str, asyncio.Task[None]] = {}
        for name in NAMES:
            if name not in self.away:
                self.connects(name)

    def connects(self, name: str, *, booted: bool = False) -> None:
        self.links[name] = link = MeterLink(self.meters[name], self.clock)
        link.stop = lambda: self.car_stops(name)
        self.hub.connect(name, link, "127.0.0.1")
        station = self.hub.station(name)
        station.sole()
        station.behind = timedelta(0)
        self.tell_what_ended(name)
        self.tasks.append(self.loop.create_task(self.restates(station, booted=booted)))

    async def restates(self, station: Station, *, booted: bool) -> None:
        await self.arbitration.dispatcher.steering.restate(station, booted=booted)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        if not hasattr(self, "_tasks"):
            self._tasks: list[asyncio.Task[None]] = []
        return self._tasks

    def dies(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.run_until_complete(asyncio.sleep(0))
        self.tasks.clear()

    def settle(self, action: Callable[[], object] = lambda: None) -> None:
        """Something happens; then all look, and do what follows, until nothing more does."""
        self.loop.run_until_complete(self.settles(action))

    async def settles(self, action: Callable[[], object] = lambda: None) -> None:
        action()
        (group,) = self.groups.groups.values()
        for _ in range(3):
            self.groups.look(group)
            for name, station in self.hub.stations.items():
                if name not in self.reviews or self.reviews[name].done():
                    self.reviews[name] = asyncio.create_task(review(self.arbitration, station))
            for _ in range(5):
                await asyncio.sleep(0)
                self.bears()
        for task in [*self.reviews.values(), *self.tasks]:
            if task.done():
                task.result()

    def pass_(self, time: timedelta) -> None:
        """Time goes by; whatever is due on the way happens then."""
        end = self.clock.now() + time
        while self.clock.now() < end:
            self.disk.write()
            self.clock.at = max(min(end, self.next_time()), self.clock.at + timedelta(seconds=LOOK_SECONDS))
            for link in self.links.values():
                if link.waiting is not None and link.waiting.until <= self.clock.now():
                    link.gives_up(Reason.TIMEOUT)
            self.settle()

    def next_time(self) -> datetime:
        """When anything changes by itself."""
        now = self.clock.now()
        times: list[datetime | None] = [now + TURN / 3]
        for station in self.hub.stations.values():
            held = [station.memory.installed, *(one.held for one in station.sessions()), *station.memory.asked.values()]
            ends = [one.until for one in held if one is not None and one.until is not None]
            times += [next_look(station, now), *ends, *(at - LONGEST for at in ends)]
        times += [link.waiting.until for link in self.links.values() if link.waiting is not None]
        for group in self.groups.groups.values():
            times += [at for turn in group.turns.values() for at in (turn.since + TURN, turn.rested)]
        return min(at for at in times if at is not None and at > now)

    # What happens

    @rule(name=ANY)
    def a_car_comes_or_goes(self, name: str) -> None:
        if self.meters[name].transaction is not None:
            self.settle(lambda: self.car_leaves(name))
        elif name not in self.away and not any(self.hub.station(name).sessions()):
            self.car_comes(name)

    def car_comes(self, name: str) -> None:
        report = TransactionReported(Phase.STARTED, None, self.clock.now(), Place(1, 1), IdToken(f"CARD-{name}"))
        self.loop.run_until_complete(self.hears(name, report))
        (session,) = self.hub.station(name).sessions()
        self.meters[name].begins(1, session.transaction_id)
        self.settle()

    def car_stops(self, name: str) -> None:
        self.loop.call_soon(self.car_leaves, name)

    def car_leaves(self, name: str) -> None:
        self.meters[name].leaves()
        if name not in self.away:
            self.tell_what_ended(name)

    def tell_what_ended(self, name: str) -> None:
        for session in list(self.hub.station(name).sessions()):
            if session.transaction_id != self.meters[name].transaction:
                report = TransactionReported(Phase.ENDED, session.transaction_id, self.clock.now())
                self.tasks.append(self.loop.create_task(self.hears(name, report)))

    async def hears(self, name: str, report: TransactionReported) -> None:
        answer = self.hub.hear(name, report)
        if isinstance(answer, Delayed):
            await answer.answer

    @rule(name=ANY, boots=st.sampled_from([False, False, True]))
    def one_is_lost_or_comes_again(self, name: str, *, boots: bool) -> None:
        if name not in self.away:
            self.settle(lambda: self.loses(name))
        if boots:
            self.meters[name].loses_power()
        if boots or name in self.away:
            self.comes_again(name, booted=boots)

    @rule(name=ANY)
    def one_is_lost(self, name: str) -> None:
        if name not in self.away:
            self.settle(lambda: self.loses(name))

    def loses(self, name: str) -> None:
        self.away.add(name)
        link = self.links.pop(name)
        link.gives_up(Reason.CHARGER_OFFLINE)
        self.hub.disconnect(name, link, "gone")

    def comes_again(self, name: str, *, booted: bool = False) -> None:
        self.away.discard(name)
        self.settle(lambda: self.connects(name, booted=booted))

    @rule(name=ANY, mood=st.sampled_from(Mood))
    def one_changes_its_mind(self, name: str, mood: Mood) -> None:
        if name in self.links:
            self.links[name].mood = mood
            self.settle()

    @rule(name=ANY)
    def one_answers_at_last(self, name: str) -> None:
        if name in self.links:
            self.settle(self.links[name].answers)

    @precondition(lambda self: self.measured)
    @rule(amps=st.sampled_from([0, 3, 10, 18, 40, None]))
    def the_house_takes(self, amps: int | None) -> None:
        if amps is None:
            self.settle(self.groups.houses_lost)
        else:
            self.settle(lambda: self.groups.house_takes("house", Amps(amps)))

    @rule(written=st.booleans())
    def we_crash_and_begin_again(self, *, written: bool) -> None:
        self.dies()
        if written:
            self.disk.write()
        self.disk.lose()
        self.loop.run_until_complete(self.begins())
        self.settle()

    @rule(seconds=st.sampled_from([1, 10, 30, 61, 61, 300, 960, 1900, 4000, 7600]))
    def time_goes_by(self, seconds: int) -> None:
        self.pass_(timedelta(seconds=seconds))

    # What must hold

    @invariant()
    def bears(self) -> None:
        if hasattr(self, "groups"):
            given = {name: meter.gives() for name, meter in self.meters.items()}
            known = all(station.memory.installed is not None for station in self.hub.stations.values())
            assert not known or sum(given.values()) <= FUSE + 1e-6, given

    def in_the_end_every_car_has_current(self) -> None:
        """Once all answer and obey again, and the house takes nothing."""
        for name in sorted(self.away):
            self.comes_again(name)
        for link in self.links.values():
            link.mood = Mood.OBEYS
            self.settle(link.answers)
        for _ in range(4):
            if self.measured:
                self.the_house_takes(0)
            self.pass_(timedelta(minutes=4))
        waits = [s for station in self.hub.stations.values() for s in station.sessions()]
        house = self.measured
        for session in waits:
            assert house or self.meters[session.charger].gives() >= 6, f"{session.charger} gives nothing"


AnyGroup.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestAnyGroup = AnyGroup.TestCase


# What chance seldom finds


@pytest.fixture
def street(request: pytest.FixtureRequest) -> Iterator[AnyGroup]:
    """A street of chargers that take everything, but for the first, which may be of another make."""
    built = AnyGroup()
    first = getattr(request, "param", Make())
    built.is_built((first, Make(), Make()), 6, frozenset({"CP1", "CP2"}), measured=False)
    built.a_car_comes_or_goes("CP1")
    built.a_car_comes_or_goes("CP2")
    yield built
    built.teardown()


def gives(street: AnyGroup) -> list[Fraction]:
    return [meter.gives() for meter in street.meters.values()]


KEEPERS = [Make(second_default=False, most_periods=1), Make(takes_duration=False, second_default=False)]


@pytest.mark.parametrize("street", [Make(), Make(second_default=False), *KEEPERS], indirect=True)
def test_whoever_is_lost_falls_back_beside_what_others_keep(street: AnyGroup) -> None:
    street.a_car_comes_or_goes("CP1")
    assert gives(street)[0] >= 13
    for name in NAMES:
        street.one_is_lost(name)
    street.time_goes_by(3 * 3600)
    assert gives(street)[1] == 6


def test_one_that_is_lost_falls_back_beside_one_that_charges(street: AnyGroup) -> None:
    street.one_is_lost("CP2")
    street.a_car_comes_or_goes("CP1")
    street.time_goes_by(3 * 3600)
    assert gives(street) == [19, 6, 0]


def test_who_is_lost_just_before_another_falls_back_has_left_room_for_that(street: AnyGroup) -> None:
    street.one_is_lost("CP2")
    street.a_car_comes_or_goes("CP1")
    street.time_goes_by(115 * 60)
    street.one_is_lost("CP1")
    street.time_goes_by(10 * 60)
    assert gives(street) == [19, 6, 0]


def test_a_raise_that_was_put_before_a_crash_counts_after_it_also_where_nothing_more_was_written(
    street: AnyGroup,
) -> None:
    street.one_changes_its_mind("CP1", Mood.MUTE)
    street.a_car_comes_or_goes("CP1")
    assert gives(street)[0] == 25
    street.away.add("CP1")
    street.we_crash_and_begin_again(written=False)
    street.a_car_comes_or_goes("CP2")
    assert gives(street) == [25, 0, 0]
