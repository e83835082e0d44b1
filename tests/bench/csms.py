"""A CSMS that accepts everything and thinks of nothing: `python -m tests.bench.csms PORT [stalled]`.

Behind the bare relay, or as a service of the proxy's. A stalled one reads nothing more once it has accepted a boot.
"""

from __future__ import annotations

import itertools
import sys

from tests.bench import wire
from tests.bench.loop import run

HEAD = 96
"""Bytes of a call in which its number and action stand: the rest need not even be unmasked."""

_AT = b'"currentTime":"2026-01-01T00:00:00Z"'
_ANSWERS = {
    b"BootNotification": b"{" + _AT + b',"interval":300,"status":"Accepted"}',
    b"DataTransfer": b'{"status":"Accepted"}',
    b"Heartbeat": b"{" + _AT + b"}",
    b"StopTransaction": b'{"idTagInfo":{"status":"Accepted"}}',
}
_transactions = itertools.count(1)


def answer(head: bytes) -> bytes:
    """The answer to a call that begins so."""
    _, number, _, action, _ = head.split(b'"', 4)
    if action == b"StartTransaction":
        payload = b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}' % next(_transactions)
    else:
        payload = _ANSWERS.get(action, b"{}")
    return b'[3,"' + number + b'",' + payload + b"]"


class Conversation(wire.Served):
    """One charger's."""

    def hear(self, text: bytes, key: bytes) -> None:
        """Answer."""
        self.send(answer(wire.unmasked(text[:HEAD], key)))


class Stalled(wire.Served):
    """One that breaks off after the boot, and leaves the connection open."""

    def hear(self, text: bytes, key: bytes) -> None:
        """Answer once."""
        self.send(answer(wire.unmasked(text[:HEAD], key)))
        assert self.transport is not None
        self.transport.pause_reading()


if __name__ == "__main__":
    run(wire.serve(Stalled if "stalled" in sys.argv else Conversation, int(sys.argv[1])))
