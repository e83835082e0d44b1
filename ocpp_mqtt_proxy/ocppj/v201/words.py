"""Words and shapes of OCPP 2.0.1 beside the domain's; 2.1 shares them, with more words (`Words`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from ocpp_mqtt_proxy.core.certificates import CertificateUse
from ocpp_mqtt_proxy.core.model import (
    OCCUPIED,
    ChargingState,
    IdToken,
    Place,
    Reading,
    Sample,
    Signed,
    Status,
    StopReason,
    TokenKind,
    Verdict,
)
from ocpp_mqtt_proxy.core.reports import Authorization, Phase
from ocpp_mqtt_proxy.ocppj import alike
from ocpp_mqtt_proxy.ocppj.alike import as_it_came
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
from ocpp_mqtt_proxy.ocppj.labels import LATELY, read
from ocpp_mqtt_proxy.ocppj.names import snake

STATUS: Mapping[str, str] = {
    "Available": Status.AVAILABLE,
    "Occupied": OCCUPIED,
    "Reserved": Status.RESERVED,
    "Unavailable": Status.UNAVAILABLE,
    "Faulted": Status.FAULTED,
    # 1.6 words, from chargers whose firmware mixes the versions.
    "Preparing": Status.PREPARING,
    "Charging": Status.CHARGING,
    "SuspendedEV": Status.SUSPENDED_EV,
    "SuspendedEVSE": Status.SUSPENDED_EVSE,
    "Finishing": Status.FINISHING,
}
STATUS_WORD: Mapping[str, str] = {
    Status.AVAILABLE: "Available",
    Status.RESERVED: "Reserved",
    Status.UNAVAILABLE: "Unavailable",
    Status.FAULTED: "Faulted",
    Status.UNKNOWN: "Unavailable",
}
"""Every other state is Occupied; the transaction tells which (semantics §10.4)."""

PHASE: Mapping[str, Phase] = {"Started": Phase.STARTED, "Updated": Phase.UPDATED, "Ended": Phase.ENDED}
PHASE_WORD = {phase: word for word, phase in PHASE.items()}

CHARGING_STATE: Mapping[str, ChargingState | None] = {
    "Charging": ChargingState.CHARGING,
    "EVConnected": ChargingState.EV_CONNECTED,
    "SuspendedEV": ChargingState.SUSPENDED_EV,
    "SuspendedEVSE": ChargingState.SUSPENDED_EVSE,
    "Idle": ChargingState.IDLE,
}
CHARGING_STATE_WORD = {state: word for word, state in CHARGING_STATE.items()}

REASON: Mapping[str, StopReason] = {
    "DeAuthorized": StopReason.DEAUTHORIZED,
    "EmergencyStop": StopReason.EMERGENCY_STOP,
    "EnergyLimitReached": StopReason.ENERGY_LIMIT_REACHED,
    "EVDisconnected": StopReason.EV_DISCONNECTED,
    "GroundFault": StopReason.GROUND_FAULT,
    "ImmediateReset": StopReason.IMMEDIATE_RESET,
    "Local": StopReason.LOCAL,
    "LocalOutOfCredit": StopReason.LOCAL_OUT_OF_CREDIT,
    "MasterPass": StopReason.MASTER_PASS,
    "Other": StopReason.OTHER,
    "OvercurrentFault": StopReason.OVERCURRENT_FAULT,
    "PowerLoss": StopReason.POWER_LOSS,
    "PowerQuality": StopReason.POWER_QUALITY,
    "Reboot": StopReason.REBOOT,
    "Remote": StopReason.REMOTE,
    "SOCLimitReached": StopReason.SOC_LIMIT_REACHED,
    "StoppedByEV": StopReason.STOPPED_BY_EV,
    "TimeLimitReached": StopReason.TIME_LIMIT_REACHED,
    "Timeout": StopReason.TIMEOUT,
}
REASON_WORD = {reason: word for word, reason in REASON.items()} | {
    # 1.6 reasons without a word of their own (semantics §10.5).
    StopReason.SOFT_RESET: "Reboot",
    StopReason.UNLOCK_COMMAND: "Remote",
    # One of 2.1's.
    StopReason.REQ_ENERGY_TRANSFER_REJECTED: "Other",
}

VERDICT: Mapping[str, Verdict] = {
    "Accepted": Verdict.ACCEPTED,
    "Blocked": Verdict.BLOCKED,
    "ConcurrentTx": Verdict.CONCURRENT_TX,
    "Expired": Verdict.EXPIRED,
    "Invalid": Verdict.INVALID,
    "NoCredit": Verdict.NO_CREDIT,
    "NotAllowedTypeEVSE": Verdict.NOT_ALLOWED_TYPE_EVSE,
    "NotAtThisLocation": Verdict.NOT_AT_THIS_LOCATION,
    "NotAtThisTime": Verdict.NOT_AT_THIS_TIME,
    "Unknown": Verdict.UNKNOWN,
}
VERDICT_WORD = {verdict: word for word, verdict in VERDICT.items()}


def _by_snake(*words: str) -> Mapping[str, str]:
    return {snake(word): word for word in words}


BOOT_REASON_WORD = _by_snake(
    "ApplicationReset",
    "FirmwareUpdate",
    "LocalReset",
    "PowerUp",
    "RemoteReset",
    "ScheduledReset",
    "Triggered",
    "Unknown",
    "Watchdog",
)

TRIGGER_WORD = _by_snake(
    "AbnormalCondition",
    "Authorized",
    "CablePluggedIn",
    "ChargingRateChanged",
    "ChargingStateChanged",
    "Deauthorized",
    "EVCommunicationLost",
    "EVConnectTimeout",
    "EVDeparted",
    "EVDetected",
    "EnergyLimitReached",
    "MeterValueClock",
    "MeterValuePeriodic",
    "RemoteStart",
    "RemoteStop",
    "ResetCommand",
    "SignedDataReceived",
    "StopAuthorized",
    "TimeLimitReached",
    "Trigger",
    "UnlockCommand",
)
STOP_TRIGGER: Mapping[StopReason, str] = {
    StopReason.DEAUTHORIZED: "Deauthorized",
    StopReason.ENERGY_LIMIT_REACHED: "EnergyLimitReached",
    StopReason.EV_DISCONNECTED: "EVCommunicationLost",
    StopReason.IMMEDIATE_RESET: "ResetCommand",
    StopReason.LOCAL: "StopAuthorized",
    StopReason.REBOOT: "ResetCommand",
    StopReason.REMOTE: "RemoteStop",
    StopReason.SOFT_RESET: "ResetCommand",
    StopReason.TIME_LIMIT_REACHED: "TimeLimitReached",
    StopReason.TIMEOUT: "EVConnectTimeout",
    StopReason.UNLOCK_COMMAND: "UnlockCommand",
}
"""Why a transaction's end is told, by why it ended (semantics §10.5); for all others AbnormalCondition."""

