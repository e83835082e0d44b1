"""What an OCPP 2.0.1 CSMS asks of us, as a charging station."""

from __future__ import annotations

from ocpp_mqtt_proxy.core.certificates import ListCertificates
from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    ChangeAvailability,
    CheckTransaction,
    ClearCache,
    ClearProfiles,
    DataTransfer,
    GetConfiguration,
    GetInventory,
    GetListVersion,
    GetReport,
    ListProfiles,
    Order,
    Outcome,
    RawCall,
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
)
from ocpp_mqtt_proxy.core.limits.rules import Criteria
from ocpp_mqtt_proxy.core.model import IdToken, Place, Target, TokenKind, Version
from ocpp_mqtt_proxy.ocppj import alike, schedules
from ocpp_mqtt_proxy.ocppj.certificates import hashed, listed, obeyed
from ocpp_mqtt_proxy.ocppj.dialect import (
    Obey,
    Payload,
    list_answer,
    passed_on,
    settings_words,
    unless,
    usual_answer,
    usual_answer_or_scheduled,
)
from ocpp_mqtt_proxy.ocppj.fields import (
    MAX_TEXT,
    Object,
    child,
    children,
    identifier,
    instant,
    integer,
    text,
    without_nothing,
)
from ocpp_mqtt_proxy.ocppj.v201.order import TRIGGERS, WITHOUT_VALUE
from ocpp_mqtt_proxy.ocppj.v201.variables import asked_name, told, wanted_name
from ocpp_mqtt_proxy.ocppj.v201.words import CERTIFICATES, authorization, place, token

_MESSAGES = {word: message for message, word in TRIGGERS.items()}


def _at(spot: Place | None) -> Target:
    return Target(spot.evse, spot) if spot else Target()


def _evse_id(payload: Object) -> Target:
    number = integer(payload, "evseId") or 0
    return Target(number, Place(number, integer(payload, "connectorId")))


def _start(payload: Object) -> StartCharging:
    """A profile that goes with it is for the transaction to come (F01.FR.09, F01.FR.11)."""
    at, given = _evse_id(payload), child(payload, "chargingProfile")
    tag, kind = _card(payload)
    profile = schedules.read(given, at, Version.V201) if given else None
    number, beyond = integer(payload, "remoteStartId") or 0, schedules.beyond(given)
    return StartCharging(at, tag, number, kind=kind, profile=profile, beyond=beyond)


def _card(payload: Object) -> tuple[str, str]:
    """A card's tag, and what it is."""
    card = token(payload) or IdToken("")
    return card.tag, card.kind or TokenKind.CENTRAL


def _limits_others_too(payload: Object) -> bool:
    """A profile that comes with a start is for its transaction alone (F01.FR.09)."""
    profile = child(payload, "chargingProfile")
    return bool(profile) and profile.get("chargingProfilePurpose") != "TxProfile"


def _is_of_one_evse(payload: Object) -> bool:
    """To reset one EVSE is less than to reset the charger (B11.FR.08)."""
    return bool(payload.get("evseId"))


def _is_of_a_kind(payload: Object) -> bool:
    """A reservation of any connector of a type (H01.FR.07): we have no word for it."""
    return "connectorType" in payload


def _set_profile(payload: Object) -> SetProfile:
    return schedules.setting(child(payload, "chargingProfile"), _evse_id(payload), Version.V201)


def _clear_profiles(payload: Object) -> ClearProfiles:
    """One by its id, else those that match (K10.FR.03 and .04)."""
    number, given = integer(payload, "chargingProfileId"), child(payload, "chargingProfileCriteria")
    if number is not None:
        return ClearProfiles(Criteria(number))
    at = _evse_id(given) if "evseId" in given else None
    return schedules.clearing(given, at, schedules.PURPOSES_2X)


def _list_profiles(payload: Object) -> ListProfiles:
    return schedules.listing(payload, _evse_id(payload) if "evseId" in payload else None)


def _trigger(payload: Object) -> Order:
    """A message that we never ask for ourselves is the charger's own affair."""
    message = _MESSAGES.get(text(payload, "requestedMessage"))
    return Trigger(message, _at(place(payload))) if message else RawCall("TriggerMessage", payload)


