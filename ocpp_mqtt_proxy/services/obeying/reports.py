"""Reports of the device model, as one service sees it (B07, B08).

Of a 2.x charger it is the charger's own, of a 1.6 charger one that says the same in the standard's words. The answer
comes first, the report follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from ocpp_mqtt_proxy.core.commands import GetInventory, GetReport, Outcome, done
from ocpp_mqtt_proxy.core.limits.rules import MAX_PROFILES
from ocpp_mqtt_proxy.core.model import Variable
from ocpp_mqtt_proxy.core.reports import InventoryReported
from ocpp_mqtt_proxy.ocppj.fields import Object, child, text
from ocpp_mqtt_proxy.ocppj.v201 import variables
from ocpp_mqtt_proxy.ocppj.v201.words import place
from ocpp_mqtt_proxy.services.obeying import catalogue, reading, structure, table
from ocpp_mqtt_proxy.services.obeying.handling import Handlers
from ocpp_mqtt_proxy.services.outstation import Outstation

MOST_ITEMS, MOST_BYTES = 100, 24_000
"""Variables, and about how many bytes, of one part of a report."""

_BY_HEALTH = frozenset({"Active", "Problem", "Tripped", "Overload", "Fallback"})


async def base(out: Outstation, order: GetInventory) -> Outcome:
    """Everything, what can be set, or how the charger is (GetBaseReport)."""
    every = await _model(out)
    if order.summary:
        found = [one for one in every if _tells_health(one)]
    else:
        found = [one for one in every if order.full or not one.readonly]
    return _follow(out, order.request_id, found)


def _tells_health(variable: Variable) -> bool:
    """The states, and what is wrong (B07.FR.09)."""
    name = text(_of(variable, "variable"), "name")
    return name == structure.STATE or (name in _BY_HEALTH and (variable.value or "").lower() == "true")


async def some(out: Outstation, order: GetReport) -> Outcome:
    """Components or variables by name, those that meet a criterion, or both (GetReport)."""
    await reading.read(out, [reading.canonical(out, name) for name in order.names if _is_one(out, name)])
    found = await _model(out)
    if order.names:
        wanted = [variables.wanted(name) for name in order.names]
        found = [one for one in found if any(_matches(variables.addressed(one.name), each) for each in wanted)]
    if order.criteria:
        meeting = _meeting(found if not order.names else await _model(out), order.criteria)
        found = [one for one in found if _key(one) in meeting]
    return _follow(out, order.request_id, found)


def _is_one(out: Outstation, name: str) -> bool:
    """Whether a single variable is meant that only the charger could know."""
    own = reading.canonical(out, name)
    return "." in name and own.lower() not in table.OURS_IN_LOWER_CASE and not catalogue.hidden(own)


# The model


async def _model(out: Outstation) -> list[Variable]:
    """Every variable by the name that the service knows it by, those of a component together."""
    await reading.read(out)
    told = table.seen(out).values()
    return sorted((one._replace(name=table.spelled(out, one.name)) for one in told), key=lambda one: one.name)


def _of(variable: Variable, part: str) -> Object:
    return child(variables.addressed(variable.name), part)


def _key(variable: Variable) -> str:
    return str(_of(variable, "component"))


def _matches(item: Object, wanted: Object) -> bool:
    """Whether a variable is meant; what is left out is every one (B08.FR.20 to .25)."""
    component, asked = child(item, "component"), child(wanted, "component")
    spot, where = place(component), place(asked)
    if where is not None and (spot is None or spot.evse != where.evse or where.connector not in (None, spot.connector)):
        return False
    return _is_called(component, asked) and _is_called(child(item, "variable"), child(wanted, "variable"))


def _is_called(one: Object, wanted: Object) -> bool:
    return all(text(one, key).lower() == text(wanted, key).lower() for key in ("name", "instance") if key in wanted)


def _meeting(every: Iterable[Variable], criteria: Sequence[str]) -> set[str]:
    """The components that meet one of the criteria (B08.FR.07 to .10, .13)."""
    components: dict[str, dict[str, str]] = {}
    for one in every:
        components.setdefault(_key(one), {})[text(_of(one, "variable"), "name")] = (one.value or "").lower()
    return {key for key, told in components.items() if any(_meets(told, criterion) for criterion in criteria)}


def _meets(told: dict[str, str], criterion: str) -> bool:
    """Without a word about it a component is active, available and enabled, and has no problem."""
    return told.get(criterion, "false" if criterion == "Problem" else "true") == "true"


# The parts


def _follow(out: Outstation, request_id: int, found: list[Variable]) -> Outcome:
    """Have the parts told after the answer: with the asker's number, from 0 on, the last one as such."""
    if not found:
        return done(charger_status="EmptyResultSet")
    parts, now, most = list(_parts(found)), out.hub.clock.now(), _most(out)
    for number, part in enumerate(parts):
        more = number < len(parts) - 1
        out.report(InventoryReported(request_id, number, more, part, now, most), asked=True)
    return done()


def _most(out: Outstation) -> dict[str, float]:
    return structure.most(out) | {
        "LocalAuthListCtrlr.Entries": float(catalogue.MOST_CARDS),
        "SmartChargingCtrlr.Entries(ChargingProfiles)": float(MAX_PROFILES),
    }


def _parts(found: list[Variable]) -> Iterator[tuple[Variable, ...]]:
    part: list[Variable] = []
    size = 0
    for one in found:
        more = len(orjson.dumps(variables.report(one)))
        if part and (len(part) >= MOST_ITEMS or size + more > MOST_BYTES):
            yield tuple(part)
            part, size = [], 0
        part.append(one)
        size += more
    yield tuple(part)


HANDLERS: Handlers = {GetInventory: base, GetReport: some}
