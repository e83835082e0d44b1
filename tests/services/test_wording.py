"""A service is told in the words of its version: its own ids, places and tags."""

from __future__ import annotations

from typing import Any

import pytest

from ocpp_mqtt_proxy.core.commands import StartCharging
from ocpp_mqtt_proxy.core.events import CardDecided
from ocpp_mqtt_proxy.core.model import Place, Target, Version
from ocpp_mqtt_proxy.core.outgoing import Outgoing
from ocpp_mqtt_proxy.core.peer import MOST_TRANSACTIONS
from ocpp_mqtt_proxy.core.reports import SecurityReported
from ocpp_mqtt_proxy.services import wording
from ocpp_mqtt_proxy.services.plan import Mirroring
from tests.fakes import NOON
from tests.services.street import Pen, Service, Street

V16, V201, V21 = Version.V16, Version.V201, Version.V21
TWO = [V201, V21]
each_of_2x = pytest.mark.parametrize("version", TWO)


def scene(charger: Version, service: Version, **plan: Any) -> tuple[Street, Service, Pen]:
    street = Street(charger)
    return street, street.serve(service, **plan), Pen(street)


def events(service: Service) -> list[dict[str, Any]]:
    return service.said("TransactionEvent")


OF_A_CERTIFICATE = {
    V16: "InvalidCentralSystemCertificate",
    V201: "InvalidCsmsCertificate",
    V21: "InvalidCsmsCertificate",
}


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("told", sorted(set(OF_A_CERTIFICATE.values())))
def test_a_security_event_has_the_name_that_the_version_has_for_it(version: Version, told: str) -> None:
    _, service, _ = scene(V16, version)
    outgoing = Outgoing("billing", "CP1", 1, NOON, SecurityReported(told, NOON, "why"))
    [(action, payload)] = wording.calls(service.out, outgoing)
    assert (action, payload["type"]) == ("SecurityEventNotification", OF_A_CERTIFICATE[version])


class TestA16Service:
    @pytest.mark.parametrize("charger", Version)
    async def test_hears_of_a_transaction_by_the_number_it_gave(self, charger: Version) -> None:
        _, service, pen = scene(charger, V16)
        await pen.start()
        await pen.read(700)
        await pen.stop(300)
        service.deliver()
        (start,), (meter,), (stop,) = map(service.said, ("StartTransaction", "MeterValues", "StopTransaction"))
        assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "CARD", 5000)
        assert meter["transactionId"] == stop["transactionId"] == 500_000_000
        assert (meter["connectorId"], stop["meterStop"], stop["reason"]) == (1, 6000, "EVDisconnected")

    async def test_whose_start_was_given_up_hears_of_minus_one(self) -> None:
        _, service, pen = scene(V16, V16)
        await pen.start()
        service.deliver(refusing=True)
        await pen.stop(300)
        [(action, payload)] = wording.calls(service.out, service.waiting[0])
        assert (action, payload["transactionId"]) == ("StopTransaction", -1)

    async def test_hears_of_a_start_once_there_is_a_card(self) -> None:
        _, service, pen = scene(V201, V16)
        await pen.start(None)
        service.deliver()
        assert service.csms.heard == []
        await pen.show_card("LATE")
        service.deliver()
        await pen.stop(300)
        service.deliver()
        (start,), (stop,) = service.said("StartTransaction"), service.said("StopTransaction")
        assert (start["idTag"], start["meterStart"], stop["meterStop"]) == ("LATE", 5000, 5300)

    async def test_hears_nothing_of_a_transaction_that_never_had_a_card(self) -> None:
        _, service, pen = scene(V201, V16)
        await pen.start(None)
        await pen.stop()
        service.deliver()
        assert service.csms.heard == []
        assert service.waiting == []

    async def test_hears_of_one_without_a_card_by_the_tag_that_the_configuration_gives(self) -> None:
        _, service, pen = scene(V201, V16, id_tag="GUEST")
        await pen.start(None)
        await pen.stop()
        service.deliver()
        assert [start["idTag"] for start in service.said("StartTransaction")] == ["GUEST"]
        assert len(service.said("StopTransaction")) == 1

    async def test_hears_of_one_without_any_meter_once_that_is_sure(self) -> None:
        _, service, pen = scene(V201, V16)
        pen.transaction = "without a meter"
        await pen.event("Started", "Authorized", card="CARD")
        service.deliver()
        assert service.csms.heard == []
        await pen.event("Ended", "EVDeparted", info={"transactionId": pen.transaction})
        service.deliver()
        (start,), (stop,) = service.said("StartTransaction"), service.said("StopTransaction")
        assert (start["meterStart"], stop["meterStop"]) == (0, 0)

    async def test_sees_a_limit_of_2x_as_the_current_offered(self) -> None:
        street, service, pen = scene(V201, V16)
        await pen.start()
        street.station.connectors[1].effective_limit = 10.0  # type: ignore[assignment] # amps
        await pen.event("Updated", "ChargingRateChanged")
        service.deliver()
        (sampled,) = service.said("MeterValues")[0]["meterValue"][0]["sampledValue"]
        assert (sampled["measurand"], sampled["value"]) == ("Current.Offered", "10")

    async def test_whose_answer_names_no_transaction_is_asked_again(self) -> None:
        _, service, pen = scene(V16, V16)
        await pen.start()
        with pytest.raises(ValueError, match="names no transaction"):
            wording.learn(service.out, service.waiting[0], "StartTransaction", {"idTagInfo": {"status": "Accepted"}})


