"""What a charger may hold of our profiles: what it never answered, and what a boot may have cost it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, combinations

from ocpp_mqtt_proxy.core.held import Held, Steps, alive, exceeds, for_good, layered, most, value
from ocpp_mqtt_proxy.core.limit_orders import Layer
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.station import Station

UNENDING = timedelta(minutes=30)
"""How far ahead it is looked at what has no end."""


def in_doubt(station: Station, key: str) -> bool:
    """Whether nobody knows if the charger has it."""
    return key in station.doubted or key in station.memory.asked


def passing(station: Station) -> dict[str, Held]:
    """What it confirmed for transactions that run, by its keys."""
    return {session.session_id: session.held for session in station.sessions() if session.held is not None}


def lasting(station: Station, now: datetime) -> dict[str, Held]:
    """What it confirmed for all transactions, by its keys: the upper first."""
    memory, found = station.memory, dict[str, Held]()
    if memory.installed is not None:
        found[Layer.DEFAULT] = memory.installed
    if memory.safe is not None:
        found[Layer.BASE] = for_good(memory.safe, now)
    return found


def may_have_lost(station: Station, keys: Iterable[str]) -> None:
    """Nobody knows whether it still has them."""
    station.lost |= set(keys)
    station.doubted |= station.lost


def may_apply(station: Station, session: Session | None, now: datetime, until: datetime) -> Steps:
    """The most that may apply from now on where a session runs, or one may begin.

    What a boot may have cost the charger may be there, or what lies below it counts.
    """
    if not station.lost:
        return station.applies(session, now, until)
    layers = {} if session is None or session.held is None else {session.session_id: session.held}
    layers |= lasting(station, now)
    lines = (
        layered((held for key, held in layers.items() if key not in gone), station.unlimited, now, until)
        for gone in _some(station.lost & layers.keys())
    )
    return most(lines, now)


def _some(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Each part of them, from none on."""
    every = list(keys)
    return chain.from_iterable(combinations(every, count) for count in range(len(every) + 1))


def asked_too_much(station: Station, key: str, wanted: Steps, now: datetime) -> bool:
    """Whether it may have taken more than is allowed, and has not said so."""
    asked = alive(station.memory.asked.get(key), now)
    return asked is not None and exceeds(asked.steps, wanted, now, asked.until or now + UNENDING)


def may_have(station: Station, session: Session | None, now: datetime) -> Iterator[Amps]:
    """What it was put and will not answer any more: it may have taken that."""
    own = alive(session.held, now) if session is not None else None
    keys = [session.session_id] if session is not None else []
    keys += [Layer.DEFAULT, Layer.BASE] if own is None else []
    for key in keys:
        asked = alive(station.memory.asked.get(key), now) if key in station.doubted else None
        if asked is not None:
            yield value(asked.steps, now)
