"""Budgets on real sockets: whoever goes over one waits or is cut, nothing of it is lost, and it is counted."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters.server import Door, SocketRoute
from ocpp_mqtt_proxy.budget import FRAME_COST, SLICE, TRICKLE, TURN, Budget
from ocpp_mqtt_proxy.sockets import LOOK, Connection
from tests.adapters.raw import (
    CLOSE,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    RawCharger,
    connection,
    frame,
    knocking,
    request,
)

TINY = frame(TEXT, b"x")
FAR = 10**9
"""A budget that nobody reaches."""


@dataclass
class Peer:
    """The server's end of a conversation, and what it heard."""

    socket: Connection
    heard: list[bytes] = field(default_factory=list)
    echo: bool = False

    def take(self, message: bytes) -> None:
        self.heard.append(message)
        if self.echo:
            self.socket.put(message)


@dataclass
class House:
    """A door with whoever is inside, in the order they came."""

    door: Door
    port: int
    peers: list[Peer]

    @contextlib.asynccontextmanager
    async def visited(self) -> AsyncIterator[tuple[RawCharger, Peer]]:
        """A charger, and our end of it."""
        before = len(self.peers)
        async with knocking(self.port, "/x") as charger:
            assert charger.status == 101
            await until(lambda: len(self.peers) > before)
            yield charger, self.peers[before]
            charger.writer.transport.abort()


@contextlib.asynccontextmanager
async def a_house(*, echo: bool = False, **budget: Any) -> AsyncIterator[House]:
    peers: list[Peer] = []

    async def admit(_: Connection, __: Request) -> Response | None:
        return None

    async def converse(socket: Connection) -> None:
        peer = Peer(socket, echo=echo)
        peers.append(peer)
        socket.listen(peer.take)
        await socket.wait_closed()

    door = Door(Starlette(), [SocketRoute(lambda _: True, admit, converse)], Budget(**budget))
    port = await door.open("127.0.0.1", 0)
    try:
        yield House(door, port, peers)
    finally:
        for peer in peers:
            peer.socket.cut("the test is over")
        await door.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.002)


# Too much


async def test_whoever_sends_too_much_is_read_more_slowly_and_loses_nothing() -> None:
    async with a_house(burst=LOOK, allowance=10_000_000) as house, house.visited() as (charger, peer):
        count = 20 * LOOK // FRAME_COST
        charger.write(TINY * count)
        await until(lambda: len(peer.heard) == count)
        assert peer.socket.excess.slowed > 0


