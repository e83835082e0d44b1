"""Events of a charger get their numbers, then everybody hears of them (contract §6).

No number is given twice, though the program be killed: numbers are on disk before they are told, a block ahead. A
charger that tells more at once than its block holds waits for the disk. After a kill numbering goes on behind the
block: so much, and no more, may be missing then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ocpp_mqtt_proxy.bus import Bus
from ocpp_mqtt_proxy.core.book import EventNumber
from ocpp_mqtt_proxy.core.events import Fact
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.station import Station
from ocpp_mqtt_proxy.ports import Ledger

BLOCK = 64
"""Numbers that are written down ahead for a charger that tells things now and then. At half of it the next is."""

MOST_AHEAD = 4096
"""And for one that floods: its block doubles when it was used up within `BUSY_SECONDS`."""

BUSY_SECONDS = 10.0

MOST_HELD = 10_000
"""Facts of one charger that wait for the disk at most; beyond, they are told whatever the disk does."""


@dataclass(slots=True)
class Numbering:
    """One charger's numbers. Those up to `safe` are on disk; `held` facts wait for more."""

    safe: int = 0
    block: int = BLOCK
    held: deque[Fact] = field(default_factory=deque)
    asked: bool = False
    asked_at: float = 0.0


@dataclass
class Teller:
    """Numbers facts and puts them on the bus, those of one charger in order."""

    bus: Bus
    ledger: Ledger
    _numberings: dict[str, Numbering] = field(default_factory=dict)

    def tell(self, station: Station, facts: Iterable[Fact]) -> None:
        """Tell everybody; never waits."""
        numbering = self._numberings.get(station.id) or self._begin(station)
        memory = station.memory
        for fact in facts:
            fact.ocpp_version = station.version
            if numbering.held or (fact.KIND and memory.seq >= numbering.safe):
                numbering.held.append(fact)
            else:
                self._publish(station, fact)
        if memory.seq + len(numbering.held) > numbering.safe - numbering.block // 2 and not numbering.asked:
            self._ask(station, numbering)
        while len(numbering.held) > MOST_HELD:
            self._publish(station, numbering.held.popleft())

    def reserve(self, stations: Iterable[Station]) -> list[EventNumber]:
        """What to write down before the first event of all, so that none waits."""
        return [self._reservation(station, self._begin(station)) for station in stations]

    def reserved(self, stations: Iterable[Station]) -> None:
        """That is on disk."""
        for station in stations:
            self._numberings[station.id].safe = station.memory.seq_reserved

    def rest(self, station: Station) -> EventNumber:
        """What to write down at a clean stop: the number exactly, so that none is missing after it."""
        if numbering := self._numberings.get(station.id):
            while numbering.held:
                self._publish(station, numbering.held.popleft())
        station.memory.seq_reserved = station.memory.seq
        return EventNumber(station.id, station.memory.seq)

    def forget(self, charger_id: str) -> None:
        """Nothing more will be told of a charger."""
        self._numberings.pop(charger_id, None)

    def _begin(self, station: Station) -> Numbering:
        return self._numberings.setdefault(station.id, Numbering())

    def _publish(self, station: Station, fact: Fact) -> None:
        if fact.KIND:
            station.memory.seq += 1
            fact.seq = station.memory.seq
        self.bus.publish(fact)

    def _ask(self, station: Station, numbering: Numbering) -> None:
        """Have the next block on disk. A charger's first goes with the charger: else nobody would know whose it is."""
        now = time.monotonic()
        busy = now - numbering.asked_at < BUSY_SECONDS
        numbering.block = min(2 * numbering.block, MOST_AHEAD) if busy else BLOCK
        numbering.asked, numbering.asked_at = True, now
        number = self._reservation(station, numbering)
        changes: list[Change] = [number] if numbering.safe else [station.memory, number]
        self.ledger.keep(changes, lambda: self._granted(station, numbering))

    def _reservation(self, station: Station, numbering: Numbering) -> EventNumber:
        memory = station.memory
        memory.seq_reserved = memory.seq + len(numbering.held) + numbering.block
        return EventNumber(station.id, memory.seq_reserved)

    def _granted(self, station: Station, numbering: Numbering) -> None:
        """The block is on disk, or the disk fails: then everybody hears of what happens all the same."""
        numbering.asked, numbering.safe = False, station.memory.seq_reserved
        if self._numberings.get(station.id) is numbering:
            held, numbering.held = numbering.held, deque()
            self.tell(station, held)
