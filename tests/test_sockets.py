"""A connection that hands on its messages: in order, in turns, and only while its listener and its peer keep up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection, serve

from ocpp_mqtt_proxy.budget import TURN, Budget
from ocpp_mqtt_proxy.framing import Framing
from ocpp_mqtt_proxy.sockets import Connection
from tests.adapters.raw import TEXT, frame, knocking

pytestmark = pytest.mark.integration

MANY = 5 * TURN


class Listener:
    """What a connection handed on."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.came = asyncio.Event()
        self.connection: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()

    async def converse(self, connection: ServerConnection) -> None:
        assert isinstance(connection, Connection)
        self.connection.set_result(connection)
        connection.listen(self.take)
        await connection.wait_closed()
        self.gone.set()

    def take(self, message: bytes) -> None:
        self.heard.append(message)
        self.came.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener()
    making = cast("Any", lambda _, server, **options: Connection(Framing(Budget().message), server, **options))
    async with serve(listener.converse, "127.0.0.1", 0, create_connection=making, compression=None) as server:
        yield listener, server.sockets[0].getsockname()[1]


def numbers(count: int, first: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(first, first + count)]


def burst(messages: list[bytes]) -> bytes:
    return b"".join(frame(TEXT, message) for message in messages)


async def test_a_burst_longer_than_a_turn_is_heard_whole_and_in_order() -> None:
    async with listening() as (listener, port), knocking(port, "/x") as charger:
        charger.write(burst(numbers(MANY)))
        await listener.until(MANY)
        assert listener.heard == numbers(MANY)


async def test_a_flood_leaves_the_others_their_turn() -> None:
    async with listening() as (listener, port), knocking(port, "/x") as charger:
        connection = await listener.connection
        turns: list[int] = []

        def take(message: bytes) -> None:
            listener.take(message)
            if len(listener.heard) % TURN == 1:
                connection.loop.call_soon(lambda: turns.append(len(listener.heard)))

        connection.listen(take)
        charger.write(burst(numbers(MANY)))
        await listener.until(MANY)
        assert turns[:4] == [TURN, 2 * TURN, 3 * TURN, 4 * TURN]


async def test_nothing_is_handed_on_while_it_is_held() -> None:
    async with listening() as (listener, port), knocking(port, "/x") as charger:
        connection = await listener.connection
        connection.hold()
        charger.write(burst(numbers(MANY)))
        await charger.writer.drain()
        assert listener.heard == []
        connection.release()
        await listener.until(MANY)
        assert listener.heard == numbers(MANY)


async def test_what_a_listener_holds_back_in_mid_burst_waits_in_order() -> None:
    async with listening() as (listener, port), knocking(port, "/x") as charger:
        connection = await listener.connection

        def take(message: bytes) -> None:
            listener.take(message)
            if message == b"3":
                connection.hold()

        connection.listen(take)
        charger.write(burst(numbers(MANY)))
        await listener.until(4)
        await asyncio.sleep(0)
        assert listener.heard == numbers(4)
        connection.release()
        await listener.until(MANY)
        assert listener.heard == numbers(MANY)


async def test_what_came_before_the_end_is_heard_before_it() -> None:
    async with listening() as (listener, port), knocking(port, "/x") as charger:
        charger.write(burst(numbers(TURN // 2)))
        charger.writer.close()
        async with asyncio.timeout(10):
            await listener.gone.wait()
        assert listener.heard == numbers(TURN // 2)


async def test_of_a_peer_that_does_not_read_nothing_is_read() -> None:
    async with listening() as (listener, port), knocking(port, "/x") as charger:
        connection = await listener.connection
        written = 0
        while not connection.paused:
            assert connection.put(b"x" * 65_536)
            written += 1
            await asyncio.sleep(0)
        assert not connection.transport.is_reading()
        for _ in range(written):
            await charger.frame()
        charger.write(burst([b"at last"]))
        await listener.until(1)


async def test_nothing_is_written_to_a_closed_connection() -> None:
    async with listening() as (listener, port):
        async with knocking(port, "/x"):
            connection = await listener.connection
            assert connection.put(b"hello")
        async with asyncio.timeout(10):
            await listener.gone.wait()
        assert not connection.put(b"anybody there?")
        assert connection.farewell
