"""Requests before the rules: a scene in which everything is allowed, and what stands in the way in others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from ocpp_mqtt_proxy.core.arbiter import Grant, Intent, Refusal, Request, World, decide
from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import AUTO, Control, Holding, Limit
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass, Presence, PresenceRule, Rules, Terms
from tests.core.yard import NOON

ME = "energy_provider"
OTHER = "fleet_service"
ALL_ROLES = frozenset(ControlClass)
NIGHT = Window(time(23), time(7))
LONG_AGO = NOON - timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

HOUSE = Rules()

TRANSACTIONS, SMART_CHARGING, MANAGEMENT = ControlClass
HOLD, ACT, EASE, ANSWER = Intent


@dataclass(frozen=True)
class Scene:
    """A request, all that the rules look at, and nothing in the way. The terms are those of ME.

    `asked`: how long ago the same was asked last. `holder` holds both exclusive classes.
    """

    provider: str = ME
    control_class: ControlClass = TRANSACTIONS
    intent: Intent = ACT
    whose: str | None = None
    mode: str = AUTO
    holder: str | None = None
    asked: timedelta | None = None
    limit: Limit | None = None
    online: bool = True
    faulted: bool = False
    unavailable: bool = False
    presence: Presence | None = Presence.AWAY
    disabled: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()
    roles: frozenset[ControlClass] = ALL_ROLES
    rule: PresenceRule = PresenceRule.AWAY
    schedule: tuple[Window, ...] = ()
    priority: int = 0
    others_priority: int = 0
    house: Rules = HOUSE
    now: datetime = NOON

    def but(self, **changes: Any) -> Scene:
        """The scene with something changed; `house_…` changes a rule of the house."""
        rules = {name.removeprefix("house_"): value for name, value in changes.items() if name.startswith("house_")}
        rest = {name: value for name, value in changes.items() if not name.startswith("house_")}
        return replace(self, **rest, house=replace(self.house, **rules))

    @property
    def rules(self) -> Rules:
        mine = Terms(ME, "", self.roles, self.priority, self.rule, self.schedule)
        return replace(self.house, providers={ME: mine, OTHER: Terms(OTHER, priority=self.others_priority)})

    @property
    def world(self) -> World:
        return World(self.online, self.faulted, self.unavailable, self.presence, self.disabled, self.busy)

    @property
    def control(self) -> Control:
        control = Control("CP1", self.mode)
        if self.holder is not None:
            control.holders = {one: Holding(self.holder, LONG_AGO, LONG_AGO) for one in EXCLUSIVE}
        if self.asked is not None:
            control.asked = {self.request.asking: self.now - self.asked}
        if self.limit is not None:
            control.limits = {ME: self.limit}
        return control

    @property
    def request(self) -> Request:
        return Request(self.provider, self.control_class, self.intent, self.whose)

    def answer(self, control: Control | None = None) -> Grant | Refusal:
        """What the rules say; with what a charger's control remembers, where that is given."""
        return decide(control or self.control, self.request, self.world, self.rules, self.now)

    def reason(self, control: Control | None = None) -> Reason | None:
        """Why it is refused; None for a yes."""
        answer = self.answer(control)
        return answer.reason if isinstance(answer, Refusal) else None


OBSTACLES: dict[Reason, dict[str, Any]] = {
    Reason.BLOCKED: {"house_blocked": frozenset({ME})},
    Reason.NOT_ALLOWED: {"house_allowed": frozenset({OTHER})},
    Reason.DISABLED: {"disabled": frozenset({ME})},
    Reason.CHARGER_OFFLINE: {"online": False},
    Reason.SHARING_DISABLED: {"house_sharing": False},
    Reason.OVERRIDE: {"mode": OWNER},
    Reason.CHARGER_FAULTED: {"faulted": True},
    Reason.CHARGER_UNAVAILABLE: {"unavailable": True},
    Reason.PRESENCE_UNKNOWN: {"presence": Presence.UNKNOWN},
    Reason.PRESENCE: {"presence": Presence.HOME},
    Reason.SCHEDULE: {"schedule": (NIGHT,)},
    Reason.ROLE: {"roles": frozenset()},
    Reason.NOT_YOURS: {"whose": OTHER},
    Reason.RATE_LIMITED: {"asked": SECOND},
    Reason.HELD_BY_OTHER: {"holder": OTHER},
}
"""What makes each rule say no: the earlier ones of contract §8 first."""
