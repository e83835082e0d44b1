"""A house with chargers and its feed, beside a pretended Home Assistant."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ocpp_mqtt_proxy.adapters.home_assistant.api import Endpoint, Pace
from ocpp_mqtt_proxy.adapters.home_assistant.feed import CONCERNS, Feed, Patience
from ocpp_mqtt_proxy.adapters.home_assistant.notices import Notices
from ocpp_mqtt_proxy.adapters.home_assistant.override import Mirror
from ocpp_mqtt_proxy.adapters.home_assistant.presence import PresenceSensor
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_mode, set_presence
from ocpp_mqtt_proxy.core.sharing import Presence, Rules
from tests.adapters.pretend_home_assistant import TOKEN, PretendHome, eventually
from tests.fakes import FakeLink, a_charger, a_hub, an_arbitration, providers

PERSON, BOOLEAN = "person.anna", "input_boolean.override"
QUICK = Pace(answer=0.3, ping=0.1)
SOON = Patience(first=0.01, most=0.02, refused=0.02)


@dataclass
class House:
    """A house with chargers, its arbiter, and the feed."""

    home: PretendHome
    arbitration: Arbitration
    feed: Feed

    @property
    def believed(self) -> Presence | None:
        return self.arbitration.house.presence

    @property
    def modes(self) -> list[str]:
        return [station.control.mode for station in self.arbitration.hub.stations.values()]

    @property
    def switched(self) -> list[str]:
        """What was asked of the boolean."""
        return [service.rpartition("_")[2] for service, _ in self.home.calls if service.startswith("input_boolean.")]

    async def put(self, mode: str, charger: str = "CP1") -> None:
        assert (await set_mode(self.arbitration, charger, mode, "mqtt")).ok

    async def lost(self) -> None:
        await eventually(lambda: self.home.followers == 0)


@contextlib.asynccontextmanager
async def a_house(
    home: PretendHome,
    *chargers: str,
    token: str = TOKEN,
    sensor: str = PERSON,
    boolean: str = BOOLEAN,
    pace: Pace = QUICK,
) -> AsyncIterator[House]:
    """The feed of a house, running."""
    hub = a_hub()
    for charger in chargers:
        a_charger(hub, FakeLink(), charger)
    arbitration = an_arbitration(hub, Rules(providers=providers("night")))
    set_presence(arbitration, Presence.UNKNOWN)
    feed = Feed(
        endpoint=Endpoint.of(home.url, token),
        mailbox=hub.bus.mailbox("home assistant", only=CONCERNS),
        notices=Notices(arbitration),
        sensor=PresenceSensor(arbitration, sensor) if sensor else None,
        mirror=Mirror(arbitration, boolean) if boolean else None,
        pace=pace,
        patience=SOON,
    )
    room = asyncio.create_task(feed.run())
    try:
        yield House(home, arbitration, feed)
        assert not room.done(), room.exception()
    finally:
        room.cancel()
        await asyncio.gather(room, return_exceptions=True)
