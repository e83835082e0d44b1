"""Groups at work: what chargers of one fuse are asked, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.groups import LONGEST, WATCHED, Groups
from ocpp_mqtt_proxy.arbitration.watch import review
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, StartCharging, StopCharging, done, refused
from ocpp_mqtt_proxy.core.forms import forms
from ocpp_mqtt_proxy.core.groups import Group
from ocpp_mqtt_proxy.core.house_load import STALE, HouseLoad
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import Amps, IdToken, Place, Status
from ocpp_mqtt_proxy.core.plan import SAFE_CURRENT, Plan
from ocpp_mqtt_proxy.core.reports import Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station, restore
from ocpp_mqtt_proxy.core.steering import CALM, RETRY
from ocpp_mqtt_proxy.hub import Delayed, Hub
from ocpp_mqtt_proxy.requests import Start
from tests.fakes import FakeClock, FakeLedger, FakeLink, a_charger, a_hub, an_arbitration

NAMES = ("CP1", "CP2", "CP3")


def limits(link: FakeLink) -> list[float]:
    """What a charger was asked to keep to, in order."""
    return [order.limit for order in link.asked if isinstance(order, SetLimit)]


def stubborn(order: Order) -> Outcome:
    return refused(Reason.CHARGER_REJECTED) if isinstance(order, SetLimit) else done()


@dataclass
class Street:
    """Three chargers on a fuse of 25 A."""

    hub: Hub
    groups: Groups
    group: Group
    arbitration: Arbitration
    links: dict[str, FakeLink]

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.hub.clock, FakeClock)
        return self.hub.clock

    def station(self, name: str) -> Station:
        return self.hub.stations[name]

    async def goes_on(self, seconds: float = 0) -> None:
        """Time goes by, the fuse and chargers are looked at, and they do what they are asked; till no more follows."""
        self.clock.pass_(seconds=seconds)
        await self.settles()
        reviews = [asyncio.create_task(review(self.arbitration, one)) for one in self.hub.stations.values()]
        await self.settles()
        assert [one.exception() for one in reviews if one.done()].count(None) == sum(one.done() for one in reviews)

    async def settles(self) -> None:
        self.groups.look(self.group)
        for _ in range(50):
            await asyncio.sleep(0)
        self.groups.look(self.group)
        for _ in range(50):
            await asyncio.sleep(0)

    async def car_comes(self, name: str) -> Session:
        session = Session(f"s-{name}", name, 1, f"t-{name}", self.clock.now(), "CARD")
        self.station(name).book.add(session)
        self.station(name).connectors[1].open(session)
        await self.goes_on()
        return session

    async def car_goes(self, name: str) -> None:
        self.station(name).connectors[1].finish()
        await self.goes_on()

    def allowed(self) -> list[float]:
        """What each is allowed of the fuse."""
        return [self.station(name).bound for name in NAMES]

    def has(self) -> list[float]:
        """What each may draw at any time soon, as it confirmed."""
        return [self.station(name).reach(self.clock.now()) for name in NAMES]


@dataclass
class SlowLink(FakeLink):
    """A charger that answers once what it `waits` for is there."""

    waits: asyncio.Future[Outcome] | None = None

    async def send(self, order: Order, still: Callable[[], bool] | None = None) -> Outcome:
        outcome = await super().send(order, still)
        return outcome if self.waits is None else await self.waits


def a_street(house: HouseLoad | None = None, link: type[FakeLink] = FakeLink, safe: Amps = SAFE_CURRENT) -> Street:
    hub = a_hub(Plan(group="house", safe_current=safe))
    group = Group("house", NAMES, Amps(25), house)
    arbitration = an_arbitration(hub)
    groups = Groups(arbitration, [group], hub.plan_for)
    links = {name: link() for name in NAMES}
    for name, one in links.items():
        a_charger(hub, one, name).memory.accepted = True
    return Street(hub, groups, group, arbitration, links)


@pytest.fixture
async def street() -> Street:
    made = a_street()
    await made.goes_on()
    return made


async def test_a_charger_of_a_group_is_told_to_give_nothing_before_anything_else(street: Street) -> None:
    assert {amps for link in street.links.values() for amps in limits(link)} == {0}
    assert street.has() == [0, 0, 0]


async def test_the_first_car_has_it_all_at_once_and_others_once_it_has_confirmed_less(street: Street) -> None:
    first = await street.car_comes("CP1")
    assert street.allowed() == [25, 0, 0]
    assert first.held is not None
    assert first.held.first == Amps(25)
    second = await street.car_comes("CP2")
    assert street.allowed() == [12.5, 12.5, 0]
    assert second.held is not None
    assert second.held.first == Amps(12.5)
    assert street.station("CP1").connectors[1].limited_by == "group:house"


async def test_a_share_goes_up_after_a_while_of_calm(street: Street) -> None:
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    await street.car_goes("CP2")
    assert street.has() == [12.5, 0, 0]
    await street.goes_on(CALM.total_seconds())
    assert street.has() == [25, 0, 0]


async def test_one_that_is_asked_for_less_counts_at_what_it_had_while_it_does_not_answer(street: Street) -> None:
    await street.car_comes("CP1")
    street.links["CP1"].answer = lambda _: refused(Reason.TIMEOUT)
    await street.car_comes("CP2")
    assert street.allowed() == [12.5, 0, 0]
    street.links["CP1"].answer = lambda _: done(charger_status="Accepted")
    await street.goes_on(RETRY.total_seconds())
    assert street.allowed() == [12.5, 12.5, 0]


async def test_one_that_refuses_less_is_asked_for_nothing_and_then_stopped(street: Street) -> None:
    await street.car_comes("CP1")
    street.links["CP1"].answer = stubborn
    await street.car_comes("CP2")
    asked = street.links["CP1"].asked
    assert 0 in limits(street.links["CP1"])[-3:]
    assert isinstance(asked[-1], StopCharging)
    assert street.allowed()[1] == 0


async def test_one_that_takes_no_limits_is_asked_ever_more_rarely_while_it_is_idle() -> None:
    street = a_street()
    street.links["CP1"].answer = stubborn
    for _ in range(60):
        await street.goes_on(RETRY.total_seconds())
    rounds = len(limits(street.links["CP1"])) / len(forms(street.station("CP1")))
    assert 5 < rounds < 10


async def test_one_that_is_lost_leaves_the_others_what_it_cannot_take(street: Street) -> None:
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    street.hub.disconnect("CP2", street.links["CP2"], "gone")
    street.hub.disconnect("CP3", street.links["CP3"], "gone")
    await street.goes_on()
    assert street.station("CP1").bound == 6.5


async def test_the_owner_s_lower_ceiling_leaves_the_rest_to_the_others(street: Street) -> None:
    street.station("CP1").memory.limit = Amps(8)
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    assert street.allowed() == [8, 17, 0]


async def test_a_session_s_own_limit_leaves_the_rest_to_the_others(street: Street) -> None:
    (await street.car_comes("CP1")).limit = Amps(8)
    await street.car_comes("CP2")
    assert street.allowed() == [8, 17, 0]


async def test_a_limit_that_a_start_asked_for_outlasts_that_there_was_none_then(street: Street) -> None:
    outcome = await street.arbitration.dispatcher.submit("CP1", Start(connector=1, id_tag="CARD", limit_amps=10))
    assert outcome.ok
    assert [order.limit for order in street.links["CP1"].asked if isinstance(order, StartCharging)] == [Amps(0)]
    begun = TransactionReported(Phase.STARTED, None, street.clock.now(), Place(1, 1), IdToken("CARD"))
    said = street.hub.hear("CP1", begun)
    assert isinstance(said, Delayed)
    await said.answer
    await street.goes_on()
    assert street.allowed() == [10, 0, 0]
    await street.goes_on(CALM.total_seconds())
    assert street.station("CP1").connectors[1].effective_limit == Amps(10)


async def test_a_charger_that_does_not_answer_a_raise_is_lowered_at_once_all_the_same(street: Street) -> None:
    street.links["CP1"].answer = lambda _: refused(Reason.TIMEOUT)
    first = await street.car_comes("CP1")
    assert street.has() == [25, 0, 0]
    street.links["CP1"].answer = lambda _: done(charger_status="Accepted")
    await street.car_comes("CP2")
    assert first.held is not None
    assert first.held.first <= 12.5
    assert street.has() == [12.5, 12.5, 0]


async def test_a_lowering_goes_as_soon_as_the_wire_is_free_of_a_raise_that_is_unanswered() -> None:
    street = a_street(link=SlowLink)
    await street.goes_on()
    slow = street.links["CP1"]
    assert isinstance(slow, SlowLink)
    raised: asyncio.Future[Outcome] = asyncio.Future()
    slow.waits = raised
    await street.car_comes("CP1")
    await street.car_comes("CP2")
    assert (limits(slow)[-1], street.allowed()[1]) == (25, 0)
    slow.waits = None
    raised.set_result(refused(Reason.TIMEOUT))
    await street.settles()
    assert street.allowed() == [12.5, 12.5, 0]
    assert street.has()[0] == 12.5


async def test_a_full_car_keeps_the_least_and_a_paused_one_nothing(street: Street) -> None:
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    street.hub.hear("CP1", StatusReported(Place(1), Status.SUSPENDED_EV, street.clock.now()))
    await street.goes_on()
    assert street.allowed() == [6, 19, 0]
    (session,) = street.station("CP1").sessions()
    session.paused = True
    await street.goes_on()
    assert street.allowed() == [0, 25, 0]


async def test_a_charger_with_two_connectors_counts_with_both() -> None:
    street = a_street()
    street.station("CP1").at(Place(2, 1))
    await street.goes_on()
    await street.car_comes("CP1")
    assert street.station("CP1").bound == 12.5


# The house


@pytest.fixture
async def measured() -> Street:
    """The same with a house that takes 4 A, and a car at each of two chargers."""
    street = a_street(HouseLoad())
    street.groups.house_takes("house", Amps(4))
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    return street


async def test_before_the_house_has_spoken_nobody_gets_anything() -> None:
    street = a_street(HouseLoad())
    await street.car_comes("CP1")
    street.groups.house_took("house", Amps(2))
    await street.goes_on()
    assert street.allowed() == [0, 0, 0]


async def test_the_house_s_rise_lowers_the_cars_at_once(measured: Street) -> None:
    assert measured.allowed() == [10, 10, 0]
    measured.groups.house_takes("house", Amps(10))
    await measured.goes_on()
    assert measured.allowed() == [7, 7, 0]


@pytest.mark.parametrize("lost", [True, False], ids=["broker lost", "silent"])
async def test_a_house_that_is_not_heard_takes_what_it_took_at_most(measured: Street, *, lost: bool) -> None:
    measured.groups.house_takes("house", Amps(10))
    measured.groups.house_takes("house", Amps(2))
    await measured.goes_on(CALM.total_seconds())
    assert measured.allowed() == [11, 11, 0]
    if lost:
        measured.groups.houses_lost()
    await measured.goes_on(0 if lost else STALE.total_seconds())
    assert measured.allowed() == [7, 7, 0]
    assert measured.group.house is not None
    assert not measured.group.house.fresh(measured.clock.now())


# Over restarts


async def begun_again(street: Street) -> Street:
    """The same after a restart; the first charger is yet to come, and a car comes to the second."""
    old, again = street.station("CP1"), a_street()
    again.hub.disconnect("CP1", again.links["CP1"], "restart")
    again.hub.stations["CP1"] = restore(old.memory, Plan(group="house"), old.connectors.values(), old.sessions())
    await again.goes_on()
    await again.car_comes("CP2")
    return again


async def test_after_a_restart_a_charger_counts_with_what_it_last_confirmed(street: Street) -> None:
    await street.car_comes("CP1")
    again = await begun_again(street)
    assert again.allowed() == [0, 0, 0]
    again.hub.connect("CP1", again.links["CP1"], "127.0.0.1")
    await again.goes_on()
    assert again.allowed() == [12.5, 12.5, 0]


async def test_one_that_never_came_counts_with_its_safe_current() -> None:
    hub = a_hub(Plan(group="house", safe_current=Amps(7)))
    group = Group("house", NAMES, Amps(25))
    arbitration = an_arbitration(hub)
    groups = Groups(arbitration, [group], hub.plan_for)
    street = Street(hub, groups, group, arbitration, {})
    a_charger(hub, FakeLink(), "CP1").memory.accepted = True
    await street.goes_on()
    await street.car_comes("CP1")
    assert street.station("CP1").bound == Amps(11)


async def test_a_raise_is_on_disk_before_it_is_put_and_none_goes_where_it_cannot_be(street: Street) -> None:
    ledger = street.hub.ledger
    assert isinstance(ledger, FakeLedger)
    ledger.broken = True
    first = await street.car_comes("CP1")
    assert (limits(street.links["CP1"])[-1], first.held, street.has()) == (0, None, [0, 0, 0])
    ledger.broken = False
    await street.goes_on(RETRY.total_seconds())
    assert first.held is not None
    assert first.held.first == Amps(25)


async def test_what_was_asked_before_a_crash_counts_after_it() -> None:
    street = a_street(link=SlowLink)
    await street.goes_on()
    slow = street.links["CP1"]
    assert isinstance(slow, SlowLink)
    slow.waits = asyncio.Future()
    await street.car_comes("CP1")
    again = await begun_again(street)
    assert set(street.station("CP1").memory.asked) == {"s-CP1"}
    assert again.allowed() == [0, 0, 0]
    again.hub.connect("CP1", again.links["CP1"], "127.0.0.1")
    await again.goes_on()
    assert again.allowed() == [12.5, 12.5, 0]
    assert again.station("CP1").memory.asked == {}


async def test_one_that_is_lost_while_it_is_idle_is_left_what_it_falls_back_to_and_no_more(street: Street) -> None:
    await street.car_comes("CP2")
    await street.car_goes("CP2")
    await street.car_comes("CP1")
    assert street.has() == [25, 0, 0]
    street.hub.disconnect("CP2", street.links["CP2"], "gone")
    await street.goes_on()
    assert (street.allowed()[0], street.has()) == (19, [19, 0, 0])
    await street.goes_on(3 * 3600)
    assert street.has() == [19, 6, 0]


async def test_after_its_first_car_one_is_shut_off_for_long_and_leaves_it_all_to_the_others(street: Street) -> None:
    await street.car_comes("CP1")
    await street.car_goes("CP1")
    assert street.station("CP1").memory.safe == Amps(6)
    assert street.station("CP1").reach(street.clock.now(), LONGEST) == Amps(0)


async def test_one_that_keeps_its_limit_for_good_leaves_the_others_what_they_fall_back_to(street: Street) -> None:
    for name in ("CP1", "CP2"):
        street.station(name).memory.untimed = True
    await street.car_comes("CP1")
    assert street.has() == [13, 0, 0]
    await street.car_comes("CP2")
    assert sum(street.has()) <= 25 - 6


@pytest.mark.parametrize(("safe", "overbooked"), [(8, False), (9, True)])
async def test_a_fuse_that_does_not_bear_what_all_fall_back_to_is_warned_of(
    caplog: pytest.LogCaptureFixture, safe: float, *, overbooked: bool
) -> None:
    street = a_street(safe=Amps(safe))
    running = asyncio.create_task(street.groups.run(street.hub.bus.mailbox("groups", only=WATCHED)))
    await street.settles()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    shown = street.groups.status()["house"]
    assert isinstance(shown, dict)
    assert (shown["overbooked"], "groups: house:" in caplog.text) == (overbooked, overbooked)
