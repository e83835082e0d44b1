"""The hub: what is on disk before an answer, what is told after it, and what the owner's books hold."""

from __future__ import annotations

import asyncio

import pytest

from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.book import EventNumber, Numbers
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownCharger
from ocpp_mqtt_proxy.core.events import (
    ChargerConnected,
    ChargerDisconnected,
    ChargerForgotten,
    Fact,
    LimitChanged,
    SessionEnded,
    SessionStarted,
)
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps, IdToken, Nameplate, Target
from ocpp_mqtt_proxy.core.reports import (
    AuthorizationAnswer,
    AuthorizationRequested,
    BootAnswer,
    BootReported,
    HeartbeatReported,
    Report,
    TimeAnswer,
    TransactionAnswer,
)
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import PATIENCE_SECONDS, Delayed, Hub
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.telling import BLOCK
from tests.core.yard import energy, meter, start, stop
from tests.fakes import NOON, FakeClock, FakeLedger, FakeLink, a_charger, a_hub
from tests.running import PATIENCE

BOOT = BootReported(Nameplate("ABB", "Terra AC"), "power_up")


@pytest.fixture
def hub() -> Hub:
    return a_hub()


@pytest.fixture
def ledger(hub: Hub) -> FakeLedger:
    assert isinstance(hub.ledger, FakeLedger)
    return hub.ledger


@pytest.fixture
def link() -> FakeLink:
    return FakeLink()


@pytest.fixture
def station(hub: Hub, link: FakeLink) -> Station:
    return a_charger(hub, link)


@pytest.fixture
def told(hub: Hub, station: Station) -> Mailbox:
    """What is told from here on."""
    return hub.bus.mailbox("test")


def kinds(mailbox: Mailbox) -> list[type[Fact]]:
    return [type(fact) for fact in mailbox.take_now()]


async def comes(mailbox: Mailbox, kind: type[Fact]) -> None:
    async with asyncio.timeout(PATIENCE):
        while kind not in {type(fact) for fact in await mailbox.take()}:
            pass


def delayed(hub: Hub, report: Report) -> Delayed:
    answer = hub.hear("CP1", report)
    assert isinstance(answer, Delayed)
    return answer


async def answered(hub: Hub, report: Report) -> str:
    """The transaction id that a transaction's message is answered with."""
    answer = await delayed(hub, report).answer
    assert isinstance(answer, TransactionAnswer)
    return answer.transaction_id


def recorded(ledger: FakeLedger) -> list[Session]:
    return [change for change in ledger.recorded if isinstance(change, Session)]


# Answers


def test_what_no_money_hangs_on_is_answered_at_once_and_noted(hub: Hub, ledger: FakeLedger, station: Station) -> None:
    ledger.noted.clear()
    assert hub.hear("CP1", HeartbeatReported()) == TimeAnswer(NOON)
    assert isinstance(hub.hear("CP1", BOOT), BootAnswer)
    assert station.memory in ledger.noted
    assert ledger.recorded == []


@pytest.mark.usefixtures("station")
def test_a_card_is_judged_by_the_house(hub: Hub) -> None:
    answer = hub.hear("CP1", AuthorizationRequested(IdToken("04A1B2C3")))
    assert isinstance(answer, AuthorizationAnswer)
    assert answer.authorization == hub.house.decide(IdToken("04A1B2C3")).authorization


async def test_a_start_is_answered_and_told_once_it_is_on_disk(hub: Hub, ledger: FakeLedger, told: Mailbox) -> None:
    ledger.open.clear()
    answer = asyncio.ensure_future(delayed(hub, start(1000)).answer)
    await asyncio.sleep(0)
    assert not answer.done()
    assert SessionStarted not in kinds(told)
    ledger.open.set()
    assert isinstance(await answer, TransactionAnswer)
    assert SessionStarted in kinds(told)
    assert [session.state for session in recorded(ledger)] == [State.RUNNING]
    assert hub.numbers in ledger.recorded


