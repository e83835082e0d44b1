"""The front door by itself: what goes where, what is cut, and how it closes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters import server
from ocpp_mqtt_proxy.adapters.server import Door, SocketRoute, plain_path, wants_websocket
from ocpp_mqtt_proxy.budget import KEPT, Budget
from ocpp_mqtt_proxy.sockets import Connection
from tests.adapters.raw import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawCharger,
    connection,
    frame,
    is_blocked,
    knocking,
    request,
)

CLIENT_HELLO = bytes.fromhex("16030100") + b"\xc4" + bytes(196)
BUDGET = Budget()
GET = b"GET /hello HTTP/1.1\r\nHost: proxy\r\n"


async def _hello(_: HttpRequest) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _welcome(_: Connection, request: Request) -> Response | None:
    if request.path == "/fault":
        raise RuntimeError("a bug in admitting")
    return None


async def _echo(socket: Connection) -> None:
    fault = asyncio.Event()
    socket.listen(lambda message: fault.set() if message == b"fault" else _say(socket, message))
    closed = asyncio.create_task(socket.wait_closed())
    await asyncio.wait([closed, asyncio.create_task(fault.wait())], return_when=asyncio.FIRST_COMPLETED)
    if fault.is_set():
        raise RuntimeError("a bug in conversing")


def _say(socket: Connection, message: bytes) -> None:
    socket.put(message)


@contextlib.asynccontextmanager
async def a_door(routes: bool = True, **budget: Any) -> AsyncIterator[tuple[Door, int]]:
    echoing = SocketRoute(lambda path: not path.startswith("/api/"), _welcome, _echo)
    door = Door(Starlette(routes=[Route("/hello", _hello)]), [echoing] if routes else [], Budget(**budget))
    port = await door.open("127.0.0.1", 0)
    try:
        yield door, port
    finally:
        await door.close()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with a_door() as (_, port):
        yield port


async def get(charger: RawCharger, head: bytes = GET) -> str:
    charger.write(head + b"\r\n")
    await charger.read_head()
    return (await charger.read_body()).decode()


async def test_an_upgrade_is_a_conversation(port: int) -> None:
    async with knocking(port, "/anything") as charger:
        assert charger.status == 101
        charger.send("hi")
        assert await charger.message() == "hi"


async def test_anything_else_is_http_on_the_same_port(port: int) -> None:
    async with connection(port) as client:
        assert await get(client) == "hello"
        assert client.status == 200


async def test_http_connections_are_kept_alive(port: int) -> None:
    async with connection(port) as client:
        assert [await get(client) for _ in range(3)] == ["hello"] * 3


async def test_http_1_0_is_answered_and_closed(port: int) -> None:
    async with connection(port) as client:
        assert await get(client, b"GET /hello HTTP/1.0\r\n") == "hello"
        assert await client.is_cut()


async def test_a_head_may_come_byte_by_byte(port: int) -> None:
    async with connection(port) as client:
        for byte in request("/x"):
            client.write(bytes([byte]))
            await client.writer.drain()
        await client.read_head()
        assert client.status == 101


async def test_what_follows_a_head_at_once_is_not_lost(port: int) -> None:
    async with connection(port) as client:
        client.write(request("/x") + frame(TEXT, b'"early"'))
        await client.read_head()
        assert await client.message() == "early"


@pytest.mark.parametrize("target", ["/api/live", "//api/live", "///api/live?x=1"])
async def test_a_path_that_nobody_takes_is_refused(port: int, target: str) -> None:
    async with knocking(port, target) as charger:
        assert charger.status == 404


async def test_without_routes_an_upgrade_is_plain_http() -> None:
    async with a_door(routes=False) as (_, port), knocking(port, "/hello") as client:
        assert client.status == 200


# What is cut


async def test_a_half_open_handshake_is_cut() -> None:
    async with a_door(head_seconds=0.05) as (door, port), connection(port) as client:
        client.write(request("/x")[:-4])
        assert await client.is_cut()
        assert not door.knocking


async def test_who_says_nothing_is_cut() -> None:
    async with a_door(head_seconds=0.05) as (_, port), connection(port) as client:
        assert await client.is_cut()


async def test_a_trickle_does_not_buy_time() -> None:
    async with a_door(head_seconds=0.05) as (_, port), connection(port) as client:

        async def trickle() -> None:
            while True:
                client.write(b"X")
                await asyncio.sleep(0.005)

        trickling = asyncio.create_task(trickle())
        assert await client.is_cut()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)


async def test_an_endless_head_is_cut(port: int) -> None:
    async with connection(port) as client:
        client.write(b"GET /x HTTP/1.1\r\nX: " + b"y" * BUDGET.head)
        assert await client.is_cut()


async def test_an_oversized_head_of_an_upgrade_is_refused(port: int) -> None:
    async with knocking(port, "/x", headers={"X-Long": "y" * BUDGET.head}) as charger:
        assert charger.status in (400, 431)
        await charger.read_body()
        assert await charger.is_cut()


async def test_bytes_that_are_no_http_are_cut_at_once(port: int) -> None:
    async with connection(port) as client:
        client.write(b"\x00\x01\x02\x03")
        assert await client.is_cut()


async def test_tls_on_the_plain_port_is_cut_and_said(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async with connection(port) as client:
        client.write(CLIENT_HELLO)
        assert await client.is_cut()
    assert "speaks TLS to a port without" in caplog.text


async def test_letters_that_are_no_http_are_refused(port: int) -> None:
    async with connection(port) as client:
        client.write(b"HELO there\r\n\r\n")
        await client.read_head()
        assert client.status == 400


async def test_who_waits_longest_goes_for_one_too_many() -> None:
    async with a_door(knocking=2) as (door, port), contextlib.AsyncExitStack() as stack:
        first, second, third = [await stack.enter_async_context(connection(port)) for _ in range(3)]
        assert await first.is_cut()
        assert len(door.knocking) == 2
        assert [await get(other) for other in (second, third)] == ["hello", "hello"]


# Frames


TOO_LONG = {
    "by a byte": frame(TEXT, b"x" * (BUDGET.message + 1)),
    "by far": frame(TEXT, b"x" * (3 * BUDGET.message)),
    "of two parts": frame(TEXT, b"x" * 600_000, final=False) + frame(0, b"x" * 600_000),
    "of a part too long by itself": frame(TEXT, b"x" * 2_000_000, final=False) + frame(0, b"y"),
    "of very many parts": frame(TEXT, b"x", final=False) + frame(0, b"x" * 200, final=False) * 6000 + frame(0, b"x"),
}


@pytest.mark.parametrize("message", TOO_LONG.values(), ids=TOO_LONG)
async def test_of_a_message_that_is_too_long_only_the_beginning_is_held(message: bytes) -> None:
    async with a_door() as (door, port), knocking(port, "/x") as charger:
        charger.write(message + frame(TEXT, b'"still here"'))
        assert await charger.frame() == (TEXT, b"x" * KEPT)
        assert await charger.message() == "still here"
        assert [socket.excess.too_long for socket in door._talking] == [1]  # noqa: SLF001 (who else knows)


async def test_a_message_of_very_many_parts_is_one(port: int) -> None:
    async with knocking(port, "/x") as charger:
        charger.write(frame(TEXT, b'"', final=False) + frame(0, b"x", final=False) * 10_000 + frame(0, b'"'))
        assert await charger.message() == "x" * 10_000


async def test_a_peer_that_breaks_off_in_what_is_too_long_is_gone(port: int) -> None:
    async with knocking(port, "/x") as charger:
        charger.write(frame(TEXT, b"x" * (2 * BUDGET.message))[:-5])
        charger.writer.write_eof()
        assert await charger.is_cut()


async def test_a_message_of_a_mebibyte_is_heard(port: int) -> None:
    async with knocking(port, "/x") as charger:
        charger.write(frame(TEXT, b"x" * BUDGET.message))
        opcode, payload = await charger.frame()
        assert (opcode, len(payload)) == (TEXT, BUDGET.message)


async def test_fragments_are_put_together_around_a_ping(port: int) -> None:
    async with knocking(port, "/x") as charger:
        charger.write(frame(TEXT, b'"on', final=False) + frame(PING, b"?") + frame(0, b'e"'))
        assert await charger.frame() == (PONG, b"?")
        assert await charger.message() == "one"


async def test_a_frame_without_a_mask_closes(port: int) -> None:
    async with knocking(port, "/x") as charger:
        charger.write(b"\x81\x02hi")
        assert await charger.close_code() == 1002


async def test_compressed_frames_that_nobody_agreed_to_close(port: int) -> None:
    async with knocking(port, "/x", headers={"Sec-WebSocket-Extensions": "permessage-deflate"}) as charger:
        assert "sec-websocket-extensions" not in charger.headers
        charger.write(bytes([0xC1, 0x80]) + bytes(4))
        assert await charger.close_code() == 1002


async def test_binary_messages_are_taken_like_text(port: int) -> None:
    async with knocking(port, "/x") as charger:
        charger.write(frame(BINARY, b"\x00\xff"))
        assert await charger.frame() == (TEXT, b"\x00\xff")


# Faults and logs


async def test_a_fault_in_admitting_costs_one_handshake(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async with knocking(port, "/fault") as charger:
        assert charger.status == 500
    async with knocking(port, "/x") as charger:
        assert charger.status == 101
    assert "a bug in admitting" in caplog.text


async def test_a_fault_in_conversing_costs_one_conversation(port: int, caplog: pytest.LogCaptureFixture) -> None:
    async with knocking(port, "/x") as other, knocking(port, "/x") as charger:
        charger.write(frame(TEXT, b"fault"))
        assert await charger.close_code() == 1011
        other.send("still here")
        assert await other.message() == "still here"
    assert "a bug in conversing" in caplog.text


BROKEN = {
    "no key": {"Sec-WebSocket-Key": None},
    "a short key": {"Sec-WebSocket-Key": "c2hvcnQ="},
    "no version": {"Sec-WebSocket-Version": None},
    "an old version": {"Sec-WebSocket-Version": "8"},
}


@pytest.mark.parametrize("headers", BROKEN.values(), ids=BROKEN)
async def test_a_broken_handshake_is_refused_and_said(
    port: int, headers: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    async with knocking(port, "/x", headers=headers) as charger:
        assert 400 <= charger.status < 500
    assert "no WebSocket with" in caplog.text


UNPARSABLE = {
    "a header that is none": request("/x?token=s3cret").replace(b"Host:", b"Ho st: s3cret, "),
    "a value with a control character": request("/x?token=s3cret", headers={"Authorization": "Basic s3cret\x01"}),
    "raw letters in the path": request("/x").replace(b"/x", "/ü?token=s3cret".encode()),
    "an upgrade in HTTP/1.0": request("/x?token=s3cret").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "an upgrade by POST": request("/x?token=s3cret").replace(b"GET", b"POST"),
}


@pytest.mark.parametrize("head", UNPARSABLE.values(), ids=UNPARSABLE)
async def test_nothing_of_a_handshake_that_cannot_be_read_is_logged(
    port: int, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with connection(port) as client:
        client.write(head)
        answer = await client.reader.read()
    assert b"101" not in answer.split(b"\r\n")[0]
    assert "s3cret" not in caplog.text


async def test_the_query_of_a_request_is_not_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with connection(port) as client:
        await get(client, b"GET /hello?token=s3cret HTTP/1.1\r\nHost: proxy\r\n")
    async with knocking(port, "/api/x?token=s3cret") as charger:
        assert charger.status == 404
    assert "s3cret" not in caplog.text


# Closing


async def test_closing_says_going_away() -> None:
    async with a_door() as (door, port), knocking(port, "/x") as charger:
        await asyncio.gather(door.close(), charger_says_goodbye(charger))


async def charger_says_goodbye(charger: RawCharger) -> None:
    assert await charger.close_code() == 1001
    charger.write(frame(CLOSE, b"\x03\xe9"))
    assert await charger.is_cut()
    charger.writer.close()


async def test_closing_cuts_who_knocks_and_who_is_kept_alive() -> None:
    async with a_door() as (door, port), connection(port) as knocker, connection(port) as kept:
        await get(kept)
        knocker.write(b"G")
        await knocker.writer.drain()
        await door.close()
        assert await knocker.is_cut()
        assert await kept.is_cut()


async def test_closing_cuts_who_does_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The echo blocks in sending, so nothing can be said to that peer any more."""
    monkeypatch.setattr(server, "CLOSE_SECONDS", 0.05)
    async with a_door() as (door, port), knocking(port, "/x") as charger:
        blocked = asyncio.create_task(_never_read(charger))
        async with asyncio.timeout(10):
            while not any(is_blocked(socket) for socket in door._talking):  # noqa: ASYNC110, SLF001 (no event tells)
                await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            await door.close()
        blocked.cancel()
        await asyncio.gather(blocked, return_exceptions=True)
        assert not door._talking  # noqa: SLF001


