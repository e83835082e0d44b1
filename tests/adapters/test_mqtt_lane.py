"""The lane on which we publish, with real brokers and with brokers that answer as the test wants."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.mqtt import wire
from ocpp_mqtt_proxy.adapters.mqtt.outbox import MAX_EVENTS, Outbox
from ocpp_mqtt_proxy.adapters.mqtt.publisher import WINDOWS, LaneLost, OwnLane, open_lane
from ocpp_mqtt_proxy.adapters.mqtt.session import Broker as Address
from ocpp_mqtt_proxy.demo.broker import free_port
from tests.adapters.mqtt_rig import level, listening, packet, stub, until
from tests.brokers import Broker
from tests.running import PATIENCE

CONNECT, PUBLISH, PUBREL, PINGREQ, GOODBYE = 0x10, 0x30, 0x62, 0xC0, 0xE0
WELCOME, PONG = b"\x20\x02\x00\x00", b"\xd0\x00"
RETAIN = 0x01
WINDOW = WINDOWS[1]


def an_outbox() -> Outbox:
    outbox = Outbox()
    outbox.connected.set()
    return outbox


def welcome(**properties: int) -> bytes:
    """A CONNACK of MQTT 5."""
    layouts = {"window": (0x21, "!BH"), "qos": (0x24, "!BB"), "retains": (0x25, "!BB"), "size": (0x27, "!BI"), "alive": (0x13, "!BH")}  # fmt: skip
    packed = b"".join(struct.pack(layouts[name][1], layouts[name][0], value) for name, value in properties.items())
    return bytes((0x20, 3 + len(packed), 0, 0, len(packed))) + packed


def ack(packet_id: int, reason: int | None = None, kind: int = wire.PUBACK) -> bytes:
    body = packet_id.to_bytes(2, "big") + (b"" if reason is None else bytes((reason,)))
    return bytes((kind << 4, len(body))) + body


@dataclass
class Published:
    """A PUBLISH of 3.1.1 as a broker reads it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int

    @classmethod
    def read(cls, first: int, body: bytes) -> Published:
        size = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        qos = first >> 1 & 3
        packet_id = int.from_bytes(rest[:2], "big") if qos else 0
        return cls(topic, rest[2:] if qos else rest, qos, bool(first & RETAIN), packet_id)


@dataclass
class Scripted:
    """A broker that lets us in with `welcome`, answers as `answer` says, and for the rest does what the test does."""

    welcome: bytes = WELCOME
    answer: Callable[[int, bytes], bytes] = lambda _first, _body: b""
    heard: list[tuple[int, bytes]] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.heard.append(await packet(reader))
        writer.write(self.welcome)
        while True:
            self.heard.append(await packet(reader))
            writer.write(self.answer(*self.heard[-1]))

    def say(self, data: bytes) -> None:
        assert self.writer is not None
        self.writer.write(data)

    def kinds(self) -> list[int]:
        return [first & 0xF0 if first >> 4 == wire.PUBLISH else first for first, _ in self.heard]

    @property
    def published(self) -> list[Published]:
        return [Published.read(first, body) for first, body in self.heard if first >> 4 == wire.PUBLISH]