async def test_an_end_is_answered_and_told_once_it_is_on_disk(hub: Hub, ledger: FakeLedger, told: Mailbox) -> None:
    transaction = await answered(hub, start(1000))
    ledger.open.clear()
    answer = asyncio.ensure_future(delayed(hub, stop(transaction, 3000)).answer)
    await asyncio.sleep(0)
    assert not answer.done()
    assert SessionEnded not in kinds(told)
    ledger.open.set()
    await answer
    assert SessionEnded in kinds(told)


async def test_with_the_first_session_of_a_new_charger_the_charger_is_on_disk(
    hub: Hub, ledger: FakeLedger, station: Station
) -> None:
    transaction = await answered(hub, start(1000))
    assert ledger.recorded[0] is station.memory
    await answered(hub, stop(transaction, 3000))
    assert ledger.recorded.count(station.memory) == 1


# A disk that fails


async def refused(hub: Hub, report: Report) -> None:
    with pytest.raises(LedgerFailed):
        await delayed(hub, report).answer


async def test_a_start_that_could_not_be_written_is_accepted_when_it_is_repeated(
    hub: Hub, ledger: FakeLedger, told: Mailbox
) -> None:
    ledger.broken = True
    await refused(hub, start(1000, at=NOON))
    await refused(hub, start(1000, at=NOON))
    ledger.broken = False
    transaction = await answered(hub, start(1000, at=NOON))
    (session,) = recorded(ledger)
    assert session.transaction_id == transaction
    assert kinds(told).count(SessionStarted) == 1


async def test_an_end_that_could_not_be_written_is_on_disk_before_its_repetition_is_accepted(
    hub: Hub, ledger: FakeLedger, told: Mailbox
) -> None:
    transaction = await answered(hub, start(1000))
    ledger.broken = True
    await refused(hub, stop(transaction, 3000, at=NOON))
    await refused(hub, stop(transaction, 3000, at=NOON))
    ledger.broken = False
    ledger.recorded.clear()
    assert await answered(hub, stop(transaction, 3000, at=NOON)) == transaction
    assert [(session.state, session.energy) for session in recorded(ledger)] == [(State.ENDED, 2000)]
    assert kinds(told).count(SessionEnded) == 1


async def test_what_could_not_be_written_is_written_later_though_the_charger_never_repeats_it(
    hub: Hub, ledger: FakeLedger, station: Station
) -> None:
    ledger.broken = True
    ledger.noted.clear()
    await refused(hub, start(1000))
    assert [change.state for change in ledger.noted if isinstance(change, Session)] == [State.RUNNING]
    assert hub.numbers in ledger.noted


async def test_a_message_that_no_money_hangs_on_is_answered_though_the_disk_fails(
    hub: Hub, ledger: FakeLedger, station: Station
) -> None:
    ledger.broken = True
    await refused(hub, start(1000))
    assert hub.hear("CP1", HeartbeatReported()) == TimeAnswer(NOON)


async def test_what_a_charger_said_is_written_though_its_socket_no_longer_waits(
    hub: Hub, ledger: FakeLedger, told: Mailbox
) -> None:
    ledger.open.clear()
    waiting = asyncio.ensure_future(delayed(hub, start(1000)).answer)
    waiting.cancel()
    await asyncio.wait([waiting])
    ledger.open.set()
    await comes(told, SessionStarted)
    assert [session.state for session in recorded(ledger)] == [State.RUNNING]


async def test_a_disk_that_goes_on_failing_keeps_nobody_from_charging(hub: Hub, ledger: FakeLedger) -> None:
    a_charger(hub, FakeLink())
    ledger.broken, ledger.failing_for = True, PATIENCE_SECONDS - 1
    with pytest.raises(LedgerFailed):
        await answered(hub, start(1000))
    ledger.failing_for = PATIENCE_SECONDS
    transaction = await answered(hub, start(1000))
    (session,) = hub.station("CP1").sessions()
    assert session.transaction_id == transaction
    assert session in ledger.noted


