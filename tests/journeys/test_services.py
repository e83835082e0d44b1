"""The whole service between an independent charger and independent CSMSs: outages, restarts, and one that stalls."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.utils import accept_key

from tests.independent import independent_charger
from tests.independent_csms import csms_of
from tests.journeys.billing import VERSIONS, begun, bills, calls, greeted, over, service
from tests.journeys.test_restart import take_over
from tests.running import running

STOP_SECONDS = 10.0
"""Within which everything stops (contract §2)."""

FIRST = {"1.6": "StartTransaction", "2.0.1": "TransactionEvent", "2.1": "TransactionEvent"}


async def charge(charger: Any, watt_hours: int) -> None:
    """One session, told in three messages."""
    await charger.begin()
    charger.meter.register += watt_hours - 100
    await charger.tell_meter()
    charger.meter.register += 100
    await charger.end()


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_service_that_was_down_hears_of_everything_before_it_hears_of_now(tmp_path: Path, version: str) -> None:
    async with (
        csms_of(version) as csms,
        running(tmp_path, None, ocpp_services=[service(csms)]) as proxy,
        independent_charger(proxy.chargers, "1.6", "CP1") as charger,
    ):
        await greeted(csms)
        await csms.close()
        for watt_hours in (1000, 2000):
            await charge(charger, watt_hours)
        csms.heard.clear()
        await csms.open()
        await greeted(csms)
        assert [bill.energy for bill in await over(csms, 2)] == [1000, 2000]
        told = [action for _, action, _ in calls(csms)]
        assert told[:2] == ["BootNotification", FIRST[version]]
        assert set(told[told.index("StatusNotification") :]) == {"StatusNotification"}
        assert csms.faults == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_goes_on_for_a_service_over_a_restart(tmp_path: Path, version: str) -> None:
    async with csms_of(version) as csms:
        services = [service(csms)]
        async with (
            running(tmp_path, None, ocpp_services=services) as proxy,
            independent_charger(proxy.chargers, "1.6", "CP1") as before,
        ):
            await greeted(csms)
            transaction = await before.begin()
            await begun(csms)
        async with (
            running(tmp_path, None, ocpp_services=services) as proxy,
            independent_charger(proxy.chargers, "1.6", "CP1", boot=False) as charger,
        ):
            take_over(charger, before)
            charger.transaction = transaction
            charger.meter.register += 750
            await charger.end()
            await over(csms)
        (bill,) = bills(csms)
        assert (bill.energy, bill.whole, csms.faults) == (750, True, [])


async def _take_and_stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ended: asyncio.Event) -> None:
    """A service that shakes hands and is never heard of again, until all is over."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.split(": ")[1] for line in request.splitlines() if line.lower().startswith("sec-websocket-key"))
    answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    answer += [f"Sec-WebSocket-Accept: {accept_key(key)}", "Sec-WebSocket-Protocol: ocpp1.6"]
    writer.write(("\r\n".join(answer) + "\r\n\r\n").encode())
    await ended.wait()
    writer.transport.abort()


async def test_a_service_that_stalls_holds_up_neither_the_charger_nor_the_stop(tmp_path: Path) -> None:
    ended = asyncio.Event()
    server = await asyncio.start_server(partial(_take_and_stall, ended=ended), "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
    stalled = {"id": "stalled", "url": url, "version": "1.6", "mirror": "all"}
    async with csms_of("1.6") as csms, AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, None, ocpp_services=[stalled, service(csms)]))
        async with independent_charger(proxy.chargers, "1.6", "CP1") as charger:
            await greeted(csms)
            await charge(charger, 1000)
            await over(csms)
        async with asyncio.timeout(STOP_SECONDS):
            await stack.aclose()
    ended.set()
    server.close()
    await server.wait_closed()
