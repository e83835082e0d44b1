"""The override and an input_boolean of Home Assistant, which follow each other without a loop.

The boolean is on while every charger is the owner's. Two sides that were alike and are not any more: the one that
changed is the news. Told so, neither an echo nor a late one is taken for an order. Where that cannot be known,
because Home Assistant or the boolean was away, an override is never lifted: it is what we have on disk that counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from ocpp_mqtt_proxy.adapters.home_assistant.api import Connection, Denied
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_mode
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.events import ChargerConnected, ChargerForgotten, ModeChanged
from ocpp_mqtt_proxy.core.model import OWNER

log = logging.getLogger(__name__)

BY = "home_assistant"
CONCERNS = (ModeChanged, ChargerConnected, ChargerForgotten)
"""Facts after which the two may differ."""

RETRY_SECONDS = 30.0
_SAID = {"on": True, "off": False}


@dataclass
class Mirror:
    """Keeps both alike. `theirs` is the boolean, None while it is not there; `agreed` what both last were."""

    arbitration: Arbitration
    entity: str
    theirs: bool | None = None
    agreed: bool | None = None
    _telling: bool | None = None
    _known: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._known = set(self.arbitration.hub.stations)

    @property
    def ours(self) -> bool | None:
        """Whether every charger is the owner's, those not welcomed yet aside; None while there is none."""
        modes = [one.control.mode for one in self.arbitration.hub.stations.values() if one.id in self._known]
        return all(mode == OWNER for mode in modes) if modes else None

    def hear(self, state: str | None) -> None:
        """The boolean is in a state, or (None) not there."""
        told = _SAID.get(state or "")
        if state is None:
            log.warning("Home Assistant has no %s (override_input_boolean)", self.entity)
        if told is None:
            self.theirs = None
            return
        if self.theirs is None:
            self._came_back(on=told)
        elif told in (self._telling, self.ours):
            self.agreed = told
        self.theirs = told
        self._wake.set()

    def _came_back(self, *, on: bool) -> None:
        """That it is off now is nobody's order. That it is on may be, while we knew it off."""
        if self.agreed is None or not on:
            self.agreed = on

    def lost(self) -> None:
        """Home Assistant is lost; who controls stays as it is."""
        self.theirs = self._telling = None

    async def mind(self) -> None:
        """Something changed. A new charger in a house whose override is on is the owner's too, whoever is away."""
        there = set(self.arbitration.hub.stations)
        new = there - self._known
        on = self.agreed if self.ours is None else self.ours
        if on:
            await self._put(new, OWNER)
        self._known = there
        self._wake.set()

    async def follow(self, connection: Connection) -> None:
        """Keep both alike, for ever. Raises TimeoutError."""
        while True:
            await self._settle(connection)
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def _settle(self, connection: Connection) -> None:
        ours, theirs = self.ours, self.theirs
        if theirs is None or ours is None or ours == theirs:
            return
        if theirs != self.agreed:
            await self._obey(on=theirs)
        else:
            await self._tell(connection, on=ours)

    async def _obey(self, *, on: bool) -> None:
        """The boolean was switched."""
        self.agreed = on
        stations = self.arbitration.hub.stations.values()
        concerned = [one.id for one in stations if (one.control.mode == OWNER) != on]
        await self._put(concerned, OWNER if on else AUTO)

    async def _put(self, chargers: Iterable[str], mode: str) -> None:
        """Set the mode of chargers at once. It holds though it cannot be written down."""
        orders = [partial(set_mode, self.arbitration, charger, mode, BY) for charger in chargers]
        outcomes = await asyncio.gather(*map(self.arbitration.dispatcher.carry_out, orders))
        for failed in (outcome for outcome in outcomes if not outcome.ok):
            log.warning("%s: a charger put to %s: %s", self.entity, mode, failed.message)

    async def _tell(self, connection: Connection, *, on: bool) -> None:
        """Switch the boolean. What it becomes comes back to us before the answer does."""
        self._telling = on
        try:
            await connection.call(f"input_boolean.turn_{'on' if on else 'off'}", entity_id=self.entity)
        except Denied as error:
            log.warning("Home Assistant does not switch %s: %s", self.entity, error)
        finally:
            self._telling = None
