"""A charger's state as topics. Pure: a station in, topics and payloads out.

State topics are a function of the station and of nothing else, so they cannot show a wish (contract §5). A
value that is unknown, or no longer known, is `None`, as Home Assistant takes it; a time is not: there it is no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.control import Control
from ocpp_mqtt_proxy.core.model import OWNER, Status
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.core.station import REGISTER, Station
from ocpp_mqtt_proxy.topics import Topics

UNKNOWN = "None"

LONGEST = 255
"""Characters of a state that Home Assistant takes."""

DIGITS = {"power": 1, "current": 2, "voltage": 1, "soc": 1, "temperature": 1, "frequency": 2}
"""Decimals worth showing, by the first part of a metric's name."""

Published = Iterator[tuple[str, str | bytes]]


def switch(on: bool) -> str:  # noqa: FBT001 (a value, not a flag)
    """ON or OFF."""
    return "ON" if on else "OFF"


def text(value: str | None) -> str:
    """A text as a state."""
    return (value or UNKNOWN)[:LONGEST]


def of_charger(station: Station, topics: Topics, presence: Presence | None = None) -> Published:
    """What is retained of a charger as a whole; `presence` as the arbiter believes."""
    at = topics.charger
    yield at(station.id, "info"), shapes.dump(shapes.nameplate(station))
    yield at(station.id, "current_limit"), shapes.number(station.limit, 1)
    yield at(station.id, "available"), switch(station.memory.operative)
    yield at(station.id, "control"), shapes.dump(shapes.control(station.control, presence))
    for name, value in [*_control(station.control), *_diagnostics(station)]:
        yield at(station.id, name), value
    yield at(station.id, "availability"), "online" if station.connected else "offline"


def _control(control: Control) -> Iterator[tuple[str, str]]:
    yield "owner", control.owner or "none"
    yield "override", switch(control.mode == OWNER)
    yield "mode", control.mode
    yield "last_refusal", text(control.refusal.reason if control.refusal else None)


def _diagnostics(station: Station) -> Iterator[tuple[str, str]]:
    yield "firmware", text(station.memory.nameplate.firmware)
    yield "firmware_status", text(station.firmware_status)
    yield "diagnostics_status", text(station.diagnostics_status)
    if alive := shapes.time(station.last_heartbeat or station.memory.last_seen):
        yield "last_heartbeat", alive
    yield "reconnects", str(max(0, station.connects - 1))
    yield "problem", switch(station.faulted)
    yield "ignores_limits", switch(station.ignores is not None)


def of_connector(station: Station, connector: Connector, topics: Topics, now: datetime, *, tags: bool) -> Published:
    """What is retained of a connector."""
    root = topics.connector(station.id, connector.number, "")
    for name, value in _metrics(station, connector, now, tags=tags):
        yield root + name, value
    if connector.meter is not None:
        yield root + "meter", shapes.dump(shapes.meter(connector.meter))
    if connector.shown_session is not None:
        document = shapes.session(connector.shown_session, now, show_tag=tags)
        yield root + "session", shapes.dump(document)


def _metrics(station: Station, connector: Connector, now: datetime, *, tags: bool) -> Iterator[tuple[str, str]]:
    yield "status", connector.status
    yield "error", text(connector.error_code)
    yield "problem", switch(Status.FAULTED in (connector.status, station.status))
    yield "plugged_in", UNKNOWN if connector.plugged_in is None else switch(connector.plugged_in)
    yield "charging", switch(connector.charging)
    if connector.energy is not None:
        yield "energy", shapes.number(shapes.kwh(connector.energy))
    limit = connector.effective_limit
    yield "effective_limit", UNKNOWN if limit is None else shapes.number(limit, 1)
    yield "limited_by", text(connector.limited_by)
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
    yield "session_provider", text(shown.provider)
    yield "transaction_id", text(running.transaction_id if running else None)
    tag = running.id_tag if running else None
    yield "id_tag", text(tag if tags else shapes.masked(tag))
    yield "stop_reason", text(shown.reason)
