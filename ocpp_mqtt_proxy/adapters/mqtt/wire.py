"""MQTT's bytes, 3.1.1 and 5, for who publishes and listens to nothing. Sans-I/O.

What is asked of the broker is encoded, what it answers is decoded. Numbers in comments are sections of MQTT 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

V311, V5 = 4, 5
"""The protocol's levels on the wire."""

MOST = 268_435_455
"""What a packet's length can say at most (1.5.5)."""

MOST_IN = 65_536
"""Bytes of a packet that we take: answers are small. MQTT 5 brokers are told so."""

REFUSED = 0x80
"""From this reason code on the answer is no."""

CONNACK, PUBLISH, PUBACK, PUBREC, PUBCOMP, PINGRESP, DISCONNECT = 2, 3, 4, 5, 7, 13, 14
_ACKS = frozenset(kind << 4 for kind in (PUBACK, PUBREC, PUBCOMP))
_FIRST_BYTES = _ACKS | {kind << 4 for kind in (CONNACK, PINGRESP, DISCONNECT)} | set(range(PUBLISH << 4, PUBACK << 4))
"""What a packet for us begins with: its kind, and flags that only a PUBLISH has."""

PING = b"\xc0\x00"
GOODBYE = b"\xe0\x00"

REASONS = {
    0x00: "it gives no reason", 0x01: "it does not speak this version of MQTT", 0x02: "it does not take the client id",
    0x03: "it is not available", 0x04: "bad user name or password", 0x05: "not authorized",
    0x10: "nobody listens", 0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error",
    0x83: "it does not want it", 0x84: "it does not speak this version of MQTT",
    0x85: "it does not take the client id", 0x86: "bad user name or password", 0x87: "not authorized",
    0x88: "it is not available", 0x89: "it is busy", 0x8A: "banned", 0x8B: "it shuts down",
    0x8C: "bad authentication method", 0x8D: "it heard nothing of us for too long",
    0x8E: "another client took our client id", 0x90: "it does not take the topic", 0x91: "packet id in use",
    0x92: "packet id not found", 0x93: "more at once than it takes", 0x95: "larger than it takes",
    0x96: "more often than it takes", 0x97: "quota exceeded", 0x98: "by order of its administrator",
    0x99: "it does not take the payload's format", 0x9A: "it retains nothing",
    0x9B: "it does not take this quality of service", 0x9C: "use another server", 0x9D: "the server moved",
    0x9F: "too many connections",
}  # fmt: skip
"""What brokers say no with: MQTT 3.1.1's answers to CONNECT, and MQTT 5's to anything (2.4)."""


class Unsendable(ValueError):
    """MQTT, or this broker, has no such message."""


class Garbled(ValueError):
    """What came is not what a broker answers."""


def reason(code: int, text: str = "") -> str:
    """A reason code in words, with the broker's own where it gave some."""
    words = REASONS.get(code, f"reason 0x{code:02x}")
    return f"{words} ({text})" if text else words


# Out


@dataclass(frozen=True, slots=True)
class Connect:
    """How we introduce ourselves. `keepalive` in seconds; a password needs a user name."""

    client_id: str
    version: int = V5
    keepalive: int = 30
    username: str = ""
    password: str = ""

    def encode(self) -> bytes:
        """A CONNECT that asks for a clean start (3.1). Raises Unsendable."""
        who = [self.client_id]
        flags = 0x02
        if self.username:
            flags |= 0x80 | (0x40 if self.password else 0)
            who += [self.username, *([self.password] if self.password else [])]
        properties = struct.pack("!BBI", 5, _PACKET_SIZE, MOST_IN) if self.version == V5 else b""
        head = struct.pack("!H4sBBH", 4, b"MQTT", self.version, flags, self.keepalive)
        body = head + properties + b"".join(map(_text, who))
        return b"\x10" + _length(len(body)) + body


def publish(
    topic: str,
    payload: bytes,
    version: int,
    packet_id: int = 0,
    qos: int = 0,
    *,
    retain: bool = False,
    correlation: bytes | None = None,
) -> bytes:
    """A PUBLISH (3.3); only MQTT 5 has correlation data. Raises Unsendable."""
    name = _topic(topic)
    between = packet_id.to_bytes(2, "big") if qos else b""
    if version == V5:
        between += b"\x00" if correlation is None else _correlation(correlation)
    size = len(name) + len(between) + len(payload)
    first = 0x31 + 2 * qos if retain else 0x30 + 2 * qos
    # One and two digits of a length are nearly all there are, and this runs for every message.
    if size < 0x80:
        head = bytes((first, size))
    elif size < 0x4000:
        head = bytes((first, size & 0x7F | 0x80, size >> 7))
    else:
        head = bytes((first,)) + _length(size)
    return b"".join((head, name, between, payload))


def release(packet_id: int) -> bytes:
    """A PUBREL: the second half of quality of service 2 (3.6)."""
    return struct.pack("!BBH", 0x62, 2, packet_id)


@lru_cache(maxsize=4096)
def _topic(topic: str) -> bytes:
    """A topic to publish on, with its length. The same come again and again."""
    if not topic or any(sign in topic for sign in "+#\x00"):
        raise Unsendable("no topic to publish on")
    return _text(topic)


def _text(text: str) -> bytes:
    try:
        return _data(text.encode())
    except UnicodeEncodeError:
        raise Unsendable("no text of Unicode") from None


