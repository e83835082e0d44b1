"""A house in which all is real but the sockets and the disk: a charger, bad services, and the program between them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ocpp_mqtt_proxy.adapters.chargers.link import Link as ChargerLink, Timing
from ocpp_mqtt_proxy.adapters.services.link import Link, Traffic
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch
from ocpp_mqtt_proxy.authority import Authority
from ocpp_mqtt_proxy.commissioning import Commissioning
from ocpp_mqtt_proxy.core.authorization import House
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.events import Fact, SessionEnded
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.services.conversation import Ways
from ocpp_mqtt_proxy.services.courier import Courier
from ocpp_mqtt_proxy.services.obeying import obey
from ocpp_mqtt_proxy.services.plan import Mirroring, ServicePlan
from ocpp_mqtt_proxy.services.ports import Answerer, Dial, DialFailed, ServiceLink, Step
from ocpp_mqtt_proxy.services.roster import Services
from tests.fakes import an_arbitration, providers
from tests.services.bad_company import FIRST_ID, FIRST_OF_OURS, SHARE, BadService
from tests.services.fakes import a_plan, a_served_hub, outbox_of
from tests.services.plain_charger import Charger
from tests.services.wires import Notary, Wire
from tests.virtual_time import LoopClock

SERVICE_SECONDS, CHARGER_SECONDS = 30.0, 60.0
"""How long a call of ours may be open."""


class Faults(logging.Handler):
    """What is logged as an error is a fault of ours."""

    def __init__(self, notary: Notary) -> None:
        super().__init__(logging.ERROR)
        self._notary = notary

    def emit(self, record: logging.LogRecord) -> None:
        self._notary.deny("a fault of ours", f"{record.getMessage()} {record.exc_info}")


@dataclass
class Doors(Dial):
    """The services' doors. A frame goes over a real link."""

    notary: Notary
    services: dict[str, BadService]
    wires: list[Wire] = field(default_factory=list)

    async def __call__(
        self, plan: ServicePlan, charger_id: str, offered: tuple[Version, ...], answer: Answerer
    ) -> ServiceLink:
        service = self.services[plan.id]
        if not service.up:
            raise DialFailed(Step.CONNECT, "nobody is there")
        assert service.version in offered
        wire = Wire(plan.id, service.version, SERVICE_SECONDS, self.notary)
        self.wires.append(wire)
        service.take(wire)
        return Link(plan.id, DIALECTS[service.version], wire, answer, Traffic(), SERVICE_SECONDS)


@dataclass
class Home:
    """All of it. `ended` are the sessions of the house that are over, as our books have them."""

    charger: Charger
    services: list[BadService]
    hub: Hub
    arbitration: Arbitration
    roster: Services
    doors: Doors
    notary: Notary
    sessions: dict[str, Session] = field(default_factory=dict)
    charger_wires: list[Wire] = field(default_factory=list)
    _link: asyncio.Task[None] | None = None

    def plug(self) -> None:
        """The charger connects, in the place of where it was before."""
        wire = Wire("the charger", self.charger.version, CHARGER_SECONDS, self.notary)
        link = ChargerLink(
            self.charger.id, DIALECTS[self.charger.version], wire, self.hub, Commissioning(self.hub), Timing()
        )
        self.charger_wires.append(wire)
        self.charger.plug(wire)
        self.hub.connect(self.charger.id, link, "127.0.0.1")
        self._link = asyncio.create_task(self._converse(link))

    async def _converse(self, link: ChargerLink) -> None:
        try:
            await link.run()
        finally:
            self.hub.disconnect(self.charger.id, link, link.closing or "")

    async def unplug(self) -> None:
        """The charger's connection breaks."""
        self.charger.wire.close()
        assert self._link is not None
        await self._link

    def watch(self, facts: Sequence[Fact]) -> None:
        """Keep what ended."""
        for fact in facts:
            if isinstance(fact, SessionEnded):
                self.sessions.setdefault(fact.session.session_id, replace(fact.session))

    # The end

    async def come_to_rest(self, hours: int = 24) -> None:
        """Everybody is well again and the time passes, until nothing waits."""
        for service in self.services:
            service.up = True
            service.behave([])
        self.charger.delay = 0.0
        box = outbox_of(self.hub)
        for _ in range(hours * 6):
            await asyncio.sleep(600)
            if not box.waiting:
                break
        else:
            self.notary.deny("I7", f"{len(box.waiting)} messages are never told, of {box.waiting[0]}")
        await asyncio.sleep(600)

    def judge(self) -> None:
        """What must hold whenever all is at rest."""
        for wire in (*self.doors.wires, *self.charger_wires):
            self._judge_wire(wire)
        patience = max(plan.patience if plan.authority else 0.0 for plan in self.roster.plans.values())
        if slow := {action: seconds for action, seconds in self.charger.waited.items() if seconds > patience}:
            self.notary.deny("I6", f"the charger waited {slow} s")
        if self.charger.refused:
            self.notary.deny("I6", f"the charger was refused {self.charger.refused}")
        for service in self.services:
            if self.roster.plans[service.id].mirrors is Mirroring.ALL:
                self._judge_books(service)

    def _judge_books(self, service: BadService) -> None:
        """Each session was told, whole, and with all its energy."""
        accounts = service.books.accounts
        if len(accounts) != len(self.sessions) or not all(one.over for one in accounts):
            self.notary.deny("I7", f"{service.id} heard of {accounts}, not of {list(self.sessions)}")
            return
        for session, account in zip(self.sessions.values(), accounts, strict=True):
            if abs(session.energy - account.energy) > 1.0:
                self.notary.deny("I9", f"{service.id} heard of {account.registers}, not of {session.energy} Wh")

    def _judge_wire(self, wire: Wire) -> None:
        if wire.parted:
            self.notary.deny("I10", f"we closed {wire.name}: {wire.parted}")
        open_calls = {of: wire.asked[of] for of, count in wire.unanswered.items() if count > 0}
        if wire.stands and open_calls:
            self.notary.deny("I1", f"{wire.name} has no answer to {open_calls}")


