"""A session that changes hands while it runs, from the charger's first message to the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy.arbitration import owner
from tests.independent import CHARGERS, independent_charger
from tests.running import Running, running

FLEET = {"id": "fleet", "presence": "any", "tariff": {"price_per_kwh": 0.5, "session_fee": 1}}
NIGHT = {"id": "night", "presence": "any", "tariff": {"price_per_kwh": 0.2, "session_fee": 1}}


async def asked(service: Running, path: str, **query: str) -> Any:
    async with httpx.AsyncClient(base_url=service.http) as api:
        return (await api.get(path, params=query)).json()


@pytest.mark.parametrize("version", CHARGERS)
async def test_each_provider_pays_for_what_flowed_in_its_time_also_after_a_restart(
    tmp_path: Path, version: str
) -> None:
    given: dict[str, Any] = {
        "providers": [FLEET, NIGHT],
        "tariff": {"price_per_kwh": 0.3},
        "id_tags": [{"tag": "04A1B2C3"}],
    }
    async with (
        running(tmp_path, None, **given) as service,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        charger.meter.timespec = "microseconds"
        await charger.begin()
        await hand_over(service, "fleet")
        charger.meter.register += 1000
        await charger.tell_meter()
        await hand_over(service, "night")
        transaction, register = charger.transaction, charger.meter.register
    async with (
        running(tmp_path, None, **given) as service,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        charger.meter.timespec = "microseconds"
        charger.transaction, charger.meter.register = transaction, register + 2000
        await charger.end()
        (session,) = (await asked(service, "/sessions"))["sessions"]
        totals = (await asked(service, "/api/totals", by="provider"))["totals"]
    assert (session["energy_kwh"], session["cost"], session["provider"]) == (3.0, 0.9, "night")
    assert [part["provider"] for part in session["parts"]] == ["owner", "fleet", "night"]
    assert sum(part["energy_kwh"] for part in session["parts"]) == pytest.approx(3.0)
    assert session["revenue"] == pytest.approx(sum(part["revenue"] for part in session["parts"]))
    assert [(one["provider"], one["sessions"]) for one in totals] == [("fleet", 1), ("night", 1), ("owner", 1)]
    assert sum(one["energy_kwh"] for one in totals) == pytest.approx(3.0)


async def hand_over(service: Running, provider: str) -> None:
    assert (await owner.set_mode(service.app.arbitration, "CP1", provider, by="test")).ok
