"""Mailboxes: nobody waits for a slow reader, and what it lost is counted."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.bus import LOSSY, Bus, Mailbox
from ocpp_mqtt_proxy.core.events import (
    AvailabilityChanged,
    Fact,
    HeartbeatHeard,
    MeterRead,
    NoticeHeard,
)
from tests.fakes import NOON


def reading(number: int = 0) -> Fact:
    return MeterRead(charger="CP1", at=NOON, readings=(), seq=number)


def change(number: int = 0) -> Fact:
    return AvailabilityChanged(charger="CP1", at=NOON, operative=True, seq=number)


SOME_LOSSY: list[Fact] = [
    reading(),
    HeartbeatHeard(charger="CP1", at=NOON),
    NoticeHeard(charger="CP1", at=NOON, action="X"),
]


def test_only_what_the_next_makes_up_for_is_lossy() -> None:
    assert {type(fact) for fact in SOME_LOSSY} == set(LOSSY)


def test_a_mailbox_for_some_kinds_gets_no_other() -> None:
    bus = Bus()
    some, all_of_them = bus.mailbox("some", only=(AvailabilityChanged,)), bus.mailbox("all")
    for fact in (reading(), change()):
        bus.publish(fact)
    assert (len(some), len(all_of_them)) == (1, 2)
    assert some.dropped == 0


async def test_facts_come_out_in_the_order_they_went_in() -> None:
    mailbox = Mailbox("views", 10)
    facts = [change(number) for number in range(5)]
    for fact in facts:
        mailbox.put(fact)
    assert len(mailbox) == 5
    assert await mailbox.take() == facts
    assert len(mailbox) == 0


@pytest.mark.parametrize("lossy", SOME_LOSSY, ids=lambda fact: type(fact).__name__)
def test_a_full_mailbox_takes_no_lossy_fact_and_counts_it(lossy: Fact) -> None:
    mailbox = Mailbox("views", 2)
    for number in range(2):
        mailbox.put(change(number))
    mailbox.put(lossy)
    assert [fact.seq for fact in mailbox.take_now()] == [0, 1]
    assert mailbox.dropped == 1


def test_a_full_mailbox_still_takes_what_nothing_makes_up_for() -> None:
    mailbox = Mailbox("views", 2)
    for number in range(4):
        mailbox.put(change(number))
    assert [fact.seq for fact in mailbox.take_now()] == [0, 1, 2, 3]
    assert mailbox.dropped == 0


def test_beyond_twice_its_size_the_oldest_goes_for_the_newest() -> None:
    mailbox = Mailbox("views", 2)
    for number in range(6):
        mailbox.put(change(number))
    assert [fact.seq for fact in mailbox.take_now()] == [2, 3, 4, 5]
    assert mailbox.dropped == 2


def test_a_reader_that_took_its_facts_has_room_again() -> None:
    mailbox = Mailbox("views", 1)
    mailbox.put(change())
    mailbox.take_now()
    mailbox.put(reading())
    assert len(mailbox) == 1
    assert mailbox.dropped == 0


@given(size=st.integers(1, 5), lossy=st.lists(st.booleans(), max_size=40))
def test_what_waits_is_bounded_in_order_and_all_else_is_counted(size: int, lossy: list[bool]) -> None:
    mailbox = Mailbox("views", size)
    for number, is_lossy in enumerate(lossy):
        mailbox.put(reading(number) if is_lossy else change(number))
    waiting = [fact.seq for fact in mailbox.take_now()]
    assert len(waiting) <= 2 * size
    assert waiting == sorted(waiting)
    assert len(waiting) + mailbox.dropped == len(lossy)


async def test_a_reader_waits_until_something_comes() -> None:
    mailbox = Mailbox("views", 2)
    taking = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    mailbox.put(change(7))
    assert [fact.seq for fact in await taking] == [7]


def test_taking_now_takes_nothing_where_nothing_is() -> None:
    assert Mailbox("views", 2).take_now() == []


def test_every_reader_gets_every_fact_and_a_full_one_costs_the_others_nothing() -> None:
    bus = Bus()
    slow, quick = bus.mailbox("slow", 1), bus.mailbox("quick")
    for number in range(3):
        bus.publish(reading(number))
    assert [fact.seq for fact in slow.take_now()] == [0]
    assert [fact.seq for fact in quick.take_now()] == [0, 1, 2]
    assert [(mailbox.name, mailbox.dropped) for mailbox in bus.mailboxes] == [("slow", 2), ("quick", 0)]
