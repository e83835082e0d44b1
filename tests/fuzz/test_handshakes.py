"""Whoever knocks with whatever: an answer or the end, nothing in the log of faults or secrets, and the next is served."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import TypeVar
from urllib.parse import quote

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from tests.adapters.raw import basic, connection, knocking
from tests.fuzz.mutations import TEXTS, TIMES
from tests.fuzz.test_frames import CHANCE
from tests.running import PATIENCE, Running, running

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

SECRET = "sesame"
SOME = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

_numbers = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """One service for all; CP1 has a password, others come in without."""
    chargers = [{"id": "CP1", "password": SECRET, "security_profile": 1}, {"id": "CP2", "version": "2.0.1"}]
    async with running(tmp_path_factory.mktemp("knocking"), None, chargers=chargers) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_faults_and_no_secrets(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, "ocpp_mqtt_proxy")
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert SECRET not in caplog.text
    assert base64.b64encode(SECRET.encode()).decode()[:7] not in caplog.text


async def knock(service: Running, *pieces: bytes) -> bytes:
    """Send bytes and hear the answer; where they are no whole request, say that this is all."""
    async with connection(service.app.port) as raw:
        for piece in pieces:
            raw.write(piece)
            await asyncio.sleep(0)
        if b"\r\n\r\n" not in b"".join(pieces):
            with contextlib.suppress(OSError):
                raw.writer.write_eof()
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(ConnectionError):
                return await raw.reader.read(65_536)
        return b""


async def next_is_served(service: Running) -> None:
    """A charger that behaves comes in and is answered."""
    version = list(DIALECTS.values())[next(_numbers) % len(DIALECTS)]
    async with knocking(service.app.port, f"/charger/good{next(_numbers)}", [version.subprotocol]) as charger:
        assert charger.status == 101
        assert (await charger.call("Heartbeat"))[0] == 3


def is_answer(heard: bytes) -> bool:
    """An answer, or none."""
    return heard == b"" or heard.startswith(b"HTTP/1.1 ")


@SOME
@given(st.lists(st.binary(max_size=400), min_size=1, max_size=4))
async def test_bytes_of_any_kind_are_answered_or_cut(service: Running, pieces: list[bytes]) -> None:
    assert is_answer(await knock(service, *pieces))
    await next_is_served(service)


WORDS = [str(text) for text in (*TEXTS, *TIMES)]
SEGMENTS = [
    "charger",
    "CP1",
    "CP2",
    "v2.0.1",
    "ocpp16",
    "api",
    "backend",
    "..",
    "%",
    "%2f",
    "%00",
    "%ff",
    "%C3%A9",
    "",
    "auto",
]
QUERIES = [
    "",
    "?",
    "?version=2.0.1",
    "?ocpp_version=%00",
    "?token=" + SECRET,
    "?a=b&a=c;d",
    "?" + "a" * 300,
    "??",
    "#x",
]
NAMES = [
    "Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions", "Authorization", "X-OCPP-Version", "OCPP-Version", "Origin", "Cookie", "Content-Length",
    "Transfer-Encoding", "Expect", "X-Forwarded-For", "", " ", "A b", "Ä",
]  # fmt: skip
VALUES = [
    "websocket", "WebSocket, h2c", "Upgrade", "keep-alive, Upgrade", "13", "8", "dGhlIHNhbXBsZSBub25jZQ==", "x", "proxy",
    "ocpp1.6", "ocpp2.0.1, ocpp1.6", "ocpp2.1;ocpp1.6", ",,,", "OCPP1.6", "soap", "permessage-deflate", "chunked", "100-continue",
    "999999999", "-1", basic("CP1", SECRET), basic("CP1", SECRET + "x"), basic("", SECRET), "Basic " + SECRET, "Basic =",
    "Basic " + base64.b64encode(SECRET.encode()).decode(), "Bearer " + SECRET, "basic\t" + SECRET, *WORDS,
]  # fmt: skip
FAIR = [value for value in VALUES if value.isascii() and value.isprintable()]
GOOD = {
    "Host": "proxy",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def strange_request(random: Random) -> bytes:
    """An upgrade request with a few things in it that are not what they should be."""
    headers = list(GOOD.items())
    for _ in range(random.choice((0, 1, 1, 2))):
        _change(random, headers)
    start = f"{_rarely(random, METHODS, 'GET')} {_path(random)}{random.choice(QUERIES)} {_rarely(random, PROTOCOLS, 'HTTP/1.1')}"
    lines = [start, *(f"{name}{_rarely(random, (':', ' : '), ': ')}{value}" for name, value in headers), "", ""]
    data = _rarely(random, ("\n", "\r"), "\r\n").join(lines).encode("utf-8", "surrogatepass")
    at = random.randrange(len(data))
    return data[:at] + _rarely(random, (random.randbytes(1), random.randbytes(30)), b"") + data[at:]


METHODS = ("POST", "get", "PRI", "", "GET\tGET")
PROTOCOLS = ("HTTP/1.0", "HTTP/2", "HTTP/1.1 ", "")

T = TypeVar("T")


def _rarely(random: Random, odd: tuple[T, ...], usual: T) -> T:
    return usual if random.randrange(20) else random.choice(odd)


def _path(random: Random) -> str:
    """A path; what is odd in it is mostly percent-encoded."""
    segments = [
        random.choice((*SEGMENTS, quote(random.choice(WORDS), safe=""))) for _ in range(random.choice((1, 2, 3)))
    ]
    return _rarely(random, ("", "charger", "*", "//", random.choice(WORDS)), "/") + "/".join(segments)


def _change(random: Random, headers: list[tuple[str, str]]) -> None:
    match random.randrange(8):
        case 0:
            headers.pop(random.randrange(len(headers)))
        case 1:
            headers += [("X", "y" * 90)] * random.choice((100, 200))
        case 2:
            headers.append((random.choice(NAMES), random.choice(VALUES)))
        case _:
            headers.append((random.choice(NAMES[:-3]), random.choice(FAIR)))


@SOME
@given(CHANCE, st.binary(max_size=50))
async def test_a_request_made_strange_is_answered_or_cut(service: Running, chance: Random, after: bytes) -> None:
    assert is_answer(await knock(service, strange_request(chance), after))
    await next_is_served(service)


async def test_hundreds_of_strange_requests_hurt_nobody_who_is_in(service: Running) -> None:
    chance = Random(1)
    async with knocking(service.app.port, "/charger/inside", ["ocpp1.6"]) as inside:
        heard = []
        for number in range(300):
            heard.append((await knock(service, strange_request(chance)))[9:12])
            if number % 10 == 0:
                assert (await inside.call("Heartbeat", message_id=f"m{number}"))[0] == 3
        assert {b"101", b"400", b"401", b"404"} <= set(heard)
        assert heard.count(b"") < 150
    await next_is_served(service)


@SOME
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4))
async def test_bytes_that_are_no_frames_end_that_socket_alone(service: Running, pieces: list[bytes]) -> None:
    async with knocking(service.app.port, f"/charger/vandal{next(_numbers)}", ["ocpp1.6"]) as vandal:
        for piece in pieces:
            vandal.write(piece)
        with contextlib.suppress(OSError):
            vandal.writer.write_eof()
        await vandal.rest()
    await next_is_served(service)
