"""Chargers that refuse a limit: what others allow is enforced, what they bear is only said not to be kept to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.arbitration import Arbitration, wishes
from ocpp_mqtt_proxy.arbitration.limits import rebind
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, StopCharging, done, refused
from ocpp_mqtt_proxy.core.events import LimitChanged
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import PresenceRule, Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.transactions import close_session
from ocpp_mqtt_proxy.steering import Steering
from tests.fakes import FakeClock, FakeLink, a_charger, a_hub, an_arbitration, providers

REFUSALS = (Reason.CHARGER_REJECTED, Reason.NOT_SUPPORTED)


@dataclass
class Garage:
    """A charger of which it is configured that it bears 16 A, charging a car."""

    arbitration: Arbitration
    station: Station
    link: FakeLink

    @property
    def steering(self) -> Steering:
        return self.arbitration.dispatcher.steering

    def limits(self) -> list[float]:
        return [order.limit for order in self.link.asked if isinstance(order, SetLimit)]

    def stops(self) -> list[StopCharging]:
        return [order for order in self.link.asked if isinstance(order, StopCharging)]

    async def goes_on(self, seconds: int) -> None:
        """Time goes by, and it is looked at what the charger has to be put."""
        clock = self.arbitration.hub.clock
        assert isinstance(clock, FakeClock)
        clock.pass_(seconds=seconds)
        await rebind(self.arbitration, self.station)


def a_garage(reason: Reason) -> Garage:
    """Its charger refuses every limit for that reason."""

    def stubborn(order: Order) -> Outcome:
        return refused(reason) if isinstance(order, SetLimit) else done()

    hub, link = a_hub(Plan(max_current=Amps(16), enforced=True)), FakeLink(answer=stubborn)
    station = a_charger(hub, link)
    session = Session("s", "CP1", 1, "7", hub.clock.now(), "CARD")
    station.book.add(session)
    station.connectors[1].open(session)
    terms = providers("x", presence=PresenceRule.ANY)
    return Garage(an_arbitration(hub, Rules(providers=terms)), station, link)


@pytest.fixture(params=REFUSALS)
def garage(request: pytest.FixtureRequest) -> Garage:
    return a_garage(request.param)


async def test_one_that_takes_nothing_goes_on_charging_though_it_is_not_told_what_it_bears(garage: Garage) -> None:
    for _ in range(10):
        await garage.goes_on(60)
    assert set(garage.limits()) <= {16, 6}
    assert garage.stops() == []


async def test_that_is_said_once(garage: Garage, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(10):
        await garage.goes_on(60)
    assert [record.message for record in caplog.records] == [
        "CP1: takes no limit: only its own settings can keep it to 16 A"
    ]


async def test_it_is_asked_ever_less_often(garage: Garage) -> None:
    asked = []
    for _ in range(30):
        before = len(garage.link.asked)
        await garage.goes_on(60)
        asked.append(len(garage.link.asked) > before)
    assert sum(asked[15:]) < sum(asked[:15])


async def test_one_that_passes_over_what_others_allow_is_stopped(garage: Garage) -> None:
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    assert 0 in garage.limits()
    assert {order.transaction_id for order in garage.stops()} == {"7"}


async def test_where_no_car_charges_it_is_not_said_to_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    garage = a_garage(Reason.CHARGER_REJECTED)
    garage.station.connectors[1].session = None
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    assert "refuses a lower limit" in caplog.text
    assert "stopped" not in caplog.text
    assert garage.stops() == []


async def test_so_it_is_where_others_came_later(garage: Garage) -> None:
    await garage.goes_on(1)
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    assert {order.transaction_id for order in garage.stops()} == {"7"}


@pytest.mark.parametrize("amps", [16, 20])
async def test_others_that_allow_as_much_as_it_bears_stop_nothing(garage: Garage, amps: float) -> None:
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(amps))
    assert (0 in garage.limits(), garage.stops()) == (False, [])


async def test_a_default_that_is_refused_stops_no_session_that_keeps_to_its_own() -> None:
    garage = a_garage(Reason.CHARGER_REJECTED)

    def answer(order: Order) -> Outcome:
        default = isinstance(order, SetLimit) and order.transaction_id is None
        return refused(Reason.CHARGER_REJECTED) if default else done()

    garage.link.answer = answer
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    assert garage.station.connectors[1].effective_limit == Amps(10)
    assert garage.stops() == []


async def test_a_transaction_that_ended_while_it_was_told_to_give_nothing_is_not_stopped() -> None:
    garage = a_garage(Reason.NOT_SUPPORTED)
    refuses, (session,) = garage.link.answer, garage.station.sessions()

    def answer(order: Order) -> Outcome:
        if isinstance(order, SetLimit) and not order.limit and session.running:
            garage.arbitration.hub.apply(
                garage.station, lambda hearing: close_session(hearing, garage.station.connectors[1])
            )
        return refuses(order)

    garage.link.answer = answer
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    assert 0 in garage.limits()
    assert (session.running, garage.stops()) == (False, [])


# After a boot


async def test_after_a_boot_what_it_may_have_lost_and_does_not_take_again_is_enforced() -> None:
    garage = a_garage(Reason.CHARGER_REJECTED)
    refuses, garage.link.answer = garage.link.answer, lambda _: done()
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    garage.link.asked.clear()
    garage.link.answer = refuses
    await garage.steering.restate(garage.station, booted=True)
    assert garage.limits()[:1] == [10]
    assert 0 in garage.limits()
    assert {order.transaction_id for order in garage.stops()} == {"7"}
    assert garage.station.connectors[1].effective_limit == Amps(16)


async def test_after_a_boot_in_which_it_lost_nothing_the_same_is_shown_all_the_time() -> None:
    garage = a_garage(Reason.CHARGER_REJECTED)
    garage.link.answer = lambda _: done()
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    changes = garage.arbitration.hub.bus.mailbox("changes", only=(LimitChanged,))
    await garage.steering.restate(garage.station, booted=True)
    assert garage.station.connectors[1].effective_limit == Amps(10)
    assert (changes.take_now(), garage.stops()) == ([], [])


async def test_what_is_given_up_holds_nothing_else_back() -> None:
    """Less than it may have kept of a transaction is allowed soon."""
    garage = a_garage(Reason.CHARGER_REJECTED)
    refuses, garage.link.answer = garage.link.answer, lambda _: done()
    await garage.goes_on(1)
    now = garage.arbitration.hub.clock.now()
    steps = ((now, Amps(16)), (now + timedelta(minutes=4), Amps(6)))
    garage.steering.reckon = lambda station: setattr(station, "ahead", {1: steps})
    garage.station.plan.enforced = False  # all that it may have lost allowed as much
    garage.link.asked.clear()

    def answer(order: Order) -> Outcome:
        return refuses(order) if isinstance(order, SetLimit) and order.transaction_id else done()

    garage.link.answer = answer
    await garage.steering.restate(garage.station, booted=True)
    orders = [order for order in garage.link.asked if isinstance(order, SetLimit)]
    own = [(order.form, order.seconds) for order in orders if order.transaction_id is not None]
    assert len(own) == len(set(own)) > 1  # it is tried once, in each form
    assert {order.base for order in orders if order.transaction_id is None} == {False, True}


# In time


@pytest.mark.parametrize("takes", [0.5, 1, 3])
async def test_one_that_thinks_long_about_every_form_is_told_to_give_nothing_in_time_and_then_stopped(
    takes: float,
) -> None:
    """Contract §8: 0 A within 10 s."""
    garage = a_garage(Reason.CHARGER_REJECTED)
    clock, asked = garage.arbitration.hub.clock, list[tuple[float, Order]]()
    assert isinstance(clock, FakeClock)
    refuses, began = garage.link.answer, clock.now()

    def slow(order: Order) -> Outcome:
        asked.append(((clock.now() - began).total_seconds(), order))
        clock.pass_(seconds=takes)
        return refuses(order)

    garage.link.answer = slow
    await wishes.set_limit(garage.arbitration, "x", "CP1", Amps(10))
    nothing = min(at for at, order in asked if isinstance(order, SetLimit) and not order.limit)
    stopped = min(at for at, order in asked if isinstance(order, StopCharging))
    assert nothing < 10
    assert nothing < stopped < 15