def _get_variables(payload: Object) -> GetConfiguration:
    return GetConfiguration(tuple(asked_name(item) for item in children(payload, "getVariableData")))


def _variables(order: GetConfiguration, outcome: Outcome) -> Payload:
    """Each variable asked for has a result: its value, or that it is unknown, or that nobody could be asked."""
    values = outcome.result.get("values")
    known = values if isinstance(values, dict) else {}
    because = outcome.result.get("because")
    why = because if isinstance(because, dict) else {}
    usual = "unknown_variable" if outcome.ok else "rejected"
    results = [_variable(name, known.get(name), _WORD_FOR[why.get(name, usual)]) for name in order.names]
    return {"getVariableResult": results}


def _variable(name: str, value: str | None, otherwise: str) -> Payload:
    if value is None:
        return {"attributeStatus": otherwise, **told(name)}
    return {"attributeStatus": "Accepted", "attributeValue": value[:MAX_TEXT], **told(name)}


def _set_variables(payload: Object) -> SetConfiguration:
    items = children(payload, "setVariableData")
    return SetConfiguration(tuple((asked_name(item), text(item, "attributeValue")) for item in items))


def _changed(order: SetConfiguration, outcome: Outcome) -> Payload:
    """One result for each that was to be set, those named twice too (B05.FR.02)."""
    words = settings_words(order, outcome, unsupported="UnknownVariable")
    became = outcome.result.get("set")
    if isinstance(became, dict):
        words |= {name: _UNKNOWN[word] for name, word in became.items() if name in words and word in _UNKNOWN}
    return {"setVariableResult": [{"attributeStatus": words[name], **told(name)} for name, _ in order.values]}


def _reserve(payload: Object) -> Reserve:
    tag, kind = _card(payload)
    until = instant(payload, "expiryDateTime") or alike.EPOCH
    return Reserve(_evse_id(payload), integer(payload, "id") or 0, tag, until, kind)


def _started(_: StartCharging, outcome: Outcome) -> Payload:
    answer = _ACCEPTED(_, outcome)
    running = identifier(outcome.result, "transaction_id") if outcome.ok else None
    return answer | without_nothing(transactionId=running)


def _data_transferred(_: DataTransfer, outcome: Outcome) -> Payload:
    if outcome.ok:
        return without_nothing(status="Accepted", data=outcome.result.get("data"))
    return {"status": "UnknownVendorId" if outcome.reason is Reason.NOT_SUPPORTED else "Rejected"}


def _inventory(payload: Object) -> GetInventory:
    base = payload.get("reportBase")
    number = integer(payload, "requestId") or 0
    return GetInventory(number, full=base == "FullInventory", summary=base == "SummaryInventory")


def _report(payload: Object) -> GetReport:
    criteria = payload.get("componentCriteria")
    return GetReport(
        integer(payload, "requestId") or 0,
        tuple(wanted_name(item) for item in children(payload, "componentVariable")),
        tuple(str(word) for word in criteria) if isinstance(criteria, list) else (),
    )


def _reported(_: Order, outcome: Outcome) -> Payload:
    """Whether a report follows; one that would be empty does not (B07.FR.09, B08.FR.15)."""
    empty = outcome.ok and outcome.result.get("charger_status") == "EmptyResultSet"
    return {"status": "EmptyResultSet"} if empty else _REPORT(_, outcome)


def _local_list(payload: Object) -> SendLocalList:
    """A card without a verdict is taken out; in a full list it is a fault (D01.FR)."""
    cards = tuple(
        (shown, authorization(item) if "idTokenInfo" in item else None)
        for item in children(payload, "localAuthorizationList")
        if (shown := token(item)) is not None
    )
    return SendLocalList(integer(payload, "versionNumber") or 0, cards, payload.get("updateType") == "Differential")


def _list_version(_: GetListVersion, outcome: Outcome) -> Payload:
    """0 where there is no list (D02.FR.02)."""
    return {"versionNumber": integer(outcome.result, "version") or 0 if outcome.ok else 0}


