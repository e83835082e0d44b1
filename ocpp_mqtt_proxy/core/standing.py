"""Who may keep what it holds: the rules of contract §8 looked at again whenever something changed.

What a request would meet now ends a holding too. Presence and hours wait for the end of the holder's transaction,
unless the owner wants it stopped; being offline ends nothing, because a charger comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy.core.arbiter import Intent, Refusal, Request, World, decide
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import Control, Ending, Holding
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


def refusal(
    control: Control, provider: str, control_class: ControlClass, world: World, rules: Rules, now: datetime
) -> Reason | None:
    """What a provider would meet now if it asked for a class that nobody holds, of what ends a holding."""
    alone = Control(control.charger, control.mode)
    verdict = decide(alone, Request(provider, control_class, Intent.HOLD), _present(world), rules, now)
    return verdict.reason if isinstance(verdict, Refusal) else None


def _present(world: World) -> World:
    """The world as if the charger were there and in service: it may be again in a moment."""
    return World(faulted=world.faulted, presence=world.presence, disabled=world.disabled, busy=world.busy)


def endings(
    control: Control, world: World, rules: Rules, now: datetime, engaged: frozenset[str] = frozenset()
) -> Iterator[tuple[ControlClass, Ending]]:
    """The classes that their holders lose now, and why.

    `engaged` are the providers with a transaction, limit, profile or reservation in force: the others lose a
    class that they did nothing with for the time-out.
    """
    for control_class in EXCLUSIVE:
        holding = control.holders.get(control_class)
        if holding is None or holding.provider == OWNER:
            continue
        ending = _ending(control, control_class, holding, world, rules, now)
        if ending in PATIENT and holding.provider in world.busy and not rules.override_stops:
            ending = None
        idle = holding.provider not in engaged | world.busy and now - holding.used_at >= rules.control_timeout
        if ending or idle:
            yield control_class, ending or Ending.TIMEOUT


def _ending(
    control: Control, control_class: ControlClass, holding: Holding, world: World, rules: Rules, now: datetime
) -> Ending | None:
    reason = refusal(control, holding.provider, control_class, world, rules, now)
    return ENDS.get(reason) if reason else None


def limit_stands(control: Control, provider: str, world: World, rules: Rules, now: datetime) -> bool:
    """Whether a provider's limits stay in force: while it passes for `smart_charging`."""
    return refusal(control, provider, ControlClass.SMART_CHARGING, world, rules, now) in (None, Reason.CHARGER_FAULTED)
