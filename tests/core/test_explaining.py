"""Why another limit binds, as the audit log says."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ocpp_mqtt_proxy.core import binding
from ocpp_mqtt_proxy.core.audit import LIMIT, Cause, Decided
from ocpp_mqtt_proxy.core.explaining import TEXTS
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import Amps, Target
from ocpp_mqtt_proxy.core.station import Provided
from tests.core.yard import ONE, Yard, begin, stop

QUARTER = 900.0


@pytest.fixture
def yard() -> Yard:
    """A car charges; every transaction may take 6 A for good."""
    yard = Yard()
    begin(yard)
    order = SetLimit(Target(), Amps(6), yard.now, since=yard.now)
    yard.confirm(order)
    yard.kept.clear()
    return yard


def of_session(yard: Yard, amps: float, *later: tuple[float, float]) -> None:
    """The charger confirms a profile of the session, for a quarter of an hour, in steps."""
    session = yard.connector.session
    assert session is not None
    steps = tuple((after, Amps(then)) for after, then in later)
    order = SetLimit(
        Target(1, ONE),
        Amps(amps),
        yard.now,
        transaction_id=session.transaction_id,
        later=steps,
        seconds=QUARTER,
        since=yard.now,
    )
    yard.confirm(order)


def looks(yard: Yard, **time: float) -> None:
    """Time goes by, and it is looked at what binds by then."""
    at: datetime = yard.pass_(**time)
    hearing = Hearing(yard.station, at, yard.numbers)
    binding.settle(hearing)
    yard.kept += hearing.changes


def explained(yard: Yard) -> list[tuple[str, object, object]]:
    rows = [one for one in yard.kept if isinstance(one, Decided) and one.subject == LIMIT]
    return [(row.reason, row.inputs["from"], row.inputs["to"]) for row in rows]


def test_a_step_by_the_charger_s_own_clock(yard: Yard) -> None:
    of_session(yard, 16, (300, 10))
    looks(yard, seconds=301)
    assert explained(yard) == [(Cause.RAISED, 6, 16), (Cause.STEP, 16, 10)]


def test_what_it_falls_back_to_when_nobody_puts_it_anew(yard: Yard) -> None:
    of_session(yard, 16)
    looks(yard, seconds=QUARTER + 1)
    assert explained(yard) == [(Cause.RAISED, 6, 16), (Cause.FELL_BACK, 16, 6)]


def test_what_comes_after_that_is_no_fall(yard: Yard) -> None:
    of_session(yard, 16)
    looks(yard, seconds=QUARTER + 1)
    yard.pass_(minutes=1)
    of_session(yard, 20)
    assert explained(yard)[-1] == (Cause.RAISED, 6, 20)


def test_the_owner_s_word(yard: Yard) -> None:
    yard.station.wish = Amps(10)
    of_session(yard, 10)
    assert explained(yard) == [(Cause.CEILING, 6, 10)]


@pytest.mark.parametrize(("paused", "cause"), [(True, Cause.PAUSED), (False, Cause.RESUMED)])
def test_a_pause_and_its_end(yard: Yard, paused: bool, cause: Cause) -> None:
    session = yard.connector.session
    assert session is not None
    yard.station.pausing = {session.session_id: paused}
    of_session(yard, 0 if paused else 16)
    assert [why for why, _, _ in explained(yard)] == [cause]


def test_the_same_by_another(yard: Yard) -> None:
    of_session(yard, 10)
    yard.station.provided = Provided(Amps(10), "night")
    looks(yard, seconds=1)
    assert explained(yard)[-1] == (Cause.SHARED, 10, 10)


def test_the_end_of_what_a_session_had_of_its_own(yard: Yard) -> None:
    session = yard.connector.session
    assert session is not None
    of_session(yard, 10)
    yard.hear(stop(session.transaction_id, 2000))
    assert explained(yard)[-1] == (Cause.ENDED, 10, 32)


def test_how_many_are_left_out_is_told_by_the_next(yard: Yard) -> None:
    for number in range(70):
        of_session(yard, 10 + number % 2)
    yard.pass_(minutes=1)
    of_session(yard, 16)
    rows = [one for one in yard.kept if isinstance(one, Decided)]
    left_out = rows[-1].inputs["unrecorded"]
    assert isinstance(left_out, int)
    assert len(rows) + left_out == 71


def test_every_cause_has_words() -> None:
    assert set(TEXTS) == set(Cause)


def test_a_clock_that_was_put_back_explains_as_before(yard: Yard) -> None:
    of_session(yard, 10)
    yard.now -= timedelta(hours=1)
    of_session(yard, 16)
    assert explained(yard)[-1] == (Cause.RAISED, 10, 16)
