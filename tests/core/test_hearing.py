from __future__ import annotations

from dataclasses import replace

import pytest

from ocpp_mqtt_proxy.core import hearing
from ocpp_mqtt_proxy.core.events import (
    AvailabilityChanged,
    ChargerBooted,
    DataTransferred,
    DiagnosticsChanged,
    FaultChanged,
    FirmwareChanged,
    HeartbeatHeard,
    InventoryRead,
    MeasurandsSeen,
    NoticeHeard,
    ReservationEnded,
    SecurityNoticed,
    StatusChanged,
)
from ocpp_mqtt_proxy.core.model import OCCUPIED, STATION, Nameplate, Place, Status, Variable, Version
from ocpp_mqtt_proxy.core.reports import (
    Acknowledged,
    BootAnswer,
    BootReported,
    DataTransferAnswer,
    DataTransferReported,
    DiagnosticsReported,
    EventsReported,
    FirmwareReported,
    HeartbeatReported,
    InventoryReported,
    Noted,
    NoticeReported,
    ProblemReported,
    ReservationReported,
    SecurityReported,
    TimeAnswer,
)
from tests.core.yard import ONE, TWO, Yard, energy, meter, power, station_status, status

PLATE = Nameplate("Acme", "Box", "123", "1.0")


@pytest.fixture
def yard() -> Yard:
    return Yard()


class TestBoot:
    def test_is_accepted_with_time_and_interval(self, yard: Yard) -> None:
        yard.station.plan.heartbeat_interval = 77
        heard = yard.hear(BootReported(PLATE, "power_up"))
        assert heard.answer == BootAnswer(yard.now, 77)
        assert yard.station.memory in heard.changes
        assert [(fact.nameplate, fact.reason) for fact in yard.told(ChargerBooted)] == [(PLATE, "power_up")]

    def test_is_remembered(self, yard: Yard) -> None:
        yard.hear(BootReported(PLATE))
        first = yard.now
        yard.pass_(days=1)
        yard.hear(BootReported(replace(PLATE, firmware="1.1")))
        memory = yard.station.memory
        assert (memory.accepted, memory.nameplate.firmware) == (True, "1.1")
        assert (memory.first_seen, memory.last_seen) == (first, yard.now)

    def test_may_have_set_the_clock_back(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, at=yard.now))
        yard.hear(BootReported(PLATE))
        yard.hear(status(Status.CHARGING, at=yard.ago(hours=1)))
        assert yard.status is Status.CHARGING


def test_a_heartbeat_is_told_the_time(yard: Yard) -> None:
    assert yard.hear(HeartbeatReported()).answer == TimeAnswer(yard.now)
    assert yard.station.last_heartbeat == yard.station.last_heard == yard.now
    assert len(yard.told(HeartbeatHeard)) == 1


