"""What a charger confirmed of our profiles, and which limit binds its connectors by that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core import binding
from ocpp_mqtt_proxy.core.events import LimitChanged, LimitsChanged
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.held import Held
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, ProfileForm, Purpose, SetLimit
from ocpp_mqtt_proxy.core.model import OWNER, Amps, Status, Target
from ocpp_mqtt_proxy.core.station import Provided
from tests.core.yard import NOON, ONE, TWO, Yard, start, status, stop

TAG = "04A1B2C3"
AT = Target(1, ONE)


def settle(yard: Yard, what: Callable[[Hearing], None]) -> None:
    """Something is a fact by now, with all that follows."""
    hearing = Hearing(yard.station, yard.now, yard.numbers)
    what(hearing)
    yard.facts += hearing.facts
    yard.kept += hearing.changes


def default(amps: float) -> SetLimit:
    return SetLimit(Target(), Amps(amps), NOON)


def base(amps: float) -> SetLimit:
    return SetLimit(Target(), Amps(amps), NOON, form=ProfileForm(4), base=True)


def own(transaction_id: str, amps: float) -> SetLimit:
    return SetLimit(AT, Amps(amps), NOON, transaction_id=transaction_id)


def lower_the_ceiling(yard: Yard, amps: float) -> None:
    """The owner's ceiling: a wish until the charger keeps to it by its default."""
    yard.station.wish = Amps(amps)
    yard.confirm(default(amps))
    settle(yard, partial(binding.ceiling, amps=Amps(amps)))
    yard.station.wish = None


def limit(yard: Yard) -> float | None:
    return yard.connector.effective_limit


def charging() -> tuple[Yard, str]:
    """A charger with a transaction, and its id."""
    yard = Yard()
    return yard, yard.started(start(0, tag=TAG)).transaction_id


# What the charger holds


def test_what_a_charger_took_for_every_transaction_is_known_with_its_form() -> None:
    yard = Yard()
    yard.confirm(SetLimit(Target(), Amps(10), NOON, form=ProfileForm(3), later=((60.0, Amps(6)),), seconds=900))
    later = NOON + timedelta(minutes=1), NOON + timedelta(minutes=15)
    assert yard.station.memory.installed == Held(((NOON, Amps(10)), (later[0], Amps(6))), later[1])
    assert yard.station.memory.form == ProfileForm(3)
    assert yard.station.memory in yard.kept


def test_what_lies_below_that_is_known_and_leaves_it_alone() -> None:
    yard = Yard()
    yard.confirm(SetLimit(Target(), Amps(10), NOON, form=ProfileForm(3)))
    yard.confirm(base(6))
    memory = yard.station.memory
    assert (memory.safe, memory.form) == (Amps(6), ProfileForm(3))
    assert memory.installed == Held(((NOON, Amps(10)),))


def test_what_a_transaction_has_is_its_own_and_leaves_what_all_have_alone() -> None:
    yard, transaction = charging()
    yard.confirm(default(16))
    yard.confirm(own(transaction, 10))
    session = yard.connector.session
    assert session is not None
    assert session.held == Held(((NOON, Amps(10)),))
    assert yard.station.memory.installed == Held(((NOON, Amps(16)),))
    assert yard.station.memory.lowered == set()
    assert session in yard.kept


def test_when_a_profile_was_put_is_told_by_our_clock_not_by_the_charger_s() -> None:
    yard = Yard()
    asked = NOON - timedelta(seconds=3)
    yard.confirm(SetLimit(Target(), Amps(10), NOON - timedelta(days=9), since=asked))
    installed = yard.station.memory.installed
    assert installed is not None
    assert installed.since == asked


def test_a_default_of_a_connector_that_stands_for_a_transaction_s_is_taken_away_once_that_is_over() -> None:
    yard, transaction = charging()
    yard.confirm(SetLimit(AT, Amps(10), NOON, form=ProfileForm(purpose=Purpose.DEFAULT), transaction_id=transaction))
    assert yard.station.memory.lowered == {1}
    yard.hear(stop(transaction, 10))
    assert yard.station.due == [ClearLimit(AT)]
    yard.confirm(ClearLimit(AT))
    assert yard.station.memory.lowered == set()


