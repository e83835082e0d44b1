"""The demonstration's CSMS, with independent chargers: it takes whatever they say, in each version."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from ocpp_mqtt_proxy.demo.csms import converse
from ocpp_mqtt_proxy.ocppj.dialects import SUBPROTOCOLS
from tests.independent import CHARGERS, independent_charger


@pytest.fixture
async def csms() -> AsyncIterator[str]:
    spoken = [Subprotocol(name) for name in SUBPROTOCOLS]
    async with serve(converse, "127.0.0.1", 0, subprotocols=spoken) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ocpp"


@pytest.mark.parametrize("version", CHARGERS)
async def test_a_charger_is_accepted_charges_and_is_billed(
    csms: str, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with independent_charger(csms, version, "CP1") as charger:
        assert await charger.show("04A1B2C3") == "Accepted"
        await charger.begin()
        charger.meter.register += 1500
        await charger.tell_meter()
        await charger.end()
    assert "CP1 ended transaction" in (told := capsys.readouterr().out)
    assert "at 251.50 kWh" in told
