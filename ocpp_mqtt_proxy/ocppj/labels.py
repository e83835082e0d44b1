"""What a sampled value is of: the words around its number.

They are the same in every message of a charger, so they are understood once and remembered.
"""

from __future__ import annotations

from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import ENERGY, Reading, Signed
from ocpp_mqtt_proxy.core.readings import scale_of
from ocpp_mqtt_proxy.ocppj.fields import MAX_NUMBER, whole, word

KEPT = 4096
"""Labels remembered, of all chargers; each has a few dozen."""

LATELY = 128
"""Readings whose words are remembered: all services are told the same ones within a second."""

Words = tuple[object, object, object, object, object, object]
"""Measurand, unit, multiplier, phase, context and location as a charger wrote them."""


class Label(NamedTuple):
    """What a reading is of (1.6 §7.43, SampledValueType); (number + shift) * factor is in the base unit."""

    measurand: str
    unit: str
    phase: str | None
    context: str
    location: str | None
    factor: float
    shift: float


class _Remembered(dict[Words, Label]):
    def __missing__(self, words: Words) -> Label:
        if len(self) >= KEPT:
            self.clear()
        label = self[words] = _understood(*words)
        return label


_labels = _Remembered()
_new = tuple.__new__
"""Makes a named tuple in half the time of its own constructor, which is Python: there are a dozen in a message."""


def read(amount: float, words: Words, signed: Signed | None = None) -> Reading | None:
    """A number with the words around it as a reading; None where it is beyond all measure."""
    try:
        measurand, unit, phase, context, location, factor, shift = _labels[words]
    except TypeError:  # a list or an object where a word should be
        measurand, unit, phase, context, location, factor, shift = _understood(*words)
    value = (amount + shift) * factor
    if -MAX_NUMBER <= value <= MAX_NUMBER:
        return _new(Reading, (measurand, value, unit, phase, context, location, signed))
    return None


def _understood(
    measurand: object, unit: object, multiplier: object, phase: object, context: object, location: object
) -> Label:
    named = word(measurand) or ENERGY
    power = 10.0 ** max(-30, min(30, whole(multiplier) or 0))
    scale = scale_of(named, word(unit) or None)
    return Label(
        named,
        scale.unit,
        word(phase) or None,
        word(context) or "Sample.Periodic",
        word(location) or None,
        factor=scale.factor * power,
        shift=scale.shift / power,
    )
