"""One charger and the program that steers it, on a clock that jumps: what any sequence of events is played on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.adapters.chargers.calls import Calls
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.watch import WATCHED, Watch
from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.core.book import Numbers
from ocpp_mqtt_proxy.core.commands import Order, Outcome
from ocpp_mqtt_proxy.core.model import IdToken, Nameplate, Place, Status, Version, WattHours
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import (
    BootReported,
    Phase,
    Report,
    StatusReported,
    TransactionAnswer,
    TransactionReported,
)
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.core.sharing import Circumstances, Presence, Rules
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.hub import Delayed, Hub
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.rpc import CallResult
from ocpp_mqtt_proxy.ports import ChargerLink
from tests.fakes import FakeMemory, an_arbitration
from tests.kept import KeptLedger
from tests.obedient import Make, Obedient, Object, frame
from tests.virtual_time import LoopClock, VirtualLoop

LATENCY = 0.05
"""Seconds in which a charger answers."""

GIVEN_UP = 60.0
"""Seconds after which nobody waits for an answer any more."""

CALM = 2.0
"""Seconds between a boot's answer and our first question."""


class Wire(ChargerLink):
    """A socket: orders are encoded as the version writes them, and answers read as it does."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.calls = Calls("CP1", DIALECTS[scene.make.version], lambda data: scene.hears(self, data), GIVEN_UP)

    @property
    def version(self) -> Version:
        return self._scene.make.version

    async def send(self, order: Order, still: Any = None) -> Outcome:
        return await self.calls.put(order, still)

    def close(self, reason: str) -> None:
        self.calls.hang_up()


@dataclass
class Asked:
    """A call that the charger was asked, and when (s)."""

    at: float
    number: str
    action: str
    payload: Object


@dataclass
class Held:
    """An answer that the charger holds back; `done` where it has already done what it was asked."""

    wire: Wire
    asked: Asked
    done: Object | None


@dataclass
class Owners:
    """What the owner asked and is not answered yet: ceilings in A, and how many pauses or goings-on."""

    ceilings: list[float] = field(default_factory=list)
    resumes: int = 0
    last: float = -1e9


@dataclass
class Scene:
    """The charger, the program, and what went over the wire."""

    make: Make
    plan: Plan
    rules: Rules
    loop: VirtualLoop = field(default_factory=VirtualLoop)
    wire: Wire | None = None
    open: Asked | None = None
    asked: list[Asked] = field(default_factory=list)
    late: str = ""
    held: list[Held] = field(default_factory=list)
    owner: Owners = field(default_factory=Owners)
    trouble_until: float = 0.0
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    rooms: list[asyncio.Task[Any]] = field(default_factory=list)
    preparing: int = 0
    watched: Callable[[Asked], None] = lambda _: None
    faults: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = LoopClock(self.loop)
        self.charger = Obedient(self.make, self.clock.now)
        self.ledger = KeptLedger()
        self.numbers = Numbers("test", 100)
        self.presence: Presence | None = Presence.AWAY
        self._next_transaction = 0
        self.switch_on()

    # The program

    def switch_on(self) -> None:
        """The program starts, with what is on disk."""
        self.hub = Hub(self.clock, Bus(), self.ledger, self.numbers, plan_for=lambda _: self.plan)
        self.hub.stations |= self.ledger.stations(self.plan)
        self.arbitration: Arbitration = an_arbitration(self.hub, self.rules, FakeMemory())
        self.arbitration.house = Circumstances(presence=self.presence)
        self.rooms = [self.start(Watch(self.arbitration, self.hub.bus.mailbox("arbiter", only=WATCHED)).run())]
        self.rooms.append(self.start(self._write()))

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self.loop.create_task(work)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.ledger.write()

    def switch_off(self, *, crash: bool) -> None:
        """The program ends, as asked or with the power; the charger notices."""
        if crash:
            self.ledger.lose()
        else:
            self.ledger.write()
        for task in [*self.tasks, *self.rooms, *asyncio.all_tasks(self.loop)]:
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.drop(say=False)
        self.ledger.lose()
        self.tasks, self.rooms, self.preparing, self.owner = [], [], 0, Owners()

    @property
    def station(self) -> Station:
        return self.hub.stations["CP1"]

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def goes_on(self, seconds: float) -> None:
        """Time passes."""
        self.loop.run_until_complete(asyncio.sleep(seconds))
        if self.faults:
            raise self.faults[0]
        for task in [*self.tasks, *self.rooms]:
            if task.done() and not task.cancelled():
                task.result()
        self.tasks = [task for task in self.tasks if not task.done()]
        assert all(not room.done() for room in self.rooms)

    def does(self, work: Coroutine[Any, Any, Any], seconds: float = 1.0) -> asyncio.Task[Any]:
        """Somebody does something; it takes as long as it takes."""
        task = self.start(work)
        self.tasks.append(task)
        self.goes_on(seconds)
        return task

    # The wire

    def comes(self) -> None:
        """The charger opens its socket."""
        self.wire = Wire(self)
        self.hub.connect("CP1", self.wire, "127.0.0.1")

    def drop(self, *, say: bool = True) -> None:
        """The socket closes; what was asked and not answered is lost with it."""
        wire, self.wire = self.wire, None
        self.open, self.held = None, []
        if wire is not None:
            wire.calls.hang_up()
            if say:
                self.hub.disconnect("CP1", wire, "gone")

    def hears(self, wire: Wire, data: bytes) -> None:
        """The charger is asked something."""
        number, action, payload = frame(data)
        assert wire is self.wire, "on a socket that is closed"
        opened = self.open
        assert opened is None or self.loop.time() - opened.at >= GIVEN_UP, "two calls are open at once"
        asked = Asked(self.loop.time(), number, action, payload)
        self.open = asked
        self.asked.append(asked)
        try:
            self.watched(asked)
        except Exception as fault:  # noqa: BLE001 (told by `goes_on`: whoever sends it would only log it)
            self.faults.append(fault)
        self.loop.call_later(LATENCY, self._answer, wire, asked)

    def _answer(self, wire: Wire, asked: Asked) -> None:
        if wire is not self.wire:
            return
        if self.late:
            done = self.charger.answer(asked.action, asked.payload) if self.late == "done" else None
            self.held.append(Held(wire, asked, done))
            return
        self._tell(wire, asked, self.charger.answer(asked.action, asked.payload))

    def _tell(self, wire: Wire, asked: Asked, answer: Object) -> None:
        if self.open is asked:
            self.open = None
        wire.calls.take(CallResult(asked.number, answer))
        self._follow(asked)

    def _follow(self, asked: Asked) -> None:
        if self.charger.stops:
            self.start(self.ends_as_told(self.charger.stops.pop()))
        if self.charger.starts:
            self.start(self.begins_as_told(self.charger.starts.pop()))

    def answers_again(self) -> None:
        """What was held back is answered now, however late."""
        self.late, held, self.held = "", self.held, []
        for one in held:
            done = one.done
            if done is None:
                done = self.charger.answer(one.asked.action, one.asked.payload)
            self._tell(one.wire, one.asked, done)

    # The charger speaks

    async def says(self, report: Report) -> Any:
        """What it says is heard, and answered."""
        answer = self.hub.hear("CP1", report)
        return await answer.answer if isinstance(answer, Delayed) else answer

    def tells(self, status: Status, connector: int) -> StatusReported:
        return StatusReported(Place(connector, 1), status, self.charger.now())

    async def ready(self, *, booted: bool) -> None:
        """After its socket is open: it boots or not, tells its states, and is asked and told what it must."""
        self.preparing += 1
        if booted:
            await self.says(BootReported(Nameplate("Acme", "Box")))
        for number in range(1, self.make.connectors + 1):
            busy = number in self.charger.transactions
            await self.says(self.tells(Status.CHARGING if busy else Status.AVAILABLE, number))
        await asyncio.sleep(CALM)
        if self.wire is not None:
            await self.arbitration.dispatcher.commissioning.prepare(self.station, self.wire, booted=booted)
        self.preparing -= 1
        self.troubles(3)

    def troubles(self, seconds: float) -> None:
        """For so long it cannot be told what must hold."""
        self.trouble_until = max(self.trouble_until, self.loop.time() + seconds)

    @property
    def sound(self) -> bool:
        """Whether the charger is there, answers and has what it needs."""
        there = self.wire is not None and not self.preparing and not self.late and not self.held
        return there and self.loop.time() >= self.trouble_until

    @property
    def quiet(self) -> bool:
        """Whether nobody waits for an answer of the charger."""
        return self.open is None or self.loop.time() - self.open.at > GIVEN_UP

    async def begins(self, connector: int, tag: str = "CARD", remote: Object | None = None) -> Session | None:
        """A transaction begins, known by whose it is."""
        if connector in self.charger.transactions or self.wire is None:
            return None
        self._next_transaction += 1
        v16 = self.make.version is Version.V16
        own = None if v16 else f"tx-{self._next_transaction}"
        if own is not None:
            self._begins_there(connector, own, remote)
        report = TransactionReported(
            Phase.STARTED,
            own,
            self.charger.now(),
            Place(connector, 1),
            IdToken(tag),
            meter_start=WattHours(self._next_transaction * 1000) if v16 else None,
            remote_start_id=(remote or {}).get("remoteStartId"),
        )
        answer = await self.says(report)
        assert isinstance(answer, TransactionAnswer)
        if v16:
            self._begins_there(connector, answer.transaction_id, remote)
        await self.says(self.tells(Status.CHARGING, connector))
        return self.station.connectors[connector].session

    def _begins_there(self, connector: int, number: str, remote: Object | None) -> None:
        self.charger.begins(connector, number)
        given = (remote or {}).get("chargingProfile")
        if given is not None and "TxProfile" in self.make.purposes:
            v16 = self.make.version is Version.V16
            place, words = ("connectorId", "csChargingProfiles") if v16 else ("evseId", "chargingProfile")
            number_ = int(number) if v16 else number
            profile = self.charger.read({place: connector, words: given | {"transactionId": number_}})
            self.charger.profiles.append(profile)

    async def begins_as_told(self, payload: Object) -> None:
        """A start from afar is followed."""
        await asyncio.sleep(0.3)
        connector = int(payload.get("connectorId") or payload.get("evseId") or 1)
        tag = payload["idTag"] if "idTag" in payload else payload["idToken"]["idToken"]
        await self.begins(connector, tag, payload)

    async def ends(self, connector: int) -> None:
        """The transaction ends."""
        gone = self.charger.transactions[connector]
        self.charger.ends(connector)
        report = TransactionReported(Phase.ENDED, gone.id, self.charger.now(), meter_stop=None)
        await self.says(report)
        await self.says(self.tells(Status.AVAILABLE, connector))

    async def ends_as_told(self, number: str) -> None:
        """A stop from afar is followed."""
        await asyncio.sleep(0.3)
        for connector, one in list(self.charger.transactions.items()):
            if one.id == number and self.wire is not None:
                await self.ends(connector)

    # The owner

    async def slides(self, amps: float) -> None:
        """The owner's slider."""
        self.owner.ceilings.append(amps)
        outcome = await self._asks(requests.Limit(amps=amps))
        self.owner.ceilings.remove(amps)
        if outcome.ok:
            assert self.station.limit == (0 if amps < 6 else amps) or self.owner.ceilings

    async def pauses(self, connector: int) -> None:
        await self._asks(requests.Pause(connector=connector))

    async def resumes(self, connector: int) -> None:
        """Lifts a ceiling of 0 as well."""
        self.owner.resumes += 1
        self.owner.ceilings.append(self.plan.max_current)
        await self._asks(requests.Resume(connector=connector))
        self.owner.ceilings.remove(self.plan.max_current)
        self.owner.resumes -= 1

    async def _asks(self, request: requests.Request) -> Outcome:
        self.owner.last = self.loop.time()
        outcome = await self.arbitration.dispatcher.submit("CP1", request)
        self.owner.last = self.loop.time()
        assert outcome.message != "the proxy failed on this request"
        return outcome


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