async def _never_read(charger: RawCharger) -> None:
    while True:
        charger.write(frame(TEXT, b"x" * 500_000))
        await charger.writer.drain()


# Open files


@pytest.fixture
def open_files_as_before() -> Iterator[tuple[int, int]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield soft, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_as_many_files_may_be_open_as_the_system_allows(open_files_as_before: tuple[int, int]) -> None:
    _, hard = open_files_as_before
    wanted = server.OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, server.OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted // 2, hard))
    assert server.open_files() == wanted
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)


def test_a_limit_that_is_higher_than_needed_stays(open_files_as_before: tuple[int, int]) -> None:
    _, hard = open_files_as_before
    before = server.open_files()
    assert server.open_files() == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


async def test_a_system_that_allows_few_files_has_few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "open_files", lambda: server.SPARE_FILES + 1)
    async with a_door() as (_, port), knocking(port, "/x") as first, knocking(port, "/x") as second:
        assert (first.status, second.status) == (101, 503)


# Reading requests


@pytest.mark.parametrize(
    ("target", "path"),
    [("/a", "/a"), ("//a//b", "/a//b"), ("/a?x=/b", "/a"), ("//[", "/["), ("", "/"), ("/a#b", "/a#b")],
)
def test_a_path_is_read_without_its_query(target: str, path: str) -> None:
    assert plain_path(target) == path


@pytest.mark.parametrize(
    ("head", "wants"),
    [
        (request("/x"), True),
        (request("/x", headers={"Upgrade": "WebSocket"}), True),
        (request("/x", headers={"Connection": None}), True),
        (request("/x", headers={"Upgrade": "h2c"}), False),
        (GET, False),
        (b"GET /x HTTP/1.1\r\n\r\nUpgrade: websocket\r\n\r\n", False),
    ],
)
def test_an_upgrade_header_alone_asks_for_a_websocket(head: bytes, wants: bool) -> None:
    assert wants_websocket(head) is wants
