"""What we ask of OCPP 1.6 charge points."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ocpp_mqtt_proxy.core.certificates import ListCertificates
from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    ChangeAvailability,
    ClearCache,
    DataTransfer,
    GetConfiguration,
    GetDiagnostics,
    GetListVersion,
    Message,
    Outcome,
    Reserve,
    Reset,
    SendLocalList,
    SetConfiguration,
    StartCharging,
    StopCharging,
    TellSchedule,
    Trigger,
    Unlock,
    UpdateFirmware,
    done,
)
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, Purpose, SetLimit
from ocpp_mqtt_proxy.core.model import Target
from ocpp_mqtt_proxy.ocppj import alike, composites, settings
from ocpp_mqtt_proxy.ocppj.certificates import found, hashes, ordered
from ocpp_mqtt_proxy.ocppj.dialect import OrderRow, Payload, agreed, settled, version_told
from ocpp_mqtt_proxy.ocppj.fields import MAX_NUMBER, Object, as_text, children, flag, text, without_nothing, zulu
from ocpp_mqtt_proxy.ocppj.profiles import PROFILE_ID, Schedule, body, from_the_start, profile_id, schedule, stack_level
from ocpp_mqtt_proxy.ocppj.v16.words import CERTIFICATES, id_tag_info

Asked = tuple[str, Payload]

TRIGGERS = {
    Message.BOOT: "BootNotification",
    Message.DIAGNOSTICS: "DiagnosticsStatusNotification",
    Message.FIRMWARE: "FirmwareStatusNotification",
    Message.HEARTBEAT: "Heartbeat",
    Message.METER: "MeterValues",
    Message.STATUS: "StatusNotification",
    Message.TRANSACTION: "MeterValues",
}
"""1.6 has no transaction event; its meter values are the nearest (semantics §10.2)."""


def _connector(at: Target) -> int:
    return at.place.evse


def _start(order: StartCharging) -> Asked:
    payload = without_nothing(connectorId=_connector(order.at) or None, idTag=order.id_tag)
    if order.limit is not None:
        # Without transactionId: the transaction does not exist yet (errata 3.41).
        number = PROFILE_ID + order.at.connector
        payload["chargingProfile"] = _profile(number, "TxProfile", 0, from_the_start(order.limit), None)
    return "RemoteStartTransaction", payload


def _profile(number: int, purpose: str, level: int, plan: Schedule, transaction_id: str | None) -> Payload:
    return without_nothing(
        chargingProfileId=number,
        transactionId=_number(transaction_id),
        stackLevel=level,
        chargingProfilePurpose=purpose,
        chargingProfileKind=plan.kind,
        chargingSchedule=body(plan),
    )


def _number(transaction_id: str | None) -> int | None:
    """A 1.6 transaction's number; None for an id of another version's, which this charger never heard of."""
    try:
        number = int(transaction_id or "")
    except ValueError:
        return None
    return number if abs(number) <= MAX_NUMBER else None


def _stop(order: StopCharging) -> Asked | None:
    number = _number(order.transaction_id)
    return None if number is None else ("RemoteStopTransaction", {"transactionId": number})


PURPOSES = {
    Purpose.TRANSACTION: "TxProfile",
    Purpose.DEFAULT: "TxDefaultProfile",
    Purpose.CHARGER: "ChargePointMaxProfile",
}


def _limit(order: SetLimit) -> Asked:
    """Only a profile of one transaction names it; the whole charger is connector 0 (§3.13.1)."""
    purpose = order.purpose
    at = Target() if purpose == Purpose.CHARGER else order.at
    transaction_id = order.transaction_id if purpose == Purpose.TRANSACTION else None
    profile = _profile(profile_id(order), PURPOSES[purpose], stack_level(order), schedule(order), transaction_id)
    return "SetChargingProfile", {"connectorId": _connector(at), "csChargingProfiles": profile}


def _clear_limit(order: ClearLimit) -> Asked:
    return "ClearChargingProfile", {"id": PROFILE_ID + order.at.connector}


def _unlock(order: Unlock) -> Asked:
    return "UnlockConnector", {"connectorId": _connector(order.at)}


def _reset(order: Reset) -> Asked:
    return "Reset", {"type": "Hard" if order.hard else "Soft"}


def _availability(order: ChangeAvailability) -> Asked:
    kind = "Operative" if order.operative else "Inoperative"
    return "ChangeAvailability", {"connectorId": _connector(order.at), "type": kind}


def _trigger(order: Trigger) -> Asked:
    connector = _connector(order.at) or None
    return "TriggerMessage", without_nothing(requestedMessage=TRIGGERS[order.message], connectorId=connector)


def _get_configuration(order: GetConfiguration) -> Asked:
    return "GetConfiguration", {"key": [settings.key(n) for n in order.names]} if order.names else {}


def _configuration(order: GetConfiguration, payload: Object) -> Outcome:
    """Values by the names they were asked by; chargers return keys in any case."""
    asked = settings.asked_as(order.names, settings.key)
    values: dict[str, str] = {}
    readonly: list[str] = []
    for item in children(payload, "configurationKey"):
        key = text(item, "key")
        names = asked.get(key.lower(), [key])
        values |= dict.fromkeys(names, _setting(item))
        if flag(item, "readonly"):
            readonly += names
    missing = sorted(set(order.names) - values.keys())
    named = {name for key in _texts(payload, "unknownKey") for name in asked.get(key.lower(), [key])}
    # Some answer the first few of the keys that they are asked for, and say nothing of the others.
    left_out = [name for name in missing if name not in named]
    told = done(values=values, readonly=readonly, unknown=missing)
    return replace(told, result={**told.result, "left_out": left_out}) if left_out else told


def _texts(payload: Object, key: str) -> list[str]:
    given = payload.get(key)
    return [word for word in given if isinstance(word, str)] if isinstance(given, list) else []


def _setting(item: Object) -> str:
    """A value as text, as it belongs, also where it is none: numbers, true and false, null."""
    value = item.get("value")
    return str(value).lower() if isinstance(value, bool) else text(item, "value")


def _set_configuration(order: SetConfiguration) -> Asked | None:
    if len(order.values) != 1:
        return None
    name, value = order.values[0]
    return "ChangeConfiguration", {"key": settings.key(name), "value": value}


def _data_transfer(order: DataTransfer) -> Asked:
    data = as_text(order.data)
    return "DataTransfer", without_nothing(vendorId=order.vendor_id, messageId=order.message_id, data=data)


def _data_transferred(_: DataTransfer, payload: Object) -> Outcome:
    outcome = agreed(payload)
    return done(data=payload.get("data")) if outcome.ok else outcome


def _reserve(order: Reserve) -> Asked:
    return "ReserveNow", {
        "connectorId": _connector(order.at),
        "expiryDate": zulu(order.until),
        "idTag": order.id_tag,
        "reservationId": order.reservation_id,
    }


def _cancel_reservation(order: CancelReservation) -> Asked:
    return "CancelReservation", {"reservationId": order.reservation_id}


def _diagnostics(order: GetDiagnostics) -> Asked:
    """The security log is one of the whitepaper's."""
    if order.security:
        log = {"remoteLocation": order.url}
        return "GetLog", {"logType": "SecurityLog", "requestId": order.request_id, "log": log}
    return "GetDiagnostics", {"location": order.url}


