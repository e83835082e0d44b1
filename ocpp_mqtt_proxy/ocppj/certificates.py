"""Certificates in a charger, as 1.6's security whitepaper and 2.x ask for them: alike but for words and lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ocpp_mqtt_proxy.core.certificates import (
    CertificateHash,
    CertificateUse,
    DeleteCertificate,
    InstallCertificate,
    TakeCertificate,
)
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, done, failed
from ocpp_mqtt_proxy.ocppj.alike import as_it_came
from ocpp_mqtt_proxy.ocppj.dialect import Obey, OrderRow, Payload, agreed, unless, usual_answer
from ocpp_mqtt_proxy.ocppj.fields import Object, child, text

Words = Mapping[CertificateUse, str]
"""What each use of a certificate is called, where a version knows it."""


def hashed(given: CertificateHash) -> Payload:
    """CertificateHashDataType."""
    return {
        "hashAlgorithm": given.algorithm,
        "issuerNameHash": given.issuer_name,
        "issuerKeyHash": given.issuer_key,
        "serialNumber": given.serial,
    }


def hashes(data: Object) -> CertificateHash:
    """A CertificateHashDataType."""
    fields = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")
    return CertificateHash(*(text(data, field) for field in fields))


def ordered(words: Words) -> dict[type, OrderRow]:
    """What is asked of a charger."""

    def install(order: InstallCertificate) -> tuple[str, Payload] | None:
        word = words.get(order.use)
        return ("InstallCertificate", {"certificateType": word, "certificate": order.certificate}) if word else None

    return {
        InstallCertificate: OrderRow(install, _usual),
        DeleteCertificate: OrderRow(
            lambda o: ("DeleteCertificate", {"certificateHashData": hashed(o.certificate)}), _usual
        ),
        TakeCertificate: OrderRow(lambda o: ("CertificateSigned", {"certificateChain": o.chain}), _usual),
    }


def _usual(_: object, payload: Object) -> Outcome:
    return agreed(payload)


def _is_for_a_car(payload: Object) -> bool:
    return payload.get("certificateType") in ("V2GCertificate", "V2G20Certificate")


def obeyed(words: Words) -> dict[str, Obey]:
    """What a CSMS asks for."""
    uses = {word: use for use, word in words.items()}
    return {
        "InstallCertificate": Obey(
            lambda p: InstallCertificate(uses[text(p, "certificateType")], as_it_came(p, "certificate")), usual_answer()
        ),
        "DeleteCertificate": Obey(
            lambda p: DeleteCertificate(hashes(child(p, "certificateHashData"))),
            usual_answer(no="Failed", not_supported="NotFound"),
        ),
        "CertificateSigned": unless(
            _is_for_a_car,
            "CertificateSigned",
            Obey(lambda p: TakeCertificate(as_it_came(p, "certificateChain")), usual_answer()),
        ),
    }


Found = list[tuple[CertificateUse, CertificateHash]]


def found(payload: Object, read: Callable[[Object], Found]) -> Outcome:
    """What certificates a charger has, by its answer."""
    status = text(payload, "status")
    if status not in ("Accepted", "NotFound"):
        return failed(Reason.INVALID, "the charger's answer holds no status")
    return done(certificates=[{"use": use.value, **certificate._asdict()} for use, certificate in read(payload)])


def listed(outcome: Outcome) -> Found:
    """What certificates an outcome tells of."""
    told = outcome.result.get("certificates")
    return [_read(item) for item in told] if isinstance(told, list) else []


def _read(item: Mapping[str, str]) -> tuple[CertificateUse, CertificateHash]:
    fields = {key: value for key, value in item.items() if key != "use"}
    return CertificateUse(item["use"]), CertificateHash(**fields)
