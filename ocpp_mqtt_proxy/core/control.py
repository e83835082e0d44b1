"""Who controls a charger: its mode, the holder of each exclusive class, the providers' limits (contract §1, §8).

    mode       auto: the rules decide · owner: the owner alone · a provider's id: that one alone
    holders    of `transactions` and of `management`, one each or none

What changes here is told: a class was granted or taken away, and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ocpp_mqtt_proxy.core.authorization import Cards
from ocpp_mqtt_proxy.core.limits.rules import Profiles
from ocpp_mqtt_proxy.core.model import OWNER, Amps
from ocpp_mqtt_proxy.core.sharing import EXCLUSIVE, ControlClass

AUTO = "auto"

Asking = tuple[str, ControlClass, str]
"""Who asked, in which class, and for what: for the class itself, or to do something with it."""


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
    """A provider's limit in A per phase, on a connector or (0) the whole charger, until a time or for good.

    `eased`: it was taken as a lowering alone, from one that might do no more at the time.
    """

    amps: Amps
    connector: int = 0
    until: datetime | None = None
    eased: bool = False

    def lasts(self, at: datetime) -> bool:
        """Whether it still counts then."""
        return self.until is None or at < self.until


@dataclass(slots=True)
class Plan:
    """A provider's charging profiles; `eased` as with a limit.

    `lasting` ones stay while their provider is away, as a charger keeps its CSMS's (1.6 §3.13.6). `lent` ones were
    allowed though smart charging is not among its roles.
    """

    profiles: Profiles
    eased: bool = False
    lasting: bool = False
    lent: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A connector that is kept for somebody's card, and by which provider."""

    provider: str
    until: datetime


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
    """Who controls one charger. Written down with every change.

    `allowing` is what each provider's limit and profiles allowed in A when that was reckoned last; it is not written.
    `asked` is when somebody last asked what counts for the rate limit, `last` what was decided last, `refusal` the
    last no. `cards` are providers' verdicts on cards.
    """

    charger: str
    mode: str = AUTO
    holders: dict[ControlClass, Holding] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    allowing: dict[str, Amps] = field(default_factory=dict, compare=False)
    reservations: dict[int, Reservation] = field(default_factory=dict)
    asked: dict[Asking, datetime] = field(default_factory=dict)
    last: Verdict | None = None
    refusal: Verdict | None = None
    cards: Cards = field(default_factory=Cards)

    def holder(self, control_class: ControlClass) -> str | None:
        """Who holds a class."""
        holding = self.holders.get(control_class)
        return holding.provider if holding else None

    @property
    def limiting(self) -> set[str]:
        """Who has a limit or a profile here."""
        return self.limits.keys() | self.plans.keys()

    def eased(self, provider: str) -> bool:
        """Whether a limit or profile of a provider's was taken as a lowering alone."""
        return any(given.eased for given in (self.limits.get(provider), self.plans.get(provider)) if given is not None)

    def lent(self, provider: str) -> bool:
        """Whether a provider's profiles were allowed beyond its roles."""
        plan = self.plans.get(provider)
        return plan is not None and plan.lent

    @property
    def owner(self) -> str | None:
        """Who has the say over transactions: the owner while nobody else may."""
        return OWNER if self.mode == OWNER else self.holder(ControlClass.TRANSACTIONS)

    def forced(self, provider: str) -> bool:
        """Whether the owner put a provider in charge."""
        return self.mode == provider

    def grant(self, provider: str, control_class: ControlClass, now: datetime) -> Taken | None:
        """Put a class into a provider's hands; what was taken from another for it. Nobody holds what is shared."""
        if control_class not in EXCLUSIVE:
            return None
        if self.holder(control_class) == provider:
            self.use(provider, control_class, now)
            return None
        ending = Ending.HANDED_OVER if self.forced(provider) else Ending.PREEMPTED
        taken = self.take(ending, (control_class,))
        self.holders[control_class] = Holding(provider, now, now)
        return taken[0] if taken else None

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
        """Put somebody in charge, or the rules. Whoever is not in charge then loses what it holds.

        But the owner, whose session runs: it stays the owner's, or is handed over by a grant.
        """
        self.mode = mode
        others = [one for one in EXCLUSIVE if self.holder(one) not in (mode, OWNER)]
        return self.take(Ending.OVERRIDE, others) if mode != AUTO else []

    def note(self, verdict: Verdict, asked: Asking | None, rate_limit: timedelta) -> None:
        """Remember what was decided and, where it counts, that it was asked: for as long as that limits anybody."""
        self.last = verdict
        if not verdict.granted:
            self.refusal = verdict
        self.asked = {asking: at for asking, at in self.asked.items() if recent(at, verdict.at, rate_limit)}
        if asked is not None:
            self.asked[asked] = verdict.at


def recent(at: datetime, now: datetime, rate_limit: timedelta) -> bool:
    """Whether something was asked so short a time ago that it limits; not where the clock was put back since."""
    return timedelta(0) <= now - at < rate_limit
