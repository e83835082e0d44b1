"""A WebSocket of a peer that sends much: its messages are handed on as they arrive, and written without waiting.

`websockets` has a queue and a task to wake between the socket and its reader. For a message that is answered at
once that costs as much as the whole of OCPP-J, so this connection calls its reader directly.

A peer has a budget (`budget.py`). While it is beyond that, or ahead of its turn, or does not read what we write,
it is not read either: what it sends waits in its own network, and nobody else waits at all.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection as AnyConnection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event, State

from ocpp_mqtt_proxy.budget import FRAME_COST, KEPT, SLICE, TRICKLE, TURN, Bucket, Budget, Excess
from ocpp_mqtt_proxy.framing import Unlimited, masked_text_frame, text_frame, whole_answer, whole_message

LOOK = 64 * 1024
"""Bytes between two looks at the clock: most peers never send so much that it matters."""

Take = Callable[[bytes], None]


class Beginning(bytes):
    """What was kept of a message that was too long to hold."""


class Paced(AnyConnection):
    """A connection with a listener instead of `recv`.

    `_whole` finds a message that lies whole in what came, `_frame` makes a frame of one that goes.
    """

    _whole: Callable[[bytes, int], tuple[bytes, int] | None]
    _frame: Callable[[bytes], bytes]
    _take: Take | None = None
    _drained: Callable[[], None] | None = None
    _taken = 0
    _held = False
    _resting = False
    _parts: bytearray | None = None
    _size = 0
    _cost = 0
    _heard_at = 0.0
    _settled = 0
    _unparsed = b""
    _turn: asyncio.Handle | None = None
    _cut_for = ""

    def __init__(self, framing: Unlimited, *args: Any, budget: Budget | None = None, **options: Any) -> None:  # noqa: ANN401
        super().__init__(framing, *args, **options)
        self._framing = framing
        self.budget = budget or Budget()
        self.excess = Excess()
        self._allowance = Bucket(self.budget.allowance, self.budget.burst, self.loop.time())
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._waiting: deque[bytes] = deque()

    # For its user

    def listen(self, take: Take, drained: Callable[[], None] | None = None) -> None:
        """Hand every whole message, text or binary, to `take`, in order, those that arrived before first.

        Of one that was too long to hold it gets a `Beginning`. `drained` is called whenever the peer reads again.
        """
        self._take, self._drained = take, drained
        self._go_on()

    def put(self, message: bytes) -> bool:
        """Write a text message and do not wait; False where the connection is not open any more."""
        if self.protocol.state is not State.OPEN:
            return False
        self._write(message)
        return True

    def _write(self, message: bytes) -> None:
        self.transport.write(self._frame(message))

    @property
    def takes(self) -> bool:
        """Whether the peer reads what we write, as far as one can tell."""
        return self.protocol.state is State.OPEN and not self.paused

    def hold(self) -> None:
        """Hand on nothing more until `release`."""
        self._held = True
        self._stop_reading()

    def release(self) -> None:
        """Go on after `hold`."""
        self._held = False
        self._go_on()

    def keep_alive(self, interval: float, patience: float) -> None:
        """Ping a peer that was silent for `interval` seconds; cut it where nothing comes for `patience` more."""
        self._in(interval, "ping", self._ping, interval, patience)

    async def answers(self, seconds: float) -> bool:
        """Whether there is life at the other end: a pong, or anything worth the name."""
        before = self._cost
        try:
            async with asyncio.timeout(seconds):
                await (await self.ping())
        except (TimeoutError, ConnectionClosed):
            return self.state is State.OPEN and self._came_since(before)
        return True

    def part(self, reason: str, code: int = CloseCode.GOING_AWAY, seconds: float | None = None) -> None:
        """Close, for a reason, and do not wait. Nothing is handed on any more; who does not close in time is cut."""
        if self.protocol.state is State.CLOSED:
            return
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(code, reason[:100])
            self.send_data()
        self._in(self.budget.close_seconds if seconds is None else seconds, "part", self.cut, reason)
        self._waiting.clear()
        self._take, self._held = _ignore, False
        self._go_on()

    def cut(self, reason: str) -> None:
        """End it at once."""
        self._cut_for = self._cut_for or reason
        self.transport.abort()

    def forget_request(self) -> None:
        """Give up what is held of the handshake: some kilobytes, and perhaps a password."""
        if self.request is not None:
            self.request.path = ""
            self.request.headers.clear()

    @property
    def farewell(self) -> str:
        """How a closed connection came to its end."""
        return self._cut_for or str(self.close_exc)

    # What `websockets` and the event loop call

    def data_received(self, data: bytes) -> None:
        """Bytes came in: a turn begins. Many are read in slices, a turn each."""
        self._taken = 0
        if self._unparsed or len(data) > SLICE:
            self._unparsed += data
            self._read_slice()
        else:
            self._read(data)

    def eof_received(self) -> None:
        """The peer has said all."""
        while self._unparsed:
            self._read_slice()
        super().eof_received()

    def process_event(self, event: Event) -> None:
        """A request, or a frame of any kind."""
        self._cost += FRAME_COST
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            self._heard_at = self.loop.time()
            super().process_event(event)
        elif event.fin and event.opcode is not Opcode.CONT:
            self._arrive(bytes(event.data), len(event.data))
        else:
            self._gather(event)

    def pause_writing(self) -> None:
        """The peer does not read: nor do we, and not for ever."""
        super().pause_writing()
        self.excess.unread += 1
        seconds = self.budget.write_seconds
        self._in(seconds, "unread", self.cut, f"it read nothing for {seconds:g} s")
        self._stop_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        self._stop_timer("unread")
        self._go_on()
        if self._drained is not None:
            self._drained()

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone.

        What came before that is heard, one more turn of it: the rest was not answered, so the peer says it again.
        """
        self._taken = 0
        self._take_waiting()
        for timer in self._timers.values():
            timer.cancel()
        super().connection_lost(exc)

    # Messages

    def _gather(self, frame: Frame) -> None:
        """A part of a message; `websockets` has seen to their order."""
        self._parts = bytearray() if self._parts is None else self._parts
        self._size += len(frame.data)
        self._parts += frame.data
        if self._size > self.budget.message:
            del self._parts[KEPT:]
        if frame.fin:
            message, size = bytes(self._parts), self._size
            self._parts, self._size = None, 0
            self._arrive(message, size)

    def _arrive(self, message: bytes, size: int) -> None:
        self._heard_at = self.loop.time()
        if size > self.budget.message:
            self.excess.too_long += 1
            message = Beginning(message[:KEPT])
        if self._take is not None and not self._waiting and self._may_take():
            self._taken += 1
            self._take(message)
        else:
            self._waiting.append(message)
            self._stop_reading()
            self._go_on()

    # Turns

    @property
    def _stopped(self) -> bool:
        return self._held or self.paused or self._resting

    def _may_take(self) -> bool:
        return self._taken < TURN and not self._stopped

    def _take_waiting(self) -> None:
        while self._take is not None and self._waiting and self._may_take():
            self._taken += 1
            self._take(self._waiting.popleft())

    def _stop_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _go_on(self) -> None:
        """Have the next turn, once the others had theirs."""
        if self._turn is None:
            self._turn = self.loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        self._taken = 0
        self._take_waiting()
        if self._stopped or self.transport.is_closing():
            return
        if self._waiting:
            if self._take is not None:
                self._go_on()
        elif self._unparsed:
            self._read_slice()
        else:
            self.transport.resume_reading()

    def _read_slice(self) -> None:
        part, self._unparsed = self._unparsed[:SLICE], self._unparsed[SLICE:]
        self._stop_reading()
        self._read(part)
        self._go_on()

    def _read(self, data: bytes) -> None:
        self._cost += len(data)
        read = self._read_messages(data) if self._framing.between_messages else 0
        if read < len(data):
            super().data_received(data[read:])
        if self._cost - self._settled > LOOK:
            self._settle()

    def _read_messages(self, data: bytes) -> int:
        """Take the messages that lie whole at the beginning; how many bytes that were."""
        read = 0
        while read < len(data) and (found := self._whole(data, read)):
            message, read = found
            self._cost += FRAME_COST
            self._arrive(message, len(message))
        return read

    def _settle(self) -> None:
        """See whether the peer is over its budget; it is not read until it is not."""
        wait = self._allowance.take(self._cost - self._settled, self.loop.time())
        self._settled = self._cost
        if wait and not self._resting:
            self.excess.slowed += 1
            self._resting = True
            self._in(wait, "rest", self._rested)
            self._stop_reading()

    def _rested(self) -> None:
        self._resting = False
        self._go_on()

    # Life

    def _came_since(self, before: int) -> bool:
        return self._cost - before >= TRICKLE

    def _ping(self, interval: float, patience: float) -> None:
        if self.protocol.state is not State.OPEN:
            return
        silent = self.loop.time() - self._heard_at
        if silent < interval:
            self._in(interval - silent, "ping", self._ping, interval, patience)
            return
        if not self.paused:
            self.protocol.send_ping(b"ping")
            self.send_data()
        if "pong" not in self._timers:
            self._in(patience, "pong", self._judge, self._cost, patience)
        self.keep_alive(interval, patience)

    def _judge(self, before: int, patience: float) -> None:
        del self._timers["pong"]
        if self.protocol.state is State.OPEN and not self._came_since(before):
            self.cut(f"no pong within {patience:g} s")

    def _in(self, seconds: float, name: str, do: Callable[..., None], *given: Any) -> None:  # noqa: ANN401
        """Do something in a while, unless it is put off by the same name."""
        self._stop_timer(name)
        self._timers[name] = self.loop.call_later(seconds, do, *given)

    def _stop_timer(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()


class Connection(Paced, ServerConnection):
    """A connection of a peer that came to us."""

    _whole = staticmethod(whole_message)
    _frame = staticmethod(text_frame)

    def put_frames(self, frames: bytes) -> None:
        """Write frames that are made already, to an open connection; do not wait."""
        if self.protocol.state is State.OPEN:
            self.transport.write(frames)

    def forget_request(self) -> None:
        """Give up what is held of the handshake, our response too."""
        super().forget_request()
        self.response = None


class Outbound(Paced, ClientConnection):
    """A connection to a peer that we dialled."""

    _whole = staticmethod(whole_answer)
    _frame = staticmethod(masked_text_frame)


def _ignore(_: bytes) -> None:
    """What comes after the end is nobody's."""
