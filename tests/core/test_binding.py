"""Which limit binds: the owner's ceiling, or less where a session has a limit of its own."""

from __future__ import annotations

from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.commands import Order, StartCharging
from ocpp_mqtt_proxy.core.events import LimitChanged
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import OWNER, Amps, Status, Target
from tests.core.yard import NOON, ONE, Yard, start, status, stop

TAG = "04A1B2C3"
AT = Target(1, ONE)


def confirm(yard: Yard, order: Order) -> None:
    yard.note(rules.confirm(yard.station, order, yard.now, yard.numbers))


def ceiling(amps: float) -> SetLimit:
    return SetLimit(Target(), Amps(amps), NOON, ceiling=Amps(amps))


def own(transaction_id: str, amps: float) -> SetLimit:
    return SetLimit(AT, Amps(amps), NOON, transaction_id=transaction_id)


def limit(yard: Yard) -> float | None:
    return yard.connector.effective_limit


def test_a_pause_binds_until_it_is_over_and_is_written_down() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    confirm(yard, own(session.transaction_id, 0))
    assert (limit(yard), yard.connector.limited_by, session.paused) == (0, OWNER, True)
    assert session in yard.kept
    confirm(yard, own(session.transaction_id, 32))
    assert (limit(yard), session.paused) == (32, False)


def test_a_pause_ends_with_its_session_and_that_is_told() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    confirm(yard, own(session.transaction_id, 0))
    yard.facts.clear()
    yard.hear(stop(session.transaction_id, 10))
    assert [fact.effective for fact in yard.told(LimitChanged)] == [Amps(32)]


def test_a_limit_of_a_transaction_that_is_over_changes_nothing() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    yard.hear(stop(session.transaction_id, 10))
    for transaction_id in (session.transaction_id, "nobody's"):
        confirm(yard, own(transaction_id, 0))
    assert limit(yard) is None


def test_a_ceiling_of_0_is_no_pause() -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    confirm(yard, ceiling(0))
    confirm(yard, own(session.transaction_id, 0))
    assert not session.paused
    confirm(yard, ceiling(10))
    assert limit(yard) == 10


def test_the_ceiling_before_0_is_remembered() -> None:
    yard = Yard()
    for amps in (13, 0, 0):
        confirm(yard, ceiling(amps))
    assert yard.station.earlier_limit == Amps(13)


def test_a_limit_that_was_promised_before_the_session_began_is_its_own() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    confirm(yard, StartCharging(AT, TAG.lower(), 1, Amps(10)))
    assert limit(yard) is None
    session = yard.started(start(0, tag=TAG))
    assert limit(yard) == 10
    assert (session.limit, yard.station.limit) == (Amps(10), Amps(32))


def test_a_limit_that_was_promised_after_the_session_began_is_its_own() -> None:
    yard = Yard()
    yard.started(start(0, tag=TAG))
    confirm(yard, StartCharging(AT, TAG, 1, Amps(10)))
    assert limit(yard) == 10


def test_a_limit_is_not_kept_for_another_card_nor_for_later() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    confirm(yard, StartCharging(AT, "OTHER", 1, Amps(10)))
    session = yard.started(start(0, tag=TAG))
    assert limit(yard) is None
    yard.hear(stop(session.transaction_id, 10))
    yard.started(start(20, tag="OTHER"))
    assert limit(yard) is None


def test_what_binds_already_is_not_told_again() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    for _ in range(2):
        confirm(yard, ceiling(10))
    assert len(yard.told(LimitChanged)) == 1


@given(st.lists(st.tuples(st.sampled_from(["ceiling", "own"]), st.sampled_from([0, 6, 10, 16, 32])), min_size=1))
def test_nothing_ever_binds_above_the_ceiling(steps: list[tuple[str, int]]) -> None:
    yard = Yard()
    session = yard.started(start(0, tag=TAG))
    for kind, amps in steps:
        confirm(yard, ceiling(amps) if kind == "ceiling" else own(session.transaction_id, amps))
        effective = limit(yard)
        assert effective is not None
        assert effective <= yard.station.limit
        assert yard.connector.charging is (effective > 0)