@asynccontextmanager
async def at_home(charger: Version, *services: Version, **given: Any) -> AsyncIterator[Home]:
    """A house with one charger that has booted and services of these versions, each told of all. `given` by name of plan.

    Plans differ by `plans`: fields of the plan by the service's number. `moods` are lists, one a service.
    """
    plans, moods = given.get("plans", {}), given.get("moods", [])
    notary = Notary()
    company = [
        BadService(f"service{n}", version, notary, FIRST_ID + n * SHARE, list(moods[n]) if n < len(moods) else [])
        for n, version in enumerate(services)
    ]
    home = _built(charger, company, notary, plans, given)
    faults = Faults(notary)
    logging.getLogger().addHandler(faults)
    watch = Watch(home.arbitration, home.hub.bus.mailbox("arbiter", only=WATCHED))
    rooms = [asyncio.create_task(home.roster.run()), asyncio.create_task(watch.run())]
    try:
        home.plug()
        await home.charger.boot()
        await home.charger.state()
        yield home
    finally:
        await home.unplug()
        for room in rooms:
            room.cancel()
        await asyncio.gather(*rooms, return_exceptions=True)
        logging.getLogger().removeHandler(faults)


def _built(
    charger: Version,
    company: list[BadService],
    notary: Notary,
    plans: dict[int, dict[str, Any]],
    given: dict[str, Any],
) -> Home:
    hub = a_served_hub()
    hub.clock = LoopClock(asyncio.get_running_loop())
    hub.numbers = Numbers("test", FIRST_OF_OURS)
    hub.house = House(open_to_all=given.get("open_to_all", True))
    known = providers(*(one.id for one in company), **given.get("terms", {}))
    arbitration = an_arbitration(hub, Rules(providers=known, **given.get("rules", {})))
    for one in company:
        one.ours.append(arbitration.dispatcher.next_id())
    doors = Doors(notary, {one.id: one for one in company})
    told = [
        a_plan(one.id, **{"version": one.version, "mirror": Mirroring.ALL, **plans.get(n, {})})
        for n, one in enumerate(company)
    ]
    roster = Watching(arbitration, told, outbox_of(hub), Ways(doors, obey, Courier, chance=lambda: 0.5))
    hub.mirror = roster
    hub.authority = Authority(arbitration, referee_for=roster.referee_for, is_service=roster.is_service)
    box = Charger(charger, hub.clock, Wire("none", charger, CHARGER_SECONDS, notary))
    home = roster.home = Home(box, company, hub, arbitration, roster, doors, notary)
    return home


class Watching(Services):
    """The services' roster; the house keeps the sessions that ended."""

    home: Home

    def follow(self, station: Any, report: Any, facts: Sequence[Fact]) -> list[Any]:
        self.home.watch(facts)
        return super().follow(station, report, facts)