UPLOAD_WORD: Mapping[str, str] = {"upload_failed": "UploadFailure"}
"""Where 1.6 has another word for what 2.x knows (semantics §10.1)."""

MEASURANDS = alike.MEASURANDS | {
    "Energy.Active.Net",
    "Energy.Apparent.Export",
    "Energy.Apparent.Import",
    "Energy.Apparent.Net",
    "Energy.Reactive.Net",
}

_KINDS: Mapping[str, TokenKind | None] = {kind.value: kind for kind in TokenKind}
KINDS = frozenset(_KINDS) - {TokenKind.DIRECT_PAYMENT, TokenKind.EVCCID, TokenKind.VIN}
CERTIFICATES: Mapping[CertificateUse, str] = {
    CertificateUse.CSMS_ROOT: "CSMSRootCertificate",
    CertificateUse.MANUFACTURER_ROOT: "ManufacturerRootCertificate",
    CertificateUse.MO_ROOT: "MORootCertificate",
    CertificateUse.OEM_ROOT: "OEMRootCertificate",
    CertificateUse.V2G_CHAIN: "V2GCertificateChain",
    CertificateUse.V2G_ROOT: "V2GRootCertificate",
}
"""What certificates are called; one of them only in 2.1."""

_SYMBOLS: Mapping[str, str] = {"%": "Percent", "°C": "Celsius"}

MAX_KIND = 20
"""Characters of a token's kind where it is free text (2.1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words that 2.1 has more of than 2.0.1. What a version lacks is not said in it, or by its nearest word.

    `kinds` is None where a token's kind is free text. `synonyms` are measurands that have two names. `signed` is how
    many characters signed data may have.
    """

    reason: Mapping[str, StopReason]
    reason_word: Mapping[StopReason, str]
    trigger_word: Mapping[str, str]
    measurands: frozenset[str]
    locations: frozenset[str]
    kinds: frozenset[str] | None
    reservation_word: Mapping[str, str] = field(default_factory=dict)
    synonyms: Mapping[str, str] = field(default_factory=dict)
    signed: int = 2500


WORDS = Words(
    reason=REASON,
    reason_word=REASON_WORD,
    trigger_word=TRIGGER_WORD,
    measurands=MEASURANDS,
    locations=alike.LOCATIONS,
    kinds=KINDS,
    reservation_word={"no_transaction": "Expired"},
)


def place(payload: Object, key: str = "evse") -> Place | None:
    """An EVSEType; None where it is left out. A connector 0 on an EVSE is none at all."""
    evse = payload.get(key)
    if not isinstance(evse, dict):
        return None
    number_ = integer(evse, "id")
    return Place(number_ or 0, integer(evse, "connectorId") or None)


def evse(at: Place) -> dict[str, object] | None:
    """A place as EVSEType; None for the charging station as a whole."""
    return without_nothing(id=at.evse, connectorId=at.connector) if at.evse else None