def _data(data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise Unsendable("a text too long for MQTT")
    return len(data).to_bytes(2, "big") + data


def _correlation(correlation: bytes) -> bytes:
    properties = bytes((_CORRELATION,)) + _data(correlation)
    return _length(len(properties)) + properties


def _length(size: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    if size > MOST:
        raise Unsendable("longer than MQTT has messages")
    digits = bytearray()
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    digits.append(size)
    return bytes(digits)


# In


@dataclass(frozen=True, slots=True)
class Connack:
    """The broker's answer to CONNECT, and what it takes (3.2). `server_keep_alive` in seconds, where it demands one."""

    reason: int
    text: str = ""
    receive_maximum: int = 65_535
    maximum_qos: int = 2
    maximum_packet_size: int = MOST + 5
    retain_available: bool = True
    server_keep_alive: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether we are in."""
        return self.reason == 0


class Ack(NamedTuple):
    """A PUBACK, PUBREC or PUBCOMP (3.4)."""

    kind: int
    packet_id: int
    reason: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The broker ends it (3.14)."""

    reason: int
    text: str = ""


Packet = Connack | Ack | Disconnect


class Decoder:
    """Packets out of bytes as they come. What needs no answer (PINGRESP, a PUBLISH nobody asked for) is left out."""

    def __init__(self) -> None:
        self._rest = b""

    def packets(self, data: bytes) -> Iterator[Packet]:
        """The packets that are complete now. Raises Garbled, after those before it; then all is over."""
        data = self._rest + data
        at, end = 0, len(data)
        while end - at >= 2:
            if data[at] in _ACKS and data[at + 1] in (2, 3) and end - at >= 5:  # nearly all there are
                code = data[at + 4] if data[at + 1] == 3 else 0
                yield Ack(data[at] >> 4, data[at + 2] << 8 | data[at + 3], code)
                at += 2 + data[at + 1]
                continue
            body = _body(data, at)
            if body is None or body.stop > end:
                break
            if packet := _decode(data[at], data[body]):
                yield packet
            at = body.stop
        self._rest = data[at:]


def _body(data: bytes, at: int) -> slice | None:
    """Where the body of the packet at `at` is; None where its length is not there yet."""
    if data[at] not in _FIRST_BYTES:
        raise Garbled(f"a packet that is none for us: 0x{data[at]:02x}")
    try:
        size, start = _number(data, at + 1)
    except IndexError:
        return None
    if size > MOST_IN:
        raise Garbled(f"a packet of {size} bytes")
    return slice(start, start + size)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer, and where it ends. Raises IndexError where it is cut off."""
    value = 0
    for position in range(4):
        digit = data[at + position]
        value |= (digit & 0x7F) << 7 * position
        if digit < 0x80:
            return value, at + position + 1
    raise Garbled("a length without an end")


def _decode(first: int, body: bytes) -> Packet | None:
    kind = first >> 4
    if kind == PUBLISH:
        return None
    try:
        if kind == CONNACK:
            return _connack(body)
        if first in _ACKS:
            code, text = _reason(body[2:])
            return Ack(kind, body[0] << 8 | body[1], code, text)
        return Disconnect(*_reason(body)) if kind == DISCONNECT else None
    except (IndexError, UnicodeDecodeError):
        raise Garbled(f"a packet 0x{first:02x} that ends too early") from None


def _connack(body: bytes) -> Connack:
    """3.1.1's is two bytes; so may be the answer of a broker of 3.1.1 to a CONNECT of 5."""
    code, found = body[1], _properties(body[2:])
    number = found.numbers.get
    size, window = number(_PACKET_SIZE, MOST + 5), number(0x21, 65_535)
    if not size or not window:
        raise Garbled("a broker that takes nothing")
    return Connack(code, found.reason, window, number(0x24, 2), size, number(0x25, 1) == 1, number(0x13))


def _reason(body: bytes) -> tuple[int, str]:
    """A reason code and its text; left out, it is 0 (3.4.2.1)."""
    return (body[0], _properties(body[1:]).reason) if body else (0, "")


@dataclass(slots=True)
class _Properties:
    """What we look at of properties: numbers, and the reason in words."""

    numbers: dict[int, int] = field(default_factory=dict)
    reason: str = ""


_PACKET_SIZE, _CORRELATION, _REASON_TEXT, _PAIR = 0x27, 0x09, 0x1F, 0x26
_SIZES = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
"""Bytes of the properties that are numbers (2.2.2.2)."""
_STRINGS = frozenset({0x03, 0x08, _CORRELATION, 0x12, 0x15, 0x16, 0x1A, 0x1C, _REASON_TEXT, _PAIR})


def _properties(data: bytes) -> _Properties:
    """What a packet ends with in MQTT 5 (2.2.2); of most we only need to know how long they are."""
    found = _Properties()
    if not data:
        return found
    size, at = _number(data, 0)
    if at + size != len(data):
        raise Garbled("properties that do not end with their packet")
    while at < len(data):
        kind, at = data[at], at + 1
        if size := _SIZES.get(kind, 0):
            value, at = _cut(data, at, size)
            found.numbers[kind] = int.from_bytes(value, "big")
        elif kind in _STRINGS:
            value, at = _string(data, at)
            if kind == _PAIR:
                _, at = _string(data, at)
            elif kind == _REASON_TEXT:
                found.reason = value.decode()
        else:
            raise Garbled(f"a property 0x{kind:02x}")
    return found


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _cut(data, at, 2)
    return _cut(data, at, int.from_bytes(size, "big"))


def _cut(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Bytes, and where they end. Raises IndexError where they are cut off."""
    end = at + size
    if end > len(data):
        raise IndexError
    return data[at:end], end
