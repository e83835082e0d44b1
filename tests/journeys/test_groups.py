"""Three independent chargers on one fuse: whatever happens, what they are offered together never exceeds it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from ocpp.exceptions import FormationViolationError

from ocpp_mqtt_proxy.arbitration import groups
from ocpp_mqtt_proxy.core import house_load, steering
from tests.brokers import Broker
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.independent_meter import Meter
from tests.independent_profiles import Profile, Profiles
from tests.running import Running, Watcher, running

IDS = ("CP1", "CP2", "CP3")
FUSE = 25.0


class Fuse:
    """What all meters on it are offered, checked with every limit that one of them takes."""

    def __init__(self) -> None:
        self.meters: list[Fused] = []
        self.watching = False
        self.house = 0.0
        self.worst = 0.0

    def check(self) -> None:
        if self.watching:
            self.worst = max(self.worst, sum(max(meter.default, meter.own or 0.0) for meter in self.meters))


class Fused(Meter):
    """A meter on a fuse."""

    fuse: Fuse
    stubborn = False

    def take(self, connector: int, profile: Profile, running: object) -> bool:
        if self.stubborn:
            raise FormationViolationError("it takes no profile")
        taken = super().take(connector, profile, running)
        self.fuse.check()
        return taken


@dataclass
class Street:
    """The chargers, what is on their fuse, and who watches."""

    chargers: list[Any]
    fuse: Fuse
    owner: Watcher
    service: Running
    leaving: list[contextlib.AsyncExitStack]

    async def plug_in(self, number: int) -> None:
        charger = self.chargers[number]
        await charger.tell_status(PLUGGED[charger.version])
        await charger.begin()

    async def offered(self, *amps: float) -> None:
        """Wait until the chargers are offered so much."""
        for charger_id, wanted in zip(IDS, amps, strict=False):
            await self.owner.value(f"charger/{charger_id}/connector/1/effective_limit", fits(wanted))

    def limits(self) -> list[str]:
        """What each is offered, as it is shown."""
        base = self.owner.base
        return [self.owner.last.get(f"{base}/charger/{one}/connector/1/effective_limit", "") for one in IDS]

    async def house_takes(self, payload: str) -> None:
        await self.owner.client.publish("house/load", payload, qos=1)

    async def group(self) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.service.http) as client:
            return dict((await client.get("/status")).json()["groups"]["house"])


def fits(amps: float) -> Callable[[str], bool]:
    return lambda text: text == f"{amps:g}"


def fuse_of(charger: Any, fuse: Fuse) -> None:
    meter = Fused(profiles=Profiles(strict=charger.meter.profiles.strict))
    meter.fuse = fuse
    fuse.meters.append(meter)
    charger.meter = meter


@contextlib.asynccontextmanager
async def street(folder: Path, broker: Broker, version: str, **more: Any) -> AsyncIterator[Street]:
    group = {"id": "house", "chargers": list(IDS), "max_current": FUSE, **more}
    fuse = Fuse()
    async with contextlib.AsyncExitStack() as stack:
        given: dict[str, Any] = {"chargers": [{"id": one} for one in IDS], "groups": [group]}
        service = await stack.enter_async_context(running(folder, broker, **given))
        owner = await stack.enter_async_context(Watcher.on(service))
        chargers, leaving = [], []
        for charger_id in IDS:
            coming = await stack.enter_async_context(contextlib.AsyncExitStack())
            charger = await coming.enter_async_context(
                independent_charger(service.chargers, version, charger_id, boot=False)
            )
            leaving.append(coming)
            fuse_of(charger, fuse)
            await charger.boot()
            await charger.tell_status("Available")
            chargers.append(charger)
        home = Street(chargers, fuse, owner, service, leaving)
        await home.offered(0, 0, 0)
        fuse.watching = True
        yield home


@pytest.fixture(autouse=True)
def _little_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises wait for a moment of calm, and not for ten seconds."""
    for module in (steering, house_load):
        monkeypatch.setattr(module, "CALM", timedelta(seconds=0.2))
    monkeypatch.setattr(groups, "LOOK_SECONDS", 0.1)


@pytest.mark.parametrize("version", CHARGERS)
async def test_cars_share_the_fuse_as_they_come(tmp_path: Path, broker: Broker, version: str) -> None:
    async with street(tmp_path, broker, version) as home:
        await home.plug_in(0)
        await home.offered(25, 0, 0)
        await home.plug_in(1)
        await home.offered(12.5, 12.5, 0)
        assert home.owner.last[f"{home.owner.base}/charger/CP1/connector/1/limited_by"] == "group:house"
        await home.plug_in(2)
        await home.offered(8.3, 8.3, 8.3)
        await home.chargers[0].end()
        await home.offered(0, 12.5, 12.5)
        assert home.fuse.worst <= FUSE


@pytest.mark.parametrize("version", CHARGERS)
async def test_one_that_is_lost_counts_with_what_it_has_until_it_comes_again(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    async with street(tmp_path, broker, version) as home:
        await home.plug_in(0)
        await home.offered(25)
        await home.leaving[1].aclose()
        await home.offered(19)
        await home.plug_in(2)
        await home.offered(9.5, 0, 9.5)
        assert (await home.group())["chargers"]["CP2"]["reserved"] == 6
        assert home.fuse.worst <= FUSE


@pytest.mark.parametrize("version", CHARGERS)
async def test_one_that_refuses_to_give_less_leaves_nothing_to_others_and_is_stopped(
    tmp_path: Path, broker: Broker, version: str
) -> None:
    async with street(tmp_path, broker, version) as home:
        await home.plug_in(0)
        await home.offered(25)
        home.fuse.meters[0].stubborn = True
        await home.plug_in(1)
        await home.owner.document("charger/CP1/event/transaction_ended")
        assert home.fuse.worst <= FUSE
        shown = (await home.group())["chargers"]["CP1"]
        assert (shown["share"], shown["wants"], shown["online"]) == (0, False, True)
        assert shown["reserved"] >= home.fuse.meters[0].default  # what it may give to the next car


@pytest.mark.parametrize("version", CHARGERS)
async def test_when_the_house_takes_more_the_cars_take_less(tmp_path: Path, broker: Broker, version: str) -> None:
    async with street(tmp_path, broker, version, house_topic="house/load") as home:
        await home.plug_in(0)
        await home.plug_in(1)
        assert (await home.group())["available"] == 0
        await home.house_takes("4")
        await home.offered(10, 10, 0)
        await home.house_takes('{"l1": 1.5, "l2": 8, "l3": 0}')
        await home.offered(8, 8, 0)
        await home.house_takes('{"power": 2760}')
        await home.offered(6, 6, 0)
        await home.house_takes("17 A")
        await home.owner.until(
            lambda: sorted(home.limits())[:2] == ["0", "0"] and "7" in home.limits(), "one of them alone"
        )
        await home.house_takes("0.4 kW")
        assert home.fuse.worst <= FUSE - 5