def _certificates(payload: Object) -> ListCertificates:
    words = payload.get("certificateType")
    return ListCertificates(tuple(_USES[str(word)] for word in words) if isinstance(words, list) else ())


def _certificates_found(_: ListCertificates, outcome: Outcome) -> Payload:
    """An empty list is none at all."""
    told = [
        {"certificateType": CERTIFICATES[use], "certificateHashData": hashed(certificate)}
        for use, certificate in listed(outcome)
    ]
    return {"status": "Accepted", "certificateHashDataChain": told} if told else {"status": "NotFound"}


def _data_transfer(payload: Object) -> DataTransfer:
    return DataTransfer(text(payload, "vendorId"), text(payload, "messageId"), payload.get("data"))


def _checked(order: CheckTransaction, outcome: Outcome) -> Payload:
    """Whether it goes on is told of a transaction that is named, and no other (E14.FR.06)."""
    told: Payload = {"messagesInQueue": outcome.result.get("waiting") is True}
    if order.transaction_id:
        told["ongoingIndicator"] = outcome.result.get("running") is True
    return told


def _availability(payload: Object) -> ChangeAvailability:
    return ChangeAvailability(_at(place(payload)), payload.get("operationalStatus") == "Operative")


_ACCEPTED = usual_answer()
_REPORT = usual_answer(not_supported="NotSupported")
_WORD_FOR = {reason: word for word, reason in WITHOUT_VALUE.items()}
_UNKNOWN = {reason: word for reason, word in _WORD_FOR.items() if reason != "rejected"}
_USES = {word: use for use, word in CERTIFICATES.items()}

OBEY = {
    "CancelReservation": Obey(lambda p: CancelReservation(integer(p, "reservationId") or 0), _ACCEPTED),
    "ChangeAvailability": Obey(_availability, usual_answer_or_scheduled),
    "ClearCache": Obey(lambda _: ClearCache(), _ACCEPTED),
    "ClearChargingProfile": Obey(_clear_profiles, usual_answer(no="Unknown")),
    "DataTransfer": Obey(_data_transfer, _data_transferred),
    "GetBaseReport": Obey(_inventory, _reported),
    "GetChargingProfiles": Obey(_list_profiles, schedules.listed),
    "GetCompositeSchedule": Obey(lambda p: schedules.asking(p, _evse_id(p)), schedules.schedule_told),
    "GetInstalledCertificateIds": Obey(_certificates, _certificates_found),
    "GetLocalListVersion": Obey(lambda _: GetListVersion(), _list_version),
    "GetLog": Obey(alike.obeyed_log, alike.uploading),
    "GetReport": Obey(_report, _reported),
    "GetTransactionStatus": Obey(lambda p: CheckTransaction(text(p, "transactionId")), _checked),
    "GetVariables": Obey(_get_variables, _variables),
    "RequestStartTransaction": unless(_limits_others_too, "RequestStartTransaction", Obey(_start, _started)),
    "RequestStopTransaction": Obey(lambda p: StopCharging(text(p, "transactionId")), _ACCEPTED),
    "ReserveNow": unless(_is_of_a_kind, "ReserveNow", Obey(_reserve, alike.reserved)),
    "Reset": unless(
        _is_of_one_evse,
        "Reset",
        Obey(lambda p: Reset(hard=p.get("type") == "Immediate"), usual_answer_or_scheduled),
    ),
    "SendLocalList": Obey(_local_list, list_answer),
    "SetChargingProfile": Obey(_set_profile, schedules.installed),
    "SetVariables": Obey(_set_variables, _changed),
    "TriggerMessage": Obey(_trigger, passed_on(usual_answer(not_supported="NotImplemented"))),
    "UnlockConnector": Obey(
        lambda p: Unlock(_evse_id(p)),
        usual_answer(
            "Unlocked",
            "UnlockFailed",
            unknown_connector="UnknownConnector",
            not_yours="OngoingAuthorizedTransaction",
        ),
    ),
    "UpdateFirmware": Obey(alike.obeyed_firmware, _ACCEPTED),
    **obeyed(CERTIFICATES),
}
