"""What a charger is made of, as the standard's device model has it: its parts and their state (2.0.1 Part 2 §2).

A 2.x charger tells by itself, and is believed; but the state of what a service took out of service is what the service
is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.limits.profile import VOLTS
from ocpp_mqtt_proxy.core.model import Place, Status, Variable
from ocpp_mqtt_proxy.ocppj.v201.words import STATUS_WORD
from ocpp_mqtt_proxy.services import states
from ocpp_mqtt_proxy.services.outstation import Outstation

STATE, PROBLEM = "AvailabilityState", "Problem"


def word(status: Status) -> str:
    """A state in the words of the device model."""
    return STATUS_WORD.get(status, "Occupied")


def parts(out: Outstation) -> Iterator[Variable]:
    """The charging station, its EVSEs and connectors."""
    yield from _station(out)
    by_evse: dict[int, list[Connector]] = {}
    for connector in out.station.ordered():
        by_evse.setdefault(connector.place.evse, []).append(connector)
    for evse, connectors in sorted(by_evse.items()):
        yield from _evse(out, evse, connectors)


def most(out: Outstation) -> dict[str, float]:
    """The highest values that variables of these can have."""
    power = float(out.station.plan.max_current * VOLTS * out.station.plan.phases)
    return {f"EVSE@{connector.place.evse}.Power": power for connector in out.station.ordered()}


def _station(out: Outstation) -> Iterator[Variable]:
    plate, station = out.station.memory.nameplate, out.station
    shut = states.is_out_of_service(out)
    state = Status.UNAVAILABLE if shut and station.status is not Status.FAULTED else station.status
    yield from _state("ChargingStation", None, Status.AVAILABLE if state is Status.UNKNOWN else state)
    yield _fixed("ChargingStation", "SupplyPhases", str(station.plan.phases))
    for name, value in (("VendorName", plate.vendor), ("Model", plate.model), ("SerialNumber", plate.serial)):
        if shown := out.plan.nameplate.get(_IDENTITY[name], value):
            yield _fixed("ChargingStation", name, shown)


_IDENTITY = {"VendorName": "vendor", "Model": "model", "SerialNumber": "serial"}


_IDLE = frozenset({Status.AVAILABLE, Status.UNAVAILABLE, Status.UNKNOWN})


def _evse(out: Outstation, evse: int, connectors: list[Connector]) -> Iterator[Variable]:
    phases, place = str(out.station.plan.phases), Place(evse)
    each = [states.seen(out, connector) or Status.UNKNOWN for connector in connectors]
    busy = next((state for state in each if state not in _IDLE), each[0])
    yield from _state("EVSE", place, busy)
    yield _fixed("EVSE", "SupplyPhases", phases, place)
    yield Variable(f"EVSE@{evse}.Power", None, readonly=True, unit="W", component="EVSE", place=place)
    for connector, state in zip(connectors, each, strict=True):
        at = Place(evse, connector.place.connector or 1)
        yield from _state("Connector", at, state)
        yield _fixed("Connector", "ConnectorType", "Unknown", at)
        yield _fixed("Connector", "SupplyPhases", phases, at)


def _state(component: str, place: Place | None, status: Status) -> Iterator[Variable]:
    yield _fixed(component, "Available", "true", place)
    yield _fixed(component, STATE, word(status), place)
    yield _fixed(component, PROBLEM, str(status is Status.FAULTED).lower(), place)


def _fixed(component: str, variable: str, value: str, place: Place | None = None) -> Variable:
    return Variable(f"{component}{_at(place)}.{variable}", value, readonly=True, component=component, place=place)


def _at(place: Place | None) -> str:
    if place is None:
        return ""
    return f"@{place.evse}:{place.connector}" if place.connector else f"@{place.evse}"
