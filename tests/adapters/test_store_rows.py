"""Domain objects become rows and come back as they were."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.store import rows, shares
from ocpp_mqtt_proxy.adapters.store.migrations import scripts
from ocpp_mqtt_proxy.adapters.store.sessions import BadCursor, Filter, Page, select
from ocpp_mqtt_proxy.core.book import EventNumber, Numbers
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.held import Held, value
from ocpp_mqtt_proxy.core.limit_orders import ProfileForm, Purpose
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session, StartKey, State
from ocpp_mqtt_proxy.core.steering import calm
from tests.adapters import things
from tests.adapters.things import NOON, a_session, an_ended_session, instants


@pytest.fixture(scope="module")
def shelf() -> Iterator[sqlite3.Connection]:
    """The store's tables in memory."""
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    for script in scripts():
        connection.executescript(script)
    yield connection
    connection.close()


def put(shelf: sqlite3.Connection, *changes: Change) -> None:
    """Write down, with nothing there before."""
    for table in ("session", "share", "connector", "charger", "event_number", "meta"):
        shelf.execute(f"DELETE FROM {table}")  # noqa: S608 (a table's name)
    for change in changes:
        for sql, values in rows.statements(change):
            shelf.execute(sql, values)


def put_sessions(shelf: sqlite3.Connection, *sessions: Session) -> None:
    """Write sessions down, to be found by their providers too."""
    put(shelf, *sessions)
    for session in sessions:
        for sql, values in shares.statements(session, UTC):
            shelf.execute(sql, values)


