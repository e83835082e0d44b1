"""What an OCPP 2.1 CSMS asks of us that a 2.0.1 one does not, or means otherwise.

What our orders cannot say is passed on as it came, for the rules to judge and the charger to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ocpp_mqtt_proxy.ocppj import schedules
from ocpp_mqtt_proxy.ocppj.dialect import unless
from ocpp_mqtt_proxy.ocppj.fields import Object, child
from ocpp_mqtt_proxy.ocppj.v201.obey import OBEY as OBEY_201

_GIVING = frozenset({"LocalGeneration", "PriorityCharging"})
"""Purposes of profiles that give more, where the others take."""


def _resumes(payload: Object) -> bool:
    """To reset and then go on charging (B13) is more than a reset."""
    return payload.get("type") == "ImmediateAndResume"


def _does_more_than_limit(payload: Object) -> bool:
    """A profile may also want discharging, follow a setpoint, or be updated (K28, Q)."""
    profile = child(payload, "chargingProfile")
    if profile.get("chargingProfilePurpose") in _GIVING or profile.get("chargingProfileKind") == "Dynamic":
        return True
    return bool(profile and schedules.beyond(profile))


def _is_of_another_kind(payload: Object) -> bool:
    """A log that we have no word for."""
    return payload.get("logType") == "DataCollectorLog"


def _answers_a_request(payload: Object) -> bool:
    """A certificate that its signing request's number tells from others."""
    return "requestId" in payload


_BEYOND_US: Mapping[str, Callable[[Object], bool]] = {
    "CertificateSigned": _answers_a_request,
    "GetLog": _is_of_another_kind,
    "RequestStartTransaction": _does_more_than_limit,
    "Reset": _resumes,
}

OBEY = OBEY_201 | {action: unless(beyond, action, OBEY_201[action]) for action, beyond in _BEYOND_US.items()}
