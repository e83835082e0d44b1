"""Making a charger ready once it has booted: what is read, and what is set where it must be.

Quiet by design: one question for all settings, and a write only where a reading would be missing without it.
Other systems fight over a charger's settings; we do not (peers §0.6).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from ocpp_mqtt_proxy.core.binding import ceiling_order, session_order
from ocpp_mqtt_proxy.core.commands import (
    GetConfiguration,
    GetInventory,
    Message,
    Outcome,
    Reason,
    SetConfiguration,
    SetLimit,
    Target,
    Trigger,
    done,
)
from ocpp_mqtt_proxy.core.model import CURRENT, ENERGY, POWER, VOLTAGE, Status, Version
from ocpp_mqtt_proxy.core.settings import (
    MEASURANDS,
    METER_INTERVAL,
    PING_INTERVAL,
    RATE_UNIT,
    STACK_LEVEL,
)
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import ChargerLink

log = logging.getLogger(__name__)

WANTED = (ENERGY, POWER, CURRENT, VOLTAGE)
"""What people look at, the most needed first."""

MOST_STACK_LEVEL = 100
"""A higher maximum is a charger's fantasy (peers §5: 999)."""

_INVENTORY_REQUEST = 1


@dataclass
class Commissioning:
    """Reads and sets what we need of a charger."""

    hub: Hub

    async def prepare(self, station: Station, link: ChargerLink, *, booted: bool) -> None:
        """After a boot, or after a reconnect without one (`booted` False)."""
        outcome = await self._read(link)
        settings = _writable(outcome)
        self._note(station, _values(outcome))
        await self._meter(station, link, settings)
        await self._ping(station, link, settings)
        await self._inventory(station, link)
        if booted:
            await self._limit(station, link)
        await self._ask_what_is_unknown(station, link)

    async def refresh(self, station: Station, link: ChargerLink) -> Outcome:
        """Ask for everything again, known or not. The outcome tells of a charger that does not answer."""
        outcome = await self._read(link)
        if outcome.reason in (Reason.TIMEOUT, Reason.CHARGER_OFFLINE):
            return outcome
        self._note(station, _values(outcome))
        if station.version is not Version.V16:
            await link.send(GetInventory(_INVENTORY_REQUEST))
        for at in [Target(c.number, c.place) for c in station.ordered()] or [Target()]:
            await link.send(Trigger(Message.STATUS, at))
            await link.send(Trigger(Message.METER, at))
        return done()

    async def _read(self, link: ChargerLink) -> Outcome:
        return await link.send(GetConfiguration((METER_INTERVAL, MEASURANDS, PING_INTERVAL, RATE_UNIT, STACK_LEVEL)))

    def _note(self, station: Station, settings: dict[str, str]) -> None:
        """How the charger takes profiles. Values as either version writes them: `Current,Power`, `A,W`."""
        units = {unit.strip().lower() for unit in settings.get(RATE_UNIT, "").split(",")} - {""}
        station.takes_amps = not units or bool(units & {"current", "a"})
        level = _number(settings.get(STACK_LEVEL))
        station.max_stack_level = level if level is not None and level <= MOST_STACK_LEVEL else None

    async def _meter(self, station: Station, link: ChargerLink, settings: dict[str, str]) -> None:
        """Readings often enough, and of what people look at; more than that is not touched."""
        if station.plan.measurands is None:
            return
        interval = _number(settings.get(METER_INTERVAL))
        if interval is not None and not 0 < interval <= station.plan.meter_interval:
            await self._set(station, link, METER_INTERVAL, str(station.plan.meter_interval))
        if MEASURANDS in settings:
            await self._measurands(station, link, settings[MEASURANDS])

    async def _measurands(self, station: Station, link: ChargerLink, current: str) -> None:
        have = [name.strip() for name in current.split(",") if name.strip()]
        wanted = list(station.plan.measurands or WANTED)
        if set(wanted) <= set(have):
            return
        for names in _ever_fewer(have, wanted):
            outcome = await self._set(station, link, MEASURANDS, ",".join(names))
            if outcome.reason is not Reason.CHARGER_REJECTED:
                return

    async def _ping(self, station: Station, link: ChargerLink, settings: dict[str, str]) -> None:
        """A charger that never pings does not notice that we are gone."""
        wanted = station.plan.ping_interval
        interval = _number(settings.get(PING_INTERVAL))
        if wanted and interval is not None and not 0 < interval <= 4 * wanted:
            await self._set(station, link, PING_INTERVAL, str(wanted))

    async def _set(self, station: Station, link: ChargerLink, name: str, value: str) -> Outcome:
        outcome = await link.send(SetConfiguration(((name, value),)))
        log.info("%s: set %s to %s: %s %s", station.id, name, value, outcome.status, outcome.message)
        return outcome

    async def _inventory(self, station: Station, link: ChargerLink) -> None:
        """The device model, once per firmware: it can be thousands of variables."""
        memory = station.memory
        known = memory.inventory and memory.inventory_of == memory.nameplate.firmware
        if station.version is not Version.V16 and not known:
            await link.send(GetInventory(_INVENTORY_REQUEST))

    async def _limit(self, station: Station, link: ChargerLink) -> None:
        """The owner's ceiling and what sessions have of their own again: a charger that was reset has lost them."""
        limit, now = station.memory.limit, self.hub.clock.now()
        if limit is not None:
            await self._put(station, link, ceiling_order(station, limit, now))
        for session in list(station.sessions()):
            if session.paused or session.limit is not None:
                own = session_order(station, session, session.within(station.limit), now)
                await self._put(station, link, own)

    async def _put(self, station: Station, link: ChargerLink, order: SetLimit) -> None:
        if (await link.send(order)).ok:
            self.hub.confirm(station, order)

    async def _ask_what_is_unknown(self, station: Station, link: ChargerLink) -> None:
        """States and registers that the charger has not told by itself."""
        if not station.connectors:
            await link.send(Trigger(Message.STATUS))
        for connector in station.ordered():
            at = Target(connector.number, connector.place)
            if connector.status is Status.UNKNOWN:
                await link.send(Trigger(Message.STATUS, at))
            if connector.meter is None:
                await link.send(Trigger(Message.METER, at))


def _values(outcome: Outcome) -> dict[str, str]:
    """The settings that were read."""
    values = outcome.result.get("values")
    return values if isinstance(values, dict) else {}


def _writable(outcome: Outcome) -> dict[str, str]:
    """Those of them that the charger lets us set, as far as it says."""
    fixed = outcome.result.get("readonly")
    readonly = fixed if isinstance(fixed, list) else []
    return {name: value for name, value in _values(outcome).items() if name not in readonly}


def _number(text: str | None) -> int | None:
    try:
        return int(float(text)) if text else None
    except ValueError:
        return None


def _ever_fewer(have: list[str], wanted: list[str]) -> Iterable[list[str]]:
    """What to try: all that is there and wanted, then the wanted alone, ever fewer, while that brings something."""
    everything = list(dict.fromkeys([*have, *wanted]))
    yield everything
    for count in range(len(wanted), 0, -1):
        names = wanted[:count]
        if names != everything and not set(names) <= set(have):
            yield names