async def test_an_end_stays_with_the_charger_for_as_long_as_the_disk_fails(hub: Hub, ledger: FakeLedger) -> None:
    a_charger(hub, FakeLink())
    transaction = await answered(hub, start(1000))
    ledger.broken, ledger.failing_for = True, 100 * PATIENCE_SECONDS
    with pytest.raises(LedgerFailed):
        await answered(hub, stop(transaction, 3000))


async def test_with_too_much_waiting_for_the_disk_a_transaction_is_not_even_taken_in(
    hub: Hub, ledger: FakeLedger, station: Station
) -> None:
    ledger.full = True
    with pytest.raises(LedgerFailed):
        await answered(hub, start(1000))
    assert list(station.sessions()) == []
    assert hub.hear("CP1", HeartbeatReported()) == TimeAnswer(NOON)
    ledger.full = False
    await answered(hub, start(1000))
    assert len(list(station.sessions())) == 1


async def test_all_that_is_known_can_be_told_to_new_books(hub: Hub, ledger: FakeLedger, station: Station) -> None:
    ended = await answered(hub, start(1000))
    await answered(hub, stop(ended, 3000))
    running = await answered(hub, start(3000))
    known = hub.everything()
    assert {s.transaction_id for s in known if isinstance(s, Session)} == {ended, running}
    assert [station.memory, *station.connectors.values(), hub.numbers] == [
        change for kind in (ChargerMemory, Connector, Numbers) for change in known if isinstance(change, kind)
    ]
    (number,) = (change for change in known if isinstance(change, EventNumber))
    assert number.seq >= station.memory.seq


# Event numbers


async def test_events_of_a_charger_are_numbered_without_a_gap(hub: Hub) -> None:
    mailbox = hub.bus.mailbox("test")
    for charger in ("CP1", "CP2"):
        a_charger(hub, FakeLink(), charger)
        hub.hear(charger, BOOT)
    await answered(hub, start(1000))
    hub.hear("CP1", meter(energy(1100)))
    numbers: dict[str, list[int]] = {"CP1": [], "CP2": []}
    for fact in mailbox.take_now():
        if fact.KIND:
            numbers[fact.charger].append(fact.seq)
    assert numbers == {charger: list(range(1, len(seen) + 1)) for charger, seen in numbers.items()}
    assert len(numbers["CP1"]) > len(numbers["CP2"]) > 1


async def test_a_start_reserves_numbers_for_every_charger_before_the_first_event(hub: Hub, ledger: FakeLedger) -> None:
    known = Station(ChargerMemory("CP1", seq=40, seq_reserved=40))
    hub.stations["CP1"] = known
    await hub.wake()
    assert ledger.recorded == [EventNumber("CP1", 40 + BLOCK)]
    assert known.memory.seq == 40


async def test_a_start_without_chargers_writes_nothing(hub: Hub, ledger: FakeLedger) -> None:
    await hub.wake()
    assert ledger.recorded == []


def test_a_clean_stop_gives_back_the_numbers_that_were_not_used(hub: Hub, station: Station) -> None:
    hub.hear("CP1", HeartbeatReported())
    assert hub.rest() == [EventNumber("CP1", 2)]


# Sockets


def test_a_charger_is_known_from_its_first_connect_on(hub: Hub, link: FakeLink) -> None:
    mailbox = hub.bus.mailbox("test")
    hub.connect("CP1", link, "192.0.2.7")
    (fact,) = mailbox.take_now()
    assert isinstance(fact, ChargerConnected)
    assert fact.address == "192.0.2.7"
    assert fact.ocpp_version == link.version
    assert hub.station("CP1").connected


def test_the_end_of_a_socket_is_told(hub: Hub, link: FakeLink, station: Station, told: Mailbox) -> None:
    hub.disconnect("CP1", link, "no pong")
    (fact,) = told.take_now()
    assert isinstance(fact, ChargerDisconnected)
    assert fact.reason == "no pong"
    assert not station.connected
    assert hub.links == {}


