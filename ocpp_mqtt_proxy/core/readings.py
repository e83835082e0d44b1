"""Sampled values: one unit each, and the few numbers that people look at.

Chargers write the same thing in many ways: kWh or Wh, `Hz` or `Hertz`, per phase or in total, with a neutral,
between lines, or for the wrong measurand. Here it becomes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from types import MappingProxyType
from typing import NamedTuple

from ocpp_mqtt_proxy.core.model import (
    CURRENT,
    CURRENT_OFFERED,
    ENERGY,
    FREQUENCY,
    POWER,
    POWER_OFFERED,
    SOC,
    TEMPERATURE,
    VOLTAGE,
    Reading,
    WattHours,
)
from ocpp_mqtt_proxy.core.register import credible


class Family(NamedTuple):
    """A kind of quantity: its base unit, and how other spellings scale to it."""

    base: str
    factors: Mapping[str, float]


def _family(base: str, *symbols: str, **spellings: float) -> Family:
    factors = {symbol.lower(): 1.0 for symbol in (base, *symbols)}
    factors |= {f"k{symbol}".lower(): 1000.0 for symbol in (base, *symbols)}
    return Family(base, factors | spellings)


_ENERGY_ACTIVE = _family("Wh", mwh=1e6)
_ENERGY_REACTIVE = _family("varh")
_ENERGY_APPARENT = _family("VAh")
_POWER_ACTIVE = _family("W", "VA", "var")
_POWER_REACTIVE = _family("var", "VAr", "W")
_CURRENT = _family("A", "amp", "amps", "ampere", ma=1e-3)
_VOLTAGE = _family("V", "volt", "volts", mv=1e-3)
_FREQUENCY = _family("Hz", "hertz")
_PERCENT = _family("%", "percent")
_TEMPERATURE = _family("°C", "celsius", "celcius", "c")
_ROTATION = _family("rpm")
_NONE = Family("", MappingProxyType({}))

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "Energy.Active": _ENERGY_ACTIVE,
        "Energy.Reactive": _ENERGY_REACTIVE,
        "Energy.Apparent": _ENERGY_APPARENT,
        "Power.Active": _POWER_ACTIVE,
        "Power.Reactive": _POWER_REACTIVE,
        "Power.Offered": _POWER_ACTIVE,
        "Power.Factor": _NONE,
        "Current": _CURRENT,
        "Voltage": _VOLTAGE,
        "Frequency": _FREQUENCY,
        "SoC": _PERCENT,
        "Temperature": _TEMPERATURE,
        "RPM": _ROTATION,
    }
)
"""By the first words of a measurand; the longest match counts."""


def _family_of(measurand: str) -> Family:
    words = measurand.split(".")
    return FAMILIES.get(".".join(words[:2])) or FAMILIES.get(words[0]) or _NONE


_scales: dict[tuple[str, str | None], tuple[str, float]] = {}
_SCALES_KEPT = 512


def to_base(measurand: str, value: float, unit: str | None) -> tuple[str, float]:
    """The base unit of a measurand and the value in it.

    A unit that is missing, unknown or of another quantity is taken for the measurand's base unit.
    """
    if measurand == TEMPERATURE and unit:
        return _temperature(value, unit)
    key = (measurand, unit)
    scale = _scales.get(key)
    if scale is None:
        family = _family_of(measurand)
        scale = (family.base or unit or "", family.factors.get((unit or "").lower(), 1.0))
        if len(_scales) < _SCALES_KEPT:
            _scales[key] = scale
    return scale[0], value * scale[1]


def _temperature(value: float, unit: str) -> tuple[str, float]:
    match unit.lower():
        case "k" | "kelvin":
            return "°C", value - 273.15
        case "fahrenheit" | "f" | "°f":
            return "°C", (value - 32) / 1.8
        case _:
            return "°C", value


_CONTEXT_RANK = {"Transaction.End": 4, "Sample.Periodic": 3, "Trigger": 3, "Sample.Clock": 2}
_IGNORED_CONTEXTS = frozenset({"Transaction.Begin", "Interruption.Begin"})
_LOCATION_RANK = {None: 2, "Outlet": 2, "Cable": 2, "EV": 1, "Inlet": 0, "Body": 0}
_LINES = ("L1", "L2", "L3")
_PHASE_TO_LINE = {"L1": "L1", "L2": "L2", "L3": "L3", "L1-N": "L1", "L2-N": "L2", "L3-N": "L3"}
_BETWEEN_LINES = {"L1-L2": "L1", "L2-L3": "L2", "L3-L1": "L3"}

Picked = dict[str, dict[str | None, float]]
"""Per measurand its value by phase; None is the total."""


def pick(readings: Iterable[Reading]) -> Picked:
    """Of several readings of one thing, the one that tells best what flows now.

    Readings from the beginning of a transaction are passed over: they come again in every message of some
    chargers, older than the rest.
    """
    picked: Picked = {}
    ranks: dict[tuple[str, str | None], tuple[int, int]] = {}
    for reading in readings:
        if reading.context in _IGNORED_CONTEXTS:
            continue
        key = (reading.measurand, reading.phase)
        rank = (_CONTEXT_RANK.get(reading.context, 1), _LOCATION_RANK.get(reading.location, 1))
        if rank >= ranks.get(key, rank):
            ranks[key] = rank
            picked.setdefault(reading.measurand, {})[reading.phase] = reading.value
    return picked


def by_line(phases: Mapping[str | None, float], between: float = 1.0) -> dict[str, float]:
    """Values per line conductor; a reading between two lines counts for the first, divided by `between`."""
    lines = {_PHASE_TO_LINE[p]: v for p, v in phases.items() if p in _PHASE_TO_LINE}
    if not lines and between != 1.0:
        lines = {_BETWEEN_LINES[p]: v / between for p, v in phases.items() if p in _BETWEEN_LINES}
    return lines


def energy_of(readings: Iterable[Reading], contexts: frozenset[str] | None = None) -> WattHours | None:
    """The import register in Wh; None where there is none that can be. With `contexts`, of those alone."""
    if contexts is not None:
        readings = [r._replace(context="Trigger") for r in readings if r.context in contexts]
    phases = pick(r for r in readings if r.measurand == ENERGY).get(ENERGY)
    return credible(_total(phases)) if phases else None


def _total(phases: Mapping[str | None, float]) -> float | None:
    """A sum over phases (power, energy), where no total is given."""
    if None in phases:
        return phases[None]
    lines = by_line(phases)
    return sum(lines.values()) if lines else None


def _typical(phases: Mapping[str | None, float], lines: Mapping[str, float]) -> float | None:
    """A mean over the phases that carry something (current, voltage), where no single value is given."""
    if None in phases:
        return phases[None]
    carrying = [value for value in lines.values() if value]
    if carrying:
        return sum(carrying) / len(carrying)
    return 0.0 if lines else phases.get("N")


_PLAIN = {
    SOC: "soc",
    TEMPERATURE: "temperature",
    FREQUENCY: "frequency",
    CURRENT_OFFERED: "current_offered",
}


def metrics_of(picked: Picked) -> dict[str, float]:
    """The numbers of contract §5 that these readings tell: power, current_l1, soc …"""
    metrics: dict[str, float] = {}
    for measurand, phases in picked.items():
        if measurand == POWER:
            _spread(metrics, "power", by_line(phases), _total(phases))
        elif measurand == CURRENT:
            lines = by_line(phases)
            _spread(metrics, "current", lines, _typical(phases, lines))
        elif measurand == VOLTAGE:
            lines = by_line(phases, between=sqrt(3))
            _spread(metrics, "voltage", lines, _typical(phases, lines))
        elif measurand == POWER_OFFERED:
            _spread(metrics, "power_offered", {}, _total(phases))
        elif name := _PLAIN.get(measurand):
            _spread(metrics, name, {}, _typical(phases, by_line(phases)))
    return metrics


def _spread(metrics: dict[str, float], name: str, lines: Mapping[str, float], total: float | None) -> None:
    if total is not None:
        metrics[name] = total
    for line in _LINES:
        if line in lines:
            metrics[f"{name}_{line.lower()}"] = lines[line]
