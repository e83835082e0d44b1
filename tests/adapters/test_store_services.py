"""What services wait for, and what we share with them: on a real file, through failures, kills and damage."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.store import Store, backups, rows, services, thinning
from ocpp_mqtt_proxy.adapters.store.migrations import scripts
from ocpp_mqtt_proxy.adapters.store.outbox import AT_HAND, Bounds
from ocpp_mqtt_proxy.adapters.store.thinning import Waiting
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import (
    Reading,
    Sample,
    Signed,
    Verdict,
    WattHours,
)
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer, PeerTransaction, Standing
from ocpp_mqtt_proxy.core.reports import Authorization, Phase, SecurityReported, TransactionReported
from ocpp_mqtt_proxy.core.virtual import LocalList, Virtual
from ocpp_mqtt_proxy.ports import LedgerFailed
from tests.adapters.stores import beside, opened
from tests.adapters.things import NOON, amounts, instants, numbers, optional, texts
from tests.running import PATIENCE

QUEUE = ("billing", "CP1")


@contextlib.contextmanager
def broken(file: Path, table: str) -> Any:
    """While inside nothing can be written to a table."""
    with beside(file) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO broken_{table}")
        yield
        connection.execute(f"ALTER TABLE broken_{table} RENAME TO {table}")


def a_report(phase: Phase = Phase.STARTED, **given: Any) -> TransactionReported:
    return TransactionReported(phase, "17", NOON, **given)


def a_message(store: Store, phase: Phase = Phase.STARTED, session: str = "s1", **given: Any) -> Outgoing:
    """A message that was heard just now, for billing about CP1."""
    message = Outgoing(*QUEUE, store.outbox.number(), datetime.now(UTC), a_report(phase), session)
    return replace(message, **given)


def a_peer(**given: Any) -> Peer:
    return Peer(*QUEUE, **given)


async def waiting(store: Store, most: int = 10_000) -> list[int]:
    return [one.number for one in await store.outbox.head(*QUEUE, most)]


async def record(store: Store, *changes: Change) -> None:
    await store.record(changes)


# Rows


def any_of(kind: type[Any], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with all their fields varied, whatever fields there are; numbers are numbers."""
    hints = get_type_hints(kind)
    varied = {field.name: _BY_HINT.get(hints[field.name], st.from_type(hints[field.name])) for field in fields(kind)}
    return st.builds(kind, **varied | given)


_BY_HINT: dict[Any, st.SearchStrategy[Any]] = {
    int: numbers,
    float: amounts,
    WattHours | None: optional(amounts),
    datetime: instants,
    datetime | None: optional(instants),
    int | None: optional(numbers),
}

readings = st.builds(Reading, texts, amounts, texts, signed=optional(st.builds(Signed)))
several = st.lists(readings, max_size=3).map(tuple)
samples = st.builds(Sample, optional(instants), several, several)
reports = any_of(TransactionReported, samples=st.lists(samples, max_size=3).map(tuple))


messages = any_of(Outgoing, told=reports | any_of(SecurityReported), document=st.just(""))


Through = Callable[[Change, str], sqlite3.Row]
"""A change becomes the only row of its table; that row."""


