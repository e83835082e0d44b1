"""MQTT's bytes, against paho's codec of lengths and properties: what we write it reads, what it writes we read."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from ocpp_mqtt_proxy.adapters.mqtt import wire
from ocpp_mqtt_proxy.adapters.mqtt.wire import Ack, Connack, Connect, Decoder, Disconnect, Garbled, Packet, Unsendable

VERSIONS = st.sampled_from([wire.V311, wire.V5])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
TOPICS = TEXTS.filter(lambda text: text and not set(text) & set("+#"))
IDS = st.integers(1, 0xFFFF)
REASONS = st.sampled_from([0x00, 0x10, 0x80, 0x87, 0x97])
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=3)


class Reader:
    """Reads a packet of ours, in the words of the specification."""

    def __init__(self, packet: bytes) -> None:
        self.first = packet[0]
        size, digits = VariableByteIntegers.decode(packet[1:])
        self.rest = packet[1 + digits :]
        assert len(self.rest) == size

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self.rest)
        self.rest = self.rest[struct.calcsize(layout) :]
        return int(value)

    def data(self) -> bytes:
        size = self.number("!H")
        value, self.rest = self.rest[:size], self.rest[size:]
        assert len(value) == size
        return value

    def properties(self, kind: int) -> dict[str, Any]:
        found = Properties(kind)
        _, size = found.unpack(self.rest)
        self.rest = self.rest[size:]
        return dict(found.json())


def framed(first: int, body: bytes) -> bytes:
    return bytes((first,)) + bytes(VariableByteIntegers.encode(len(body))) + body


def packed(kind: int, pairs: list[tuple[str, str]] = (), **values: Any) -> bytes:  # type: ignore[assignment]
    """Properties as paho writes them."""
    properties = Properties(kind)
    for name, value in values.items():
        setattr(properties, name, value)
    for pair in pairs:
        properties.UserProperty = pair
    return bytes(properties.pack())


def decoded(data: bytes) -> list[Packet]:
    return list(Decoder().packets(data))


# Out


@given(
    VERSIONS, TOPICS, st.binary(max_size=40), st.integers(0, 2), st.booleans(), IDS, st.none() | st.binary(max_size=40)
)
def test_what_is_published_is_read_back(
    version: int, topic: str, payload: bytes, qos: int, retain: bool, packet_id: int, correlation: bytes | None
) -> None:
    read = Reader(wire.publish(topic, payload, version, packet_id, qos, retain=retain, correlation=correlation))
    assert (read.first >> 4, read.first >> 1 & 3, read.first & 1) == (3, qos, retain)
    assert read.data().decode() == topic
    assert not qos or read.number("!H") == packet_id
    if version == wire.V5:
        assert read.properties(PacketTypes.PUBLISH) == (
            {} if correlation is None else {"CorrelationData": correlation.hex()}
        )
    assert read.rest == payload


@pytest.mark.parametrize("size", [0, 100, 120, 127, 128, 16_370, 16_383, 16_384, 2_097_151, 2_097_152])
def test_a_payload_of_any_length_is_read_back(size: int) -> None:
    for around in range(max(0, size - 12), size + 3):
        read = Reader(wire.publish("topic", b"x" * around, wire.V311))
        read.data()
        assert len(read.rest) == around


@given(VERSIONS, TEXTS, TEXTS, TEXTS, st.integers(0, 0xFFFF))
def test_who_we_are_is_read_back(version: int, client_id: str, username: str, password: str, keepalive: int) -> None:
    read = Reader(Connect(client_id, version, keepalive, username, password).encode())
    assert (read.first, read.data(), read.number("!B")) == (0x10, b"MQTT", version)
    flags = read.number("!B")
    assert read.number("!H") == keepalive
    if version == wire.V5:
        assert read.properties(PacketTypes.CONNECT) == {"MaximumPacketSize": wire.MOST_IN}
    assert read.data().decode() == client_id
    assert flags == 0x02 | (0x80 if username else 0) | (0x40 if username and password else 0)
    assert not username or read.data().decode() == username
    assert not (username and password) or read.data().decode() == password
    assert read.rest == b""


@given(IDS)
def test_a_release_is_read_back(packet_id: int) -> None:
    read = Reader(wire.release(packet_id))
    assert (read.first, read.number("!H"), read.rest) == (0x62, packet_id, b"")


NO_TOPICS = ["", "a/+/b", "a/#", "a\x00b", "x" * 65_536, "\ud800"]


@pytest.mark.parametrize("topic", NO_TOPICS, ids=ascii)
def test_what_is_no_topic_is_not_sent(topic: str) -> None:
    with pytest.raises(Unsendable):
        wire.publish(topic, b"", wire.V5)


def test_what_is_longer_than_mqtt_has_packets_is_not_sent() -> None:
    with pytest.raises(Unsendable):
        wire.publish("topic", bytes(wire.MOST), wire.V5)


def test_correlation_data_longer_than_mqtt_has_it_is_not_sent() -> None:
    with pytest.raises(Unsendable):
        wire.publish("topic", b"", wire.V5, correlation=bytes(65_536))


# In


@given(
    REASONS,
    st.fixed_dictionaries(
        {},
        optional={
            "ReceiveMaximum": IDS,
            "MaximumQoS": st.integers(0, 1),
            "MaximumPacketSize": st.integers(1, 0xFFFF_FFFF),
            "RetainAvailable": st.integers(0, 1),
            "ServerKeepAlive": st.integers(0, 0xFFFF),
            "ReasonString": TEXTS,
            "AssignedClientIdentifier": TEXTS,
            "TopicAliasMaximum": IDS,
            "AuthenticationData": st.binary(max_size=9),
        },
    ),
    PAIRS,
)
def test_a_welcome_tells_what_the_broker_takes(
    reason: int, given: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    body = bytes((0, reason)) + packed(PacketTypes.CONNACK, pairs, **given)
    assert decoded(framed(0x20, body)) == [
        Connack(
            reason,
            given.get("ReasonString", ""),
            given.get("ReceiveMaximum", 65_535),
            given.get("MaximumQoS", 2),
            given.get("MaximumPacketSize", wire.MOST + 5),
            given.get("RetainAvailable", 1) == 1,
            given.get("ServerKeepAlive"),
        )
    ]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5])
def test_a_welcome_of_3_1_1_is_a_code(code: int) -> None:
    (welcome,) = decoded(bytes((0x20, 2, 0, code)))
    assert isinstance(welcome, Connack)
    assert welcome.accepted == (code == 0)
    assert "0x" not in wire.reason(welcome.reason, welcome.text)


KINDS = st.sampled_from([wire.PUBACK, wire.PUBREC, wire.PUBCOMP])


@given(KINDS, IDS)
def test_an_acknowledgement_of_3_1_1_is_an_id(kind: int, packet_id: int) -> None:
    assert decoded(framed(kind << 4, struct.pack("!H", packet_id))) == [Ack(kind, packet_id)]


@given(KINDS, IDS, REASONS, st.none() | TEXTS, PAIRS)
def test_an_acknowledgement_of_5_may_say_no_and_why(
    kind: int, packet_id: int, reason: int, text: str | None, pairs: list[tuple[str, str]]
) -> None:
    body = struct.pack("!HB", packet_id, reason)
    assert decoded(framed(kind << 4, body)) == [Ack(kind, packet_id, reason)]
    body += packed(kind, pairs, **({} if text is None else {"ReasonString": text}))
    assert decoded(framed(kind << 4, body)) == [Ack(kind, packet_id, reason, text or "")]


@given(REASONS, TEXTS)
def test_a_broker_that_ends_it_may_say_why(reason: int, text: str) -> None:
    assert decoded(b"\xe0\x00") == [Disconnect(0)]
    assert decoded(framed(0xE0, bytes((reason,)))) == [Disconnect(reason)]
    properties = packed(PacketTypes.DISCONNECT, ReasonString=text, ServerReference="elsewhere")
    assert decoded(framed(0xE0, bytes((reason,)) + properties)) == [Disconnect(reason, text)]


@pytest.mark.parametrize(
    "packet", [b"\xd0\x00", framed(0x30, b"\x00\x01tunasked"), framed(0x3B, bytes(60_000))], ids=len
)
def test_what_needs_no_answer_is_passed_over(packet: bytes) -> None:
    assert decoded(packet + b"\x40\x02\x00\x07") == [Ack(wire.PUBACK, 7)]


PACKETS = st.lists(
    st.sampled_from(
        [
            b"\x20\x02\x00\x00",
            framed(0x20, b"\x00\x00" + packed(PacketTypes.CONNACK, ReceiveMaximum=20)),
            b"\x40\x02\x12\x34",
            framed(0x40, b"\x12\x34\x87" + packed(PacketTypes.PUBACK, ReasonString="x" * 200)),
            b"\x50\x02\x00\x01",
            b"\x70\x02\x00\x01",
            b"\xd0\x00",
            framed(0x30, b"\x00\x01t" + bytes(300)),
            b"\xe0\x00",
        ]
    ),
    max_size=8,
)


@given(PACKETS, st.lists(st.integers(1, 9), min_size=1))
def test_however_the_line_cuts_it_the_same_comes_out(packets: list[bytes], sizes: list[int]) -> None:
    decoder, found, data, turn = Decoder(), list[Packet](), b"".join(packets), 0
    while data:
        size = sizes[turn % len(sizes)]
        found += decoder.packets(data[:size])
        data, turn = data[size:], turn + 1
    assert found == [packet for each in packets for packet in decoded(each)]


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=5))
def test_garbage_is_told_of_and_does_no_other_harm(pieces: list[bytes]) -> None:
    decoder = Decoder()
    with contextlib.suppress(Garbled):
        for piece in pieces:
            assert all(isinstance(packet, Packet) for packet in decoder.packets(piece))


GARBAGE: dict[str, bytes] = {
    "a packet for brokers": b"\x10\x00",
    "a subscription's answer": b"\x90\x03\x00\x01\x00",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n",
    "a length without an end": b"\x40\xff\xff\xff\xff\x01",
    "a packet larger than answers are": b"\x40\xff\xff\x7f",
    "a welcome without a code": b"\x20\x01\x00",
    "an acknowledgement of nothing": b"\x40\x00",
    "half an id": b"\x40\x01\x00",
    "properties longer than their packet": b"\x20\x03\x00\x00\x05",
    "properties shorter than their packet": b"\x20\x05\x00\x00\x00\x21\x00",
    "a property that nobody knows": b"\x20\x05\x00\x00\x02\x7f\x00",
    "half a number": b"\x20\x05\x00\x00\x02\x21\x00",
    "half a text": b"\x20\x07\x00\x00\x04\x1f\x00\x05x",
    "half a pair": b"\x20\x07\x00\x00\x04\x26\x00\x01x",
    "a text that is none": b"\x20\x07\x00\x00\x04\x1f\x00\x01\xff",
    "a broker that takes nothing at once": b"\x20\x06\x00\x00\x03\x21\x00\x00",
    "a broker that takes no packet": b"\x20\x08\x00\x00\x05\x27\x00\x00\x00\x00",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_what_no_broker_answers_is_garbled(what: str) -> None:
    with pytest.raises(Garbled):
        decoded(GARBAGE[what])


def test_what_came_before_the_garbage_counts() -> None:
    packets = Decoder().packets(b"\x40\x02\x00\x01\xff\xff")
    assert next(packets) == Ack(wire.PUBACK, 1)
    with pytest.raises(Garbled):
        next(packets)


SAID: list[tuple[Callable[[], str], str]] = [
    (lambda: wire.reason(0x87), "not authorized"),
    (lambda: wire.reason(0x87, "by the ACL"), "not authorized (by the ACL)"),
    (lambda: wire.reason(0xFE), "reason 0xfe"),
]


@pytest.mark.parametrize(("say", "words"), SAID)
def test_a_reason_is_said_in_words(say: Callable[[], str], words: str) -> None:
    assert say() == words
