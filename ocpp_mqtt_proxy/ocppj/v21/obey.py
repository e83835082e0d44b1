"""What an OCPP 2.1 CSMS asks of us that a 2.0.1 one does not, or means otherwise.

What our orders cannot say is passed on as it came, for the rules to judge and the charger to answer.
"""

from __future__ import annotations

from collections.abc import Callable

from ocpp_mqtt_proxy.core.commands import Order, RawCall
from ocpp_mqtt_proxy.ocppj.dialect import Obey, passed_on
from ocpp_mqtt_proxy.ocppj.fields import Object, child, children
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
    schedules = children(profile, "chargingSchedule")
    return any("limit" not in period for plan in schedules for period in children(plan, "chargingSchedulePeriod"))


def _unless(is_beyond_us: Callable[[Object], bool], action: str) -> tuple[str, Obey]:
    """A row of 2.0.1's, unless a call asks for what that has no word for."""
    known = OBEY_201[action]

    def decode(payload: Object) -> Order:
        return RawCall(action, payload) if is_beyond_us(payload) else known.decode(payload)

    return action, Obey(decode, passed_on(known.reply))


OBEY = {
    **OBEY_201,
    **dict(
        (
            _unless(_does_more_than_limit, "RequestStartTransaction"),
            _unless(_does_more_than_limit, "SetChargingProfile"),
            _unless(_resumes, "Reset"),
        )
    ),
}