def _diagnostics_sent(order: GetDiagnostics, payload: Object) -> Outcome:
    if order.security:
        return alike.log_sent(order, payload)
    name = text(payload, "fileName")
    return done(file_name=name) if name else done("the charger has nothing to upload")


def _firmware(order: UpdateFirmware) -> Asked:
    """What is signed goes by the whitepaper's message, never by the one that nobody checks."""
    if order.signed:
        return "SignedUpdateFirmware", {"requestId": order.request_id, "firmware": alike.firmware(order)}
    return "UpdateFirmware", {"location": order.url, "retrieveDate": zulu(order.at)}


def _usual(_: object, payload: Object) -> Outcome:
    return agreed(payload)


def _unlocked(_: Unlock, payload: Object) -> Outcome:
    return agreed(payload, "Unlocked")


def _scheduled(_: ChangeAvailability, payload: Object) -> Outcome:
    """Scheduled is a promise: it becomes a fact when the status says so (1.6 §5.2)."""
    return agreed(payload, "Scheduled")


def _changed(order: SetConfiguration, payload: Object) -> Outcome:
    status = text(payload, "status")
    return settled({order.values[0][0]: status} if status else {})


def _cleared(_: ClearLimit, payload: Object) -> Outcome:
    return agreed(payload, "Unknown")


def _firmware_taken(order: UpdateFirmware, payload: Object) -> Outcome:
    """To an unsigned update a charger has no word to say."""
    return agreed(payload, "AcceptedCanceled") if order.signed else done()


def _certificates(order: ListCertificates) -> Asked | None:
    """Of one use at a time."""
    words = [CERTIFICATES[use] for use in order.uses if use in CERTIFICATES]
    return ("GetInstalledCertificateIds", {"certificateType": words[0]}) if len(order.uses) == len(words) == 1 else None


def _certificates_found(order: ListCertificates, payload: Object) -> Outcome:
    use = order.uses[0]
    return found(payload, lambda p: [(use, hashes(item)) for item in children(p, "certificateHashData")])


def _local_list(order: SendLocalList) -> Asked:
    cards = [
        without_nothing(idTag=token.tag, idTagInfo=id_tag_info(card) if card else None) for token, card in order.cards
    ]
    kind = "Differential" if order.differential else "Full"
    return "SendLocalList", without_nothing(
        listVersion=order.version, updateType=kind, localAuthorizationList=cards or None
    )


ORDER = {
    StartCharging: OrderRow(_start, _usual),
    StopCharging: OrderRow(_stop, _usual),
    SetLimit: OrderRow(_limit, _usual),
    TellSchedule: OrderRow(
        partial(composites.asked, "connectorId"), partial(composites.told, "chargingSchedule", "startSchedule")
    ),
    ClearLimit: OrderRow(_clear_limit, _cleared),
    Unlock: OrderRow(_unlock, _unlocked),
    Reset: OrderRow(_reset, _usual),
    ChangeAvailability: OrderRow(_availability, _scheduled),
    Trigger: OrderRow(_trigger, _usual),
    GetConfiguration: OrderRow(_get_configuration, _configuration),
    SetConfiguration: OrderRow(_set_configuration, _changed),
    DataTransfer: OrderRow(_data_transfer, _data_transferred),
    ClearCache: OrderRow(lambda _: ("ClearCache", {}), _usual),
    SendLocalList: OrderRow(_local_list, _usual),
    GetListVersion: OrderRow(lambda _: ("GetLocalListVersion", {}), version_told),
    Reserve: OrderRow(_reserve, _usual),
    CancelReservation: OrderRow(_cancel_reservation, _usual),
    GetDiagnostics: OrderRow(_diagnostics, _diagnostics_sent),
    UpdateFirmware: OrderRow(_firmware, _firmware_taken),
    ListCertificates: OrderRow(_certificates, _certificates_found),
    **ordered(CERTIFICATES),
}
