"""A conversation with a service in memory: what it sleeps over is counted, and wakes when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.reports import Answer, Report, StatusReported
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Delayed
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.ports import Mirror
from ocpp_mqtt_proxy.services import living
from ocpp_mqtt_proxy.services.conversation import Conversation, Delivery, Ways
from ocpp_mqtt_proxy.services.outstation import Outstation
from tests.services.fakes import FakeDial, FakeServiceLink, an_outstation

TURNS = 100
"""Turns of the loop in which everything in memory has come to rest."""


async def rest() -> None:
    """Let everything that can go on go on."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@dataclass
class Sleep:
    """Sleepers, by the seconds that they asked for."""

    asked: list[float] = field(default_factory=list)
    sleepers: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        sleeper = (seconds, asyncio.Event())
        self.sleepers.append(sleeper)
        try:
            await sleeper[1].wait()
        finally:
            self.sleepers.remove(sleeper)

    async def over(self, seconds: float) -> None:
        """The time is over for those that sleep so long, and for what follows."""
        await rest()
        found = [event for asked, event in self.sleepers if asked == seconds]
        assert found, f"nobody sleeps {seconds} s, but {[asked for asked, _ in self.sleepers]}"
        for event in found:
            event.set()
        await rest()


@dataclass
class Talk:
    """A conversation as it goes on. `obeyed` are the calls of the service that were let through."""

    out: Outstation
    dial: FakeDial
    sleep: Sleep
    conversation: Conversation
    obeyed: list[str]

    @property
    def link(self) -> FakeServiceLink:
        """The last link."""
        link = self.dial.links[min(len(self.dial.dialled), len(self.dial.links)) - 1]
        assert isinstance(link, FakeServiceLink)
        return link

    @property
    def said(self) -> list[str]:
        """The actions that the service heard on the last link."""
        return self.link.actions()

    async def ask(self, action: str, payload: Payload | None = None) -> Payload:
        """The service calls."""
        assert self.dial.ask is not None
        return await self.dial.ask(action, payload or {})

    async def hear(self, report: Report) -> None:
        """The charger sends something, and all that follows from it is done."""
        answer = self.out.hub.hear(self.out.charger_id, report)
        if isinstance(answer, Delayed):
            await answer.answer
        await rest()


@dataclass
class Replay(Delivery):
    """A delivery that sends a mark for all that waits, once it is let to."""

    out: Outstation
    open: asyncio.Event

    async def drain(self) -> None:
        await self.open.wait()
        await self.out.call("DataTransfer", {"vendorId": "replay"})

    async def run(self) -> None:
        await asyncio.Event().wait()


class _Following(Mirror):
    """A hub's mirror of one outstation, for what is told now or never."""

    def __init__(self, out: Outstation) -> None:
        self.out = out

    def follow(self, station: Station, report: Report | None, facts: Sequence[Fact]) -> list[Change]:
        living.follow(self.out, report, facts)
        return []

    def ask(self, station: Station, report: Report, ours: Answer) -> None:
        return None

    def everything(self) -> list[Change]:
        return []


@asynccontextmanager
async def talking(
    *links: FakeServiceLink | Exception,
    service: Version = Version.V16,
    charger: Version = Version.V16,
    caught_up: bool = True,
    **plan: Any,
) -> AsyncIterator[Talk]:
    """A conversation about a charger that has told that it is available. `plan` as for `an_outstation`."""
    out = an_outstation(service, charger, accepted=False, **plan)
    out.link = None
    out.hub.mirror = _Following(out)
    connector = out.station.sole()
    assert connector is not None
    out.hub.hear("CP1", StatusReported(connector.place, "available"))
    out.wanted = ""
    dial, sleep, obeyed, replay = FakeDial(list(links) or [FakeServiceLink(service)]), Sleep(), [], asyncio.Event()
    if caught_up:
        replay.set()

    async def obey(_: Outstation, action: str, __: Object) -> Payload:
        obeyed.append(action)
        return {}

    ways = Ways(dial, obey, lambda about: Replay(about, replay), sleep, lambda: 0.0)
    conversation = Conversation(out, ways)
    task = asyncio.create_task(conversation.run())
    await rest()
    try:
        yield Talk(out, dial, sleep, conversation, obeyed)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