def test_the_end_of_a_socket_that_was_replaced_is_nothing(
    hub: Hub, link: FakeLink, station: Station, told: Mailbox
) -> None:
    hub.connect("CP1", FakeLink(), "127.0.0.1")
    told.take_now()
    hub.disconnect("CP1", link, "replaced")
    assert told.take_now() == []
    assert station.connected


@pytest.mark.parametrize("known", [[], ["CP1", "CP2"]])
def test_an_unknown_charger_is_said_to_be_unknown_and_which_are_known(hub: Hub, known: list[str]) -> None:
    for charger in known:
        hub.admit(charger)
    with pytest.raises(UnknownCharger, match=", ".join(known) or "none yet"):
        hub.station("CP3")


# Orders and the owner


def test_a_limit_is_a_fact_once_the_charger_agreed(
    hub: Hub, ledger: FakeLedger, station: Station, told: Mailbox
) -> None:
    ledger.noted.clear()
    station.wish = Amps(10)
    hub.confirm(station, SetLimit(Target(), Amps(10), NOON))
    (fact,) = told.take_now()
    assert isinstance(fact, LimitChanged)
    assert (fact.effective, fact.by) == (Amps(10), "owner")
    assert ledger.noted[:2] == [station.memory, station.connectors[1]]


async def test_a_session_that_the_owner_closes_is_on_disk_when_that_is_done(
    hub: Hub, ledger: FakeLedger, station: Station, told: Mailbox
) -> None:
    await answered(hub, start(1000))
    ledger.recorded.clear()
    await hub.close_session(station, station.connectors[1])
    assert [session.state for session in recorded(ledger)] == [State.CLOSED]
    assert SessionEnded in kinds(told)


async def test_a_session_that_the_owner_closes_on_a_full_disk_is_written_later(
    hub: Hub, ledger: FakeLedger, station: Station, told: Mailbox
) -> None:
    await answered(hub, start(1000))
    ledger.broken = True
    ledger.noted.clear()
    with pytest.raises(LedgerFailed):
        await hub.close_session(station, station.connectors[1])
    assert [change.state for change in ledger.noted if isinstance(change, Session)] == [State.CLOSED]
    assert SessionEnded in kinds(told)


async def test_a_forgotten_charger_is_gone_from_the_books_and_its_socket_is_closed(
    hub: Hub, link: FakeLink, ledger: FakeLedger, told: Mailbox
) -> None:
    await hub.forget("CP1")
    assert link.closed == "forgotten by the owner"
    assert ledger.forgotten == ["CP1"]
    assert kinds(told) == [ChargerDisconnected, ChargerForgotten]
    with pytest.raises(UnknownCharger):
        hub.station("CP1")


async def test_what_a_forgotten_charger_s_socket_still_does_writes_nothing_down(
    hub: Hub, link: FakeLink, ledger: FakeLedger, told: Mailbox
) -> None:
    await hub.forget("CP1")
    ledger.noted.clear()
    told.take_now()
    with pytest.raises(UnknownCharger):
        hub.hear("CP1", HeartbeatReported())
    hub.disconnect("CP1", link, "closed")
    assert ledger.noted == []
    assert told.take_now() == []


async def test_a_charger_that_cannot_be_forgotten_stays(hub: Hub, ledger: FakeLedger, station: Station) -> None:
    ledger.broken = True
    with pytest.raises(LedgerFailed):
        await hub.forget("CP1")
    assert hub.station("CP1") is station


async def test_a_forgotten_charger_may_come_again_as_a_new_one(hub: Hub, station: Station) -> None:
    await hub.forget("CP1")
    hub.connect("CP1", FakeLink(), "127.0.0.1")
    assert hub.station("CP1") is not station


def test_time_is_the_clock_s(hub: Hub, station: Station) -> None:
    assert isinstance(hub.clock, FakeClock)
    hub.clock.pass_(hours=1)
    assert hub.hear("CP1", HeartbeatReported()) == TimeAnswer(NOON.replace(hour=13))
