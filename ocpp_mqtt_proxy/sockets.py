"""A WebSocket of a peer that sends much: its messages are handed on as they arrive, and written without waiting.

`websockets` has a queue and a task to wake between the socket and its reader. For a message that is answered at
once that costs as much as the whole of OCPP-J, so this connection calls its reader directly.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

TURN = 16
"""Messages of one peer that are taken before the others have their turn."""

Take = Callable[[bytes], None]


class Connection(ServerConnection):
    """A connection with a listener instead of `recv`.

    Reading stops while the peer is ahead of its turn, while its listener holds it, and while the peer does not
    read what we write: it waits then, and nobody else does.
    """

    _take: Take | None = None
    _taken = 0
    _held = False
    _parts: bytearray | None = None
    _turn: asyncio.Handle | None = None
    _waiting: deque[bytes]

    def listen(self, take: Take) -> None:
        """Hand every whole message, text or binary, to `take`, in order, those that arrived before first."""
        self._take = take
        self._go_on()

    def put(self, message: bytes) -> bool:
        """Write a text message and do not wait; False where the connection is not open any more."""
        if self.protocol.state is not State.OPEN:
            return False
        self.protocol.send_text(message)
        self.send_data()
        return True

    def hold(self) -> None:
        """Hand on nothing more until `release`."""
        self._held = True
        self._stop_reading()

    def release(self) -> None:
        """Go on after `hold`."""
        self._held = False
        self._go_on()

    @property
    def farewell(self) -> str:
        """How a closed connection came to its end."""
        return str(self.close_exc)

    # What `websockets` and the event loop call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TCP connection is open."""
        self._waiting = deque()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came in: a turn begins."""
        self._taken = 0
        super().data_received(data)

    def process_event(self, event: Event) -> None:
        """A request, or a frame of any kind."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif event.fin and event.opcode is not Opcode.CONT:
            self._arrive(bytes(event.data))
        else:
            self._gather(event)

    def pause_writing(self) -> None:
        """The peer does not read: nor do we."""
        super().pause_writing()
        self._stop_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        super().resume_writing()
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone.

        What came before that is heard, one more turn of it: the rest was not answered, so the peer says it again.
        """
        self._taken = 0
        self._take_waiting()
        super().connection_lost(exc)

    # Turns

    def _gather(self, frame: Frame) -> None:
        """A part of a message; `websockets` has seen to their order and to their size in all."""
        self._parts = bytearray() if self._parts is None else self._parts
        self._parts += frame.data
        if frame.fin:
            message, self._parts = bytes(self._parts), None
            self._arrive(message)

    def _arrive(self, message: bytes) -> None:
        if self._take is not None and not self._waiting and self._may_take():
            self._taken += 1
            self._take(message)
        else:
            self._waiting.append(message)
            self._stop_reading()
            self._go_on()

    def _may_take(self) -> bool:
        return self._taken < TURN and not (self._held or self.paused)

    def _take_waiting(self) -> None:
        while self._take is not None and self._waiting and self._may_take():
            self._taken += 1
            self._take(self._waiting.popleft())

    def _stop_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _go_on(self) -> None:
        """Have the next turn, once the others had theirs."""
        if self._turn is None and self._take is not None:
            self._turn = self.loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        self._taken = 0
        self._take_waiting()
        if self._held or self.paused or self.transport.is_closing():
            return
        if self._waiting:
            self._go_on()
        else:
            self.transport.resume_reading()
