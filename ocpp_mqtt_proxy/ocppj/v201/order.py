"""What we ask of OCPP 2.0.1 charging stations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ocpp_mqtt_proxy.core.certificates import ListCertificates
from ocpp_mqtt_proxy.core.commands import (
    CancelReservation,
    ChangeAvailability,
    CheckTransaction,
    ClearCache,
    DataTransfer,
    GetConfiguration,
    GetDiagnostics,
    GetInventory,
    GetListVersion,
    GetReport,
    Message,
    Outcome,
    Reason,
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
    failed,
)
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit, Purpose, SetLimit
from ocpp_mqtt_proxy.core.model import IdToken, Target
from ocpp_mqtt_proxy.ocppj import alike, composites, settings
from ocpp_mqtt_proxy.ocppj.certificates import found, hashes, ordered
from ocpp_mqtt_proxy.ocppj.dialect import OrderRow, Payload, agreed, settled, version_told
from ocpp_mqtt_proxy.ocppj.fields import Object, child, children, flag, text, without_nothing, zulu
from ocpp_mqtt_proxy.ocppj.profiles import PROFILE_ID, Schedule, body, from_the_start, profile_id, schedule, stack_level
from ocpp_mqtt_proxy.ocppj.v201.variables import asked, asked_name, wanted
from ocpp_mqtt_proxy.ocppj.v201.words import CERTIFICATES, evse, id_token, id_token_info

Asked = tuple[str, Payload]

TRIGGERS = {
    Message.BOOT: "BootNotification",
    Message.DIAGNOSTICS: "LogStatusNotification",
    Message.FIRMWARE: "FirmwareStatusNotification",
    Message.HEARTBEAT: "Heartbeat",
    Message.METER: "MeterValues",
    Message.STATUS: "StatusNotification",
    Message.TRANSACTION: "TransactionEvent",
}


def _start(order: StartCharging) -> Asked:
    payload = without_nothing(
        evseId=order.at.place.evse or None,
        remoteStartId=order.remote_start_id,
        idToken=id_token(IdToken(order.id_tag, order.kind)),
    )
    if order.limit is not None:
        # Without transactionId: the transaction does not exist yet (F01.FR.11).
        number = PROFILE_ID + order.at.connector
        payload["chargingProfile"] = _profile(number, "TxProfile", 0, from_the_start(order.limit), None)
    return "RequestStartTransaction", payload


def _profile(number: int, purpose: str, level: int, plan: Schedule, transaction_id: str | None) -> Payload:
    return without_nothing(
        id=number,
        stackLevel=level,
        chargingProfilePurpose=purpose,
        chargingProfileKind=plan.kind,
        chargingSchedule=[{"id": number, **body(plan)}],
        transactionId=transaction_id,
    )


PURPOSES = {
    Purpose.TRANSACTION: "TxProfile",
    Purpose.DEFAULT: "TxDefaultProfile",
    Purpose.CHARGER: "ChargingStationMaxProfile",
}


def _limit(order: SetLimit) -> Asked:
    """Only a profile of one transaction names it; the whole station is EVSE 0 (K01.FR.03, K01.FR.16)."""
    purpose = order.purpose
    at = Target() if purpose == Purpose.CHARGER else order.at
    transaction_id = order.transaction_id if purpose == Purpose.TRANSACTION else None
    profile = _profile(profile_id(order), PURPOSES[purpose], stack_level(order), schedule(order), transaction_id)
    return "SetChargingProfile", {"evseId": at.place.evse, "chargingProfile": profile}


def _unlock(order: Unlock) -> Asked:
    at = order.at.place
    return "UnlockConnector", {"evseId": at.evse, "connectorId": at.connector or 1}


def _reset(order: Reset) -> Asked:
    return "Reset", {"type": "Immediate" if order.hard else "OnIdle"}


def _availability(order: ChangeAvailability) -> Asked:
    status = "Operative" if order.operative else "Inoperative"
    return "ChangeAvailability", without_nothing(evse=evse(order.at.place), operationalStatus=status)


def _trigger(order: Trigger) -> Asked:
    return "TriggerMessage", without_nothing(requestedMessage=TRIGGERS[order.message], evse=evse(order.at.place))


WITHOUT_VALUE = {
    "Rejected": "rejected",
    "UnknownComponent": "unknown_component",
    "UnknownVariable": "unknown_variable",
    "NotSupportedAttributeType": "unknown_attribute",
}
"""Why a variable has no value to tell, or cannot be set (Get- and SetVariableStatusEnumType)."""


def _get_configuration(order: GetConfiguration) -> Asked:
    """By name only: all of them are an inventory's (GetBaseReport)."""
    return "GetVariables", {"getVariableData": [asked(settings.variable(n)) for n in order.names]}


def _configuration(order: GetConfiguration, payload: Object) -> Outcome:
    """Values by the names they were asked by; results come back in any order."""
    names = settings.asked_as(order.names, settings.variable)
    values: dict[str, str] = {}
    because: dict[str, str] = {}
    results = list(children(payload, "getVariableResult"))
    if not results:
        return failed(Reason.INVALID, "the charger's answer holds no result")
    for item in results:
        status, name = text(item, "attributeStatus"), asked_name(item)
        if status == "Accepted":
            values |= dict.fromkeys(names.get(name.lower(), [name]), text(item, "attributeValue"))
        else:
            because |= dict.fromkeys(names.get(name.lower(), [name]), WITHOUT_VALUE.get(status, "unknown_variable"))
    unknown = sorted(set(order.names) - values.keys())
    told = done(values=values, readonly=[], unknown=unknown)
    why = {name: reason for name, reason in because.items() if name not in values}
    return replace(told, result={**told.result, "because": why}) if why else told


