"""Messages taken as they lie are those that `websockets` reads, however the network cuts them up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st
from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from websockets.utils import accept_key

from ocpp_mqtt_proxy.framing import ClientFraming, Framing, masked_text_frame, text_frame, whole_answer, whole_message
from tests.adapters.raw import BINARY, PING, TEXT, frame, request

MOST = 1 << 20

Whole = Callable[[bytes, int], tuple[bytes, int] | None]

frames = st.one_of(
    st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300), st.booleans()),
    st.tuples(st.just(TEXT), st.integers(120, 130).map(bytes), st.just(True)),
    st.tuples(st.just(TEXT), st.sampled_from([bytes(65_535), bytes(65_536)]), st.just(True)),
    st.tuples(st.just(PING), st.binary(max_size=125), st.just(True)),
    st.tuples(st.just(0), st.binary(max_size=50), st.booleans()),
)


def opened(protocol: ServerProtocol) -> ServerProtocol:
    protocol.receive_data(request("/x"))
    (asked,) = protocol.events_received()
    protocol.send_response(protocol.accept(asked))  # type: ignore[arg-type]
    return protocol


def data_frames(events: list[Any]) -> list[tuple[Opcode, bytes, bool]]:
    return [(e.opcode, bytes(e.data), e.fin) for e in events if isinstance(e, Frame) and e.opcode in DATA_OPCODES]


def dialled(protocol: ClientProtocol) -> ClientProtocol:
    protocol.send_request(protocol.connect())
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
    protocol.receive_data(f"{head}\r\nSec-WebSocket-Accept: {accept_key(protocol.key)}\r\n\r\n".encode())
    protocol.events_received()
    return protocol


def unmasked(opcode: int, payload: bytes, *, final: bool) -> bytes:
    """A server's frame."""
    return Frame(Opcode(opcode), payload, final).serialize(mask=False)


def read_around(
    protocol: Framing | ClientFraming, chunks: list[bytes], whole: Whole = whole_message
) -> list[tuple[Opcode, bytes, bool]]:
    """What a connection reads: whole messages as they lie, the rest through the parser."""
    found: list[tuple[Opcode, bytes, bool]] = []
    for chunk in chunks:
        read = 0
        if protocol.between_messages:
            while message := whole(chunk, read):
                found.append((Opcode(chunk[read] & 0x0F), message[0], True))
                read = message[1]
        protocol.receive_data(chunk[read:])
        found += data_frames(protocol.events_received())
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 10**6), max_size=8))
def test_a_way_around_the_parser_reads_what_the_parser_reads(
    sent: list[tuple[int, bytes, bool]], places: list[int]
) -> None:
    data = b"".join(frame(opcode, payload, final=final) for opcode, payload, final in sent)
    plain = opened(ServerProtocol(max_size=None))
    plain.receive_data(data)
    around = opened(Framing(MOST))
    assert isinstance(around, Framing)
    assert read_around(around, cut(data, places)) == data_frames(plain.events_received())
    assert (around.state, around.close_sent) == (plain.state, plain.close_sent)


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 10**6), max_size=8))
def test_and_so_it_is_of_frames_that_a_server_sends(sent: list[tuple[int, bytes, bool]], places: list[int]) -> None:
    data = b"".join(unmasked(opcode, payload, final=final) for opcode, payload, final in sent)
    address = parse_uri("ws://service/x")
    plain = dialled(ClientProtocol(address, max_size=None))
    plain.receive_data(data)
    around = dialled(ClientFraming(MOST, address))
    assert isinstance(around, ClientFraming)
    assert read_around(around, cut(data, places), whole_answer) == data_frames(plain.events_received())
    assert (around.state, around.close_sent) == (plain.state, plain.close_sent)


def test_a_server_s_frame_with_a_mask_is_left_to_the_parser() -> None:
    assert whole_answer(frame(TEXT, b"hello"), 0) is None


def test_a_mask_is_taken_off() -> None:
    assert whole_message(b"\x81\x82\x01\x02\x03\x04ij", 0) == (b"hh", 8)


NOT_WHOLE = {
    "nothing": b"",
    "a header": frame(TEXT, b"hello")[:4],
    "a part": frame(TEXT, b"hello")[:-1],
    "half a length": frame(TEXT, bytes(200))[:3],
    "a fragment": frame(TEXT, b"hello", final=False),
    "a continuation": frame(0, b"hello"),
    "a ping": frame(PING, b"hello"),
    "no mask": b"\x81\x05hello",
    "a reserved bit": bytes([0xC1]) + frame(TEXT, b"hello")[1:],
    "a very long one": frame(TEXT, bytes(65_536)),
}


@pytest.mark.parametrize("data", NOT_WHOLE.values(), ids=NOT_WHOLE)
def test_anything_but_a_whole_message_is_left_to_the_parser(data: bytes) -> None:
    assert whole_message(data, 0) is None


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_text_put_down_by_hand_is_what_a_client_reads(length: int) -> None:
    client = ClientProtocol(parse_uri("ws://proxy/x"), max_size=None)
    client.state = client.state.OPEN
    client.parser = super(ClientProtocol, client).parse()
    next(client.parser)
    client.receive_data(text_frame(b"x" * length))
    assert data_frames(client.events_received()) == [(Opcode.TEXT, b"x" * length, True)]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_and_under_a_mask_what_a_server_reads(length: int) -> None:
    server = opened(ServerProtocol(max_size=None))
    server.receive_data(masked_text_frame(b"x" * length))
    assert data_frames(server.events_received()) == [(Opcode.TEXT, b"x" * length, True)]


def test_no_mask_is_used_again() -> None:
    masks = [masked_text_frame(b"")[2:] for _ in range(1000)]
    assert len(set(masks)) > 990
