"""Transactions of OCPP 2.x, where the ids are the station's and events come late, twice or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ocpp_mqtt_proxy.core.events import MeterRead, SessionEnded, SessionStarted, SessionUpdated
from ocpp_mqtt_proxy.core.model import (
    OCCUPIED,
    STATION,
    ChargingState,
    IdToken,
    Place,
    Status,
    StopReason,
    Version,
    WattHours,
)
from ocpp_mqtt_proxy.core.reports import HeartbeatReported, Phase, TransactionAnswer
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.transactions import STALE
from tests.core.yard import ONE, TWO, Yard, energy, event, meter, plain, power, sample, status

CHARGING = ChargingState.CHARGING
STARTED, UPDATED, ENDED = Phase.STARTED, Phase.UPDATED, Phase.ENDED


@pytest.fixture
def yard() -> Yard:
    return Yard(version=Version.V201)


def begin(yard: Yard, wh: float = 1000, tx: str = "tx-1", place: Place = ONE) -> Session:
    yard.hear(status(OCCUPIED, place, yard.now))
    begun = energy(wh, "Transaction.Begin")
    return yard.started(event(STARTED, begun, tx=tx, at=yard.now, place=place, state=CHARGING, seq_no=0))


class TestStarted:
    def test_keeps_the_station_s_id_and_is_kept_before_it_is_answered(self, yard: Yard) -> None:
        heard = yard.hear(event(STARTED, energy(1000, "Transaction.Begin"), token=IdToken("CARD"), remote_start_id=7))
        assert isinstance(heard.answer, TransactionAnswer)
        assert heard.answer.transaction_id == "tx-1"
        assert heard.durable
        (session,) = yard.sessions
        assert (session.id_tag, session.remote_start_id, plain(session.meter_start)) == ("CARD", 7, 1000)
        assert [fact.session for fact in yard.told(SessionStarted)] == [session]

    def test_without_a_card_has_no_verdict(self, yard: Yard) -> None:
        answer = yard.hear(event(STARTED)).answer
        assert answer == TransactionAnswer("tx-1")

    def test_counts_from_its_reading_of_the_beginning(self, yard: Yard) -> None:
        yard.hear(event(STARTED, energy(1200), energy(1000, "Transaction.Begin")))
        assert plain(yard.sessions[0].meter_start) == 1000
        assert yard.sessions[0].energy == 200

    def test_counts_from_its_first_reading_where_none_is_of_the_beginning(self, yard: Yard) -> None:
        yard.hear(event(STARTED, energy(1200)))
        assert plain(yard.sessions[0].meter_start) == 1200

    def test_without_a_reading_counts_from_the_first_to_come(self, yard: Yard) -> None:
        yard.hear(meter(energy(500)))
        yard.hear(event(STARTED))
        yard.hear(event(UPDATED, energy(1200)))
        yard.hear(event(ENDED, energy(1900, "Transaction.End")))
        assert (plain(yard.sessions[0].meter_start), yard.sessions[0].energy) == (1200, 700)

    def test_repeated_is_the_same_session(self, yard: Yard) -> None:
        session = begin(yard)
        assert begin(yard) is session
        assert yard.sessions == [session]

    def test_repeated_after_the_end_changes_nothing(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(ENDED, energy(2000)))
        assert begin(yard) is session
        assert session.state is State.ENDED

    def test_of_another_closes_what_runs_there(self, yard: Yard) -> None:
        first = begin(yard)
        yard.pass_(hours=1)
        second = begin(yard, 5000, "tx-2")
        assert (first.state, first.ended_at, yard.connector.session) == (State.CLOSED, yard.now, second)

    def test_that_is_older_leaves_what_runs_alone(self, yard: Yard) -> None:
        running = begin(yard, 5000)
        late = yard.started(event(STARTED, energy(1000), tx="tx-0", at=yard.ago(hours=5), offline=True))
        yard.hear(event(UPDATED, energy(3000), tx="tx-0", at=yard.ago(hours=4), state=CHARGING, offline=True))
        yard.hear(event(ENDED, energy(4000), tx="tx-0", at=yard.ago(hours=3), offline=True))
        assert (late.state, late.energy) == (State.ENDED, 3000)
        assert yard.connector.session is running
        assert yard.status is Status.CHARGING

    def test_on_another_evse_leaves_the_first_alone(self, yard: Yard) -> None:
        first, second = begin(yard), begin(yard, 5000, "tx-2", TWO)
        assert first.running
        assert (second.connector, second.running) == (2, True)

    def test_nowhere_is_confirmed_where_there_are_several_connectors(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, ONE))
        yard.hear(status(Status.AVAILABLE, TWO))
        assert yard.hear(event(STARTED, place=None)).answer == TransactionAnswer("tx-1")
        assert yard.hear(event(UPDATED, place=STATION)).answer == TransactionAnswer("tx-1")
        assert yard.hear(event(ENDED, place=None)).answer == TransactionAnswer("tx-1")
        assert yard.sessions == []

    @pytest.mark.parametrize("tx", ["0", "-1", "1"])
    def test_with_a_number_for_an_id_is_a_transaction_like_any_other(self, yard: Yard, tx: str) -> None:
        session = begin(yard, tx=tx)
        yard.hear(event(UPDATED, energy(1500), tx=tx))
        yard.hear(event(ENDED, energy(2000), tx=tx))
        yard.hear(event(ENDED, energy(2000), tx=tx))
        assert yard.sessions == [session]
        assert session.energy == 1000


class TestUpdated:
    def test_brings_readings_card_and_state(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(UPDATED, energy(1500), power(7000), place=None, token=IdToken("CARD"), trigger="authorized"))
        assert (session.energy, session.id_tag, yard.connector.metrics["power"]) == (500, "CARD", 7000)
        assert [fact.trigger for fact in yard.told(SessionUpdated)] == ["authorized"]
        assert [fact.transaction_id for fact in yard.told(MeterRead)] == ["tx-1", "tx-1"]

    def test_is_written_down_whatever_it_brings(self, yard: Yard) -> None:
        session = begin(yard)
        heard = yard.hear(event(UPDATED, token=IdToken("CARD")))
        assert session in heard.changes

    def test_never_changes_the_card(self, yard: Yard) -> None:
        yard.hear(event(STARTED, token=IdToken("CARD")))
        yard.hear(event(UPDATED, token=IdToken("OTHER")))
        assert yard.sessions[0].id_tag == "CARD"

    def test_brings_a_remote_start_of_a_transaction_that_had_begun(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(UPDATED, remote_start_id=7, reservation_id=9))
        yard.hear(event(UPDATED))
        assert (session.remote_start_id, session.reservation_id) == (7, 9)

    def test_with_gaps_in_its_numbers_is_taken_all_the_same(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(UPDATED, energy(1500), at=yard.pass_(minutes=5), seq_no=4))
        yard.hear(event(UPDATED, energy(1200), at=yard.ago(minutes=2), seq_no=2))
        assert session.energy == 500
        assert session.sequence.missing == {1, 3}

    def test_repeated_counts_once(self, yard: Yard) -> None:
        session = begin(yard)
        again = event(UPDATED, energy(1500), at=yard.pass_(minutes=5), state=CHARGING, seq_no=1)
        for _ in range(3):
            yard.hear(again)
        assert (session.energy, yard.status) == (500, Status.CHARGING)

    def test_under_one_number_for_ever_is_taken_all_the_same(self, yard: Yard) -> None:
        """Some stations do not count."""
        session = begin(yard)
        for wh in (1500, 2000):
            yard.hear(event(UPDATED, energy(wh), at=yard.pass_(minutes=1), seq_no=0))
        assert session.energy == 1000

    def test_of_an_unknown_transaction_makes_up_for_its_start(self, yard: Yard) -> None:
        heard = yard.hear(event(UPDATED, energy(5000), state=CHARGING))
        yard.hear(event(UPDATED, energy(5700)))
        (session,) = yard.sessions
        assert heard.durable
        assert (session.adopted, session.transaction_id, session.energy) == (True, "tx-1", 700)

    def test_of_an_unknown_transaction_closes_what_runs_there(self, yard: Yard) -> None:
        first = begin(yard)
        yard.hear(event(UPDATED, energy(5000), tx="tx-2", at=yard.pass_(hours=1)))
        assert [session.state for session in yard.sessions] == [State.CLOSED, State.RUNNING]
        assert first.state is State.CLOSED

    def test_of_an_unknown_older_transaction_changes_nothing(self, yard: Yard) -> None:
        session = begin(yard, 9000)
        yard.hear(event(UPDATED, energy(5000), tx="tx-0", at=yard.ago(hours=1)))
        assert yard.sessions == [session]
        assert session.running

    def test_after_the_end_changes_nothing(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(ENDED, energy(2000)))
        told = len(yard.told(SessionUpdated))
        yard.hear(event(UPDATED, energy(2500), state=CHARGING))
        assert (session.energy, session.state) == (1000, State.ENDED)
        assert yard.status is Status.FINISHING
        assert len(yard.told(SessionUpdated)) == told

    def test_before_the_start_is_one_session_with_it(self, yard: Yard) -> None:
        yard.hear(event(UPDATED, energy(1500), at=yard.now, seq_no=1, state=CHARGING))
        begun = yard.ago(minutes=10)
        late = event(STARTED, energy(1000, "Transaction.Begin"), at=begun, seq_no=0, state=ChargingState.EV_CONNECTED)
        session = yard.started(late)
        assert yard.sessions == [session]
        assert (session.started_at, plain(session.meter_start), session.energy) == (begun, 1000, 500)
        assert (session.adopted, yard.status) == (False, Status.CHARGING)

    def test_before_a_start_without_a_time_that_tells_is_one_session_with_it(self, yard: Yard) -> None:
        yard.hear(event(UPDATED, energy(1500), at=yard.now))
        begun = yard.now
        yard.pass_(minutes=1)
        session = yard.started(event(STARTED, at=datetime(1970, 1, 1, tzinfo=UTC), token=IdToken("CARD")))
        assert (session.started_at, session.id_tag, session.adopted) == (begun, "CARD", False)


class TestEnded:
    def test_settles_the_session(self, yard: Yard) -> None:
        session = begin(yard)
        ended = event(ENDED, energy(3000, "Transaction.End"), at=yard.pass_(hours=1), place=None, seq_no=2)
        heard = yard.hear(ended)
        assert heard.durable
        assert (session.state, session.energy, plain(session.meter_stop)) == (State.ENDED, 2000, 3000)
        assert session.sequence.missing == {1}
        assert [fact.session for fact in yard.told(SessionEnded)] == [session]

    def test_takes_the_reading_of_the_end_before_others(self, yard: Yard) -> None:
        session = begin(yard)
        samples = (sample(energy(3000, "Transaction.End")), sample(energy(2900)))
        yard.hear(event(ENDED, place=None).__class__(ENDED, "tx-1", None, samples=samples))
        assert plain(session.meter_stop) == 3000

    @pytest.mark.parametrize("reason", [None, *StopReason])
    def test_has_a_reason_local_by_default(self, yard: Yard, reason: StopReason | None) -> None:
        session = begin(yard)
        yard.hear(event(ENDED, stop_reason=reason))
        assert session.reason is (reason or StopReason.LOCAL)

    def test_without_readings_keeps_what_was_seen(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(UPDATED, energy(1500)))
        yard.hear(event(ENDED))
        assert (session.energy, plain(session.meter_stop)) == (500, 1500)

    def test_with_its_beginning_alone_keeps_what_was_seen(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(UPDATED, energy(1500)))
        yard.hear(event(ENDED, energy(1000, "Transaction.Begin")))
        assert (session.energy, plain(session.meter_stop)) == (500, 1500)

    def test_repeated_changes_nothing(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(event(ENDED, energy(3000)))
        heard = yard.hear(event(ENDED, energy(9000)))
        assert heard.changes == [session]
        assert (session.energy, len(yard.told(SessionEnded))) == (2000, 1)

    def test_without_a_start_is_a_session_all_the_same(self, yard: Yard) -> None:
        begun = yard.ago(hours=6)
        samples = (
            sample(energy(1000, "Transaction.Begin"), at=begun),
            sample(energy(41_000, "Transaction.End"), at=yard.now),
        )
        ended = event(ENDED, at=yard.now).__class__(ENDED, "tx-1", yard.now, ONE, samples=samples)
        yard.hear(ended)
        (session,) = yard.sessions
        assert (session.state, session.adopted, session.started_at) == (State.ENDED, True, begun)
        assert (session.energy, yard.connector.session) == (40_000, None)

    @pytest.mark.parametrize("at", [None, datetime(1970, 1, 1, tzinfo=UTC)])
    def test_without_a_start_or_a_time_of_it_began_when_it_ended(self, yard: Yard, at: datetime | None) -> None:
        samples = (sample(energy(1000), at=at),)
        yard.hear(event(ENDED).__class__(ENDED, "tx-1", yard.ago(hours=1), ONE, samples=samples))
        (session,) = yard.sessions
        assert session.started_at == session.ended_at == yard.ago(hours=1)

    def test_without_a_start_or_readings_is_a_session_all_the_same(self, yard: Yard) -> None:
        yard.hear(event(ENDED, at=yard.ago(hours=1)))
        assert [session.state for session in yard.sessions] == [State.ENDED]

    def test_without_a_start_leaves_what_runs_alone(self, yard: Yard) -> None:
        running = begin(yard, 9000)
        yard.hear(event(ENDED, energy(5000), tx="tx-0", at=yard.ago(hours=1), state=ChargingState.IDLE))
        assert yard.connector.session is running
        assert yard.status is Status.CHARGING
        assert [session.state for session in yard.sessions] == [State.RUNNING, State.ENDED]


def test_a_transaction_whose_end_was_lost_is_closed_some_time_after_the_cable_is_out(yard: Yard) -> None:
    session = begin(yard)
    yard.hear(status(Status.AVAILABLE, at=yard.pass_(hours=1)))
    yard.now += STALE
    yard.pass_(seconds=1)
    yard.hear(HeartbeatReported())
    assert session.state is State.CLOSED
    assert yard.status is Status.AVAILABLE


def test_a_connector_that_never_says_occupied_charges_on(yard: Yard) -> None:
    yard.hear(status(Status.AVAILABLE))
    session = yard.started(event(STARTED, at=yard.pass_(hours=1), state=CHARGING))
    yard.hear(status(Status.AVAILABLE, at=yard.pass_(minutes=1)))
    yard.pass_(hours=3)
    yard.hear(HeartbeatReported())
    assert (session.running, yard.status) == (True, Status.CHARGING)


def test_readings_outside_a_transaction_s_events_count_for_it_too(yard: Yard) -> None:
    session = begin(yard)
    yard.hear(meter(energy(1500, "Sample.Clock")))
    assert session.energy == 500


def test_a_1_6_message_on_a_2_x_socket_is_confirmed(yard: Yard) -> None:
    yard.hear(status(Status.AVAILABLE, ONE))
    yard.hear(status(Status.AVAILABLE, TWO))
    report = event(ENDED, tx="4711", place=None, meter_stop=WattHours(5))
    assert yard.hear(report).answer == TransactionAnswer("4711")
