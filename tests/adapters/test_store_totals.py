"""Totals on a real file: they are what the sessions add up to, whatever happened to these."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocpp_mqtt_proxy.adapters.store import Filter, Store, Wanted, recovery, rows, totals
from ocpp_mqtt_proxy.adapters.store.examination import Unusable
from ocpp_mqtt_proxy.adapters.store.migrations import scripts
from ocpp_mqtt_proxy.adapters.store.totals import label_of, select
from ocpp_mqtt_proxy.core.bill import Sum, lines, month_of
from ocpp_mqtt_proxy.core.model import OWNER, WattHours
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session, State
from ocpp_mqtt_proxy.core.tariff import Prices, Tariff
from tests.adapters.stores import beside, opened
from tests.adapters.test_store_killed import scribe
from tests.adapters.things import NOON, a_session, an_ended_session

BERLIN = ZoneInfo("Europe/Berlin")
BEFORE_PARTS = 4
"""Migrations before sessions had parts."""


async def sums(store: Store, by: str = "month", **wanted: Any) -> dict[str, Sum]:
    return {one.key: one for one in await store.totals.sums(Wanted(by, **wanted))}


async def added_up(store: Store, by: str, zone: tzinfo = UTC) -> dict[str, Sum]:
    """The same of the sessions themselves, one by one."""
    found: dict[str, Sum] = {}
    async for session in store.all_sessions(Filter(limit=500)):
        if session.running:
            continue
        seen = set()
        for line in lines(session, NOON):
            keys = {"month": month_of(session.started_at, zone), "tag": session.id_tag or "", "provider": line.provider}
            total = found.setdefault(keys[by], Sum(keys[by]))
            total.sessions += keys[by] not in seen
            seen.add(keys[by])
            total.seconds += line.seconds
            total.energy += line.energy
            total.cost[line.cost_currency] += line.cost
            total.revenue[line.currency] += line.revenue
    return found


async def are_right(store: Store, zone: tzinfo = UTC) -> bool:
    bys = ("month", "tag", "provider")
    return all([await sums(store, by) == await added_up(store, by, zone) for by in bys])


def of_two(number: int, first: str, second: str, **given: Any) -> Session:
    """A session of an hour that changed hands after half of it: 1 kWh each, for 30 cents, paid 50."""
    at = given.get("started_at", NOON + timedelta(minutes=number))
    half = timedelta(minutes=30)
    money = {"energy": 1000.0, "cost": Decimal("0.3"), "charged": Decimal("0.5")}
    parts = [Part(first, at, at + half, **money), Part(second, at + half, at + 2 * half, **money)]  # type: ignore[arg-type]
    return an_ended_session(number, **{"started_at": at, "ended_at": at + 2 * half, "parts": parts, **given})


# What they say


async def test_totals_are_by_month_by_provider_and_by_card(store: Store) -> None:
    april = datetime(2026, 4, 2, tzinfo=UTC)
    await store.record([
        an_ended_session(1, provider="night", revenue=Decimal("0.36")),
        an_ended_session(2, id_tag="OTHER"),
        an_ended_session(3, started_at=april, provider="night", revenue=Decimal("0.36")),
    ])  # fmt: skip
    march = await sums(store)
    assert march["2026-03"] == Sum("2026-03", 2, 3600, 4000, march["2026-03"].cost, march["2026-03"].revenue)
    assert (march["2026-03"].cost, march["2026-03"].revenue) == ({"EUR": 120}, {"EUR": 36})
    assert {key: one.sessions for key, one in (await sums(store, "provider")).items()} == {"night": 2, "owner": 1}
    assert {key: one.sessions for key, one in (await sums(store, "tag")).items()} == {"04A1B2C3": 2, "OTHER": 1}


async def test_totals_are_of_the_months_and_the_provider_that_are_asked_for(store: Store) -> None:
    starts = [datetime(2026, month, 10, tzinfo=UTC) for month in (1, 2, 3, 4)]
    providers = ["night", OWNER, "night", "night"]
    await store.record([
        an_ended_session(number, started_at=at, provider=provider)
        for number, (at, provider) in enumerate(zip(starts, providers, strict=True))
    ])  # fmt: skip
    assert list(await sums(store, since="2026-02", until="2026-03")) == ["2026-02", "2026-03"]
    assert list(await sums(store, provider="night")) == ["2026-01", "2026-03", "2026-04"]
    assert await sums(store, provider="nobody") == {}


async def test_a_month_is_local(file: Path) -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    async with opened(file, BERLIN) as store:
        await store.record([an_ended_session(started_at=new_year)])
        assert list(await sums(store)) == ["2027-01"]


async def test_a_session_that_changed_hands_counts_for_both_and_once_in_all(store: Store) -> None:
    await store.record([of_two(1, "fleet", "night")])
    providers = await sums(store, "provider")
    assert [(one.sessions, one.energy, one.seconds, one.revenue["EUR"]) for one in providers.values()] == [
        (1, 1000, 1800, 50),
        (1, 1000, 1800, 50),
    ]
    assert (await sums(store))["2026-03"].sessions == 1
    assert (await sums(store, provider="night"))["2026-03"].sessions == 1


async def test_a_provider_that_had_a_session_twice_has_it_once(store: Store) -> None:
    session = of_two(1, "fleet", "night")
    session.parts.append(Part("fleet", session.parts[-1].started_at, session.ended_at, charged=Decimal("0.25")))
    await store.record([session])
    fleet = (await sums(store, "provider"))["fleet"]
    assert (fleet.sessions, fleet.revenue["EUR"]) == (1, 75)


async def test_one_card_is_one_card_however_it_is_spelled(store: Store) -> None:
    await store.record([an_ended_session(1, id_tag="04a1b2c3"), an_ended_session(2, id_tag="04A1B2C3")])
    assert [one.sessions for one in (await sums(store, "tag")).values()] == [2]


async def test_money_of_several_currencies_is_not_added(store: Store) -> None:
    swiss = an_ended_session(1, provider="swiss", revenue=Decimal("0.4"))
    swiss.parts[0].currency = "CHF"
    await store.record([swiss, an_ended_session(2, provider="night", revenue=Decimal("0.36"))])
    (march,) = (await sums(store)).values()
    assert (march.cost, march.revenue) == ({"EUR": 120}, {"EUR": 36, "CHF": 40})


async def test_sums_are_of_what_each_session_shows(store: Store) -> None:
    await store.record([an_ended_session(number, cost=Decimal("0.005")) for number in range(3)])
    assert (await sums(store))["2026-03"].cost["EUR"] == 3


# What changes them


async def test_a_session_that_runs_is_in_no_total(store: Store) -> None:
    await store.record([a_session()])
    assert await sums(store) == {}


async def test_a_late_end_corrects_what_was_added(store: Store) -> None:
    session = a_session(1)
    session.begin(WattHours(1000), session.started_at)
    session.close(session.started_at + timedelta(hours=1), session.reason or an_ended_session().reason)  # type: ignore[arg-type]
    await store.record([session])
    assert (await sums(store))["2026-03"].energy == 0
    prices = Prices(Tariff("EUR", Decimal("0.3")))
    session.end(WattHours(4000), session.started_at + timedelta(hours=2), None, prices)
    await store.record([session])
    (march,) = (await sums(store)).values()
    assert (march.sessions, march.energy, march.seconds, march.cost["EUR"]) == (1, 3000, 7200, 90)


async def test_an_end_that_is_repeated_changes_nothing(store: Store) -> None:
    for _ in range(3):
        await store.record([an_ended_session()])
    assert (await sums(store))["2026-03"].sessions == 1


async def test_sessions_that_are_dropped_stay_in_the_totals(store: Store, file: Path) -> None:
    await store.record([an_ended_session()])
    await store.prune(NOON + timedelta(days=1))
    assert (await sums(store))["2026-03"].sessions == 1
    assert (await store.sessions(Filter(provider="owner"))).sessions == []
    with beside(file) as connection:
        assert connection.execute("SELECT COUNT(*) FROM share").fetchone() == (0,)


async def test_a_total_that_cannot_be_written_keeps_its_session_from_being_so(store: Store, file: Path) -> None:
    with beside(file) as connection:
        connection.execute("ALTER TABLE total RENAME TO away")
    store.note([an_ended_session()])
    with contextlib.suppress(Exception):
        await store.flush()
    with beside(file) as connection:
        assert connection.execute("SELECT COUNT(*) FROM session").fetchone() == (0,)
        connection.execute("ALTER TABLE away RENAME TO total")
    await store.flush()
    assert (await sums(store))["2026-03"].sessions == 1


HISTORIES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["owner", "night", "fleet"]),
        st.sampled_from(["owner", "night"]),
        st.sampled_from(list(State)),
        st.integers(0, 90),
        st.sampled_from(["A", "B", None]),
    ),
    max_size=15,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES)
def test_totals_are_what_the_sessions_add_up_to(history: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("totals") / "sessions.db"

    async def live() -> None:
        async with opened(file, BERLIN) as store:
            over: set[int] = set()
            for number, first, second, state, days, tag in history:
                at = NOON + timedelta(days=days)
                if number in over and state is State.RUNNING:
                    continue  # what is over never runs again
                over.update({number} if state is not State.RUNNING else ())
                await store.record([of_two(number, first, second, started_at=at, state=state, id_tag=tag)])
            assert await are_right(store, BERLIN)

    asyncio.run(live())


# Reckoning


def older(file: Path, sessions: Iterable[Session]) -> None:
    """A file as a version before parts wrote it."""
    with beside(file) as connection:
        for script in scripts()[:BEFORE_PARTS]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version={BEFORE_PARTS}")
        for session in sessions:
            ((sql, values),) = rows.statements(session)
            connection.execute(sql.replace(", parts)", ")").replace(", ?)", ")"), values[:-1])


async def test_sessions_of_an_older_version_are_one_part_each_and_found_by_their_provider(file: Path) -> None:
    given_ = [an_ended_session(number) for number in range(3)]
    older(file, given_)
    async with opened(file) as store:
        page = await store.sessions(Filter(provider="owner"))
        assert page.sessions == given_[::-1]


async def test_sessions_of_an_older_version_are_reckoned(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "CHUNK", 3)
    older(file, [an_ended_session(number) for number in range(9)])
    async with opened(file) as store:
        assert not await store.totals.are_complete()
        assert await sums(store) == {}
        await store.totals.reckon()
        assert await store.totals.are_complete()
        assert (await sums(store))["2026-03"].sessions == 9
        assert await are_right(store)


async def test_what_is_written_while_they_are_reckoned_counts_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "CHUNK", 2)
    older(file, [an_ended_session(number) for number in range(20)])
    async with opened(file) as store:
        reckoning = asyncio.create_task(store.totals.reckon())
        for number in range(10, 30):
            await store.record([an_ended_session(number, energy=3000.0)])
        await reckoning
        assert (await sums(store))["2026-03"].sessions == 30
        assert await are_right(store)


async def test_reckoning_that_was_cut_off_goes_on_in_the_next_life(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "CHUNK", 2)
    older(file, [an_ended_session(number) for number in range(8)])
    async with opened(file) as store:
        reckoning = asyncio.create_task(store.totals.reckon())
        while not await sums(store):  # noqa: ASYNC110 (nobody tells how far it got)
            await asyncio.sleep(0)
        reckoning.cancel()
        await asyncio.wait([reckoning])
    async with opened(file) as store:
        await store.totals.reckon()
        assert await are_right(store)


async def test_another_time_zone_has_them_reckoned_anew(file: Path) -> None:
    new_year = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    async with opened(file) as store:
        await store.record([an_ended_session(started_at=new_year)])
        await store.totals.reckon()
        assert list(await sums(store)) == ["2026-12"]
    async with opened(file, BERLIN) as store:
        await store.totals.reckon()
        assert list(await sums(store)) == ["2027-01"]


async def test_a_row_that_makes_no_sense_does_not_keep_the_others_out(file: Path) -> None:
    older(file, [an_ended_session(number) for number in range(3)])
    with beside(file) as connection:
        connection.execute("UPDATE session SET cost = 'much' WHERE session_id = 'test-1'")
    async with opened(file) as store:
        await store.totals.reckon()
        assert (await sums(store))["2026-03"].sessions == 2


async def test_a_mark_that_makes_no_sense_has_them_reckoned_anew(store: Store, file: Path) -> None:
    await store.totals.reckon()
    with beside(file) as connection:
        connection.execute("UPDATE meta SET value = 'nonsense' WHERE key = ?", (rows.RECKONED,))
    assert not await store.totals.are_complete()


async def test_a_file_that_was_mended_has_its_totals_right_after_reckoning(file: Path) -> None:
    async with opened(file) as store:
        await store.record([an_ended_session(1), of_two(2, "fleet", "night")])
        await store.totals.reckon()
        await store.back_up()
        await store.record([an_ended_session(3), of_two(2, "fleet", "night", energy=5000.0)])
    recovery.replace(file, Unusable("it is damaged"), datetime.now(UTC))
    async with opened(file) as store:
        assert not await store.totals.are_complete()
        assert len((await store.sessions(Filter(provider="owner"))).sessions) == 2
        await store.totals.reckon()
        assert (await sums(store))["2026-03"].sessions == 3
        assert await are_right(store)


async def test_sessions_of_an_older_version_s_file_that_is_damaged_are_saved(file: Path) -> None:
    older(file, [an_ended_session(1)])
    recovery.replace(file, Unusable("it is damaged"), datetime.now(UTC))
    async with opened(file) as store:
        assert (await store.sessions(Filter())).sessions == [an_ended_session(1)]


async def test_totals_are_right_after_the_program_was_killed(file: Path) -> None:
    with scribe(file) as program:
        assert program.stdout is not None
        for _ in range(30):
            program.stdout.readline()
        program.kill()
    async with opened(file) as store:
        found = await sums(store)
        assert sum(one.sessions for one in found.values()) >= 29
        assert await are_right(store)


@pytest.mark.parametrize("zone", [UTC, BERLIN, ZoneInfo("Asia/Kolkata")])
def test_time_zones_are_told_apart(zone: tzinfo) -> None:
    others = [UTC, BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")]
    assert sum(label_of(zone) == label_of(other) for other in others) == 1


# How they are found


@pytest.mark.parametrize("by", ["month", "provider", "tag"])
@pytest.mark.parametrize("provider", [None, "night"])
async def test_totals_look_at_the_totals_of_their_months_alone(
    store: Store, file: Path, by: str, provider: str | None
) -> None:
    sql, values = select(Wanted(by, "2026-01", "2026-12", provider))
    with beside(file) as connection:
        plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert plan[0].startswith("SEARCH total USING PRIMARY KEY (month>? AND month<?")
    assert not any("session" in step or "share" in step for step in plan)
