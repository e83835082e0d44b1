"""What waits for the broker: of each retained topic the last value, and other messages in a bounded queue.

While the broker is away readings are not even queued: the next one makes up for them.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

MAX_EVENTS = 5_000
"""Messages that may wait for the broker."""

MAX_TRIES = 3
"""Sessions that may break over one message; then it goes, or a broker that takes offence at it gets it for ever."""

QUIET_SECONDS = 60.0
"""How often messages dropped for the same reason are told of in the log, at most."""

LOSSY = re.compile(r".*/event/([^/]+/)?(meter|heartbeat)")
"""Topics of events that the next of their kind makes up for: a charger's, and a backend's of a charger."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message on its way.

    `lossy` is whether the next of its kind makes up for it; `tries` how many sessions broke before it was
    acknowledged; `gone` whether it made room for another.
    """

    topic: str
    payload: bytes
    correlation: bytes | None = None
    retain: bool = False
    lossy: bool = False
    tries: int = 0
    gone: bool = False


class Line:
    """Messages in order. What makes room is found at once however many wait, or a flood would cost ever more.

    What made room is only marked so, and passed over when its turn comes.
    """

    def __init__(self) -> None:
        self._all: deque[Outgoing] = deque()
        self._lossy: deque[Outgoing] = deque()
        self._gone = 0

    def __len__(self) -> int:
        return len(self._all) - self._gone

    def append(self, message: Outgoing) -> None:
        """Join at the end."""
        self._all.append(message)
        if message.lossy:
            self._lossy.append(message)

    def put_back(self, message: Outgoing) -> None:
        """Join at the front."""
        self._all.appendleft(message)
        if message.lossy:
            self._lossy.appendleft(message)

    def popleft(self) -> Outgoing:
        """Take the first. Raises IndexError where there is none."""
        message = self.first
        self._all.popleft()
        if message.lossy:
            self._lossy.popleft()
        return message

    @property
    def first(self) -> Outgoing:
        """Who comes first. Raises IndexError where there is none."""
        while (message := self._all[0]).gone:
            self._all.popleft()
            self._gone -= 1
        return message

    def make_room(self) -> None:
        """The oldest lossy message goes, else the oldest."""
        if self._lossy:
            self._lossy.popleft().gone = True
            self._gone += 1
        else:
            self.popleft()


@dataclass(slots=True)
class Counters:
    """What went over the session."""

    published: int = 0
    dropped: int = 0
    connects: int = 0
    received: int = 0


LONG = 4096
"""Bytes from which a payload is kept compressed: a charger's announcement has 12,000, of which nearly all is alike.
Not less: to compress takes 100 µs, and readings, which have 1,000 and more, change all the time."""


class _Packed(bytes):
    """A payload, compressed."""


def _kept(payload: bytes) -> bytes:
    """A payload as it is kept."""
    return payload if len(payload) < LONG else _Packed(zlib.compress(payload, 1))


def _sent(kept: bytes) -> bytes:
    """A kept payload as it is sent."""
    return zlib.decompress(kept) if isinstance(kept, _Packed) else kept


def nobody() -> None:
    """Nobody is there to be woken."""


@dataclass(kw_only=True)
class Outbox:
    """Fulfils `ports.Publisher`. `connected` is set while there is a broker to take messages.

    `rouse` wakes who takes them out; `clearing` holds back all but what the broker is to forget.
    """

    connected: asyncio.Event = field(default_factory=asyncio.Event)
    counters: Counters = field(default_factory=Counters)
    rouse: Callable[[], None] = nobody
    clearing: bool = False
    _retained: dict[str, bytes] = field(default_factory=dict)
    _dirty: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _events: Line = field(default_factory=Line)
    _under_way: dict[Outgoing, None] = field(default_factory=dict)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _suspect: bool = False
    _told: dict[str, float] = field(default_factory=dict)

    # In

    def retain(self, topic: str, payload: str | bytes) -> None:
        """Have the broker keep this as the topic's state; nothing is sent where it does already."""
        raw = payload.encode() if isinstance(payload, str) else payload
        kept = _kept(raw)
        if self._retained.get(topic) != kept:
            self._retained[topic] = kept
            self._dirty[topic] = None
            self.rouse()

    def clear(self, topic: str) -> None:
        """Have the broker forget a topic."""
        self._retained.pop(topic, None)
        self._dirty[topic] = None
        self.rouse()

    def emit(self, topic: str, payload: bytes) -> None:
        """Send a message that is not kept."""
        self._queue(Outgoing(topic, payload, lossy=LOSSY.fullmatch(topic) is not None))

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Send an answer, with the correlation data of its request."""
        self._queue(Outgoing(topic, payload, correlation))

    def republish(self) -> None:
        """Send everything retained again; what is to be forgotten first."""
        gone = OrderedDict.fromkeys(self._gone())
        self._dirty = gone | OrderedDict.fromkeys(self._retained)
        self.rouse()

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
        self.rouse()

    # What there is

    def has(self, topic: str) -> bool:
        """Whether a topic is retained by us."""
        return topic in self._retained

    def delivered(self, topic: str) -> bool:
        """Whether the broker has a topic's last value."""
        under_way = any(message.topic == topic for message in self._under_way)
        return topic in self._retained and topic not in self._dirty and not under_way

    @property
    def waiting(self) -> int:
        """Messages not yet with the broker."""
        return len(self._dirty) + len(self._events) + len(self._under_way)

    async def idle(self) -> None:
        """Wait until the broker has everything that may go."""
        while self._under_way or self._may_go():
            self._idle.clear()
            await self._idle.wait()

    def _may_go(self) -> bool:
        if self.clearing:
            return bool(self._dirty) and next(iter(self._dirty)) not in self._retained
        return bool(self._dirty or self._events)

    def _gone(self) -> list[str]:
        """Topics that the broker is still to forget."""
        return [topic for topic in self._dirty if topic not in self._retained]

    # Out

    def next(self) -> Outgoing | None:
        """What goes next, now under way: the last value of each retained topic, then the others in order."""
        if not self._may_go() or self._one_by_one():
            return None
        if self._dirty:
            topic, _ = self._dirty.popitem(last=False)
            message = Outgoing(topic, _sent(self._retained.get(topic, b"")), retain=True)
        else:
            message = self._events.popleft()
        self._suspect = message.tries + 1 == MAX_TRIES
        self._under_way[message] = None
        return message

    def _one_by_one(self) -> bool:
        """Whether to wait: a last try goes alone, so that a message which breaks sessions takes no other with it."""
        if not self._under_way:
            return False
        return self._suspect or (not self._dirty and self._events.first.tries + 1 == MAX_TRIES)

    def sent(self, message: Outgoing) -> None:
        """The broker has it."""
        self.counters.published += 1
        self._done(message)

    def drop(self, message: Outgoing, why: str, detail: str = "") -> None:
        """It cannot be sent, or the broker does not want it; `detail` is in the broker's own words."""
        self.counters.dropped += 1
        now = time.monotonic()
        if now >= self._told.get(why, now):
            self._told[why] = now + QUIET_SECONDS
            more = f" ({detail})" if detail else ""
            log.warning("a message on %s is dropped: the broker does not take it: %s%s", message.topic, why, more)
        self._done(message)

    def _done(self, message: Outgoing) -> None:
        self._under_way.pop(message, None)
        if not self._under_way:
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
                self.drop(message, f"{MAX_TRIES} sessions broke over it")
