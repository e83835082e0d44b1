"""Three services of three versions at one charger: each sees transactions of its own, whatever ids the others give."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.core import steering
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.independent_csms import Csms, csms_of
from tests.journeys.billing import (
    Bill,
    Listener,
    all_of,
    begun,
    bills,
    cancel,
    composite,
    give_control,
    greeted,
    limit,
    name_of,
    named,
    over,
    reserve,
    service,
    sessions,
    start,
    stop,
    three_csmss,
    unlimit,
)
from tests.running import PATIENCE, running

for_each_charger = pytest.mark.parametrize("version", CHARGERS)

IDS = ("transactionId", "remoteStartId", "reservationId", "chargingProfileId")


@dataclass
class Yard:
    """A charger and three services."""

    csmss: list[Csms]
    charger: Any
    http: str
    listener: Listener
    ids: set[object] = field(default_factory=set)

    async def charge(self, watt_hours: int, tag: str = "04A1B2C3") -> None:
        """A session by card."""
        self.ids.add(await self.charger.begin(tag))
        await self._flow(watt_hours)
        await self.charger.end()

    async def _flow(self, watt_hours: int) -> None:
        self.charger.meter.register += watt_hours - 1
        await self.charger.tell_meter()
        self.charger.meter.register += 1

    async def charge_from_afar(self, csms: Csms, watt_hours: int) -> Bill:
        """A session that a service starts and stops, handed control by the owner; the service's bill."""
        await give_control(self.http, name_of(csms))
        number = len(bills(csms)) + 1
        assert await start(csms) == "Accepted"
        there = await begun(csms, number)
        self.ids.add(self.charger.transaction)
        await self._flow(watt_hours)
        assert await stop(csms, there.id) == "Accepted"
        return (await over(csms, number))[number - 1]


@asynccontextmanager
async def yard(folder: Path, version: str, *services: dict[str, Any], first: int = 700) -> AsyncIterator[Yard]:
    """A charger with three services of three versions that count all ids alike; none may hear a frame that is wrong."""
    async with three_csmss() as csmss:
        more: list[dict[str, Any]] = [*services, {}, {}, {}]
        given = [service(csms, **their) for csms, their in zip(csmss, more, strict=False)]
        for csms in csmss:
            csms.number = lambda started: first + started - 1
            csms.message_id = itertools.count(1).__next__
        async with (
            running(folder, None, ocpp_services=given) as proxy,
            independent_charger(proxy.chargers, version, "CP1") as charger,
        ):
            charger._unique_id_generator = itertools.count(1).__next__  # noqa: SLF001 (the package has no other way)
            await greeted(*csmss)
            await charger.tell_status(PLUGGED[version])
            yield Yard(csmss, charger, proxy.http, Listener.on(charger))
        assert [csms.faults for csms in csmss] == [[], [], []]


@for_each_charger
@pytest.mark.parametrize("first", [0, 1, 2])
async def test_ids_of_services_never_mix_and_the_energy_agrees(tmp_path: Path, version: str, first: int) -> None:
    """A 1.6 service counts from 0, from 1 as we do towards 1.6 chargers, or gives what runs next elsewhere."""
    async with yard(tmp_path, version, first=first) as one:
        for watt_hours in (1000, 734):
            await one.charge(watt_hours)
        told = await all_of(one.csmss, 2)
        ours = await sessions(one.http)
        assert [bill.whole for of_one in told for bill in of_one] == [True] * 6
        for session, *each in zip(ours, *told, strict=True):
            assert [bill.energy for bill in each] == pytest.approx([session["energy_kwh"] * 1000] * 3, abs=1)
        assert [bill.id for bill in told[0]] == [first, first + 1]
        seen = [named(csms.heard, *IDS) for csms in one.csmss]
        assert seen[0] == {first, first + 1}
        assert [len(ids) for ids in seen] == [2, 2, 2]
        assert not seen[0] & (seen[1] | seen[2])
        if version == "1.6":
            assert not (seen[1] | seen[2]) & one.ids
        assert named(one.listener.frames, *IDS) <= (one.ids if version == "1.6" else set())


