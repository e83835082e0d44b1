from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.book import REMEMBERED, Book, Numbers, names_nothing
from ocpp_mqtt_proxy.core.model import StopReason
from ocpp_mqtt_proxy.core.session import Session, StartKey
from tests.core.yard import NOON

KEY = StartKey(1, "card", 1000.0, NOON)


def a_session(number: int, *, over: bool = False, key: StartKey | None = None) -> Session:
    session = Session(f"test-{number}", "CP1", 1, str(number), NOON, start_key=key)
    if over:
        session.close(NOON + timedelta(hours=1), StopReason.OTHER)
    return session


def a_key(number: int) -> StartKey:
    return StartKey(1, "card", number, NOON)


class TestNumbers:
    def test_go_on_from_the_last_one(self) -> None:
        numbers = Numbers("abcd", last_transaction=41, last_session=6)
        assert (numbers.transaction(), numbers.transaction()) == ("42", "43")
        assert (numbers.session(), numbers.session()) == ("abcd-7", "abcd-8")

    def test_are_never_given_twice(self) -> None:
        numbers = Numbers("abcd", 0)
        given_ = [numbers.transaction() for _ in range(500)]
        assert len(set(given_)) == 500
        assert all(0 < int(number) < 2**31 for number in given_)


def test_a_session_is_found_by_its_transaction_and_by_its_start() -> None:
    book, session = Book(), a_session(7, key=KEY)
    book.add(session)
    assert book.find("7") is session
    assert book.started(KEY) is session


def test_what_was_never_entered_is_not_found() -> None:
    assert Book().find("7") is None
    assert Book().find(None) is None
    assert Book().started(KEY) is None


def test_a_renamed_session_answers_to_both_names() -> None:
    book, session = Book(), a_session(7)
    book.add(session)
    book.rename(session, "8")
    assert session.transaction_id == "8"
    assert book.find("7") is book.find("8") is session


def test_the_oldest_that_are_over_are_forgotten() -> None:
    book = Book()
    for number in range(REMEMBERED + 10):
        book.add(a_session(number, over=True, key=a_key(number)))
    assert len(book.by_transaction) == len(book.by_start) == REMEMBERED
    assert book.find("9") is None
    assert book.started(a_key(9)) is None
    assert book.find("10") is not None


def test_what_runs_is_never_forgotten() -> None:
    book = Book()
    for number in range(REMEMBERED + 10):
        book.add(a_session(number))
    assert book.find("0") is not None


def test_forgetting_a_session_leaves_a_later_one_with_the_same_start() -> None:
    book, later = Book(), a_session(1, key=KEY)
    book.add(a_session(0, over=True, key=KEY))
    book.add(later)
    for number in range(2, REMEMBERED + 2):
        book.add(a_session(number, over=True))
    assert book.find("0") is None
    assert book.started(KEY) is later


@given(st.lists(st.booleans(), max_size=REMEMBERED * 2))
def test_the_book_holds_what_runs_and_no_more_than_it_must(over: list[bool]) -> None:
    book, running = Book(), 0
    for number, is_over in enumerate(over):
        book.add(a_session(number, over=is_over))
        running += not is_over
        assert len(book.by_transaction) <= max(REMEMBERED, running)


@pytest.mark.parametrize(
    ("transaction_id", "does"), [("-1", True), ("0", True), ("00", True), ("1", False), ("10", False)]
)
def test_some_ids_name_nothing(transaction_id: str, does: bool) -> None:
    assert names_nothing(transaction_id) is does
