"""Facts inside the process: a bounded mailbox per reader, and nobody waits for a slow one.

What money hangs on does not travel here: the ledger is called and awaited. The bus feeds views.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from ocpp_mqtt_proxy.core.events import Fact, HeartbeatHeard, MeterRead, NoticeHeard

LOSSY: tuple[type[Fact], ...] = (MeterRead, HeartbeatHeard, NoticeHeard)
"""Facts that the next one of their kind makes up for."""


class Mailbox:
    """Facts waiting for one reader, who wants `only` some kinds: to be woken for others would cost it all the same.

    The rule when it is full: beyond `size` the lossy facts are not taken any more; beyond twice that the
    oldest goes for the newest. Every loss is counted in `dropped`.
    """

    def __init__(self, name: str, size: int, only: tuple[type[Fact], ...] = (Fact,)) -> None:
        self.name = name
        self.size = size
        self.only = only
        self.dropped = 0
        self._facts: deque[Fact] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._facts)

    def put(self, fact: Fact) -> None:
        """Leave a fact; never waits."""
        waiting = len(self._facts)
        if waiting >= self.size and isinstance(fact, LOSSY):
            self.dropped += 1
            return
        if waiting >= 2 * self.size:
            self._facts.popleft()
            self.dropped += 1
        self._facts.append(fact)
        self._arrived.set()

    async def take(self) -> list[Fact]:
        """All that waits, in order; waits for the first."""
        await self._arrived.wait()
        return self.take_now()

    def take_now(self) -> list[Fact]:
        """All that waits, in order; maybe nothing."""
        facts = list(self._facts)
        self._facts.clear()
        self._arrived.clear()
        return facts


class Bus:
    """Hands every fact to every mailbox of its kind."""

    def __init__(self) -> None:
        self.mailboxes: list[Mailbox] = []
        self._readers: dict[type[Fact], list[Mailbox]] = {}

    def mailbox(self, name: str, size: int = 10_000, only: tuple[type[Fact], ...] = (Fact,)) -> Mailbox:
        """A mailbox for a new reader, of all facts or of some kinds."""
        mailbox = Mailbox(name, size, only)
        self.mailboxes.append(mailbox)
        self._readers.clear()
        return mailbox

    @contextmanager
    def listening(self, name: str, only: tuple[type[Fact], ...] = (Fact,)) -> Iterator[Mailbox]:
        """A mailbox for a while."""
        mailbox = self.mailbox(name, only=only)
        try:
            yield mailbox
        finally:
            self.mailboxes.remove(mailbox)
            self._readers.clear()

    def publish(self, fact: Fact) -> None:
        """Tell everybody; never waits."""
        kind = type(fact)
        readers = self._readers.get(kind)
        if readers is None:
            readers = self._readers[kind] = [m for m in self.mailboxes if issubclass(kind, m.only)]
        for mailbox in readers:
            mailbox.put(fact)
