"""After a boot: what is read of a charger, and the little that is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import CURRENT, ENERGY, POWER, VOLTAGE, Amps, Status, Variable, Version, WattHours
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.settings import (
    MEASURANDS,
    METER_INTERVAL,
    MOST_PERIODS,
    PING_INTERVAL,
    RATE_UNIT,
    STACK_LEVEL,
)
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import CHARGING, SHOWN
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.fakes import NOON, FakeLink, a_charger, a_hub

ALL = f"{ENERGY},{POWER},{CURRENT},{VOLTAGE}"
FINE = {
    METER_INTERVAL: "30",
    MEASURANDS: ALL,
    PING_INTERVAL: "60",
    RATE_UNIT: "Current",
    STACK_LEVEL: "8",
    MOST_PERIODS: "6",
}


@dataclass
class Settings:
    """A charger's settings: what it has, and what it makes of a change."""

    has: dict[str, str] = field(default_factory=lambda: dict(FINE))
    takes: Callable[[str, str], bool] = lambda _, __: True

    def answer(self, order: Order) -> Outcome:
        match order:
            case commands.GetConfiguration(names):
                return done(values={name: self.has[name] for name in names if name in self.has})
            case commands.SetConfiguration(((name, value),)):
                return done(set={name: "accepted"}) if self.takes(name, value) else refused(Reason.CHARGER_REJECTED)
        return done()


async def prepared(
    settings: Settings, plan: Plan | None = None, version: Version = Version.V16, *, booted: bool = True
) -> tuple[Station, list[Order]]:
    """A charger made ready, and what it was asked."""
    hub = a_hub(plan)
    link = FakeLink(version, settings.answer)
    station = a_charger(hub, link)
    await Commissioning(hub).prepare(station, link, booted=booted)
    return station, link.asked


def written(asked: list[Order]) -> dict[str, str]:
    return {
        name: value for order in asked if isinstance(order, commands.SetConfiguration) for name, value in order.values
    }


def tried(asked: list[Order], name: str) -> list[str]:
    return [
        order.values[0][1]
        for order in asked
        if isinstance(order, commands.SetConfiguration) and order.values[0][0] == name
    ]


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_charger_that_is_as_it_should_be_is_left_alone(version: Version) -> None:
    _, asked = await prepared(Settings(), version=version)
    assert written(asked) == {}


async def test_one_question_asks_for_all_settings() -> None:
    _, asked = await prepared(Settings())
    assert [type(order) for order in asked].count(commands.GetConfiguration) == 1
    assert isinstance(asked[0], commands.GetConfiguration)


async def test_a_charger_that_answers_something_else_is_not_asked_for_ever() -> None:
    def other(order: Order) -> Outcome:
        if isinstance(order, commands.GetConfiguration):
            return done(values={"NumberOfConnectors": "1"}, left_out=list(order.names))
        return done()

    hub = a_hub()
    link = FakeLink(Version.V16, other)
    await Commissioning(hub).prepare(a_charger(hub, link), link, booted=True)
    assert [type(order) for order in link.asked].count(commands.GetConfiguration) == 2


@pytest.mark.parametrize(
    ("interval", "set_to"), [("0", "30"), ("300", "30"), ("30", None), ("10", None), ("soon", None)]
)
async def test_readings_come_often_enough(interval: str, set_to: str | None) -> None:
    _, asked = await prepared(Settings(FINE | {METER_INTERVAL: interval}))
    assert written(asked).get(METER_INTERVAL) == set_to


@pytest.mark.parametrize(("interval", "set_to"), [("0", "30"), ("3600", "30"), ("120", None), ("30", None)])
async def test_a_charger_that_hardly_pings_is_told_to(interval: str, set_to: str | None) -> None:
    _, asked = await prepared(Settings(FINE | {PING_INTERVAL: interval}))
    assert written(asked).get(PING_INTERVAL) == set_to


async def test_pings_are_not_touched_where_we_send_none() -> None:
    _, asked = await prepared(Settings(FINE | {PING_INTERVAL: "0"}), Plan(ping_interval=0))
    assert PING_INTERVAL not in written(asked)


async def test_measurands_are_added_to_what_is_there() -> None:
    _, asked = await prepared(Settings(FINE | {MEASURANDS: f"SoC,{ENERGY}"}))
    assert written(asked)[MEASURANDS] == f"SoC,{ENERGY},{POWER},{CURRENT},{VOLTAGE}"


async def test_ever_fewer_measurands_are_tried_until_the_charger_takes_them() -> None:
    only_two = Settings(FINE | {MEASURANDS: "SoC"}, lambda _, value: value.count(",") < 2)
    _, asked = await prepared(only_two)
    assert tried(asked, MEASURANDS)[-1] == f"{ENERGY},{POWER}"


