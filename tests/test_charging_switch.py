"""The charging switch where others let nothing flow, and where a charger starts no other before the cable was out."""

from __future__ import annotations

import asyncio

import pytest

from ocpp_mqtt_proxy import requests, shapes
from ocpp_mqtt_proxy.adapters.store import profiles
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.model import OWNER, Amps, Place, Status, Version
from ocpp_mqtt_proxy.core.reports import StatusReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Provided
from ocpp_mqtt_proxy.core.traits import STOP_IS_FINAL
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.busy import BusyLink
from tests.fakes import FakeLedger
from tests.test_dispatch import Desk, begun, own
from tests.test_quirks_in_care import plan

NOTHING = Provided(Amps(0), "group:house")


async def switched(desk: Desk, *, on: bool) -> Outcome:
    return await desk.dispatcher.set_charging("CP1", 1, on=on)


def starts(desk: Desk) -> list[commands.StartCharging]:
    return [order for order in desk.link.asked if isinstance(order, commands.StartCharging)]


def stops(desk: Desk) -> int:
    return sum(isinstance(order, commands.StopCharging) for order in desk.link.asked)


# Where others let nothing flow


async def shut(provider: str = OWNER) -> tuple[Desk, Session]:
    """A session that the fuse leaves nothing."""
    desk = Desk()
    session = await begun(desk)
    session.parts[0].provider = provider
    desk.station.provided = NOTHING
    await desk.dispatcher.steering.follow(desk.station)
    assert not desk.station.connector(1).charging
    return desk, session


async def test_switched_off_while_others_let_nothing_flow_the_owner_s_session_stops() -> None:
    desk, _ = await shut()
    assert (await switched(desk, on=False)).ok
    assert stops(desk) == 1


async def test_a_provider_s_is_paused_then_and_stays_so_when_the_others_allow_it() -> None:
    desk, session = await shut("fleet")
    assert (await switched(desk, on=False)).ok
    assert session.paused
    desk.station.provided = None
    await desk.dispatcher.steering.follow(desk.station, eager=True)
    assert not desk.station.connector(1).charging
    assert own(desk) == [0]


@pytest.mark.parametrize("by", ["switch", "resume"])
async def test_who_lets_nothing_flow_is_said_where_it_is_not_the_owner(by: str) -> None:
    desk, _ = await shut()
    desk.link.asked.clear()
    outcome = await switched(desk, on=True) if by == "switch" else await desk.ask(requests.Resume())
    assert outcome.reason is Reason.HELD_BY_OTHER
    assert outcome.message == "group:house allows nothing to flow on CP1 now"
    assert desk.link.asked == []


async def test_a_pause_is_over_though_others_let_nothing_flow_and_who_it_is_is_said() -> None:
    desk, session = await shut("fleet")
    await switched(desk, on=False)
    outcome = await switched(desk, on=True)
    assert (outcome.ok, outcome.message) == (True, "nothing flows before group:house allows it")
    assert not session.paused
    desk.station.provided = None
    await desk.dispatcher.steering.follow(desk.station, eager=True)
    assert desk.station.connector(1).charging


async def test_a_start_tells_the_owner_who_lets_nothing_flow_yet() -> None:
    desk = Desk()
    desk.station.provided = NOTHING
    outcome = await switched(desk, on=True)
    assert (outcome.ok, outcome.message) == (True, "nothing flows before group:house allows it")
    assert len(starts(desk)) == 1


async def test_a_provider_s_start_tells_nobody_of_others() -> None:
    desk = Desk()
    desk.station.provided = NOTHING
    outcome = await desk.dispatcher.start_for("fleet", desk.station, requests.Start())
    assert (outcome.ok, outcome.message) == (True, "")


async def test_the_owner_s_own_ceiling_is_nobody_else_s() -> None:
    desk = Desk()
    await desk.ask(requests.Limit(amps=0))
    assert desk.dispatcher.steering.shut_by(desk.station, desk.station.connector(1)) is None


# A start that asks for a limit


async def test_a_start_under_a_ceiling_has_what_it_asked_for_once_the_ceiling_is_lifted() -> None:
    desk = Desk()
    await desk.ask(requests.Limit(amps=0))
    session = await begun(desk, limit_amps=16)
    assert not desk.station.connector(1).charging
    await desk.ask(requests.Limit(amps=32))
    assert not session.paused
    assert desk.station.connector(1).effective_limit == Amps(16)


async def test_a_start_begins_with_no_more_than_is_allowed_by_the_time_that_it_is_said() -> None:
    desk = Desk()
    desk.link = desk.hub.links["CP1"] = link = BusyLink()
    starting = asyncio.create_task(desk.ask(requests.Start(limit_amps=16)))
    await link.waited_for()
    desk.station.provided = Provided(Amps(8), "fleet")
    link.free.set()
    assert (await starting).ok
    assert [order.limit for order in starts(desk)] == [Amps(8)]


