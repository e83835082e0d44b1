"""What is done differently for a charger: by its quirks, and by what it is learned to refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.config import Charger, Config
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, done, refused
from ocpp_mqtt_proxy.core.forms import forms
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, ProfileForm, Purpose, SetLimit
from ocpp_mqtt_proxy.core.model import (
    CURRENT,
    ENERGY,
    POWER,
    SOC,
    VOLTAGE,
    Amps,
    Nameplate,
    Place,
    Status,
    Target,
    Version,
)
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import StatusReported
from ocpp_mqtt_proxy.core.settings import MEASURANDS, METER_INTERVAL, PING_INTERVAL, RATE_UNIT, STACK_LEVEL
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.steering import CALM
from ocpp_mqtt_proxy.household import plan_of
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.fakes import FakeClock, FakeLedger, FakeLink, a_charger, a_hub
from tests.ocppj.judge import assert_valid
from tests.test_commissioning import ALL, FINE, Settings, written
from tests.test_dispatch import Desk

ABB = Nameplate(vendor="ABB", firmware="V1.8.21")


def plan(*quirks: str, **given: Any) -> Plan:
    """What a configuration makes of quirks, as the program does."""
    return plan_of(Charger(id="CP1", quirks=list(quirks), **given), Config())


async def prepared(
    settings: Callable[[Order], Outcome], given: Plan | None = None, plate: Nameplate | None = None
) -> tuple[Station, list[Order]]:
    """A charger of a make, made ready, and what it was asked."""
    hub = a_hub(given or plan())
    link = FakeLink(Version.V16, settings)
    station = a_charger(hub, link)
    station.memory.nameplate = plate or Nameplate()
    await Commissioning(hub).prepare(station, link, booted=True)
    return station, link.asked


# Settings


async def test_a_charger_that_bears_few_measurands_is_left_with_these() -> None:
    settings = Settings(FINE | {MEASURANDS: f"{ALL},{SOC},Frequency"})
    _, asked = await prepared(settings.answer, plate=ABB)
    assert set(written(asked)[MEASURANDS].split(",")) == {ENERGY, POWER, CURRENT, VOLTAGE, "Current.Offered"}


async def test_measurands_that_hurt_are_taken_out_whoever_asked_for_them() -> None:
    elvi = Nameplate(vendor="EV-BOX", model="ELVI")
    _, asked = await prepared(Settings(FINE | {MEASURANDS: f"{ALL},{SOC}"}).answer, plate=elvi)
    assert written(asked)[MEASURANDS] == ALL


@pytest.mark.parametrize(
    "plate", [ABB, Nameplate(vendor="Wall Box Chargers"), Nameplate(vendor="EV-BOX", model="ELVI")]
)
async def test_a_charger_that_is_as_its_quirks_have_it_is_left_alone(plate: Nameplate) -> None:
    safe = ",".join(plan().traits_of(plate, ()).measurands or (ENERGY, POWER, CURRENT, VOLTAGE))
    _, asked = await prepared(Settings(FINE | {MEASURANDS: safe}).answer, plate=plate)
    assert written(asked) == {}


async def test_a_charger_that_must_ping_is_told_to_though_it_shows_no_such_setting() -> None:
    star = Nameplate(vendor="StarCharge")
    has = {name: value for name, value in FINE.items() if name != PING_INTERVAL}
    _, asked = await prepared(Settings(has).answer, plate=star)
    assert written(asked) == {PING_INTERVAL: "30"}


async def test_what_an_answer_leaves_out_is_asked_for_again() -> None:
    """It answers the first two keys of those it is asked for."""
    questions: list[tuple[str, ...]] = []

    def answer(order: Order) -> Outcome:
        if not isinstance(order, commands.GetConfiguration):
            return done()
        questions.append(order.names)
        told, left_out = order.names[:2], list(order.names[2:])
        return done(values={name: FINE[name] for name in told}, readonly=[told[0]], left_out=left_out)

    station, _ = await prepared(answer)
    assert [len(names) for names in questions] == [6, 4, 2]
    assert station.max_stack_level == 8


async def test_what_is_always_left_out_is_not_asked_for_for_ever() -> None:
    questions: list[tuple[str, ...]] = []

    def answer(order: Order) -> Outcome:
        if isinstance(order, commands.GetConfiguration):
            questions.append(order.names)
            found = {name: FINE[name] for name in order.names if name == RATE_UNIT}
            return done(values=found, left_out=[name for name in order.names if name != RATE_UNIT])
        return done()

    await prepared(answer)
    assert [len(names) for names in questions] == [6, 5]


@pytest.mark.parametrize(
    ("answer", "left_out"),
    [
        ({"configurationKey": [{"key": "meterValuesampleinterval", "value": 30}]}, [STACK_LEVEL]),
        ({"configurationKey": [], "unknownKey": ["MeterValueSampleInterval"]}, [STACK_LEVEL]),
        ({"unknownKey": ["METERVALUESAMPLEINTERVAL", "ChargeProfileMaxStackLevel"]}, []),
        ({}, [METER_INTERVAL, STACK_LEVEL]),
    ],
)
def test_what_an_answer_says_nothing_of_is_left_out(answer: dict[str, Any], left_out: list[str]) -> None:
    order = commands.GetConfiguration((METER_INTERVAL, STACK_LEVEL))
    outcome = DIALECTS[Version.V16].outcome(order, answer)
    assert sorted(outcome.result.get("left_out", [])) == sorted(left_out)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("value", "read"), [("true", "true"), (True, "true"), (False, "false"), (0, "0"), (40000, "40000"), (None, "")]
)
def test_a_setting_s_value_is_text_whatever_it_comes_as(value: object, read: str) -> None:
    order = commands.GetConfiguration(("SupportedFeatureProfiles",))
    answer = {"configurationKey": [{"key": "supportedfeatureprofiles", "readonly": True, "value": value}]}
    outcome = DIALECTS[Version.V16].outcome(order, answer)
    assert outcome.result["values"] == {"SupportedFeatureProfiles": read}


# What does not tell by itself


def refusing(
    message: commands.Message, reason: Reason = Reason.CHARGER_REJECTED, has: dict[str, str] | None = None
) -> Callable[[Order], Outcome]:
    """A charger that refuses to send a message, and has these settings."""

    def answer(order: Order) -> Outcome:
        if isinstance(order, commands.Trigger):
            return refused(reason) if order.message is message else done()
        return Settings(has or {}).answer(order)

    return answer


@pytest.mark.parametrize("reason", [Reason.CHARGER_REJECTED, Reason.NOT_SUPPORTED])
async def test_where_readings_are_refused_it_is_told_how_often_to_send_them(reason: Reason) -> None:
    _, asked = await prepared(refusing(commands.Message.METER, reason=reason))
    assert written(asked) == {METER_INTERVAL: "30"}


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (plan(), refusing(commands.Message.METER, reason=Reason.TIMEOUT)),
        (plan(), refusing(commands.Message.METER, has=FINE)),
        (plan(measurands="keep"), refusing(commands.Message.METER)),
    ],
)
async def test_it_is_not_where_that_is_known_unwanted_or_nobody_answers(
    given: Plan, answer: Callable[[Order], Outcome]
) -> None:
    _, asked = await prepared(answer, given)
    assert METER_INTERVAL not in written(asked)


async def test_a_charger_without_a_word_of_its_connectors_is_asked_for_the_first() -> None:
    hub = a_hub(plan())
    link = FakeLink(answer=Settings().answer)
    hub.connect("CP1", link, "127.0.0.1")
    await Commissioning(hub).prepare(hub.station("CP1"), link, booted=True)
    asked = [(o.message, o.at.connector) for o in link.asked if isinstance(o, commands.Trigger)]
    assert asked == [(commands.Message.STATUS, 0), (commands.Message.STATUS, 1), (commands.Message.METER, 1)]


async def test_a_connector_that_refuses_to_tell_is_as_the_charger_is_until_it_tells() -> None:
    desk = Desk()
    desk.hub.hear("CP1", StatusReported(Place(0, 0), Status.AVAILABLE))
    desk.link.answer = refusing(commands.Message.STATUS)
    await Commissioning(desk.hub).prepare(desk.station, desk.link, booted=True)
    states = [desk.station.connector(1).status]
    for place, status in ((Place(0, 0), Status.FAULTED), (Place(0, 0), Status.AVAILABLE), (Place(1, 1), Status.FINISHING), (Place(0, 0), Status.FAULTED)):  # fmt: skip
        desk.hub.hear("CP1", StatusReported(place, status))
        states.append(desk.station.connector(1).status)
    assert states == [Status.AVAILABLE, Status.FAULTED, Status.AVAILABLE, Status.FINISHING, Status.FINISHING]


async def test_of_several_connectors_none_is_taken_for_the_charger() -> None:
    desk = Desk()
    desk.second_connector()
    desk.station.connector(2).reported = Status.UNKNOWN
    desk.station.connector(2).settle()
    desk.hub.infer(desk.station, desk.station.connector(2))
    assert desk.station.connector(2).status is Status.UNKNOWN


# Limits that a charger takes only as another's


class Picky(Desk):
    """A desk whose charger takes profiles of some purposes only."""

    def __init__(self, *purposes: Purpose, version: Version = Version.V16, given: Plan | None = None) -> None:
        super().__init__(version, given)
        self.purposes = purposes
        self.link.answer = self._answer

    def _answer(self, order: Order) -> Outcome:
        wrong = isinstance(order, SetLimit) and order.purpose not in self.purposes
        return refused(Reason.CHARGER_REJECTED) if wrong else done(charger_status="Accepted")

    @property
    def taken(self) -> list[tuple[Purpose, int, float]]:
        """The limits that it took: purpose, connector, A. What is safe below is left out; put again it counts once."""
        took = [o for o in self.limits if o.purpose in self.purposes and not o.base]
        return [one for one, _ in groupby((o.purpose, o.at.connector, o.limit) for o in took)]

    async def over(self) -> None:
        """The transaction ends, and what is due then has been put to the charger."""
        await self.end()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))
        await self.look_again()

    async def look_again(self) -> None:
        """What is wanted by now is put to the charger, after calm."""
        assert isinstance(self.hub.clock, FakeClock)
        self.hub.clock.pass_(seconds=CALM.total_seconds())
        await self.dispatcher.steering.follow(self.station)


OWN, DEFAULT, WHOLE = Purpose


@pytest.mark.parametrize(
    ("purposes", "taken"),
    [
        ([OWN, DEFAULT, WHOLE], (OWN, 1, 0)),
        ([DEFAULT, WHOLE], (DEFAULT, 0, 0)),
        ([WHOLE], (WHOLE, 0, 0)),
    ],
)
async def test_a_charger_is_paused_by_the_narrowest_profile_that_it_takes(
    purposes: list[Purpose], taken: tuple[Purpose, int, float]
) -> None:
    desk = Picky(*purposes)
    await desk.begin()
    assert (await desk.ask(requests.Pause())).ok
    assert desk.taken == [taken]
    assert not desk.station.connector(1).charging


@pytest.mark.parametrize("purposes", [[DEFAULT], [WHOLE]])
async def test_what_is_learned_of_it_is_tried_first_the_next_time(purposes: list[Purpose]) -> None:
    desk = Picky(*purposes)
    await desk.begin()
    await desk.ask(requests.Pause())
    asked = len(desk.limits)
    await desk.ask(requests.Resume())
    assert {order.purpose for order in desk.limits[asked:]} == set(purposes)
    assert desk.station.memory.session_form is not None
    assert desk.station.memory.session_form.purpose is purposes[0]
    assert desk.station.connector(1).charging


async def test_a_ceiling_falls_back_on_the_whole_charger_s_limit() -> None:
    desk = Picky(WHOLE)
    assert (await desk.ask(requests.Limit(amps=10))).ok
    assert desk.taken == [(WHOLE, 0, 10)]
    assert desk.station.memory.form == ProfileForm(1, purpose=WHOLE)


async def test_a_pause_by_another_s_profile_does_not_outlast_its_session() -> None:
    desk = Picky(DEFAULT)
    await desk.ask(requests.Limit(amps=16))
    await desk.begin()
    await desk.ask(requests.Pause())
    await desk.over()
    assert desk.taken == [(DEFAULT, 0, 16), (DEFAULT, 0, 0), (DEFAULT, 0, 16)]
    assert desk.station.connector(1).effective_limit == Amps(16)


async def test_a_pause_of_its_own_needs_nothing_taken_back() -> None:
    desk = Picky(OWN, DEFAULT)
    await desk.begin()
    await desk.ask(requests.Pause())
    await desk.over()
    assert desk.taken == [(OWN, 1, 0), (DEFAULT, 0, 32)]
    assert not any(isinstance(order, ClearLimit) for order in desk.link.asked)


async def test_on_one_of_several_connectors_it_is_that_connector_s_default_and_goes_with_the_session() -> None:
    desk = Picky(DEFAULT, WHOLE)
    desk.second_connector()
    await desk.begin(2)
    await desk.ask(requests.Pause(connector=2))
    assert desk.taken == [(DEFAULT, 2, 0)]
    await desk.over()
    cleared = [order.at.connector for order in desk.link.asked if isinstance(order, ClearLimit)]
    assert desk.station.connector(2).effective_limit == Amps(32)
    assert (cleared, desk.station.memory.lowered) == ([2], set())


async def test_the_whole_charger_is_never_limited_for_one_of_several_connectors() -> None:
    desk = Picky(WHOLE)
    desk.second_connector()
    await desk.begin(2)
    assert (await desk.ask(requests.Pause(connector=2))).reason is Reason.CHARGER_REJECTED
    assert desk.taken == []


async def test_a_new_ceiling_does_not_overwrite_a_pause_in_its_place() -> None:
    desk = Picky(DEFAULT)
    await desk.begin()
    await desk.ask(requests.Pause())
    assert (await desk.ask(requests.Limit(amps=10))).ok
    assert desk.taken == [(DEFAULT, 0, 0)]
    assert desk.station.connector(1).effective_limit == Amps(0)
    await desk.over()
    assert desk.taken[-1] == (DEFAULT, 0, 10)


async def test_what_could_not_be_taken_back_is_when_the_charger_is_there_again() -> None:
    desk = Picky(DEFAULT)
    await desk.begin()
    await desk.ask(requests.Pause())
    desk.hub.disconnect("CP1", desk.link, "gone")
    await desk.over()
    assert desk.taken == [(DEFAULT, 0, 0)]
    desk.hub.connect("CP1", desk.link, "127.0.0.1")
    await desk.dispatcher.commissioning.prepare(desk.station, desk.link, booted=False)
    assert desk.taken == [(DEFAULT, 0, 0), (DEFAULT, 0, 32)]


async def test_nor_does_a_connector_s_own_default_where_the_charger_was_away_as_its_session_ended() -> None:
    desk = Picky(DEFAULT, WHOLE)
    desk.second_connector()
    await desk.begin(2)
    await desk.ask(requests.Pause(connector=2))
    desk.hub.disconnect("CP1", desk.link, "gone")
    await desk.over()
    assert desk.station.memory.lowered == {2}
    desk.hub.connect("CP1", desk.link, "127.0.0.1")
    await desk.dispatcher.commissioning.prepare(desk.station, desk.link, booted=False)
    cleared = [order.at.connector for order in desk.link.asked if isinstance(order, ClearLimit)]
    assert (cleared, desk.station.memory.lowered) == ([2], set())


async def test_what_is_learned_is_written_down() -> None:
    desk = Picky(DEFAULT)
    await desk.begin()
    await desk.ask(requests.Pause())
    assert isinstance(desk.hub.ledger, FakeLedger)
    assert desk.station.memory in desk.hub.ledger.noted


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("purpose", Purpose)
def test_a_limit_of_any_purpose_is_a_valid_call(version: Version, purpose: Purpose) -> None:
    desk = Desk(version)
    form = ProfileForm(purpose=purpose)
    order = SetLimit(Target(1, Place(1, 1)), Amps(8), desk.hub.clock.now(), form=form, transaction_id="7")
    asked = DIALECTS[version].put(order)
    assert asked is not None
    assert_valid(version, *asked)
    text = str(asked[1])
    assert ("'transactionId'" in text) is (purpose is OWN)
    assert ("MaxProfile" in text) is (purpose is WHOLE)


# Forms and habits


@pytest.mark.parametrize(
    ("plate", "first"),
    [
        (Nameplate(vendor="ABB"), ProfileForm(0)),
        (Nameplate(vendor="Wall Box Chargers"), ProfileForm(0, relative=True)),
        (Nameplate(vendor="Huawei"), ProfileForm(0, in_watts=True)),
        (Nameplate(), ProfileForm(7)),
    ],
)
def test_the_form_that_a_charger_is_known_to_need_is_tried_first(plate: Nameplate, first: ProfileForm) -> None:
    desk = Desk(plan=plan())
    desk.station.memory.nameplate = plate
    desk.station.max_stack_level = 8
    assert forms(desk.station)[0] == first
    assert len(forms(desk.station)) > 2


@pytest.mark.parametrize(("switch", "times"), [("forgets_first_limit", 2), ("no_forgets_first_limit", 1)])
async def test_a_limit_that_ends_a_pause_is_sent_as_often_as_it_takes(switch: str, times: int) -> None:
    desk = Desk(plan=plan(switch))
    await desk.begin()
    await desk.ask(requests.Pause())
    desk.link.asked.clear()
    assert (await desk.ask(requests.Resume())).ok
    assert [order.limit for order in desk.limits] == [Amps(32)] * times


@pytest.mark.parametrize(("quirks", "asked"), [([], commands.StopCharging), (["stop_is_final"], SetLimit)])
async def test_switching_off_is_a_pause_where_a_stop_is_final(quirks: list[str], asked: type[Order]) -> None:
    desk = Desk(plan=plan(*quirks))
    await desk.begin()
    desk.link.asked.clear()
    assert (await desk.dispatcher.set_charging("CP1", 1, on=False)).ok
    assert {type(order) for order in desk.link.asked} == {asked}
    assert not quirks or (await desk.dispatcher.set_charging("CP1", 1, on=True)).ok