def test_a_default_that_stands_for_a_transaction_s_is_what_all_have() -> None:
    yard, transaction = charging()
    form = ProfileForm(purpose=Purpose.DEFAULT)
    yard.confirm(SetLimit(Target(), Amps(10), NOON, form=form, transaction_id=transaction))
    memory = yard.station.memory
    assert (memory.form, memory.session_form, memory.installed) == (form, form, Held(((NOON, Amps(10)),)))


@pytest.mark.parametrize("lost", [True, False])
def test_a_profile_of_a_transaction_that_was_over_unseen_was_refused_for_that_alone(lost: bool) -> None:
    yard, transaction = charging()
    stands_in = ProfileForm(purpose=Purpose.DEFAULT)
    yard.confirm(SetLimit(Target(), Amps(10), NOON, form=stands_in, transaction_id=transaction))
    yard.pass_(hours=1)
    yard.hear(start(0, yard.now) if lost else stop(transaction, 10))
    assert yard.station.memory.session_form == (None if lost else stands_in)


def test_a_charger_that_takes_nothing_below_its_default_is_known_to() -> None:
    yard = Yard()
    settle(yard, binding.takes_no_base)
    assert yard.station.memory.flat
    assert yard.station.memory in yard.kept


# What binds


def test_a_transaction_s_own_profile_binds_and_not_the_default() -> None:
    yard, transaction = charging()
    yard.confirm(default(16))
    yard.confirm(own(transaction, 10))
    yard.confirm(default(6))
    assert limit(yard) == 10


def test_what_lies_below_binds_once_what_was_above_it_is_over() -> None:
    yard, _ = charging()
    yard.confirm(base(6))
    yard.confirm(SetLimit(Target(), Amps(16), NOON, seconds=900))
    assert limit(yard) == 16
    yard.pass_(minutes=15)
    settle(yard, binding.settle)
    assert limit(yard) == 6


def test_without_a_transaction_there_is_what_one_would_have_or_what_the_charger_holds_where_that_is_more() -> None:
    yard = Yard()
    yard.hear(status(Status.AVAILABLE))
    yard.station.provided = Provided(Amps(10), "night")
    yard.confirm(default(6))
    assert (limit(yard), yard.connector.limited_by) == (10, "night")
    yard.confirm(default(16))
    assert limit(yard) == 16


@pytest.mark.parametrize(("provided", "by"), [(10, "night"), (16, OWNER), (32, OWNER)])
def test_a_limit_is_a_provider_s_where_it_is_below_the_owner_s(provided: float, by: str) -> None:
    yard, _ = charging()
    lower_the_ceiling(yard, 16)
    yard.station.provided = Provided(Amps(provided), "night")
    yard.confirm(default(min(provided, 16)))
    assert yard.connector.limited_by == by


def test_what_binds_still_is_whose_it_was_until_less_has_been_put() -> None:
    yard, transaction_id = charging()
    yard.confirm(own(transaction_id, 10))
    yard.station.provided = Provided(Amps(8), "x")
    settle(yard, binding.settle)
    assert (limit(yard), yard.connector.limited_by) == (10, OWNER)
    yard.confirm(own(transaction_id, 8))
    assert (limit(yard), yard.connector.limited_by) == (8, "x")


def test_what_binds_is_still_its_provider_s_once_that_has_gone_until_more_has_been_put() -> None:
    yard, transaction_id = charging()
    yard.station.provided = Provided(Amps(8), "x")
    yard.confirm(own(transaction_id, 8))
    yard.station.provided = None
    settle(yard, binding.settle)
    assert (limit(yard), yard.connector.limited_by) == (8, "x")
    yard.confirm(own(transaction_id, 32))
    assert (limit(yard), yard.connector.limited_by) == (32, OWNER)


def test_what_binds_a_connector_is_whoever_allows_least_there() -> None:
    yard, first = charging()
    second = yard.started(start(0, place=TWO, tag="B")).transaction_id
    yard.station.provided = Provided(Amps(7), "y")
    yard.station.allowed = {1: {"x": Amps(10), "y": Amps(12)}, 2: {"x": Amps(10), "y": Amps(7)}}
    yard.confirm(own(first, 10))
    yard.confirm(replace(own(second, 7), at=Target(2, TWO)))
    assert [yard.station.connectors[one].limited_by for one in (1, 2)] == ["x", "y"]


