"""Readings: which session they count for, and what they change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.events import MeterRead
from ocpp_mqtt_proxy.core.model import STATION, Place, Status
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    MeterReported,
)
from tests.core.yard import (
    ONE,
    TWO,
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

UNKNOWN_IDS = ["-1", "0", "4711", "9223372036854775807", "nonsense"]


@pytest.fixture
def yard() -> Yard:
    return Yard()


class TestReadings:
    def test_are_written_down_with_what_they_count_for(self, yard: Yard) -> None:
        session = begin(yard)
        heard = yard.hear(meter(energy(1500), of=session.transaction_id))
        assert session in heard.changes
        assert yard.connector in heard.changes
        assert not heard.durable

    def test_with_a_session_s_id_count_for_it(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(meter(energy(1500), power(7000), of=session.transaction_id))
        assert session.energy == 500
        (fact,) = yard.told(MeterRead)
        assert (fact.transaction_id, fact.context, fact.read_at) == (
            session.transaction_id,
            "Sample.Periodic",
            yard.now,
        )

    @pytest.mark.parametrize("transaction_id", [None, "", *UNKNOWN_IDS])
    def test_with_no_id_or_a_strange_one_count_for_what_runs_there(
        self, yard: Yard, transaction_id: str | None
    ) -> None:
        session = begin(yard)
        yard.hear(meter(energy(1500), of=transaction_id))
        assert session.energy == 500
        assert yard.sessions == [session]

    def test_of_an_ended_session_update_history_only(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(stop(session.transaction_id, 2000))
        yard.hear(meter(energy(2100), power(7000), of=session.transaction_id))
        assert (session.energy, plain(session.meter_stop)) == (1000, 2000)
        assert yard.connector.session is None
        assert yard.lifetime == 2100

    def test_of_a_closed_session_raise_no_other(self, yard: Yard) -> None:
        session = begin(yard)
        yard.note(rules.close_session(yard.station, yard.connector, yard.now, yard.numbers))
        yard.hear(meter(energy(2100), of=session.transaction_id))
        assert yard.sessions == [session]

    def test_without_a_transaction_are_no_session(self, yard: Yard) -> None:
        yard.hear(status(Status.CHARGING))
        yard.hear(meter(energy(2100), power(7000)))
        assert yard.sessions == []
        assert yard.connector.metrics["power"] == 7000

    def test_of_the_station_are_the_only_connector_s(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE))
        yard.hear(meter(energy(107_859.3, "Sample.Clock"), place=STATION))
        assert yard.lifetime == 107_859.3

    def test_of_the_station_are_no_one_s_where_there_are_several(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, ONE))
        yard.hear(status(Status.AVAILABLE, TWO))
        assert yard.hear(meter(energy(107_859.3), place=STATION)).answer == Acknowledged()
        assert yard.lifetime is None

    def test_of_a_place_that_cannot_be_are_acknowledged(self, yard: Yard) -> None:
        assert yard.hear(meter(energy(5), place=Place(-1, 1))).answer == Acknowledged()
        assert yard.station.connectors == {}

    def test_without_any_value_are_acknowledged_and_not_told(self, yard: Yard) -> None:
        assert yard.hear(meter()).answer == Acknowledged()
        assert yard.hear(MeterReported(ONE, ())).answer == Acknowledged()
        assert yard.told(MeterRead) == []

    def test_from_a_backlog_count_for_their_session_and_are_not_live(self, yard: Yard) -> None:
        session = yard.started(start(1000, yard.ago(hours=3)))
        yard.hear(meter(energy(9000), power(7000), of=session.transaction_id, at=yard.ago(hours=2)))
        assert session.energy == 8000
        assert "power" not in yard.connector.metrics

    def test_in_1970_count_as_read_now(self, yard: Yard) -> None:
        session = begin(yard)
        yard.hear(meter(energy(1500), of=session.transaction_id, at=datetime(1970, 1, 1, 0, 0, 23, tzinfo=UTC)))
        assert session.energy == 500
        assert yard.connector.meter is not None
        assert yard.connector.meter.at == yard.now
