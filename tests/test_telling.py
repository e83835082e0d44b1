"""Numbers of events: none twice whatever happens, none missing but after a kill, and all facts in order."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.bus import Bus, Mailbox
from ocpp_mqtt_proxy.core.book import EventNumber
from ocpp_mqtt_proxy.core.events import Fact, HeartbeatHeard, InventoryRead
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.telling import BLOCK, MOST_AHEAD, MOST_HELD, Teller
from tests.fakes import NOON, FakeLedger


class Desk:
    """A teller, its ledger, one charger, and what was told of it."""

    def __init__(self, seq: int = 0) -> None:
        self.ledger = FakeLedger()
        self.bus = Bus()
        self.teller = Teller(self.bus, self.ledger)
        self.station = Station(ChargerMemory("CP1", seq=seq, seq_reserved=seq))
        self.mailbox: Mailbox = self.bus.mailbox("test", size=10 * MOST_HELD)

    def tell(self, count: int = 1, kind: type[Fact] = HeartbeatHeard) -> None:
        self.teller.tell(self.station, [kind(charger="CP1", at=NOON) for _ in range(count)])

    def told(self) -> list[int]:
        return [fact.seq for fact in self.mailbox.take_now()]

    def on_disk(self) -> int:
        """The highest number that is known to be on disk, where nobody waits for one."""
        numbers = [change.seq for change in self.ledger.kept if isinstance(change, EventNumber)]
        return max(numbers, default=0)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@given(steps=st.lists(st.integers(0, 3 * BLOCK) | st.none(), max_size=40))
def test_no_number_is_told_before_it_is_on_disk_and_none_is_left_out(steps: list[int | None]) -> None:
    desk, told, safe = Desk(), [0], 0
    desk.ledger.open.clear()
    for count in steps:
        if count is None:
            safe = desk.on_disk()
            desk.ledger.settle()
        else:
            desk.tell(count)
        told += desk.told()
        assert told[-1] <= safe
    desk.ledger.open.set()
    desk.ledger.settle()
    told += desk.told()
    assert told == list(range(sum(count or 0 for count in steps) + 1))


def test_a_charger_that_tells_things_now_and_then_never_waits(desk: Desk) -> None:
    desk.tell()
    desk.ledger.open.clear()
    for number in range(BLOCK // 2, 10 * BLOCK, BLOCK // 2):
        desk.tell(BLOCK // 2)
        assert desk.told()[-1] == number + 1
        desk.ledger.settle()


def test_what_is_no_event_keeps_its_place_between_events(desk: Desk) -> None:
    desk.ledger.open.clear()
    desk.tell()
    desk.tell(kind=InventoryRead)
    desk.tell()
    assert desk.told() == []
    desk.ledger.settle()
    assert desk.told() == [1, 0, 2]


def test_after_a_kill_no_more_than_a_block_is_missing(desk: Desk) -> None:
    for _ in range(10):
        desk.tell()
    assert desk.on_disk() - desk.told()[-1] < BLOCK


def test_one_that_floods_asks_less_and_less_often(desk: Desk) -> None:
    desk.tell(100 * MOST_AHEAD)
    for _ in range(20 * MOST_AHEAD):
        desk.tell()
    asked = [change.seq for change in desk.ledger.kept if isinstance(change, EventNumber)]
    assert asked[-1] - asked[-2] <= MOST_AHEAD
    assert len(asked) < 100


def test_a_new_charger_is_on_disk_with_its_first_numbers(desk: Desk) -> None:
    desk.tell()
    assert desk.ledger.kept == [desk.station.memory, EventNumber("CP1", 1 + BLOCK)]


def test_numbers_go_on_behind_those_of_the_life_before() -> None:
    desk = Desk(seq=40)
    desk.tell()
    assert desk.told() == [41]


def test_what_was_reserved_at_the_start_is_told_at_once() -> None:
    desk = Desk(seq=40)
    desk.teller.reserve([desk.station])
    desk.teller.reserved([desk.station])
    desk.ledger.open.clear()
    desk.tell()
    assert desk.told() == [41]


def test_a_disk_that_never_answers_holds_up_only_so_much(desk: Desk) -> None:
    desk.ledger.open.clear()
    desk.tell(MOST_HELD + 5)
    assert desk.told() == [1, 2, 3, 4, 5]


def test_what_waits_at_a_stop_is_told_and_the_last_number_kept(desk: Desk) -> None:
    desk.ledger.open.clear()
    desk.tell(3)
    assert desk.teller.rest(desk.station) == EventNumber("CP1", 3)
    assert desk.told() == [1, 2, 3]


def test_of_a_charger_that_was_forgotten_nothing_more_is_told(desk: Desk) -> None:
    desk.ledger.open.clear()
    desk.tell(3)
    desk.teller.forget("CP1")
    desk.ledger.settle()
    assert desk.told() == []
