"""What 1.6's security whitepaper added, and 2.x has from the start: logs, signed firmware, certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.certificates import (
    CertificateHash,
    CertificateUse,
    DeleteCertificate,
    InstallCertificate,
    ListCertificates,
    TakeCertificate,
)
from ocpp_mqtt_proxy.core.commands import Message, Order, RawCall, Reason, done, refused
from ocpp_mqtt_proxy.core.model import Place, Target, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.ocppj.judge import assert_valid

V16, V201, V21 = Version
TWO = [V201, V21]
AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
URL = "https://example.org/"
SHA = CertificateHash("SHA256", "ab", "cd", "7")
SHA_ON_THE_WIRE = {"hashAlgorithm": "SHA256", "issuerNameHash": "ab", "issuerKeyHash": "cd", "serialNumber": "7"}

OF_THE_WHITEPAPER = {
    *("CertificateSigned", "DeleteCertificate", "ExtendedTriggerMessage", "GetInstalledCertificateIds"),
    *("GetLog", "InstallCertificate", "SignedUpdateFirmware"),
}
"""What a Central System asks for."""
FROM_CHARGERS = {
    *("LogStatusNotification", "SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification"),
}


def test_16_has_every_message_of_the_whitepaper() -> None:
    assert DIALECTS[V16].obey.keys() >= OF_THE_WHITEPAPER
    assert DIALECTS[V16].hear.keys() >= FROM_CHARGERS


def put(version: Version, order: Order) -> tuple[str, dict[str, Any]]:
    call = DIALECTS[version].put(order)
    assert call is not None
    assert_valid(version, *call)
    return call


# Firmware and logs

SIGNED = commands.UpdateFirmware(7, URL, AT, certificate="PEM", signature="c2ln")


def test_signed_firmware_is_never_ordered_as_if_nobody_signed_it() -> None:
    firmware = {
        "location": URL,
        "retrieveDateTime": "2026-03-14T12:00:00Z",
        "signingCertificate": "PEM",
        "signature": "c2ln",
    }
    payload = {"requestId": 7, "firmware": firmware}
    assert put(V16, SIGNED) == ("SignedUpdateFirmware", payload)
    for version in TWO:
        assert put(version, SIGNED) == ("UpdateFirmware", payload)


@pytest.mark.parametrize("half", [{"certificate": "PEM"}, {"signature": "c2ln"}])
@pytest.mark.parametrize("version", DIALECTS)
def test_a_signature_without_its_certificate_is_none(version: Version, half: dict[str, str]) -> None:
    action, payload = put(version, commands.UpdateFirmware(7, URL, AT, **half))
    assert action == "UpdateFirmware"
    assert not {"signature", "signingCertificate"} & payload.get("firmware", {}).keys()


@pytest.mark.parametrize("status", ["InvalidCertificate", "RevokedCertificate", "Rejected"])
@pytest.mark.parametrize("version", DIALECTS)
def test_a_charger_may_refuse_signed_firmware(version: Version, status: str) -> None:
    assert not DIALECTS[version].outcome(SIGNED, {"status": status}).ok
    assert DIALECTS[version].outcome(SIGNED, {"status": "AcceptedCanceled"}).ok


@pytest.mark.parametrize("version", DIALECTS)
def test_the_security_log_is_another_log(version: Version) -> None:
    order = commands.GetDiagnostics(7, URL, security=True)
    action, payload = put(version, order)
    assert (action, payload["logType"]) == ("GetLog", "SecurityLog")
    outcome = DIALECTS[version].outcome(order, {"status": "Accepted", "filename": "security.log"})
    assert outcome.result["file_name"] == "security.log"
    assert not DIALECTS[version].outcome(order, {"status": "Rejected"}).ok


# Triggers


@pytest.mark.parametrize(
    ("word", "message"), [("LogStatusNotification", Message.DIAGNOSTICS), ("StatusNotification", Message.STATUS)]
)
def test_the_extended_trigger_asks_for_what_the_plain_one_does(word: str, message: Message) -> None:
    order = DIALECTS[V16].command("ExtendedTriggerMessage", {"requestedMessage": word, "connectorId": 2})
    assert order == commands.Trigger(message, Target(2, Place(2, 1)))
    answer = DIALECTS[V16].response("ExtendedTriggerMessage", order, refused(Reason.NOT_SUPPORTED))
    assert answer == {"status": "NotImplemented"}


def test_a_signing_request_is_the_charger_s_own_affair() -> None:
    payload = {"requestedMessage": "SignChargePointCertificate"}
    assert DIALECTS[V16].command("ExtendedTriggerMessage", payload) == RawCall("ExtendedTriggerMessage", payload)


# Certificates


@pytest.mark.parametrize(
    ("version", "word"),
    [(V16, "CentralSystemRootCertificate"), (V201, "CSMSRootCertificate"), (V21, "CSMSRootCertificate")],
)
def test_a_root_is_called_by_each_version_s_word(version: Version, word: str) -> None:
    order = InstallCertificate(CertificateUse.CSMS_ROOT, " PEM\n")
    assert put(version, order) == ("InstallCertificate", {"certificateType": word, "certificate": " PEM\n"})


@pytest.mark.parametrize(
    ("version", "use"),
    [(V16, CertificateUse.V2G_ROOT), (V16, CertificateUse.OEM_ROOT), (V201, CertificateUse.OEM_ROOT)],
)
def test_a_root_that_a_version_has_no_word_for_is_not_installed(version: Version, use: CertificateUse) -> None:
    assert DIALECTS[version].put(InstallCertificate(use, "PEM")) is None


@pytest.mark.parametrize("uses", [(), (CertificateUse.V2G_ROOT,), tuple(CertificateUse)])
def test_16_lists_certificates_of_one_use_it_knows_at_a_time(uses: tuple[CertificateUse, ...]) -> None:
    assert DIALECTS[V16].put(ListCertificates(uses)) is None


ROOTS = ListCertificates((CertificateUse.CSMS_ROOT,))
TOLD = {"use": "csms_root", "algorithm": "SHA256", "issuer_name": "ab", "issuer_key": "cd", "serial": "7"}


@pytest.mark.parametrize(
    ("version", "listed"),
    [
        (V16, {"certificateHashData": [SHA_ON_THE_WIRE]}),
        *(
            (
                version,
                {
                    "certificateHashDataChain": [
                        {"certificateType": "CSMSRootCertificate", "certificateHashData": SHA_ON_THE_WIRE},
                        {"certificateType": "SomeOtherCertificate", "certificateHashData": SHA_ON_THE_WIRE},
                    ]
                },
            )
            for version in TWO
        ),
    ],
)
def test_what_certificates_there_are_is_told_alike(version: Version, listed: dict[str, Any]) -> None:
    outcome = DIALECTS[version].outcome(ROOTS, {"status": "Accepted", **listed})
    assert outcome.result["certificates"] == [TOLD]


@pytest.mark.parametrize("version", DIALECTS)
def test_no_certificate_is_an_answer_too_and_no_status_is_none(version: Version) -> None:
    assert DIALECTS[version].outcome(ROOTS, {"status": "NotFound"}) == done(certificates=[])
    assert DIALECTS[version].outcome(ROOTS, {}).reason is Reason.INVALID
    assert DIALECTS[version].response("GetInstalledCertificateIds", ROOTS, done(certificates=[])) == {
        "status": "NotFound"
    }


@pytest.mark.parametrize("version", DIALECTS)
def test_a_certificate_is_deleted_by_its_hashes(version: Version) -> None:
    order = DeleteCertificate(SHA)
    assert put(version, order) == ("DeleteCertificate", {"certificateHashData": SHA_ON_THE_WIRE})
    assert not DIALECTS[version].outcome(order, {"status": "NotFound"}).ok
    assert DIALECTS[version].response("DeleteCertificate", order, refused(Reason.TIMEOUT)) == {"status": "Failed"}


@pytest.mark.parametrize(
    ("version", "payload"),
    [
        (V201, {"certificateChain": "PEM", "certificateType": "V2GCertificate"}),
        (V21, {"certificateChain": "PEM", "certificateType": "V2G20Certificate"}),
        (V21, {"certificateChain": "PEM", "requestId": 7}),
    ],
)
def test_a_certificate_that_is_not_the_charger_s_own_goes_to_it_as_it_is(
    version: Version, payload: dict[str, Any]
) -> None:
    assert DIALECTS[version].command("CertificateSigned", payload) == RawCall("CertificateSigned", payload)
    own = {"certificateChain": "PEM", "certificateType": "ChargingStationCertificate"}
    assert DIALECTS[version].command("CertificateSigned", own) == TakeCertificate("PEM")


def test_a_log_that_only_21_has_goes_to_the_charger_as_it_is() -> None:
    payload = {"logType": "DataCollectorLog", "requestId": 1, "log": {"remoteLocation": URL}}
    assert DIALECTS[V21].command("GetLog", payload) == RawCall("GetLog", payload)
