"""Who may share a charger, and on what terms: what the configuration says of providers (contract §1, §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.schedule import Window, is_open
from ocpp_mqtt_proxy.core.tariff import Tariff


class ControlClass(StrEnum):
    """What there is to control (contract §1). The first and the last have one holder at most."""

    TRANSACTIONS = "transactions"
    SMART_CHARGING = "smart_charging"
    MANAGEMENT = "management"


EXCLUSIVE = (ControlClass.TRANSACTIONS, ControlClass.MANAGEMENT)
EVERYBODYS = frozenset({ControlClass.TRANSACTIONS, ControlClass.SMART_CHARGING})
"""The roles of a provider that the configuration gives none."""


class Presence(StrEnum):
    """Whether somebody is at home, as far as the feed tells."""

    HOME = "home"
    AWAY = "away"
    UNKNOWN = "unknown"


_SPELLINGS = {
    **dict.fromkeys(("home", "on", "true", "1"), Presence.HOME),
    **dict.fromkeys(("away", "not_home", "off", "false", "0"), Presence.AWAY),
}


def presence_told(word: str) -> Presence:
    """What a feed's word means, in any case (contract §3); one that says neither is a feed that does not know."""
    return _SPELLINGS.get(word.strip().lower(), Presence.UNKNOWN)


class PresenceRule(StrEnum):
    """While whom a provider may act."""

    ANY = "any"
    HOME = "home"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms one provider shares. `max_current` in A per phase, in force within its schedule."""

    id: str
    name: str = ""
    roles: frozenset[ControlClass] = EVERYBODYS
    priority: int = 0
    presence: PresenceRule = PresenceRule.AWAY
    schedule: tuple[Window, ...] = ()
    max_current: Amps | None = None
    tariff: Tariff = field(default_factory=Tariff)


@dataclass(frozen=True, slots=True)
class Rules:
    """The house's rules for all providers.

    `allowed`: where any is named, only these. `strangers` are the terms of backends that nobody named; None
    keeps them out. `unknown_denies`: a feed of presence that is lost or has not spoken counts as a no.
    """

    sharing: bool = True
    preferred: str = ""
    rate_limit: timedelta = timedelta(seconds=10)
    control_timeout: timedelta = timedelta(seconds=60)
    allowed: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    unknown_denies: bool = True
    override_stops: bool = False
    zone: tzinfo = UTC
    providers: Mapping[str, Terms] = field(default_factory=dict)
    strangers: Terms | None = None

    def terms(self, provider: str) -> Terms | None:
        """A provider's terms; None for one that may not come in."""
        return self.providers.get(provider, self.strangers)

    def may_come(self, provider: str) -> bool:
        """Whether a provider is let in at all, blocked ones aside."""
        return self.terms(provider) is not None and (not self.allowed or provider in self.allowed)

    def is_open(self, terms: Terms, now: datetime) -> bool:
        """Whether a provider's schedule holds."""
        return is_open(terms.schedule, now.astimezone(self.zone))

    def outranks(self, provider: str, other: str) -> bool:
        """Whether a provider goes before another one: the preferred before all, then by priority."""
        return self.rank(provider) > self.rank(other)

    def rank(self, provider: str) -> tuple[bool, int]:
        """How a provider stands: what goes before is larger."""
        terms = self.terms(provider)
        return provider == self.preferred, terms.priority if terms else 0


@dataclass(slots=True)
class Circumstances:
    """What holds for the whole house now. `presence` is None where no feed is configured.

    `disabled` are the providers that the owner switched off, `present` those connected, with how many links.
    """

    presence: Presence | None = None
    disabled: set[str] = field(default_factory=set)
    present: dict[str, int] = field(default_factory=dict)