@pytest.fixture(scope="module")
def through_sql() -> Iterator[Through]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        for script in scripts():
            connection.executescript(script)

        def put(change: Change, table: str) -> sqlite3.Row:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 (a table's name)
            for sql, values in rows.statements(change):
                connection.execute(sql, values)
            row: sqlite3.Row = connection.execute(f"SELECT * FROM {table}").fetchone()  # noqa: S608
            return row

        yield put


@given(message=messages)
def test_a_message_comes_back_as_it_was_and_is_written_the_same_again(through_sql: Through, message: Outgoing) -> None:
    row = through_sql(message, "outgoing")
    assert services.outgoing(row) == message
    assert tuple(through_sql(services.outgoing(row), "outgoing")) == tuple(row)


def test_what_a_meter_signed_comes_back_byte_for_byte(through_sql: Through) -> None:
    signed = 'OCMF|{"FV":"1.0","RD":[{"RV":1.50}]}|{"SD":"30\\u00e9ß\\n"}'
    sample = Sample(NOON, (Reading("Energy.Active.Import.Register", 1500.0, "Wh", signed=Signed(signed)),))
    message = Outgoing(*QUEUE, 1, NOON, a_report(Phase.ENDED, samples=(sample,)))
    assert services.outgoing(through_sql(message, "outgoing")) == message


peers = any_of(Peer, transactions=st.dictionaries(texts, any_of(PeerTransaction), max_size=2))
virtuals = any_of(Virtual)


@given(peer=peers)
def test_what_we_share_with_a_service_comes_back_as_it_was(through_sql: Through, peer: Peer) -> None:
    assert services.peer(through_sql(peer, "peer")) == peer


@given(virtual=virtuals)
def test_what_a_service_set_comes_back_as_it_was(through_sql: Through, virtual: Virtual) -> None:
    assert services.virtual(through_sql(virtual, "virtual_state")) == virtual


def test_a_document_with_less_or_more_in_it_than_today_can_be_read() -> None:
    row = {"document": '{"service": "billing", "charger": "CP1", "invented_later": {"a": [1]}}'}
    assert services.peer(row) == a_peer()  # type: ignore[arg-type]  # a row, as far as this one is read
    assert services.virtual(row) == Virtual(*QUEUE)  # type: ignore[arg-type]


async def test_what_was_shared_and_set_is_there_after_a_restart(file: Path) -> None:
    peer = a_peer(standing=Standing.ACCEPTED, transactions={"s1": PeerTransaction("s1", "17", theirs="900", seq=3)})
    cards = {"04A1": Authorization(Verdict.BLOCKED)}
    virtual = Virtual(*QUEUE, settings={"LightIntensity": "5"}, inoperative={0}, local_list=LocalList(4, cards))
    async with opened(file) as store:
        store.note([peer, virtual])
    async with opened(file) as store:
        assert (await store.peers(), await store.virtuals()) == ([peer], [virtual])


async def test_what_cannot_be_read_of_a_service_costs_the_others_nothing(store: Store, file: Path) -> None:
    await record(store, a_peer(), Peer("fleet", "CP1"))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE peer SET document = '{' WHERE service = 'billing'")
    assert await store.peers() == [Peer("fleet", "CP1")]
    assert store.faults() == ["1 rows cannot be read"]


# The queue


async def test_messages_come_in_the_order_of_their_numbers_and_go_when_they_are_delivered(store: Store) -> None:
    first, second, third = (a_message(store) for _ in range(3))
    await record(store, third)
    await record(store, second, first)
    assert await store.outbox.head(*QUEUE) == [first, second, third]
    await record(store, Delivered(second.number), a_peer())
    assert await waiting(store) == [first.number, third.number]


async def test_a_queue_is_one_service_s_about_one_charger(store: Store) -> None:
    mine, theirs, elsewhere = a_message(store), a_message(store, service="fleet"), a_message(store, charger="CP2")
    await record(store, mine, theirs, elsewhere)
    assert await store.outbox.head("fleet", "CP1") == [theirs]
    assert await store.outbox.head("billing", "CP2") == [elsewhere]


async def test_no_message_is_shown_before_an_older_one_that_is_yet_to_be_written(store: Store) -> None:
    older, newer = a_message(store, Phase.UPDATED), a_message(store, Phase.ENDED)
    store.note([older])
    await record(store, newer)
    assert await waiting(store) == []
    await store.flush()
    assert await waiting(store) == [older.number, newer.number]


async def test_nothing_is_shown_that_is_only_noted(store: Store) -> None:
    store.note([a_message(store)])
    assert await waiting(store) == []
    assert store.outbox.depth(*QUEUE).messages == 1


async def test_that_a_session_has_begun_is_not_known_on_disk_without_its_start(file: Path) -> None:
    """A peer that counts it as begun would have it never told, where a crash took the start."""
    async with opened(file) as store:
        start = a_message(store)
        store.note([start])
        await record(store, a_peer(transactions={"s1": PeerTransaction("s1", "17")}))
        async with opened(file) as after_a_crash:
            assert await after_a_crash.outbox.head(*QUEUE) == [start]


async def test_what_went_with_others_is_not_written_again_after_it_was_delivered(store: Store) -> None:
    start = a_message(store)
    store.note([start])
    await record(store, a_peer())
    await record(store, Delivered(start.number), a_peer())
    await store.flush()
    assert await waiting(store) == []
    assert store.outbox.depth(*QUEUE).messages == 0


async def test_it_is_known_of_which_sessions_anything_waits(store: Store) -> None:
    first, second = a_message(store), a_message(store, session="s2")
    await record(store, first)
    store.note([second])
    assert [await store.outbox.holds(*QUEUE, session) for session in ("s1", "s2", "s3")] == [True, True, False]


async def test_what_was_delivered_waits_no_more_though_that_is_only_noted(store: Store) -> None:
    message = a_message(store)
    await record(store, message)
    store.note([Delivered(message.number)])
    assert store.outbox.depth(*QUEUE).messages == 0
    assert not await store.outbox.holds(*QUEUE, "s1")


async def test_what_was_delivered_is_not_shown_again_while_that_cannot_be_written(store: Store, file: Path) -> None:
    first, second = a_message(store), a_message(store)
    await record(store, first, second)
    with broken(file, "peer"), pytest.raises(LedgerFailed):
        await record(store, Delivered(first.number), a_peer())
    store.note([Delivered(first.number), a_peer()])
    assert await waiting(store) == [second.number]


async def test_what_was_delivered_goes_with_the_next_thing_that_is_written_of_its_service(
    store: Store, file: Path
) -> None:
    """Else the numbers it used would be on disk, and it too: it would be sent again by another number."""
    message = a_message(store)
    await record(store, message)
    with broken(file, "peer"), pytest.raises(LedgerFailed):
        await record(store, Delivered(message.number), a_peer())
    await record(store, a_peer())
    async with opened(file) as after_a_crash:
        assert await after_a_crash.outbox.head(*QUEUE) == []


async def test_whoever_waits_wakes_when_a_message_is_on_disk(store: Store) -> None:
    arrival = store.outbox.arrival(*QUEUE)
    store.note([a_message(store)])
    assert not arrival.is_set()
    await store.flush()
    assert arrival.is_set()
    assert not store.outbox.arrival("fleet", "CP1").is_set()


async def test_a_caller_that_is_cancelled_leaves_its_message_on_disk_and_shown(store: Store) -> None:
    message = a_message(store)
    recording = asyncio.create_task(record(store, message))
    await asyncio.sleep(0)
    recording.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recording
    async with asyncio.timeout(PATIENCE):
        await store.outbox.arrival(*QUEUE).wait()
    assert await waiting(store) == [message.number]


async def test_numbers_go_on_above_what_waits_after_a_restart(file: Path) -> None:
    async with opened(file) as store:
        await record(store, *(a_message(store) for _ in range(5)))
        last = await waiting(store)
    async with opened(file) as store:
        assert store.outbox.depth(*QUEUE).messages == 5
        assert store.outbox.number() == max(last) + 1


async def test_a_message_that_cannot_be_read_stands_in_nobody_s_way(file: Path) -> None:
    async with opened(file) as store:
        bad, worse, good = (a_message(store) for _ in range(3))
        await record(store, bad, worse, good)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE outgoing SET message = '{' WHERE number = ?", (bad.number,))
        connection.execute("UPDATE outgoing SET form = 9 WHERE number = ?", (worse.number,))
    async with opened(file) as store:
        assert await store.outbox.head(*QUEUE) == [good]
        assert (store.outbox.depth(*QUEUE).messages, store.outbox.depth(*QUEUE).dropped) == (1, 2)


@pytest.mark.parametrize("count", [AT_HAND, AT_HAND + 1])
async def test_what_is_at_hand_and_what_is_on_disk_are_the_same(store: Store, count: int) -> None:
    messages = [a_message(store) for _ in range(count)]
    await record(store, *messages)
    assert await store.outbox.head(*QUEUE, 100) == messages
    latest = a_message(store)
    await record(store, *(Delivered(message.number) for message in messages[:-2]), latest)
    assert await store.outbox.head(*QUEUE) == [*messages[-2:], latest]
    await store.outbox.load()
    assert await store.outbox.head(*QUEUE) == [*messages[-2:], latest]


async def test_a_message_that_nothing_can_write_does_not_hold_back_the_rest(store: Store) -> None:
    unwritable = a_message(store, told=SecurityReported("\ud800"))
    good = a_message(store)
    store.note([unwritable, good])
    await store.flush()
    assert await waiting(store) == [good.number]


async def test_a_message_given_up_is_counted(store: Store) -> None:
    message = a_message(store)
    await record(store, message)
    await record(store, Delivered(message.number, given_up=True), a_peer())
    assert (store.outbox.depth(*QUEUE).messages, store.outbox.depth(*QUEUE).dropped) == (0, 1)


async def test_a_charger_that_is_forgotten_leaves_nothing_of_it_to_tell(store: Store) -> None:
    other = a_message(store, charger="CP2")
    await record(store, a_message(store), other, a_peer(), Virtual(*QUEUE))
    store.note([a_message(store)])
    await store.forget(ChargerMemory("CP1"))
    await store.flush()
    assert (await waiting(store), await store.peers(), await store.virtuals()) == ([], [], [])
    assert store.outbox.depth(*QUEUE).messages == 0
    assert await store.outbox.head("billing", "CP2") == [other]


# Too much


def a_queue(*kinds: str) -> list[Waiting]:
    """Messages by words as `s1 started`, one a second."""
    waiting = []
    for number, words in enumerate(kinds, 1):
        session, kind = words.split()
        waiting.append(Waiting(number, session, kind, rows.text_of(NOON + timedelta(seconds=number)) or ""))
    return waiting


def test_a_queue_that_is_too_long_loses_every_second_reading_but_the_last() -> None:
    waiting = a_queue("s1 started", *["s1 reading"] * 4, "s1 ended", "s2 started", "s2 reading", "s2 ended")
    assert thinning.every_second(waiting) == [2, 4]


kinds = st.sampled_from(["started", "updated", "reading", "ended", "security"])


@given(queue=st.lists(st.builds("{} {}".format, st.sampled_from(["s1", "s2", "s3"]), kinds), max_size=40))
def test_thinning_drops_nothing_but_readings_and_never_the_last(queue: list[str]) -> None:
    waiting = a_queue(*queue)
    going = set(thinning.every_second(waiting))
    assert all(row.kind == "reading" for row in waiting if row.number in going)
    for session in {row.session_id for row in waiting if row.kind == "reading"}:
        assert [r for r in waiting if r.session_id == session and r.kind == "reading"][-1].number not in going


def test_of_far_too_much_the_oldest_sessions_go_and_they_go_whole() -> None:
    waiting = a_queue("s1 started", "s2 started", "s1 reading", "s2 ended", "s1 ended", "s3 started", "s3 ended")
    assert thinning.oldest_whole(waiting, 1) == [1, 3, 5]
    assert thinning.oldest_whole(waiting, 4) == [1, 3, 5, 2, 4]


def test_a_session_that_runs_is_not_dropped() -> None:
    assert thinning.oldest_whole(a_queue("s1 started", "s2 started", "s2 ended"), 9) == [2, 3]


def test_a_session_goes_of_age_when_all_of_it_is_old() -> None:
    waiting = a_queue("s1 started", "s2 started", "s1 ended", "s2 reading", "s2 ended")
    assert thinning.outlived(waiting, waiting[4].heard_at) == [1, 3]


async def thinned(store: Store) -> None:
    """The queue is within its bounds again."""
    async with asyncio.timeout(PATIENCE):
        await store.outbox.settle()
    assert store.outbox.depth(*QUEUE).messages <= store.outbox.bounds.each


async def test_a_service_that_is_away_for_long_misses_readings_and_no_session(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.outbox.bounds = Bounds(each=100, least=10)
    caplog.set_level(logging.WARNING)
    kept = []
    for number in range(20):
        session = f"s{number}"
        start, end = a_message(store, session=session), a_message(store, Phase.ENDED, session)
        readings = [a_message(store, Phase.UPDATED, session) for _ in range(30)]
        end.number = store.outbox.number()
        await record(store, start, *readings, end)
        kept += [start.number, end.number]
        await thinned(store)
    found = set(await waiting(store))
    depth = store.outbox.depth(*QUEUE)
    assert found >= set(kept)
    assert (depth.messages, depth.messages + depth.dropped) == (len(found), 20 * 32)
    assert [record.message for record in caplog.records] == [
        "CP1 at billing: more than 100 messages wait for it, it misses readings"
    ]


async def test_what_is_under_way_is_not_thinned_out(store: Store) -> None:
    store.outbox.bounds = Bounds(each=50, least=10)
    await record(store, *(a_message(store, Phase.UPDATED) for _ in range(40)))
    shown = [one.number for one in await store.outbox.head(*QUEUE, 20)]
    await record(store, *(a_message(store, Phase.UPDATED) for _ in range(40)))
    await thinned(store)
    assert [one.number for one in await store.outbox.head(*QUEUE, 20)] == shown


async def test_what_has_waited_for_too_long_goes(store: Store) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=31)
    old = [a_message(store, phase, heard_at=long_ago) for phase in (Phase.STARTED, Phase.ENDED)]
    running = [a_message(store, session="s2", heard_at=long_ago), a_message(store, Phase.UPDATED, "s2")]
    await record(store, *old, *running)
    await store.tidy(0)
    assert await waiting(store) == [one.number for one in running]
    assert store.outbox.depth(*QUEUE).dropped == 2


async def test_who_knows_of_sessions_hears_which_will_never_be_told(store: Store) -> None:
    lost: list[tuple[str, str, set[str]]] = []
    store.outbox.on_lost = lambda *what: lost.append(what)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    await record(store, a_message(store, session="s1", heard_at=long_ago), a_message(store, session="s2"))
    await store.tidy(0)
    assert lost == [("billing", "CP1", {"s1"})]


async def test_a_queue_that_is_all_starts_and_ends_loses_whole_sessions_at_last(store: Store) -> None:
    store.outbox.bounds = Bounds(each=20, least=10, excess=2)
    for number in range(60):
        await record(store, *(a_message(store, phase, f"s{number}") for phase in (Phase.STARTED, Phase.ENDED)))
        await store.outbox.settle()
    assert 40 <= store.outbox.depth(*QUEUE).messages <= 44
    left = [one.session_id for one in await store.outbox.head(*QUEUE, 100)]
    assert left == [f"s{number}" for number in range(60 - len(left) // 2, 60) for _ in range(2)]


async def test_since_when_the_first_waits_is_known(store: Store) -> None:
    assert await store.outbox.oldest(*QUEUE) is None
    first = a_message(store)
    await record(store, first, a_message(store, heard_at=first.heard_at + timedelta(seconds=5)))
    assert await store.outbox.oldest(*QUEUE) == first.heard_at


async def test_the_more_queues_there_are_the_less_each_may_hold() -> None:
    bounds = Bounds(each=100, together=1000, least=20)
    assert [bounds.most(queues) for queues in (1, 10, 20, 1000)] == [100, 100, 50, 20]


async def test_what_we_shared_with_a_service_that_is_no_more_is_forgotten_in_time(store: Store, file: Path) -> None:
    await record(store, a_peer(), Peer("gone", "CP1"), Peer("just gone", "CP1"), Virtual("gone", "CP1"))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for table in ("peer", "virtual_state"):
            connection.execute(f"UPDATE {table} SET written_on = '2020-01-01' WHERE service != 'just gone'")  # noqa: S608
    await store.tidy(0)
    assert len(await store.peers()) == 3
    store.outbox.known = frozenset({"billing"})
    await store.tidy(0)
    assert [peer.service for peer in await store.peers()] == ["billing", "just gone"]
    assert await store.virtuals() == []


async def test_while_the_disk_takes_nothing_for_long_readings_are_not_gathered_without_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocpp_mqtt_proxy.adapters.store.MOST_NOTES", 3)
    store.note(a_message(store, phase) for phase in (*[Phase.UPDATED] * 5, Phase.ENDED))
    await store.flush()
    assert [one.told.phase for one in await store.outbox.head(*QUEUE) if isinstance(one.told, TransactionReported)] == [
        *[Phase.UPDATED] * 3,
        Phase.ENDED,
    ]


# Damage


async def filled(file: Path) -> list[int]:
    async with opened(file) as store:
        await record(store, *(a_message(store) for _ in range(5)), a_peer(), Virtual(*QUEUE))
        return await waiting(store)


def lose_a_table(file: Path, table: str = "connector") -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(f"DROP TABLE {table}")


async def test_all_that_waits_is_saved_out_of_a_damaged_store(file: Path) -> None:
    there = await filled(file)
    lose_a_table(file)
    async with opened(file) as store:
        assert await waiting(store) == there
        assert (await store.peers(), await store.virtuals()) == ([a_peer()], [Virtual(*QUEUE)])
        assert store.outbox.number() > max(there)


async def test_what_was_delivered_since_a_backup_does_not_come_back_with_it(file: Path) -> None:
    there = await filled(file)
    backups.make(file, datetime.now(UTC))
    async with opened(file) as store:
        await record(store, *map(Delivered, there[:3]))
    lose_a_table(file)
    async with opened(file) as store:
        assert await waiting(store) == there[3:]


async def test_of_a_store_whose_queue_is_lost_the_backup_s_is_used(file: Path) -> None:
    there = await filled(file)
    backups.make(file, datetime.now(UTC))
    lose_a_table(file, "outgoing")
    async with opened(file) as store:
        assert await waiting(store) == there


async def test_what_waits_is_counted_anew_when_another_file_takes_the_place(store: Store, file: Path) -> None:
    await record(store, *(a_message(store) for _ in range(5)))
    await store.flush()
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    with contextlib.suppress(LedgerFailed):
        await store.back_up()
    assert await waiting(store) == []
    assert store.outbox.depth(*QUEUE).messages == 0
    fresh = a_message(store)
    await record(store, fresh)
    assert await waiting(store) == [fresh.number]