async def test_a_service_may_give_the_ids_that_we_give_the_charger(tmp_path: Path) -> None:
    async with yard(tmp_path, "1.6") as one:
        await one.charge(100)
        (first,) = one.ids
        assert isinstance(first, int)
        one.csmss[0].number = lambda started: {2: first, 3: first + 2, 4: first}[started]
        for watt_hours in (200, 300, 400):
            await one.charge(watt_hours)
        told = await all_of(one.csmss, 4)
        assert one.ids == {first + number for number in range(4)}
        assert [[bill.energy for bill in of_one] for of_one in told] == [[100, 200, 300, 400]] * 3
        assert [bill.id for bill in told[0]] == [700, first, first + 2, first]


@for_each_charger
async def test_each_starts_and_stops_by_ids_that_all_of_them_use(tmp_path: Path, version: str) -> None:
    async with yard(tmp_path, version, first=1) as one:
        for number, csms in enumerate(one.csmss, 1):
            bill = await one.charge_from_afar(csms, 100 * number)
            assert (bill.energy, bill.whole) == (100 * number, True)
            await all_of(one.csmss, number)
            await one.charger.tell_status(PLUGGED[version])
        for csms in one.csmss[1:]:
            of_its_own = [bill.remote_start_id == 7 for bill in bills(csms)]
            assert of_its_own == [csms is other for other in one.csmss]
        assert {bill.id for bill in bills(one.csmss[0])} == {1, 2, 3}


@for_each_charger
async def test_nobody_stops_what_another_service_started(tmp_path: Path, version: str) -> None:
    async with yard(tmp_path, version, first=1) as one:
        owner, other, third = one.csmss
        assert await start(owner) == "Accepted"
        theirs = [(await begun(csms)).id for csms in one.csmss]
        assert await stop(other, theirs[1]) == await stop(other, theirs[2]) == "Rejected"
        assert await stop(third, "1") == await stop(third, theirs[1]) == "Rejected"
        assert one.charger.transaction is not None
        assert await stop(owner, theirs[0]) == "Accepted"
        await all_of(one.csmss)


@for_each_charger
async def test_equal_reservation_ids_are_different_reservations(tmp_path: Path, version: str) -> None:
    async with yard(tmp_path, version) as one:
        first, *others = one.csmss
        await one.charger.tell_status("Available")
        assert await reserve(first, 5) == "Accepted"
        for csms in others:
            assert await reserve(csms, 5) != "Accepted"
            assert await cancel(csms, 5) == "Rejected"
        assert len(one.charger.reservations) == 1
        assert await cancel(first, 5) == "Accepted"


@for_each_charger
async def test_equal_profile_ids_are_different_profiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(steering, "CALM", timedelta(seconds=0.1))  # which more would wait for, and ten seconds are long
    async with yard(tmp_path, version, {"allow": ["SetChargingProfile"]}) as one:
        await one.charger.begin()
        await asyncio.gather(*(begun(csms) for csms in one.csmss))
        answers = [await limit(csms, amps) for csms, amps in zip(one.csmss, (12, 8, 10), strict=True)]
        bound = [amps for amps, answer in zip((12, 8, 10), answers, strict=True) if answer == "Accepted"]
        assert one.charger.meter.current == min(bound)
        assert await composite(one.csmss[0]) == min(bound)
        for csms, answer in zip(one.csmss[1:], answers[1:], strict=True):
            assert await unlimit(csms) == ("Accepted" if answer == "Accepted" else "Unknown")
        await one.charger.meter.gives(12)