def only(shelf: sqlite3.Connection, table: str) -> Any:
    (row,) = shelf.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 (a table's name)
    return row


@given(session=things.sessions(State.RUNNING, State.CLOSED))
def test_a_session_that_goes_on_comes_back_as_it_was(shelf: sqlite3.Connection, session: Session) -> None:
    put(shelf, session)
    assert rows.session(only(shelf, "session")) == session


ONLY_WHILE_IT_RUNS = (
    *("remote_start_id", "reservation_id", "charging_state", "charging_state_at", "offered", "limit", "paused"),
    *("held", "sequence", "register"),
)


@given(session=things.sessions(State.ENDED))
def test_a_session_that_is_over_comes_back_with_all_its_figures(shelf: sqlite3.Connection, session: Session) -> None:
    put(shelf, session)
    going_on = a_session()
    kept = replace(session, **{name: getattr(going_on, name) for name in ONLY_WHILE_IT_RUNS})
    assert rows.session(only(shelf, "session")) == kept


@given(connector=things.connectors)
def test_a_connector_comes_back_as_it_was(shelf: sqlite3.Connection, connector: Connector) -> None:
    put(shelf, connector)
    assert rows.connector(only(shelf, "connector")) == connector


@given(memory=things.memories())
def test_a_charger_comes_back_as_it_was(shelf: sqlite3.Connection, memory: ChargerMemory) -> None:
    number = EventNumber(memory.id, memory.seq)
    put(shelf, memory, number)
    assert rows.charger(only(shelf, "charger"), only(shelf, "event_number")["seq"]) == memory


FORM, SESSION_FORM = ProfileForm(7, in_watts=True), ProfileForm(3, purpose=Purpose.CHARGER)
AS_FORM, AS_SESSION_FORM = (
    '{"stack_level": 7, "in_watts": true, "relative": false, "purpose": null}',
    '{"stack_level": 3, "in_watts": false, "relative": false, "purpose": "charger"}',
)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
OLDER = [
    (None, {}),
    ('{"stack_level": 7, "in_watts": true, "relative": false}', {"form": FORM}),
    (AS_FORM, {"form": FORM}),
    (f"[{AS_FORM}, {AS_SESSION_FORM}, [1, 2]]", {"form": FORM, "session_form": SESSION_FORM, "lowered": {1, 2}}),
    (f"[{AS_FORM}, null, [], 10.5]", {"form": FORM, "installed": Held(((LONG_AGO, Amps(10.5)),))}),
    (f"[{AS_FORM}, null, [], 0]", {"form": FORM, "installed": Held(((LONG_AGO, Amps(0)),))}),
    (f"[{AS_FORM}, null, [], null]", {"form": FORM}),
    (f'{{"form": {AS_FORM}, "flat": true}}', {"form": FORM, "flat": True}),
]
"""What programs wrote of a charger's profiles before this one, and what that means."""


@pytest.mark.parametrize(("text", "known"), OLDER)
def test_what_older_programs_wrote_of_a_charger_s_profiles_is_understood(
    shelf: sqlite3.Connection, text: str | None, known: dict[str, Any]
) -> None:
    put(shelf, ChargerMemory("CP1"))
    shelf.execute("UPDATE charger SET profile_form = ?", (text,))
    assert rows.charger(only(shelf, "charger")) == ChargerMemory("CP1", **known)


@pytest.mark.parametrize(
    ("amps", "held"), [("10.5", Held(((LONG_AGO, Amps(10.5)),))), ("0", Held(((LONG_AGO, Amps(0)),))), ("null", None)]
)
def test_what_older_programs_wrote_of_a_session_s_limit_is_understood(
    shelf: sqlite3.Connection, amps: str, held: Held | None
) -> None:
    put(shelf, a_session())
    details = f"json_set(json_remove(details, '$.held'), '$.installed', json('{amps}'))"
    shelf.execute(f"UPDATE session SET details = {details}")  # noqa: S608 (a number of ours)
    assert rows.session(only(shelf, "session")).held == held


def test_what_was_held_since_nobody_knows_when_lasts_and_is_put_again_without_ado() -> None:
    """What there is of older programs comes through all that is asked of what is held."""
    held = Held(((LONG_AGO, Amps(10.5)),))
    assert (held.lasts(NOON), held.halfway(), value(held.steps, NOON), calm(held, NOON)) == (True, None, 10.5, True)


@given(last_transaction=st.integers(0, 2**31), last_session=st.integers(0, 2**53))
def test_the_counters_come_back_as_they_were(
    shelf: sqlite3.Connection, last_transaction: int, last_session: int
) -> None:
    put(shelf, Numbers("test", last_transaction, last_session))
    kept = dict(shelf.execute("SELECT key, value FROM meta").fetchall())
    assert kept == {
        rows.TRANSACTION_COUNTER: str(last_transaction),
        rows.SESSION_COUNTER: str(last_session),
    }


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine far from UTC."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_a_start_without_a_zone_is_still_known_by_its_content_after_a_restart(shelf: sqlite3.Connection) -> None:
    key = StartKey(1, "04a1b2c3", 1000.0, datetime(2026, 3, 14, 12, 0))  # noqa: DTZ001 (as the charger wrote it)
    put(shelf, a_session(start_key=key))
    assert rows.session(only(shelf, "session")).start_key == key


@given(earlier=instants, later=instants)
def test_stored_times_sort_as_the_times_do(earlier: datetime, later: datetime) -> None:
    texts = rows.text_of(earlier) or "", rows.text_of(later) or ""
    assert (texts[0] < texts[1]) == (earlier < later)


@given(at=instants)
def test_a_stored_time_comes_back_to_the_microsecond(at: datetime) -> None:
    assert rows.time_of(rows.text_of(at)) == at


# Pages


def read(shelf: sqlite3.Connection, wanted: Filter) -> Page:
    sql, values = select(wanted)
    return Page.of([rows.session(row) for row in shelf.execute(sql, values)], wanted.size)


def read_all(shelf: sqlite3.Connection, wanted: Filter) -> list[Session]:
    page = read(shelf, wanted)
    found = page.sessions
    while page.cursor is not None:
        page = read(shelf, wanted.after(page.cursor))
        found += page.sessions
    return found


starts = st.lists(st.integers(0, 5).map(lambda minute: NOON.replace(minute=minute)), max_size=12)
"""Starts, many of them at the same instant."""


@given(starts=starts, limit=st.integers(1, 5))
def test_the_pages_together_are_all_sessions_newest_first(
    shelf: sqlite3.Connection, starts: list[datetime], limit: int
) -> None:
    put(shelf, *(a_session(number, started_at=at) for number, at in enumerate(starts)))
    found = read_all(shelf, Filter(limit=limit))
    assert sorted(s.session_id for s in found) == sorted(f"test-{number}" for number in range(len(starts)))
    assert all(newer.started_at >= older.started_at for newer, older in pairwise(found))


@given(starts=starts, limit=st.integers(1, 5), since=st.integers(0, 5), until=st.integers(0, 5))
def test_a_filter_takes_what_started_from_one_time_up_to_before_another(
    shelf: sqlite3.Connection, starts: list[datetime], limit: int, since: int, until: int
) -> None:
    put(shelf, *(a_session(number, started_at=at) for number, at in enumerate(starts)))
    wanted = Filter(since=NOON.replace(minute=since), until=NOON.replace(minute=until), limit=limit)
    expected = sorted(at for at in starts if since <= at.minute < until)
    assert sorted(session.started_at for session in read_all(shelf, wanted)) == expected


def handed_over(*providers: str) -> list[Part]:
    """A session that changed hands, ten minutes each."""
    times = [NOON + timedelta(minutes=10 * number) for number in range(len(providers) + 1)]
    return [Part(provider, *span) for provider, span in zip(providers, pairwise(times), strict=True)]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Filter(), [5, 4, 3, 2, 1]),
        (Filter(charger="CP2"), [4, 2]),
        (Filter(provider="owner"), [2, 1]),
        (Filter(provider="night"), [5, 4, 3]),
        (Filter(provider="fleet"), [5]),
        (Filter(provider="night", limit=2), [5, 4]),
        (Filter(provider="night", since=NOON.replace(minute=4)), [5, 4]),
        (Filter(provider="night", until=NOON.replace(minute=4)), [3]),
        (Filter(charger="CP2", provider="night"), [4]),
        (Filter(charger="CP3"), []),
        (Filter(limit=2), [5, 4]),
    ],
)
def test_a_filter_takes_what_it_names(shelf: sqlite3.Connection, wanted: Filter, numbers: list[int]) -> None:
    put_sessions(
        shelf,
        a_session(1),
        a_session(2, charger="CP2"),
        an_ended_session(3, provider="night"),
        an_ended_session(4, charger="CP2", provider="night"),
        a_session(5, charger="CP9", parts=handed_over("fleet", "night", "fleet")),
    )
    assert [s.session_id for s in read(shelf, wanted).sessions] == [f"test-{number}" for number in numbers]


