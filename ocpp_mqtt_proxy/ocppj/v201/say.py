"""What we tell an OCPP 2.0.1 CSMS, as a charging station."""

from __future__ import annotations

from functools import partial

from ocpp_mqtt_proxy.core.model import StopReason
from ocpp_mqtt_proxy.core.reports import (
    AuthorizationAnswer,
    AuthorizationRequested,
    BootReported,
    DataTransferReported,
    DiagnosticsReported,
    EventsReported,
    FirmwareReported,
    HeartbeatReported,
    InventoryReported,
    LimitCleared,
    LimitReported,
    MeterReported,
    Phase,
    ProblemReported,
    ReservationReported,
    SecurityReported,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.ocppj import alike, schedules
from ocpp_mqtt_proxy.ocppj.dialect import Calls, Payload, Say
from ocpp_mqtt_proxy.ocppj.fields import Object, without_nothing, zulu
from ocpp_mqtt_proxy.ocppj.names import pascal
from ocpp_mqtt_proxy.ocppj.v201.variables import report
from ocpp_mqtt_proxy.ocppj.v201.words import (
    BOOT_REASON_WORD,
    CHARGING_STATE_WORD,
    PHASE_WORD,
    STATUS_WORD,
    STOP_TRIGGER,
    UPLOAD_WORD,
    WORDS,
    Words,
    authorization,
    evse,
    id_token,
    meter_values,
)


def _boot(said: BootReported) -> Calls:
    plate = said.nameplate
    modem = without_nothing(iccid=plate.iccid[:20], imsi=plate.imsi[:20])
    station = without_nothing(
        vendorName=plate.vendor[:50] or "unknown",
        model=plate.model[:20] or "unknown",
        serialNumber=plate.serial[:25],
        firmwareVersion=plate.firmware[:50],
        modem=modem or None,
    )
    return [("BootNotification", {"reason": BOOT_REASON_WORD.get(said.reason, "Unknown"), "chargingStation": station})]


def _status(said: StatusReported) -> Calls:
    payload: Payload = {
        "timestamp": zulu(said.at or alike.EPOCH),
        "connectorStatus": STATUS_WORD.get(said.status, "Occupied"),
        "evseId": said.place.evse,
        "connectorId": said.place.connector or 0,
    }
    return [("StatusNotification", payload)]


def _transaction(words: Words, said: TransactionReported) -> Calls:
    info = without_nothing(
        transactionId=said.transaction_id,
        chargingState=CHARGING_STATE_WORD[said.charging_state] if said.charging_state else None,
        stoppedReason=words.reason_word[said.stop_reason] if said.stop_reason else None,
        remoteStartId=said.remote_start_id,
    )
    payload = without_nothing(
        eventType=PHASE_WORD[said.phase],
        timestamp=zulu(said.at or alike.EPOCH),
        triggerReason=words.trigger_word.get(said.trigger) or _likely_trigger(said),
        seqNo=said.seq_no or 0,
        offline=said.offline or None,
        transactionInfo=info,
        evse=evse(said.place) if said.place else None,
        idToken=id_token(said.token, words) if said.token else None,
        meterValue=meter_values(said.samples, words),
        reservationId=said.reservation_id,
    )
    return [("TransactionEvent", payload)]


def _likely_trigger(said: TransactionReported) -> str:
    """Why this is told now, where the charger gave no reason that this version knows: 1.6 never does (§10.5, §10.6)."""
    match said.phase:
        case Phase.STARTED:
            return "Authorized" if said.token else "CablePluggedIn"
        case Phase.ENDED:
            return STOP_TRIGGER.get(said.stop_reason or StopReason.LOCAL, "AbnormalCondition")
        case _:
            return "MeterValuePeriodic" if said.samples else "ChargingStateChanged"


def _transaction_answer(payload: Object) -> TransactionAnswer:
    return TransactionAnswer("", authorization(payload) if "idTokenInfo" in payload else None)


def _meter(words: Words, said: MeterReported) -> Calls:
    values = meter_values(said.samples, words)
    return [("MeterValues", {"evseId": said.place.evse, "meterValue": values})] if values else []


def _inventory(said: InventoryReported) -> Calls:
    payload = without_nothing(
        requestId=said.request_id,
        generatedAt=zulu(said.at or alike.EPOCH),
        seqNo=said.seq_no,
        tbc=said.more,
        reportData=[report(v, said.most.get(v.name)) for v in said.variables] or None,
    )
    return [("NotifyReport", payload)]


def _events(said: EventsReported) -> Calls:
    items = [_event(number, problem) for number, problem in enumerate(said.problems, 1)]
    if not items:
        return []
    at = zulu(said.problems[0].at or alike.EPOCH)
    return [("NotifyEvent", {"generatedAt": at, "seqNo": 0, "tbc": False, "eventData": items})]


def _event(number: int, problem: ProblemReported) -> Payload:
    told = without_nothing(techCode=problem.code[:50], techInfo=problem.info[:500])
    return told | {
        "eventId": number,
        "timestamp": zulu(problem.at or alike.EPOCH),
        "trigger": "Alerting",
        "actualValue": problem.value,
        "cleared": problem.cleared,
        "component": without_nothing(name=problem.component[:50], evse=evse(problem.place)),
        "variable": {"name": problem.variable},
        "eventNotificationType": "HardWiredNotification",
    }


def _firmware(said: FirmwareReported) -> Calls:
    payload = without_nothing(status=pascal(said.status), requestId=said.request_id)
    return [("FirmwareStatusNotification", payload)]


def _log(said: DiagnosticsReported) -> Calls:
    status = UPLOAD_WORD.get(said.status) or pascal(said.status)
    return [("LogStatusNotification", without_nothing(status=status, requestId=said.request_id))]


def _reservation(words: Words, said: ReservationReported) -> Calls:
    status = words.reservation_word.get(said.status) or pascal(said.status)
    payload: Payload = {"reservationId": said.reservation_id, "reservationUpdateStatus": status}
    return [("ReservationStatusUpdate", payload)]


def _limit(said: LimitReported) -> Calls:
    """Without an EVSE where it is of the whole station: in 2.0.1 its number must not be 0."""
    payload = without_nothing(
        evseId=said.place.evse or None,
        chargingLimit={"chargingLimitSource": _source(said.source)},
        chargingSchedule=[schedules.plan_of(said.schedule)] if said.schedule else None,
    )
    return [("NotifyChargingLimit", payload)]


def _released(said: LimitCleared) -> Calls:
    payload = without_nothing(evseId=said.place.evse or None, chargingLimitSource=_source(said.source))
    return [("ClearedChargingLimit", payload)]


_SOURCES = frozenset({"EMS", "Other", "SO", "CSO"})


def _source(source: str) -> str:
    return source if source in _SOURCES else "Other"


def _authorize(words: Words, said: AuthorizationRequested) -> Calls:
    return [("Authorize", {"idToken": id_token(said.token, words)})]


def _data_transfer(said: DataTransferReported) -> Calls:
    rest = without_nothing(messageId=said.message_id[:50], data=said.data)
    return [("DataTransfer", {"vendorId": said.vendor_id[:255], **rest})]


def worded(words: Words) -> dict[type, Say]:
    """The rows whose words 2.1 has more of."""
    return {
        AuthorizationRequested: Say(partial(_authorize, words), lambda p: AuthorizationAnswer(authorization(p))),
        TransactionReported: Say(partial(_transaction, words), _transaction_answer),
        MeterReported: Say(partial(_meter, words), alike.read_nothing),
        ReservationReported: Say(partial(_reservation, words), alike.read_nothing),
    }


SAY = {
    BootReported: Say(_boot, alike.read_boot),
    HeartbeatReported: Say(alike.say_heartbeat, alike.read_time),
    StatusReported: Say(_status, alike.read_nothing),
    InventoryReported: Say(_inventory, alike.read_nothing),
    EventsReported: Say(_events, alike.read_nothing),
    FirmwareReported: Say(_firmware, alike.read_nothing),
    DiagnosticsReported: Say(_log, alike.read_nothing),
    LimitCleared: Say(_released, alike.read_nothing),
    LimitReported: Say(_limit, alike.read_nothing),
    SecurityReported: Say(alike.say_security, alike.read_nothing),
    DataTransferReported: Say(_data_transfer, alike.read_data_transfer),
    **worded(WORDS),
}
