"""The hub: joins the domain to the ports.

Reports come in from the chargers' sockets and are answered; what follows is written down, then told on the
bus. It holds every station and every open link, and nothing else does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.core import rules
from ocpp_mqtt_proxy.core.authorization import Decision, House
from ocpp_mqtt_proxy.core.book import EventNumber, Numbers
from ocpp_mqtt_proxy.core.commands import Order
from ocpp_mqtt_proxy.core.connector import Connector
from ocpp_mqtt_proxy.core.errors import UnknownCharger
from ocpp_mqtt_proxy.core.events import ChargerForgotten, Fact
from ocpp_mqtt_proxy.core.hearing import Change, Hearing
from ocpp_mqtt_proxy.core.memory import ChargerMemory
from ocpp_mqtt_proxy.core.plan import Plan
from ocpp_mqtt_proxy.core.reports import (
    Answer,
    AuthorizationRequested,
    BootReported,
    HeartbeatReported,
    Phase,
    Report,
    TransactionReported,
    card_of,
)
from ocpp_mqtt_proxy.core.rules import Heard
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Authority, ChargerLink, Clock, Ledger, LedgerFailed, Mirror
from ocpp_mqtt_proxy.telling import Teller

PATIENCE_SECONDS = 30.0
"""How long a disk may fail before a charger hears that its transaction may begin all the same.

