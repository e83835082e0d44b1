"""The owner's word on a charger that refuses, keeps silent, or is busy: who goes first, and what is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.core.commands import WITHDRAWN, Order, Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.limit_orders import Purpose, SetLimit
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Provided, Station
from tests.busy import BusyLink
from tests.fakes import FakeClock
from tests.test_dispatch import Desk


class Two(Desk):
    """A charger with two connectors, and a session on each: they share what the owner allows."""

    async def charging(self) -> tuple[Session, Session]:
        self.second_connector()
        await self.begin(1)
        await self.begin(2)
        first, second = self.station.sessions()
        return first, second

    def busy(self) -> BusyLink:
        """From now on the charger is busy."""
        link = BusyLink(answer=self.link.answer)
        self.link = self.hub.links["CP1"] = link
        return link

    def effective(self) -> list[float | None]:
        return [connector.effective_limit for connector in self.station.ordered()]

    def refuses(self, session: Session, reason: Reason = Reason.CHARGER_REJECTED) -> None:
        """The charger takes no profile for a session."""

        def answer(order: Order) -> Outcome:
            is_its = isinstance(order, SetLimit) and order.transaction_id == session.transaction_id
            return refused(reason) if is_its else done(charger_status="Accepted")

        self.link.answer = answer

    def asking(self, request: requests.Request) -> asyncio.Task[Outcome]:
        return asyncio.create_task(self.ask(request))

    def put(self) -> list[tuple[int, float]]:
        """What was put for sessions: connector, A."""
        return [(order.at.connector, order.limit) for order in self.limits if order.transaction_id is not None]

    def pass_(self, **time: float) -> None:
        assert isinstance(self.hub.clock, FakeClock)
        self.hub.clock.pass_(**time)


@pytest.fixture
def desk() -> Two:
    return Two()


# What is taken back


@pytest.mark.parametrize("reason", [Reason.CHARGER_REJECTED, Reason.NOT_SUPPORTED])
async def test_a_ceiling_that_one_of_two_sessions_refuses_goes_back_to_what_it_was(desk: Two, reason: Reason) -> None:
    first, second = await desk.charging()
    await desk.ask(requests.Limit(amps=24))
    desk.link.asked.clear()
    desk.refuses(second, reason)
    assert (await desk.ask(requests.Limit(amps=16))).reason is reason
    assert desk.put()[0] == (1, 8)
    assert desk.put()[-1] == (1, 12)
    assert desk.effective() == [12, 12]
    assert (desk.station.limit, desk.station.wish) == (Amps(24), None)
    assert first.running
    assert second.running


async def test_a_pause_that_is_refused_leaves_the_other_session_alone(desk: Two) -> None:
    _, second = await desk.charging()
    await desk.ask(requests.Limit(amps=24))
    desk.refuses(second)
    desk.link.asked.clear()
    assert (await desk.ask(requests.Pause(connector=2))).reason is Reason.CHARGER_REJECTED
    assert {connector for connector, _ in desk.put()} == {2}
    assert desk.effective() == [12, 12]
    assert (second.paused, desk.station.pausing) == (False, {})


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.CHARGER_OFFLINE])
async def test_what_was_not_answered_is_put_as_it_was_before_once_the_charger_has_had_some_time(
    desk: Two, reason: Reason
) -> None:
    """It may have taken it all the same."""
    await desk.charging()
    await desk.ask(requests.Limit(amps=24))
    desk.link.asked.clear()
    desk.link.answer = lambda _: failed(reason)
    assert (await desk.ask(requests.Limit(amps=16))).reason is reason
    assert desk.put() == [(1, 8)]
    desk.link.answer = lambda _: done(charger_status="Accepted")
    desk.link.asked.clear()
    desk.pass_(seconds=10)
    await desk.dispatcher.steering.follow(desk.station)
    assert desk.put() == [(1, 12)]
    assert desk.station.memory.asked == {}


async def test_a_charger_that_left_is_put_nothing_and_its_ceiling_stays(desk: Two) -> None:
    await desk.charging()
    desk.hub.disconnect("CP1", desk.link, "gone")
    assert (await desk.ask(requests.Limit(amps=10))).reason is Reason.CHARGER_OFFLINE
    assert (desk.station.limit, desk.station.wish, desk.limits) == (Amps(32), None, [])


async def test_a_pause_that_comes_too_late_is_of_nothing(desk: Two) -> None:
    await desk.charging()
    link = desk.busy()
    pausing = desk.asking(requests.Pause(connector=1))
    await link.waited_for()
    await desk.hub.close_session(desk.station, desk.station.connector(1))
    link.free.set()
    outcome = await pausing
    assert (outcome.reason, outcome.message) == (Reason.INVALID, "the transaction is over")
    assert (1, 0) not in desk.put()


async def test_what_the_charger_falls_back_to_is_not_paused_with_the_session_that_it_stands_for(desk: Desk) -> None:
    def answer(order: Order) -> Outcome:
        own = isinstance(order, SetLimit) and order.purpose is Purpose.TRANSACTION
        return refused(Reason.CHARGER_REJECTED) if own else done(charger_status="Accepted")

    desk.link.answer = answer
    await desk.begin(1)
    await desk.ask(requests.Limit(amps=16))
    await desk.ask(requests.Pause())
    desk.link.asked.clear()
    await desk.dispatcher.steering.restate(desk.station, booted=True)
    assert [float(order.limit) for order in desk.limits if order.base] == [6]
    assert {float(order.limit) for order in desk.limits if not order.base} == {0}
    assert desk.station.memory.safe == Amps(6)


# Who goes first


async def limited(desk: Two, amps: float) -> BusyLink:
    """Two sessions under a ceiling, and the charger is busy from now on."""
    await desk.charging()
    await desk.ask(requests.Limit(amps=amps))
    return desk.busy()


async def test_a_lower_ceiling_overtakes_a_higher_one_that_has_not_gone_yet(desk: Two) -> None:
    link = await limited(desk, 20)
    higher = desk.asking(requests.Limit(amps=28))
    await link.waited_for()
    lower = desk.asking(requests.Limit(amps=16))
    await asyncio.sleep(0)
    link.free.set()
    assert await higher == WITHDRAWN
    assert (await lower).ok
    assert desk.put() == [(1, 8), (2, 8)]
    assert desk.station.limit == Amps(16)


async def test_a_pause_goes_before_a_higher_ceiling_that_has_not_gone_yet_and_that_follows(desk: Two) -> None:
    link = await limited(desk, 20)
    higher = desk.asking(requests.Limit(amps=28))
    await link.waited_for()
    pausing = desk.asking(requests.Pause(connector=2))
    await asyncio.sleep(0)
    link.free.set()
    assert (await pausing).ok
    assert (await higher).ok
    assert desk.put() == [(2, 0), (1, 28)]
    assert desk.effective() == [28, 0]


def allows(desk: Two, amps: dict[int, float]) -> None:
    """What others allow each connector from now on."""

    def reckon(station: Station) -> None:
        station.provided = Provided(Amps(min(amps.values())), "fleet")
        station.ahead = {number: ((desk.hub.clock.now(), Amps(limit)),) for number, limit in amps.items()}

    desk.dispatcher.steering.reckon = reckon


async def raising(desk: Two) -> tuple[BusyLink, asyncio.Task[Outcome]]:
    """Others allowed the first session 10 A, and allow it 20 A now; the charger is busy."""
    await desk.charging()
    allows(desk, {1: 10, 2: 32})
    await desk.dispatcher.steering.follow(desk.station)
    link = desk.busy()
    allows(desk, {1: 20, 2: 32})
    following = asyncio.create_task(desk.dispatcher.steering.follow(desk.station, eager=True))
    await link.waited_for()
    return link, following


async def put_after(desk: Two, allowed: dict[int, float]) -> list[tuple[int, float]]:
    """What is put where others allow something else while that raise waits for its turn."""
    link, following = await raising(desk)
    allows(desk, allowed)
    link.free.set()
    assert (await following).ok
    return desk.put()


async def test_the_owner_s_lower_ceiling_goes_before_what_others_allow_and_that_follows(desk: Two) -> None:
    link, following = await raising(desk)
    lower = desk.asking(requests.Limit(amps=16))
    await asyncio.sleep(0)
    link.free.set()
    assert (await following).ok
    assert (await lower).ok
    assert desk.put() == [(1, 8), (2, 8)]


async def test_what_a_provider_tries_goes_before_what_may_go_up(desk: Two) -> None:
    link, following = await raising(desk)

    def mean() -> Callable[[], None]:
        allows(desk, {1: 20, 2: 8})
        return lambda: allows(desk, {1: 20, 2: 32})

    trying = asyncio.create_task(desk.dispatcher.steering.attempt(desk.station, mean))
    await asyncio.sleep(0)
    link.free.set()
    assert (await following).ok
    assert (await trying).ok
    assert desk.put() == [(2, 8)]
    desk.pass_(seconds=10)
    await desk.dispatcher.steering.follow(desk.station)
    assert desk.put() == [(2, 8), (1, 20)]


async def test_what_is_to_go_down_elsewhere_goes_before_what_may_go_up(desk: Two) -> None:
    assert await put_after(desk, {1: 20, 2: 8}) == [(2, 8), (1, 20)]


async def test_what_is_not_allowed_any_more_by_the_time_of_its_turn_is_not_put(desk: Two) -> None:
    assert await put_after(desk, {1: 10, 2: 32}) == []


async def test_a_higher_ceiling_is_kept_though_another_session_is_paused_again_and_again(desk: Two) -> None:
    link = await limited(desk, 20)
    asked: list[requests.Request] = [requests.Limit(amps=28), requests.Pause(connector=2), requests.Pause(connector=1)]
    asking = [desk.asking(request) for request in asked]
    await link.waited_for()
    link.free.set()
    assert all(outcome.ok for outcome in await asyncio.gather(*asking))
    assert desk.effective() == [0, 0]
    assert desk.station.limit == Amps(28)
