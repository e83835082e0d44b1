"""Whatever a CSMS answers, asks and babbles: the simulated charger lives on, and serves the next that behaves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core.model import IdToken, Version
from ocpp_mqtt_proxy.core.reports import TransactionAnswer, TransactionReported
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.simulator import station as station_module
from ocpp_mqtt_proxy.simulator.box import HEARTBEAT_INTERVAL, Box, Welcome
from ocpp_mqtt_proxy.simulator.car import Car
from ocpp_mqtt_proxy.simulator.station import Pace, Station
from tests.fuzz.mutations import a_frame, strange
from tests.ocppj.rows import CALL, RESULT, rows, valid
from tests.running import PATIENCE

pytestmark = pytest.mark.integration

QUICK = Pace(speed=500, tick=0.005, retry=0.002, call=0.02)
STRANGE_FRAMES = 60


@pytest.fixture(autouse=True)
def _no_faults(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(station_module, "LONGEST_RETRY", 0.01)
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def right_answers(version: Version) -> dict[str, Any]:
    """The corpus's answers of a CSMS, by the action that they answer."""
    spoken = Version.V16 if version is Version.V16 else Version.V201
    asked = {row.message_id: row.action for row in rows("valid_16", "valid_201") if row.kind == CALL}
    found = [row for row in valid(from_charger=False, kind=RESULT) if row.version is spoken]
    return {asked[row.message_id]: row.payload for row in found}


@dataclass
class StrangeCsms:
    """Answers in strange ways so many times; then it behaves."""

    version: Version
    chance: Random
    left: int = STRANGE_FRAMES
    behaved: list[str] = field(default_factory=list)
    answers: dict[str, Any] = field(init=False)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers = right_answers(self.version)

    async def converse(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                frame = json.loads(message)
                if frame[0] == CALL:
                    await self._answer(socket, frame[1], frame[2], self.answers.get(frame[2], {}))

    async def _answer(self, socket: ServerConnection, message_id: str, action: str, right: Any) -> None:
        if self.left <= 0:
            await socket.send(json.dumps([RESULT, message_id, right]))
            self.behaved.append(action)
            self.news.set()
            return
        self.left -= 1
        for _ in range(self.chance.randrange(3)):
            await socket.send(a_frame(self.chance, self.version, from_charger=False))
        await socket.send(strange(self.chance, [RESULT, message_id, json.loads(json.dumps(right))], self.version))

    async def until(self, action: str) -> None:
        """Wait until this was told and answered as it should be."""
        async with asyncio.timeout(PATIENCE):
            while action not in self.behaved:
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def station_of(csms: StrangeCsms) -> AsyncIterator[tuple[Station, asyncio.Task[None]]]:
    protocols = [Subprotocol(DIALECTS[csms.version].subprotocol)]
    async with serve(csms.converse, "127.0.0.1", 0, subprotocols=protocols) as server:
        port = server.sockets[0].getsockname()[1]
        station = Station(Box(), DIALECTS[csms.version], f"ws://127.0.0.1:{port}", "SIM1", pace=QUICK)
        running = asyncio.create_task(station.run())
        try:
            yield station, running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def live(station: Station, number: int) -> None:
    """A car comes, or leaves."""
    now = datetime.now(UTC)
    if number % 2 == 0:
        station.box.plug(Car(soc=20), now)
        station.box.authorize(Welcome(IdToken("CARD"), now), now)
    else:
        station.box.unplug(now)
    station.collect()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("version", DIALECTS)
async def test_a_simulated_charger_outlives_a_strange_csms(version: Version, seed: int) -> None:
    csms = StrangeCsms(version, Random(seed))
    async with station_of(csms) as (station, running):
        async with asyncio.timeout(PATIENCE):
            for number in itertools.takewhile(lambda _: csms.left > 0 and not running.done(), itertools.count()):
                live(station, number)
                await asyncio.sleep(0.01)
        if running.done():
            running.result()
        station.box.plug(Car(soc=20), datetime.now(UTC))
        station.box.authorize(Welcome(IdToken("CARD"), datetime.now(UTC)), datetime.now(UTC))
        station.collect()
        await csms.until("StatusNotification")
        assert not running.done()


@pytest.mark.parametrize("interval", [-5, 0, "soon", None])
async def test_an_interval_that_is_none_makes_no_flood_of_heartbeats(interval: object) -> None:
    csms = StrangeCsms(Version.V16, Random(0), left=0)
    boot = {"status": "Accepted", "currentTime": "2026-03-14T12:00:00Z", "interval": interval}
    csms.answers = csms.answers | {"BootNotification": boot}
    async with station_of(csms) as (station, _):
        await csms.until("StatusNotification")
        assert float(station.box.settings[HEARTBEAT_INTERVAL]) == 300


@pytest.mark.parametrize("given", ["2026-03-14T24:00:00Z", "", None, [1], {"a": 1}, True, "1e400"])
async def test_a_1_6_transaction_id_that_is_no_number_names_none(given: object) -> None:
    read = DIALECTS[Version.V16].say[TransactionReported].read
    answer = read({"transactionId": given, "idTagInfo": {"status": "Accepted"}})
    assert isinstance(answer, TransactionAnswer)
    assert answer.transaction_id == ""
