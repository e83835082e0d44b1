"""Who controls a charger: its mode, the holder of each exclusive class, the providers' limits (contract §1, §8).

    mode       auto: the rules decide · owner: the owner alone · a provider's id: that one alone
    holders    of `transactions` and of `management`, one each or none

What changes here is told: a class was granted or taken away, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass

AUTO = "auto"


class Ending(StrEnum):
    """Why a class was taken from its holder; a reason of refusal where one would meet it now."""

    RELEASED = "released"
    PREEMPTED = "preempted"
    HANDED_OVER = "handed_over"
    TIMEOUT = "timeout"
    ENDED = "transaction_ended"
    OVERRIDE = "override"
    FAULTED = "charger_faulted"
    BLOCKED = "blocked"
    NOT_ALLOWED = "not_allowed"
    DISABLED = "disabled"
    SHARING = "sharing_disabled"
    PRESENCE = "presence"
    PRESENCE_UNKNOWN = "presence_unknown"
    SCHEDULE = "schedule"
    ROLE = "role"


@dataclass(slots=True)
class Holding:
    """A class in somebody's hands. `used_at`: when the holder last did something with it."""

    provider: str
    since: datetime
    used_at: datetime


@dataclass(slots=True)
class Limit:
    """A provider's limit in A per phase, on a connector or (0) the whole charger, until a time or for good."""

    amps: Amps
    connector: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last thing decided, for whoever looks. `reason` is empty for a yes."""

    at: datetime
    provider: str
    control_class: ControlClass
    granted: bool
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A class was taken from a provider."""

    provider: str
    control_class: ControlClass
    ending: Ending


@dataclass(slots=True)
class Control:
    """Who controls one charger. Written down with every change."""

    charger: str
    mode: str = AUTO
    holders: dict[ControlClass, Holding] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    asked: dict[tuple[str, ControlClass], datetime] = field(default_factory=dict)
    last: Verdict | None = None

    def holder(self, control_class: ControlClass) -> str | None:
        """Who holds a class."""
        holding = self.holders.get(control_class)
        return holding.provider if holding else None

    @property
    def owner(self) -> str | None:
        """Who has the say over transactions: the owner while nobody else may."""
        return OWNER if self.mode == OWNER else self.holder(ControlClass.TRANSACTIONS)

    def forced(self, provider: str) -> bool:
        """Whether the owner put a provider in charge."""
        return self.mode == provider

    def grant(self, provider: str, control_class: ControlClass, now: datetime) -> Taken | None:
        """Put a class into a provider's hands; what was taken from another for it."""
        holding = self.holders.get(control_class)
        if holding is not None and holding.provider == provider:
            holding.used_at = now
            return None
        self.holders[control_class] = Holding(provider, now, now)
        return Taken(holding.provider, control_class, Ending.PREEMPTED) if holding else None

    def use(self, provider: str, control_class: ControlClass, now: datetime) -> None:
        """A holder did something with its class."""
        holding = self.holders.get(control_class)
        if holding is not None and holding.provider == provider:
            holding.used_at = now

    def take(
        self, ending: Ending, classes: Iterable[ControlClass] = EXCLUSIVE, provider: str | None = None
    ) -> list[Taken]:
        """Take classes away, from a provider or from whoever holds them; what was taken."""
        return list(self._take(ending, classes, provider))

    def _take(self, ending: Ending, classes: Iterable[ControlClass], provider: str | None) -> Iterator[Taken]:
        for control_class in classes:
            holding = self.holders.get(control_class)
            if holding is not None and provider in (None, holding.provider):
                del self.holders[control_class]
                yield Taken(holding.provider, control_class, ending)

    def set_mode(self, mode: str) -> list[Taken]:
        """Put somebody in charge, or the rules. Whoever is not in charge then loses what it holds."""
        self.mode = mode
        if mode == AUTO:
            return []
        taken = [self.take(Ending.OVERRIDE, (c,)) for c in EXCLUSIVE if self.holder(c) not in (None, mode)]
        return [one for several in taken for one in several]