@dataclass
class Open:
    """A lane that runs, its outbox, and what became of it."""

    lane: OwnLane
    outbox: Outbox
    room: asyncio.Task[None]

    async def lost(self) -> str:
        """Wait until it is lost; why."""
        with pytest.raises(LaneLost) as lost:
            async with asyncio.timeout(PATIENCE):
                await self.room
        return str(lost.value)

    async def all_sent(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.outbox.idle()


@contextlib.asynccontextmanager
async def lane_to(
    where: Address | Broker, *, version: int = wire.V311, qos: int = 1, patience: float = PATIENCE
) -> AsyncIterator[Open]:
    """A lane to a broker, running."""
    outbox, hello = an_outbox(), wire.Connect("lane", version)
    lane = await open_lane(where.host, where.port, None, outbox, hello, qos=qos, patience=patience)
    outbox.rouse = lane.wake
    room = asyncio.create_task(lane.run())
    try:
        yield Open(lane, outbox, room)
    finally:
        room.cancel()
        await asyncio.gather(room, return_exceptions=True)
        await lane.close()


@contextlib.asynccontextmanager
async def scripted(broker: Scripted, **how: Any) -> AsyncIterator[Open]:
    async with stub(broker.serve) as address, lane_to(address, **how) as opened:
        yield opened


# Real brokers

TOPICS = ["lane/a", "lane/b/c", "lane/é/☂", "lane/ "]
PAYLOADS = [b"", b"x", "é☂".encode(), b"y" * 127, b"y" * 128, b"z" * 20_000, b"z" * 200_000]


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", [wire.V311, wire.V5])
async def test_a_real_broker_hands_on_all_that_is_published_in_order(broker: Broker, version: int, qos: int) -> None:
    if not broker.speaks_mqtt5 and version == wire.V5:
        pytest.skip("the fallback broker speaks MQTT 3.1.1 only; install mosquitto or Docker")
    topics = [f"{version}/{qos}/{topic}" for topic in TOPICS]
    sent = [(topics[number % len(topics)], PAYLOADS[number % len(PAYLOADS)] or b"%d" % number) for number in range(300)]
    async with listening(broker, f"{version}/{qos}/#") as heard, lane_to(broker, version=version, qos=qos) as opened:
        for topic, payload in sent:
            opened.outbox.emit(topic, payload)
        await opened.all_sent()
        await until(lambda: len(heard.messages) == len(sent))
        for wanted in topics:
            assert heard.on(wanted) == [payload.decode() for topic, payload in sent if topic == wanted]


# The welcome


async def test_a_welcome_that_comes_in_pieces_is_a_welcome() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        for byte in welcome(window=5):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        await packet(reader)

    async with stub(serve) as address, lane_to(address) as opened:
        assert opened.lane.is_open


@pytest.mark.parametrize("version", [wire.V311, wire.V5])
async def test_we_introduce_ourselves_in_the_version_asked_for(version: int) -> None:
    broker = Scripted()
    async with scripted(broker, version=version):
        assert level(broker.heard[0][1]) == version


REFUSALS = {
    "3.1.1, the version": (b"\x20\x02\x00\x01", "version of MQTT"),
    "3.1.1, the client id": (b"\x20\x02\x00\x02", "client id"),
    "3.1.1, not now": (b"\x20\x02\x00\x03", "not available"),
    "3.1.1, the password": (b"\x20\x02\x00\x04", "password"),
    "3.1.1, the rights": (b"\x20\x02\x00\x05", "not authorized"),
    "5, the client id": (b"\x20\x03\x00\x85\x00", "client id"),
    "5, the rights, in its own words": (b"\x20\x09\x00\x87\x06\x1f\x00\x03ACL", "not authorized (ACL)"),
    "5, one too many": (b"\x20\x03\x00\x97\x00", "quota"),
    "5, a reason of its own": (b"\x20\x03\x00\xfe\x00", "0xfe"),
    "garbage": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it sends a packet that is none for us"),
    "nothing at all": (b"", "closed the connection"),
    "half a welcome": (b"\x20\x03\x00", "closed the connection"),
    "an end at once": (b"\x20\x02\x00\x00\xe0\x01\x89", "busy"),
}


@pytest.mark.parametrize("how", REFUSALS)
async def test_a_broker_that_does_not_let_us_in_is_told_of_in_its_words(how: str) -> None:
    answer, words = REFUSALS[how]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(answer)
        writer.close()

    with pytest.raises(LaneLost) as refused:
        async with stub(serve) as address, lane_to(address):
            pass
    assert words in str(refused.value)


async def test_a_broker_that_says_nothing_is_not_waited_for() -> None:
    ends: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        ends.append(await reader.read())

    async with stub(serve) as address:
        with pytest.raises(LaneLost, match="no answer"):
            async with lane_to(address, patience=0.02):
                pass
        await until(lambda: ends == [b""])


async def test_no_broker_is_no_lane() -> None:
    with pytest.raises(LaneLost, match="Connect call failed"):
        async with lane_to(Address("127.0.0.1", free_port())):
            pass


# Acknowledgements


def payloads(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


async def test_acknowledgements_may_come_in_any_order_twice_and_for_nothing() -> None:
    broker = Scripted()
    async with scripted(broker) as opened:
        for payload in payloads(3):
            opened.outbox.emit("t", payload)
        await until(lambda: len(broker.published) == 3)
        first, second, third = (message.packet_id for message in broker.published)
        broker.say(ack(third) + ack(first) + ack(first) + ack(9999) + ack(0))
        await until(lambda: opened.outbox.waiting == 1)
        broker.say(ack(second))
        await opened.all_sent()
        assert opened.outbox.counters.published == 3
        assert opened.lane.is_open


async def test_what_the_broker_refuses_is_dropped_counted_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    broker = Scripted(welcome())
    async with scripted(broker) as opened:
        for payload in payloads(4):
            opened.outbox.emit("t", payload)
        await until(lambda: len(broker.published) == 4)
        ids = [message.packet_id for message in broker.published]
        broker.say(ack(ids[0], 0x87) + ack(ids[1], 0x10) + ack(ids[2], 0x87) + ack(ids[3], 0x97))
        await opened.all_sent()
    assert (opened.outbox.counters.published, opened.outbox.counters.dropped) == (1, 3)
    assert caplog.text.count("not authorized") == 1
    assert caplog.text.count("quota exceeded") == 1


@pytest.mark.parametrize(("told", "window"), [({"window": 3}, 3), ({"window": 5000}, WINDOW), ({}, WINDOW)])
async def test_no_more_is_under_way_than_the_broker_takes(told: dict[str, int], window: int) -> None:
    broker = Scripted(welcome(**told))
    async with scripted(broker) as opened:
        for payload in payloads(2 * WINDOW):
            opened.outbox.emit("t", payload)
        await until(lambda: len(broker.published) == window)
        await opened.lane.close()
        await until(lambda: broker.kinds()[-1] == GOODBYE)
        assert len(broker.published) == window


async def test_an_acknowledgement_makes_room_for_the_next() -> None:
    broker = Scripted(welcome(window=2), lambda first, body: ack(Published.read(first, body).packet_id))
    async with scripted(broker) as opened:
        for payload in payloads(50):
            opened.outbox.emit("t", payload)
        await opened.all_sent()
    assert [message.payload for message in broker.published] == payloads(50)


async def test_quality_of_service_2_takes_four_packets() -> None:
    def answer(first: int, body: bytes) -> bytes:
        if first == PUBREL:
            return ack(int.from_bytes(body, "big"), kind=wire.PUBCOMP)
        return ack(Published.read(first, body).packet_id, kind=wire.PUBREC)

    broker = Scripted(WELCOME, answer)
    async with scripted(broker, qos=2) as opened:
        opened.outbox.emit("t", b"x")
        await opened.all_sent()
    assert broker.kinds()[1:3] == [PUBLISH, PUBREL]
    assert opened.outbox.counters.published == 1


async def test_quality_of_service_2_may_be_refused_half_way() -> None:
    refuse: Callable[[int, bytes], bytes] = lambda first, body: ack(  # noqa: E731 (a script)
        Published.read(first, body).packet_id, 0x97, wire.PUBREC
    )
    async with scripted(Scripted(welcome(), refuse), qos=2) as opened:
        opened.outbox.emit("t", b"x")
        await opened.all_sent()
    assert opened.outbox.counters.dropped == 1


# What the broker takes


async def test_a_broker_without_quality_of_service_gets_none(caplog: pytest.LogCaptureFixture) -> None:
    broker = Scripted(welcome(qos=0))
    async with scripted(broker) as opened:
        opened.outbox.emit("t", b"x")
        await until(lambda: broker.published)
        assert [message.qos for message in broker.published] == [0]
        assert "quality of service" in caplog.text


async def test_a_broker_that_retains_nothing_is_not_asked_to(caplog: pytest.LogCaptureFixture) -> None:
    broker = Scripted(welcome(retains=0))
    async with scripted(broker) as opened:
        opened.outbox.retain("t", "x")
        await until(lambda: broker.published)
        assert [message.retain for message in broker.published] == [False]
        assert caplog.text.count("retains nothing") == 1


async def test_what_is_larger_than_the_broker_takes_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    broker = Scripted(welcome(size=50))
    async with scripted(broker) as opened:
        opened.outbox.emit("t", b"x" * 100)
        opened.outbox.emit("t", b"x" * 30)
        await until(lambda: broker.published)
        assert [len(message.payload) for message in broker.published] == [30]
    assert opened.outbox.counters.dropped == 1
    assert "larger than it takes" in caplog.text


async def test_what_is_no_message_of_mqtt_is_dropped_and_the_next_goes() -> None:
    broker = Scripted()
    async with scripted(broker, qos=0) as opened:
        opened.outbox.answer("not/+/a/topic", b"x", None)
        opened.outbox.emit("t", b"x")
        await until(lambda: broker.published)
        assert (opened.outbox.counters.published, opened.outbox.counters.dropped) == (1, 1)


# Its end


@pytest.mark.parametrize("told", [{}, {"alive": 1}])
async def test_a_broker_that_falls_silent_is_lost(told: dict[str, int]) -> None:
    """After it was asked for a sign of life; a broker may want to hear from us more often than we would ask."""
    broker = Scripted(welcome(**told))
    async with scripted(broker, patience=0.05 if not told else PATIENCE) as opened:
        assert (await opened.lost()).endswith("it is silent")
        assert broker.kinds()[1:] == [PINGREQ]


async def test_a_broker_that_gives_signs_of_life_is_not_lost() -> None:
    broker = Scripted(WELCOME, lambda first, _: PONG if first == PINGREQ else b"")
    async with scripted(broker, patience=0.1) as opened:
        await until(lambda: broker.kinds().count(PINGREQ) >= 2)
        assert not opened.room.done()


async def test_a_broker_that_acknowledges_nothing_is_lost() -> None:
    broker = Scripted(WELCOME, lambda first, _: PONG if first == PINGREQ else b"")
    async with scripted(broker, patience=0.1) as opened:
        opened.outbox.emit("t", b"x")
        assert (await opened.lost()).endswith("it acknowledges nothing")
        assert opened.outbox.waiting == 1


ENDS = {
    "it says why": (b"\xe0\x02\x8e\x00", "another client took our client id"),
    "it says why in its own words": (b"\xe0\x07\x8b\x05\x1f\x00\x02by", "it shuts down (by)"),
    "it says no why": (b"\xe0\x00", "it gives no reason"),
    "in the middle of a packet": (b"\x40\x05\x00", "it closed the connection"),
    "without a word": (b"", "it closed the connection"),
    "with garbage": (b"\x00\x00", "it sends a packet that is none for us"),
    "with a second welcome": (WELCOME, "it sends a second welcome"),
}


@pytest.mark.parametrize("how", ENDS)
async def test_the_end_is_told_of_in_the_brokers_words_and_nothing_is_forgotten(how: str) -> None:
    last, words = ENDS[how]
    broker = Scripted()
    async with scripted(broker) as opened:
        opened.outbox.emit("t", b"x")
        await until(lambda: broker.published)
        broker.say(last)
        assert broker.writer is not None
        broker.writer.close()
        assert words in await opened.lost()
        assert opened.outbox.waiting == 1


async def test_who_goes_says_so_after_the_last_word() -> None:
    broker = Scripted()
    async with scripted(broker, qos=0) as opened:
        for payload in payloads(50):
            opened.outbox.emit("t", payload)
        await opened.all_sent()
        await opened.lane.close()
        await until(lambda: broker.kinds()[-1] == GOODBYE)
        assert len(broker.published) == 50


async def test_who_is_gone_may_go_again() -> None:
    broker = Scripted()
    async with scripted(broker) as opened:
        await opened.lane.close()
        await opened.lane.close()
        opened.lane.abort()
        assert not opened.lane.is_open


# Brokers that do not keep up


async def test_a_broker_that_does_not_read_costs_no_memory_and_every_loss_is_counted() -> None:
    emitted = 2 * MAX_EVENTS
    async with stub(greet_and_read_no_more) as address, lane_to(address, qos=0) as opened:
        outbox = opened.outbox
        for number in range(emitted):
            outbox.emit("ocpp/charger/CP1/event/meter", b"x" * 16_384)
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert outbox.waiting == MAX_EVENTS
        assert outbox.counters.published + outbox.counters.dropped + outbox.waiting == emitted
        assert outbox.counters.dropped > 0


async def greet_and_read_no_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await packet(reader)
    writer.write(WELCOME)
    await asyncio.Event().wait()


async def test_a_broker_that_reads_late_gets_everything_in_order() -> None:
    late, broker = asyncio.Event(), Scripted()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WELCOME)
        await late.wait()
        await broker.serve(reader, writer)

    broker.welcome = b""
    numbered = [b"%d " % number + b"x" * 50_000 for number in range(1000)]
    async with stub(serve) as address, lane_to(address, qos=0) as opened:
        for payload in numbered:
            opened.outbox.emit("t", payload)
        await until(lambda: opened.outbox.counters.published)
        assert opened.outbox.waiting
        late.set()
        await until(lambda: len(broker.published) == len(numbered))
        assert [message.payload for message in broker.published] == numbered


# On paper: what is written, write by write


class Paper(asyncio.Transport):
    """A transport that notes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        """Nobody is there to hang up on."""


def hear(lane: OwnLane, data: bytes) -> None:
    """Bytes of the broker arrive."""
    room = lane.get_buffer(-1)
    room[: len(data)] = data
    lane.buffer_updated(len(data))


def on_paper() -> tuple[Outbox, OwnLane, Paper]:
    outbox, paper = an_outbox(), Paper()
    lane = OwnLane(outbox, wire.Connect("lane", wire.V311), 1, PATIENCE)
    outbox.rouse = lane.wake
    lane.connection_made(paper)
    hear(lane, WELCOME)
    return outbox, lane, paper


def ids(written: Iterable[bytes]) -> list[int]:
    """The packet ids of many a PUBLISH of an empty payload on a topic of one letter."""
    data = b"".join(written)
    return [int.from_bytes(data[at + 5 : at + 7], "big") for at in range(0, len(data), 7)]


async def test_what_comes_in_one_turn_goes_in_one_write() -> None:
    outbox, _, paper = on_paper()
    for number in range(40):
        outbox.emit("t", b"x")
        outbox.retain(f"state/{number}", b"x")
    await asyncio.sleep(0)
    assert len(paper.written) == 2
    assert paper.written[1].count(b"\x00\x01t") == 40


async def test_a_packet_id_comes_again_only_when_it_is_free() -> None:
    outbox, lane, paper = on_paper()
    outbox.emit("t", b"")
    await asyncio.sleep(0)
    (kept,) = ids(paper.written[1:])
    seen = set[int]()
    for _ in range(0xFFFF // 50 + 1):
        paper.written.clear()
        for _ in range(50):
            outbox.emit("t", b"")
        await asyncio.sleep(0)
        given = ids(paper.written)
        assert kept not in given
        seen.update(given)
        hear(lane, b"".join(map(ack, given)))
    assert seen == set(range(1, 0x10000)) - {kept}


async def test_a_transport_that_is_full_is_not_written_to() -> None:
    outbox, lane, paper = on_paper()
    lane.pause_writing()
    outbox.emit("t", b"x")
    await asyncio.sleep(0)
    assert len(paper.written) == 1
    lane.resume_writing()
    assert len(paper.written) == 2
