"""What OCPP 2.1 charging stations send that 2.0.1 ones do not.

Of its new features none is offered: discharging (Q), the grid's codes (R), battery swapping (S), tariffs (I),
payment (C) and dynamic schedules (K28). Each message is answered as the specification has it for that case.
"""

from __future__ import annotations

from ocpp_mqtt_proxy.core.reports import Noted
from ocpp_mqtt_proxy.ocppj import alike
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import child, children, text, without_nothing, zulu
from ocpp_mqtt_proxy.ocppj.v21.words import WORDS
from ocpp_mqtt_proxy.ocppj.v201.hear import HEAR as HEAR_201, noted, worded


def _none_checked(answer: Noted) -> Payload:
    """No certificate could be checked (M07.FR.02, M07.FR.05); good until a time gone by, so that it is not kept."""
    return {
        "certificateStatus": [
            {
                "certificateHashData": child(asked, "certificateHashData"),
                "source": text(asked, "source"),
                "status": "Failed",
                "nextUpdate": zulu(alike.EPOCH),
            }
            for asked in children(answer.payload, "certificateStatusRequests")
        ]
    }


def _not_validated(answer: Noted) -> Payload:
    """Nobody here validates VAT numbers (C18.FR.09); of which EVSE it was asked is repeated (C18.FR.10)."""
    return without_nothing(
        vatNumber=answer.payload.get("vatNumber"), evseId=answer.payload.get("evseId"), status="Rejected"
    )


HEAR = {
    **HEAR_201,
    **worded(WORDS),
    **dict(
        (
            noted("BatterySwap"),
            noted("ClosePeriodicEventStream"),
            noted("GetCertificateChainStatus", _none_checked),
            noted("NotifyDERAlarm"),
            noted("NotifyDERStartStop"),
            # In 2.1 `Rejected` would mean that the car may not have this kind of energy (K18.FR.04).
            noted("NotifyEVChargingNeeds", alike.answered("NoChargingProfile")),
            noted("NotifyPriorityCharging"),
            noted("NotifySettlement"),
            # What it would stream it goes on telling by NotifyEvent (N11.FR.05, N11.FR.07).
            noted("OpenPeriodicEventStream", alike.answered("Rejected")),
            # None of our profiles is dynamic (K28).
            noted("PullDynamicScheduleUpdate", alike.answered("Rejected")),
            noted("ReportDERControl"),
            noted("VatNumberValidation", _not_validated),
        )
    ),
}

OVERHEAR = {"NotifyPeriodicEventStream": alike.noticed("NotifyPeriodicEventStream")}
"""What comes unasked for an answer (SEND)."""
