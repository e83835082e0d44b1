"""All settings as one service sees them: the charger's, over them what is ours, over all what the service set.

By canonical name in lower case (see `reading`). A 1.6 service sees keys, a 2.x one a device model (§7, §10.8).
"""

from __future__ import annotations

from collections.abc import Mapping

from ocpp_mqtt_proxy.core.model import Variable, Version
from ocpp_mqtt_proxy.ocppj import settings
from ocpp_mqtt_proxy.ocppj.v201.variables import attribute_of
from ocpp_mqtt_proxy.services.obeying import catalogue, reading, structure
from ocpp_mqtt_proxy.services.obeying.catalogue import ALONE_IN_16, OURS
from ocpp_mqtt_proxy.services.outstation import Outstation

OURS_IN_LOWER_CASE = {name.lower(): name for name in OURS}


def seen(out: Outstation) -> dict[str, Variable]:
    """Every setting that a service may see, with its value."""
    found = {
        key: variable._replace(name=reading.canonical(out, variable.name))
        for key, variable in reading.told(out).items()
        if not catalogue.hidden(key) and key not in OURS_IN_LOWER_CASE
    }
    found |= {name.lower(): told for name in OURS if (told := _ours(out, name)) is not None}
    return found | _structure(out, found)


def _structure(out: Outstation, known: Mapping[str, Variable]) -> dict[str, Variable]:
    """The charger's parts: of a 2.x charger only their state is ours to tell, where it told of them."""
    parts = {part.name.lower(): part for part in structure.parts(out)}
    if out.station.version is Version.V16 or not out.station.memory.inventory:
        return parts
    states = {name: part for name, part in parts.items() if name.endswith(f".{structure.STATE}".lower())}
    return {name: part for name, part in parts.items() if name not in known} | states


def _ours(out: Outstation, name: str) -> Variable | None:
    ours = OURS[name]
    value = out.virtual.settings.get(name, ours.value(out)) if ours.takes is not None else ours.value(out)
    if value is None or (name in ALONE_IN_16 and out.version is not Version.V16):
        return None
    return Variable(name, value, readonly=ours.takes is None, unit=ours.unit)


def is_key(out: Outstation, variable: Variable) -> bool:
    """Whether a 1.6 service may know a setting as a key of its own."""
    own = out.station.version is Version.V16 and variable.name.lower() in out.station.settings.known
    return own or "." not in variable.name


def spelled(out: Outstation, name: str) -> str:
    """A setting as a service's version calls it."""
    if out.version is Version.V16:
        return name
    standard = settings.variable(name)
    return standard if "." in standard else f"{reading.VENDOR}.{name}"


def component_of(name: str) -> str:
    """What comes before the variable in a variable's name."""
    return attribute_of(name)[0].partition(".")[0].lower()


def has_component(out: Outstation, found: Mapping[str, Variable], name: str) -> bool:
    """Whether a 2.x service sees anything of the component that a name has."""
    wanted = component_of(name)
    return any(component_of(spelled(out, variable.name)) == wanted for variable in found.values())
