"""What is made up for where a start or an end never came, or comes after all."""

from __future__ import annotations

import pytest

from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.events import SessionEnded, SessionUpdated
from ocpp_mqtt_proxy.core.model import Status, StopReason
from ocpp_mqtt_proxy.core.reports import (
    HeartbeatReported,
)
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.transactions import STALE
from tests.core.yard import (
    Yard,
    begin,
    energy,
    meter,
    plain,
    power,
    start,
    status,
    stop,
)


@pytest.fixture
def yard() -> Yard:
    return Yard()


class TestAStartThatWasMissed:
    def adopted(self, yard: Yard, transaction_id: str = "4711") -> Session:
        yard.hear(status(Status.CHARGING))
        yard.hear(meter(energy(5000), of=transaction_id, at=yard.now))
        assert yard.connector.session is not None
        return yard.connector.session

    @pytest.mark.parametrize("transaction_id", ["4711", "-1", "9223372036854775807"])
    def test_is_made_up_for_by_readings(self, yard: Yard, transaction_id: str) -> None:
        session = self.adopted(yard, transaction_id)
        yard.hear(meter(energy(5700), of=transaction_id, at=yard.pass_(minutes=5)))
        assert (session.transaction_id, session.energy, session.adopted) == (transaction_id, 700, True)
        yard.hear(stop(transaction_id, 6000, yard.pass_(minutes=5)))
        assert (session.state, session.energy) == (State.ENDED, 1000)

    def test_is_kept_before_the_readings_are_answered(self, yard: Yard) -> None:
        assert yard.hear(meter(energy(5000), of="4711")).durable

    def test_is_made_up_for_by_readings_without_the_register(self, yard: Yard) -> None:
        yard.hear(meter(power(7000), of="4711"))
        assert yard.connector.session is not None

    @pytest.mark.parametrize("transaction_id", [None, "", "0"])
    def test_is_not_what_readings_without_a_transaction_tell(self, yard: Yard, transaction_id: str | None) -> None:
        yard.hear(status(Status.CHARGING))
        yard.hear(meter(energy(5000), of=transaction_id))
        assert yard.sessions == []

    def test_is_not_what_a_backlog_tells(self, yard: Yard) -> None:
        yard.hear(status(Status.CHARGING))
        yard.hear(meter(energy(5000), of="4711", at=yard.ago(hours=1)))
        assert yard.sessions == []

    def test_is_not_what_comes_while_the_cable_is_out(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE))
        yard.hear(meter(energy(5000), of="4711"))
        assert yard.sessions == []

    @pytest.mark.parametrize("said", [None, Status.PREPARING, Status.FINISHING])
    def test_is_not_what_an_id_of_nothing_tells_while_nothing_charges(self, yard: Yard, said: Status | None) -> None:
        if said:
            yard.hear(status(said))
        yard.hear(meter(energy(5000), of="-1"))
        assert yard.sessions == []

    def test_may_be_missed_again_under_the_same_id_of_nothing(self, yard: Yard) -> None:
        first = self.adopted(yard, "-1")
        yard.hear(stop("-1", 6000, yard.pass_(hours=1)))
        yard.pass_(hours=1)
        second = self.adopted(yard, "-1")
        yard.hear(meter(energy(7000), of="-1", at=yard.pass_(minutes=1)))
        yard.hear(stop("-1", 8000, yard.pass_(minutes=1)))
        assert [session.state for session in (first, second)] == [State.ENDED, State.ENDED]
        assert first.ended_at != second.ended_at

    def test_gives_its_session_id_card_and_beginning_when_it_comes_after_all(self, yard: Yard) -> None:
        session = self.adopted(yard)
        yard.hear(meter(energy(5700), of="4711", at=yard.pass_(minutes=1)))
        begun = yard.ago(minutes=30)
        assert yard.started(start(4000, begun, reservation_id=9)) is session
        assert (session.transaction_id, session.id_tag, session.reservation_id) == ("101", "CARD", 9)
        assert (session.started_at, plain(session.meter_start), session.energy) == (begun, 4000, 1700)
        assert not session.adopted
        assert [fact.session for fact in yard.told(SessionUpdated)] == [session]

    def test_is_kept_before_it_is_answered_when_it_comes_after_all(self, yard: Yard) -> None:
        session = self.adopted(yard)
        heard = yard.hear(start(4000, yard.now))
        assert heard.durable
        assert session in heard.changes
        assert yard.numbers in heard.changes

    def test_leaves_its_session_under_both_ids(self, yard: Yard) -> None:
        session = self.adopted(yard)
        yard.hear(start(4000, yard.ago(minutes=30)))
        yard.hear(meter(energy(5500), of="4711", at=yard.pass_(minutes=1)))
        yard.hear(stop("101", 6000, yard.pass_(minutes=1)))
        assert yard.sessions == [session]
        assert (session.state, session.energy) == (State.ENDED, 2000)

    def test_is_a_repeat_when_it_comes_twice(self, yard: Yard) -> None:
        session = self.adopted(yard)
        late = start(4000, yard.ago(minutes=30))
        assert yard.started(late) is yard.started(late) is session

    def test_without_a_register_leaves_what_was_counted(self, yard: Yard) -> None:
        session = self.adopted(yard)
        yard.hear(meter(energy(5700), of="4711", at=yard.pass_(minutes=1)))
        yard.hear(start(None, yard.ago(minutes=30)))
        assert session.energy == 700

    def test_is_another_s_where_it_is_later_than_the_readings(self, yard: Yard) -> None:
        session = self.adopted(yard)
        second = yard.started(start(6000, yard.pass_(minutes=30)))
        assert second is not session
        assert session.state is State.CLOSED

    def test_of_an_adopted_session_that_is_over_is_a_session_of_its_own(self, yard: Yard) -> None:
        session = self.adopted(yard)
        yard.hear(stop("4711", 6000, yard.pass_(minutes=30)))
        assert yard.started(start(6000, yard.pass_(minutes=30))) is not session


class TestASessionWhoseEndWasLost:
    def test_is_closed_some_time_after_the_cable_is_out(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(meter(energy(1500), of=session.transaction_id))
        out = yard.pass_(minutes=30)
        yard.hear(status(Status.AVAILABLE, at=out))
        yard.now += STALE
        yard.hear(HeartbeatReported())
        assert session.running
        yard.pass_(seconds=1)
        assert yard.hear(HeartbeatReported()).durable
        assert (session.state, session.ended_at, session.energy) == (State.CLOSED, out, 500)
        assert yard.connector.session is None
        assert [fact.session for fact in yard.told(SessionEnded)] == [session]

    def test_is_corrected_when_its_end_comes_after_all(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(status(Status.AVAILABLE, at=yard.pass_(minutes=30)))
        yard.pass_(hours=1)
        yard.hear(HeartbeatReported())
        yard.hear(stop(session.transaction_id, 3000, yard.ago(minutes=61)))
        assert (session.state, session.energy) == (State.ENDED, 2000)
        assert len(yard.told(SessionEnded)) == 2

    def test_goes_on_where_the_car_only_pauses(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(status(Status.SUSPENDED_EV, at=yard.pass_(minutes=30)))
        yard.pass_(days=2)
        yard.hear(HeartbeatReported())
        assert session.running

    def test_is_closed_by_the_owner(self, yard: Yard) -> None:
        session = begin(yard)
        yard.pass_(hours=1)
        heard = yard.note(rules.close_session(yard.station, yard.connector, yard.now, yard.numbers))
        assert heard.durable
        assert (session.state, session.reason, session.ended_at) == (State.CLOSED, StopReason.OTHER, yard.now)
        assert yard.connector.last_session is session
