"""A charger that ignores its limits: its group makes room for what it takes, and it is said to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.audit import LIMIT, Cause, Decided
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, TellSchedule, done, refused
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import CURRENT, Amps, Reading, Sample
from ocpp_mqtt_proxy.core.reports import MeterReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import PresenceRule, Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.steering.verifying import PATIENCE, WATCHED, Verifying
from tests.fakes import FakeClock, FakeLedger, FakeLink, a_charger, a_hub, an_arbitration, providers
from tests.test_groups_at_work import Street, a_street

LOOKS = 12


def read(hub: Hub, charger: str, amps: float) -> None:
    """A charger reads what flows."""
    readings = (Reading(CURRENT, amps, "A"),)
    place = hub.stations[charger].connectors[1].place
    hub.hear(charger, MeterReported(place, (Sample(hub.clock.now(), readings),)))


def explained(hub: Hub) -> list[str]:
    assert isinstance(hub.ledger, FakeLedger)
    return [one.reason for one in hub.ledger.noted if isinstance(one, Decided) and one.subject == LIMIT]


# In a group


async def draws(street: Street, name: str, amps: float) -> None:
    """Each charger reads what flows: one of them so much, the others what they may."""
    for _ in range(LOOKS):
        await street.goes_on(10)
        for one in ("CP1", "CP2"):
            limit = street.station(one).connectors[1].effective_limit or 0.0
            read(street.hub, one, amps if one == name else limit)
    await street.goes_on(10)


async def test_a_group_makes_room_for_one_that_takes_more_than_it_may() -> None:
    street = a_street()
    await street.goes_on()
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    for _ in range(LOOKS):
        await street.goes_on(10)
    assert street.has()[:2] == pytest.approx([12.5, 12.5], abs=0.2)
    await draws(street, "CP1", 17)
    assert street.has()[:2] == pytest.approx([17, 8], abs=0.2)
    assert street.station("CP1").ignores is not None


async def test_what_it_took_is_shared_again_once_it_obeys() -> None:
    street = a_street()
    await street.goes_on()
    for name in ("CP1", "CP2"):
        await street.car_comes(name)
    await draws(street, "CP1", 17)
    await draws(street, "CP1", 6)
    assert street.station("CP1").ignores is None
    assert sum(street.has()) == pytest.approx(25, abs=0.5)


# Asked for its schedule


class Garage:
    """A car charges at a charger that tells nothing of what it offers, with a limit of 10 A."""

    def __init__(self, answer: Outcome) -> None:
        self.hub = a_hub()
        self.link = FakeLink(answer=lambda order: answer if isinstance(order, TellSchedule) else done())
        self.station: Station = a_charger(self.hub, self.link)
        self.connector: Connector = self.station.connectors[1]
        self.steering = an_arbitration(self.hub).dispatcher.steering
        self.verifying = Verifying(self.hub, self.hub.bus.mailbox("verifying", only=WATCHED))
        session = Session("s", "CP1", 1, "7", self.hub.clock.now(), "CARD")
        self.station.book.add(session)
        self.connector.open(session)

    async def limit(self, amps: float) -> None:
        assert (await self.steering.limit(self.station, Amps(amps))).ok

    async def looks(self, seconds: float = PATIENCE.total_seconds()) -> None:
        """Time goes by, and whom there is to ask is asked."""
        assert isinstance(self.hub.clock, FakeClock)
        self.hub.clock.pass_(seconds=seconds)
        self.verifying.look()
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def asked(self) -> list[TellSchedule]:
        return [order for order in self.link.asked if isinstance(order, TellSchedule)]


def allows(limit: float, *, in_watts: bool = False, **more: int) -> Outcome:
    return done(periods=[(0, limit), (30, 99.0)], in_watts=in_watts, **more)  # type: ignore[arg-type] # phases


@pytest.mark.parametrize(
    ("told", "verified"),
    [
        (allows(10), True),
        (allows(6900, in_watts=True), True),
        (allows(2300, in_watts=True, phases=1), True),
        (allows(6900, in_watts=True, phases=1), None),
        (allows(32), None),
        (done(), None),
        (refused(Reason.CHARGER_REJECTED), None),
    ],
)
async def test_a_limit_is_verified_by_the_charger_s_own_schedule(told: Outcome, verified: bool | None) -> None:
    garage = Garage(told)
    await garage.limit(10)
    await garage.looks()
    assert garage.connector.limit_verified is verified
    assert len(garage.asked) == 1


async def test_it_is_asked_once_and_not_before_readings_could_tell() -> None:
    garage = Garage(allows(32))
    await garage.limit(10)
    await garage.looks(seconds=5)
    assert garage.asked == []
    for _ in range(3):
        await garage.looks()
    assert len(garage.asked) == 1


async def test_one_that_tells_what_it_offers_is_not_asked() -> None:
    garage = Garage(allows(10))
    garage.station.memory.measurands = {"current_offered"}
    await garage.limit(10)
    await garage.looks()
    assert garage.asked == []


async def test_a_raise_is_no_reason_to_ask() -> None:
    garage = Garage(allows(10))
    await garage.limit(10)
    await garage.looks()
    await garage.limit(16)
    await garage.looks()
    assert len(garage.asked) == 1


@pytest.mark.parametrize("reason", [Reason.NOT_SUPPORTED, Reason.CHARGER_REJECTED, Reason.TIMEOUT])
async def test_one_that_does_not_tell_is_never_asked_again(reason: Reason) -> None:
    garage = Garage(refused(reason))
    for amps in (16, 10, 8):
        await garage.limit(amps)
        await garage.looks()
    assert len(garage.asked) == 1


async def test_one_that_was_away_is_asked_again() -> None:
    garage = Garage(refused(Reason.CHARGER_OFFLINE))
    for amps in (16, 10):
        await garage.limit(amps)
        await garage.looks()
    assert len(garage.asked) == 2


# Said


@contextmanager
def at_work(verifying: Verifying) -> Iterator[None]:
    room = asyncio.create_task(verifying.run())
    try:
        yield
    finally:
        room.cancel()


async def test_one_that_ignores_its_limit_is_said_to_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    garage = Garage(allows(10))
    await garage.limit(10)
    with at_work(garage.verifying):
        for _ in range(6):
            await garage.looks(seconds=15)
            read(garage.hub, "CP1", 32)
        await garage.looks(seconds=0)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["CP1: ignores limits: it confirmed 10 A for connector 1 and gives 32.0 A"]


@pytest.mark.parametrize(("pauses", "cause"), [(True, Cause.REFUSED), (False, Cause.STOPPED)])
async def test_what_becomes_of_a_limit_that_is_refused_is_explained(pauses: bool, cause: Cause) -> None:
    garage = Garage(done())
    arbitration = an_arbitration(garage.hub, Rules(providers=providers("night", presence=PresenceRule.ANY)))

    def answer(order: Order) -> Outcome:
        refuses = isinstance(order, SetLimit) and (order.limit > 0 or not pauses)
        return refused(Reason.CHARGER_REJECTED) if refuses else done()

    garage.link.answer = answer
    await wishes.set_limit(arbitration, "night", "CP1", Amps(10))
    assert cause in explained(garage.hub)
