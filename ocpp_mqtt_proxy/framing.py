"""Frames as they come from the network and go to it: `websockets`' own, with two ways around.

A frame that is too long is dropped while it comes: `websockets` closes a connection over it (1009), and a charger
that has one to send would come back with it for ever. Its beginning is handed on, longer than any whole message
may be, which tells it from one.

A message in one frame that has come whole is taken as it lies, and one to send is put down likewise: that is
nearly every message, and to go through the parser costs more than all we do with it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.typing import Subprotocol

try:
    from websockets.speedups import apply_mask
except ImportError:  # where it has no wheel
    from websockets.utils import apply_mask

FINAL = 0x80
MASKED = 0x80
TWO_BYTES = 126
"""As a frame's length: it stands in the next two bytes (RFC 6455 §5.2)."""

MESSAGES = (FINAL | Opcode.TEXT, FINAL | Opcode.BINARY)
"""First bytes of frames that are whole messages, without extensions."""


def whole_message(data: bytes, start: int) -> tuple[bytes, int] | None:
    """The message of a client's frame at `start`, and where it ends; None for any other frame or a part of one."""
    if len(data) < start + 6 or data[start] not in MESSAGES or not data[start + 1] & MASKED:
        return None
    length, mask = data[start + 1] & ~MASKED, start + 2
    if length == TWO_BYTES:
        length, mask = int.from_bytes(data[mask : mask + 2], "big"), mask + 2
    elif length > TWO_BYTES:
        return None
    first = mask + 4
    if len(data) < first + length:
        return None
    return apply_mask(data[first : first + length], data[mask:first]), first + length


def whole_answer(data: bytes, start: int) -> tuple[bytes, int] | None:
    """As `whole_message`, of a server's frame, which has no mask."""
    if len(data) < start + 4 or data[start] not in MESSAGES or data[start + 1] > TWO_BYTES:
        return None
    length, first = data[start + 1], start + 2
    if length == TWO_BYTES:
        length, first = int.from_bytes(data[first : first + 2], "big"), first + 2
    end = first + length
    return None if len(data) < end else (data[first:end], end)


def text_frame(message: bytes) -> bytes:
    """A server's frame with a whole text message."""
    return _head(len(message), 0) + message


def masked_text_frame(message: bytes) -> bytes:
    """As `text_frame`, a client's: under a mask that nobody could foresee (RFC 6455 §5.3)."""
    mask = next(_masks)
    return _head(len(message), MASKED) + mask + apply_mask(message, mask)


def _head(length: int, masked: int) -> bytes:
    """What a whole text message of that length begins with."""
    if length < TWO_BYTES:
        return bytes((FINAL | Opcode.TEXT, masked | length))
    if length < 1 << 16:
        return bytes((FINAL | Opcode.TEXT, masked | TWO_BYTES)) + length.to_bytes(2, "big")
    return bytes((FINAL | Opcode.TEXT, masked | 127)) + length.to_bytes(8, "big")


def _random_masks() -> Iterator[bytes]:
    """Masks, many at once: to ask the system for each costs more than all else of a frame."""
    while True:
        block = os.urandom(4 * 256)
        for start in range(0, len(block), 4):
            yield block[start : start + 4]


_masks = _random_masks()


class Reader(StreamReader):
    """A stream that never holds more than `most` bytes for one read. `between`: the next byte begins a frame."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.between = False
        self._most = most

    def at_eof(self) -> Generator[None, None, bool]:
        """Wait for the next frame's first byte; whether none will come."""
        self.between = True
        ended = yield from super().at_eof()
        self.between = False
        return ended

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        """Read so many bytes; of too many the first `most` and one more, the rest is dropped.

        Raises EOFError.
        """
        if n > self._most:
            return (yield from self._read_beginning(n))
        while len(self.buffer) < n:
            self._expect_more(n)
            yield
        read = self.buffer[:n]
        del self.buffer[:n]
        return read

    def _read_beginning(self, n: int) -> Generator[None, None, bytearray]:
        beginning = yield from self.read_exact(self._most)
        left = n - self._most
        while left:
            dropped = min(left, len(self.buffer))
            del self.buffer[:dropped]
            left -= dropped
            if left:
                self._expect_more(left)
                yield
        return beginning + b"\0"

    def _expect_more(self, n: int) -> None:
        if self.eof:
            raise EOFError(f"the stream ends {n - len(self.buffer)} bytes too early")


class Unlimited(Protocol):
    """`websockets`' protocol without its limit on messages: whoever takes the frames has one."""

    _most: int

    @property
    def between_messages(self) -> bool:
        """Whether the next byte begins a message, on an open connection."""
        return self.state is State.OPEN and self.current_size is None and self._frames.between

    def parse(self) -> Generator[None]:
        """Read the handshake, then frames, for ever."""
        self.reader = self._frames = Reader(self._most)
        yield from super().parse()


class Framing(Unlimited, ServerProtocol):
    """A server's end."""

    def __init__(self, most: int, **options: Any) -> None:  # noqa: ANN401 (websockets' own)
        self._most = most
        super().__init__(max_size=None, **options)


class ClientFraming(Unlimited, ClientProtocol):
    """A client's end. What the server says of subprotocols is taken as it stands: its user judges it."""

    def __init__(self, most: int, *args: Any, **options: Any) -> None:  # noqa: ANN401 (websockets' own)
        self._most = most
        super().__init__(*args, max_size=None, **options)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """All that the server named, or None."""
        return Subprotocol(", ".join(headers.get_all("Sec-WebSocket-Protocol"))) or None
