"""What an OCPP 2.0.1 CSMS asks of us, as a charging station."""

from __future__ import annotations

from datetime import UTC, datetime

from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    ChangeAvailability,
    ClearCache,
    ClearLimit,
    DataTransfer,
    GetConfiguration,
    GetDiagnostics,
    GetInventory,
    Message,
    Order,
    Outcome,
    ProfileForm,
    Reason,
    Reserve,
    Reset,
    SetConfiguration,
    SetLimit,
    StartCharging,
    StopCharging,
    Target,
    Trigger,
    Unlock,
    UpdateFirmware,
)
from ocpp_mqtt_proxy.core.model import Amps, Place
from ocpp_mqtt_proxy.ocppj.dialect import Obey, Payload, settings_words
from ocpp_mqtt_proxy.ocppj.fields import (
    Object,
    child,
    children,
    identifier,
    instant,
    integer,
    text,
    without_nothing,
)
from ocpp_mqtt_proxy.ocppj.profiles import PROFILE_ID, amps
from ocpp_mqtt_proxy.ocppj.v201.order import TRIGGERS
from ocpp_mqtt_proxy.ocppj.v201.variables import addressed, name_of
from ocpp_mqtt_proxy.ocppj.v201.words import place

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PHASES = 3
"""Phases a limit in watts is spread over where the profile does not say (K01.FR.49)."""

_MESSAGES = {word: message for message, word in TRIGGERS.items()}


def _at(spot: Place | None) -> Target:
    return Target(spot.evse, spot) if spot else Target()


def _evse_id(payload: Object) -> Target:
    number = integer(payload, "evseId") or 0
    return Target(number, Place(number, integer(payload, "connectorId")))


def _start(payload: Object) -> StartCharging:
    tag = text(child(payload, "idToken"), "idToken")
    return StartCharging(_evse_id(payload), tag, integer(payload, "remoteStartId") or 0)


def _limit(payload: Object) -> SetLimit:
    """The first period of the profile; whole schedules come with `core/limits`."""
    profile = child(payload, "chargingProfile")
    plan: Object = next(children(profile, "chargingSchedule"), {})
    period: Object = next(children(plan, "chargingSchedulePeriod"), {})
    phases = integer(period, "numberPhases") or PHASES
    return SetLimit(
        at=_evse_id(payload),
        limit=amps(period.get("limit"), plan.get("chargingRateUnit"), phases) or Amps(0),
        start=instant(plan, "startSchedule") or EPOCH,
        phases=phases,
        form=ProfileForm(integer(profile, "stackLevel") or 0),
        transaction_id=identifier(profile, "transactionId"),
    )


def _clear_limit(payload: Object) -> Order:
    number = (integer(payload, "chargingProfileId") or PROFILE_ID) - PROFILE_ID
    return ClearLimit(Target(number, Place(number)))


def _trigger(payload: Object) -> Trigger:
    message = _MESSAGES.get(text(payload, "requestedMessage"), Message.HEARTBEAT)
    return Trigger(message, _at(place(payload)))


def _get_variables(payload: Object) -> GetConfiguration:
    return GetConfiguration(tuple(name_of(item) for item in children(payload, "getVariableData")))


def _variables(outcome: Outcome) -> Payload:
    values, unknown = outcome.result.get("values"), outcome.result.get("unknown")
    known = values if isinstance(values, dict) else {}
    strange = unknown if isinstance(unknown, list) else []
    found = [
        {"attributeStatus": "Accepted", "attributeValue": value, **addressed(name)} for name, value in known.items()
    ]
    lost = [{"attributeStatus": "UnknownVariable", **addressed(name)} for name in strange]
    return {"getVariableResult": found + lost}


def _set_variables(payload: Object) -> SetConfiguration:
    items = children(payload, "setVariableData")
    return SetConfiguration(tuple((name_of(item), text(item, "attributeValue")) for item in items))


def _changed(outcome: Outcome) -> Payload:
    words = settings_words(outcome, unsupported="UnknownVariable")
    return {"setVariableResult": [{"attributeStatus": w, **addressed(name)} for name, w in words.items()]}


def _reserve(payload: Object) -> Reserve:
    tag = text(child(payload, "idToken"), "idToken")
    until = instant(payload, "expiryDateTime") or EPOCH
    return Reserve(_evse_id(payload), integer(payload, "id") or 0, tag, until)