class TestStatus:
    def test_is_told_once(self, yard: Yard) -> None:
        for _ in range(2):
            assert yard.hear(status(Status.AVAILABLE)).answer == Acknowledged()
        (fact,) = yard.told(StatusChanged)
        assert (fact.connector, fact.place, fact.status) == (1, ONE, Status.AVAILABLE)

    def test_makes_its_connector_known_and_written_down(self, yard: Yard) -> None:
        heard = yard.hear(status(Status.AVAILABLE, TWO))
        assert yard.station.connector(2) in heard.changes

    def test_that_is_older_is_passed_over(self, yard: Yard) -> None:
        yard.hear(status(Status.CHARGING, at=yard.now))
        yard.hear(status(Status.PREPARING, at=yard.ago(minutes=1)))
        assert yard.status is Status.CHARGING

    def test_of_the_same_second_counts(self, yard: Yard) -> None:
        yard.hear(status(Status.PREPARING, at=yard.now))
        yard.hear(status(Status.CHARGING, at=yard.now))
        assert yard.status is Status.CHARGING

    def test_with_an_error_while_charging_is_a_warning(self, yard: Yard) -> None:
        yard.hear(status(Status.CHARGING, error_code="WeakSignal", info="wifi", vendor_error_code="17"))
        (fact,) = yard.told(StatusChanged)
        assert (fact.error_code, fact.info, fact.vendor_error_code) == ("WeakSignal", "wifi", "17")
        assert yard.told(FaultChanged) == []

    def test_with_another_error_is_told(self, yard: Yard) -> None:
        yard.hear(status(Status.CHARGING))
        yard.hear(status(Status.CHARGING, info="one"))
        yard.hear(status(Status.CHARGING, vendor_error_code="2"))
        assert [(fact.info, fact.vendor_error_code) for fact in yard.told(StatusChanged)] == [
            ("", ""),
            ("one", ""),
            ("", "2"),
        ]

    @pytest.mark.parametrize("place", [Place(0, 1), Place(-1, 0), Place(0, -1)])
    def test_of_a_place_that_cannot_be_is_dropped(self, yard: Yard, place: Place) -> None:
        assert yard.hear(status(Status.FAULTED, place)).answer == Acknowledged()
        assert (yard.station.status, yard.station.connectors) == (Status.UNKNOWN, {})

    @pytest.mark.parametrize("place", [STATION, Place(0)])
    def test_of_the_station_is_told_of_no_connector(self, yard: Yard, place: Place) -> None:
        for _ in range(2):
            yard.hear(status(Status.AVAILABLE, place, info="up"))
        (fact,) = yard.told(StatusChanged)
        assert (fact.connector, fact.place, fact.status, fact.info) == (0, None, Status.AVAILABLE, "up")
        assert yard.station.connectors == {}

    def test_of_the_station_that_makes_no_sense_is_unknown(self, yard: Yard) -> None:
        yard.hear(station_status(Status.AVAILABLE))
        yard.hear(station_status(OCCUPIED))
        assert yard.station.status is Status.UNKNOWN


class TestFault:
    def faults(self, yard: Yard) -> list[tuple[int, str, bool]]:
        return [(fact.connector, fact.error_code, fact.cleared) for fact in yard.told(FaultChanged)]

    def test_is_told_when_it_comes_and_when_it_goes(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE))
        yard.hear(status(Status.FAULTED, error_code="GroundFailure", info="leak"))
        yard.hear(status(Status.FAULTED, error_code="GroundFailure", info="leak"))
        yard.hear(status(Status.FAULTED, error_code="HighTemperature"))
        yard.hear(status(Status.AVAILABLE))
        assert self.faults(yard) == [(1, "GroundFailure", False), (1, "NoError", True)]
        assert yard.told(FaultChanged)[0].info == "leak"

    def test_is_each_connector_s_own(self, yard: Yard) -> None:
        yard.hear(status(Status.FAULTED, ONE, error_code="GroundFailure"))
        yard.hear(status(Status.FAULTED, TWO, error_code="HighTemperature"))
        yard.hear(status(Status.AVAILABLE, ONE))
        assert self.faults(yard) == [(1, "GroundFailure", False), (2, "HighTemperature", False), (1, "NoError", True)]

    def test_of_the_station_is_told_of_no_connector(self, yard: Yard) -> None:
        yard.hear(station_status(Status.FAULTED, error_code="InternalError"))
        yard.hear(station_status(Status.AVAILABLE))
        assert self.faults(yard) == [(0, "InternalError", False), (0, "NoError", True)]

    def test_leaves_no_error_behind(self, yard: Yard) -> None:
        yard.hear(status(Status.FAULTED, error_code="GroundFailure", info="leak", vendor_error_code="E1"))
        yard.hear(status(Status.AVAILABLE))
        there = yard.connector
        assert (there.error_code, there.info, there.vendor_error_code) == ("NoError", "", "")