def test_a_connector_that_only_its_owner_limits_is_the_owner_s_whatever_binds_another() -> None:
    yard, first = charging()
    yard.started(start(0, place=TWO, tag="B"))
    yard.station.provided = Provided(Amps(7), "x")
    yard.station.allowed = {1: {}, 2: {"x": Amps(7)}}
    yard.confirm(own(first, 32))
    assert yard.connector.limited_by == OWNER


def test_a_pause_is_the_owner_s_whoever_else_limits() -> None:
    yard, transaction_id = charging()
    yard.station.provided = Provided(Amps(8), "x")
    session = yard.station.book.find(transaction_id)
    assert session is not None
    yard.confirm(own(transaction_id, 0))
    settle(yard, partial(binding.paused, session=session, paused=True))
    assert (limit(yard), yard.connector.limited_by) == (0, OWNER)


def test_a_pause_binds_until_it_is_over_and_is_written_down() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    yard.confirm(own(session.transaction_id, 0))
    settle(yard, lambda hearing: binding.paused(hearing, session, paused=True))
    assert (limit(yard), yard.connector.limited_by, session.paused) == (0, OWNER, True)
    assert session in yard.kept
    yard.confirm(own(session.transaction_id, 32))
    settle(yard, lambda hearing: binding.paused(hearing, session, paused=False))
    assert (limit(yard), session.paused) == (32, False)


def test_a_pause_ends_with_its_session_and_that_is_told() -> None:
    yard, transaction = charging()
    yard.confirm(default(32))
    yard.confirm(own(transaction, 0))
    yard.facts.clear()
    yard.hear(stop(transaction, 10))
    assert [fact.effective for fact in yard.told(LimitChanged)] == [Amps(32)]


def test_what_was_never_answered_of_a_transaction_goes_with_it() -> None:
    yard, transaction_id = charging()
    session = yard.station.book.find(transaction_id)
    assert session is not None
    yard.station.memory.asked[session.session_id] = Held(((NOON, Amps(10)),))
    yard.kept.clear()
    yard.hear(stop(transaction_id, 10))
    assert yard.station.memory.asked == {}
    assert yard.station.memory in yard.kept


def test_a_limit_of_a_transaction_that_is_over_changes_nothing() -> None:
    yard, transaction = charging()
    yard.hear(stop(transaction, 10))
    for transaction_id in (transaction, "nobody's"):
        yard.confirm(own(transaction_id, 0))
    assert limit(yard) is None


def test_nothing_that_is_allowed_is_no_pause() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    lower_the_ceiling(yard, 0)
    yard.confirm(own(session.transaction_id, 0))
    assert not session.paused
    yard.confirm(own(session.transaction_id, 10))
    assert limit(yard) == 10


def test_a_ceiling_is_the_owner_s_and_told_once() -> None:
    yard = Yard()
    for _ in range(2):
        lower_the_ceiling(yard, 13)
    assert (yard.station.limit, yard.station.memory.limit) == (Amps(13), Amps(13))
    assert len(yard.told(LimitsChanged)) == 1


def test_the_ceiling_before_0_is_remembered_and_written_down() -> None:
    yard = Yard()
    for amps in (13, 0, 0):
        lower_the_ceiling(yard, amps)
    assert yard.station.memory.earlier_limit == Amps(13)
    assert yard.kept[-1] is yard.station.memory


def test_what_binds_already_is_not_told_again() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    for _ in range(2):
        lower_the_ceiling(yard, 10)
    assert len(yard.told(LimitChanged)) == 1


@given(st.lists(st.tuples(st.sampled_from([default, base, own]), st.sampled_from([0, 6, 10, 16, 32])), min_size=1))
def test_what_binds_a_transaction_is_what_its_own_profile_says_else_the_default_s_else_the_base_s(
    steps: list[tuple[Callable[..., SetLimit], int]],
) -> None:
    yard, transaction = charging()
    said: dict[Callable[..., SetLimit], int] = {}
    for kind, amps in steps:
        yard.confirm(own(transaction, amps) if kind is own else kind(amps))
        said[kind] = amps
        assert limit(yard) == next(said[one] for one in (own, default, base) if one in said)
        assert yard.connector.charging is (limit(yard) != 0)
