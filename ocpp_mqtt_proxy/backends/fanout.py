"""Events to many readers: encoded once, left in each reader's own bounded queue, and nobody waits for anybody.

The chargers' path ends at the bus. From there on events are handed on in short steps, the chargers' turns between
them: what a hundred readers get of an event costs a charger's frame no more than one such step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ocpp_mqtt_proxy import shapes
from ocpp_mqtt_proxy.backends.desk import Backend
from ocpp_mqtt_proxy.backends.views import insider
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import AuthorizationAsked, Fact
from ocpp_mqtt_proxy.framing import text_frame

GATHER_SECONDS = 0.02
"""How long events are gathered while they come fast: to write to a socket costs far more than what is written."""

OFFERS = 100
"""Events left with readers in one step: some 50 µs on a PC."""

BATCH = 64
"""Events left with readers before these are written to."""

WRITES = 4
"""Readers written to in one step: some 50 µs on a PC."""

WRITE_PAUSE = 0.001
"""Seconds between two such steps: a hundred readers that wake at once take the machine from everybody else."""


class Event:
    """An event, encoded for readers that see the same of it."""

    def __init__(self, fact: Fact, *, show_tags: bool) -> None:
        self.charger = fact.charger
        self.kind = fact.KIND
        self.body = shapes.dump(shapes.event(fact, show_tags=show_tags))
        self._frame = b""

    @property
    def frame(self) -> bytes:
        """It as a WebSocket frame, which says by itself that it is an event."""
        self._frame = self._frame or text_frame(b'{"type":"event",' + self.body[1:])
        return self._frame


class Reader(Protocol):
    """Where one backend hears of events."""

    @property
    def backend(self) -> Backend:
        """Who reads, and what it wants to hear of."""

    def offer(self, event: Event) -> None:
        """Leave an event in the queue; never waits."""

    def flush(self) -> None:
        """Write what is in the queue, as far as it is taken; never waits."""


@dataclass
class Fanout:
    """Hands facts from a mailbox to the readers that want them."""

    mailbox: Mailbox
    readers: dict[int, Reader] = field(default_factory=dict)
    _waiting: dict[int, Reader] = field(default_factory=dict)

    def join(self, reader: Reader) -> None:
        """Somebody listens from now on."""
        self.readers[id(reader)] = reader

    def leave(self, reader: Reader) -> None:
        """Somebody listens no more."""
        self.readers.pop(id(reader), None)
        self._waiting.pop(id(reader), None)

    async def run(self) -> None:
        """Hand on, for ever."""
        while True:
            facts = await self.mailbox.take()
            for pause in self.hand_on(facts):
                await asyncio.sleep(pause)
            await asyncio.sleep(GATHER_SECONDS)

    def hand_on(self, facts: list[Fact]) -> Iterator[float]:
        """Leave events with those who want them, and have them written; in steps, with so many seconds after each.

        Of very many some are written before the next are left: no queue is full for want of its turn.
        """
        for first in range(0, len(facts), BATCH):
            offers = 0
            for fact in facts[first : first + BATCH]:
                offers += self._offer(fact)
                if offers >= OFFERS:
                    offers = 0
                    yield 0
            yield from self._flush()

    def _flush(self) -> Iterator[float]:
        writes = 0
        while self._waiting:
            self._waiting.pop(next(iter(self._waiting))).flush()
            writes += 1
            if writes % WRITES == 0:
                yield WRITE_PAUSE

    def _offer(self, fact: Fact) -> int:
        """Leave an event with the readers that want it; how many readers were looked at."""
        if not fact.KIND or not self.readers:
            return 0
        seen: dict[bool, Event] = {}
        knows = insider(fact)
        asked = fact.provider if isinstance(fact, AuthorizationAsked) else None
        readers = list(self.readers.items())
        for key, reader in readers:
            backend = reader.backend
            if not _is_told(backend, fact, asked):
                continue
            shown = backend.provider in (knows, asked)
            event = seen.get(shown) or seen.setdefault(shown, Event(fact, show_tags=shown))
            self._waiting[key] = reader
            reader.offer(event)
        return len(readers)


def _is_told(backend: Backend, fact: Fact, asked: str | None) -> bool:
    """Whether a reader hears of an event: of a card only who is asked about it, where it listens at all."""
    if asked is not None:
        return backend.provider == asked and backend.subscription.listening
    return backend.subscription.wants(fact.charger, fact.KIND)