class TestProblems:
    """2.x has no error code in its status: problems of components stand for it."""

    @pytest.fixture
    def yard(self) -> Yard:
        yard = Yard(version=Version.V201)
        yard.hear(status(Status.AVAILABLE))
        return yard

    def problem(
        self, component: str = "Lock", *, cleared: bool = False, place: Place = ONE, code: str = "", info: str = ""
    ) -> EventsReported:
        value = "false" if cleared else "true"
        return EventsReported((ProblemReported(place, component, "Problem", value, cleared, code, info),))

    def errors(self, yard: Yard, number: int = 1) -> tuple[str, str, str]:
        there = yard.station.connector(number)
        return there.error_code, there.vendor_error_code, there.info

    def test_is_shown_until_it_is_cleared(self, yard: Yard) -> None:
        yard.hear(self.problem(code="E17", info="stuck"))
        assert self.errors(yard) == ("OtherError", "E17", "stuck")
        yard.hear(self.problem(cleared=True, code="E17"))
        assert self.errors(yard) == ("NoError", "", "")
        assert [fact.error_code for fact in yard.told(StatusChanged)] == ["NoError", "OtherError", "NoError"]

    def test_without_words_is_told_by_its_component(self, yard: Yard) -> None:
        yard.hear(self.problem())
        assert self.errors(yard) == ("OtherError", "", "Lock")

    def test_that_is_left_is_shown_when_another_is_cleared(self, yard: Yard) -> None:
        yard.hear(self.problem("Lock", code="E17"))
        yard.hear(self.problem("Fan", code="E99"))
        assert self.errors(yard) == ("OtherError", "E99", "Fan")
        yard.hear(self.problem("Fan", cleared=True, code="E99"))
        assert self.errors(yard) == ("OtherError", "E17", "Lock")

    def test_outlasts_a_status(self, yard: Yard) -> None:
        yard.hear(self.problem(code="E17"))
        yard.hear(status(OCCUPIED))
        assert self.errors(yard) == ("OtherError", "E17", "Lock")

    def test_is_over_with_the_fault_it_made(self, yard: Yard) -> None:
        yard.hear(status(Status.FAULTED))
        yard.hear(self.problem(code="E17"))
        yard.hear(status(Status.FAULTED))
        assert self.errors(yard) == ("OtherError", "E17", "Lock")
        yard.hear(status(Status.AVAILABLE))
        assert self.errors(yard) == ("NoError", "", "")

    def test_repeated_is_told_once(self, yard: Yard) -> None:
        for _ in range(3):
            yard.hear(self.problem(code="E17"))
        assert [fact.error_code for fact in yard.told(StatusChanged)] == ["NoError", "OtherError"]

    def test_that_never_was_is_cleared_in_silence(self, yard: Yard) -> None:
        yard.hear(self.problem(cleared=True))
        assert len(yard.told(StatusChanged)) == 1

    def test_of_the_station_is_the_only_connector_s(self, yard: Yard) -> None:
        yard.hear(self.problem(place=STATION, code="E17"))
        assert self.errors(yard) == ("OtherError", "E17", "Lock")

    def test_of_the_station_is_every_connector_s(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, TWO))
        yard.hear(self.problem(place=STATION, code="E17"))
        assert self.errors(yard, 1) == self.errors(yard, 2) == ("OtherError", "E17", "Lock")

    def test_of_one_connector_is_that_one_s_alone(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, TWO))
        yard.hear(self.problem(place=TWO, code="E17"))
        assert self.errors(yard, 1) == ("NoError", "", "")
        assert self.errors(yard, 2) == ("OtherError", "E17", "Lock")

    def test_is_no_fault(self, yard: Yard) -> None:
        yard.hear(self.problem())
        assert yard.told(FaultChanged) == []

    def test_without_end_fill_no_memory(self, yard: Yard) -> None:
        for number in range(hearing.MAX_PROBLEMS + 10):
            yard.hear(self.problem(f"Component{number}"))
        assert len(yard.connector.problems) == hearing.MAX_PROBLEMS
        yard.hear(self.problem("Component0", info="changed"))
        assert self.errors(yard) == ("OtherError", "", "changed")

    def test_a_state_told_as_an_event_is_a_status(self, yard: Yard) -> None:
        yard.hear(EventsReported((), (status(Status.FAULTED, TWO),)))
        assert yard.station.connector(2).status is Status.FAULTED