@for_each_charger
async def test_one_decides_one_hears_all_and_one_hears_its_own(tmp_path: Path, version: str) -> None:
    decides, hears_its_own = {"authority": ["transactions"]}, {"mirror": "own"}
    async with yard(tmp_path, version, decides, {}, hears_its_own) as one:
        judge, watcher, own = one.csmss
        judge.refused_tags, watcher.refused_tags = {"STRANGER"}, {"04A1B2C3"}
        assert await one.charger.show("STRANGER") == "Invalid"
        assert await one.charger.show("04A1B2C3") == "Accepted"
        await one.charge(500)
        assert [bill.energy for (bill,) in await all_of([judge, watcher])] == [500, 500]
        assert [told["idTag"] for told in judge.calls("Authorize")] == ["STRANGER", "04A1B2C3"]
        await one.charger.tell_status(PLUGGED[version])
        bill = await one.charge_from_afar(own, 300)
        assert [one.energy for one in (await over(judge, 2))[1:] + (await over(watcher, 2))[1:]] == [300, 300]
        assert bills(own) == [bill]
        assert bill.energy == 300


# Bad company


@dataclass
class Talker:
    """A service that takes every caller and says nonsense, as much as it can, until it is closed. `said` it then has.

    Some of it is calls without an answer to wait for, some of it is no OCPP at all.
    """

    said: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[list[Any]] = field(default_factory=list)

    async def __call__(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await asyncio.gather(self._talk(socket), self._take(socket))

    async def _talk(self, socket: ServerConnection) -> None:
        for number in range(FLOOD):
            for frame in GARBAGE:
                await socket.send(frame.replace("NUMBER", str(number)))
        self.said.set()

    async def _take(self, socket: ServerConnection) -> None:
        async for frame in socket:
            self.heard.append(json.loads(frame))


FLOOD = 100

GARBAGE = [
    "nonsense",
    "[]",
    "{}",
    "[2]",
    '[3,"NUMBER",{}]',
    '[4,"NUMBER","GenericError","",{}]',
    '[2,"NUMBER","Reset",{"type":"Hard"}]',
    '[2,"NUMBER","Reset",{"type":5}]',
    '[2,"NUMBER","NoSuchThing",{}]',
    '[2,"NUMBER","RemoteStopTransaction",{"transactionId":NUMBER}]',
    '[2,"NUMBER","GetConfiguration",{}]',
    "[" * 2000,
    "x" * 100_000,
]


@asynccontextmanager
async def garbage() -> AsyncIterator[tuple[dict[str, Any], Talker]]:
    talker = Talker()
    async with serve(talker, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp1.6")]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield {"id": "garbage", "url": f"ws://127.0.0.1:{port}/ocpp", "version": "1.6", "mirror": "all"}, talker


@asynccontextmanager
async def silence() -> AsyncIterator[dict[str, Any]]:
    """A service that takes the connection and says nothing, not even to the handshake."""
    visitors: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: visitors.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield {"id": "silence", "url": f"ws://127.0.0.1:{port}/ocpp", "version": "2.0.1", "mirror": "all"}
    for writer in visitors:
        writer.transport.abort()
    server.close()
    await server.wait_closed()


@for_each_charger
@pytest.mark.parametrize("of_service", CHARGERS)
async def test_16_cp_bad_company(tmp_path: Path, version: str, of_service: str) -> None:
    """One CSMS slow, one dead, one sending garbage: the charger and a further CSMS are unaffected."""
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(csms_of(of_service))
        slow = await stack.enter_async_context(csms_of("2.1"))
        dead = await stack.enter_async_context(silence())
        noise, talker = await stack.enter_async_context(garbage())
        services = [service(slow, "slow"), dead, noise, service(good, "good")]
        proxy = await stack.enter_async_context(running(tmp_path, None, ocpp_services=services))
        charger = await stack.enter_async_context(independent_charger(proxy.chargers, version, "CP1"))
        await greeted(good, slow)
        slow.talks.clear()
        await charger.begin()
        for _ in range(5):
            charger.meter.register += 100
            await charger.tell_meter()
        await charger.end()
        (bill,) = await over(good)
        assert (bill.energy, bill.whole) == (500, True)
        await asyncio.wait_for(talker.said.wait(), PATIENCE)
        assert "reset Hard" not in charger.seen
        assert bills(slow) == [] or not bills(slow)[0].over
        slow.talks.set()
        (late,) = await over(slow)
        assert (late.energy, late.whole) == (500, True)
        assert good.faults == slow.faults == []
