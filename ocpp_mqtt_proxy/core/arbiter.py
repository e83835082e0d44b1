"""May a provider do this? The rules of contract §8, in their order; the first that says no is the reason.

`CHECKS` is the order and all of it. Some rules do not bind every class, an owner who put a provider in charge
overrules some, and what lowers power, stops or gives back is refused to nobody but those who are locked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ocpp_mqtt_proxy.core.commands import Reason
from ocpp_mqtt_proxy.core.control import AUTO, Asking, Control, Verdict, recent
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import ControlClass, Presence, PresenceRule, Rules, Terms


class Intent(StrEnum):
    """What kind of thing is asked.

    `HOLD` asks for the class itself. `ACT` does something with it. `EASE` lowers power, stops or gives back.
    `ANSWER` says whether a card may charge: we asked, so it is not limited how often.
    """

    HOLD = "hold"
    ACT = "act"
    EASE = "ease"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Request:
    """What a provider wants. `whose` is the provider of the session that it would touch, where there is one.

    `lent`: the owner allows just this, though it is not among the provider's roles.
    """

    provider: str
    control_class: ControlClass
    intent: Intent = Intent.ACT
    whose: str | None = None
    lent: bool = False

    @property
    def asking(self) -> Asking:
        """What the rate limit counts apart: whoever asked for a class may use it at once."""
        return (self.provider, self.control_class, self.intent)


@dataclass(frozen=True, slots=True)
class World:
    """What the rules look at beside who controls.

    `faulted` and `unavailable` are the connector's that is meant, or the charger's. `presence` is None where no
    feed is configured. `busy` are the providers whose transaction runs on this charger.
    """

    online: bool = True
    faulted: bool = False
    unavailable: bool = False
    presence: Presence | None = None
    disabled: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """Yes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and why. `message` is for people."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Case:
    """A request before the rules."""

    control: Control
    request: Request
    world: World
    rules: Rules
    now: datetime

    @property
    def terms(self) -> Terms:
        """The provider's terms; of no use to one that may not come in."""
        return self.rules.terms(self.request.provider) or Terms(self.request.provider, roles=frozenset())

    @property
    def holder(self) -> str | None:
        """Who holds the class that is asked for."""
        return self.control.holder(self.request.control_class)


def _blocked(case: Case) -> str | None:
    return "it is blocked" if case.request.provider in case.rules.blocked else None


def _not_allowed(case: Case) -> str | None:
    return None if case.rules.may_come(case.request.provider) else "it is not among the providers that may share"


def _disabled(case: Case) -> str | None:
    return "the owner has switched it off" if case.request.provider in case.world.disabled else None


def _offline(case: Case) -> str | None:
    return None if case.world.online else f"{case.control.charger} is not connected"


def _sharing(case: Case) -> str | None:
    return None if case.rules.sharing else "the owner shares with nobody"


def _override(case: Case) -> str | None:
    mode = case.control.mode
    return None if mode in (AUTO, case.request.provider) else f"the owner has put {mode} in charge"


def _faulted(case: Case) -> str | None:
    return "there is a fault" if case.world.faulted else None


def _unavailable(case: Case) -> str | None:
    return "it is out of service" if case.world.unavailable else None


def _presence_unknown(case: Case) -> str | None:
    lost = case.world.presence is Presence.UNKNOWN and case.terms.presence is not PresenceRule.ANY
    return "nobody can tell whether somebody is at home" if lost and case.rules.unknown_denies else None


def _presence(case: Case) -> str | None:
    rule, presence = case.terms.presence, case.world.presence
    if rule is PresenceRule.ANY or presence in (None, Presence.UNKNOWN) or presence.value == rule.value:
        return None
    return f"it may act while the house is {rule}; it is {presence}"


def _schedule(case: Case) -> str | None:
    return None if case.rules.is_open(case.terms, case.now) else "it is outside its hours"


def _role(case: Case) -> str | None:
    wanted = case.request.control_class
    return None if case.request.lent or wanted in case.terms.roles else f"{wanted} is not among its roles"


def _not_yours(case: Case) -> str | None:
    whose = case.request.whose
    return None if whose in (None, case.request.provider) else f"the session is {whose}'s"


def _rate_limited(case: Case) -> str | None:
    asked, limit = case.control.asked.get(case.request.asking), case.rules.rate_limit
    holds_already = case.holder == case.request.provider and case.request.intent is Intent.HOLD
    if asked is None or holds_already or not recent(asked, case.now, limit):
        return None
    ago = (case.now - asked).total_seconds()
    return f"it asked {ago:.1f} s ago; once in {limit.total_seconds():g} s"


