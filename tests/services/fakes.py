"""Fakes of what services need of the outside: links to them, a dial, an outbox; and an outstation that stands on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.model import Nameplate, Version
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer, Standing
from ocpp_mqtt_proxy.core.reports import BootReported
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.core.virtual import Virtual
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj import schema
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.services.outstation import Outstation
from ocpp_mqtt_proxy.services.plan import ServicePlan
from ocpp_mqtt_proxy.services.ports import (
    Answerer,
    Depth,
    Dial,
    LinkLost,
    NoAnswer,
    Outbox,
    Refused,
    Said,
    ServiceLink,
)
from tests.fakes import FakeLedger, FakeLink, a_hub, an_arbitration, providers

PLATE = Nameplate(vendor="Alfen", model="Eve Single", serial="ACE0001", firmware="6.5.0")
NOW = "2026-03-14T12:00:00Z"

Answers = Callable[[str, Object], Object]
"""What a service answers a call of ours: action and payload in; it may raise LinkLost, NoAnswer, Refused."""


def agreeable(version: Version, first: int = 700) -> Answers:
    """A service that says yes to everything; its transactions (1.6) are numbered from `first`."""
    numbers = iter(range(first, first + 1000))
    card = {"status": "Accepted"}
    answers: dict[str, Callable[[], Object]] = {
        "BootNotification": lambda: {"status": "Accepted", "currentTime": NOW, "interval": 300},
        "Heartbeat": lambda: {"currentTime": NOW},
        "Authorize": lambda: {"idTagInfo": card} if version is Version.V16 else {"idTokenInfo": card},
        "StartTransaction": lambda: {"transactionId": next(numbers), "idTagInfo": card},
        "DataTransfer": lambda: {"status": "Accepted"},
    }
    return lambda action, _: answers.get(action, dict)()


@dataclass
class FakeServiceLink(ServiceLink):
    """A link to a service that answers as `answers` says. What we send must fit the schema of the version spoken.

    `calls` are what it was sent; while it is not `open`, calls wait for their answers.
    """

    spoken: Version = Version.V16
    answers: Answers | None = None
    calls: list[tuple[str, Payload]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Future[str] | None = None
    _why: str = ""
    _asking: set[asyncio.Future[Object]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.answers = self.answers or agreeable(self.spoken)
        self.open.set()

    @property
    def version(self) -> Version:
        return self.spoken

    @property
    def ended(self) -> str:
        """How it came to its end; empty while it stands."""
        return self._why

    async def call(self, action: str, payload: Payload, seconds: float | None = None) -> Object:
        if self._why:
            raise LinkLost(self._why)
        fault = schema.check(self.spoken, action, payload)
        assert fault is None, f"{action} {payload}: {fault}"
        self.calls.append((action, dict(payload)))
        await self.open.wait()
        if self._why:
            raise LinkLost(self._why)
        assert self.answers is not None
        return self.answers(action, payload)

    def ask(self, action: str, payload: Payload, hear: Callable[[Said], None]) -> None:
        asked = asyncio.ensure_future(self.call(action, payload))
        self._asking.add(asked)
        asked.add_done_callback(lambda _: hear(self._became(asked)))

    def _became(self, asked: asyncio.Future[Object]) -> Said:
        self._asking.discard(asked)
        try:
            return asked.result()
        except (LinkLost, NoAnswer, Refused) as error:
            return error
        except Exception as error:  # noqa: BLE001 (as the real one: whatever its fault)
            return NoAnswer(str(error))

    def part(self, reason: str) -> None:
        self.lose(reason)

    def lose(self, why: str = "gone") -> None:
        """The connection is gone."""
        self._why = self._why or why
        self.open.set()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(self._why)

    async def wait_closed(self) -> str:
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        if self._why:
            return self._why
        return await asyncio.shield(self._ended)

    def said(self, action: str) -> list[Payload]:
        """What it was sent of one action, in order."""
        return [payload for called, payload in self.calls if called == action]

    def actions(self) -> list[str]:
        """What it was sent, in order."""
        return [action for action, _ in self.calls]


@dataclass
class FakeDial(Dial):
    """Hands out links in order, the last one over and over; an error in their place is raised.

    `dialled` are the plans and chargers, `offered` the versions each time; `ask` is what answers the service's calls on
    the last link.
    """

    links: list[FakeServiceLink | Exception] = field(default_factory=list)
    dialled: list[tuple[ServicePlan, str]] = field(default_factory=list)
    offered: list[tuple[Version, ...]] = field(default_factory=list)
    ask: Answerer | None = None
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(
        self, plan: ServicePlan, charger_id: str, offered: tuple[Version, ...], answer: Answerer
    ) -> ServiceLink:
        self.dialled.append((plan, charger_id))
        self.offered.append(offered)
        link = self.links[min(len(self.dialled), len(self.links)) - 1] if self.links else FakeServiceLink(offered[0])
        async with self.news:
            self.news.notify_all()
        if isinstance(link, Exception):
            raise link
        self.ask = answer
        return link

    async def times(self, number: int) -> None:
        """Wait until it was dialled so many times."""
        async with self.news:
            await self.news.wait_for(lambda: len(self.dialled) >= number)


@dataclass
class FakeOutbox(Outbox):
    """An outbox in memory. What a `OutboxLedger` is given to write down arrives here."""

    waiting: list[Outgoing] = field(default_factory=list)
    given: list[Outgoing] = field(default_factory=list)
    _arrivals: dict[tuple[str, str], asyncio.Event] = field(default_factory=dict)
    _last: int = 0

    async def head(self, service: str, charger: str, most: int = 20) -> list[Outgoing]:
        return [one for one in self.waiting if (one.service, one.charger) == (service, charger)][:most]

    async def oldest(self, service: str, charger: str) -> datetime | None:
        return next((one.heard_at for one in await self.head(service, charger, 1)), None)

    async def holds(self, service: str, charger: str, session_id: str) -> bool:
        return any(one.session_id == session_id for one in await self.head(service, charger, len(self.waiting)))

    def depth(self, service: str, charger: str) -> Depth:
        return Depth(len([one for one in self.waiting if (one.service, one.charger) == (service, charger)]))

    def arrival(self, service: str, charger: str) -> asyncio.Event:
        return self._arrivals.setdefault((service, charger), asyncio.Event())

    def number(self) -> int:
        self._last += 1
        return self._last

    def take(self, changes: Iterable[Change]) -> None:
        """Changes were written down."""
        for change in changes:
            if isinstance(change, Outgoing):
                self.waiting.append(change)
                self.given.append(change)
                self.arrival(change.service, change.charger).set()
            elif isinstance(change, Delivered):
                self.waiting = [one for one in self.waiting if one.number != change.number]


@dataclass
class OutboxLedger(FakeLedger):
    """A ledger whose messages for services are in an outbox."""

    outbox: FakeOutbox = field(default_factory=FakeOutbox)

    async def record(self, changes: Sequence[Change]) -> None:
        await super().record(changes)
        self.outbox.take(changes)

    def note(self, changes: Iterable[Change]) -> None:
        every = list(changes)
        super().note(every)
        self.outbox.take(every)

    def keep(self, changes: Sequence[Change], then: Callable[[], None]) -> None:
        super().keep(changes, then)
        self.outbox.take(changes)


def a_plan(service: str = "billing", **given: Any) -> ServicePlan:
    """A service that is told of everything, unless otherwise said."""
    return ServicePlan(service, f"ws://127.0.0.1/{service}", **given)


def a_served_hub() -> Hub:
    """A hub on fakes whose ledger has an outbox."""
    hub = a_hub()
    hub.ledger = OutboxLedger()
    return hub


def outbox_of(hub: Hub) -> FakeOutbox:
    """The outbox behind a hub of `a_served_hub`."""
    assert isinstance(hub.ledger, OutboxLedger)
    return hub.ledger.outbox


def a_known_charger(hub: Hub, version: Version = Version.V16, charger_id: str = "CP1") -> Station:
    """A charger with one connector, connected by a `FakeLink` and booted."""
    hub.connect(charger_id, FakeLink(spoken=version), "127.0.0.1")
    hub.hear(charger_id, BootReported(PLATE, "power_up"))
    station = hub.station(charger_id)
    station.sole()
    return station


def an_outstation(
    service: Version = Version.V16,
    charger: Version = Version.V16,
    *,
    arbitration: Arbitration | None = None,
    link: FakeServiceLink | None = None,
    charger_id: str = "CP1",
    accepted: bool = True,
    **plan: Any,
) -> Outstation:
    """A service of a version, and a charger of another that is connected.

    The service has accepted us on `link`, unless `accepted` is false. `plan` are fields of `ServicePlan`. With the
    `arbitration` of another outstation, both are about the chargers there: a charger of `charger_id` is made only
    where there is none.
    """
    terms = plan.pop("id", "billing")
    if arbitration is None:
        arbitration = an_arbitration(a_served_hub(), Rules(providers=providers(terms)))
    hub = arbitration.hub
    if charger_id not in hub.stations:
        a_known_charger(hub, charger, charger_id)
    out = Outstation(
        plan=a_plan(terms, **plan),
        charger_id=charger_id,
        arbitration=arbitration,
        outbox=outbox_of(hub),
        peer=Peer(terms, charger_id),
        virtual=Virtual(terms, charger_id),
        link=link or FakeServiceLink(service),
    )
    if accepted:
        out.peer.standing = Standing.ACCEPTED
        out.peer.version = service
        out.accepted_at = hub.clock.now()
    return out


@dataclass
class FakeRoster:
    """Services with these outstations. Fulfils `views.Roster`."""

    outs: list[Outstation]
    plans: dict[str, ServicePlan] = field(init=False)

    def __post_init__(self) -> None:
        self.plans = {out.id: out.plan for out in self.outs}

    def of_service(self, service: str) -> list[Outstation]:
        return [out for out in self.outs if out.id == service]

    def all(self) -> list[Outstation]:
        return self.outs


def link_of(out: Outstation) -> FakeServiceLink:
    """The fake link of an outstation."""
    assert isinstance(out.link, FakeServiceLink)
    return out.link


def charger_of(out: Outstation) -> FakeLink:
    """The fake socket of an outstation's charger."""
    link = out.hub.links[out.charger_id]
    assert isinstance(link, FakeLink)
    return link
