"""One of three services is down for an hour of traffic, and catches up with all of it; the others notice nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters.store.outbox import Bounds
from ocpp_mqtt_proxy.services import redial
from tests.fakes import FakeClock
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.independent_csms import Csms
from tests.journeys.billing import Bill, all_of, bills, calls, greeted, over, service, sessions, three_csmss
from tests.journeys.test_restart import take_over
from tests.running import Running, running

TRAFFIC = {"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"}

STATUS = "StatusNotification"

LENGTHS = (15, 20, 15)
"""Minutes that the sessions of the hour take; between two the charger is free for five."""

WATT_HOURS = 50
"""What flows in a minute."""

of_each_version = pytest.mark.parametrize("down", [0, 1, 2])


@dataclass
class Hour:
    """Three services, one of which is to go down; a charger whose clock and ours are the test's."""

    csmss: list[Csms]
    down: Csms
    clock: FakeClock
    folder: Path
    version: str = "1.6"

    @property
    def others(self) -> list[Csms]:
        return [csms for csms in self.csmss if csms is not self.down]

    @asynccontextmanager
    async def house(self, before: Any = None) -> AsyncIterator[tuple[Running, Any]]:
        """We and the charger; where it was there `before`, it comes back as it was, and does not boot."""
        services = [service(csms) for csms in self.csmss]
        async with (
            running(self.folder, None, clock=self.clock, ocpp_services=services) as proxy,
            independent_charger(
                proxy.chargers, self.version, "CP1", boot=before is None, clock=self.clock.now
            ) as charger,
        ):
            if before is not None:
                take_over(charger, before)
            yield proxy, charger

    async def sessions(self, charger: Any, lengths: tuple[int, ...]) -> None:
        """Some sessions of so many minutes."""
        for minutes in lengths:
            await charger.tell_status(PLUGGED[self.version])
            await charger.begin()
            await self.charge(charger, minutes)
            await charger.end()
            self.clock.pass_(minutes=5)

    async def charge(self, charger: Any, minutes: int) -> None:
        """Some minutes of a session, told each minute."""
        for _ in range(minutes):
            self.clock.pass_(minutes=1)
            charger.meter.register += WATT_HOURS
            await charger.tell_meter()


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the house and of the charger."""
    return FakeClock()


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is back is soon dialled: the test has no minutes to wait."""
    monkeypatch.setattr(redial, "FIRST", 0.05)
    monkeypatch.setattr(redial, "MOST", 0.1)


@asynccontextmanager
async def an_hour(folder: Path, clock: FakeClock, down: int, version: str = "1.6") -> AsyncIterator[Hour]:
    async with three_csmss() as csmss:
        yield Hour(csmss, csmss[down], clock, folder, version)
        assert [csms.faults for csms in csmss] == [[], [], []]


async def go_down(csms: Csms) -> None:
    """From now on it hears nothing. What it heard before is forgotten."""
    await csms.close()
    csms.heard.clear()
    csms.said.clear()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def spans(bills: list[Bill]) -> list[tuple[datetime, datetime]]:
    """When each began and ended."""
    return [(at(bill.times[0]), at(bill.times[-1])) for bill in bills]


def comes_in_order(heard: list[tuple[str, str, dict[str, Any]]]) -> bool:
    """Whether a boot was heard, then what was missed, then how things are now."""
    told = [action for _, action, _ in heard]
    missed = [number for number, action in enumerate(told) if action in TRAFFIC]
    return told[0] == "BootNotification" and missed[0] == 1 and max(missed) < told.index(STATUS)


def is_late(bills: list[Bill], version: str) -> bool:
    """Whether all of it is marked as from before; 1.6 has no mark."""
    return version == "1.6" or all(all(bill.offline) for bill in bills)


