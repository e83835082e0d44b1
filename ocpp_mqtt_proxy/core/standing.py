"""Who may keep what it holds: the rules of contract §8 looked at again whenever something changed.

What speaks against a request now ends a holding too. Presence and hours wait for the end of the holder's
transaction, unless the owner wants it stopped; being offline ends nothing, because a charger comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy.core.arbiter import Intent, Request, World, objections
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import Control, Ending, Holding, Taken
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass, Rules

ENDS: dict[Reason, Ending] = {
    Reason.BLOCKED: Ending.BLOCKED,
    Reason.NOT_ALLOWED: Ending.NOT_ALLOWED,
    Reason.DISABLED: Ending.DISABLED,
    Reason.SHARING_DISABLED: Ending.SHARING,
    Reason.OVERRIDE: Ending.OVERRIDE,
    Reason.CHARGER_FAULTED: Ending.FAULTED,
    Reason.PRESENCE: Ending.PRESENCE,
    Reason.PRESENCE_UNKNOWN: Ending.PRESENCE_UNKNOWN,
    Reason.SCHEDULE: Ending.SCHEDULE,
    Reason.ROLE: Ending.ROLE,
}
"""What ends a holding, by what would refuse its holder now."""

PATIENT = frozenset({Ending.PRESENCE, Ending.PRESENCE_UNKNOWN, Ending.SCHEDULE})
"""What waits for the end of a transaction that runs."""


def settle(
    control: Control, world: World, rules: Rules, now: datetime, engaged: frozenset[str] = frozenset()
) -> list[Taken]:
    """Take from the holders what they may not keep; what was taken. Who is engaged uses what it holds."""
    for holding in control.holders.values():
        if holding.provider in engaged | world.busy or holding.used_at > now:
            holding.used_at = now
    lost = list(endings(control, world, rules, now, engaged))
    return [taken for control_class, ending in lost for taken in control.take(ending, (control_class,))]


def endings(
    control: Control, world: World, rules: Rules, now: datetime, engaged: frozenset[str] = frozenset()
) -> Iterator[tuple[ControlClass, Ending]]:
    """The classes that their holders lose now, and why. Changes nothing.

    `engaged` are the providers with a transaction, limit, profile or reservation in force: the others lose a
    class that they did nothing with for the time-out, but for the one that the owner put in charge.
    """
    for control_class in EXCLUSIVE:
        holding = control.holders.get(control_class)
        if holding is None or holding.provider == OWNER:
            continue
        waits = holding.provider in world.busy and not rules.override_stops
        ending = _objection(control, holding.provider, control_class, world, rules, now, PATIENT if waits else _NONE)
        if ending is None and _idle(control, holding, rules, now, engaged | world.busy):
            ending = Ending.TIMEOUT
        if ending is not None:
            yield control_class, ending


def may_limit(
    control: Control, provider: str, world: World, rules: Rules, now: datetime, *, lent: bool = False
) -> bool:
    """Whether a provider passes for `smart_charging`, faults aside: they lift no limit. `lent`: its role aside too."""
    spared = _FAULT | {Ending.ROLE} if lent else _FAULT
    return _objection(control, provider, ControlClass.SMART_CHARGING, world, rules, now, spared) is None


def limit_stands(control: Control, provider: str, world: World, rules: Rules, now: datetime) -> bool:
    """Whether a provider's limit stays in force: while it may limit.

    One that was taken as a lowering alone stays as long as its transaction runs: it is all that its provider may do.
    """
    eased = control.eased(provider) and provider in world.busy and provider not in rules.blocked
    return eased or may_limit(control, provider, world, rules, now, lent=control.lent(provider))


_NONE: frozenset[Ending] = frozenset()
_FAULT = frozenset({Ending.FAULTED})


def _objection(
    control: Control,
    provider: str,
    control_class: ControlClass,
    world: World,
    rules: Rules,
    now: datetime,
    spared: frozenset[Ending],
) -> Ending | None:
    """What first speaks against a provider's having a class, of what ends a holding and is not spared."""
    request = Request(provider, control_class, Intent.HOLD)
    found = (ENDS.get(refusal.reason) for refusal in objections(control, request, world, rules, now))
    return next((ending for ending in found if ending is not None and ending not in spared), None)


def _idle(control: Control, holding: Holding, rules: Rules, now: datetime, engaged: frozenset[str]) -> bool:
    unused = holding.provider not in engaged and now - holding.used_at >= rules.control_timeout
    return unused and not control.forced(holding.provider)
