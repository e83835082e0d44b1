"""Frames as they come from the network: `websockets`' own, but one that is too long is dropped while it comes.

`websockets` closes a connection over such a frame (1009), and a charger that has one to send would come back with
it for ever. Here its beginning is handed on, longer than any whole message may be, which tells it from one.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from websockets.server import ServerProtocol
from websockets.streams import StreamReader


class Reader(StreamReader):
    """A stream that never holds more than `most` bytes for one read."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

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


class Framing(ServerProtocol):
    """`websockets`' protocol without its limit on messages: whoever takes the frames has one."""

    def __init__(self, most: int, **options: Any) -> None:  # noqa: ANN401 (websockets' own)
        self._most = most
        super().__init__(max_size=None, **options)

    def parse(self) -> Generator[None]:
        """Read the request, then frames, for ever."""
        self.reader = Reader(self._most)
        yield from super().parse()