def _set_configuration(order: SetConfiguration) -> Asked:
    return "SetVariables", {
        "setVariableData": [{**asked(settings.variable(name)), "attributeValue": value} for name, value in order.values]
    }


def _changed(order: SetConfiguration, payload: Object) -> Outcome:
    names = settings.asked_as((name for name, _ in order.values), settings.variable)
    statuses: dict[str, str] = {}
    for item in children(payload, "setVariableResult"):
        name = asked_name(item)
        statuses |= dict.fromkeys(names.get(name.lower(), [name]), text(item, "attributeStatus"))
    told = settled(statuses)
    why = {name: WITHOUT_VALUE[word] for name, word in statuses.items() if word in WITHOUT_VALUE and word != "Rejected"}
    return replace(told, result={**told.result, "because": why}) if why else told


def _inventory(order: GetInventory) -> Asked:
    base = "FullInventory" if order.full else "ConfigurationInventory"
    base = "SummaryInventory" if order.summary else base
    return "GetBaseReport", {"requestId": order.request_id, "reportBase": base}


def _report(order: GetReport) -> Asked:
    return "GetReport", without_nothing(
        requestId=order.request_id,
        componentVariable=[wanted(name) for name in order.names] or None,
        componentCriteria=list(order.criteria) or None,
    )


def _local_list(order: SendLocalList) -> Asked:
    cards = [
        without_nothing(idToken=id_token(token), idTokenInfo=id_token_info(card) if card else None)
        for token, card in order.cards
    ]
    kind = "Differential" if order.differential else "Full"
    return "SendLocalList", without_nothing(
        versionNumber=order.version, updateType=kind, localAuthorizationList=cards or None
    )


def _data_transfer(order: DataTransfer) -> Asked:
    return "DataTransfer", without_nothing(vendorId=order.vendor_id, messageId=order.message_id, data=order.data)


def _data_transferred(_: DataTransfer, payload: Object) -> Outcome:
    outcome = agreed(payload)
    return done(data=payload.get("data")) if outcome.ok else outcome


def _reserve(order: Reserve) -> Asked:
    return "ReserveNow", without_nothing(
        id=order.reservation_id,
        expiryDateTime=zulu(order.until),
        idToken=id_token(IdToken(order.id_tag, order.kind)),
        evseId=order.at.place.evse or None,
    )


def _diagnostics(order: GetDiagnostics) -> Asked:
    kind = "SecurityLog" if order.security else "DiagnosticsLog"
    return "GetLog", {"logType": kind, "requestId": order.request_id, "log": {"remoteLocation": order.url}}


def _firmware(order: UpdateFirmware) -> Asked:
    return "UpdateFirmware", {"requestId": order.request_id, "firmware": alike.firmware(order)}


def _certificates(order: ListCertificates) -> Asked:
    return "GetInstalledCertificateIds", without_nothing(
        certificateType=[CERTIFICATES[use] for use in order.uses] or None
    )


def _certificates_found(_: ListCertificates, payload: Object) -> Outcome:
    return found(
        payload,
        lambda p: [
            (use, hashes(child(item, "certificateHashData")))
            for item in children(p, "certificateHashDataChain")
            if (use := _USES.get(text(item, "certificateType")))
        ],
    )


_USES = {word: use for use, word in CERTIFICATES.items()}


def _usual(_: object, payload: Object) -> Outcome:
    return agreed(payload)


def _or(*also: str) -> Callable[[object, Object], Outcome]:
    """Agreed by one of these words too."""
    return lambda _, payload: agreed(payload, *also)


def _check(order: CheckTransaction) -> Asked:
    return "GetTransactionStatus", without_nothing(transactionId=order.transaction_id)


def _checked(_: CheckTransaction, payload: Object) -> Outcome:
    return done(running=flag(payload, "ongoingIndicator"), waiting=flag(payload, "messagesInQueue"))


ORDER = {
    StartCharging: OrderRow(_start, _usual),
    CheckTransaction: OrderRow(_check, _checked),
    StopCharging: OrderRow(lambda o: ("RequestStopTransaction", {"transactionId": o.transaction_id}), _usual),
    SetLimit: OrderRow(_limit, _usual),
    TellSchedule: OrderRow(partial(composites.asked, "evseId"), partial(composites.told, "schedule", "scheduleStart")),
    ClearLimit: OrderRow(
        lambda o: ("ClearChargingProfile", {"chargingProfileId": PROFILE_ID + o.at.connector}), _or("Unknown")
    ),
    Unlock: OrderRow(_unlock, _or("Unlocked")),
    Reset: OrderRow(_reset, _or("Scheduled")),
    ChangeAvailability: OrderRow(_availability, _or("Scheduled")),
    Trigger: OrderRow(_trigger, _usual),
    GetConfiguration: OrderRow(_get_configuration, _configuration),
    SetConfiguration: OrderRow(_set_configuration, _changed),
    GetInventory: OrderRow(_inventory, _or("EmptyResultSet")),
    GetReport: OrderRow(_report, _or("EmptyResultSet")),
    SendLocalList: OrderRow(_local_list, _usual),
    GetListVersion: OrderRow(lambda _: ("GetLocalListVersion", {}), version_told),
    DataTransfer: OrderRow(_data_transfer, _data_transferred),
    ClearCache: OrderRow(lambda _: ("ClearCache", {}), _usual),
    Reserve: OrderRow(_reserve, _usual),
    CancelReservation: OrderRow(lambda o: ("CancelReservation", {"reservationId": o.reservation_id}), _usual),
    GetDiagnostics: OrderRow(_diagnostics, alike.log_sent),
    UpdateFirmware: OrderRow(_firmware, _or("AcceptedCanceled")),
    ListCertificates: OrderRow(_certificates, _certificates_found),
    **ordered(CERTIFICATES),
}
