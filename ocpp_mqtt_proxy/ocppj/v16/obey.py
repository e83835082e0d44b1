"""What an OCPP 1.6 Central System asks of us, as a charge point."""

from __future__ import annotations

from dataclasses import replace

from ocpp_mqtt_proxy.core.certificates import ListCertificates
from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    ChangeAvailability,
    ClearCache,
    ClearProfiles,
    DataTransfer,
    GetConfiguration,
    GetDiagnostics,
    GetListVersion,
    Message,
    Outcome,
    Reason,
    Reserve,
    Reset,
    SendLocalList,
    SetConfiguration,
    SetProfile,
    StartCharging,
    StopCharging,
    Trigger,
    Unlock,
    UpdateFirmware,
)
from ocpp_mqtt_proxy.core.model import IdToken, Target, Version
from ocpp_mqtt_proxy.ocppj import alike, schedules
from ocpp_mqtt_proxy.ocppj.certificates import hashed, listed, obeyed
from ocpp_mqtt_proxy.ocppj.dialect import (
    Obey,
    Payload,
    list_answer,
    settings_words,
    unless,
    usual_answer,
    usual_answer_or_scheduled,
)
from ocpp_mqtt_proxy.ocppj.fields import Object, as_text, child, children, instant, integer, text, without_nothing
from ocpp_mqtt_proxy.ocppj.v16.order import TRIGGERS
from ocpp_mqtt_proxy.ocppj.v16.words import CERTIFICATES, authorization, connector_id, place, transaction_id

MAX_KEY = 50
MAX_VALUE = 500
"""Characters that 1.6 has room for in a configuration key and its value."""

_MESSAGES = {word: message for message, word in reversed(TRIGGERS.items())}


def _target(payload: Object) -> Target:
    number = connector_id(payload)
    return Target(number, place(number)) if number else Target()


def _start(payload: Object) -> StartCharging:
    """A profile that goes with it is for the transaction to come (errata 3.41)."""
    at, given = _target(payload), child(payload, "chargingProfile")
    profile = schedules.read(given, at, Version.V16) if given else None
    return StartCharging(at, text(payload, "idTag"), 0, profile=profile, beyond=schedules.beyond(given))


def _limits_others_too(payload: Object) -> bool:
    """A profile that comes with a start is for its transaction alone (1.6 §5.11)."""
    profile = child(payload, "chargingProfile")
    return bool(profile) and profile.get("chargingProfilePurpose") != "TxProfile"


def _stop(payload: Object) -> StopCharging:
    return StopCharging(transaction_id(payload) or "")


def _set_profile(payload: Object) -> SetProfile:
    order = schedules.setting(child(payload, "csChargingProfiles"), _target(payload), Version.V16)
    return replace(order, transaction_id=transaction_id(child(payload, "csChargingProfiles")))


def _clear_profiles(payload: Object) -> ClearProfiles:
    """All that is given has to match; nothing is all of them (errata 3.25)."""
    at = _target(payload) if "connectorId" in payload else None
    return schedules.clearing(payload, at, schedules.PURPOSES_16, integer(payload, "id"))


def _trigger(payload: Object) -> Trigger:
    message = _MESSAGES.get(text(payload, "requestedMessage"), Message.HEARTBEAT)
    return Trigger(message, _target(payload))


def _get_configuration(payload: Object) -> GetConfiguration:
    keys = payload.get("key")
    return GetConfiguration(tuple(str(key) for key in keys) if isinstance(keys, list) else ())


def _configuration(order: GetConfiguration, outcome: Outcome) -> Payload:
    """Every key asked for is known or unknown. Names that are longer than 1.6 has room for are left out."""
    values, readonly = outcome.result.get("values"), outcome.result.get("readonly")
    known = values if isinstance(values, dict) else {}
    fixed = readonly if isinstance(readonly, list) else []
    entries = [
        {"key": key, "readonly": key in fixed, "value": value[:MAX_VALUE]}
        for key, value in known.items()
        if len(key) <= MAX_KEY
    ]
    return {"configurationKey": entries, "unknownKey": [key for key in order.names if key not in known]}


def _changed(order: SetConfiguration, outcome: Outcome) -> Payload:
    return {"status": settings_words(order, outcome)[order.values[0][0]]}


def _reserve(payload: Object) -> Reserve:
    return Reserve(
        _target(payload),
        integer(payload, "reservationId") or 0,
        text(payload, "idTag"),
        instant(payload, "expiryDate") or alike.EPOCH,
    )


def _extended_trigger(payload: Object) -> Trigger:
    """The whitepaper's trigger knows the new log's progress."""
    word = text(payload, "requestedMessage")
    return Trigger(Message.DIAGNOSTICS if word == "LogStatusNotification" else _MESSAGES[word], _target(payload))


def _wants_a_certificate(payload: Object) -> bool:
    """A signing request is the charger's own affair."""
    return payload.get("requestedMessage") == "SignChargePointCertificate"


