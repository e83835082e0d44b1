"""The whole service between an independent charger and independent CSMSs, in all pairs of versions."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.utils import accept_key

from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.independent_csms import STATIONS, Csms, independent_csms
from tests.journeys.test_restart import take_over
from tests.running import running

PAIRS = list(itertools.product(CHARGERS, STATIONS))

STOP_SECONDS = 10.0
"""Within which everything stops (contract §2)."""

CHARGING = {"Charging", "Occupied"}

FIRST = {"1.6": "StartTransaction", "2.0.1": "TransactionEvent", "2.1": "TransactionEvent"}


def service(csms: Csms, name: str = "billing", **given: Any) -> dict[str, Any]:
    """A service as the configuration has it."""
    return {"id": name, "url": csms.url, "version": csms.version, "mirror": "all", **given}


def has(*actions: str) -> Any:
    """Whether a CSMS has heard such messages."""
    return lambda csms: set(actions) <= set(csms.actions())


def states(csms: Csms) -> list[str]:
    """The states that a CSMS heard of."""
    return [one.get("status") or one["connector_status"] for one in csms.said("StatusNotification")]


def ended(number: int = 1) -> Any:
    return lambda csms: len(csms.ended) == number


async def charge(charger: Any, watt_hours: int, csms: Csms | None = None) -> None:
    """One session, told in three messages; a CSMS sees that it charges before it ends."""
    await charger.begin()
    charger.meter.register += watt_hours - 100
    await charger.tell_meter()
    if csms is not None:
        await csms.until(lambda csms: CHARGING & set(states(csms)))
    charger.meter.register += 100
    await charger.end()


@pytest.mark.parametrize(("charger_version", "service_version"), PAIRS)
async def test_a_session_is_billed_to_the_watt_hour(tmp_path: Path, charger_version: str, service_version: str) -> None:
    async with (
        independent_csms(service_version) as csms,
        running(tmp_path, None, ocpp_services=[service(csms)]) as proxy,
        independent_charger(proxy.chargers, charger_version, "CP1") as charger,
    ):
        await csms.until(has("BootNotification", "StatusNotification"))
        await charger.tell_status(PLUGGED[charger_version])
        await charge(charger, 1600, csms)
        await csms.until(ended())
        (transaction,) = csms.ended
        assert csms.energy(transaction) == 1600


@pytest.mark.parametrize("version", STATIONS)
async def test_a_service_that_was_down_hears_of_everything_before_it_hears_of_now(tmp_path: Path, version: str) -> None:
    async with (
        independent_csms(version) as csms,
        running(tmp_path, None, ocpp_services=[service(csms)]) as proxy,
        independent_charger(proxy.chargers, "1.6", "CP1") as charger,
    ):
        await csms.until(has("StatusNotification"))
        await csms.down()
        for watt_hours in (1000, 2000):
            await charge(charger, watt_hours)
        csms.heard.clear()
        await csms.up()
        await csms.until(lambda csms: has("StatusNotification")(csms) and ended(2)(csms))
        assert [csms.energy(transaction) for transaction in csms.ended] == [1000, 2000]
        told = csms.actions()
        assert told[:2] == ["BootNotification", FIRST[version]]
        assert set(told[told.index("StatusNotification") :]) == {"StatusNotification"}


@pytest.mark.parametrize("version", STATIONS)
async def test_a_session_goes_on_for_a_service_over_a_restart(tmp_path: Path, version: str) -> None:
    async with independent_csms(version) as csms:
        services = [service(csms)]
        async with (
            running(tmp_path, None, ocpp_services=services) as proxy,
            independent_charger(proxy.chargers, "1.6", "CP1") as before,
        ):
            await csms.until(has("StatusNotification"))
            transaction = await before.begin()
            await csms.until(has(FIRST[version]))
        async with (
            running(tmp_path, None, ocpp_services=services) as proxy,
            independent_charger(proxy.chargers, "1.6", "CP1", boot=False) as charger,
        ):
            take_over(charger, before)
            charger.transaction = transaction
            charger.meter.register += 750
            await charger.end()
            await csms.until(ended())
        assert list(csms.energies) == csms.ended
        assert csms.energy(csms.ended[0]) == 750


async def test_three_services_each_see_their_own_transaction(tmp_path: Path) -> None:
    async with (
        independent_csms("1.6") as one,
        independent_csms("1.6") as other,
        independent_csms("2.0.1") as third,
        running(tmp_path, None, ocpp_services=[service(one, "a"), service(other, "b"), service(third, "c")]) as proxy,
        independent_charger(proxy.chargers, "1.6", "CP1") as charger,
    ):
        other.energies |= {1: [], 2: []}  # its numbers are others
        for csms in (one, other, third):
            await csms.until(has("StatusNotification"))
        await charge(charger, 1234)
        for csms in (one, other, third):
            await csms.until(ended())
        assert {one.ended[0], other.ended[0]} == {7000, 7002}
        assert [csms.energy(csms.ended[0]) for csms in (one, other, third)] == [1234, 1234, 1234]


async def _take_and_stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, over: asyncio.Event) -> None:
    """A service that shakes hands and is never heard of again, until all is over."""
    request = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.split(": ")[1] for line in request.splitlines() if line.lower().startswith("sec-websocket-key"))
    answer = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    answer += [f"Sec-WebSocket-Accept: {accept_key(key)}", "Sec-WebSocket-Protocol: ocpp1.6"]
    writer.write(("\r\n".join(answer) + "\r\n\r\n").encode())
    await over.wait()
    writer.transport.abort()


async def test_a_service_that_stalls_holds_up_neither_the_charger_nor_the_stop(tmp_path: Path) -> None:
    over = asyncio.Event()
    server = await asyncio.start_server(partial(_take_and_stall, over=over), "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
    stalled = {"id": "stalled", "url": url, "version": "1.6", "mirror": "all"}
    async with independent_csms("1.6") as csms, AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(running(tmp_path, None, ocpp_services=[stalled, service(csms)]))
        async with independent_charger(proxy.chargers, "1.6", "CP1") as charger:
            await csms.until(has("StatusNotification"))
            await charge(charger, 1000)
            await csms.until(ended())
        async with asyncio.timeout(STOP_SECONDS):
            await stack.aclose()
    over.set()
    server.close()
    await server.wait_closed()