def test_a_page_that_asks_for_too_much_still_leads_to_the_next(shelf: sqlite3.Connection) -> None:
    put(shelf, *(a_session(number) for number in range(1001)))
    page = read(shelf, Filter(limit=5000))
    assert len(page.sessions) == 1000
    assert page.cursor is not None


@pytest.mark.parametrize("cursor", ["", "nonsense", "\ud800", "é", "bm8gY3Vyc29yIGF0IGFsbA==", "/////w=="])
def test_a_cursor_that_is_none_of_ours_is_said_to_be_so(cursor: str) -> None:
    with pytest.raises(BadCursor, match="next"):
        Filter().after(cursor)


QUERIES = [
    Filter(),
    Filter(since=NOON, until=NOON),
    Filter(charger="CP1"),
    Filter(provider="owner", since=NOON),
    Filter(charger="CP1", provider="owner"),
    Filter(cursor=("2026", "test-1")),
    Filter(charger="CP1", cursor=("2026", "test-1")),
    Filter(provider="owner", cursor=("2026", "test-1"), since=NOON, until=NOON),
    Filter(charger="CP1", provider="owner", cursor=("2026", "test-1"), since=NOON),
]

INDICES = {
    (False, False): ["session USING INDEX session_by_time"],
    (True, False): ["session USING INDEX session_by_charger"],
    (False, True): ["share USING COVERING INDEX share_by_provider", "session USING PRIMARY KEY"],
    (True, True): ["share USING COVERING INDEX share_by_provider_and_charger", "session USING PRIMARY KEY"],
}
"""What is walked, by whether a charger and whether a provider is asked for."""


@pytest.mark.parametrize("wanted", QUERIES)
def test_every_list_walks_an_index_and_sorts_nothing(shelf: sqlite3.Connection, wanted: Filter) -> None:
    sql, values = select(wanted)
    plan = [row["detail"] for row in shelf.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    walked = INDICES[wanted.charger is not None, wanted.provider is not None]
    assert [step.split(" ", 1)[1].partition(" (")[0] for step in plan] == walked
