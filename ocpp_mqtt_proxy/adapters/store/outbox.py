"""Messages that wait for services: what is on disk of them, in order, and how much (semantics §4.2).

A message is shown only once it is on disk, and not before one with a smaller number that is still being written.
What services have in common with us is written together with every message of theirs that has yet to be: a session
that they know to have begun has its start on disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from sqlite3 import Row

from ocpp_mqtt_proxy.adapters.store import rows, services, thinning
from ocpp_mqtt_proxy.adapters.store.rows import Statement
from ocpp_mqtt_proxy.adapters.store.thinning import Waiting
from ocpp_mqtt_proxy.core.hearing import Change
from ocpp_mqtt_proxy.core.outgoing import Delivered, Outgoing
from ocpp_mqtt_proxy.core.peer import Peer
from ocpp_mqtt_proxy.ports import LedgerFailed
from ocpp_mqtt_proxy.services.ports import Depth, Outbox as Port

log = logging.getLogger(__name__)

Pair = tuple[str, str]
"""A service and a charger."""

Select = Callable[[str, tuple[object, ...]], Awaitable[Iterable[Row]]]

AT_HAND = 20
"""Messages of a queue that are kept at hand at most: of one that is longer none is, since its service is away."""

CHUNK = 100
"""Messages dropped in one transaction: what chargers wait for waits for no more than that."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait: `each` for one service and charger, `together` for all of them, and for how many `days`.

    What is beyond `each` loses readings; `excess` times that, whole sessions too. `least` may wait for one however
    many there are.
    """

    each: int = 10_000
    together: int = 100_000
    least: int = 500
    excess: int = 4
    days: int = 30

    def most(self, queues: int) -> int:
        """How much may wait for one of so many."""
        return max(self.least, min(self.each, self.together // max(1, queues)))


@dataclass(slots=True)
class _Queue:
    """What waits for one service about one charger.

    `unwritten` are changes that are not known to be on disk, by numbers. No number above `handed` was ever shown.
    `enough` is how much there must be before it is thinned again, where that did not help. `fresh` are messages on disk
    that are also at hand; while that is all that wait, nobody need look there.
    """

    waiting: int = 0
    dropped: int = 0
    unwritten: dict[int, Outgoing | Delivered] = field(default_factory=dict)
    arrival: asyncio.Event = field(default_factory=asyncio.Event)
    handed: int = 0
    enough: int = 0
    said: bool = False
    fresh: dict[int, Outgoing] = field(default_factory=dict)

    def take(self, outgoing: Outgoing) -> None:
        """One more is on disk."""
        self.waiting += 1
        if self.waiting <= AT_HAND:
            self.fresh[outgoing.number] = outgoing
        else:
            self.fresh.clear()

    def give(self, number: int) -> None:
        """One is there no more."""
        self.waiting -= 1
        self.fresh.pop(number, None)


def is_answered(change: Change) -> bool:
    """Whether a change tells what a service has answered: no charger waits for that to be on disk."""
    return isinstance(change, Delivered | Peer)


class Outbox(Port):
    """The queues of all services.

    `known` are the services there are; None while nobody has said. `on_lost` hears of sessions of which nothing waits
    any more though it was never told, with the service and the charger.
    """

    def __init__(self, put: Callable[[Iterable[Statement]], Awaitable[None]], select: Select) -> None:
        self.bounds = Bounds()
        self.known: frozenset[str] | None = None
        self.on_lost: Callable[[str, str, set[str]], None] = lambda *_: None
        self._put = put
        self._select = select
        self._queues: dict[Pair, _Queue] = {}
        self._whose: dict[int, Pair] = {}
        self._last = 0
        self._stale = False
        self._thinning: dict[Pair, asyncio.Task[None]] = {}

    async def load(self) -> None:
        """Count what is on disk. Raises LedgerFailed."""
        self._stale = False
        found = await self._select("SELECT number, service, charger FROM outgoing ORDER BY number", ())
        for queue in self._queues.values():
            queue.waiting = 0
            queue.fresh.clear()
        self._whose = {row["number"]: (row["service"], row["charger"]) for row in found}
        for number, pair in self._whose.items():
            self._queue(*pair).waiting += 1
            self._last = max(self._last, number)

    def doubt(self) -> None:
        """Another file has taken the place of ours: what is on disk is counted anew."""
        self._stale = True
        for queue in self._queues.values():
            queue.arrival.set()

    async def settle(self) -> None:
        """Wait until what is too much is dropped."""
        if self._thinning:
            await asyncio.wait(self._thinning.values())

    async def close(self) -> None:
        """Drop nothing any more."""
        for task in self._thinning.values():
            task.cancel()
        await self.settle()

    def _queue(self, service: str, charger: str) -> _Queue:
        pair = service, charger
        if pair not in self._queues:
            self._queues[pair] = _Queue()
        return self._queues[pair]

    # What waits

    async def head(self, service: str, charger: str, most: int = 20) -> list[Outgoing]:
        """The oldest that wait. Raises LedgerFailed."""
        if self._stale:
            await self.load()
        queue = self._queue(service, charger)
        if not queue.waiting:
            return []
        before = min((n for n, one in queue.unwritten.items() if isinstance(one, Outgoing)), default=_NO_NUMBER)
        gone = [n for n, one in queue.unwritten.items() if isinstance(one, Delivered)]
        if len(queue.fresh) == queue.waiting:
            found = [queue.fresh[number] for number in sorted(queue.fresh) if number < before]
        else:
            on_disk = await self._select(_HEAD, (service, charger, before, most + len(gone)))
            found = await self._read(queue, on_disk)
        shown = [one for one in found if one.number not in gone][:most]
        queue.handed = max([queue.handed, *(one.number for one in shown)])
        return shown

    async def _read(self, queue: _Queue, found: Iterable[Row]) -> list[Outgoing]:
        """What rows mean. What means nothing cannot be told, and must not stand in the way of the rest."""
        good, bad = [], []
        for row in found:
            try:
                good.append(services.outgoing(row))
            except rows.UNREADABLE as error:
                log.error("message %s for %s cannot be read: %s", row["number"], row["service"], error)  # noqa: TRY400 (its text says all)
                bad.append(row["number"])
        if bad:
            await self._drop(queue, bad)
        return good

    async def oldest(self, service: str, charger: str) -> datetime | None:
        """When the first that waits was heard; None where nothing does. Raises LedgerFailed."""
        found = await self._select(_HEAD, (service, charger, _NO_NUMBER, 1))
        return next((datetime.fromisoformat(row["heard_at"]) for row in found), None)

    async def holds(self, service: str, charger: str, session_id: str) -> bool:
        """Whether anything of a session waits, on disk or for the disk. Raises LedgerFailed."""
        unwritten = self._queue(service, charger).unwritten
        if any(isinstance(one, Outgoing) and one.session_id == session_id for one in unwritten.values()):
            return True
        found = await self._select(_OF_A_SESSION, (service, charger, session_id))
        return any(not isinstance(unwritten.get(row["number"]), Delivered) for row in found)

    def depth(self, service: str, charger: str) -> Depth:
        """How much waits, on disk or for the disk; what has been answered waits no more."""
        queue = self._queue(service, charger)
        coming = sum(isinstance(one, Outgoing) for one in queue.unwritten.values())
        gone = sum(isinstance(one, Delivered) and number in self._whose for number, one in queue.unwritten.items())
        return Depth(queue.waiting + coming - gone, queue.dropped)

    def arrival(self, service: str, charger: str) -> asyncio.Event:
        """Set whenever something is new on disk; whoever waits clears it."""
        return self._queue(service, charger).arrival

    def number(self) -> int:
        """The number of the next message: above all that are on disk, and all given in this life."""
        self._last += 1
        return self._last

    # What is written

    def expect(self, change: Change, *, full: bool = False) -> bool:
        """Something is to be written down. Whether it should: where too much waits for the disk, no readings."""
        match change:
            case Outgoing():
                queue = self._queue(change.service, change.charger)
                if full and services.kind_of(change.told) == services.READING:
                    queue.dropped += 1
                    return False
                queue.unwritten[change.number] = change
            case Delivered() if pair := self._whose.get(change.number):
                self._queue(*pair).unwritten[change.number] = change
        return True

    def whole(self, changes: Iterable[Change]) -> list[Change]:
        """What must be written in one with changes, them included; without messages that were written meanwhile."""
        wanted = {id(change): change for change in changes if not self._is_written(change)}
        for change in list(wanted.values()):
            if isinstance(change, Peer):
                coming = self._queue(change.service, change.charger).unwritten.values()
                wanted |= {id(one): one for one in coming}
        return list(wanted.values())

    def _is_written(self, change: Change) -> bool:
        return (
            isinstance(change, Outgoing)
            and self._queue(change.service, change.charger).unwritten.get(change.number) is not change
        )

    def written(self, changes: Iterable[Change]) -> None:
        """Changes are on disk."""
        for change in changes:
            match change:
                case Outgoing():
                    self._arrived(change)
                case Delivered():
                    self._gone(change)

    def _arrived(self, outgoing: Outgoing) -> None:
        pair = outgoing.service, outgoing.charger
        queue = self._queue(*pair)
        if queue.unwritten.pop(outgoing.number, None) is None:
            return
        if outgoing.number not in self._whose:
            self._whose[outgoing.number] = pair
            queue.take(outgoing)
        queue.arrival.set()
        if queue.waiting > max(queue.enough, self.bounds.most(len(self._queues))) and pair not in self._thinning:
            task = self._thinning[pair] = asyncio.create_task(self._thin(pair))
            task.add_done_callback(lambda _: self._thinning.pop(pair))

    def _gone(self, delivered: Delivered) -> None:
        pair = self._whose.pop(delivered.number, None)
        if pair is None:
            return
        queue = self._queue(*pair)
        queue.give(delivered.number)
        queue.dropped += delivered.given_up
        queue.unwritten.pop(delivered.number, None)
        if not queue.waiting:
            queue.said, queue.enough = False, 0

    def abandon(self, change: Change) -> None:
        """Something can never be written."""
        if isinstance(change, Outgoing):
            queue = self._queue(change.service, change.charger)
            queue.unwritten.pop(change.number, None)
            queue.dropped += 1
            queue.arrival.set()

    def forget(self, charger: str) -> Iterator[Statement]:
        """What takes a charger out of the queues, and out of what we have in common with services."""
        for (_, of), queue in self._queues.items():
            if of == charger:
                queue.unwritten.clear()
                queue.fresh.clear()
                queue.waiting = 0
        self._whose = {number: pair for number, pair in self._whose.items() if pair[1] != charger}
        for table in ("outgoing", "peer", "virtual_state"):
            yield f"DELETE FROM {table} WHERE charger = ?", (charger,)  # noqa: S608 (our own names)

    # What is too much

    async def _thin(self, pair: Pair) -> None:
        """Drop readings, and where there are hardly any, what is oldest."""
        queue, most = self._queue(*pair), self.bounds.most(len(self._queues))
        try:
            waiting = await self._waiting(pair)
            going = thinning.every_second(waiting)
            surplus = len(waiting) - len(going) - most * self.bounds.excess
            if surplus > 0:
                going += thinning.oldest_whole(waiting, surplus)
            self._say(pair, f"more than {most} messages wait for it, it misses readings")
            await self._drop_gently(queue, going)
            self.on_lost(*pair, thinning.sessions_lost(waiting, going))
        except LedgerFailed as error:
            log.warning("%s at %s: nothing could be dropped of what waits: %s", pair[1], pair[0], error)
        queue.enough = queue.waiting + most // 10

    def _say(self, pair: Pair, what: str) -> None:
        queue = self._queue(*pair)
        if not queue.said:
            log.warning("%s at %s: %s", pair[1], pair[0], what)
            queue.said = True

    async def tidy(self, now: datetime) -> None:
        """Drop what has waited for too long, and what was in common with services that are no more.

        Raises LedgerFailed.
        """
        before = now.astimezone(UTC) - timedelta(days=self.bounds.days)
        for pair in [pair for pair, queue in self._queues.items() if queue.waiting]:
            await self._expire(pair, rows.text_of(before) or "")
        if self.known is not None:
            await self._put(self._retire(before))

    async def _expire(self, pair: Pair, before: str) -> None:
        if all(row["heard_at"] >= before for row in await self._select(_HEAD, (*pair, _NO_NUMBER, 1))):
            return
        waiting = await self._waiting(pair)
        if going := thinning.outlived(waiting, before):
            self._say(pair, f"{len(going)} messages are older than {self.bounds.days} days and go")
            await self._drop_gently(self._queue(*pair), going, also_shown=True)
            self.on_lost(*pair, thinning.sessions_lost(waiting, going))

    def _retire(self, before: datetime) -> Iterator[Statement]:
        names = tuple(sorted(self.known or ()))
        marks = ", ".join("?" for _ in names)
        for table in ("peer", "virtual_state"):
            sql = f"DELETE FROM {table} WHERE service NOT IN ({marks}) AND written_on < ?"  # noqa: S608
            yield sql, (*names, before.date().isoformat())

    async def _waiting(self, pair: Pair) -> list[Waiting]:
        return [Waiting(*row) for row in await self._select(_WAITING, pair)]

    async def _drop_gently(self, queue: _Queue, numbers: list[int], *, also_shown: bool = False) -> None:
        """Drop messages, some at a time; not those that may be under way."""
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            await self._drop(queue, [number for number in chunk if also_shown or number > queue.handed])

    async def _drop(self, queue: _Queue, numbers: list[int]) -> None:
        await self._put((services.DELIVERED, (number,)) for number in numbers)
        gone = [number for number in numbers if self._whose.pop(number, None)]
        for number in gone:
            queue.give(number)
        queue.dropped += len(gone)


_NO_NUMBER = 2**63 - 1
"""Above every number."""

_HEAD = "SELECT * FROM outgoing WHERE service = ? AND charger = ? AND number < ? ORDER BY number LIMIT ?"
_OF_A_SESSION = "SELECT number FROM outgoing WHERE service = ? AND charger = ? AND session_id = ?"
_WAITING = "SELECT number, session_id, kind, heard_at FROM outgoing WHERE service = ? AND charger = ? ORDER BY number"