def _reserved(outcome: Outcome) -> Payload:
    match outcome.reason:
        case Reason.CHARGER_FAULTED:
            return {"status": "Faulted"}
        case Reason.CHARGER_UNAVAILABLE:
            return {"status": "Unavailable"}
        case Reason.HELD_BY_OTHER:
            return {"status": "Occupied"}
        case _:
            return _accepted(outcome)


def _accepted(outcome: Outcome) -> Payload:
    return {"status": "Accepted" if outcome.ok else "Rejected"}


def _accepted_or_scheduled(outcome: Outcome) -> Payload:
    return {"status": "Scheduled"} if outcome.result.get("scheduled") else _accepted(outcome)


def _started(outcome: Outcome) -> Payload:
    return _accepted(outcome) | without_nothing(transactionId=outcome.result.get("transaction_id"))


def _triggered(outcome: Outcome) -> Payload:
    return {"status": "NotImplemented"} if outcome.reason is Reason.NOT_SUPPORTED else _accepted(outcome)


def _unlocked(outcome: Outcome) -> Payload:
    if outcome.reason is Reason.UNKNOWN_CONNECTOR:
        return {"status": "UnknownConnector"}
    if outcome.reason is Reason.NOT_YOURS:
        return {"status": "OngoingAuthorizedTransaction"}
    return {"status": "Unlocked" if outcome.ok else "UnlockFailed"}


def _cleared(outcome: Outcome) -> Payload:
    return {"status": "Accepted" if outcome.ok else "Unknown"}


def _data_transferred(outcome: Outcome) -> Payload:
    if outcome.ok:
        return without_nothing(status="Accepted", data=outcome.result.get("data"))
    return {"status": "UnknownVendorId" if outcome.reason is Reason.NOT_SUPPORTED else "Rejected"}


def _inventory(payload: Object) -> GetInventory:
    return GetInventory(integer(payload, "requestId") or 0, payload.get("reportBase") == "FullInventory")


def _reporting(outcome: Outcome) -> Payload:
    return {"status": "NotSupported"} if outcome.reason is Reason.NOT_SUPPORTED else _accepted(outcome)


def _log(payload: Object) -> GetDiagnostics:
    return GetDiagnostics(integer(payload, "requestId") or 0, text(child(payload, "log"), "remoteLocation"))


def _uploading(outcome: Outcome) -> Payload:
    return _accepted(outcome) | without_nothing(filename=outcome.result.get("file_name"))


def _firmware(payload: Object) -> UpdateFirmware:
    firmware = child(payload, "firmware")
    at = instant(firmware, "retrieveDateTime") or EPOCH
    return UpdateFirmware(integer(payload, "requestId") or 0, text(firmware, "location"), at)


def _data_transfer(payload: Object) -> DataTransfer:
    return DataTransfer(text(payload, "vendorId"), text(payload, "messageId"), payload.get("data"))


def _availability(payload: Object) -> ChangeAvailability:
    return ChangeAvailability(_at(place(payload)), payload.get("operationalStatus") == "Operative")


OBEY = {
    "CancelReservation": Obey(lambda p: CancelReservation(integer(p, "reservationId") or 0), _accepted),
    "ChangeAvailability": Obey(_availability, _accepted_or_scheduled),
    "ClearCache": Obey(lambda _: ClearCache(), _accepted),
    "ClearChargingProfile": Obey(_clear_limit, _cleared),
    "DataTransfer": Obey(_data_transfer, _data_transferred),
    "GetBaseReport": Obey(_inventory, _reporting),
    "GetLog": Obey(_log, _uploading),
    "GetVariables": Obey(_get_variables, _variables),
    "RequestStartTransaction": Obey(_start, _started),
    "RequestStopTransaction": Obey(lambda p: StopCharging(text(p, "transactionId")), _accepted),
    "ReserveNow": Obey(_reserve, _reserved),
    "Reset": Obey(lambda p: Reset(hard=p.get("type") == "Immediate"), _accepted_or_scheduled),
    "SetChargingProfile": Obey(_limit, _accepted),
    "SetVariables": Obey(_set_variables, _changed),
    "TriggerMessage": Obey(_trigger, _triggered),
    "UnlockConnector": Obey(lambda p: Unlock(_evse_id(p)), _unlocked),
    "UpdateFirmware": Obey(_firmware, _accepted),
}
