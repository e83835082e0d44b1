"""Device-model variables by one name: `Component(instance)@evse:connector.Variable(instance)`.

Instances and the place are left out where there are none: `OCPPCommCtrlr.HeartbeatInterval`,
`OCPPCommCtrlr.MessageAttempts(TransactionEvent)`, `Connector@1:1.Available`. An attribute other than the actual
value follows in brackets: `TxCtrlr.EVConnectionTimeOut[MaxSet]`.
"""

from __future__ import annotations

import re

from ocpp_mqtt_proxy.core.model import Variable
from ocpp_mqtt_proxy.ocppj.fields import Object, child, children, text, without_nothing
from ocpp_mqtt_proxy.ocppj.v201.characteristics import kind_of
from ocpp_mqtt_proxy.ocppj.v201.words import place

_NAME = re.compile(
    r"(?P<component>[^.@()]*)(?:\((?P<component_instance>[^)]*)\))?"
    r"(?:@(?P<evse>-?\d+)(?::(?P<connector>-?\d+))?)?"
    r"(?:\.(?P<variable>[^()]*)(?:\((?P<variable_instance>[^)]*)\))?)?"
)


def addressed(name: str) -> dict[str, object]:
    """The `component` and `variable` that a name stands for.

    A name without a component is taken for a variable of a component of that very name, so that a vendor's
    1.6 key can be tried as it is (semantics §10.8).
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return {"component": {"name": name[:50]}, "variable": {"name": name[:50]}}
    variable = match["component"] if match["variable"] is None else match["variable"]
    return {
        "component": _part(match["component"], match["component_instance"])
        | without_nothing(evse=_evse(match["evse"], match["connector"])),
        "variable": _part(variable, match["variable_instance"]),
    }


def _part(name: str, instance: str | None) -> dict[str, object]:
    return {"name": _plain(name)[:50]} | without_nothing(instance=_plain(instance or "")[:50])


def _evse(number: str | None, connector: str | None) -> dict[str, object] | None:
    if number is None:
        return None
    return {"id": int(number)} | without_nothing(connectorId=int(connector) if connector else None)


# Characters of names that are ours to part them by are written as `%28`.


def _marked(name: str, also: str = "") -> str:
    return "".join(f"%{ord(sign):02X}" if sign in "%()[]" + also else sign for sign in name)


def _plain(name: str) -> str:
    return _MARK.sub(lambda mark: chr(int(mark[1], 16)), name)


_MARK = re.compile("%([0-9A-F]{2})")


_ATTRIBUTE = re.compile(r"(?P<name>.*)\[(?P<attribute>Target|MinSet|MaxSet)\]", re.DOTALL)


def attribute_of(name: str) -> tuple[str, str]:
    """A variable's name, and which of its attributes is meant."""
    match = _ATTRIBUTE.fullmatch(name)
    return (match["name"], match["attribute"]) if match else (name, "Actual")


def asked(name: str) -> dict[str, object]:
    """The `component`, `variable` and `attributeType` that a name stands for; Actual goes without saying."""
    bare, attribute = attribute_of(name)
    return addressed(bare) | without_nothing(attributeType=None if attribute == "Actual" else attribute)


def told(name: str) -> dict[str, object]:
    """The same in a result, where it says which attribute it is about even if that is Actual (B05.FR.12, B06.FR.11)."""
    bare, attribute = attribute_of(name)
    return addressed(bare) | {"attributeType": attribute}


def asked_name(item: Object) -> str:
    """The name of a `component`, `variable` and `attributeType`."""
    attribute = text(item, "attributeType")
    return name_of(item) + (f"[{attribute}]" if attribute not in ("", "Actual") else "")


def wanted(name: str) -> dict[str, object]:
    """A ComponentVariableType: a name without a variable is the whole component (B08)."""
    match = _NAME.fullmatch(name)
    both = addressed(name)
    return both if match is None or match["variable"] else {"component": both["component"]}


def wanted_name(item: Object) -> str:
    """The name of a ComponentVariableType."""
    return name_of(item) if "variable" in item else name_of(item).removesuffix(".")


def name_of(item: Object) -> str:
    """The name of a `component` and `variable`."""
    component, variable = child(item, "component"), child(item, "variable")
    return f"{_with_instance(component, '.@')}{_at(component)}.{_with_instance(variable)}"


def _with_instance(item: Object, also: str = "") -> str:
    instance = text(item, "instance")
    return _marked(text(item, "name"), also) + (f"({_marked(instance)})" if instance else "")


def _at(component: Object) -> str:
    spot = place(component)
    if spot is None:
        return ""
    return f"@{spot.evse}:{spot.connector}" if spot.connector else f"@{spot.evse}"


def reported(item: Object) -> Variable:
    """A ReportDataType as a variable, with its Actual attribute."""
    attributes = list(children(item, "variableAttribute"))
    actual = next((a for a in attributes if text(a, "type") in ("", "Actual")), attributes[0] if attributes else {})
    component = child(item, "component")
    value = actual.get("value")
    return Variable(
        name=name_of(item),
        value=None if value is None else text(actual, "value"),
        readonly=text(actual, "mutability") == "ReadOnly",
        unit=text(child(item, "variableCharacteristics"), "unit") or None,
        component=text(component, "name"),
        place=place(component),
    )


def report(variable: Variable, most: float | None = None) -> dict[str, object]:
    """A variable as ReportDataType; `most` is the highest value it can have."""
    attribute = without_nothing(value=variable.value, mutability="ReadOnly" if variable.readonly else "ReadWrite")
    address = addressed(variable.name)
    characteristics = without_nothing(
        dataType=kind_of(text(child(address, "variable"), "name")),
        unit=variable.unit,
        maxLimit=most,
        supportsMonitoring=False,
    )
    return address | {
        "variableAttribute": [attribute],
        "variableCharacteristics": characteristics,
    }
