"""What OCPP 2.0.1 charging stations send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ocpp_mqtt_proxy.core.model import STATION, IdToken, Nameplate, Place, Status
from ocpp_mqtt_proxy.core.reports import (
    AuthorizationAnswer,
    AuthorizationRequested,
    BootReported,
    DataTransferAnswer,
    EventsReported,
    InventoryReported,
    LimitCleared,
    LimitReported,
    MeterReported,
    Noted,
    NoticeReported,
    Phase,
    ProblemReported,
    ReservationReported,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.ocppj import alike, schedules
from ocpp_mqtt_proxy.ocppj.dialect import CallRefused, Hear, Payload
from ocpp_mqtt_proxy.ocppj.fields import (
    Object,
    child,
    children,
    choice,
    flag,
    identifier,
    instant,
    integer,
    text,
    without_nothing,
)
from ocpp_mqtt_proxy.ocppj.names import pascal, snake
from ocpp_mqtt_proxy.ocppj.rpc import ErrorCode
from ocpp_mqtt_proxy.ocppj.v201.variables import reported
from ocpp_mqtt_proxy.ocppj.v201.words import (
    CHARGING_STATE,
    PHASE,
    STATUS,
    WORDS,
    Words,
    id_token_info,
    place,
    samples,
    synonymous,
    token,
)


def _boot(payload: Object) -> BootReported:
    station = child(payload, "chargingStation")
    modem = child(station, "modem")
    plate = Nameplate(
        vendor=text(station, "vendorName"),
        model=text(station, "model"),
        serial=text(station, "serialNumber"),
        firmware=text(station, "firmwareVersion"),
        iccid=text(modem, "iccid"),
        imsi=text(modem, "imsi"),
    )
    return BootReported(plate, snake(text(payload, "reason")) or "unknown")


def _status(payload: Object) -> StatusReported:
    evse, connector = integer(payload, "evseId") or 0, integer(payload, "connectorId") or None
    return StatusReported(
        place=Place(evse, connector) if evse else STATION,
        status=choice(payload, "connectorStatus", STATUS, Status.UNKNOWN),
        at=instant(payload, "timestamp"),
    )


def _authorize(payload: Object) -> AuthorizationRequested:
    return AuthorizationRequested(token(payload) or IdToken(""))


def _authorized(answer: AuthorizationAnswer) -> Payload:
    return {"idTokenInfo": id_token_info(answer.authorization)}


def _transaction(words: Words, payload: Object) -> TransactionReported:
    info = child(payload, "transactionInfo")
    transaction_id = identifier(info, "transactionId")
    if transaction_id is None:
        raise CallRefused(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "transactionInfo.transactionId: is missing")
    return TransactionReported(
        phase=choice(payload, "eventType", PHASE, Phase.UPDATED),
        transaction_id=transaction_id,
        at=instant(payload, "timestamp"),
        place=place(payload),
        token=token(payload),
        trigger=snake(text(payload, "triggerReason")),
        charging_state=choice(info, "chargingState", CHARGING_STATE, None),
        seq_no=integer(payload, "seqNo"),
        offline=flag(payload, "offline"),
        samples=synonymous(samples(payload), words),
        stop_reason=words.reason.get(text(info, "stoppedReason")),
        reservation_id=integer(payload, "reservationId"),
        remote_start_id=integer(info, "remoteStartId"),
    )


def _goes_on_with(payload: Object) -> str | None:
    """The transaction of an event that neither begins nor ends it nor shows a card."""
    if payload.get("eventType") != "Updated" or "idToken" in payload:
        return None
    return identifier(child(payload, "transactionInfo"), "transactionId")


def _kept(answer: TransactionAnswer) -> Payload:
    return {"idTokenInfo": id_token_info(answer.authorization)} if answer.authorization else {}


def _meter(words: Words, payload: Object) -> MeterReported:
    return MeterReported(Place(integer(payload, "evseId") or 0), synonymous(samples(payload), words))


def _report(payload: Object) -> InventoryReported:
    return InventoryReported(
        request_id=integer(payload, "requestId") or 0,
        seq_no=integer(payload, "seqNo") or 0,
        more=flag(payload, "tbc"),
        variables=tuple(reported(item) for item in children(payload, "reportData")),
        at=instant(payload, "generatedAt"),
    )


def _events(payload: Object) -> EventsReported:
    items = list(children(payload, "eventData"))
    return EventsReported(tuple(_problems(items)), tuple(_states(items)))


def _problems(items: list[Object]) -> Iterator[ProblemReported]:
    for item in items:
        component, variable = child(item, "component"), text(child(item, "variable"), "name")
        if variable != "Problem":
            continue
        yield ProblemReported(
            place=place(component) or STATION,
            component=text(component, "name"),
            variable=variable,
            value=text(item, "actualValue"),
            cleared=flag(item, "cleared") or text(item, "actualValue").lower() == "false",
            code=text(item, "techCode"),
            info=text(item, "techInfo"),
            at=instant(item, "timestamp"),
        )


def _states(items: list[Object]) -> Iterator[StatusReported]:
    """Some stations report a connector's state as an event instead of a StatusNotification (G01)."""
    for item in items:
        component = child(item, "component")
        if text(child(item, "variable"), "name") == "AvailabilityState" and text(component, "name") == "Connector":
            status = choice(item, "actualValue", STATUS, Status.UNKNOWN)
            yield StatusReported(place(component) or STATION, status, instant(item, "timestamp"))