def _held(case: Case) -> str | None:
    holder, provider = case.holder, case.request.provider
    if holder in (None, provider):
        return None
    if holder != OWNER and holder not in case.world.busy and case.rules.outranks(provider, holder):
        return None
    return f"{holder} holds {case.request.control_class}"


Check = Callable[[Case], str | None]

CHECKS: tuple[tuple[Reason, Check], ...] = (
    (Reason.BLOCKED, _blocked),
    (Reason.NOT_ALLOWED, _not_allowed),
    (Reason.DISABLED, _disabled),
    (Reason.CHARGER_OFFLINE, _offline),
    (Reason.SHARING_DISABLED, _sharing),
    (Reason.OVERRIDE, _override),
    (Reason.CHARGER_FAULTED, _faulted),
    (Reason.CHARGER_UNAVAILABLE, _unavailable),
    (Reason.PRESENCE_UNKNOWN, _presence_unknown),
    (Reason.PRESENCE, _presence),
    (Reason.SCHEDULE, _schedule),
    (Reason.ROLE, _role),
    (Reason.NOT_YOURS, _not_yours),
    (Reason.RATE_LIMITED, _rate_limited),
    (Reason.HELD_BY_OTHER, _held),
)

NOT_FOR_MANAGEMENT = frozenset(
    {
        Reason.CHARGER_FAULTED,
        Reason.CHARGER_UNAVAILABLE,
        Reason.PRESENCE,
        Reason.PRESENCE_UNKNOWN,
        Reason.SCHEDULE,
    }
)
"""The repairman must get in."""

OVERRULED = frozenset(
    {
        Reason.SHARING_DISABLED,
        Reason.PRESENCE,
        Reason.PRESENCE_UNKNOWN,
        Reason.SCHEDULE,
        Reason.RATE_LIMITED,
        Reason.HELD_BY_OTHER,
    }
)
"""What does not stop a provider that the owner has put in charge."""

NOT_FOR_ANSWERS = frozenset({Reason.CHARGER_OFFLINE, Reason.RATE_LIMITED})
"""What does not stop one who is asked about a card: the charger wants to know, and so do we."""

FOR_EASING = frozenset({Reason.BLOCKED, Reason.CHARGER_OFFLINE, Reason.NOT_YOURS})
"""All that stops one who lowers, stops or gives back what is its own."""

NOT_FOR_EASING = frozenset(reason for reason, _ in CHECKS) - FOR_EASING

NONE: frozenset[Reason] = frozenset()


def decide(control: Control, request: Request, world: World, rules: Rules, now: datetime) -> Grant | Refusal:
    """Whether a provider may do what it asks. Changes nothing."""
    return next(objections(control, request, world, rules, now), Grant())


def objections(control: Control, request: Request, world: World, rules: Rules, now: datetime) -> Iterator[Refusal]:
    """All that speaks against a request, in order."""
    case = Case(control, request, world, rules, now)
    for reason, check in _binding(case):
        if why := check(case):
            yield Refusal(reason, f"{request.provider}: {why}")


def note(control: Control, request: Request, answer: Grant | Refusal, rules: Rules, now: datetime) -> None:
    """Remember a decision. What got past the rate limit counts for it; what only lowers or stops never does."""
    refusal = answer if isinstance(answer, Refusal) else None
    why = (refusal.reason, refusal.message) if refusal else ("", "")
    past = refusal is None or refusal.reason is Reason.HELD_BY_OTHER
    counts = past and request.intent not in (Intent.EASE, Intent.ANSWER)
    verdict = Verdict(now, request.provider, request.control_class, refusal is None, *why)
    control.note(verdict, request.asking if counts else None, rules.rate_limit)


def _binding(case: Case) -> Iterator[tuple[Reason, Check]]:
    """The checks that bind a request, in order."""
    passed_over = _passed_over(case)
    return ((reason, check) for reason, check in CHECKS if reason not in passed_over)


def _passed_over(case: Case) -> frozenset[Reason]:
    request = case.request
    if request.intent is Intent.EASE:
        return NOT_FOR_EASING
    managed = NOT_FOR_MANAGEMENT if request.control_class is ControlClass.MANAGEMENT else NONE
    asked = NOT_FOR_ANSWERS if request.intent is Intent.ANSWER else NONE
    return managed | asked | (OVERRULED if case.control.forced(request.provider) else NONE)