class TestA2xService:
    @each_of_2x
    async def test_hears_of_a_16_transaction_by_an_id_of_its_own(self, version: Version) -> None:
        street, service, pen = scene(V16, version)
        other = street.serve(version, "own")
        await pen.start()
        await pen.read(700)
        await pen.stop(300)
        for one in (service, other):
            one.deliver()
        [ids, others] = [{e["transactionInfo"]["transactionId"] for e in events(one)} for one in (service, other)]
        assert len(ids) == len(others) == 1
        assert ids.isdisjoint(others)
        known = service.out.peer.named(ids.pop())
        assert known is not None
        assert known.ours == pen.transaction

    @each_of_2x
    async def test_hears_of_a_2x_transaction_by_the_charger_s_own_id(self, version: Version) -> None:
        _, service, pen = scene(V201, version)
        await pen.start()
        service.deliver()
        assert events(service)[0]["transactionInfo"]["transactionId"] == pen.transaction

    @pytest.mark.parametrize("charger", Version)
    @each_of_2x
    async def test_is_shown_the_registers_of_both_ends(self, charger: Version, version: Version) -> None:
        _, service, pen = scene(charger, version)
        await pen.start()
        await pen.stop(1000)
        service.deliver()
        began, ended = ([v["sampledValue"][0] for v in event["meterValue"]] for event in events(service))
        assert [(v["context"], v["value"]) for v in began] == [("Transaction.Begin", 5000)]
        assert [(v["context"], v["value"]) for v in ended] == [("Transaction.End", 6000)]

    async def test_has_its_events_numbered_from_0_without_a_gap(self) -> None:
        _, service, pen = scene(V16, V201)
        await pen.start()
        for _ in range(3):
            await pen.read(1)
        await pen.stop()
        service.deliver(losing_answers=2)
        assert [event["seqNo"] for event in events(service)] == [0, 1, 2, 3, 4]

    async def test_has_told_to_it_as_offline_what_happened_before_it_accepted_us(self) -> None:
        street, service, pen = scene(V16, V201)
        await pen.start()
        service.deliver()
        service.leave()
        await pen.read(1)
        street.clock.pass_(seconds=30)
        service.come()
        await pen.stop()
        service.deliver()
        assert [event.get("offline", False) for event in events(service)] == [False, True, False]

    @pytest.mark.parametrize(
        ("tag", "kind"),
        [("04A1B2C3", "ISO14443"), ("04A1B2C3D4E5F6", "ISO14443"), ("E004010012345678", "ISO15693"), ("ANNA", "Local")],
    )
    async def test_hears_what_a_16_tag_is_by_its_form(self, tag: str, kind: str) -> None:
        _, service, pen = scene(V16, V201)
        await pen.start(tag)
        service.deliver()
        assert events(service)[0]["idToken"] == {"idToken": tag, "type": kind}

    @pytest.mark.parametrize(
        ("reason", "stopped", "trigger"),
        [
            ("DeAuthorized", "DeAuthorized", "Deauthorized"),
            ("EmergencyStop", "EmergencyStop", "AbnormalCondition"),
            ("EVDisconnected", "EVDisconnected", "EVCommunicationLost"),
            ("HardReset", "ImmediateReset", "ResetCommand"),
            ("Local", "Local", "StopAuthorized"),
            ("Other", "Other", "AbnormalCondition"),
            ("PowerLoss", "PowerLoss", "AbnormalCondition"),
            ("Reboot", "Reboot", "ResetCommand"),
            ("Remote", "Remote", "RemoteStop"),
            ("SoftReset", "Reboot", "ResetCommand"),
            ("UnlockCommand", "Remote", "UnlockCommand"),
        ],
    )
    async def test_hears_why_a_16_transaction_ended(self, reason: str, stopped: str, trigger: str) -> None:
        _, service, pen = scene(V16, V201)
        await pen.start()
        await pen.stop(reason=reason)
        service.deliver()
        ended = events(service)[-1]
        assert (ended["transactionInfo"]["stoppedReason"], ended["triggerReason"]) == (stopped, trigger)

    async def test_gets_what_a_16_meter_signed_byte_for_byte(self) -> None:
        signed = 'OCMF|{"RD":[{"RV":6.0}]}|{"SD":" 30"} '
        _, service, pen = scene(V16, V201)
        await pen.start()
        sampled = {"value": signed, "format": "SignedData", "context": "Transaction.End"}
        await pen.stop(1000, transactionData=[{"timestamp": pen.at, "sampledValue": [sampled]}])
        service.deliver()
        (value,) = [s for v in events(service)[-1]["meterValue"] for s in v["sampledValue"]]
        assert (value["value"], value["signedMeterValue"]["signedMeterData"]) == (6000, signed)
        assert value["signedMeterValue"]["encodingMethod"] == "OCMF"


