"""A limit is verified by what the charger offers and what flows; one that ignores it is said to; all is explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.brokers import Broker
from tests.independent import CHARGERS
from tests.independent_meter import Meter
from tests.journeys.limits import INDEPENDENT, KINDS, House, house

LIMITS = "charger/CP1/event/limit"


async def is_told(home: House, **fields: object) -> None:
    await home.owner.document(LIMITS, lambda event: {name: event[name] for name in fields} == fields)


async def seen(home: House) -> tuple[Any, Any]:
    """What the status says of it: of the connector, and of the charger."""
    async with httpx.AsyncClient(base_url=home.service.http) as client:
        charger = (await client.get("/status")).json()["chargers"]["CP1"]
    return charger["connectors"][0]["limit_verified"], charger["ignores_limits"]


async def explained(home: House) -> list[tuple[str, str]]:
    """What bound and why, the oldest first."""
    await home.service.app.store.flush()
    async with httpx.AsyncClient(base_url=home.service.http) as client:
        rows = (await client.get("/api/decisions", params={"asked": "limit"})).json()["decisions"]
    assert {row["verdict"] for row in rows} == {"limited"}
    return [(row["message"].partition(",")[0], row["reason"]) for row in reversed(rows)]


async def time_passes(home: House, times: int = 1) -> None:
    """The charger reads what flows, time and again."""
    for _ in range(times):
        home.passes(seconds=15)
        await home.charger.tell_meter()


@pytest.mark.parametrize(("kind", "version"), KINDS)
async def test_a_limit_is_told_again_once_it_is_seen_to_be_kept_to(
    tmp_path: Path, broker: Broker, kind: str, version: str
) -> None:
    async with house(tmp_path, broker, kind, version) as home:
        await home.slides(10)
        await is_told(home, effective=10, by="owner", verified=False)
        await time_passes(home, times=2)
        await is_told(home, effective=10, by="owner", verified=True)
        assert await seen(home) == (True, None)
        assert (await explained(home))[-2:] == [("10 A", "ceiling"), ("10 A", "verified")]


@pytest.mark.parametrize("version", CHARGERS)
async def test_one_that_ignores_limits_is_said_to(
    tmp_path: Path, broker: Broker, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Meter, "offered", property(lambda _: 32.0))
    async with house(tmp_path, broker, INDEPENDENT, version) as home:
        await home.slides(10)
        await home.shows(effective_limit="10")
        await time_passes(home, times=3)
        await home.owner.value("charger/CP1/ignores_limits", "ON")
        verified, ignores = await seen(home)
        assert (verified, ignores["amps"]) == (False, 32)
        told = await home.owner.document("bridge/event", lambda event: event["event"] == "limits_ignored")
        assert told["charger"] == "CP1"
        monkeypatch.undo()
        await time_passes(home, times=2)
        await home.owner.value("charger/CP1/ignores_limits", "OFF")
        assert [why for _, why in await explained(home)][-2:] == ["ignored", "verified"]