Until then it gets an error and repeats its message, which costs nothing where the disk gets well. But many
chargers deliver nothing before they have an answer, and all give up after some repetitions: somebody's car must
be full in the morning. The session is written as soon as it can be.
"""


THINKING_SECONDS = 0.003
"""What a service that is asked has before everybody else is told: most have answered by then, and nobody who is told
takes the processor from them."""

_AT_ANY_TIME = (AuthorizationRequested, BootReported, HeartbeatReported)
"""What need not wait for the reports before it: it changes nothing that they change."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """An answer that waits: for the disk, a verdict on a card, a service, or reports before it that wait for one.

    Awaiting raises LedgerFailed where that fails: the charger gets an error, keeps its message and sends it
    again. The writing goes on whether or not somebody still waits for the answer.
    """

    answer: asyncio.Future[Answer]


@dataclass
class Hub:
    """Every charger, and what happens to it."""

    clock: Clock
    bus: Bus
    ledger: Ledger
    numbers: Numbers
    house: House = field(default_factory=House)
    plan_for: Callable[[str], Plan] = lambda _: Plan()
    authority: Authority | None = None
    mirror: Mirror | None = None
    stations: dict[str, Station] = field(default_factory=dict)
    links: dict[str, ChargerLink] = field(default_factory=dict)
    _recording: set[asyncio.Task[Answer]] = field(default_factory=set)
    _turns: dict[str, asyncio.Event] = field(default_factory=dict)
    _on_disk: set[str] = field(default_factory=set)
    _errands: set[asyncio.Task[None]] = field(default_factory=set)
    _untold: dict[str, list[tuple[Station, list[Fact]]]] = field(default_factory=dict)
    _teller: Teller = field(init=False)

    def __post_init__(self) -> None:
        self._teller = Teller(self.bus, self.ledger)

    def station(self, charger_id: str) -> Station:
        """The station of a charger. Raises UnknownCharger."""
        try:
            return self.stations[charger_id]
        except KeyError:
            known = ", ".join(sorted(self.stations)) or "none yet"
            raise UnknownCharger(f"no charger {charger_id!r}; known: {known}") from None

    def admit(self, charger_id: str) -> Station:
        """The station of a charger, made where it is new."""
        station = self.stations.get(charger_id)
        if station is None:
            station = Station(ChargerMemory(charger_id), self.plan_for(charger_id))
            self.stations[charger_id] = station
        return station

    def expect(self, charger_id: str) -> None:
        """The owner lets a charger in that has yet to come."""
        self.ledger.note([self.admit(charger_id).memory])

    def connect(self, charger_id: str, link: ChargerLink, address: str) -> None:
        """A charger's socket is open."""
        station = self.admit(charger_id)
        self.links[charger_id] = link
        heard = rules.connect(station, link.version, address, self.clock.now(), self.numbers)
        self._conclude(station, self._mirrored(station, heard))

    def disconnect(self, charger_id: str, link: ChargerLink, reason: str) -> None:
        """A charger's socket is gone; of no consequence where another has taken its place."""
        if self.links.get(charger_id) is not link:
            return
        del self.links[charger_id]
        station = self.station(charger_id)
        heard = rules.disconnect(station, reason, self.clock.now(), self.numbers)
        self._conclude(station, self._mirrored(station, heard))

    def hear(self, charger_id: str, report: Report) -> Answer | Delayed:
        """Apply a report; the answer at once, or delayed where something must be on disk before it.

        Reports of one charger must be heard in order, and are; where the verdict on a transaction's card has yet to
        come, those after it wait too. Raises UnknownCharger for one that was forgotten.
        """
        station = self.station(charger_id)
        if self.ledger.full and isinstance(report, TransactionReported):
            return _too_much()
        if charger_id in self._turns and not isinstance(report, _AT_ANY_TIME):
            return self._hear_later(station, report)
        decision = self._decision(station, report)
        if isinstance(decision, asyncio.Future):
            return self._hear_later(station, report, decision)
        return self._hear(station, report, decision)

    def _hear(self, station: Station, report: Report, decision: Decision | None) -> Answer | Delayed:
        heard = rules.hear(station, report, self.clock.now(), self.numbers, decision)
        assert heard.answer is not None
        if heard.durable:
            self._mirrored(station, heard, report)
            return self._delayed(self._record_then_answer(station, report, heard, heard.answer))
        answer = self._relayed(station, report, heard.answer)
        self.ledger.note(self._mirrored(station, heard, report).changes)
        if isinstance(answer, Delayed):
            self._tell_soon(station, heard.facts)
        else:
            self._tell(station, heard.facts)
        return answer

    def _relayed(self, station: Station, report: Report, ours: Answer) -> Answer | Delayed:
        """A service's answer where that is its to give, and ours where it gives none."""
        asked = self.mirror.ask(station, report, ours) if self.mirror is not None else None
        return ours if asked is None else Delayed(asked)

    def _tell_soon(self, station: Station, facts: list[Fact]) -> None:
        """Tell everybody in a moment; before anything else is told of the charger in any case."""
        if not self._untold:
            asyncio.get_running_loop().call_later(THINKING_SECONDS, self._tell_all)
        self._untold.setdefault(station.id, []).append((station, facts))

    def _tell_all(self) -> None:
        for charger_id in list(self._untold):
            self._catch_up(charger_id)

    def _catch_up(self, charger_id: str) -> None:
        for station, facts in self._untold.pop(charger_id, ()):
            self._tell(station, facts)

    def _delayed(self, work: Coroutine[None, None, Answer]) -> Delayed:
        task = asyncio.create_task(work)
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return Delayed(asyncio.shield(task))

    def _hear_later(self, station: Station, report: Report, asked: asyncio.Future[Decision] | None = None) -> Delayed:
        """Hear a report once the verdict on its card is there, whether or not its charger still is."""
        if isinstance(report, _AT_ANY_TIME):
            assert asked is not None
            return self._delayed(self._hear_decided(station, report, asked))
        before, turn = self._turns.get(station.id), asyncio.Event()
        self._turns[station.id] = turn
        return self._delayed(self._hear_in_turn(station, report, before, turn))

    async def _hear_decided(self, station: Station, report: Report, asked: asyncio.Future[Decision]) -> Answer:
        return await _answered(self._hear(self._still(station), report, await asked))

    async def _hear_in_turn(
        self, station: Station, report: Report, before: asyncio.Event | None, turn: asyncio.Event
    ) -> Answer:
        try:
            if before is not None:
                await before.wait()
            decision = self._decision(station, report)
            if isinstance(decision, asyncio.Future):
                decision = await decision
            answer = self._hear(self._still(station), report, decision)
        finally:
            turn.set()
            if self._turns.get(station.id) is turn:
                del self._turns[station.id]
        return await _answered(answer)

    def _still(self, station: Station) -> Station:
        """A station, unless it was forgotten meanwhile. Raises UnknownCharger."""
        if self.stations.get(station.id) is not station:
            raise UnknownCharger(f"{station.id} was forgotten")
        return station

    def goes_on(self, charger_id: str, transaction_id: str) -> bool:
        """Whether a transaction of a charger is known and runs. Raises UnknownCharger."""
        session = self.station(charger_id).book.find(transaction_id)
        return session is not None and session.running

    def _decision(self, station: Station, report: Report) -> Decision | asyncio.Future[Decision] | None:
        """The verdict on a report's card; the house's alone while nobody else is to be asked."""
        if self.authority is not None:
            return self.authority.decide(station, report)
        token = card_of(report)
        return None if token is None else self.house.decide(token)

    def _mirrored(self, station: Station, heard: Heard, report: Report | None = None) -> Heard:
        """What follows, with what services must be told of it: that is written down in one with it."""
        if self.mirror is not None:
            heard.changes += self.mirror.follow(station, report, heard.facts)
        return heard

    async def _record_then_answer(self, station: Station, report: Report, heard: Heard, answer: Answer) -> Answer:
        """Acknowledge only what is on disk, or the charger forgets what we do not know.

        A session comes back after a power cut only with its charger, which may have been noted just now.
        """
        new = [] if station.id in self._on_disk else [station.memory]
        try:
            await self.record([*new, *heard.changes])
            self._on_disk.add(station.id)
        except LedgerFailed as failure:
            if not _begins(report) or failure.lasting < PATIENCE_SECONDS:
                raise
        finally:
            self._tell(station, heard.facts)
        return answer

    async def record(self, changes: Sequence[Change]) -> None:
        """Write down. What fails has happened all the same: it is written as soon as it can be.

        Raises LedgerFailed.
        """
        try:
            await self.ledger.record(changes)
        except LedgerFailed:
            self.ledger.note(changes)
            raise

    def _conclude(self, station: Station, heard: Heard) -> None:
        self.ledger.note(heard.changes)
        self._tell(station, heard.facts)

    def _tell(self, station: Station, facts: Iterable[Fact]) -> None:
        self._catch_up(station.id)
        self._teller.tell(station, facts)
        while station.due:
            self._put(station, station.due.pop(0))

    def _put(self, station: Station, order: Order) -> None:
        """Put what follows from a report to the charger, in its own time; where it refuses, it is asked again later."""
        link = self.links.get(station.id)
        if link is not None:
            errand = asyncio.create_task(self._carry_out(station, link, order))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def _carry_out(self, station: Station, link: ChargerLink, order: Order) -> None:
        if (await link.send(order)).ok:
            self.confirm(station, order)

    async def wake(self) -> None:
        """Before the first event of all: have numbers for those that follow on disk, or at least try."""
        stations = list(self.stations.values())
        if changes := self._teller.reserve(stations):
            with suppress(LedgerFailed):
                await self.record([*changes])
        self._teller.reserved(stations)
        self._on_disk.update(self.stations)

    def confirm(self, station: Station, order: Order) -> None:
        """The charger has agreed to an order: what it changes is now a fact."""
        heard = rules.confirm(station, order, self.clock.now(), self.numbers)
        self._conclude(station, self._mirrored(station, heard))

    def infer(self, station: Station, connector: Connector) -> None:
        """A connector does not say what it does, even when it is asked."""
        heard = rules.infer(station, connector, self.clock.now(), self.numbers)
        self._conclude(station, self._mirrored(station, heard))

    def apply(self, station: Station, change: Callable[[Hearing], None]) -> None:
        """Change a charger by a rule of the domain; it is written down within a second, and told."""
        hearing = self._hearing(station)
        change(hearing)
        self._follow(hearing)
        self.ledger.note(hearing.changes)
        self._tell(station, hearing.facts)

    async def settle(self, station: Station, change: Callable[[Hearing], None]) -> None:
        """The same, but it is on disk before anybody hears of it. Raises LedgerFailed; it holds all the same."""
        hearing = self._hearing(station)
        change(hearing)
        self._follow(hearing)
        try:
            if hearing.changes:
                await self.record(hearing.changes)
        finally:
            self._tell(station, hearing.facts)

    def _follow(self, hearing: Hearing) -> None:
        if self.mirror is not None:
            hearing.keep(*self.mirror.follow(hearing.station, None, hearing.facts))

    def _hearing(self, station: Station) -> Hearing:
        return Hearing(station, self.clock.now(), self.numbers)

    async def close_session(self, station: Station, connector: Connector) -> None:
        """End a session in our books. Raises LedgerFailed."""
        heard = self._mirrored(station, rules.close_session(station, connector, self.clock.now(), self.numbers))
        try:
            await self.record(heard.changes)
        finally:
            self._tell(station, heard.facts)

    async def forget(self, charger_id: str) -> None:
        """Take a charger out of our books; its socket is closed. Raises UnknownCharger, LedgerFailed."""
        station = self.station(charger_id)
        self._catch_up(charger_id)
        if link := self.links.pop(charger_id, None):
            link.close("forgotten by the owner")
            heard = rules.disconnect(station, "forgotten", self.clock.now(), self.numbers)
            self._conclude(station, self._mirrored(station, heard))
        del self.stations[charger_id]  # first: what it still says must not write it down again
        self._on_disk.discard(charger_id)
        self._teller.forget(charger_id)
        try:
            await self.ledger.forget(station.memory)
        except LedgerFailed:
            self.stations.setdefault(charger_id, station)
            raise
        self.bus.publish(ChargerForgotten(charger=charger_id, at=self.clock.now()))

    def rest(self) -> list[Change]:
        """What to write down at a clean stop."""
        self._tell_all()
        return [self._teller.rest(station) for station in self.stations.values()]

    def everything(self) -> list[Change]:
        """All that is known, for books that were lost."""
        known: list[Change] = [self.numbers, *(self.mirror.everything() if self.mirror is not None else ())]
        for station in self.stations.values():
            sessions = {session.session_id: session for session in station.book.by_transaction.values()}
            number = EventNumber(station.id, station.memory.seq_reserved)
            known += [station.memory, number, station.control, *station.connectors.values(), *sessions.values()]
        return known


def _too_much() -> Delayed:
    """The answer to a message that is not even taken in: nothing could remember it."""
    answer = asyncio.get_running_loop().create_future()
    answer.set_exception(LedgerFailed("too much waits for the disk"))
    answer.exception()  # nobody may ask for it
    return Delayed(answer)


async def _answered(answer: Answer | Delayed) -> Answer:
    return await answer.answer if isinstance(answer, Delayed) else answer


def _begins(report: Report) -> bool:
    """Whether a transaction begins or goes on with it: what an end says must be kept by the charger."""
    return isinstance(report, TransactionReported) and report.phase is not Phase.ENDED
