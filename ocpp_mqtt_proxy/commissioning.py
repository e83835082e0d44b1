"""Making a charger ready once it has booted: what is read, and what is set where it must be.

Quiet by design: one question for all settings, and a write only where a reading would be missing without it.
Other systems fight over a charger's settings; we do not (peers §0.6).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.core.binding import learns_levels
from ocpp_mqtt_proxy.core.commands import (
    GetConfiguration,
    GetInventory,
    Message,
    Outcome,
    Reason,
    SetConfiguration,
    Trigger,
    done,
)
from ocpp_mqtt_proxy.core.limit_orders import ClearLimit
from ocpp_mqtt_proxy.core.model import CURRENT, ENERGY, POWER, VOLTAGE, Status, Target, Version
from ocpp_mqtt_proxy.core.settings import (
    MEASURANDS,
    METER_INTERVAL,
    MOST_PERIODS,
    PING_INTERVAL,
    RATE_UNIT,
    STACK_LEVEL,
)
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ports import ChargerLink
from ocpp_mqtt_proxy.steering import Steering

log = logging.getLogger(__name__)

WANTED = (ENERGY, POWER, CURRENT, VOLTAGE)
"""What people look at, the most needed first."""

NEEDED = (METER_INTERVAL, MEASURANDS, PING_INTERVAL, RATE_UNIT, STACK_LEVEL, MOST_PERIODS)
"""The settings that are read."""

MOST_STACK_LEVEL = 100
"""A higher maximum is a charger's fantasy (peers §5: 999)."""

_INVENTORY_REQUEST = 1


@dataclass
class Commissioning:
    """Reads and sets what we need of a charger."""

    hub: Hub
    steering: Steering = field(init=False)

    def __post_init__(self) -> None:
        self.steering = Steering(self.hub)

    async def prepare(self, station: Station, link: ChargerLink, *, booted: bool) -> None:
        """After a boot, or after a reconnect without one (`booted` False)."""
        outcome = await self._read(link)
        settings = _writable(outcome)
        self._note(station, _values(outcome))
        await self._meter(station, link, settings)
        await self._ping(station, link, settings)
        await self._inventory(station, link)
        await self.steering.restate(station, booted=booted)
        await self._raise(station, link)
        await self._ask_what_is_unknown(station, link, _values(outcome))

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
        """What we need to know of its settings. What it leaves out it is asked again, while that brings some of it."""
        outcome = await link.send(GetConfiguration(NEEDED))
        values, readonly, left_out = _told(outcome)
        while values and left_out:
            asked = left_out
            more, fixed, left_out = _told(await link.send(GetConfiguration(tuple(asked))))
            values, readonly = values | more, readonly + fixed
            if not more or len(left_out) >= len(asked):
                break
        return done(values=values, readonly=readonly) if outcome.ok else outcome

    def _note(self, station: Station, settings: dict[str, str]) -> None:
        """How the charger takes profiles. Values as either version writes them: `Current,Power`, `A,W`."""
        units = {unit.strip().lower() for unit in settings.get(RATE_UNIT, "").split(",")} - {""}
        station.takes_amps = not units or bool(units & {"current", "a"})
        station.takes_watts = not units or bool(units & {"power", "w"})
        station.max_periods = _number(settings.get(MOST_PERIODS))
        level = _number(settings.get(STACK_LEVEL))
        station.max_stack_level = level if level is not None and level <= MOST_STACK_LEVEL else None
        self.hub.apply(station, learns_levels)

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
        """Some bear certain measurands only, whoever asked for the others."""
        traits = station.traits
        had = [name.strip() for name in current.split(",") if name.strip()]
        have = [name for name in had if name not in traits.never_read]
        if traits.measurands:
            have = [name for name in have if name in traits.measurands]
        asked_for = station.plan.measurands or traits.measurands or WANTED
        wanted = [name for name in asked_for if name not in traits.never_read]
        if set(wanted) <= set(have) and have == had:
            return
        for names in _ever_fewer(have, wanted):
            outcome = await self._set(station, link, MEASURANDS, ",".join(names))
            if outcome.reason is not Reason.CHARGER_REJECTED:
                return

    async def _ping(self, station: Station, link: ChargerLink, settings: dict[str, str]) -> None:
        """A charger that never pings does not notice that we are gone."""
        wanted = station.plan.ping_interval
        interval = _number(settings.get(PING_INTERVAL, "0" if station.traits.pings_unasked else None))
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

    async def _raise(self, station: Station, link: ChargerLink) -> None:
        """Take away what outlasted its transaction while nobody could say so."""
        paused = {session.connector for session in station.sessions()}
        for number in sorted(station.memory.lowered - paused):
            connector = station.connector(number)
            order = ClearLimit(Target(connector.number, connector.place))
            if (await link.send(order)).ok:
                self.hub.confirm(station, order)

    async def _ask_what_is_unknown(self, station: Station, link: ChargerLink, settings: dict[str, str]) -> None:
        """States and registers that the charger has not told by itself. It has one connector at least."""
        if not station.connectors:
            await link.send(Trigger(Message.STATUS))
            station.sole()
        for connector in station.ordered():
            at = Target(connector.number, connector.place)
            if connector.status is Status.UNKNOWN and await self._will_not(link, Trigger(Message.STATUS, at)):
                self.hub.infer(station, connector)
        for connector in station.ordered():
            at = Target(connector.number, connector.place)
            if connector.meter is None and await self._will_not(link, Trigger(Message.METER, at)):
                await self._read_by_itself(station, link, settings)
                return

    async def _will_not(self, link: ChargerLink, order: Trigger) -> bool:
        return (await link.send(order)).reason in (Reason.CHARGER_REJECTED, Reason.NOT_SUPPORTED)

    async def _read_by_itself(self, station: Station, link: ChargerLink, settings: dict[str, str]) -> None:
        """A charger that sends no readings when asked has to send them by itself, whether or not it shows how often."""
        if station.plan.measurands is not None and METER_INTERVAL not in settings:
            await self._set(station, link, METER_INTERVAL, str(station.plan.meter_interval))


def _values(outcome: Outcome) -> dict[str, str]:
    """The settings that were read."""
    values = outcome.result.get("values")
    return values if isinstance(values, dict) else {}


def _told(outcome: Outcome) -> tuple[dict[str, str], list[str], list[str]]:
    """What an answer tells of settings: values, which of them are fixed, and what it says nothing of."""
    fixed, left_out = outcome.result.get("readonly"), outcome.result.get("left_out")
    return (
        _values(outcome),
        fixed if isinstance(fixed, list) else [],
        left_out if isinstance(left_out, list) else [],
    )


def _writable(outcome: Outcome) -> dict[str, str]:
    """Those of them that the charger lets us set, as far as it says."""
    fixed = outcome.result.get("readonly")
    readonly = fixed if isinstance(fixed, list) else []
    return {name: value for name, value in _values(outcome).items() if name not in readonly}


def _number(text: str | None) -> int | None:
    try:
        return int(float(text)) if text else None
    except (ValueError, OverflowError):  # no number, or one without end
        return None


def _ever_fewer(have: list[str], wanted: list[str]) -> Iterable[list[str]]:
    """What to try: all that is there and wanted, then the wanted alone, ever fewer, while that brings something."""
    everything = list(dict.fromkeys([*have, *wanted]))
    yield everything
    for count in range(len(wanted), 0, -1):
        names = wanted[:count]
        if names != everything and not set(names) <= set(have):
            yield names
