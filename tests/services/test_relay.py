"""Calls of a charger that a service answers: whose, in whose words, in what time, and what goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

from ocpp_mqtt_proxy.authority import Authority
from ocpp_mqtt_proxy.core.authorization import ACCEPTED, House
from ocpp_mqtt_proxy.core.events import DataTransferred, Fact, HeartbeatHeard
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.model import IdToken, Version
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    Authorization,
    AuthorizationAnswer,
    AuthorizationRequested,
    DataTransferReported,
    HeartbeatReported,
    Report,
    TimeAnswer,
)
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import CallError, ErrorCode
from ocpp_mqtt_proxy.ports import Mirror
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.ports import LinkLost, NoAnswer, Refused
from ocpp_mqtt_proxy.services.relay import MOST_OPEN, NOTICES, Relay
from tests.asking import settle
from tests.core.yard import energy, meter, start
from tests.running import PATIENCE
from tests.services.fakes import an_outstation, link_of

TRANSACTIONS, SMART_CHARGING, MANAGEMENT = ControlClass
PAIRS = list(product(Version, Version))
ENDLESS = 3600.0
CERTIFICATE: Payload = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "aa",
    "issuerKeyHash": "bb",
    "serialNumber": "01",
}
REQUESTS: dict[str, Payload] = {
    "Get15118EVCertificate": {"iso15118SchemaVersion": "urn:1", "action": "Install", "exiRequest": "AAAA"},
    "GetCertificateChainStatus": {
        "certificateStatusRequests": [{"source": "OCSP", "urls": ["http://ocsp"], "certificateHashData": CERTIFICATE}]
    },
    "GetCertificateStatus": {"ocspRequestData": CERTIFICATE | {"responderURL": "http://ocsp"}},
    "SignCertificate": {"csr": "-----BEGIN-----"},
    "NotifyEVChargingNeeds": {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}},
    "NotifyEVChargingSchedule": {
        "timeBase": "2026-03-14T12:00:00Z",
        "evseId": 1,
        "chargingSchedule": {
            "id": 1,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        },
    },
    "VatNumberValidation": {"vatNumber": "NL001"},
}
ANSWERS: dict[str, Payload] = {
    "Get15118EVCertificate": {"status": "Accepted", "exiResponse": "BBBB"},
    "GetCertificateChainStatus": {
        "certificateStatus": [
            {
                "certificateHashData": CERTIFICATE,
                "source": "OCSP",
                "status": "Good",
                "nextUpdate": "2026-03-15T12:00:00Z",
            }
        ]
    },
    "GetCertificateStatus": {"status": "Accepted", "ocspResult": "CCCC"},
    "SignCertificate": {"status": "Accepted"},
    "NotifyEVChargingNeeds": {"status": "Accepted"},
    "NotifyEVChargingSchedule": {"status": "Rejected"},
    "VatNumberValidation": {"vatNumber": "NL001", "status": "Accepted"},
}
SPOKEN = [(version, action) for version in Version for action in NOTICES if action in DIALECTS[version].hear]


class RelayAlone(Mirror):
    """Services that are asked and told of nothing."""

    def __init__(self, *outs: Outstation) -> None:
        self.relay = Relay(lambda _: outs)

    def ask(self, station: Station, report: Report, ours: Answer) -> asyncio.Future[Answer] | None:
        return self.relay.ask(station, report, ours)

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        return []


def relaying(
    service: Version = Version.V16, charger: Version = Version.V16, *authority: ControlClass, **plan: Any
) -> Outstation:
    """A service with authority, and a charger whose calls it answers."""
    given: dict[str, Any] = {"authority": frozenset(authority or ControlClass), "patience": ENDLESS} | plan
    out = an_outstation(service, charger, **given)
    out.hub.mirror = RelayAlone(out)
    return out


def answers(out: Outstation, payload: Payload) -> None:
    """What the service answers to everything."""
    link_of(out).answers = lambda *_: payload


async def answer(out: Outstation, action: str, payload: Payload) -> Payload:
    """What the charger is answered, as it goes over the wire."""
    dialect = DIALECTS[out.station.version]
    report, _ = dialect.decode(action, payload)
    said = out.hub.hear("CP1", report)
    async with asyncio.timeout(PATIENCE):
        reply = dialect.reply(action, await said.answer if isinstance(said, Delayed) else said)
    assert dialect.fault(action, reply) is None
    return reply


async def ours(version: Version, action: str, payload: Payload) -> Payload:
    """What a charger is answered where no service is."""
    return await answer(an_outstation(version, version), action, payload)


VENDOR: Payload = {"vendorId": "de.acme", "messageId": "greet", "data": "hello"}
UNKNOWN = {"status": "UnknownVendorId"}

# Vendors' messages


@pytest.mark.parametrize(("service", "charger"), PAIRS)
async def test_a_vendor_s_message_gets_the_service_s_answer(service: Version, charger: Version) -> None:
    out = relaying(service, charger)
    answers(out, {"status": "Accepted", "data": "hi"})
    assert await answer(out, "DataTransfer", VENDOR) == {"status": "Accepted", "data": "hi"}
    assert link_of(out).calls == [("DataTransfer", VENDOR)]


async def test_data_of_2_x_goes_to_a_1_6_service_as_text_and_its_answer_comes_back_as_data() -> None:
    out = relaying(Version.V16, Version.V201)
    answers(out, {"status": "Accepted", "data": '{"b":[2]}'})
    assert await answer(out, "DataTransfer", VENDOR | {"data": {"a": 1}}) == {"status": "Accepted", "data": {"b": [2]}}
    assert link_of(out).said("DataTransfer") == [VENDOR | {"data": '{"a":1}'}]


@pytest.mark.parametrize("text", ["hi", "{no json"])
async def test_text_that_is_no_data_stays_text(text: str) -> None:
    out = relaying(Version.V16, Version.V201)
    answers(out, {"status": "Accepted", "data": text})
    assert await answer(out, "DataTransfer", VENDOR | {"data": {"a": 1}}) == {"status": "Accepted", "data": text}


async def test_data_of_a_2_x_service_comes_to_a_1_6_charger_as_text() -> None:
    out = relaying(Version.V201, Version.V16)
    answers(out, {"status": "Accepted", "data": {"b": [2]}})
    assert await answer(out, "DataTransfer", VENDOR) == {"status": "Accepted", "data": '{"b":[2]}'}


async def test_who_manages_answers_vendors_before_who_bills() -> None:
    billing = relaying(Version.V16, Version.V16, TRANSACTIONS)
    operator = an_outstation(arbitration=billing.arbitration, id="operator", authority=frozenset({MANAGEMENT}))
    billing.hub.mirror = RelayAlone(billing, operator)
    await answer(billing, "DataTransfer", VENDOR)
    assert (link_of(billing).calls, link_of(operator).calls) == ([], [("DataTransfer", VENDOR)])


# Notices


@pytest.mark.parametrize(("version", "action"), SPOKEN)
async def test_a_notice_that_wants_an_answer_gets_the_service_s(version: Version, action: str) -> None:
    out = relaying(version, version, NOTICES[action])
    answers(out, ANSWERS[action])
    assert await answer(out, action, REQUESTS[action]) == ANSWERS[action]
    assert link_of(out).calls == [(action, REQUESTS[action])]


@pytest.mark.parametrize(("version", "action"), SPOKEN)
async def test_but_not_of_one_without_authority_over_it(version: Version, action: str) -> None:
    out = relaying(version, version, *(frozenset(ControlClass) - {NOTICES[action]}))
    assert await answer(out, action, REQUESTS[action]) == await ours(version, action, REQUESTS[action])
    assert link_of(out).calls == []


@pytest.mark.parametrize(("service", "charger"), PAIRS)
async def test_a_signing_request_gets_its_answer_across_versions(service: Version, charger: Version) -> None:
    out = relaying(service, charger)
    answers(out, {"status": "Accepted"} | ({} if service is Version.V16 else {"statusInfo": {"reasonCode": "OK"}}))
    assert (await answer(out, "SignCertificate", REQUESTS["SignCertificate"]))["status"] == "Accepted"


async def test_a_car_s_certificate_is_not_asked_of_a_1_6_service_which_signs_only_chargers() -> None:
    out = relaying(Version.V16, Version.V201)
    request = REQUESTS["SignCertificate"] | {"certificateType": "V2GCertificate"}
    assert await answer(out, "SignCertificate", request) == {"status": "Rejected"}
    assert link_of(out).calls == []


async def test_what_the_service_s_version_lacks_is_answered_by_us() -> None:
    out = relaying(Version.V16, Version.V201)
    request = REQUESTS["GetCertificateStatus"]
    assert await answer(out, "GetCertificateStatus", request) == {"status": "Failed"}
    assert link_of(out).calls == []


async def test_what_2_1_alone_knows_is_left_out_for_2_0_1() -> None:
    out = relaying(Version.V201, Version.V21)
    await answer(out, "SignCertificate", REQUESTS["SignCertificate"] | {"requestId": 7})
    assert link_of(out).said("SignCertificate") == [REQUESTS["SignCertificate"]]


async def test_a_word_that_the_charger_s_version_lacks_is_replaced_by_our_answer() -> None:
    out = relaying(Version.V21, Version.V201)
    answers(out, {"status": "NoChargingProfile"})
    request = REQUESTS["NotifyEVChargingNeeds"]
    assert await answer(out, "NotifyEVChargingNeeds", request) == {"status": "Rejected"}


async def test_a_notice_that_is_answered_by_nothing_is_answered_by_us() -> None:
    out = relaying(Version.V201, Version.V201)
    assert await answer(out, "ClearedChargingLimit", {"chargingLimitSource": "EMS"}) == {}
    assert link_of(out).calls == []


# A service that does not answer


def unplugged(out: Outstation) -> None:
    out.link = None


def unaccepted(out: Outstation) -> None:
    out.accepted_at = None


def switched_off(out: Outstation) -> None:
    out.arbitration.house.disabled.add(out.id)


def failing(error: Exception) -> Any:
    def fails(out: Outstation) -> None:
        def raises(*_: object) -> Payload:
            raise error

        link_of(out).answers = raises

    return fails


BAD = [
    unplugged,
    unaccepted,
    switched_off,
    failing(NoAnswer("no answer")),
    failing(LinkLost("gone")),
    failing(Refused(CallError("1", ErrorCode.NOT_IMPLEMENTED, "what?"))),
    failing(ValueError("a fault of ours")),
    lambda out: answers(out, {"hello": "world"}),
    lambda out: answers(out, {"status": "Whatever"}),
]


@pytest.mark.parametrize("goes_bad", BAD)
@pytest.mark.parametrize(("action", "request_"), [("DataTransfer", VENDOR), ("SignCertificate", {"csr": "x"})])
async def test_without_its_answer_the_charger_gets_ours(goes_bad: Any, action: str, request_: Payload) -> None:
    out = relaying()
    goes_bad(out)
    assert await answer(out, action, request_) == await ours(Version.V16, action, request_)


async def test_a_silent_service_is_waited_for_no_longer_than_its_time() -> None:
    out = relaying(patience=0.0)
    link_of(out).open.clear()
    assert await answer(out, "DataTransfer", VENDOR) == UNKNOWN


# What goes on meanwhile


def asking(out: Outstation, report: Report) -> asyncio.Future[Answer]:
    said = out.hub.hear("CP1", report)
    assert isinstance(said, Delayed)
    return said.answer


MESSAGE = DataTransferReported("de.acme", "greet", "hello")


async def test_while_it_thinks_everything_else_of_the_charger_goes_on() -> None:
    out = relaying()
    link_of(out).open.clear()
    waiting = asking(out, MESSAGE)
    await settle()
    assert out.hub.hear("CP1", HeartbeatReported()) == TimeAnswer(out.hub.clock.now())
    await asking(out, start(1000, tag="anna"))
    assert not waiting.done()
    link_of(out).open.set()
    async with asyncio.timeout(PATIENCE):
        await waiting


async def test_while_it_thinks_everybody_else_is_told_of_the_call() -> None:
    out = relaying()
    link_of(out).open.clear()
    facts = out.hub.bus.mailbox("somebody", only=(DataTransferred,))
    waiting = asking(out, MESSAGE)
    async with asyncio.timeout(PATIENCE):
        assert len(await facts.take()) == 1
    assert not waiting.done()
    link_of(out).open.set()
    await waiting


async def test_nothing_else_of_the_charger_is_told_before_the_call() -> None:
    out = relaying()
    facts = out.hub.bus.mailbox("somebody", only=(DataTransferred, HeartbeatHeard))
    waiting = asking(out, MESSAGE)
    out.hub.hear("CP1", HeartbeatReported())
    assert [type(fact) for fact in facts.take_now()] == [DataTransferred, HeartbeatHeard]
    await waiting


async def test_a_call_is_told_before_the_program_ends() -> None:
    out = relaying()
    facts = out.hub.bus.mailbox("somebody", only=(DataTransferred,))
    waiting = asking(out, MESSAGE)
    out.hub.rest()
    assert len(facts.take_now()) == 1
    await waiting


async def test_a_charger_that_asks_too_much_at_once_gets_our_answers() -> None:
    out = relaying()
    link_of(out).open.clear()
    waiting = [asking(out, MESSAGE) for _ in range(MOST_OPEN)]
    assert not isinstance(out.hub.hear("CP1", MESSAGE), Delayed)
    link_of(out).open.set()
    await asyncio.gather(*waiting)
    await asking(out, MESSAGE)
    assert len(link_of(out).calls) == MOST_OPEN + 1


@dataclass
class Slow:
    """A referee that takes its time."""

    id: str = "billing"
    patience: float = ENDLESS
    speaks: asyncio.Event = field(default_factory=asyncio.Event)

    async def authorize(self, charger_id: str, token: IdToken) -> Authorization | None:
        await self.speaks.wait()
        return ACCEPTED

    def while_down(self, charger_id: str, token: IdToken) -> Authorization:
        return ACCEPTED


async def test_behind_a_start_that_waits_for_its_card_a_call_is_asked_too_and_holds_up_nothing_after_it() -> None:
    out, referee = relaying(), Slow()
    out.hub.house = House(open_to_all=False)
    out.hub.authority = Authority(out.arbitration, referee_for=lambda _: referee)
    begun = asking(out, start(1000, tag="STRANGER"))
    relayed, read = asking(out, MESSAGE), asking(out, meter(energy(1500)))
    await settle()
    assert link_of(out).calls == []
    link_of(out).open.clear()
    referee.speaks.set()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(begun, read)
    assert not relayed.done()
    link_of(out).open.set()
    async with asyncio.timeout(PATIENCE):
        await relayed
    assert link_of(out).actions() == ["DataTransfer"]


async def test_cards_and_readings_are_none_of_its_business() -> None:
    out = relaying()
    said = out.hub.hear("CP1", AuthorizationRequested(IdToken("HOME")))
    assert isinstance(said, AuthorizationAnswer)
    assert link_of(out).calls == []