async def test_the_measurands_a_charger_has_are_never_made_fewer() -> None:
    """It has what we want first, and takes no more."""
    stubborn = Settings(FINE | {MEASURANDS: f"{ENERGY},{POWER}"}, lambda _, __: False)
    _, asked = await prepared(stubborn)
    assert tried(asked, MEASURANDS) == [ALL, f"{ENERGY},{POWER},{CURRENT}"]


@pytest.mark.parametrize("reason", [Reason.NOT_SUPPORTED, Reason.TIMEOUT, Reason.CHARGER_OFFLINE])
async def test_a_charger_that_cannot_be_told_measurands_is_not_pestered(reason: Reason) -> None:
    settings = Settings(FINE | {MEASURANDS: "SoC"})
    hub = a_hub()
    link = FakeLink(
        answer=lambda o: refused(reason) if isinstance(o, commands.SetConfiguration) else settings.answer(o)
    )
    await Commissioning(hub).prepare(a_charger(hub, link), link, booted=True)
    assert len(tried(link.asked, MEASURANDS)) == 1


async def test_what_the_charger_says_is_read_only_is_not_written() -> None:
    useless = FINE | {METER_INTERVAL: "0", MEASURANDS: "", PING_INTERVAL: "0"}
    hub = a_hub()
    link = FakeLink(answer=lambda _: done(values=useless, readonly=list(useless)))
    await Commissioning(hub).prepare(a_charger(hub, link), link, booted=True)
    assert written(link.asked) == {}


async def test_measurands_of_the_configuration_are_set_as_they_are() -> None:
    _, asked = await prepared(Settings(FINE | {MEASURANDS: ""}), Plan(measurands=(ENERGY,)))
    assert written(asked)[MEASURANDS] == ENERGY


async def test_hands_off_means_metering_is_left_alone() -> None:
    nothing = {METER_INTERVAL: "0", MEASURANDS: ""}
    _, asked = await prepared(Settings(FINE | nothing), Plan(measurands=None))
    assert not {METER_INTERVAL, MEASURANDS} & written(asked).keys()


async def test_a_setting_the_charger_does_not_have_is_not_written() -> None:
    _, asked = await prepared(Settings({}))
    assert written(asked) == {}


async def test_a_charger_that_answers_nothing_is_asked_no_more_than_needed() -> None:
    hub = a_hub()
    link = FakeLink(answer=lambda _: failed(Reason.TIMEOUT))
    station = a_charger(hub, link)
    await Commissioning(hub).prepare(station, link, booted=True)
    assert written(link.asked) == {}
    assert station.takes_amps
    assert station.max_stack_level is None


@pytest.mark.parametrize(
    ("units", "amps", "watts"),
    [
        ("Current", True, False),
        ("Current,Power", True, True),
        ("A,W", True, True),
        ("W", False, True),
        ("Power", False, True),
        ("", True, True),
    ],
)
async def test_the_unit_of_profiles_is_learned(units: str, amps: bool, watts: bool) -> None:
    station, _ = await prepared(Settings(FINE | {RATE_UNIT: units}))
    assert (station.takes_amps, station.takes_watts) == (amps, watts)


@pytest.mark.parametrize(("level", "most"), [("8", 8), ("0", 0), ("999", None), ("", None), ("many", None)])
async def test_the_highest_stack_level_is_learned_unless_it_is_a_fantasy(level: str, most: int | None) -> None:
    station, _ = await prepared(Settings(FINE | {STACK_LEVEL: level}))
    assert station.max_stack_level == most


@pytest.mark.parametrize(("periods", "most"), [("6", 6), ("1", 1), ("", None), ("many", None)])
async def test_how_many_periods_a_profile_may_have_is_learned(periods: str, most: int | None) -> None:
    station, _ = await prepared(Settings(FINE | {MOST_PERIODS: periods}))
    assert station.max_periods == most


async def test_a_device_model_is_read_once_per_firmware() -> None:
    hub = a_hub()
    link = FakeLink(Version.V201, Settings().answer)
    station = a_charger(hub, link)
    station.memory.inventory_of = station.memory.nameplate.firmware
    for known in (True, False):
        link.asked.clear()
        station.memory.inventory = {} if not known else {"x": Variable("x", "1")}
        await Commissioning(hub).prepare(station, link, booted=True)
        assert any(isinstance(order, commands.GetInventory) for order in link.asked) is not known


@pytest.mark.parametrize(("level", "taken", "then"), [("8", 1, 7), ("8", 0, 0), ("1", 1, 1), ("1000", 1, 1)])
async def test_what_was_put_before_the_stack_levels_were_known_goes_up_with_them(
    level: str, taken: int, then: int
) -> None:
    hub = a_hub()
    station = a_charger(hub, link := FakeLink(answer=Settings(FINE | {STACK_LEVEL: level}).answer))
    station.memory.form = station.memory.session_form = ProfileForm(taken)
    await Commissioning(hub).prepare(station, link, booted=True)
    assert (station.memory.form, station.memory.session_form) == (ProfileForm(then), ProfileForm(then))


