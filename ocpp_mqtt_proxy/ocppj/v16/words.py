"""Words and shapes of OCPP 1.6 beside the domain's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import islice

from ocpp_mqtt_proxy.core.certificates import CertificateUse
from ocpp_mqtt_proxy.core.model import OCCUPIED, IdToken, Place, Reading, Sample, Signed, Status, StopReason, Verdict
from ocpp_mqtt_proxy.core.reports import Authorization
from ocpp_mqtt_proxy.ocppj import alike
from ocpp_mqtt_proxy.ocppj.fields import (
    MAX_READINGS,
    Object,
    child,
    children,
    choice,
    instant,
    integer,
    number,
    text,
    without_nothing,
    zulu,
)
from ocpp_mqtt_proxy.ocppj.labels import KEPT, LATELY, read

STATUS: Mapping[str, str] = {
    "Available": Status.AVAILABLE,
    "Preparing": Status.PREPARING,
    "Charging": Status.CHARGING,
    "SuspendedEV": Status.SUSPENDED_EV,
    "SuspendedEVSE": Status.SUSPENDED_EVSE,
    "Finishing": Status.FINISHING,
    "Reserved": Status.RESERVED,
    "Unavailable": Status.UNAVAILABLE,
    "Faulted": Status.FAULTED,
    "Occupied": OCCUPIED,
}
"""`Occupied` is 2.x; chargers that were updated say it on a 1.6 socket."""

STATUS_WORD = {status: word for word, status in STATUS.items()}

REASON: Mapping[str, StopReason] = {
    "DeAuthorized": StopReason.DEAUTHORIZED,
    "EmergencyStop": StopReason.EMERGENCY_STOP,
    "EVDisconnected": StopReason.EV_DISCONNECTED,
    "HardReset": StopReason.IMMEDIATE_RESET,
    "Local": StopReason.LOCAL,
    "Other": StopReason.OTHER,
    "PowerLoss": StopReason.POWER_LOSS,
    "Reboot": StopReason.REBOOT,
    "Remote": StopReason.REMOTE,
    "SoftReset": StopReason.SOFT_RESET,
    "UnlockCommand": StopReason.UNLOCK_COMMAND,
}
REASON_WORD = {reason: word for word, reason in REASON.items()} | {
    StopReason.MASTER_PASS: "DeAuthorized",
}
"""Reasons of 2.x without a word in 1.6 are `Other` (semantics §10.5)."""

VERDICT: Mapping[str, Verdict] = {
    "Accepted": Verdict.ACCEPTED,
    "Blocked": Verdict.BLOCKED,
    "Expired": Verdict.EXPIRED,
    "Invalid": Verdict.INVALID,
    "ConcurrentTx": Verdict.CONCURRENT_TX,
}
VERDICT_WORD = {verdict: word for word, verdict in VERDICT.items()} | {Verdict.NO_CREDIT: "Blocked"}
"""Verdicts of 2.x without a word in 1.6 are `Invalid`; NoCredit must not be cached as such (§10.7)."""

ERROR_CODES = frozenset(
    {
        "ConnectorLockFailure",
        "EVCommunicationError",
        "GroundFailure",
        "HighTemperature",
        "InternalError",
        "LocalListConflict",
        "NoError",
        "OtherError",
        "OverCurrentFailure",
        "OverVoltage",
        "PowerMeterFailure",
        "PowerSwitchFailure",
        "ReaderFailure",
        "ResetFailure",
        "UnderVoltage",
        "WeakSignal",
    }
)

FIRMWARE_WORD: Mapping[str, str] = {
    "download_paused": "Downloading",
    "download_scheduled": "Downloading",
    "install_rebooting": "Installing",
    "install_scheduled": "Installing",
    "install_verification_failed": "InstallationFailed",
    "invalid_signature": "InstallationFailed",
    "signature_verified": "Installing",
}
"""What plain firmware updates have no word for (semantics §10.1); signed ones have all of 2.x."""

UPLOADS: Mapping[str, str] = {"idle": "Idle", "uploaded": "Uploaded", "uploading": "Uploading"}
"""Words of DiagnosticsStatusNotification; everything else is a kind of UploadFailed."""

MAX_TAG = 20
"""Characters of an idTag."""

CONTEXT_REPAIRED = {"Transaction.Start": "Transaction.Begin"}
MEASURANDS = alike.MEASURANDS | {"RPM", "Temperature"}

CERTIFICATES: Mapping[CertificateUse, str] = {
    CertificateUse.CSMS_ROOT: "CentralSystemRootCertificate",
    CertificateUse.MANUFACTURER_ROOT: "ManufacturerRootCertificate",
}
"""What certificates are called; 1.6 has none for the car."""

SPELLED: Mapping[str, str] = {"%": "Percent", "°C": "Celsius"}
"""Base units that 1.6 spells out."""

_UNITS_OF_SCHEMA = frozenset({"Wh", "varh", "W", "VA", "var", "A", "V", "K", "Celsius", "Percent", "Hertz"})


def place(connector_id: int | None) -> Place:
    """Where a 1.6 connector is: number n is EVSE n, connector 1; 0 is the charger (§10.3)."""
    number_ = connector_id or 0
    return Place(0, 0) if number_ == 0 else Place(number_, 1)


def transaction_id(payload: Object) -> str | None:
    """A transaction's number, as text; None where there is none, and for what is none."""
    value = integer(payload, "transactionId")
    return None if value is None else str(value)


