"""A charger's password that is changed from here (A01, 1.6 security whitepaper §A01).

It is written down before the charger has it: a charger that comes with a password that we never kept stays out.
Until it has come with it once, the one before counts too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ocpp_mqtt_proxy.core.commands import Order, Outcome, RawCall, Result, SetConfiguration, Still
from ocpp_mqtt_proxy.core.hearing import Hearing
from ocpp_mqtt_proxy.core.memory import Renewed
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.passwords import hash_password
from ocpp_mqtt_proxy.ports import ChargerLink

_NAMES = ("authorizationkey", "securityctrlr.basicauthpassword")
_TAKEN = (None, "Accepted", "RebootRequired")


def password_in(order: Order) -> str | None:
    """The password that an order gives the charger; None where it gives none."""
    if isinstance(order, SetConfiguration):
        settings = iter(order.values)
    elif isinstance(order, RawCall):
        settings = _written(order.payload)
    else:
        return None
    return next((value for name, value in settings if name.lower() in _NAMES), None)


def _written(payload: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What a ChangeConfiguration or a SetVariables writes."""
    if "key" in payload:
        yield str(payload["key"]), str(payload.get("value"))
    for item in _items(payload, "setVariableData"):
        yield f"{_name(item, 'component')}.{_name(item, 'variable')}", str(item.get("attributeValue"))


def _items(payload: Mapping[str, object], key: str) -> Iterator[Mapping[str, object]]:
    items = payload.get(key)
    yield from (item for item in (items if isinstance(items, list) else ()) if isinstance(item, dict))


def _name(item: Mapping[str, object], key: str) -> str:
    named = item.get(key)
    return str(named.get("name")) if isinstance(named, dict) else ""


async def send(hub: Hub, station: Station, link: ChargerLink, order: Order, still: Still | None = None) -> Outcome:
    """Put an order to a charger; a password that is in it counts beside the one before, until it comes with it.

    Where it refuses, nothing has changed; whether one took it that did not answer nobody knows. Raises LedgerFailed:
    then it was not asked.
    """
    password = password_in(order)
    if password is None:
        return await link.send(order, still)
    former = station.memory.renewed
    await keep(hub, station, await asyncio.to_thread(_next, former, station.plan.password, password))
    outcome = await link.send(order)
    if _declined(outcome):
        await keep(hub, station, former)
    return outcome


def _next(former: Renewed | None, configured: str, password: str) -> Renewed:
    """Of several that it has not come with, the last and the one it has come with count. Takes some 100 ms."""
    hashed = hash_password(password)
    if former is None:
        return Renewed(hashed, instead_of=hash_password(configured))
    return Renewed(hashed, former.instead_of, before=former.password if former.proven else former.before)


def _declined(outcome: Outcome) -> bool:
    """Whether the charger keeps the one it has. A call as it is brings the charger's own words."""
    if outcome.status is not Result.OK:
        return outcome.status is Result.REFUSED
    statuses = [item.get("attributeStatus") for item in _items(outcome.result, "setVariableResult")]
    return not all(status in _TAKEN for status in (outcome.result.get("status"), *statuses))


async def prove(hub: Hub, station: Station) -> None:
    """The charger has come with it: no other counts from now on. Raises LedgerFailed; it holds all the same."""
    if station.memory.renewed is not None:
        await keep(hub, station, replace(station.memory.renewed, before=None, proven=True))


async def keep(hub: Hub, station: Station, renewed: Renewed | None) -> None:
    """Write down what counts; None: what is configured. Raises LedgerFailed; it holds all the same."""

    def change(hearing: Hearing) -> None:
        station.memory.renewed = renewed
        hearing.keep(station.memory)

    await hub.settle(station, change)
