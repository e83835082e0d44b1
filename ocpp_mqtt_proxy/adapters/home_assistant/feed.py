"""The conversation with Home Assistant, kept up: begun again with a back-off, and closed to all while it is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import WebSocketException

from ocpp_mqtt_proxy.adapters.home_assistant import notices, override
from ocpp_mqtt_proxy.adapters.home_assistant.api import Connection, Denied, Endpoint, Lost, NotLetIn, Pace, connected
from ocpp_mqtt_proxy.adapters.home_assistant.entities import Entities
from ocpp_mqtt_proxy.adapters.home_assistant.notices import Notices
from ocpp_mqtt_proxy.adapters.home_assistant.override import Mirror
from ocpp_mqtt_proxy.adapters.home_assistant.presence import PresenceSensor
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import PresenceChanged

log = logging.getLogger(__name__)

CONCERNS = (PresenceChanged, *override.CONCERNS, *notices.CONCERNS)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until the next try: from `first`, doubling to `most`; `refused` while the token is not taken."""

    first: float = 1.0
    most: float = 30.0
    refused: float = 300.0

    def after(self, waited: float) -> float:
        """How long to wait after a wait that was in vain."""
        return min(max(2 * waited, self.first), self.most)


@dataclass
class Feed:
    """Everything that goes to and fro. `sensor` and `mirror` are None where no entity is configured for them."""

    endpoint: Endpoint
    mailbox: Mailbox
    notices: Notices
    sensor: PresenceSensor | None = None
    mirror: Mirror | None = None
    pace: Pace = field(default_factory=Pace)
    patience: Patience = field(default_factory=Patience)
    _wait: float = 0.0
    _told: int = 0

    async def run(self) -> None:
        """Keep it up, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._mind_facts())
            tasks.create_task(self._stay_connected())

    async def _mind_facts(self) -> None:
        while True:
            for fact in await self.mailbox.take():
                self.notices.take(fact)
            if self.sensor is not None:
                self.sensor.mind()
            if self.mirror is not None:
                await self.mirror.mind()

    async def _stay_connected(self) -> None:
        while True:
            try:
                await self._converse()
            except* NotLetIn as errors:
                self._refused(errors)
            except* (Lost, OSError, TimeoutError, WebSocketException) as errors:
                self._failed(errors)
            finally:
                self._lost()
            await asyncio.sleep(self._wait * random.uniform(0.8, 1.0))  # noqa: S311 (not for secrets)

    async def _converse(self) -> None:
        async with connected(self.endpoint, self.pace) as connection, asyncio.TaskGroup() as tasks:
            entities = Entities(part.entity for part in self._parts)
            tasks.create_task(connection.read_events(lambda event: self._hear(entities, event)))
            tasks.create_task(connection.keep_alive())
            await self._subscribe(connection)
            log.info("Home Assistant at %s is connected", self.endpoint.place)
            self._wait, self._told = 0.0, 0
            tasks.create_task(self.notices.deliver(connection))
            if self.mirror is not None:
                tasks.create_task(self.mirror.follow(connection))

    @property
    def _parts(self) -> list[PresenceSensor | Mirror]:
        return [part for part in (self.sensor, self.mirror) if part is not None]

    async def _subscribe(self, connection: Connection) -> None:
        """Hear of our entities; with none to hear of, Home Assistant would tell of all. Raises NotLetIn."""
        if not (wanted := [part.entity for part in self._parts]):
            return
        try:
            await connection.ask("subscribe_entities", entity_ids=wanted)
        except Denied as error:
            raise NotLetIn(f"it does not tell of {', '.join(wanted)}: {error}") from error

    def _hear(self, entities: Entities, event: dict[str, Any]) -> None:
        states = entities.take(event)
        for part in self._parts:
            if part.entity in states:
                part.hear(states[part.entity])

    def _lost(self) -> None:
        for part in self._parts:
            part.lost()

    # What went wrong

    def _refused(self, errors: BaseExceptionGroup[NotLetIn]) -> None:
        self._wait = self.patience.refused
        self._say(
            logging.ERROR,
            f"Home Assistant at {self.endpoint.place} does not let us in: {_first(errors)}. Make a long-lived access "
            "token in your profile there and set it as home_assistant.token (an app needs `homeassistant_api`)",
        )

    def _failed(self, errors: BaseExceptionGroup[Exception]) -> None:
        self._wait = self.patience.after(self._wait)
        error = _first(errors)
        self._say(
            logging.WARNING,
            f"Home Assistant at {self.endpoint.place} is lost: {error or type(error).__name__}"
            + ("; whether somebody is at home is unknown until it is back" if self.sensor else ""),
        )

    def _say(self, level: int, message: str) -> None:
        """Loudly once until it works again; that it is still so is told to whoever looks closely."""
        log.log(logging.DEBUG if level == self._told else level, message)
        self._told = level


def _first(errors: BaseExceptionGroup[BaseException]) -> str:
    """What started it, in words."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
