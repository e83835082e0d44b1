"""A charger that the owner has forgotten while it talks."""

from __future__ import annotations

import pytest

from tests.adapters.raw import knocking
from tests.running import Running

BOOT = {"chargePointVendor": "ABB", "chargePointModel": "Terra"}


async def test_it_is_shown_out_and_what_it_still_says_is_no_fault(
    proxy: Running, caplog: pytest.LogCaptureFixture
) -> None:
    async with knocking(proxy.app.port, "/charger/CP1", ["ocpp1.6"]) as charger:
        charger.send([2, "1", "BootNotification", BOOT])
        assert (await charger.message())[2]["status"] == "Accepted"
        for number in range(200):
            charger.send([2, f"h{number}", "Heartbeat", {}])
        await proxy.app.hub.forget("CP1")
        assert await charger.close_code() == 1001
    assert "CP1" not in proxy.app.hub.stations
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_it_may_come_again_as_if_for_the_first_time(proxy: Running) -> None:
    for _ in range(2):
        async with knocking(proxy.app.port, "/charger/CP1", ["ocpp1.6"]) as charger:
            charger.send([2, "1", "BootNotification", BOOT])
            assert (await charger.message())[2]["status"] == "Accepted"
            assert proxy.app.hub.station("CP1").connects == 1
            await proxy.app.hub.forget("CP1")
            assert await charger.close_code() == 1001