def samples(payload: Object, key: str) -> tuple[Sample, ...]:
    """A list of MeterValue."""
    found = []
    for value in children(payload, key):
        first = list(islice(children(value, "sampledValue"), MAX_READINGS))
        readings = [r for v in first if (r := reading(v)) is not None]
        sealed = [r for v in first if (r := _sealed(v)) is not None]
        found.append(Sample(instant(value, "timestamp"), tuple(readings), tuple(sealed)))
    return tuple(found)


def reading(value: Object) -> Reading | None:
    """One sampledValue in base units, with 1.6's defaults (§7.43); None where it holds no number."""
    amount = number(value.get("value"))
    return None if amount is None or value.get("format") == _SEALED else _read(value, amount)


_SEALED = "SignedData"


def _sealed(value: Object) -> Reading | None:
    """A sampledValue that is signed, byte for byte: its number stands in that."""
    data = value.get("value")
    if value.get("format") != _SEALED or not isinstance(data, str) or not data:
        return None
    return _read(value, 0.0, Signed(data))


def _read(value: Object, amount: float, signed: Signed | None = None) -> Reading | None:
    get = value.get
    words = get("measurand"), get("unit"), None, get("phase"), get("context"), get("location")
    given = read(amount, words, signed)
    if given is not None and given.context in CONTEXT_REPAIRED:
        return given._replace(context=CONTEXT_REPAIRED[given.context])
    return given


@lru_cache(LATELY)
def meter_values(given: tuple[Sample, ...]) -> list[object]:
    """Samples as a list of MeterValue, without the measurands that 1.6 lacks (semantics §10.7).

    All services are told the same readings: the list is made once, and not to be changed.
    """
    values: list[object] = []
    for sample in given:
        told = [sampled_value(r) for r in sample.readings if r.measurand in MEASURANDS]
        signed = (r for r in (*sample.readings, *sample.sealed) if r.measurand in MEASURANDS)
        told += [_signed_value(r, r.signed) for r in signed if r.signed is not None and r.signed.data]
        if told:
            values.append({"timestamp": zulu(sample.at or alike.EPOCH), "sampledValue": told})
    return values


def _signed_value(given: Reading, signed: Signed) -> dict[str, object]:
    """What was signed, beside the number that it is of, byte for byte (semantics §8.4)."""
    return sampled_value(given) | {"value": signed.data, "format": _SEALED}


def sampled_value(given: Reading) -> dict[str, object]:
    """A reading as a sampledValue. Words that the schema lacks are left out."""
    label = _label(given.measurand, given.unit, given.phase, given.context, given.location)
    return {"value": f"{given.value:.10g}", **label}


@lru_cache(KEPT)
def _label(measurand: str, unit: str, phase: str | None, context: str, location: str | None) -> dict[str, object]:
    """The words around a number, found once."""
    unit = SPELLED.get(unit, unit)
    return without_nothing(
        measurand=measurand,
        unit=unit if unit in _UNITS_OF_SCHEMA else None,
        phase=phase if phase in alike.PHASES else None,
        context=context if context in alike.CONTEXTS else None,
        location=location if location in alike.LOCATIONS else None,
    )


def id_tag(token: IdToken) -> str:
    """A token in the 20 characters that 1.6 has.

    More than these a 1.6 charger adds by mistake. Of a 2.x token they are a part, and two could be the same
    without (semantics §5.9): a digest stands for it.
    """
    if len(token.tag) <= MAX_TAG:
        return token.tag
    whole = token.kind is not None
    return sha256(token.tag.lower().encode()).hexdigest()[:MAX_TAG] if whole else token.tag[:MAX_TAG]


def id_tag_info(authorization: Authorization) -> dict[str, object]:
    """A verdict as IdTagInfo."""
    return without_nothing(
        status=VERDICT_WORD.get(authorization.verdict, "Invalid"),
        parentIdTag=(authorization.group or "")[:20],
        expiryDate=zulu(authorization.expires) if authorization.expires else None,
    )


def authorization(payload: Object) -> Authorization:
    """An IdTagInfo as a verdict."""
    info = child(payload, "idTagInfo")
    return Authorization(
        choice(info, "status", VERDICT, Verdict.INVALID),
        text(info, "parentIdTag") or None,
        instant(info, "expiryDate"),
    )


def connector_id(payload: Object) -> int:
    """The connector of a payload; 0 where it is left out."""
    return integer(payload, "connectorId") or 0
