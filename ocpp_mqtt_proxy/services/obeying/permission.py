"""What the configuration allows and denies a service by name (contract §3, `allow` and `deny`).

Names are actions, and configuration keys as `ChangeConfiguration:KEY` (for a 2.x service `SetVariables:NAME` means
the same), in any case of letters. What is denied is denied whatever else is said. What is allowed passes the
arbiter's other rules, or does not, as if the service had the role for it.
"""

from __future__ import annotations

from typing import cast

from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import ServicePlan

SETTING = ("ChangeConfiguration", "SetVariables")
"""The actions whose single settings can be named."""


def denies(plan: ServicePlan, action: str) -> bool:
    """Whether a service may not use an action at all."""
    return _names(plan.deny, action)


def denies_key(plan: ServicePlan, key: str) -> bool:
    """Whether a service may not set a configuration key, or a variable."""
    return any(_names(plan.deny, f"{action}:{key}") for action in SETTING)


def allowed(out: Outstation, action: str) -> Outstation:
    """The service as it stands before the rules with an action: as it is, or as if it had the role."""
    return _lent(out) if _names(out.plan.allow, action) else out


def allowed_key(out: Outstation, key: str) -> Outstation:
    """The same with a configuration key, or a variable, that it sets."""
    return _lent(out) if any(_names(out.plan.allow, f"{action}:{key}") for action in SETTING) else out


def has(out: Outstation, control_class: ControlClass) -> bool:
    """Whether a class is among a service's roles, or lent to it."""
    terms = out.arbitration.rules.terms(out.id)
    lent = (out.id, control_class) in out.arbitration.lent
    return lent or (terms is not None and control_class in terms.roles)


def _names(named: frozenset[str], wanted: str) -> bool:
    return any(name.lower() == wanted.lower() for name in named)


class _Lent:
    """An outstation that stands before the rules with more; all else is its own, as it comes to be meanwhile.

    A copy would be of the link that there was when the call came, and what is noted in it would be lost.
    """

    def __init__(self, out: Outstation) -> None:
        self.arbitration = out.arbitration.lending(out.id)
        self._out = out

    def __getattr__(self, name: str) -> object:
        return getattr(self._out, name)


def _lent(out: Outstation) -> Outstation:
    return cast("Outstation", _Lent(out))
