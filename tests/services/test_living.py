"""What a service is told now or never, each in its version and by its own ids."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import OCCUPIED, ChargingState, IdToken, Place, Reading, Sample, Version
from ocpp_mqtt_proxy.core.reports import (
    DiagnosticsReported,
    EventsReported,
    FirmwareReported,
    MeterReported,
    NoticeReported,
    Phase,
    ProblemReported,
    ReservationReported,
    StatusReported,
    TransactionReported,
)
from ocpp_mqtt_proxy.services import states
from ocpp_mqtt_proxy.services.conversation import HOLD_SECONDS
from ocpp_mqtt_proxy.services.plan import Mirroring
from tests.fakes import NOON
from tests.services.talking import Talk, talking

V16, V201, V21 = Version
SPOT = Place(1, 1)
STATUS = "StatusNotification"

NEWER = [V201, V21]
OLDER_THAN_ITS_CHARGER = [(V16, charger) for charger in NEWER]


def told(talk: Talk, action: str) -> list[dict[str, Any]]:
    """What the service heard of connectors by an action, the states at the beginning aside."""
    return [one for one in sent(talk, action) if one["connectorId"] != 0][1:]


def sent(talk: Talk, action: str) -> list[dict[str, Any]]:
    return list(talk.link.said(action))


def problems(talk: Talk) -> list[dict[str, Any]]:
    return [one["eventData"][0] for one in sent(talk, "NotifyEvent")]


def words(talk: Talk) -> list[str]:
    return [one.get("status") or one["connectorStatus"] for one in told(talk, STATUS)]


def event(phase: Phase, state: ChargingState | None = None, trigger: str = "charging_state_changed") -> Any:
    token = IdToken("CARD", "ISO14443") if phase is Phase.STARTED else None
    return TransactionReported(phase, "tx", NOON, SPOT, token, trigger, state)


class TestStates:
    @pytest.mark.parametrize("version", Version)
    @pytest.mark.parametrize("status", ["unavailable", "faulted", "reserved"])
    async def test_are_told_when_they_change(self, version: Version, status: str) -> None:
        async with talking(service=version) as talk:
            await talk.hear(StatusReported(SPOT, status))
            await talk.hear(StatusReported(SPOT, status))
            assert words(talk) == [status.capitalize()]

    @pytest.mark.parametrize("version", NEWER)
    async def test_of_1_6_that_2x_has_one_word_for_are_told_once(self, version: Version) -> None:
        async with talking(service=version) as talk:
            for status in ("preparing", "charging", "suspended_ev", "finishing", "available"):
                await talk.hear(StatusReported(SPOT, status))
            assert words(talk) == ["Occupied", "Available"]

    @pytest.mark.parametrize(("service", "charger"), OLDER_THAN_ITS_CHARGER)
    async def test_begin_when_the_transaction_said_so(self, service: Version, charger: Version) -> None:
        async with talking(service=service, charger=charger) as talk:
            await talk.hear(StatusReported(SPOT, OCCUPIED, NOON - timedelta(minutes=3)))
            await talk.hear(event(Phase.STARTED, ChargingState.CHARGING, "authorized"))
            await talk.sleep.over(HOLD_SECONDS)
            assert told(talk, STATUS)[-1]["timestamp"] == "2026-03-14T12:00:00Z"

    @pytest.mark.parametrize(("service", "charger"), OLDER_THAN_ITS_CHARGER)
    async def test_that_two_messages_make_are_told_as_one(self, service: Version, charger: Version) -> None:
        async with talking(service=service, charger=charger) as talk:
            await talk.hear(StatusReported(SPOT, OCCUPIED))
            await talk.hear(event(Phase.STARTED, ChargingState.CHARGING, "authorized"))
            assert words(talk) == []
            await talk.sleep.over(HOLD_SECONDS)
            assert words(talk) == ["Charging"]

    @pytest.mark.parametrize(("service", "charger"), OLDER_THAN_ITS_CHARGER)
    async def test_of_a_transaction_become_1_6_s_own(self, service: Version, charger: Version) -> None:
        async with talking(service=service, charger=charger) as talk:
            await talk.hear(StatusReported(SPOT, OCCUPIED))
            await talk.sleep.over(HOLD_SECONDS)
            steps = [
                event(Phase.STARTED, ChargingState.CHARGING, "authorized"),
                event(Phase.UPDATED, ChargingState.SUSPENDED_EV),
                event(Phase.UPDATED, ChargingState.SUSPENDED_EVSE),
                event(Phase.ENDED, ChargingState.EV_CONNECTED, "stop_authorized"),
                StatusReported(SPOT, "available"),
            ]
            for step in steps:
                await talk.hear(step)
                await talk.sleep.over(HOLD_SECONDS)
            states_of_16 = ["Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Available"]
            assert words(talk) == states_of_16

    async def test_never_go_from_available_to_finishing(self) -> None:
        async with talking(charger=V201) as talk:
            await talk.hear(StatusReported(SPOT, OCCUPIED))
            await talk.hear(event(Phase.STARTED, ChargingState.CHARGING, "authorized"))
            await talk.hear(event(Phase.ENDED, ChargingState.EV_CONNECTED, "stop_authorized"))
            await talk.sleep.over(HOLD_SECONDS)
            assert words(talk) == ["Preparing", "Finishing"]

    async def test_are_as_the_service_set_them_for_itself(self) -> None:
        async with talking() as talk:
            talk.out.virtual.inoperative.add(1)
            states.settle(talk.out)
            await talk.hear(StatusReported(SPOT, "preparing"))
            assert words(talk) == ["Unavailable"]

    @pytest.mark.parametrize(("service", "charger"), OLDER_THAN_ITS_CHARGER)
    async def test_of_a_connector_whose_evse_is_in_use_are_unavailable_in_1_6(
        self, service: Version, charger: Version
    ) -> None:
        async with talking(service=service, charger=charger) as talk:
            await talk.hear(StatusReported(Place(1, 2), "available"))
            await talk.sleep.over(HOLD_SECONDS)
            await talk.hear(event(Phase.STARTED, ChargingState.CHARGING, "authorized"))
            await talk.sleep.over(HOLD_SECONDS)
            await talk.hear(event(Phase.ENDED, ChargingState.IDLE, "ev_departed"))
            await talk.sleep.over(HOLD_SECONDS)
            of_second = [one["status"] for one in sent(talk, STATUS) if one["connectorId"] == 2]
            assert of_second == ["Available", "Unavailable", "Available"]

    @pytest.mark.parametrize("version", NEWER)
    async def test_of_a_connector_whose_evse_is_in_use_are_its_own_in_2x(self, version: Version) -> None:
        async with talking(service=version, charger=version) as talk:
            await talk.hear(StatusReported(Place(1, 2), "available"))
            await talk.hear(event(Phase.STARTED, ChargingState.CHARGING, "authorized"))
            await talk.sleep.over(HOLD_SECONDS)
            of_second = [one["connectorStatus"] for one in sent(talk, STATUS) if one["connectorId"] == 2]
            assert of_second == ["Available"]

    async def test_can_be_asked_for_at_any_time(self) -> None:
        async with talking() as talk:
            numbers = [payload["connectorId"] for _, payload in states.now_of(talk.out)]
            assert numbers == [0, 1]
            assert [payload["connectorId"] for _, payload in states.now_of(talk.out, 1)] == [1]
            assert states.now_of(talk.out, 7) == []


class TestErrors:
    async def test_stand_in_1_6_s_state(self) -> None:
        async with talking() as talk:
            await talk.hear(StatusReported(SPOT, "charging", error_code="HighTemperature", info="62 C"))
            (one,) = told(talk, STATUS)
            assert (one["errorCode"], one["info"]) == ("HighTemperature", "62 C")

    @pytest.mark.parametrize("version", NEWER)
    async def test_of_1_6_are_problems_of_components_in_2x(self, version: Version) -> None:
        async with talking(service=version) as talk:
            await talk.hear(StatusReported(SPOT, "faulted", error_code="GroundFailure"))
            await talk.hear(StatusReported(SPOT, "available"))
            events = problems(talk)
            assert [(one["techCode"], one["cleared"]) for one in events] == [
                ("GroundFailure", False),
                ("GroundFailure", True),
            ]
            assert {one["component"]["name"] for one in events} == {"ElectricalFeed"}

    @pytest.mark.parametrize("version", Version)
    async def test_of_2x_pass_to_2x_and_are_codes_in_1_6(self, version: Version) -> None:
        problem = ProblemReported(SPOT, "ElectricalFeed", "Problem", "true", cleared=False, code="GF")
        async with talking(service=version, charger=V201) as talk:
            await talk.hear(EventsReported((problem,)))
            if version is V16:
                await talk.sleep.over(HOLD_SECONDS)
                (one,) = told(talk, STATUS)
                assert (one["errorCode"], one["vendorErrorCode"]) == ("OtherError", "GF")
            else:
                assert [one["techCode"] for one in problems(talk)] == ["GF"]


class TestWhatIsOnesOwn:
    @pytest.mark.parametrize("charger", Version)
    @pytest.mark.parametrize("version", Version)
    async def test_uploads_are_told_to_who_asked_by_its_id(self, version: Version, charger: Version) -> None:
        async with talking(service=version, charger=charger) as talk:
            talk.out.peer.requests[900] = 5
            await talk.hear(DiagnosticsReported("uploading", 900))
            await talk.hear(FirmwareReported("downloading", 900))
            ids = [payload["requestId"] for _, payload in talk.link.calls if "requestId" in payload]
            assert ids == [5, 5]

    @pytest.mark.parametrize("version", Version)
    async def test_uploads_without_an_id_are_told_to_who_waits_for_them(self, version: Version) -> None:
        async with talking(service=version) as talk:
            talk.out.awaits["diagnostics"] = None
            for status in ("uploading", "uploaded", "idle"):
                await talk.hear(DiagnosticsReported(status))
            action = "DiagnosticsStatusNotification" if version is V16 else "LogStatusNotification"
            assert [one["status"] for one in talk.link.said(action)] == ["Uploading", "Uploaded"]

    @pytest.mark.parametrize("report", [DiagnosticsReported("uploading", 900), FirmwareReported("downloading")])
    async def test_uploads_of_others_are_not_told(self, report: Any) -> None:
        async with talking() as talk:
            before = list(talk.said)
            await talk.hear(report)
            assert talk.said == before

    @pytest.mark.parametrize("version", NEWER)
    async def test_a_reservation_that_ended_is_told_by_the_service_s_id(self, version: Version) -> None:
        async with talking(service=version, charger=V201) as talk:
            talk.out.peer.reservations[3] = 41
            await talk.hear(ReservationReported(41, "expired"))
            await talk.hear(ReservationReported(42, "expired"))
            assert [one["reservationId"] for one in talk.link.said("ReservationStatusUpdate")] == [3]
            assert talk.out.peer.reservations == {}


def readings(context: str = "Sample.Clock") -> MeterReported:
    power = Reading("Power.Active.Import", 0.0, "W", context=context)
    return MeterReported(SPOT, (Sample(NOON, (power,)),))


class TestReadingsOfNoTransaction:
    @pytest.mark.parametrize("charger", Version)
    @pytest.mark.parametrize("version", Version)
    async def test_are_told(self, version: Version, charger: Version) -> None:
        async with talking(service=version, charger=charger) as talk:
            await talk.hear(readings())
            (one,) = sent(talk, "MeterValues")
            assert "transactionId" not in one
            assert one["meterValue"][0]["timestamp"] == "2026-03-14T12:00:00Z"

    async def test_that_somebody_asked_for_are_not(self) -> None:
        async with talking() as talk:
            await talk.hear(readings("Trigger"))
            assert talk.link.said("MeterValues") == []


LIMIT = {"chargingLimit": {"chargingLimitSource": "EMS"}}


class TestNotices:
    @pytest.mark.parametrize("version", NEWER)
    async def test_pass_as_they_are_to_a_service_of_the_same_version(self, version: Version) -> None:
        async with talking(service=version, charger=version, mirror=Mirroring.ALL) as talk:
            await talk.hear(NoticeReported("NotifyChargingLimit", LIMIT))
            assert talk.link.said("NotifyChargingLimit") == [LIMIT]

    @pytest.mark.parametrize("mirror", [Mirroring.OWN, Mirroring.NONE])
    async def test_pass_to_no_service_that_is_not_told_of_all(self, mirror: Mirroring) -> None:
        async with talking(service=V201, charger=V201, mirror=mirror) as talk:
            await talk.hear(NoticeReported("NotifyChargingLimit", LIMIT))
            assert talk.link.said("NotifyChargingLimit") == []

    async def test_pass_to_no_other_version(self) -> None:
        async with talking(service=V21, charger=V201, mirror=Mirroring.ALL) as talk:
            await talk.hear(NoticeReported("NotifyChargingLimit", LIMIT))
            assert talk.link.said("NotifyChargingLimit") == []

    async def test_that_answer_a_request_are_told_to_who_asked_by_its_id(self) -> None:
        part = {"requestId": 900, "seqNo": 0, "generatedAt": "2026-03-14T12:00:00Z", "data": "x"}
        async with talking(service=V201, charger=V201) as talk:
            await talk.hear(NoticeReported("NotifyCustomerInformation", part))
            talk.out.peer.requests[900] = 5
            await talk.hear(NoticeReported("NotifyCustomerInformation", part))
            assert [one["requestId"] for one in talk.link.said("NotifyCustomerInformation")] == [5]

    async def test_that_want_an_answer_are_not_told_beside(self) -> None:
        async with talking(service=V201, charger=V201, mirror=Mirroring.ALL) as talk:
            await talk.hear(NoticeReported("SignCertificate", {"csr": "x"}))
            assert talk.link.said("SignCertificate") == []
