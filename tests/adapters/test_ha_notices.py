"""Notifications in Home Assistant: faults while they last, sessions that ended, each once and in plain words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.home_assistant.api import Endpoint
from ocpp_mqtt_proxy.adapters.home_assistant.feed import CONCERNS, Feed, Patience
from ocpp_mqtt_proxy.adapters.home_assistant.notices import LONGEST, MOST_WAITING, Notices, lasting, plain
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.events import Fact, FaultChanged, LimitsIgnored, LimitsObeyed, LoggedIn, SessionEnded
from ocpp_mqtt_proxy.core.model import OWNER, Amps, Place, Status
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules, Terms
from tests.adapters.pretend_home_assistant import TOKEN, PretendHome, eventually, pretend_home
from tests.fakes import NOON, FakeLink, a_charger, a_hub, an_arbitration

FAULT = "ocpp_mqtt_proxy_fault_CP1_1"
SESSION = "ocpp_mqtt_proxy_session_s1"


LOGIN = LoggedIn(charger="", at=NOON, address="192.168.1.7")
LOGGED_IN = "ocpp_mqtt_proxy_login_192.168.1.7"

IGNORED = LimitsIgnored(charger="CP1", connector=1, at=NOON, effective=Amps(10), gives=31.6)
IGNORES = "ocpp_mqtt_proxy_limits_CP1"


def a_fault(code: str = "GroundFailure", info: str = "", *, cleared: bool = False) -> FaultChanged:
    status = Status.AVAILABLE if cleared else Status.FAULTED
    return FaultChanged(charger="CP1", connector=1, at=NOON, status=status, error_code=code, info=info, cleared=cleared)


def ended(*parts: tuple[str, str, str], number: str = "s1") -> SessionEnded:
    """A session of 12.34 kWh in two hours and five minutes, with parts of a provider, a cost and a revenue."""
    until = NOON + timedelta(hours=2, minutes=5)
    made = [Part(provider, NOON, cost=Decimal(cost), charged=Decimal(revenue)) for provider, cost, revenue in parts]
    session = Session(
        session_id=number, charger="CP1", connector=1, transaction_id="7", started_at=NOON, ended_at=until, parts=made
    )
    session.energy = 12_340.0
    return SessionEnded(charger="CP1", connector=1, at=until, session=session)


def an_arbiter() -> Arbitration:
    hub = a_hub(Plan(name="Garage"))
    a_charger(hub, FakeLink())
    return an_arbitration(hub, Rules(providers={"night": Terms("night", name="Cheap Night"), "fleet": Terms("fleet")}))


def noticed(*facts: Fact, faults: bool = True, sessions: bool = True, logins: bool = True) -> dict[str, Any]:
    """What waits to be shown after some facts: title and text by id."""
    notices = Notices(an_arbiter(), faults=faults, sessions=sessions, logins=logins)
    for fact in facts:
        notices.take(fact)
    return {notice.id: (notice.title, notice.message) for notice in notices.waiting.values()}


# What they say

OWN = (OWNER, "3.70", "0")
SESSIONS = [
    ([OWN], "12.34 kWh in 2 h 05 min, cost 3.70 EUR."),
    ([("night", "3.70", "3.9449")], "12.34 kWh in 2 h 05 min, 3.94 EUR from Cheap Night."),
    ([OWN, ("fleet", "1", "2")], "12.34 kWh in 2 h 05 min, 2.00 EUR from fleet."),
    ([("night", "1", "1"), ("fleet", "1", "2")], "12.34 kWh in 2 h 05 min, 3.00 EUR from Cheap Night and fleet."),
]


@pytest.mark.parametrize(("parts", "text"), SESSIONS)
def test_a_session_that_ended_tells_energy_time_money_and_whose(parts: list[tuple[str, str, str]], text: str) -> None:
    assert noticed(ended(*parts)) == {SESSION: ("Garage: charging ended", text)}


FAULTS = [
    (a_fault(), "GroundFailure"),
    (a_fault("OtherError", "relay  stuck\n"), "OtherError: relay stuck"),
    (a_fault("NoError", "E_17 <b>*hot*</b>"), r"E\_17 \<b\>\*hot\*\</b\>"),
    (a_fault("NoError"), "The charger reports a fault and does not say which."),
]


@pytest.mark.parametrize(("fault", "text"), FAULTS)
def test_a_fault_tells_what_the_charger_says(fault: FaultChanged, text: str) -> None:
    assert noticed(fault) == {FAULT: ("Garage: fault", text)}


def test_a_fault_that_came_and_went_unseen_is_not_shown() -> None:
    assert noticed(a_fault(), a_fault(cleared=True)) == {FAULT: ("", "")}


def test_a_charger_that_ignores_its_limit_is_said_to_until_it_obeys() -> None:
    ((title, text),) = noticed(IGNORED).values()
    assert title == "Garage: ignores its limit"
    assert text.startswith("It confirmed a limit of 10 A and gives 31.6 A.")
    assert noticed(IGNORED, LimitsObeyed(charger="CP1", connector=1, at=NOON)) == {IGNORES: ("", "")}


def test_a_charger_with_several_connectors_tells_which() -> None:
    arbitration = an_arbiter()
    arbitration.hub.station("CP1").at(Place(2, 1))
    notices = Notices(arbitration)
    notices.take(a_fault())
    assert notices.waiting[FAULT].title == "Garage, connector 1: fault"


def test_a_charger_that_is_forgotten_still_has_its_id() -> None:
    arbitration = an_arbiter()
    del arbitration.hub.stations["CP1"]
    notices = Notices(arbitration)
    notices.take(ended(OWN))
    assert notices.waiting[SESSION].title == "CP1: charging ended"


def test_each_kind_can_be_switched_off() -> None:
    everything = a_fault(), ended(OWN), LOGIN, IGNORED
    assert noticed(*everything, faults=False).keys() == {SESSION, LOGGED_IN}
    assert noticed(*everything, sessions=False).keys() == {FAULT, LOGGED_IN, IGNORES}
    assert noticed(*everything, logins=False).keys() == {FAULT, SESSION, IGNORES}


def test_a_login_tells_from_where_and_the_next_from_there_takes_its_place() -> None:
    ((title, text),) = noticed(LOGIN, LOGIN).values()
    assert title == "Chargers: login"
    assert text.startswith("Somebody logged in to the chargers' page from 192.168.1.7.")


def test_what_waits_is_bounded_and_the_newest_stays() -> None:
    waiting = noticed(*(ended(OWN, number=f"s{n}") for n in range(MOST_WAITING + 5)))
    assert next(iter(waiting)) == "ocpp_mqtt_proxy_session_s5"
    assert len(waiting) == MOST_WAITING


@given(text=st.text(max_size=2 * LONGEST))
def test_no_text_of_a_charger_is_markup(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= 2 * LONGEST
    unescaped = shown.replace("\\\\", "")
    assert all(unescaped[at - 1] == "\\" for at, letter in enumerate(unescaped) if letter in "`*_[]<>#|~!")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 min"), (89, "1 min"), (3600, "1 h 00 min"), (90000, "25 h 00 min")]
)
def test_a_time_is_said_as_people_do(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


# How they get there


@dataclass
class Told:
    """A Home Assistant, and facts for it."""

    home: PretendHome
    arbitration: Arbitration = field(default_factory=an_arbiter)

    def hear(self, *facts: Fact) -> None:
        for fact in facts:
            self.arbitration.hub.bus.publish(fact)

    @property
    def shown(self) -> dict[str, Any]:
        return self.home.notifications

    @property
    def created(self) -> list[str]:
        """What was ever shown, each time it was."""
        return [data["notification_id"] for service, data in self.home.calls if service.endswith(".create")]


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    async with pretend_home() as home:
        told = Told(home)
        feed = Feed(
            endpoint=Endpoint.of(home.url, TOKEN),
            mailbox=told.arbitration.hub.bus.mailbox("home assistant", only=CONCERNS),
            notices=Notices(told.arbitration),
            patience=Patience(first=0.01, most=0.02),
        )
        room = asyncio.create_task(feed.run())
        yield told
        room.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await room


async def test_a_fault_is_shown_until_it_is_cleared(told: Told) -> None:
    told.hear(a_fault())
    await eventually(lambda: FAULT in told.shown)
    assert told.shown[FAULT] == {"notification_id": FAULT, "title": "Garage: fault", "message": "GroundFailure"}
    told.hear(a_fault(cleared=True))
    await eventually(lambda: not told.shown)


async def test_without_entities_to_hear_of_none_are_asked_for(told: Told) -> None:
    told.hear(ended(OWN))
    await eventually(lambda: SESSION in told.shown)
    assert told.home.subscribed == []


async def test_nothing_is_repeated_after_a_restart_and_nothing_is_missed(told: Told) -> None:
    told.hear(a_fault(), ended(OWN))
    await eventually(lambda: len(told.shown) == 2)
    await told.home.stop()
    told.hear(ended(OWN, number="s2"))
    await told.home.start()
    await eventually(lambda: len(told.created) == 3)
    assert told.created == [FAULT, SESSION, "ocpp_mqtt_proxy_session_s2"]


async def test_a_session_that_is_corrected_is_shown_anew_in_its_place(told: Told) -> None:
    told.hear(ended(OWN))
    await eventually(lambda: told.created == [SESSION])
    told.hear(ended((OWNER, "9", "0")))
    await eventually(lambda: told.created == [SESSION, SESSION])
    assert "cost 9.00 EUR" in told.shown[SESSION]["message"]
    assert len(told.shown) == 1


async def test_one_that_is_not_taken_holds_up_no_other(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.home.denies = "call_service"
    told.hear(a_fault())
    await eventually(lambda: "does not take a notification: Unauthorized" in caplog.text)
    told.home.denies = ""
    told.hear(ended(OWN))
    await eventually(lambda: told.created == [SESSION])
