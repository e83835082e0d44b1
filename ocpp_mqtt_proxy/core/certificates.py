"""Orders about the certificates in a charger (M03 to M05, A02)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class CertificateUse(StrEnum):
    """What a certificate in a charger is good for."""

    CSMS_ROOT = "csms_root"
    MANUFACTURER_ROOT = "manufacturer_root"
    MO_ROOT = "mo_root"
    OEM_ROOT = "oem_root"
    V2G_CHAIN = "v2g_chain"
    V2G_ROOT = "v2g_root"


class CertificateHash(NamedTuple):
    """A certificate, by its hashes (CertificateHashDataType)."""

    algorithm: str
    issuer_name: str
    issuer_key: str
    serial: str


@dataclass(frozen=True, slots=True)
class InstallCertificate:
    """Trust a root certificate (PEM) (M05)."""

    use: CertificateUse
    certificate: str


@dataclass(frozen=True, slots=True)
class DeleteCertificate:
    """Trust a certificate no more (M04)."""

    certificate: CertificateHash


@dataclass(frozen=True, slots=True)
class ListCertificates:
    """Which certificates the charger has (M03), of these uses or of all.

    The outcome's `result["certificates"]` holds the fields of each `CertificateHash` and its `use`.
    """

    uses: tuple[CertificateUse, ...] = ()


@dataclass(frozen=True, slots=True)
class TakeCertificate:
    """Use the certificate that was asked for by a signing request, with its chain (PEM) (A02)."""

    chain: str