def token(payload: Object, key: str = "idToken") -> IdToken | None:
    """An IdTokenType; None where it is left out."""
    given = payload.get(key)
    if not isinstance(given, dict):
        return None
    kind = choice(given, "type", _KINDS, None) or text(given, "type")[:MAX_KIND]
    return IdToken(text(given, "idToken"), kind or None)


def id_token(given: IdToken, words: Words = WORDS) -> dict[str, object]:
    """A token as IdTokenType; one without a kind gets one by its form (semantics §5.9)."""
    kind = given.kind or guess(given.tag)
    known = words.kinds is None or kind in words.kinds
    return {"idToken": given.tag, "type": str(kind if known else TokenKind.CENTRAL)}


def guess(tag: str) -> TokenKind:
    """What a 1.6 tag is, by its form."""
    if all(character in "0123456789abcdefABCDEF" for character in tag):
        if len(tag) in (8, 14):
            return TokenKind.ISO14443
        if len(tag) == 16:
            return TokenKind.ISO15693
    return TokenKind.LOCAL


def samples(payload: Object, key: str = "meterValue") -> tuple[Sample, ...]:
    """A list of MeterValueType."""
    found = []
    for value in children(payload, key):
        first = islice(children(value, "sampledValue"), MAX_READINGS)
        readings = [r for v in first if (r := reading(v)) is not None]
        found.append(Sample(instant(value, "timestamp"), tuple(readings)))
    return tuple(found)


def reading(value: Object) -> Reading | None:
    """One SampledValueType in base units; None where it holds no number."""
    amount = number(value.get("value"))
    if amount is None:
        return None
    get, of = value.get, child(value, "unitOfMeasure")
    words = get("measurand"), of.get("unit"), of.get("multiplier"), get("phase"), get("context"), get("location")
    return read(amount, words, _signed(value) if "signedMeterValue" in value else None)


def _signed(value: Object) -> Signed | None:
    signed = child(value, "signedMeterValue")
    data, *rest = (as_it_came(signed, key) for key in SIGNED)
    return Signed(data, *rest) if data else None


SIGNED = ("signedMeterData", "signingMethod", "encodingMethod", "publicKey")
"""The fields of SignedMeterValueType, as `Signed` has them."""


def synonymous(given: tuple[Sample, ...], words: Words) -> tuple[Sample, ...]:
    """Samples with each measurand by the name that every version has."""
    if not words.synonyms:
        return given
    return tuple(
        s._replace(
            readings=tuple(r._replace(measurand=words.synonyms.get(r.measurand, r.measurand)) for r in s.readings)
        )
        for s in given
    )


@lru_cache(LATELY)
def meter_values(given: tuple[Sample, ...], words: Words = WORDS) -> list[object] | None:
    """Samples as a list of MeterValueType; None for none, because empty lists are not allowed.

    All services are told the same readings: the list is made once, and not to be changed.
    Measurands that 2.x lacks are left out: Temperature and RPM are variables there (semantics §10.7).
    """
    values: list[object] = []
    for sample in given:
        told = [sampled_value(r, words) for r in sample.readings if r.measurand in words.measurands]
        if told:
            values.append({"timestamp": zulu(sample.at or alike.EPOCH), "sampledValue": told})
    return values or None


def sampled_value(given: Reading, words: Words = WORDS) -> dict[str, object]:
    """A reading as SampledValueType. Words that the schema lacks are left out."""
    unit = _SYMBOLS.get(given.unit, given.unit)[:20]
    return without_nothing(
        value=given.value,
        signedMeterValue=_signed_value(given.signed, words) if given.signed else None,
        measurand=given.measurand,
        unitOfMeasure={"unit": unit} if unit else None,
        phase=given.phase if given.phase in alike.PHASES else None,
        context=given.context if given.context in alike.CONTEXTS else None,
        location=given.location if given.location in words.locations else None,
    )


def _signed_value(given: Signed, words: Words) -> dict[str, object] | None:
    """What was signed, byte for byte; left out where it has no room, since a part of it proves nothing."""
    room = (words.signed, 50, 50, 2500)
    fits = all(len(said) <= most for said, most in zip(given, room, strict=True))
    return dict(zip(SIGNED, given, strict=True)) if fits else None


def id_token_info(authorization: Authorization) -> dict[str, object]:
    """A verdict as IdTokenInfoType."""
    group = authorization.group
    return without_nothing(
        status=VERDICT_WORD[authorization.verdict],
        groupIdToken={"idToken": group[:36], "type": TokenKind.CENTRAL.value} if group else None,
        cacheExpiryDateTime=zulu(authorization.expires) if authorization.expires else None,
    )


def authorization(payload: Object) -> Authorization:
    """An IdTokenInfoType as a verdict."""
    info = child(payload, "idTokenInfo")
    return Authorization(
        choice(info, "status", VERDICT, Verdict.UNKNOWN),
        text(child(info, "groupIdToken"), "idToken") or None,
        instant(info, "cacheExpiryDateTime"),
    )
