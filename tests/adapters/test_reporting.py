"""Reports of months that are over, with a real store: when they are made, once, and what becomes of what comes late."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ocpp_mqtt_proxy import reporting
from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.books import Books
from ocpp_mqtt_proxy.bus import Bus, Mailbox
from ocpp_mqtt_proxy.core.events import MonthReported
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.reporting import KEPT, PATIENCE, Reporting
from tests.adapters.test_store import eventually
from tests.adapters.things import a_session, an_ended_session
from tests.fakes import FakeClock

BERLIN = ZoneInfo("Europe/Berlin")
OCTOBER = datetime(2026, 10, 20, 12, tzinfo=UTC)


def local(month: int, day: int, hour: int = 0, minute: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def in_october(number: int = 1, **given: Any) -> Session:
    return an_ended_session(number, **{"started_at": OCTOBER + timedelta(hours=number), **given})


@dataclass
class Office:
    """The reports' maker, on a clock of the test's."""

    store: Store
    clock: FakeClock
    reporting: Reporting
    mailbox: Mailbox

    async def look(self, at: datetime) -> list[MonthReported]:
        """What is told of at a time."""
        self.clock.at = at
        await self.reporting.look()
        return [fact for fact in self.mailbox.take_now() if isinstance(fact, MonthReported)]

    def files(self) -> list[str]:
        return sorted(file.name for file in self.reporting.folder.iterdir())

    def read(self, name: str) -> list[dict[str, str]]:
        with (self.reporting.folder / name).open(newline="") as text:
            return list(csv.DictReader(text))


async def an_office(folder: Path) -> Office:
    store, clock, bus = Store(folder / "house.db", BERLIN), FakeClock(OCTOBER), Bus()
    await store.open()
    return Office(store, clock, Reporting(store, Books(store, clock, BERLIN, {}), bus), bus.mailbox("test"))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    opened = await an_office(tmp_path)
    yield opened
    await opened.store.close()


async def test_a_month_is_reported_once_it_is_over_by_local_time(office: Office) -> None:
    await office.store.record([in_october(1), in_october(2, provider="night")])
    assert await office.look(local(10, 31, 23, 59)) == []
    (told,) = await office.look(local(11, 1, 0, 1))
    assert (told.document["month"], told.document["sessions"], told.document["energy_kwh"]) == ("2026-10", 2, 4.0)
    assert told.document["cost"] == {"EUR": 1.2}
    assert not told.corrected


async def test_a_month_is_reported_once_over_restarts_and_months(office: Office, tmp_path: Path) -> None:
    await office.store.record([in_october()])
    await office.look(local(11, 1, 1))
    assert await office.look(local(11, 1, 2)) == []
    other = await an_office(tmp_path)
    assert await other.look(local(11, 2)) == []
    assert await other.look(local(12, 2)) == []
    await other.store.close()


async def test_the_files_lie_beside_the_database(office: Office) -> None:
    await office.store.record([in_october()])
    (told,) = await office.look(local(11, 1, 1))
    assert office.files() == ["house-2026-10.csv", "house-2026-10.html"]
    assert told.document["files"] == [str(office.reporting.folder / name) for name in office.files()]
    assert [row["row"] for row in office.read("house-2026-10.csv")] == ["session", "card", "provider", "month"]
    assert "Charging in 2026-10" in (office.reporting.folder / "house-2026-10.html").read_text()


async def test_a_program_that_was_off_reports_all_months_that_it_missed(office: Office) -> None:
    september = local(9, 10)
    await office.store.record([in_october(1, started_at=september), in_october(2)])
    await office.look(local(10, 1, 1))
    december = local(12, 10)
    await office.store.record([in_october(3, started_at=local(11, 5)), in_october(4, started_at=december)])
    told = await office.look(local(2, 3, year=2027))
    assert [fact.document["month"] for fact in told] == ["2026-10", "2026-11", "2026-12"]


async def test_of_all_that_was_before_the_first_report_only_the_last_month_is_reported(office: Office) -> None:
    past = [in_october(month, started_at=local(month, 5)) for month in range(1, 11)]
    await office.store.record(past)
    assert [fact.document["month"] for fact in await office.look(local(11, 3))] == ["2026-10"]


async def test_a_month_without_sessions_is_not_reported(office: Office) -> None:
    assert await office.look(local(11, 1, 1)) == []


# What is not over, or comes late


async def test_a_month_waits_for_a_session_that_began_in_it(office: Office) -> None:
    night = a_session(2, started_at=local(10, 31, 22))
    await office.store.record([in_october(1), night])
    assert await office.look(local(11, 1, 1)) == []
    await office.store.record([in_october(2, started_at=night.started_at)])
    (told,) = await office.look(local(11, 1, 7))
    assert told.document["sessions"] == 2


async def test_a_month_does_not_wait_for_what_began_after_it(office: Office) -> None:
    await office.store.record([in_october(1), a_session(2, started_at=local(11, 1, 0, 1))])
    assert len(await office.look(local(11, 1, 1))) == 1


async def test_a_month_does_not_wait_for_ever(office: Office) -> None:
    await office.store.record([in_october(1), a_session(2, started_at=local(10, 31, 22))])
    end = local(11, 1)
    assert await office.look(end + PATIENCE - timedelta(seconds=1)) == []
    (told,) = await office.look(end + PATIENCE)
    assert told.document["sessions"] == 1


async def test_what_comes_late_corrects_the_files_and_is_told_as_such(office: Office) -> None:
    await office.store.record([in_october(1)])
    await office.look(local(11, 1, 1))
    await office.store.record([in_october(2)])
    (told,) = await office.look(local(11, 9))
    assert told.corrected
    assert (told.document["month"], told.document["sessions"]) == ("2026-10", 2)
    assert [row["row"] for row in office.read("house-2026-10.csv")].count("session") == 2
    assert await office.look(local(11, 9, 1)) == []


# Files


async def test_files_of_three_years_are_kept_and_no_more(office: Office) -> None:
    office.reporting.folder.mkdir()
    for number in range(KEPT + 5):
        month = f"{2020 + number // 12}-{number % 12 + 1:02d}"
        for ending in ("csv", "html"):
            (office.reporting.folder / f"house-{month}.{ending}").touch()
    (office.reporting.folder / "other-2019-01.csv").touch()
    await office.store.record([in_october()])
    await office.look(local(11, 1, 1))
    files = office.files()
    assert len([name for name in files if name.endswith(".csv") and name.startswith("house")]) == KEPT
    assert "house-2026-10.csv" in files
    assert "house-2020-01.csv" not in files
    assert "other-2019-01.csv" in files


@contextlib.asynccontextmanager
async def running(office: Office) -> AsyncIterator[None]:
    """While the reports' maker looks by itself."""
    room = asyncio.create_task(office.reporting.run())
    try:
        yield
    finally:
        room.cancel()
        await asyncio.wait([room])


async def test_a_report_that_cannot_be_written_is_tried_again_and_told_when_it_is(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "SECONDS", 0.01)
    caplog.set_level(logging.WARNING)
    office.reporting.folder.touch()
    await office.store.record([in_october()])
    office.clock.at = local(11, 1, 1)
    async with running(office):
        await eventually(lambda: bool(caplog.records))
        assert len(office.mailbox) == 0
        office.reporting.folder.unlink()
        await eventually(lambda: len(office.mailbox) == 1)
    assert len(caplog.records) == 1
