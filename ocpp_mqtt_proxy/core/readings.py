"""Sampled values: one unit each, and the few numbers that people look at.

Chargers write the same thing in many ways: kWh or Wh, `Hz` or `Hertz`, per phase or in total, with a neutral,
between lines, or for the wrong measurand. Here it becomes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
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
_TIME = _family("s", "seconds", min=60.0, h=3600.0)
_PERCENT = _family("%", "percent")
_TEMPERATURE = _family("°C", "celsius", "celcius", "c")
_ROTATION = _family("rpm")
_NONE = Family("", MappingProxyType({}))

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "Energy.Active": _ENERGY_ACTIVE,
        "Energy.Reactive": _ENERGY_REACTIVE,
        "Energy.Apparent": _ENERGY_APPARENT,
        "EnergyRequest": _ENERGY_ACTIVE,
        "Power.Active": _POWER_ACTIVE,
        "Power.Reactive": _POWER_REACTIVE,
        "Power.Export": _POWER_ACTIVE,
        "Power.Import": _POWER_ACTIVE,
        "Power.Offered": _POWER_ACTIVE,
        "Power.Factor": _NONE,
        "Current": _CURRENT,
        "Voltage": _VOLTAGE,
        "Frequency": _FREQUENCY,
        "SoC": _PERCENT,
        "Display.BatteryEnergyCapacity": _ENERGY_ACTIVE,
        "Display.MaximumSOC": _PERCENT,
        "Display.MinimumSOC": _PERCENT,
        "Display.PresentSOC": _PERCENT,
        "Display.RemainingTimeToMaximumSOC": _TIME,
        "Display.RemainingTimeToMinimumSOC": _TIME,
        "Display.RemainingTimeToTargetSOC": _TIME,
        "Display.TargetSOC": _PERCENT,
        "Temperature": _TEMPERATURE,
        "RPM": _ROTATION,
    }
)
"""By the first words of a measurand; the longest match counts."""


def _family_of(measurand: str) -> Family:
    words = measurand.split(".")
    return FAMILIES.get(".".join(words[:2])) or FAMILIES.get(words[0]) or _NONE


class Scale(NamedTuple):
    """How a number in some unit becomes one in its base unit: (number + shift) * factor."""

    unit: str
    factor: float = 1.0
    shift: float = 0.0

    def apply(self, value: float) -> float:
        """The number in the base unit."""
        return (value + self.shift) * self.factor


@lru_cache(maxsize=512)
def scale_of(measurand: str, unit: str | None) -> Scale:
    """How a measurand's numbers in a unit scale to its base unit.

    A unit that is missing, unknown or of another quantity is taken for the measurand's base unit.
    """
    if measurand == TEMPERATURE and unit:
        return _temperature(unit.lower())
    family = _family_of(measurand)
    return Scale(family.base or unit or "", family.factors.get((unit or "").lower(), 1.0))


def _temperature(unit: str) -> Scale:
    match unit:
        case "k" | "kelvin":
            return Scale("°C", shift=-273.15)
        case "fahrenheit" | "f" | "°f":
            return Scale("°C", factor=1 / 1.8, shift=-32)
        case _:
            return Scale("°C")


_CONTEXT_RANK = {"Transaction.End": 4, "Sample.Periodic": 3, "Trigger": 3, "Sample.Clock": 2}
_IGNORED_CONTEXTS = frozenset({"Transaction.Begin", "Interruption.Begin"})
UPSTREAM = "Upstream"
"""Where a 2.1 charger passes on another meter's readings, nearer to the grid: not of what flows through it."""
_LOCATION_RANK = {None: 2, "Outlet": 2, "Cable": 2, "EV": 1, "Inlet": 0, "Body": 0}
_LINES = ("L1", "L2", "L3")
_PHASE_TO_LINE = {"L1": "L1", "L2": "L2", "L3": "L3", "L1-N": "L1", "L2-N": "L2", "L3-N": "L3"}
_BETWEEN_LINES = {"L1-L2": "L1", "L2-L3": "L2", "L3-L1": "L3"}

Picked = dict[str, dict[str | None, float]]
"""Per measurand its value by phase; None is the total."""


def pick(readings: Iterable[Reading]) -> Picked:
    """Of several readings of one thing, the one that tells best what flows now.

    Readings from the beginning of a transaction are passed over: they come again in every message of some
    chargers, older than the rest. So is what is read upstream of the charger: it is the house's.
    """
    picked: Picked = {}
    ranks: dict[tuple[str, str | None], tuple[int, int]] = {}
    for reading in readings:
        if reading.context in _IGNORED_CONTEXTS or reading.location == UPSTREAM:
            continue
        key = (reading.measurand, reading.phase)
        rank = (_CONTEXT_RANK.get(reading.context, 1), _LOCATION_RANK.get(reading.location, 1))
        if rank >= ranks.get(key, rank):
            ranks[key] = rank
            picked.setdefault(reading.measurand, {})[reading.phase] = reading.value
    return picked


def of_line(reading: Reading) -> bool:
    """Whether a reading counts, and is of one line conductor."""
    passed_over = reading.context in _IGNORED_CONTEXTS or reading.location == UPSTREAM
    return reading.phase in _PHASE_TO_LINE and not passed_over


def by_line(phases: Mapping[str | None, float], between: float = 1.0) -> dict[str, float]:
    """Values per line conductor; a reading between two lines counts for the first, divided by `between`."""
    lines = {_PHASE_TO_LINE[p]: v for p, v in phases.items() if p in _PHASE_TO_LINE}
    if not lines and between != 1.0:
        lines = {_BETWEEN_LINES[p]: v / between for p, v in phases.items() if p in _BETWEEN_LINES}
    return lines


def energy_of(readings: Iterable[Reading], contexts: frozenset[str] | None = None) -> WattHours | None:
    """The import register in Wh; None where there is none that can be. With `contexts`, of those alone."""
    registers = [reading for reading in readings if reading.measurand == ENERGY]
    if contexts is not None:
        registers = [r._replace(context="Trigger") for r in registers if r.context in contexts]
    phases = pick(registers).get(ENERGY)
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
