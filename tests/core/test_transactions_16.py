"""Transactions of OCPP 1.6, where the ids are ours and the messages are repeated, late, lost or nonsense."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.events import MeterRead, SessionEnded, SessionStarted
from ocpp_mqtt_proxy.core.model import STATION, Place, Status, StopReason, WattHours
from ocpp_mqtt_proxy.core.reports import (
    HeartbeatReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.session import State
from tests.core.yard import (
    ONE,
    TWO,
    Yard,
    begin,
    energy,
    meter,
    plain,
    power,
    sample,
    start,
    station_status,
    status,
    stop,
)

UNKNOWN_IDS = ["-1", "0", "4711", "9223372036854775807", "nonsense"]


@pytest.fixture
def yard() -> Yard:
    return Yard()


class TestAStart:
    def test_is_given_an_id_and_kept_before_it_is_answered(self, yard: Yard) -> None:
        heard = yard.hear(start(1000, yard.now, reservation_id=5))
        assert isinstance(heard.answer, TransactionAnswer)
        assert heard.answer.transaction_id == "101"
        assert heard.durable
        (session,) = yard.sessions
        assert session in heard.changes
        assert yard.numbers in heard.changes
        assert (session.id_tag, plain(session.meter_start), session.reservation_id) == ("CARD", 1000, 5)
        assert [fact.session for fact in yard.told(SessionStarted)] == [session]

    def test_counts_its_session_from_its_own_register(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(meter(energy(1500), of=session.transaction_id, at=yard.pass_(minutes=5)))
        yard.hear(stop(session.transaction_id, 3000, yard.pass_(minutes=5), stop_reason=StopReason.REMOTE))
        assert (session.energy, session.cost, session.reason) == (2000, Decimal("0.6"), StopReason.REMOTE)
        assert session.duration(yard.now) == 600

    def test_is_a_reading_of_the_lifetime_register_too(self, yard: Yard) -> None:
        begin(yard)
        assert yard.lifetime == 1000

    def test_at_0_is_a_start_like_any_other(self, yard: Yard) -> None:
        session = begin(yard, 0)
        yard.hear(stop(session.transaction_id, 700, yard.pass_(minutes=5)))
        assert (plain(session.meter_start), session.energy) == (0, 700)

    @pytest.mark.parametrize("wh", [None, -1])
    def test_without_a_register_counts_from_the_first_reading(self, yard: Yard, wh: float | None) -> None:
        session = yard.started(start(wh, yard.now))
        yard.hear(meter(energy(5000), of=session.transaction_id, at=yard.pass_(minutes=1)))
        yard.hear(stop(session.transaction_id, 5700, yard.pass_(minutes=5)))
        assert (plain(session.meter_start), session.energy) == (5000, 700)

    @pytest.mark.parametrize("place", [None, STATION, Place(0)])
    def test_without_a_connector_is_on_the_only_one(self, yard: Yard, place: Place | None) -> None:
        assert yard.started(start(1000, yard.now, place)).connector == 1

    def test_on_no_connector_of_several_is_confirmed_all_the_same(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, ONE))
        yard.hear(status(Status.AVAILABLE, TWO))
        assert yard.hear(start(1000, yard.now, STATION)).answer is not None
        assert yard.sessions == []

    def test_without_a_card_has_no_verdict(self, yard: Yard) -> None:
        answer = yard.hear(start(1000, yard.now, tag=None)).answer
        assert isinstance(answer, TransactionAnswer)
        assert answer.authorization is None

    def test_on_a_connector_that_was_long_available_goes_on(self, yard: Yard) -> None:
        """Some chargers send the start before the status."""
        yard.hear(status(Status.AVAILABLE, at=yard.now))
        yard.pass_(hours=8)
        session = yard.started(start(1000, yard.now))
        yard.hear(HeartbeatReported())
        assert session.running

    @pytest.mark.parametrize("at", [datetime(1970, 1, 1, 0, 0, 23, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC), None])
    def test_at_a_time_that_cannot_be_began_when_it_came(self, yard: Yard, at: datetime | None) -> None:
        assert yard.started(start(1000, at)).started_at == yard.now

    def test_has_the_time_the_charger_says(self, yard: Yard) -> None:
        assert yard.started(start(1000, yard.ago(hours=3))).started_at == yard.ago(hours=3)

    def test_gets_no_id_that_the_charger_brought_along(self, yard: Yard) -> None:
        yard.hear(status(Status.CHARGING, TWO))
        yard.hear(meter(energy(8000), of="101", place=TWO))
        assert yard.started(start(1000, yard.now)).transaction_id == "102"
        assert {session.transaction_id for session in yard.sessions if session.running} == {"101", "102"}


class TestARepeatedStart:
    def test_is_the_same_session(self, yard: Yard) -> None:
        report = start(1000, yard.now)
        first = yard.started(report)
        yard.pass_(minutes=1)
        heard = yard.hear(report)
        assert isinstance(heard.answer, TransactionAnswer)
        assert heard.answer.transaction_id == first.transaction_id
        assert yard.sessions == [first]
        assert len(yard.told(SessionStarted)) == 1

    def test_is_written_down_again_for_the_first_may_have_failed(self, yard: Yard) -> None:
        report = start(1000, yard.now)
        session = yard.started(report)
        heard = yard.hear(report)
        assert heard.durable
        assert session in heard.changes
        assert yard.numbers in heard.changes

    def test_is_known_by_its_card_whatever_its_case(self, yard: Yard) -> None:
        at = yard.now
        yard.hear(start(1000, at, tag="Card"))
        yard.hear(start(1000, at, tag="CARD"))
        assert len(yard.sessions) == 1

    def test_changes_nothing_after_the_end(self, yard: Yard) -> None:
        report = start(1000, yard.now)
        session = yard.started(report)
        yard.hear(stop(session.transaction_id, 3000, yard.pass_(minutes=5)))
        assert yard.started(report) is session
        assert session.state is State.ENDED
        assert yard.connector.session is None

    @pytest.mark.parametrize("at", [None, datetime(1970, 1, 1, 0, 0, 23, tzinfo=UTC)])
    def test_without_a_time_that_tells_is_one_only_while_the_first_runs(self, yard: Yard, at: datetime | None) -> None:
        """A register that restarts makes every start the same."""
        report = start(0, at)
        first = yard.started(report)
        assert yard.started(report) is first
        yard.hear(stop(first.transaction_id, 3000, yard.pass_(hours=1)))
        second = yard.started(report)
        assert second is not first
        assert second.running

    @pytest.mark.parametrize(
        "differs",
        [{"wh": 1001.0}, {"place": TWO}, {"tag": "OTHER"}, {"at": datetime(2026, 3, 14, 11, 59, tzinfo=UTC)}],
        ids=lambda differs: next(iter(differs)),
    )
    def test_differs_in_nothing_else(self, yard: Yard, differs: dict[str, object]) -> None:
        same: dict[str, object] = {"wh": 1000.0, "at": yard.now, "place": ONE, "tag": "CARD"}
        yard.hear(start(**same))  # type: ignore[arg-type]  # a table of arguments
        yard.hear(start(**same | differs))  # type: ignore[arg-type]
        assert len(yard.sessions) == 2


class TestASecondStart:
    def test_closes_what_runs_when_it_begins(self, yard: Yard) -> None:
        first = begin(yard)
        yard.hear(meter(energy(1500), of=first.transaction_id, at=yard.pass_(minutes=5)))
        begun = yard.pass_(hours=1)
        yard.pass_(hours=1)
        second = yard.started(start(1600, begun))
        assert (first.state, first.energy, first.ended_at) == (State.CLOSED, 500, begun)
        assert yard.connector.session is second
        assert [fact.session for fact in yard.told(SessionEnded)] == [first]

    def test_is_corrected_by_the_first_one_s_late_stop(self, yard: Yard) -> None:
        first = begin(yard)
        second = yard.started(start(4000, yard.pass_(hours=1)))
        yard.hear(stop(first.transaction_id, 3900, yard.ago(minutes=5)))
        assert (first.state, first.energy) == (State.ENDED, 2900)
        assert yard.connector.session is second

    def test_that_is_older_than_what_runs_leaves_that_alone(self, yard: Yard) -> None:
        """A backlog may come after what is live."""
        running = begin(yard, 5000)
        late = yard.started(start(1000, yard.ago(hours=5)))
        assert running.running
        assert yard.connector.session is running
        assert late.state is State.CLOSED
        yard.hear(stop(late.transaction_id, 4000, yard.ago(hours=3)))
        assert (late.state, late.energy, late.ended_at) == (State.ENDED, 3000, yard.ago(hours=3))
        assert running.running

    def test_whose_clock_went_back_is_told_by_its_register(self, yard: Yard) -> None:
        first = begin(yard, 5000)
        second = yard.started(start(9000, yard.ago(hours=5)))
        assert (first.state, second.state) == (State.CLOSED, State.RUNNING)

    def test_on_another_connector_leaves_the_first_alone(self, yard: Yard) -> None:
        first, second = begin(yard, 1000, ONE), begin(yard, 5000, TWO)
        yard.hear(stop(first.transaction_id, 2000))
        assert (first.running, second.running) == (False, True)


class TestAStop:
    @pytest.mark.parametrize("transaction_id", UNKNOWN_IDS)
    def test_of_nothing_known_is_confirmed(self, yard: Yard, transaction_id: str) -> None:
        assert yard.hear(stop(transaction_id, 3000)).answer == TransactionAnswer(transaction_id)
        assert yard.sessions == []

    @pytest.mark.parametrize("transaction_id", UNKNOWN_IDS)
    def test_of_an_unknown_id_ends_the_one_that_runs(self, yard: Yard, transaction_id: str) -> None:
        session = begin(yard)
        yard.hear(stop(transaction_id, 3000, yard.pass_(hours=1)))
        assert (session.state, session.energy) == (State.ENDED, 2000)

    def test_of_an_unknown_id_ends_none_of_two(self, yard: Yard) -> None:
        begin(yard, 1000, ONE)
        begin(yard, 1000, TWO)
        yard.hear(stop("-1", 3000, yard.pass_(hours=1)))
        assert all(session.running for session in yard.sessions)

    def test_of_an_unknown_id_ends_the_one_of_two_that_it_fits(self, yard: Yard) -> None:
        begin(yard, 1000, ONE, tag="ANNA")
        begin(yard, 1000, TWO, tag="BEN")
        yard.hear(stop("-1", 3000, yard.pass_(hours=1), tag="ben"))
        assert [session.running for session in yard.sessions] == [True, False]

    @pytest.mark.parametrize(
        "late",
        [
            stop("-1", 500, None),
            stop("-1", 3000, None, tag="OTHER"),
            stop("-1", 3000, datetime(2026, 3, 14, 9, tzinfo=UTC)),
        ],
        ids=["below its register", "with another card", "before it began"],
    )
    def test_of_an_unknown_id_that_cannot_be_the_running_one_s_ends_nothing(
        self, yard: Yard, late: TransactionReported
    ) -> None:
        session = begin(yard)
        yard.hear(late)
        assert session.running

    def test_repeated_changes_nothing(self, yard: Yard) -> None:
        session = begin(yard)
        report = stop(session.transaction_id, 3000, yard.pass_(hours=1))
        yard.hear(report)
        yard.pass_(minutes=1)
        heard = yard.hear(replace(report, meter_stop=WattHours(9000), stop_reason=StopReason.REBOOT))
        assert heard.answer == TransactionAnswer(session.transaction_id)
        assert (session.energy, session.reason) == (2000, StopReason.LOCAL)
        assert len(yard.told(SessionEnded)) == 1

    def test_repeated_is_written_down_again_for_the_first_may_have_failed(self, yard: Yard) -> None:
        session = begin(yard)
        report = stop(session.transaction_id, 3000)
        yard.hear(report)
        heard = yard.hear(report)
        assert heard.durable
        assert heard.changes == [session]

    def test_is_on_disk_before_it_is_answered(self, yard: Yard) -> None:
        session = begin(yard)
        heard = yard.hear(stop(session.transaction_id, 3000))
        assert heard.durable
        assert session in heard.changes

    def test_of_an_ended_session_leaves_the_one_that_runs_alone(self, yard: Yard) -> None:
        first = begin(yard)
        report = stop(first.transaction_id, 3000, yard.pass_(hours=1))
        yard.hear(report)
        second = begin(yard, 3000)
        yard.hear(report)
        assert second.running

    def test_takes_its_readings_along(self, yard: Yard) -> None:
        session = begin(yard)
        samples = (
            sample(energy(1000, "Transaction.Begin"), at=yard.now),
            sample(energy(2000), power(7000), at=yard.pass_(minutes=10)),
            sample(energy(4000, "Transaction.End"), at=yard.pass_(minutes=10)),
        )
        yard.hear(stop(session.transaction_id, None, yard.now, samples=samples))
        assert (session.energy, plain(session.meter_stop)) == (3000, 4000)

    def test_tells_of_its_last_reading_alone(self, yard: Yard) -> None:
        session = begin(yard)
        samples = tuple(sample(energy(1000 + n), at=yard.pass_(minutes=1)) for n in range(100))
        yard.hear(stop(session.transaction_id, 1100, samples=samples))
        assert [fact.readings[0].value for fact in yard.told(MeterRead)] == [1099]

    def test_follows_a_register_that_restarted_through_its_readings(self, yard: Yard) -> None:
        session = begin(yard, 8000)
        samples = tuple(sample(energy(wh), at=yard.pass_(minutes=10)) for wh in (300, 700, 1500))
        yard.hear(stop(session.transaction_id, 1500, samples=samples))
        assert session.energy == 1500

    def test_goes_by_its_register_and_not_by_its_readings(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(stop(session.transaction_id, 3000, samples=(sample(energy(2990)),)))
        assert plain(session.meter_stop) == 3000

    def test_without_any_reading_keeps_what_was_seen(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(meter(energy(1700), of=session.transaction_id))
        yard.hear(stop(session.transaction_id, None, samples=(sample(power(0)),)))
        assert (session.energy, plain(session.meter_stop)) == (700, 1700)

    def test_without_anything_known_of_it_makes_up_no_session(self, yard: Yard) -> None:
        yard.hear(stop("4711", None))
        assert yard.sessions == []

    def test_counts_for_the_lifetime_register_too(self, yard: Yard) -> None:
        session = begin(yard, 5_000_000)
        yard.hear(stop(session.transaction_id, 5_003_000, yard.pass_(hours=1)))
        assert yard.lifetime == 5_003_000

    def test_long_ago_ended_long_ago(self, yard: Yard) -> None:
        session = yard.started(start(1000, yard.ago(hours=9)))
        yard.hear(stop(session.transaction_id, 30_000, yard.ago(hours=3)))
        assert (session.duration(yard.now), session.energy) == (6 * 3600, 29_000)


def test_ids_go_on_over_restarts() -> None:
    first = Yard(numbers=Numbers("test", 100))
    first.hear(start(1000, first.now))
    second = Yard(numbers=Numbers("test", first.numbers.last_transaction, first.numbers.last_session))
    assert second.started(start(2000, second.now)).transaction_id == "102"


def test_a_night_s_charge_of_a_box_whose_register_restarts() -> None:
    """Start at 0 and readings of the session alone, three nights on end: the lifetime adds up, sessions stand alone."""
    yard = Yard()
    for night in range(3):
        session = yard.started(start(0, yard.pass_(hours=12)))
        for wh in (0, 4000, 8000):
            yard.hear(meter(energy(wh), of=session.transaction_id, at=yard.pass_(minutes=30)))
        yard.hear(stop(session.transaction_id, 9000, yard.pass_(minutes=5)))
        assert session.energy == 9000
        assert yard.lifetime == 9000 * (night + 1)
    assert sum(session.duration(yard.now) for session in yard.sessions) == 3 * timedelta(minutes=95).total_seconds()


def test_what_the_station_says_of_itself_is_no_transaction_s_end(yard: Yard) -> None:
    session = begin(yard)
    yard.hear(station_status(Status.AVAILABLE))
    yard.pass_(hours=1)
    yard.hear(HeartbeatReported())
    assert session.running