@pytest.mark.parametrize(("down", "version"), list(enumerate(CHARGERS)))
async def test_an_hour_is_caught_up_with(tmp_path: Path, clock: FakeClock, down: int, version: str) -> None:
    async with an_hour(tmp_path, clock, down, version) as hour, hour.house() as (proxy, charger):
        await greeted(*hour.csmss)
        await go_down(hour.down)
        began = clock.now()
        await hour.sessions(charger, LENGTHS)
        meanwhile = await all_of(hour.others, 3)
        clock.pass_(minutes=10)
        await hour.down.open()
        late = await over(hour.down, 3)
        await greeted(hour.down)
        energies = [WATT_HOURS * minutes for minutes in LENGTHS]
        for told in (late, *meanwhile):
            assert [bill.energy for bill in told] == energies
            assert [bill.whole for bill in told] == [True] * 3
            assert [(begun - began, ended - begun) for begun, ended in spans(told)] == [
                (timedelta(minutes=begins), timedelta(minutes=lasts))
                for begins, lasts in zip((0, 20, 45), LENGTHS, strict=True)
            ]
        assert [one["energy_kwh"] * 1000 for one in await sessions(proxy.http)] == pytest.approx(energies, abs=1)
        assert comes_in_order(calls(hour.down))
        assert is_late(late, hour.down.version)
        assert not any(any(bill.offline) for told in meanwhile for bill in told)
        assert [csms.visits for csms in hour.others] == [1, 1]


@of_each_version
async def test_a_session_under_way_is_caught_up_with_after_a_restart(
    tmp_path: Path, clock: FakeClock, down: int
) -> None:
    """It began before the service went, the house restarts in the hour, and it ends before the service is back."""
    async with an_hour(tmp_path, clock, down) as hour:
        async with hour.house() as (_, before):
            await greeted(*hour.csmss)
            await before.begin()
            await hour.charge(before, 10)
            started = clock.now() - timedelta(minutes=10)
            await hour.down.until(lambda: bills(hour.down) and bills(hour.down)[0].energy == 10 * WATT_HOURS)
            await hour.down.close()
            await hour.charge(before, 20)
        clock.pass_(minutes=5)
        async with hour.house(before) as (proxy, charger):
            await hour.charge(charger, 20)
            await charger.end()
            await hour.sessions(charger, (5,))
            meanwhile = await all_of(hour.others, 2)
            before_it_came = len(calls(hour.down))
            await hour.down.open()
            late = await over(hour.down, 2)
            await hour.down.until(lambda: STATUS in [action for _, action, _ in calls(hour.down)[before_it_came:]])
            (first, second) = await sessions(proxy.http)
        for told in (late, *meanwhile):
            assert [bill.energy for bill in told] == [2500, 250]
            assert all(bill.whole for bill in told)
            assert spans(told)[0] == (started, started + timedelta(minutes=55))
        assert (first["energy_kwh"], second["energy_kwh"]) == (2.5, 0.25)
        assert comes_in_order(calls(hour.down)[before_it_came:])
        assert is_late(late[1:], hour.down.version)


@of_each_version
async def test_thinning_spares_starts_and_ends(tmp_path: Path, clock: FakeClock, down: int) -> None:
    async with an_hour(tmp_path, clock, down) as hour, hour.house() as (proxy, charger):
        proxy.app.store.outbox.bounds = Bounds(each=30, least=30)
        await greeted(*hour.csmss)
        await go_down(hour.down)
        for number, minutes in enumerate(LENGTHS, 1):
            await hour.sessions(charger, (minutes,))
            meanwhile = await all_of(hour.others, number)
        await hour.down.open()
        late = await over(hour.down, 3)
        assert spans(late) == spans(meanwhile[0]) == spans(meanwhile[1])
        assert [bill.energy for bill in late] == [bill.energy for bill in meanwhile[0]]
        assert [bill.whole for bill in late] == [True] * 3
        readings = sum(LENGTHS)
        assert sum(len(bill.times) for bill in late) < readings <= sum(len(bill.times) for bill in meanwhile[0])
