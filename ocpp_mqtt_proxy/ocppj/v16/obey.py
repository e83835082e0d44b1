"""What an OCPP 1.6 Central System asks of us, as a charge point."""

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
    Message,
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
from ocpp_mqtt_proxy.core.model import Amps
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
from ocpp_mqtt_proxy.ocppj.names import pascal
from ocpp_mqtt_proxy.ocppj.profiles import amps
from ocpp_mqtt_proxy.ocppj.v16.order import TRIGGERS
from ocpp_mqtt_proxy.ocppj.v16.words import connector_id, place

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PHASES = 3
"""Phases a limit in watts is spread over where the profile does not say (K01.FR.49)."""

_MESSAGES = {word: message for message, word in reversed(TRIGGERS.items())}


def _target(payload: Object) -> Target:
    number = connector_id(payload)
    return Target(number, place(number))


def _start(payload: Object) -> StartCharging:
    return StartCharging(_target(payload), text(payload, "idTag"), 0)


def _stop(payload: Object) -> StopCharging:
    return StopCharging(identifier(payload, "transactionId") or "")


def _limit(payload: Object) -> SetLimit:
    """The first period of the profile; whole schedules come with `core/limits`."""
    profile = child(payload, "csChargingProfiles")
    plan = child(profile, "chargingSchedule")
    period: Object = next(children(plan, "chargingSchedulePeriod"), {})
    phases = integer(period, "numberPhases") or PHASES
    return SetLimit(
        at=_target(payload),
        limit=amps(period.get("limit"), plan.get("chargingRateUnit"), phases) or Amps(0),
        start=instant(plan, "startSchedule") or EPOCH,
        phases=phases,
        form=ProfileForm(integer(profile, "stackLevel") or 0),
        transaction_id=identifier(profile, "transactionId"),
    )


def _trigger(payload: Object) -> Trigger:
    message = _MESSAGES.get(text(payload, "requestedMessage"), Message.HEARTBEAT)
    return Trigger(message, _target(payload))


def _get_configuration(payload: Object) -> GetConfiguration:
    keys = payload.get("key")
    return GetConfiguration(tuple(str(key) for key in keys) if isinstance(keys, list) else ())


def _configuration(outcome: Outcome) -> Payload:
    values, readonly, unknown = (outcome.result.get(k) for k in ("values", "readonly", "unknown"))
    known = values if isinstance(values, dict) else {}
    fixed = readonly if isinstance(readonly, list) else []
    entries = [{"key": key, "readonly": key in fixed, "value": value} for key, value in known.items()]
    return {"configurationKey": entries, "unknownKey": unknown or []}


def _changed(outcome: Outcome) -> Payload:
    return {"status": next(iter(settings_words(outcome).values()), "NotSupported")}


def _reserve(payload: Object) -> Reserve:
    return Reserve(
        _target(payload),
        integer(payload, "reservationId") or 0,
        text(payload, "idTag"),
        instant(payload, "expiryDate") or EPOCH,
    )


def _reserved(outcome: Outcome) -> Payload:
    refusals = {
        Reason.CHARGER_FAULTED: "Faulted",
        Reason.CHARGER_UNAVAILABLE: "Unavailable",
        Reason.HELD_BY_OTHER: "Occupied",
    }
    return {"status": "Accepted" if outcome.ok else refusals.get(outcome.reason, "Rejected")}  # type: ignore[arg-type]


def _accepted(outcome: Outcome) -> Payload:
    return {"status": "Accepted" if outcome.ok else "Rejected"}


def _accepted_or_scheduled(outcome: Outcome) -> Payload:
    return {"status": "Scheduled"} if outcome.result.get("scheduled") else _accepted(outcome)


def _supported(outcome: Outcome) -> Payload:
    return {"status": "NotSupported"} if outcome.reason is Reason.NOT_SUPPORTED else _accepted(outcome)


def _triggered(outcome: Outcome) -> Payload:
    return {"status": "NotImplemented"} if outcome.reason is Reason.NOT_SUPPORTED else _accepted(outcome)


def _unlocked(outcome: Outcome) -> Payload:
    if outcome.reason in (Reason.UNKNOWN_CONNECTOR, Reason.NOT_SUPPORTED):
        return {"status": "NotSupported"}
    return {"status": "Unlocked" if outcome.ok else "UnlockFailed"}


def _cleared(outcome: Outcome) -> Payload:
    return {"status": "Accepted" if outcome.ok else "Unknown"}


def _data_transferred(outcome: Outcome) -> Payload:
    if outcome.ok:
        return without_nothing(status="Accepted", data=outcome.result.get("data"))
    known = outcome.reason is not Reason.NOT_SUPPORTED
    return {"status": "Rejected" if known else pascal("unknown_vendor_id")}


def _diagnostics(payload: Object) -> GetDiagnostics:
    return GetDiagnostics(0, text(payload, "location"))


def _uploading(outcome: Outcome) -> Payload:
    return without_nothing(fileName=outcome.result.get("file_name"))


def _firmware(payload: Object) -> UpdateFirmware:
    return UpdateFirmware(0, text(payload, "location"), instant(payload, "retrieveDate") or EPOCH)


OBEY = {
    "CancelReservation": Obey(lambda p: CancelReservation(integer(p, "reservationId") or 0), _accepted),
    "ChangeAvailability": Obey(
        lambda p: ChangeAvailability(_target(p), p.get("type") == "Operative"), _accepted_or_scheduled
    ),
    "ChangeConfiguration": Obey(lambda p: SetConfiguration(((text(p, "key"), text(p, "value")),)), _changed),
    "ClearCache": Obey(lambda _: ClearCache(), _accepted),
    "ClearChargingProfile": Obey(lambda p: ClearLimit(_target(p)), _cleared),
    "DataTransfer": Obey(
        lambda p: DataTransfer(text(p, "vendorId"), text(p, "messageId"), p.get("data")), _data_transferred
    ),
    "GetConfiguration": Obey(_get_configuration, _configuration),
    "GetDiagnostics": Obey(_diagnostics, _uploading),
    "RemoteStartTransaction": Obey(_start, _accepted),
    "RemoteStopTransaction": Obey(_stop, _accepted),
    "ReserveNow": Obey(_reserve, _reserved),
    "Reset": Obey(lambda p: Reset(hard=p.get("type") == "Hard"), _accepted),
    "SetChargingProfile": Obey(_limit, _supported),
    "TriggerMessage": Obey(_trigger, _triggered),
    "UnlockConnector": Obey(lambda p: Unlock(_target(p)), _unlocked),
    "UpdateFirmware": Obey(_firmware, lambda _: {}),
}