async def test_while_it_is_slowed_it_is_not_read_and_others_are() -> None:
    async with (
        a_house(burst=0, allowance=1.0) as house,
        house.visited() as (charger, peer),
        house.visited() as (other, bystander),
    ):
        charger.write(TINY * (2 * LOOK // FRAME_COST))
        await until(lambda: peer.socket.excess.slowed)
        heard = len(peer.heard)
        assert not peer.socket.transport.is_reading()
        other.write(TINY)
        await until(lambda: bystander.heard)
        assert len(peer.heard) == heard
        assert peer.socket.excess.slowed == 1


async def test_a_charger_within_its_budget_is_never_slowed() -> None:
    async with a_house() as house, house.visited() as (charger, peer):
        charger.write(frame(TEXT, b"x" * 1700) * 1000)
        await until(lambda: len(peer.heard) == 1000)
        assert peer.socket.excess.slowed == 0


async def test_pings_count_like_anything_else() -> None:
    async with a_house(burst=0, allowance=1.0) as house, house.visited() as (charger, peer):
        charger.write(frame(PING, b"") * (2 * LOOK // FRAME_COST))
        await until(lambda: peer.socket.excess.slowed)
        assert not peer.socket.transport.is_reading()


async def test_empty_fragments_count_like_anything_else() -> None:
    async with a_house(burst=0, allowance=1.0) as house, house.visited() as (charger, peer):
        charger.write(frame(TEXT, b"x", final=False) + frame(0, b"", final=False) * (2 * LOOK // FRAME_COST))
        await until(lambda: peer.socket.excess.slowed)
        assert peer.heard == []


# Turns


async def test_a_flood_in_one_gulp_is_taken_in_turns() -> None:
    async with a_house() as house, house.visited() as (charger, peer):
        turns: list[int] = []

        def note() -> None:
            turns.append(len(peer.heard))
            if len(peer.heard) < 100 * TURN:
                asyncio.get_running_loop().call_soon(note)

        charger.write(TINY * (100 * TURN))
        note()
        await until(lambda: len(peer.heard) == 100 * TURN)
        steps = [after - before for before, after in itertools.pairwise(turns)]
        assert max(steps) <= 2 * TURN  # one turn by the clock of the loop, one more where bytes came


async def test_a_gulp_of_pings_is_read_in_slices() -> None:
    async with a_house() as house, house.visited() as (charger, peer):
        costs: list[int] = []
        before = peer.socket._cost  # noqa: SLF001 (who else knows)
        pings = 10 * SLICE // len(frame(PING, b""))

        def note() -> None:
            costs.append(peer.socket._cost - before)  # noqa: SLF001
            if costs[-1] < pings * FRAME_COST:
                asyncio.get_running_loop().call_soon(note)

        charger.write(frame(PING, b"") * pings)
        note()
        for _ in range(pings):
            assert (await charger.frame())[0] == PONG
        steps = [after - before for before, after in itertools.pairwise(costs)]
        a_slice = (SLICE // len(frame(PING, b"")) + 1) * FRAME_COST + SLICE
        assert max(steps) <= 2 * a_slice


# Who does not read


async def flooded(charger: RawCharger, message: bytes) -> None:
    while True:
        charger.write(message)
        await charger.writer.drain()


@contextlib.asynccontextmanager
async def flooding(charger: RawCharger, message: bytes) -> AsyncIterator[None]:
    task = asyncio.create_task(flooded(charger, message))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


FLOODS = {"of messages": frame(TEXT, b"x" * 30_000), "of pings": frame(PING, b"x" * 125) * 100}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_of_who_does_not_read_nothing_is_read_so_little_waits(flood: bytes) -> None:
    async with a_house(echo=True, burst=FAR) as house, house.visited() as (charger, peer), flooding(charger, flood):
        await until(lambda: peer.socket.paused)
        assert not peer.socket.transport.is_reading()
        async with house.visited() as (other, _):
            for _ in range(3):
                other.write(frame(TEXT, b"1"))
                assert await other.message() == 1
        assert peer.socket.excess.unread >= 1
        high = peer.socket.transport.get_write_buffer_limits()[1]
        assert peer.socket.transport.get_write_buffer_size() < high + TURN * 30_000 + 2 * SLICE


async def test_who_reads_nothing_for_too_long_is_cut() -> None:
    flood = FLOODS["of messages"]
    async with (
        a_house(echo=True, write_seconds=0.05) as house,
        house.visited() as (charger, peer),
        flooding(charger, flood),
    ):
        async with asyncio.timeout(PATIENCE):
            await peer.socket.wait_closed()
        assert peer.socket.farewell == "it read nothing for 0.05 s"


async def test_who_reads_in_time_goes_on() -> None:
    async with a_house(echo=True) as house, house.visited() as (charger, peer):
        async with flooding(charger, FLOODS["of messages"]):
            await until(lambda: peer.socket.paused)
        while (await charger.frame())[1] != b"1":
            charger.write(frame(TEXT, b"1"))
        assert peer.socket.excess.unread >= 1


# Life


async def test_who_answers_pings_stays() -> None:
    async with a_house() as house, house.visited() as (charger, peer):
        peer.socket.keep_alive(0.01, 0.5)
        for _ in range(5):
            opcode, payload = await charger.frame()
            assert opcode == PING
            charger.write(frame(PONG, payload))


async def test_who_was_just_heard_is_not_pinged_until_it_was_silent_for_as_long() -> None:
    async with a_house(echo=True) as house, house.visited() as (charger, peer):
        loop = asyncio.get_running_loop()
        peer.socket._heard_at = loop.time() + 3600  # noqa: SLF001 (as if it were then)
        peer.socket.keep_alive(0.01, 0.01)
        await until(lambda: peer.socket._timers["ping"].when() > loop.time() + 1800)  # noqa: SLF001
        charger.write(TINY)
        assert await charger.frame() == (TEXT, b"x")


async def test_who_answers_none_is_cut() -> None:
    async with a_house() as house, house.visited() as (_, peer):
        peer.socket.keep_alive(0.01, 0.02)
        async with asyncio.timeout(PATIENCE):
            await peer.socket.wait_closed()
        assert peer.socket.farewell == "no pong within 0.02 s"


@pytest.mark.parametrize(("size", "alive"), [(1, False), (TRICKLE, True)])
async def test_who_has_much_to_say_before_its_pong_is_alive(size: int, alive: bool) -> None:
    """On a slow link a long message holds the pong up; a byte now and then does not."""
    async with a_house() as house, house.visited() as (charger, peer):
        charger.write(frame(TEXT, b"x" * 50_000)[: -2 * TRICKLE])
        await until(lambda: peer.socket._cost > 48_000)  # noqa: SLF001 (who else knows)
        asking = asyncio.create_task(peer.socket.answers(0.1))
        assert (await charger.frame())[0] == PING
        charger.write(b"x" * size)
        assert await asking is alive


async def test_a_trickle_is_no_life() -> None:
    """A frame that never ends, a byte at a time, keeps no place."""
    async with a_house() as house, house.visited() as (charger, peer):
        charger.write(frame(TEXT, b"x" * 1000)[:-900])
        peer.socket.keep_alive(0.01, 0.1)

        async def trickle() -> None:
            while True:
                charger.write(b"x")
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        async with asyncio.timeout(PATIENCE):
            await peer.socket.wait_closed()
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        assert peer.socket.farewell == "no pong within 0.1 s"


# Farewell


async def test_who_is_told_to_go_hears_nothing_more_of_us_and_is_not_heard() -> None:
    async with a_house(echo=True) as house, house.visited() as (charger, peer):
        peer.socket.hold()
        charger.write(TINY * 3)
        peer.socket.part("your place is taken")
        charger.write(TINY)
        opcode, payload = await charger.frame()
        assert (opcode, payload) == (CLOSE, b"\x03\xe9your place is taken")
        charger.write(frame(CLOSE, payload))
        assert await charger.is_cut()
        assert peer.heard == []


async def test_who_does_not_go_is_cut() -> None:
    async with a_house(close_seconds=0.02) as house, house.visited() as (charger, peer):
        peer.socket.part("your place is taken")
        assert await charger.close_code() == 1001
        assert await charger.is_cut()
        assert peer.socket.farewell == "your place is taken"


async def test_to_be_told_twice_is_as_good_as_once() -> None:
    async with a_house() as house, house.visited() as (charger, peer):
        peer.socket.part("once")
        peer.socket.part("twice")
        assert await charger.close_code() == 1001
        charger.write(frame(CLOSE, b"\x03\xe9"))
        assert await charger.is_cut()
        peer.socket.part("thrice")
        assert not peer.socket.put(b"anybody there?")


# The door


async def test_an_address_that_knocks_too_often_waits_its_turn() -> None:
    async with a_house(handshakes=2, handshakes_per_second=20) as house, contextlib.AsyncExitStack() as stack:
        visits = [await stack.enter_async_context(house.visited()) for _ in range(4)]
        assert len(visits) == 4
        assert house.door.counters.delayed == 2


async def test_what_an_address_says_while_it_waits_is_not_lost() -> None:
    async with (
        a_house(echo=True, handshakes=1, handshakes_per_second=20) as house,
        house.visited(),
        connection(house.port) as charger,
    ):
        charger.write(request("/x") + frame(TEXT, b"1"))
        await charger.read_head()
        assert await charger.message() == 1


async def test_an_address_that_would_wait_too_long_is_cut_and_others_come_in() -> None:
    async with a_house(handshakes=1, handshakes_per_second=0.01) as house, house.visited():
        async with connection(house.port) as charger:
            charger.write(request("/x"))
            assert await charger.is_cut()
        assert house.door.counters.cut == 1
        async with knocking(house.port, "/x", source="127.0.0.2") as other:
            assert other.status == 101


async def test_whoever_leaves_while_it_waits_is_forgotten() -> None:
    async with a_house(handshakes=1, handshakes_per_second=20) as house, house.visited():
        async with connection(house.port) as charger:
            charger.write(request("/x"))
            await until(lambda: house.door.counters.delayed)
            charger.writer.transport.abort()
        await until(lambda: not house.door.knocking)
        async with house.visited():
            assert len(house.peers) == 2


async def test_http_does_not_wait_for_chargers() -> None:
    async with a_house(handshakes=0, handshakes_per_second=0.01) as house, connection(house.port) as client:
        client.write(b"GET / HTTP/1.1\r\nHost: proxy\r\n\r\n")
        await client.read_head()
        assert client.status == 404


async def test_where_every_place_is_taken_one_more_is_refused_until_one_is_free() -> None:
    async with a_house(sockets=2) as house, house.visited(), house.visited() as (_, last):
        async with knocking(house.port, "/x") as charger:
            assert charger.status == 503
        assert house.door.counters.full == 1
        last.socket.cut("no reason")
        await until(lambda: len(house.door._talking) == 1)  # noqa: SLF001 (who else knows)
        async with knocking(house.port, "/x") as charger:
            assert charger.status == 101