@pytest.mark.parametrize(("booted", "again"), [(True, True), (False, False)])
async def test_the_owner_s_ceiling_is_put_again_after_a_boot(booted: bool, again: bool) -> None:
    hub = a_hub()
    link = FakeLink(answer=Settings().answer)
    station = a_charger(hub, link)
    has_a_ceiling(station, Amps(10))
    await Commissioning(hub).prepare(station, link, booted=booted)
    limits = {order.base: order.limit for order in link.asked if isinstance(order, SetLimit)}
    assert limits == ({True: Amps(6), False: Amps(10)} if again else {})


def has_a_ceiling(station: Station, amps: Amps) -> None:
    """The charger has confirmed it, with what is safe below it."""
    memory = station.memory
    memory.limit, memory.form, memory.safe = amps, ProfileForm(1), Amps(6)
    memory.installed = Held(((NOON, amps),), NOON + SHOWN)


def paused(station: Station, *, limit: Amps | None = None) -> Session:
    """A session on connector 1 that is paused, or has a limit of its own."""
    session = Session("s1", "CP1", 1, "7", NOON, paused=limit is None, limit=limit)
    station.book.add(session)
    station.connector(1).open(session)
    return session


@pytest.mark.parametrize(
    ("ceiling", "limit", "own"), [(Amps(10), None, 0), (Amps(10), Amps(16), 10), (Amps(32), Amps(16), 16)]
)
async def test_what_a_session_has_of_its_own_is_put_again_after_a_boot_below_the_ceiling(
    ceiling: Amps, limit: Amps | None, own: float
) -> None:
    hub = a_hub()
    link = FakeLink(answer=Settings().answer)
    station = a_charger(hub, link)
    has_a_ceiling(station, ceiling)
    paused(station, limit=limit).held = Held(((NOON, Amps(own)),), NOON + CHARGING)
    await Commissioning(hub).prepare(station, link, booted=True)
    limits = {(o.transaction_id, o.base): o.limit for o in link.asked if isinstance(o, SetLimit)}
    assert limits == {("7", False): Amps(own), (None, True): Amps(6), (None, False): ceiling}
    assert station.connector(1).effective_limit == Amps(own)


@pytest.mark.parametrize("booted", [True, False])
async def test_a_session_s_profile_is_put_again_after_a_reconnect_too(booted: bool) -> None:
    """What was put while the link broke may be lost."""
    hub = a_hub()
    link = FakeLink(answer=Settings().answer)
    station = a_charger(hub, link)
    has_a_ceiling(station, Amps(10))
    paused(station).held = Held(((NOON, Amps(0)),), NOON + CHARGING)
    await Commissioning(hub).prepare(station, link, booted=booted)
    assert [o.limit for o in link.asked if isinstance(o, SetLimit) and o.transaction_id == "7"] == [Amps(0)]


async def test_a_limit_that_the_charger_does_not_take_again_is_no_fact() -> None:
    hub = a_hub()
    link = FakeLink(answer=lambda _: refused(Reason.CHARGER_REJECTED))
    station = a_charger(hub, link)
    session = paused(station)
    station.memory.limit = Amps(10)
    await Commissioning(hub).prepare(station, link, booted=True)
    assert station.connector(1).effective_limit is None
    assert session.paused


async def test_states_and_registers_not_told_by_itself_are_asked_for() -> None:
    hub = a_hub()
    link = FakeLink(answer=Settings().answer)
    station = a_charger(hub, link)
    await Commissioning(hub).prepare(station, link, booted=True)
    asked = [(o.message, o.at.connector) for o in link.asked if isinstance(o, commands.Trigger)]
    assert asked == [(commands.Message.STATUS, 1), (commands.Message.METER, 1)]


async def test_what_is_known_is_not_asked_for() -> None:
    hub = a_hub()
    link = FakeLink(answer=Settings().answer)
    station = a_charger(hub, link)
    connector = station.connector(1)
    connector.report(Status.AVAILABLE, hub.clock.now())
    connector.register.read(WattHours(1), hub.clock.now())
    await Commissioning(hub).prepare(station, link, booted=True)
    assert commands.Message.STATUS not in [o.message for o in link.asked if isinstance(o, commands.Trigger)]


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_refresh_asks_for_everything_again(version: Version) -> None:
    hub = a_hub()
    link = FakeLink(version, Settings().answer)
    station = a_charger(hub, link)
    station.connector(1).report(Status.AVAILABLE, hub.clock.now())
    await Commissioning(hub).refresh(station, link)
    messages = {o.message for o in link.asked if isinstance(o, commands.Trigger)}
    assert {commands.Message.STATUS, commands.Message.METER} <= messages
    assert any(isinstance(o, commands.GetInventory) for o in link.asked) is (version is not Version.V16)
