"""What a quirk is: one thing that real chargers get wrong, which of them do, and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.model import Nameplate, Version
from ocpp_mqtt_proxy.core.traits import PLAIN, Traits
from ocpp_mqtt_proxy.ocppj.schema import Fault

Payload = dict[str, object]


@dataclass(frozen=True, slots=True)
class Match:
    """Chargers by what their nameplate says: regular expressions found anywhere in it, in any case. Empty fits all."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""

    def fits(self, plate: Nameplate) -> bool:
        """Whether a nameplate is of these chargers."""
        told = ((self.vendor, plate.vendor), (self.model, plate.model), (self.firmware, plate.firmware))
        return all(re.search(pattern, text, re.IGNORECASE) for pattern, text in told)


class _Nothing:
    """Stands for a field that is to be left out."""


LEFT_OUT = _Nothing()

TextRepair = Callable[[str], str]
"""Of a frame that is not JSON; returns it as it was where it is not this quirk's."""

ValueRepair = Callable[[Fault], object]
"""The value that was meant; the same as it was where it is not this quirk's; LEFT_OUT where there is none."""

MessageRepair = Callable[[Payload], Payload]
"""Of a whole payload that breaks its schema."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """One row. `always`: harmless for everybody, so it is on for all; else for those that it `matches`.

    `text` mends frames that cannot be read, `messages` whole payloads and `value` single values that break their
    schema; frames that are right are never touched. `traits` say what we do differently.
    """

    name: str
    wrong: str
    remedy: str
    source: tuple[str, ...]
    always: bool = False
    matches: tuple[Match, ...] = ()
    text: TextRepair | None = None
    value: ValueRepair | None = None
    messages: Mapping[tuple[Version, str], MessageRepair] = field(default_factory=dict)
    traits: Traits = PLAIN

    def of(self, plate: Nameplate) -> bool:
        """Whether a charger with this nameplate has it."""
        return self.always or any(match.fits(plate) for match in self.matches)
