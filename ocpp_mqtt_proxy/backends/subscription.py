"""What one reader wants to hear of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core import events
from ocpp_mqtt_proxy.core.events import Fact

EVERY_KIND = "*"

KINDS = frozenset(
    fact.KIND for fact in vars(events).values() if isinstance(fact, type) and issubclass(fact, Fact) and fact.KIND
)
"""Every kind of event (contract §6)."""

MOST = 1000
"""Chargers that one reader may name."""

Kinds = frozenset[str]
Change = Callable[[Kinds], Kinds]


class TooMany(ValueError):
    """More chargers than a reader may name."""


def expanded(kinds: Iterable[str]) -> Kinds:
    """Kinds by name, `*` standing for all."""
    given = frozenset(kinds)
    return KINDS if EVERY_KIND in given else given


@dataclass(slots=True)
class Subscription:
    """Kinds of events of all chargers, but for those named: of these it is their own kinds.

    `begun` once it was said for the first time what is wanted; what was `of_all` before that then counts no more.
    """

    of_all: Kinds = frozenset()
    of: dict[str, Kinds] = field(default_factory=dict)
    begun: bool = False

    @property
    def listening(self) -> bool:
        """Whether the reader wants to hear of anything."""
        return bool(self.of_all or any(self.of.values()))

    def wants(self, charger: str, kind: str) -> bool:
        """Whether the reader wants to hear of an event."""
        return kind in self.of.get(charger, self.of_all)

    def add(self, kinds: Kinds, chargers: Iterable[str] | None) -> None:
        """Hear of more. Raises TooMany."""
        if not self.begun:
            self.begun, self.of_all = True, frozenset()
        self._change(chargers, lambda before: before | kinds)

    def drop(self, kinds: Kinds, chargers: Iterable[str] | None) -> None:
        """Hear of less. Raises TooMany."""
        self.begun = True
        self._change(chargers, lambda before: before - kinds)

    def _change(self, chargers: Iterable[str] | None, change: Change) -> None:
        if chargers is None:
            self.of_all = change(self.of_all)
            self.of = {charger: change(kinds) for charger, kinds in self.of.items()}
            return
        named = set(chargers)
        if len(self.of.keys() | named) > MOST:
            raise TooMany(f"at most {MOST} chargers can be named")
        self.of.update({charger: change(self.of.get(charger, self.of_all)) for charger in named})
