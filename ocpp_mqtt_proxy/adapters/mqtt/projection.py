"""A charger's state as topics. Pure: a station in, topics and payloads out.

State topics are a function of the station and of nothing else, so they cannot show a wish (contract §5). An
unknown value is `None`, as Home Assistant takes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import Status
from ocpp_mqtt_proxy.core.station import REGISTER, Station
from ocpp_mqtt_proxy.topics import Topics

UNKNOWN = "None"

DIGITS = {"power": 1, "current": 2, "voltage": 1, "soc": 1, "temperature": 1, "frequency": 2}
"""Decimals worth showing, by the first part of a metric's name."""

Published = Iterator[tuple[str, str | bytes]]


def switch(on: bool) -> str:  # noqa: FBT001 (a value, not a flag)
    """ON or OFF."""
    return "ON" if on else "OFF"


def of_charger(station: Station, topics: Topics) -> Published:
    """What is retained of a charger as a whole."""
    at = topics.charger
    yield at(station.id, "info"), shapes.dump(shapes.nameplate(station))
    yield at(station.id, "current_limit"), shapes.number(station.limit, 1)
    yield at(station.id, "available"), switch(station.memory.operative)
    for name, value in _diagnostics(station):
        yield at(station.id, name), value
    yield at(station.id, "availability"), "online" if station.connected else "offline"


def _diagnostics(station: Station) -> Iterator[tuple[str, str]]:
    yield "firmware", station.memory.nameplate.firmware or UNKNOWN
    yield "firmware_status", station.firmware_status or UNKNOWN
    yield "last_heartbeat", shapes.time(station.last_heartbeat) or UNKNOWN
    yield "reconnects", str(max(0, station.connects - 1))
    yield "problem", switch(station.faulted)


def of_connector(station: Station, connector: Connector, topics: Topics, now: datetime, *, tags: bool) -> Published:
    """What is retained of a connector."""
    for name, value in _metrics(station, connector, now, tags=tags):
        yield topics.connector(station.id, connector.number, name), value
    if connector.meter is not None:
        yield topics.connector(station.id, connector.number, "meter"), shapes.dump(shapes.meter(connector.meter))
    if connector.shown_session is not None:
        document = shapes.session(connector.shown_session, now, show_tag=tags)
        yield topics.connector(station.id, connector.number, "session"), shapes.dump(document)


def _metrics(station: Station, connector: Connector, now: datetime, *, tags: bool) -> Iterator[tuple[str, str]]:
    yield "status", connector.status
    yield "error", connector.error_code
    yield "problem", switch(Status.FAULTED in (connector.status, station.status))
    if connector.plugged_in is not None:
        yield "plugged_in", switch(connector.plugged_in)
    yield "charging", switch(connector.charging)
    if connector.energy is not None:
        yield "energy", shapes.number(shapes.kwh(connector.energy))
    if connector.effective_limit is not None:
        yield "effective_limit", shapes.number(connector.effective_limit, 1)
        yield "limited_by", connector.limited_by or UNKNOWN
    yield from _readings(station, connector)
    yield from _session(connector, now, tags=tags)


def _readings(station: Station, connector: Connector) -> Iterator[tuple[str, str]]:
    for name in sorted(station.memory.measurands - {REGISTER}):
        value = connector.value(name)
        digits = DIGITS.get(name.partition("_")[0], 3)
        yield name, UNKNOWN if value is None else shapes.number(value, digits)


def _session(connector: Connector, now: datetime, *, tags: bool) -> Iterator[tuple[str, str]]:
    shown, running = connector.shown_session, connector.session
    if shown is None:
        return
    yield "session_energy", shapes.number(shapes.kwh(shown.energy))
    yield "session_time", str(round(shown.duration(now)))
    yield "session_cost", f"{shapes.money(shown.cost):.2f}"
    yield "session_provider", shown.provider
    yield "transaction_id", running.transaction_id if running else UNKNOWN
    tag = running.id_tag if running else None
    yield "id_tag", (tag if tags else shapes.masked(tag)) or UNKNOWN
    yield "stop_reason", shown.reason or UNKNOWN
