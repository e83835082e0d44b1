"""What the arbiter's rules look at, put together of a charger and the house."""

from __future__ import annotations

from datetime import datetime

from ocpp_mqtt_proxy.core.arbiter import World
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.model import OWNER, Status
from ocpp_mqtt_proxy.core.sharing import Circumstances
from ocpp_mqtt_proxy.core.station import Station


def world_of(station: Station, house: Circumstances, connector: Connector | None = None) -> World:
    """The world of a request for a connector; of one for the whole charger where that is None."""
    states = {station.status} | ({connector.status} if connector else _all_alike(station))
    return World(
        online=station.connected,
        faulted=Status.FAULTED in states,
        unavailable=Status.UNAVAILABLE in states or not station.memory.operative,
        presence=house.presence,
        disabled=frozenset(house.disabled),
        busy=busy(station),
    )


def _all_alike(station: Station) -> set[Status]:
    """A state that every connector has is the charger's."""
    states = {connector.status for connector in station.connectors.values()}
    return states if len(states) == 1 else set()


def world_of_holder(station: Station, house: Circumstances) -> World:
    """The world of whoever holds `transactions`: a fault where its session runs is its own."""
    world = world_of(station, house)
    holder = station.control.owner
    mine = [c for c in station.connectors.values() if c.session is not None and c.session.provider == holder]
    faulted = world.faulted or any(c.status is Status.FAULTED for c in mine)
    return World(world.online, faulted, world.unavailable, world.presence, world.disabled, world.busy)


def busy(station: Station) -> frozenset[str]:
    """Whose transactions run."""
    return frozenset(session.provider for session in station.sessions())


def engaged(station: Station, now: datetime) -> frozenset[str]:
    """Who has anything in force: a transaction, a limit, a profile, a reservation."""
    control = station.control
    reserving = {one.provider for one in control.reservations.values() if one.until > now}
    return (busy(station) | reserving | control.limiting) - {OWNER}