class TestService:
    """Whether the charger is in service shows in its states."""

    def told(self, yard: Yard) -> list[bool]:
        return [fact.operative for fact in yard.told(AvailabilityChanged)]

    def test_goes_when_every_connector_is_unavailable(self, yard: Yard) -> None:
        yard.hear(status(Status.AVAILABLE, ONE))
        yard.hear(status(Status.AVAILABLE, TWO))
        yard.hear(status(Status.UNAVAILABLE, ONE))
        assert self.told(yard) == []
        yard.hear(status(Status.UNAVAILABLE, TWO))
        assert self.told(yard) == [False]
        assert not yard.station.memory.operative

    def test_goes_when_the_station_is_unavailable(self, yard: Yard) -> None:
        yard.hear(station_status(Status.UNAVAILABLE))
        yard.hear(status(Status.AVAILABLE))
        assert not yard.station.memory.operative

    def test_comes_back_with_the_first_state_that_shows_it(self, yard: Yard) -> None:
        yard.hear(status(Status.UNAVAILABLE))
        yard.hear(status(Status.FAULTED))
        assert not yard.station.memory.operative
        yard.hear(status(Status.AVAILABLE))
        assert self.told(yard) == [False, True]
        assert yard.station.memory in yard.kept

    def test_is_not_told_by_a_fault(self, yard: Yard) -> None:
        yard.hear(status(Status.FAULTED))
        assert self.told(yard) == []


class TestInventory:
    def part(self, seq: int, *names: str, more: bool = False, request: int = 1) -> InventoryReported:
        return InventoryReported(request, seq, more, tuple(Variable(name, "1") for name in names))

    def names(self, yard: Yard) -> set[str]:
        return set(yard.station.memory.inventory)

    @pytest.fixture
    def yard(self) -> Yard:
        yard = Yard(version=Version.V201)
        yard.hear(BootReported(PLATE))
        return yard

    def test_counts_once_it_is_whole(self, yard: Yard) -> None:
        yard.hear(self.part(0, "A", more=True))
        assert (self.names(yard), yard.told(InventoryRead)) == (set(), [])
        heard = yard.hear(self.part(1, "B"))
        assert self.names(yard) == {"A", "B"}
        assert yard.station.memory.inventory_of == "1.0"
        assert yard.station.memory in heard.changes
        assert len(yard.told(InventoryRead)) == 1

    def test_cut_short_leaves_nothing_in_the_next(self, yard: Yard) -> None:
        yard.hear(self.part(0, "A", more=True))
        yard.hear(self.part(0, "B", more=True))
        yard.hear(self.part(1, "C"))
        assert self.names(yard) == {"B", "C"}

    def test_of_another_request_is_another(self, yard: Yard) -> None:
        yard.hear(self.part(0, "A", more=True))
        yard.hear(self.part(3, "B", request=2))
        assert self.names(yard) == {"B"}

    def test_of_a_part_leaves_the_rest_as_it_was(self, yard: Yard) -> None:
        yard.hear(self.part(0, "A", "B"))
        changed = InventoryReported(2, 0, False, (Variable("B", "2"),))
        yard.hear(changed)
        assert {name: variable.value for name, variable in yard.station.memory.inventory.items()} == {
            "A": "1",
            "B": "2",
        }

    def test_of_another_firmware_replaces_what_was_known(self, yard: Yard) -> None:
        yard.hear(self.part(0, "A"))
        yard.hear(BootReported(replace(PLATE, firmware="2.0")))
        yard.hear(self.part(0, "B"))
        assert self.names(yard) == {"B"}

    def test_makes_its_connectors_known_in_order(self, yard: Yard) -> None:
        places = [Place(2, 1), Place(1, 2), Place(1, 1), Place(3), Place(3, 1)]
        variables = [Variable(f"Connector{place}", "1", component="Connector", place=place) for place in places]
        others = [
            Variable("EVSE.Power", "1", component="EVSE", place=Place(9, 1)),
            Variable("X", "1", component="Connector"),
        ]
        heard = yard.hear(InventoryReported(1, 0, False, (*variables, *others)))
        assert yard.station.connector(4) in heard.changes
        assert [(c.number, c.place) for c in yard.station.ordered()] == [
            (1, Place(1, 1)),
            (2, Place(1, 2)),
            (3, Place(2, 1)),
            (4, Place(3, 1)),
        ]

    def test_with_places_that_cannot_be_makes_none_known(self, yard: Yard) -> None:
        odd = Variable("Connector.X", "1", component="Connector", place=Place(-5, 1))
        yard.hear(InventoryReported(1, 0, False, (odd,)))
        assert yard.station.connectors == {}

    def test_without_end_fills_no_memory(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hearing, "MAX_VARIABLES", 5)
        yard.hear(self.part(0, "A", "B", "C", "D", more=True))
        yard.hear(self.part(1, "E", "F", "G"))
        assert self.names(yard) == {"A", "B", "C", "D", "E"}
        yard.hear(self.part(0, "X"))
        assert self.names(yard) == {"X"}


