"""What becomes of a request: the orders it turns into, and what is told of their answers."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, Result, done, failed, refused
from ocpp_mqtt_proxy.core.forms import forms
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, SetLimit
from ocpp_mqtt_proxy.core.model import (
    ENERGY,
    Amps,
    IdToken,
    Place,
    Reading,
    Sample,
    Status,
    Variable,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import MeterReported, Phase, StatusReported, TransactionReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.dispatch import Dispatcher
from ocpp_mqtt_proxy.hub import Delayed, Hub
from tests.fakes import FakeLedger, FakeLink, a_charger, a_hub


class Desk:
    """A dispatcher on fakes, with a charger CP1 that has one connector."""

    def __init__(self, version: Version = Version.V16, plan: Plan | None = None) -> None:
        self.hub: Hub = a_hub(plan)
        self.link = FakeLink(version)
        self.station: Station = a_charger(self.hub, self.link)
        self.dispatcher = Dispatcher(self.hub, Commissioning(self.hub))

    async def ask(self, request: requests.Request) -> Outcome:
        return await self.dispatcher.submit("CP1", request)

    def refuse(self, *reasons: Reason) -> None:
        """Have the charger refuse, one order after another, then agree."""
        left = list(reasons)
        self.link.answer = lambda _: refused(left.pop(0)) if left else done(charger_status="Accepted")

    async def begin(self, connector: int = 1) -> None:
        """A transaction begins."""
        report = TransactionReported(
            Phase.STARTED, None, None, Place(connector, 1), IdToken("A"), meter_start=WattHours(0)
        )
        answer = self.hub.hear("CP1", report)
        assert isinstance(answer, Delayed)
        await answer.answer

    async def end(self) -> None:
        """The transaction that runs ends."""
        (session,) = self.station.sessions()
        report = TransactionReported(Phase.ENDED, session.transaction_id, None, meter_stop=WattHours(0))
        answer = self.hub.hear("CP1", report)
        assert isinstance(answer, Delayed)
        await answer.answer

    def second_connector(self) -> None:
        for number in (1, 2):
            self.hub.hear("CP1", StatusReported(Place(number, 1), Status.AVAILABLE))

    @property
    def limits(self) -> list[SetLimit]:
        return [order for order in self.link.asked if isinstance(order, SetLimit)]


async def test_a_start_is_for_the_owner_where_no_card_is_given() -> None:
    desk = Desk()
    assert (await desk.ask(requests.Start())).ok
    (order,) = desk.link.asked
    assert isinstance(order, commands.StartCharging)
    assert (order.id_tag, order.at.connector, order.limit) == ("HOME", 1, None)


async def test_a_session_s_own_limit_never_exceeds_the_ceiling() -> None:
    desk = Desk(plan=Plan(max_current=Amps(16)))
    await desk.ask(requests.Start(limit_amps=32))
    (order,) = desk.link.asked
    assert isinstance(order, commands.StartCharging)
    assert order.limit == Amps(16)


async def test_remote_starts_have_ids_of_their_own() -> None:
    desk = Desk(Version.V201)
    for _ in range(3):
        await desk.ask(requests.Start())
    ids = [order.remote_start_id for order in desk.link.asked if isinstance(order, commands.StartCharging)]
    assert len(set(ids)) == 3
    assert all(0 < number < 2**31 for number in ids)


async def test_nothing_is_started_twice() -> None:
    desk = Desk()
    await desk.begin()
    outcome = await desk.ask(requests.Start())
    assert outcome.ok
    assert desk.link.asked == []


async def test_where_there_are_several_connectors_one_must_be_named() -> None:
    desk = Desk()
    desk.second_connector()
    outcome = await desk.ask(requests.Start())
    assert outcome.reason is Reason.INVALID
    assert "1, 2" in outcome.message
    assert (await desk.ask(requests.Start(connector=2))).ok


async def test_a_stop_finds_the_one_that_charges() -> None:
    desk = Desk()
    desk.second_connector()
    await desk.begin(2)
    assert (await desk.ask(requests.Stop())).ok
    assert isinstance(desk.link.asked[-1], commands.StopCharging)


async def test_a_stop_of_a_transaction_that_is_over_is_refused() -> None:
    desk = Desk()
    assert (await desk.ask(requests.Stop(transaction_id="77"))).status is Result.REFUSED
    assert desk.link.asked == []


async def test_a_refusal_of_the_charger_is_no_fact() -> None:
    desk = Desk()
    desk.link.answer = lambda _: refused(Reason.CHARGER_REJECTED)
    assert (await desk.ask(requests.Limit(amps=10))).reason is Reason.CHARGER_REJECTED
    assert desk.station.limit == Amps(32)


async def test_other_forms_of_a_profile_are_tried_until_one_is_taken_and_kept() -> None:
    desk = Desk()
    desk.station.max_stack_level = 8
    desk.refuse(Reason.CHARGER_REJECTED, Reason.CHARGER_REJECTED)
    assert (await desk.ask(requests.Limit(amps=10))).ok
    assert [(o.form.stack_level, o.form.relative) for o in desk.limits] == [(7, False), (0, False), (0, True)]
    desk.link.asked.clear()
    await desk.ask(requests.Limit(amps=12))
    assert [o.form for o in desk.limits] == [ProfileForm(0, relative=True)]


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.CHARGER_OFFLINE, Reason.NOT_SUPPORTED])
async def test_a_charger_that_cannot_be_limited_is_not_pestered(reason: Reason) -> None:
    desk = Desk()
    desk.link.answer = lambda _: refused(reason)
    assert (await desk.ask(requests.Limit(amps=10))).reason is reason
    assert len(desk.limits) == 1


def test_a_charger_that_takes_only_power_gets_watts() -> None:
    desk = Desk()
    desk.station.takes_amps = False
    assert all(form.in_watts for form in forms(desk.station))


def test_one_that_takes_both_or_does_not_say_gets_watts_where_it_refuses_amps() -> None:
    desk = Desk()
    desk.station.takes_watts = True
    units = [form.in_watts for form in forms(desk.station) if form.purpose is None]
    assert units == sorted(units)
    assert set(units) == {False, True}


async def test_a_pause_on_one_of_several_connectors_leaves_the_others_alone() -> None:
    desk = Desk()
    desk.second_connector()
    await desk.begin(2)
    await desk.ask(requests.Pause())
    assert {o.at.connector for o in desk.limits if o.transaction_id} == {2}
    assert all(o.limit for o in desk.limits if o.at.connector != 2)
    assert desk.station.connector(1).effective_limit == Amps(32)
    assert desk.station.connector(2).effective_limit == Amps(0)


async def test_a_pause_is_no_new_ceiling() -> None:
    desk = Desk()
    await desk.begin()
    await desk.ask(requests.Limit(amps=13))
    await desk.ask(requests.Pause())
    assert desk.station.limit == Amps(13)
    await desk.ask(requests.Resume())
    assert desk.station.connector(1).effective_limit == Amps(13)


@pytest.mark.parametrize(
    ("on", "running", "asked"), [(True, False, 1), (False, True, 1), (True, True, 0), (False, False, 0)]
)
async def test_the_switch_asks_only_for_a_change(on: bool, running: bool, asked: int) -> None:
    desk = Desk()
    if running:
        await desk.begin()
    assert (await desk.dispatcher.set_charging("CP1", 1, on=on)).ok
    assert len(desk.link.asked) == asked


@pytest.mark.parametrize(
    ("charger", "connector", "reason"), [("X", 1, Reason.UNKNOWN_CHARGER), ("CP1", 9, Reason.UNKNOWN_CONNECTOR)]
)
async def test_the_switch_of_nothing_is_refused(charger: str, connector: int, reason: Reason) -> None:
    assert (await Desk().dispatcher.set_charging(charger, connector, on=True)).reason is reason


async def test_a_charger_that_refuses_connector_0_is_asked_for_its_only_one() -> None:
    desk = Desk()
    desk.refuse(Reason.CHARGER_REJECTED)
    assert (await desk.ask(requests.Availability(operative=False))).ok
    places = [order.at.place.evse for order in desk.link.asked if isinstance(order, commands.ChangeAvailability)]
    assert places == [0, 1]
    assert desk.station.memory.operative is False


async def test_a_promise_is_no_fact_yet() -> None:
    desk = Desk()
    desk.link.answer = lambda _: done(charger_status="Scheduled")
    assert (await desk.ask(requests.Availability(operative=False))).ok
    assert desk.station.memory.operative is True


async def test_a_device_model_that_was_read_answers_for_all_settings() -> None:
    desk = Desk(Version.V201)
    desk.station.memory.inventory = {"A.B": Variable("A.B", "1")}
    outcome = await desk.ask(requests.Configuration(get=[]))
    assert outcome.result["values"] == {"A.B": "1"}
    assert desk.link.asked == []


async def test_settings_are_written_one_by_one_and_each_is_told_of() -> None:
    desk = Desk()

    def answer(order: Order) -> Outcome:
        assert isinstance(order, commands.SetConfiguration)
        ((name, _),) = order.values
        return done(set={name: "accepted"}) if name == "A" else refused(Reason.CHARGER_REJECTED, set={name: "rejected"})

    desk.link.answer = answer
    outcome = await desk.ask(requests.Configuration(set={"A": "1", "B": "2"}))
    assert outcome.status is Result.REFUSED
    assert outcome.result["set"] == {"A": "accepted", "B": "rejected"}


async def test_a_session_is_closed_on_disk_before_that_is_said() -> None:
    desk = Desk()
    await desk.begin()
    ledger = desk.hub.ledger
    assert isinstance(ledger, FakeLedger)
    ledger.broken = True
    assert (await desk.ask(requests.CloseSession())).status is Result.ERROR
    ledger.broken = False


async def test_there_may_be_no_session_to_close() -> None:
    assert (await Desk().ask(requests.CloseSession())).status is Result.REFUSED


ARGUMENTS: dict[type[requests.Request], dict[str, Any]] = {
    requests.Limit: {"amps": 10},
    requests.Availability: {"operative": True},
    requests.Trigger: {"message": "meter"},
    requests.Configuration: {"get": ["A"]},
    requests.DataTransfer: {"vendor_id": "v"},
    requests.Reserve: {"id_tag": "A", "until": "2036-01-01T00:00:00Z"},
    requests.CancelReservation: {"reservation_id": 1},
    requests.Diagnostics: {"url": "ftp://x/"},
    requests.Firmware: {"url": "http://x/"},
    requests.Call: {"ocpp_action": "ClearCache"},
}


@pytest.mark.parametrize("model", requests.REQUESTS.values(), ids=requests.REQUESTS)
async def test_whatever_is_asked_of_an_absent_charger_is_refused(model: type[requests.Request]) -> None:
    desk = Desk()
    await desk.begin()
    desk.hub.disconnect("CP1", desk.link, "gone")
    outcome = await desk.ask(model.model_validate(ARGUMENTS.get(model, {})))
    quiet = model in (requests.Start, requests.CloseSession)  # one runs already; the books are ours
    assert outcome.ok if quiet else outcome.reason is Reason.CHARGER_OFFLINE


@pytest.mark.parametrize("model", requests.REQUESTS.values(), ids=requests.REQUESTS)
async def test_whatever_is_asked_of_nobody_is_refused(model: type[requests.Request]) -> None:
    outcome = await Desk().dispatcher.submit("NOBODY", model.model_validate(ARGUMENTS.get(model, {})))
    assert outcome.reason is Reason.UNKNOWN_CHARGER


def test_the_form_that_was_taken_before_is_tried_first() -> None:
    desk = Desk()
    desk.station.memory.form = ProfileForm(3)
    likely = [ProfileForm(1), ProfileForm(0), ProfileForm(0, relative=True)]
    assert forms(desk.station)[:4] == [ProfileForm(3), *likely]


# The ceiling, pauses and sessions' own limits


async def begun(desk: Desk, **start: Any) -> Session:
    """A session that was started remotely and has begun; what it is to have the charger was put."""
    await desk.ask(requests.Start(id_tag="A", **start))
    await desk.begin()
    await desk.dispatcher.steering.follow(desk.station)
    session = desk.station.connector(1).session
    assert session is not None
    desk.link.asked.clear()
    return session


def own(desk: Desk) -> list[float]:
    """What was asked for single transactions; put again for its time, or below what is safe, it counts once."""
    limits = [order.limit for order in desk.limits if order.transaction_id is not None]
    return [limit for limit, _ in groupby(limits)]


async def test_a_pause_is_of_one_transaction_and_goes_with_it() -> None:
    desk = Desk()
    session = await begun(desk)
    await desk.ask(requests.Pause())
    order, *_ = desk.limits
    assert (order.transaction_id, order.limit) == (session.transaction_id, Amps(0))
    assert own(desk) == [0]
    assert desk.station.limit == Amps(32)
    assert not desk.station.connector(1).charging
    await desk.end()
    await desk.begin()
    assert desk.station.connector(1).charging


async def test_without_a_transaction_there_is_nothing_to_pause_or_resume() -> None:
    desk = Desk()
    assert (await desk.ask(requests.Pause())).reason is Reason.INVALID
    assert (await desk.ask(requests.Resume())).ok
    assert desk.link.asked == []


async def test_a_pause_that_is_refused_is_no_fact() -> None:
    desk = Desk()
    await begun(desk)
    desk.link.answer = lambda _: refused(Reason.CHARGER_REJECTED)
    assert (await desk.ask(requests.Pause())).reason is Reason.CHARGER_REJECTED
    assert desk.station.connector(1).charging


async def test_a_new_ceiling_does_not_end_a_pause() -> None:
    desk = Desk()
    await begun(desk)
    await desk.ask(requests.Pause())
    await desk.ask(requests.Limit(amps=10))
    assert desk.station.connector(1).effective_limit == Amps(0)
    await desk.ask(requests.Resume())
    assert desk.station.connector(1).effective_limit == Amps(10)
    assert own(desk) == [0, 10]


@pytest.mark.parametrize("by", ["switch", "resume"])
@pytest.mark.parametrize(("earlier", "then"), [(13, 13), (None, 32)])
async def test_a_ceiling_of_0_is_lifted_to_what_it_was_before(by: str, earlier: int | None, then: int) -> None:
    desk = Desk()
    await begun(desk)
    for amps in ([earlier] if earlier else []) + [0, 0]:
        await desk.ask(requests.Limit(amps=amps))
    assert not desk.station.connector(1).charging
    if by == "switch":
        assert (await desk.dispatcher.set_charging("CP1", 1, on=True)).ok
    else:
        assert (await desk.ask(requests.Resume())).ok
    assert desk.station.limit == Amps(then)
    assert desk.station.connector(1).charging


async def test_the_switch_lifts_a_ceiling_of_0_before_it_starts() -> None:
    desk = Desk()
    await desk.ask(requests.Limit(amps=0))
    assert (await desk.dispatcher.set_charging("CP1", 1, on=True)).ok
    assert desk.station.limit == Amps(32)
    assert isinstance(desk.link.asked[-1], commands.StartCharging)


async def test_the_switch_does_not_start_where_the_ceiling_cannot_be_lifted() -> None:
    desk = Desk()
    await desk.ask(requests.Limit(amps=0))
    desk.link.answer = lambda _: refused(Reason.NOT_SUPPORTED)
    assert (await desk.dispatcher.set_charging("CP1", 1, on=True)).reason is Reason.NOT_SUPPORTED
    assert isinstance(desk.link.asked[-1], SetLimit)


async def test_the_limit_of_a_start_is_its_session_s_own() -> None:
    desk = Desk()
    await begun(desk, limit_amps=10)
    assert desk.station.connector(1).effective_limit == Amps(10)
    assert desk.station.limit == Amps(32)
    await desk.ask(requests.Pause())
    await desk.ask(requests.Resume())
    assert own(desk) == [0, 10]
    await desk.end()
    await desk.begin()
    assert desk.station.connector(1).effective_limit == Amps(32)


async def test_a_ceiling_binds_a_session_that_has_a_limit_of_its_own() -> None:
    """Its own profile overrules the default one in the charger, so it has to follow."""
    desk = Desk()
    await begun(desk, limit_amps=16)
    for amps, then in ((10, 10), (32, 16), (0, 0), (20, 16)):
        desk.link.asked.clear()
        await desk.ask(requests.Limit(amps=amps))
        assert own(desk) == [then]
        assert desk.station.connector(1).effective_limit == Amps(then)


async def test_the_limit_of_a_start_is_not_another_card_s() -> None:
    desk = Desk()
    await desk.ask(requests.Start(id_tag="B", limit_amps=10))
    await desk.begin()
    assert desk.station.connector(1).effective_limit is None


async def test_a_start_with_less_than_a_car_takes_is_a_start_with_nothing_until_it_is_switched_on() -> None:
    desk = Desk()
    await begun(desk, limit_amps=5)
    assert not desk.station.connector(1).charging
    assert (await desk.dispatcher.set_charging("CP1", 1, on=True)).ok
    assert desk.station.connector(1).charging


# The switch, and what cannot be started


async def test_switching_off_pauses_a_provider_s_session_and_stops_it_where_it_cannot_be_paused() -> None:
    desk = Desk()
    session = await begun(desk)
    session.parts[0].provider = "fleet"
    assert (await desk.dispatcher.set_charging("CP1", 1, on=False)).ok
    assert own(desk) == [0]
    await desk.dispatcher.set_charging("CP1", 1, on=True)
    desk.link.asked.clear()
    desk.link.answer = lambda order: (
        done() if isinstance(order, commands.StopCharging) else refused(Reason.NOT_SUPPORTED)
    )
    assert (await desk.dispatcher.set_charging("CP1", 1, on=False)).ok
    assert isinstance(desk.link.asked[-1], commands.StopCharging)


@pytest.mark.parametrize(
    ("place", "status", "reason"),
    [
        (Place(1, 1), Status.FAULTED, Reason.CHARGER_FAULTED),
        (Place(0), Status.FAULTED, Reason.CHARGER_FAULTED),
        (Place(1, 1), Status.UNAVAILABLE, Reason.CHARGER_UNAVAILABLE),
        (Place(0), Status.UNAVAILABLE, Reason.CHARGER_UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("by", ["switch", "start"])
async def test_nothing_starts_where_it_is_faulted_or_out_of_service(
    by: str, place: Place, status: Status, reason: Reason
) -> None:
    desk = Desk()
    desk.hub.hear("CP1", StatusReported(place, status))
    start = desk.ask(requests.Start()) if by == "start" else desk.dispatcher.set_charging("CP1", 1, on=True)
    assert (await start).reason is reason
    assert desk.link.asked == []


async def test_a_fault_elsewhere_keeps_nobody_from_starting() -> None:
    desk = Desk()
    desk.second_connector()
    desk.hub.hear("CP1", StatusReported(Place(1, 1), Status.FAULTED))
    assert (await desk.ask(requests.Start(connector=2))).ok


async def test_a_1_6_session_of_an_unknown_id_is_stopped_by_that_id() -> None:
    desk = Desk()
    desk.hub.hear("CP1", StatusReported(Place(1, 1), Status.CHARGING))
    sample = Sample(None, (Reading(ENERGY, 1000, "Wh"),))
    answer = desk.hub.hear("CP1", MeterReported(Place(1, 1), (sample,), "424242"))
    assert isinstance(answer, Delayed)
    await answer.answer
    assert (await desk.ask(requests.Stop())).ok
    assert desk.link.asked == [commands.StopCharging("424242")]


# Others


@pytest.mark.parametrize(("version", "asked"), [(Version.V16, [0]), (Version.V201, [1, 2])])
async def test_a_2_x_charger_is_asked_for_the_status_of_each_connector(version: Version, asked: list[int]) -> None:
    desk = Desk(version)
    desk.second_connector()
    assert (await desk.ask(requests.Trigger(message=commands.Message.STATUS))).ok
    assert [order.at.connector for order in desk.link.asked if isinstance(order, commands.Trigger)] == asked


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.CHARGER_OFFLINE])
async def test_a_refresh_that_is_not_answered_is_not_ok(reason: Reason) -> None:
    desk = Desk()
    desk.link.answer = lambda _: failed(reason)
    assert (await desk.ask(requests.Refresh())).reason is reason
    assert len(desk.link.asked) == 1


async def test_a_fault_of_ours_is_answered_too(caplog: pytest.LogCaptureFixture) -> None:
    def bug(_: Order) -> Outcome:
        raise RuntimeError("a bug")

    desk = Desk()
    desk.link.answer = bug
    assert (await desk.ask(requests.ClearCache())).status is Result.ERROR
    assert "a request could not be carried out" in caplog.text