def _certificates(payload: Object) -> ListCertificates:
    return ListCertificates((_USES[text(payload, "certificateType")],))


def _certificates_found(order: ListCertificates, outcome: Outcome) -> Payload:
    """Of the use asked for; an empty list is none at all."""
    told = [hashed(certificate) for use, certificate in listed(outcome) if use in order.uses]
    return {"status": "Accepted", "certificateHashData": told} if told else {"status": "NotFound"}


def _data_transferred(_: DataTransfer, outcome: Outcome) -> Payload:
    if outcome.ok:
        return without_nothing(status="Accepted", data=as_text(outcome.result.get("data")))
    return {"status": "UnknownVendorId" if outcome.reason is Reason.NOT_SUPPORTED else "Rejected"}


def _diagnostics(payload: Object) -> GetDiagnostics:
    return GetDiagnostics(0, text(payload, "location"))


def _uploading(_: GetDiagnostics, outcome: Outcome) -> Payload:
    return without_nothing(fileName=text(outcome.result, "file_name")[:255])


def _firmware(payload: Object) -> UpdateFirmware:
    return UpdateFirmware(0, text(payload, "location"), instant(payload, "retrieveDate") or alike.EPOCH)


def _local_list(payload: Object) -> SendLocalList:
    """A card without a verdict is taken out; in a full list it is a fault (§5.15)."""
    cards = tuple(
        (IdToken(text(item, "idTag")), authorization(item) if "idTagInfo" in item else None)
        for item in children(payload, "localAuthorizationList")
    )
    return SendLocalList(integer(payload, "listVersion") or 0, cards, payload.get("updateType") == "Differential")


def _listed(order: SendLocalList, outcome: Outcome) -> Payload:
    unsupported = not outcome.ok and outcome.reason is Reason.NOT_SUPPORTED
    return {"status": "NotSupported"} if unsupported else list_answer(order, outcome)


def _list_version(_: GetListVersion, outcome: Outcome) -> Payload:
    """-1 where there can be no list (§5.10)."""
    return {"listVersion": integer(outcome.result, "version") or 0 if outcome.ok else -1}


_ACCEPTED = usual_answer()
_TRIGGERED = usual_answer(not_supported="NotImplemented")
_USES = {word: use for use, word in CERTIFICATES.items()}

OBEY = {
    "CancelReservation": Obey(lambda p: CancelReservation(integer(p, "reservationId") or 0), _ACCEPTED),
    "ChangeAvailability": Obey(
        lambda p: ChangeAvailability(_target(p), p.get("type") == "Operative"), usual_answer_or_scheduled
    ),
    "ChangeConfiguration": Obey(lambda p: SetConfiguration(((text(p, "key"), text(p, "value")),)), _changed),
    "ClearCache": Obey(lambda _: ClearCache(), _ACCEPTED),
    "ClearChargingProfile": Obey(_clear_profiles, usual_answer(no="Unknown")),
    "DataTransfer": Obey(
        lambda p: DataTransfer(text(p, "vendorId"), text(p, "messageId"), p.get("data")), _data_transferred
    ),
    "ExtendedTriggerMessage": unless(
        _wants_a_certificate, "ExtendedTriggerMessage", Obey(_extended_trigger, _TRIGGERED)
    ),
    "GetCompositeSchedule": Obey(lambda p: schedules.asking(p, _target(p)), schedules.schedule_told_16),
    "GetConfiguration": Obey(_get_configuration, _configuration),
    "GetDiagnostics": Obey(_diagnostics, _uploading),
    "GetInstalledCertificateIds": Obey(_certificates, _certificates_found),
    "GetLocalListVersion": Obey(lambda _: GetListVersion(), _list_version),
    "GetLog": Obey(alike.obeyed_log, alike.uploading),
    "RemoteStartTransaction": unless(_limits_others_too, "RemoteStartTransaction", Obey(_start, _ACCEPTED)),
    "RemoteStopTransaction": Obey(_stop, _ACCEPTED),
    "ReserveNow": Obey(_reserve, alike.reserved),
    "Reset": Obey(lambda p: Reset(hard=p.get("type") == "Hard"), _ACCEPTED),
    "SendLocalList": Obey(_local_list, _listed),
    "SetChargingProfile": Obey(_set_profile, schedules.installed_16),
    "SignedUpdateFirmware": Obey(alike.obeyed_firmware, _ACCEPTED),
    "TriggerMessage": Obey(_trigger, _TRIGGERED),
    "UnlockConnector": Obey(
        lambda p: Unlock(_target(p)),
        # An unknown connector is NotSupported in 1.6 (errata 3.85).
        usual_answer("Unlocked", "UnlockFailed", unknown_connector="NotSupported", not_supported="NotSupported"),
    ),
    "UpdateFirmware": Obey(_firmware, lambda _, __: {}),
    **obeyed(CERTIFICATES),
}