def _reservation(payload: Object) -> ReservationReported:
    status = snake(text(payload, "reservationUpdateStatus"))
    return ReservationReported(integer(payload, "reservationId") or 0, status)


def _limited(payload: Object) -> LimitReported | NoticeReported:
    """A limit of another source; what is generated locally (2.1) comes on top of limits, and is none."""
    given, plans = child(payload, "chargingLimit"), list(children(payload, "chargingSchedule"))
    if flag(given, "isLocalGeneration"):
        return NoticeReported("NotifyChargingLimit", payload)
    kept = bool(plans) and not schedules.beyond(payload)
    schedule = schedules.schedule_of(plans[0]) if kept else None
    return LimitReported(_evse(payload), text(given, "chargingLimitSource"), schedule)


def _evse(payload: Object) -> Place:
    evse = integer(payload, "evseId")
    return Place(evse) if evse else STATION


def _released(payload: Object) -> LimitCleared:
    return LimitCleared(_evse(payload), text(payload, "chargingLimitSource"))


def _data_transferred(answer: DataTransferAnswer) -> Payload:
    return without_nothing(status=pascal(answer.status), data=answer.data)


def noted(action: str, reply: Callable[[Noted], Payload] = alike.nothing) -> tuple[str, Hear]:
    """A row for a message that changes nothing of ours."""
    return action, Hear(alike.noticed(action), reply)


def worded(words: Words) -> dict[str, Hear]:
    """The rows whose words 2.1 has more of."""
    orderless = frozenset({"timestamp", "triggerReason", "seqNo"})
    return {
        "MeterValues": Hear(partial(_meter, words), alike.nothing, tolerant=True, plain=lambda _: ""),
        "TransactionEvent": Hear(
            partial(_transaction, words), _kept, tolerant=True, forgiven=orderless, plain=_goes_on_with
        ),
    }


HEAR = {
    **worded(WORDS),
    "Authorize": Hear(_authorize, _authorized),
    "BootNotification": Hear(_boot, alike.boot_accepted, tolerant=True),
    "DataTransfer": Hear(alike.heard_data_transfer, _data_transferred),
    "FirmwareStatusNotification": Hear(alike.heard_firmware, alike.nothing),
    "Heartbeat": Hear(alike.heard_heartbeat, alike.time_told),
    "LogStatusNotification": Hear(alike.heard_upload, alike.nothing),
    "NotifyEvent": Hear(_events, alike.nothing),
    "NotifyReport": Hear(_report, alike.nothing),
    "ClearedChargingLimit": Hear(_released, alike.nothing),
    "NotifyChargingLimit": Hear(_limited, alike.nothing),
    "ReservationStatusUpdate": Hear(_reservation, alike.nothing),
    "SecurityEventNotification": Hear(alike.heard_security, alike.nothing),
    "StatusNotification": Hear(_status, alike.nothing, tolerant=True, forgiven=frozenset({"timestamp"})),
    **dict(
        (
            noted("NotifyCustomerInformation"),
            noted("NotifyDisplayMessages"),
            noted("NotifyEVChargingSchedule", alike.answered("Accepted")),
            noted("NotifyMonitoringReport"),
            noted("PublishFirmwareStatusNotification"),
            noted("ReportChargingProfiles"),
            # Not offered: ISO 15118 schedules (K15), certificates (A02, M01, M06). The station goes on without.
            noted("NotifyEVChargingNeeds", alike.answered("Rejected")),
            noted("Get15118EVCertificate", alike.answered("Failed", exiResponse="")),
            noted("GetCertificateStatus", alike.answered("Failed")),
            noted("SignCertificate", alike.answered("Rejected")),
        )
    ),
}
