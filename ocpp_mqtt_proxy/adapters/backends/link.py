"""A backend's socket: its requests are carried out and answered, and events wait here while it does not read."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from websockets.frames import CloseCode

from ocpp_mqtt_proxy.backends import frames
from ocpp_mqtt_proxy.backends.desk import Backend, Desk
from ocpp_mqtt_proxy.backends.fanout import Event
from ocpp_mqtt_proxy.backends.frames import MAX_MESSAGE, Frame
from ocpp_mqtt_proxy.budget import Bucket
from ocpp_mqtt_proxy.core.commands import Outcome, Reason, Result, failed, refused
from ocpp_mqtt_proxy.sockets import Beginning, Connection

log = logging.getLogger(__name__)

MAX_EVENTS = 2_000
"""Events that wait for one reader at most."""

MAX_BYTES = 2 * 1024 * 1024
"""Bytes of them. Every reader's queue holds the same ones, not copies."""

CHUNK = 32 * 1024
"""Bytes written at once; then the transport has its say."""

MAX_RUNNING = 16
"""Requests of one socket that are carried out at once: a charger takes up to a minute for each."""

ABORT_SECONDS = 2.0
"""How long a reader that was too slow may take to be told so."""


@dataclass(slots=True)
class Counters:
    """What went over a backend's links; `dropped` are events that waited for a reader that was too slow."""

    requests: int = 0
    bad_requests: int = 0
    events: int = 0
    dropped: int = 0
    too_slow: int = 0

    def add(self, other: Counters) -> None:
        """Count what another has counted, too."""
        self.requests += other.requests
        self.bad_requests += other.bad_requests
        self.events += other.events
        self.dropped += other.dropped
        self.too_slow += other.too_slow


@dataclass(eq=False)
class Link:
    """One socket of a backend. `pace` is shared by all of its sockets; `left` is told when it reads no more."""

    backend: Backend
    connection: Connection
    desk: Desk
    pace: Bucket
    left: Callable[[Link], None]
    counters: Counters = field(default_factory=Counters)
    _events: deque[bytes] = field(default_factory=deque)
    _size: int = 0
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Serve until the socket closes. What is under way then is carried out all the same."""
        self.connection.listen(self.take, self.flush)
        try:
            await self.connection.wait_closed()
        finally:
            self._events.clear()

    # Requests

    def take(self, message: bytes) -> None:
        """Take a message; it is answered once, whatever it is like."""
        self.counters.requests += 1
        if isinstance(message, Beginning) or len(message) > MAX_MESSAGE:
            self._complain(Frame(), f"a message must be at most {MAX_MESSAGE} bytes")
            return
        frame = frames.opened(message)
        if frame.fault:
            self._complain(frame, frame.fault)
        elif len(self._running) >= MAX_RUNNING:
            self._answer(frame, refused(Reason.RATE_LIMITED, f"more than {MAX_RUNNING} requests at once"))
        else:
            task = asyncio.create_task(self._carry_out(frame))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _slow_down(self) -> None:
        """Who asks faster than it may waits in its own network. Nonsense is only read, and that has its own budget."""
        loop = asyncio.get_running_loop()
        if wait := self.pace.take(1, loop.time()):
            self.connection.hold()
            loop.call_later(wait, self.connection.release)

    async def _carry_out(self, frame: Frame) -> None:
        try:
            outcome = await self.desk.carry_out(self.backend, frame.action, frame.arguments)
        except Exception:  # a fault of ours costs one answer its sense, not the asker its answer
            log.exception("backend %s: a request failed", self.backend.provider)
            outcome = failed(Reason.INVALID, "it failed by a fault of ours; the log says more")
        if outcome.status is Result.ERROR:
            self.counters.bad_requests += 1
        else:
            self._slow_down()
        self._answer(frame, outcome)

    def _complain(self, frame: Frame, fault: str) -> None:
        self.counters.bad_requests += 1
        self._answer(frame, failed(Reason.INVALID, fault))

    def _answer(self, frame: Frame, outcome: Outcome) -> None:
        self.connection.put(frames.answer(frame, outcome))

    # Events

    def offer(self, event: Event) -> None:
        """Leave an event for the reader; one that lets too many wait is closed."""
        self._events.append(event.frame)
        self._size += len(event.frame)
        if len(self._events) > MAX_EVENTS or self._size > MAX_BYTES:
            self._give_up()

    def flush(self) -> None:
        """Write what waits, as far as the reader takes it."""
        while self._events and self.connection.takes:
            self.counters.events += 1
            chunk = bytearray(self._next())
            while self._events and len(chunk) + len(self._events[0]) <= CHUNK:
                self.counters.events += 1
                chunk += self._next()
            self.connection.put_frames(bytes(chunk))

    def _next(self) -> bytes:
        frame = self._events.popleft()
        self._size -= len(frame)
        return frame

    def _give_up(self) -> None:
        waiting = len(self._events)
        self.counters.dropped += waiting
        self.counters.too_slow += 1
        self._events.clear()
        self._size = 0
        self.left(self)
        why = f"too slow: {waiting} events waited"
        log.warning("backend %s: closed: %s", self.backend.provider, why)
        self.connection.part(why, CloseCode.POLICY_VIOLATION, ABORT_SECONDS)
