"""What real chargers get wrong, as data: which quirks a charger has, and the repairs of its frames they bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from ocpp_mqtt_proxy.core.model import Nameplate, Version
from ocpp_mqtt_proxy.core.traits import Traits, together
from ocpp_mqtt_proxy.ocppj.quirks.rows import MessageRepair, Quirk, TextRepair, ValueRepair
from ocpp_mqtt_proxy.ocppj.quirks.table import QUIRKS

__all__ = ["NAMES", "OFF", "QUIRKS", "Active", "Quirk", "active", "unknown", "usual"]

NAMES = tuple(quirk.name for quirk in QUIRKS)

OFF = "no_"
"""In front of a name: this charger does not have it, whatever its nameplate says."""


@dataclass(frozen=True)
class Active:
    """The quirks of one charger."""

    quirks: tuple[Quirk, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Those that not every charger is taken to have."""
        return tuple(quirk.name for quirk in self.quirks if not quirk.always)

    @cached_property
    def traits(self) -> Traits:
        """What is done differently for it."""
        return replace(together(quirk.traits for quirk in self.quirks), quirks=self.names)

    @cached_property
    def texts(self) -> tuple[tuple[str, TextRepair], ...]:
        """Repairs of frames that cannot be read, by name."""
        return tuple((quirk.name, quirk.text) for quirk in self.quirks if quirk.text)

    @cached_property
    def values(self) -> tuple[tuple[str, ValueRepair], ...]:
        """Repairs of single values, by name."""
        return tuple((quirk.name, quirk.value) for quirk in self.quirks if quirk.value)

    def messages(self, version: Version, action: str) -> list[tuple[str, MessageRepair]]:
        """Repairs of a whole message, by name."""
        repairs = ((quirk.name, quirk.messages.get((version, action))) for quirk in self.quirks)
        return [(name, repair) for name, repair in repairs if repair is not None]


@lru_cache(maxsize=256)
def active(plate: Nameplate, switches: tuple[str, ...] = (), learned: frozenset[str] = frozenset()) -> Active:
    """The quirks of a charger: by its nameplate, as it turned out, and as the configuration has it (`no_…` for off)."""
    on = frozenset(switches)
    likely = (q for q in QUIRKS if q.of(plate) or q.name in learned or q.name in on)
    return Active(tuple(q for q in likely if q.name in on or OFF + q.name not in on))


def usual() -> Active:
    """What everybody may get wrong: the quirks of a charger that nothing is known of."""
    return active(Nameplate())


def unknown(switches: Iterable[str]) -> list[str]:
    """Those switches that are of no quirk."""
    return [word for word in switches if word not in NAMES and word.removeprefix(OFF) not in NAMES]
