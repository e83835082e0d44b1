"""What waits for the broker: of each retained topic the last value, and other messages in a bounded queue.

While the broker is away readings are not even queued: the next one makes up for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

MAX_EVENTS = 5_000
"""Messages that may wait for the broker."""

MAX_TRIES = 3
"""Sessions that may break over one message; then it goes, or a broker that takes offence at it gets it for ever."""

LOSSY_SUFFIXES = ("/event/meter", "/event/heartbeat")


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way; `tries` is how many sessions broke before it was acknowledged."""

    topic: str
    payload: bytes
    correlation: bytes | None = None
    retain: bool = False
    tries: int = 0

    @property
    def lossy(self) -> bool:
        """Whether the next of its kind makes up for it."""
        return self.topic.endswith(LOSSY_SUFFIXES)


class Line:
    """Messages in order. What makes room is found at once however many wait, or a flood would cost ever more."""

    def __init__(self) -> None:
        self._all: OrderedDict[Outgoing, None] = OrderedDict()
        self._lossy: OrderedDict[Outgoing, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._all)

    def append(self, message: Outgoing) -> None:
        """Join at the end."""
        self._all[message] = None
        if message.lossy:
            self._lossy[message] = None

    def put_back(self, message: Outgoing) -> None:
        """Join at the front."""
        self.append(message)
        self._all.move_to_end(message, last=False)
        if message.lossy:
            self._lossy.move_to_end(message, last=False)

    def popleft(self) -> Outgoing:
        """Take the first."""
        message, _ = self._all.popitem(last=False)
        self._lossy.pop(message, None)
        return message

    def make_room(self) -> None:
        """The oldest lossy message goes, else the oldest."""
        oldest = next(iter(self._lossy or self._all))
        del self._all[oldest]
        self._lossy.pop(oldest, None)


@dataclass(slots=True)
class Counters:
    """What went over the session."""

    published: int = 0
    dropped: int = 0
    connects: int = 0
    received: int = 0


@dataclass(kw_only=True)
class Outbox:
    """Fulfils `ports.Publisher`. `connected` is set while there is a broker to take messages."""

    connected: asyncio.Event = field(default_factory=asyncio.Event)
    counters: Counters = field(default_factory=Counters)
    _retained: dict[str, bytes] = field(default_factory=dict)
    _dirty: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _events: Line = field(default_factory=Line)
    _under_way: dict[Outgoing, None] = field(default_factory=dict)
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    # In

    def retain(self, topic: str, payload: str | bytes) -> None:
        """Have the broker keep this as the topic's state; nothing is sent where it does already."""
        raw = payload.encode() if isinstance(payload, str) else payload
        if self._retained.get(topic) != raw:
            self._retained[topic] = raw
            self._dirty[topic] = None
            self._wake()

    def clear(self, topic: str) -> None:
        """Have the broker forget a topic."""
        self._retained.pop(topic, None)
        self._dirty[topic] = None
        self._wake()

    def emit(self, topic: str, payload: bytes) -> None:
        """Send a message that is not kept."""
        self._queue(Outgoing(topic, payload))

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send an answer, with the correlation data of its request."""
        self._queue(Outgoing(topic, payload, correlation))

    def republish(self) -> None:
        """Send everything retained again; what is to be forgotten first."""
        gone = OrderedDict.fromkeys(self._gone())
        self._dirty = gone | OrderedDict.fromkeys(self._retained)
        self._wake()

    def _queue(self, message: Outgoing) -> None:
        full = len(self._events) >= MAX_EVENTS
        if full or not self.connected.is_set():
            if message.lossy:
                self.counters.dropped += 1
                return
            if full:
                self.counters.dropped += 1
                self._events.make_room()
        self._events.append(message)
        self._wake()

    def _wake(self) -> None:
        self._idle.clear()
        self._work.set()

    # What there is

    def has(self, topic: str) -> bool:
        """Whether a topic is retained by us."""
        return topic in self._retained

    @property
    def waiting(self) -> int:
        """Messages not yet with the broker."""
        return len(self._dirty) + len(self._events) + len(self._under_way)

    async def idle(self) -> None:
        """Wait until the broker has everything."""
        if self.waiting:
            await self._idle.wait()

    def _gone(self) -> list[str]:
        """Topics that the broker is still to forget."""
        return [topic for topic in self._dirty if topic not in self._retained]

    # Out

    def _take(self) -> Outgoing | None:
        """What goes next, now under way: the last value of each retained topic, then the others in order."""
        if self._dirty:
            topic, _ = self._dirty.popitem(last=False)
            message = Outgoing(topic, self._retained.get(topic, b""), retain=True)
        elif self._events:
            message = self._events.popleft()
        else:
            return None
        self._under_way[message] = None
        return message

    def _sent(self, message: Outgoing) -> None:
        """The broker has it."""
        self.counters.published += 1
        self._done(message)

    def _drop(self, message: Outgoing) -> None:
        """It cannot be sent at all."""
        self.counters.dropped += 1
        log.warning("a message on %s is dropped: the broker does not take it", message.topic)
        self._done(message)

    def _done(self, message: Outgoing) -> None:
        self._under_way.pop(message, None)
        if self._dirty or self._events:
            self._work.set()
        elif not self._under_way:
            self._idle.set()

    def _withhold(self, topic: str) -> None:
        """Say nothing of a topic until it is retained again."""
        self._retained.pop(topic, None)
        self._dirty.pop(topic, None)

    def _take_back(self) -> None:
        """What was under way when the session broke is sent again in the next one."""
        lost, self._under_way = list(self._under_way), {}
        self._dirty = OrderedDict.fromkeys(message.topic for message in lost if message.retain) | self._dirty
        for message in reversed([message for message in lost if not message.retain]):
            message.tries += 1
            if message.tries < MAX_TRIES:
                self._events.put_back(message)
            else:
                self._drop(message)
