"""What has to be done differently for a charger; `ocppj/quirks` says which chargers that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ocpp_mqtt_proxy.core.limit_orders import ProfileForm

STOP_IS_FINAL = "stop_is_final"
"""The quirk that a charger is found to have when it refuses a start where the last transaction's cable is still in."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How a charger is treated. The defaults are what suits all that keep to the specification.

    `quirks` names what is known to be odd with it.
    `measurands`: the only ones to have it read, whatever else it offers. `never_read`: those it must not be told
    to read. `forms`: the forms of a charging profile to try first. `pings_unasked`: its ping interval is written
    though it does not tell of one. `repeats_limits`: a limit that ends a pause is sent twice. `pauses_to_stop`:
    it does not start again before the cable was out, so OFF is a pause.
    """

    quirks: tuple[str, ...] = ()
    measurands: tuple[str, ...] = ()
    never_read: frozenset[str] = frozenset()
    forms: tuple[ProfileForm, ...] = ()
    pings_unasked: bool = False
    repeats_limits: bool = False
    pauses_to_stop: bool = False


PLAIN = Traits()


def together(given: Iterable[Traits]) -> Traits:
    """Several quirks' traits as one charger's; of two lists of measurands the first counts."""
    traits = list(given)
    return Traits(
        measurands=next((t.measurands for t in traits if t.measurands), ()),
        never_read=frozenset().union(*(t.never_read for t in traits)),
        forms=tuple(dict.fromkeys(form for t in traits for form in t.forms)),
        pings_unasked=any(t.pings_unasked for t in traits),
        repeats_limits=any(t.repeats_limits for t in traits),
        pauses_to_stop=any(t.pauses_to_stop for t in traits),
    )