class TestIdsOfAService:
    @pytest.mark.parametrize("named", [True, False])
    async def test_of_a_remote_start_are_only_its_own(self, named: bool) -> None:
        _, service, pen = scene(V201, V201)
        service.out.peer.remote_starts = {9001: 17} if named else {}
        info = {"transactionId": "t1", "remoteStartId": 9001}
        await pen.event("Started", "RemoteStart", card="CARD", info=info)
        service.deliver()
        (event,) = events(service)
        told = (event["triggerReason"], event["transactionInfo"].get("remoteStartId"))
        assert told == (("RemoteStart", 17) if named else ("Authorized", None))

    async def test_of_a_remote_start_is_told_though_a_16_charger_does_not_say_it(self) -> None:
        street, service, pen = scene(V16, V201, name="own", mirror=Mirroring.OWN)
        bystander = street.serve(V201)
        service.out.peer.remote_starts = {9001: 17}
        street.hub.confirm(street.station, StartCharging(Target(1, Place(1, 1)), "APP", 9001, provider="own"))
        await pen.start("APP")
        for one in (service, bystander):
            one.deliver()
        (own,), (other,) = events(service), events(bystander)
        assert own["idToken"] == {"idToken": "APP", "type": "Central"}
        assert (own["triggerReason"], own["transactionInfo"]["remoteStartId"]) == ("RemoteStart", 17)
        assert (other["triggerReason"], other["transactionInfo"].get("remoteStartId")) == ("Authorized", None)

    @pytest.mark.parametrize("version", Version)
    @pytest.mark.parametrize("named", [True, False])
    async def test_of_a_reservation_are_only_its_own(self, version: Version, named: bool) -> None:
        _, service, pen = scene(V16, version)
        service.out.peer.reservations = {17: 9001} if named else {}
        await pen.start(reservationId=9001)
        service.deliver()
        ((_, start),) = service.csms.heard
        assert start.get("reservationId") == (17 if named else None)


class TestItsWordOnACard:
    @pytest.mark.parametrize("version", Version)
    async def test_is_shown_to_the_owner_where_it_is_a_no_and_stops_nothing(self, version: Version) -> None:
        street, service, pen = scene(V16, version)
        service.csms.verdict = "Blocked"
        facts = street.hub.bus.mailbox("test")
        await pen.start()
        service.deliver()
        decided = [fact for fact in facts.take_now() if isinstance(fact, CardDecided) and fact.by == "all"]
        assert [fact.verdict for fact in decided] == ["blocked"]
        assert next(street.station.sessions()).running


async def test_transactions_that_were_told_to_the_end_are_forgotten_in_time() -> None:
    street, service, pen = scene(V16, V16)
    for _ in range(MOST_TRANSACTIONS + 5):
        await pen.start()
        await pen.stop(10)
        street.clock.pass_(minutes=1)
        service.deliver()
    assert len(service.out.peer.transactions) == MOST_TRANSACTIONS
    assert len(service.csms.transactions) == MOST_TRANSACTIONS + 5
