"""Whether a charger keeps to what binds its session, and what follows from that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ocpp_mqtt_proxy.core.audit import LIMIT, Cause, Decided
from ocpp_mqtt_proxy.core.events import LimitChanged, LimitsIgnored, LimitsObeyed, LimitVerified
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import CURRENT, CURRENT_OFFERED, Amps, IdToken, Reading, Status, Target, Version
from ocpp_mqtt_proxy.core.reports import Phase
from ocpp_mqtt_proxy.core.session import Session
from tests.core.yard import ONE, Yard, begin, event, meter, status, stop

INTERVAL = 15


def current(amps: float) -> Reading:
    return Reading(CURRENT, amps, "A")


def offered(amps: float) -> Reading:
    return Reading(CURRENT_OFFERED, amps, "A")


def limit(yard: Yard, amps: float, session: Session | None = None, **more: float) -> None:
    """The charger confirms a limit of a transaction, or of all."""
    transaction = None if session is None else session.transaction_id
    at = Target() if session is None else Target(1, ONE)
    order = SetLimit(at, Amps(amps), yard.now, transaction_id=transaction, since=yard.now, **more)  # type: ignore[arg-type] # seconds
    yard.confirm(order)


def read(yard: Yard, *readings: Reading, times: int = 1) -> None:
    """The charger sends readings, one message each interval."""
    for _ in range(times):
        yard.hear(meter(*readings, at=yard.pass_(seconds=INTERVAL)))


def verified(yard: Yard) -> list[tuple[float, bool]]:
    """The limits that were told, and that they are kept to, in order."""
    told = [fact for fact in yard.facts if isinstance(fact, LimitChanged | LimitVerified)]
    return [(fact.effective, isinstance(fact, LimitVerified) or fact.verified) for fact in told]


def explained(yard: Yard) -> list[str]:
    return [one.reason for one in yard.kept if isinstance(one, Decided) and one.subject == LIMIT]


@pytest.fixture
def yard() -> Yard:
    """A charger that charges at 32 A with a limit of 32 A that it keeps to."""
    yard = Yard()
    begin(yard)
    limit(yard, 32)
    read(yard, current(32))
    yard.facts.clear()
    yard.kept.clear()
    return yard


def test_a_limit_is_told_when_it_is_confirmed_and_again_when_it_is_seen_to_be_kept_to(yard: Yard) -> None:
    limit(yard, 10)
    assert (verified(yard), yard.connector.limit_verified) == ([(10, False)], None)
    read(yard, current(10), times=3)
    assert (verified(yard), yard.connector.limit_verified) == ([(10, False), (10, True)], True)


def test_what_is_offered_verifies_a_limit_though_nothing_flows(yard: Yard) -> None:
    limit(yard, 10)
    read(yard, current(0), offered(10))
    assert yard.connector.limit_verified


def test_a_small_car_tells_nothing() -> None:
    yard = Yard()
    begin(yard)
    limit(yard, 10)
    read(yard, current(3), times=5)
    assert (verified(yard), yard.connector.limit_verified) == ([(10, False)], None)


def test_a_charger_that_gives_more_is_said_to_ignore_limits_once(yard: Yard) -> None:
    limit(yard, 10)
    read(yard, current(32), times=5)
    (fact,) = yard.told(LimitsIgnored)
    assert (fact.effective, fact.gives, fact.connector) == (Amps(10), 32, 1)
    assert yard.connector.limit_verified is False
    assert yard.station.ignores is not None
    assert yard.station.ignores.gave == 32


def test_another_limit_that_is_ignored_too_is_no_news(yard: Yard) -> None:
    for amps, flows in [(16, 20), (10, 25)]:
        limit(yard, amps)
        read(yard, current(flows), times=2)
    assert len(yard.told(LimitsIgnored)) == 1
    assert yard.station.ignores is not None
    assert yard.station.ignores.gave == 25


def test_it_counts_at_what_flows_while_it_does(yard: Yard) -> None:
    limit(yard, 10)
    read(yard, current(30), times=2)
    assert yard.station.reach(yard.now) == Amps(30)
    read(yard, current(25))
    assert yard.station.reach(yard.now) == Amps(25)
    read(yard, current(10), times=2)
    assert yard.station.reach(yard.now) == Amps(10)
    assert not yard.station.overdraws


def test_it_is_believed_again_once_it_obeys(yard: Yard) -> None:
    limit(yard, 10)
    read(yard, current(32), times=2)
    read(yard, current(10), times=2)
    assert len(yard.told(LimitsObeyed)) == 1
    assert yard.station.ignores is None
    assert explained(yard) == [Cause.LOWERED, Cause.IGNORED, Cause.VERIFIED]


def test_it_is_not_believed_for_a_limit_that_allows_what_it_gives_anyhow(yard: Yard) -> None:
    limit(yard, 10)
    read(yard, current(32), times=2)
    yard.pass_(seconds=INTERVAL)
    limit(yard, 32)
    read(yard, current(32), times=2)
    assert yard.connector.limit_verified
    assert yard.station.ignores is not None
    limit(yard, 16)
    read(yard, current(16), times=2)
    assert yard.station.ignores is None


def test_one_that_fell_back_into_it_is_caught_again(yard: Yard) -> None:
    limit(yard, 10)
    for amps in (32, 10, 32):
        read(yard, current(amps), times=2)
    assert yard.connector.limit_verified is False
    assert len(yard.told(LimitsIgnored)) == 2


def test_a_verdict_goes_with_its_session_and_the_charge_against_the_charger_stays(yard: Yard) -> None:
    limit(yard, 10)
    read(yard, current(32), times=2)
    assert yard.connector.session is not None
    yard.hear(stop(yard.connector.session.transaction_id, 2000))
    assert yard.connector.limit_verified is None
    assert not yard.station.overdraws
    assert yard.station.ignores is not None


def test_another_limit_is_looked_at_anew(yard: Yard) -> None:
    limit(yard, 16)
    read(yard, current(16))
    limit(yard, 10)
    assert yard.connector.limit_verified is None
    read(yard, current(10))
    assert verified(yard) == [(16, False), (16, True), (10, False), (10, True)]


def test_a_limit_that_bound_before_the_session_is_looked_at_too() -> None:
    yard = Yard()
    yard.hear(status(Status.PREPARING))
    yard.station.plan.max_current = Amps(10)
    limit(yard, 10)
    begin(yard)
    read(yard, current(10), times=2)
    assert yard.connector.limit_verified


def test_what_was_read_before_the_limit_says_nothing_of_it(yard: Yard) -> None:
    old = yard.now
    yard.pass_(minutes=5)
    limit(yard, 10)
    yard.hear(meter(offered(10), at=old))
    assert yard.connector.limit_verified is None


def test_a_clock_that_is_slow_makes_no_reading_old(yard: Yard) -> None:
    yard.station.behind = timedelta(hours=1)
    limit(yard, 10)
    yard.pass_(seconds=INTERVAL)
    yard.hear(meter(offered(10), at=yard.ago(hours=1)))
    assert yard.connector.limit_verified


def test_what_flowed_when_another_step_was_due_accuses_nobody(yard: Yard) -> None:
    """A transaction's profile ran out while the charger was away, and what it read then comes late."""
    session = yard.connector.session
    assert session is not None
    limit(yard, 0, session, seconds=60)
    yard.pass_(minutes=3)
    for seconds in (60, 30):
        yard.hear(meter(current(32), at=yard.ago(seconds=seconds)))
    assert yard.connector.limit_verified is None