class TestOtherMessages:
    def test_firmware_is_shown_and_told(self, yard: Yard) -> None:
        assert yard.hear(FirmwareReported("downloading", 7)).answer == Acknowledged()
        assert yard.station.firmware_status == "downloading"
        assert [(fact.status, fact.request_id) for fact in yard.told(FirmwareChanged)] == [("downloading", 7)]

    def test_diagnostics_are_shown_and_told(self, yard: Yard) -> None:
        assert yard.hear(DiagnosticsReported("uploaded")).answer == Acknowledged()
        assert yard.station.diagnostics_status == "uploaded"
        assert [(fact.status, fact.request_id) for fact in yard.told(DiagnosticsChanged)] == [("uploaded", None)]

    def test_security_is_told_with_its_time(self, yard: Yard) -> None:
        then = yard.ago(days=1)
        assert yard.hear(SecurityReported("InvalidTLSVersion", then, "1.0")).answer == Acknowledged()
        told = [(fact.type, fact.noticed_at, fact.info) for fact in yard.told(SecurityNoticed)]
        assert told == [("InvalidTLSVersion", then, "1.0")]

    def test_a_reservation_s_end_is_told(self, yard: Yard) -> None:
        assert yard.hear(ReservationReported(5, "expired")).answer == Acknowledged()
        assert [(fact.reservation_id, fact.status) for fact in yard.told(ReservationEnded)] == [(5, "expired")]

    def test_a_vendor_s_message_is_told_and_answered_as_unknown(self, yard: Yard) -> None:
        assert yard.hear(DataTransferReported("acme", "hello", {"a": 1})).answer == DataTransferAnswer(
            "unknown_vendor_id"
        )
        told = [(fact.vendor_id, fact.message_id, fact.data) for fact in yard.told(DataTransferred)]
        assert told == [("acme", "hello", {"a": 1})]

    def test_any_other_message_is_told(self, yard: Yard) -> None:
        assert yard.hear(NoticeReported("NotifyChargingLimit", {"a": 1})).answer == Noted({"a": 1})
        assert [(fact.action, fact.payload) for fact in yard.told(NoticeHeard)] == [("NotifyChargingLimit", {"a": 1})]


class TestMeasurands:
    def test_are_told_when_they_are_first_seen(self, yard: Yard) -> None:
        for _ in range(2):
            yard.hear(meter(energy(1000), power(7000)))
        assert yard.station.memory.measurands == {"energy", "power"}
        assert len(yard.told(MeasurandsSeen)) == 1
        yard.hear(meter(power(7000, phase="L1")))
        assert yard.station.memory.measurands == {"energy", "power", "power_l1"}
        assert len(yard.told(MeasurandsSeen)) == 2
        assert yard.station.memory in yard.kept