# Where a charger starts no other before the cable was out (peers: Finishing)

PLUGGED = "CP1 starts again only once the cable was out: take it out and put it in again"
LATER = "; from now on it is paused where it is switched off, so that it can go on"


async def stopped(version: Version = Version.V16, *quirks: str) -> Desk:
    """The owner's session was stopped, and its cable is still in; the charger takes no start then."""
    desk = Desk(version, plan(*quirks))
    await desk.begin()
    desk.hub.hear("CP1", StatusReported(Place(1, 1), Status.CHARGING))
    assert (await switched(desk, on=False)).ok
    await desk.end()
    desk.hub.hear("CP1", StatusReported(Place(1, 1), Status.FINISHING))
    desk.link.answer = lambda order: (
        refused(Reason.CHARGER_REJECTED) if isinstance(order, commands.StartCharging) else done()
    )
    return desk


async def again(desk: Desk) -> None:
    """The cable was out, and another session runs."""
    desk.hub.hear("CP1", StatusReported(Place(1, 1), Status.AVAILABLE))
    desk.link.answer = lambda _: done(charger_status="Accepted")
    await desk.begin()
    desk.link.asked.clear()


@pytest.mark.parametrize("version", DIALECTS)
async def test_a_start_that_is_refused_while_the_cable_is_in_says_what_to_do_and_what_will_be_different(
    version: Version,
) -> None:
    desk = await stopped(version)
    outcome = await switched(desk, on=True)
    assert (outcome.reason, outcome.message) == (Reason.CHARGER_REJECTED, PLUGGED + LATER)
    assert (await switched(desk, on=True)).message == PLUGGED


async def test_from_then_on_switching_off_pauses_so_that_it_can_be_switched_on_again() -> None:
    desk = await stopped()
    await switched(desk, on=True)
    await again(desk)
    assert (await switched(desk, on=False)).ok
    assert (own(desk), stops(desk)) == ([0], 0)
    assert not desk.station.connector(1).charging
    assert (await switched(desk, on=True)).ok
    assert (own(desk), starts(desk)) == ([0, 32], [])
    assert desk.station.connector(1).charging


async def test_where_it_cannot_be_paused_either_it_is_stopped() -> None:
    desk = await stopped()
    await switched(desk, on=True)
    await again(desk)
    desk.link.answer = lambda order: (
        done() if isinstance(order, commands.StopCharging) else refused(Reason.NOT_SUPPORTED)
    )
    assert (await switched(desk, on=False)).ok
    assert stops(desk) == 1


async def test_a_stop_that_is_asked_for_by_its_name_is_one_all_the_same() -> None:
    desk = await stopped()
    await switched(desk, on=True)
    await again(desk)
    assert (await desk.ask(requests.Stop())).ok
    assert (own(desk), stops(desk)) == ([], 1)


async def test_what_was_learned_is_shown_among_the_quirks_and_written_down() -> None:
    desk = await stopped()
    await switched(desk, on=True)
    assert shapes.nameplate(desk.station)["quirks"] == [STOP_IS_FINAL]
    assert isinstance(desk.hub.ledger, FakeLedger)
    assert desk.station.memory in desk.hub.ledger.noted
    assert profiles.known(profiles.text_of(desk.station.memory))["learned"] == {STOP_IS_FINAL}


async def test_a_configuration_that_knows_better_is_believed() -> None:
    desk = await stopped(Version.V16, f"no_{STOP_IS_FINAL}")
    assert (await switched(desk, on=True)).message == PLUGGED
    await again(desk)
    await switched(desk, on=False)
    assert stops(desk) == 1


async def test_a_start_that_is_taken_while_the_cable_is_in_tells_otherwise() -> None:
    desk = await stopped()
    await switched(desk, on=True)
    desk.link.answer = lambda _: done(charger_status="Accepted")
    assert (await switched(desk, on=True)).ok
    assert desk.station.memory.learned == set()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.PREPARING, refused(Reason.CHARGER_REJECTED, "no")),
        (Status.FINISHING, refused(Reason.NOT_SUPPORTED, "no")),
        (Status.FINISHING, failed(Reason.TIMEOUT, "no")),
    ],
)
async def test_another_refusal_teaches_nothing(status: Status, outcome: Outcome) -> None:
    desk = await stopped()
    desk.hub.hear("CP1", StatusReported(Place(1, 1), status))
    desk.link.answer = lambda _: outcome
    assert await switched(desk, on=True) == outcome
    assert desk.station.memory.learned == set()


async def test_a_provider_s_start_teaches_the_same() -> None:
    desk = await stopped()
    await desk.dispatcher.start_for("fleet", desk.station, requests.Start())
    assert desk.station.memory.learned == {STOP_IS_FINAL}