def test_a_charger_that_nobody_ever_limited_is_not_looked_at() -> None:
    yard = Yard()
    begin(yard)
    read(yard, current(40), times=5)
    assert (yard.connector.check, yard.told(LimitsIgnored)) == (None, [])


@pytest.mark.parametrize("version", [Version.V201, Version.V21])
def test_a_transaction_s_own_readings_tell_it_too(version: Version) -> None:
    yard = Yard(version)
    yard.hear(event(Phase.STARTED, at=yard.now, token=IdToken("CARD")))
    limit(yard, 10)
    for _ in range(2):
        yard.hear(event(Phase.UPDATED, current(10), at=yard.pass_(seconds=INTERVAL)))
    assert yard.connector.limit_verified


# The audit


def rows(yard: Yard) -> list[Decided]:
    return [one for one in yard.kept if isinstance(one, Decided)]


def test_each_limit_is_explained(yard: Yard) -> None:
    limit(yard, 10)
    (row,) = rows(yard)
    assert (row.subject, row.verdict, row.reason, row.provider) == (LIMIT, "limited", Cause.LOWERED, "owner")
    assert row.message == "10 A, lowered at once"
    assert (row.inputs["connector"], row.inputs["from"], row.inputs["to"]) == (1, 32, 10)


def test_a_raise_is_told_from_a_lowering(yard: Yard) -> None:
    limit(yard, 10)
    limit(yard, 16)
    assert explained(yard) == [Cause.LOWERED, Cause.RAISED]


def test_nothing_in_place_of_what_was_refused_is_explained(yard: Yard) -> None:
    order = SetLimit(Target(), Amps(0), yard.now, since=yard.now, instead_of=Amps(10))
    yard.confirm(order)
    assert explained(yard) == [Cause.REFUSED]


def test_what_everybody_allowed_is_remembered(yard: Yard) -> None:
    yard.station.allowed = {1: {"night": Amps(10), "group:house": Amps(20)}}
    limit(yard, 10)
    assert rows(yard)[0].inputs["allowed"] == {"night": 10, "group:house": 20}
    assert rows(yard)[0].inputs["ceiling"] == 32


def test_a_storm_does_not_flood_the_log(yard: Yard) -> None:
    seconds = 5
    changes = 24 * 3600 // seconds
    for number in range(changes):
        yard.pass_(seconds=seconds)
        limit(yard, 10 + number % 2)
    assert len(rows(yard)) < changes / 5
    told = sum(int(str(row.inputs.get("unrecorded", 0))) for row in rows(yard))
    assert told + len(rows(yard)) + yard.connector.unexplained == changes


def test_what_matters_is_explained_in_a_storm_too(yard: Yard) -> None:
    for number in range(200):
        limit(yard, 10 + number % 2)
    yard.kept.clear()
    read(yard, current(32), times=2)
    assert explained(yard) == [Cause.IGNORED]
