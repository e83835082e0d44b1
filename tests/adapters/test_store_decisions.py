"""The audit log in the store: read back as it was written, newest first, and bounded by age and by number."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.adapters.store.controls import MOST
from ocpp_mqtt_proxy.core.audit import LIMIT, REVOKE, Decided
from ocpp_mqtt_proxy.core.sharing import ControlClass

pytestmark = pytest.mark.integration


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "sessions.db")
    await store.open()
    yield store
    await store.close()


def decided(subject: str, *, days_ago: int = 0, granted: bool = False, reason: str = "schedule") -> Decided:
    return Decided(
        at=datetime.now(UTC) - timedelta(days=days_ago),
        charger="CP1",
        provider="fleet",
        control_class=ControlClass.TRANSACTIONS,
        subject=subject,
        granted=granted,
        reason=reason,
        inputs={"mode": "auto", "busy": ["fleet"]},
    )


async def subjects(store: Store) -> list[str]:
    return [one.subject for _, one in await store.decisions()]


async def test_a_decision_is_read_back_with_what_it_was_made_by(store: Store) -> None:
    written = decided("start")
    await store.record([written])
    ((_, read),) = await store.decisions()
    names = ("at", "charger", "provider", "control_class", "subject", "granted", "reason", "message", "inputs")
    assert [getattr(read, name) for name in names] == [getattr(written, name) for name in names]


async def test_decisions_older_than_they_are_kept_are_dropped(store: Store) -> None:
    await store.record([decided("old", days_ago=91), decided("new", days_ago=89)])
    await store.tidy(keep_days=0, keep_audit_days=90)
    assert await subjects(store) == ["new"]


@pytest.mark.parametrize("days", [0, 90])
async def test_no_more_than_so_many_are_kept_however_long_they_are(store: Store, days: int) -> None:
    await store.record([decided("first"), decided("second")])
    with sqlite3.connect(store.path) as beside:
        beside.execute("UPDATE decision SET number = ? WHERE subject = 'second'", (MOST + 1,))
    beside.close()
    await store.tidy(keep_days=0, keep_audit_days=days)
    assert await subjects(store) == ["second"]


async def test_what_binds_can_be_read_by_itself(store: Store) -> None:
    await store.record([decided("set_limit", granted=True), decided(LIMIT, granted=True, reason="lowered")])
    assert [one.subject for _, one in await store.decisions(asked=LIMIT)] == [LIMIT]


async def test_what_was_taken_away_is_no_refusal(store: Store) -> None:
    await store.record([decided("start"), decided(REVOKE, reason="override"), decided("stop", granted=True)])
    assert {provider: one.subject for provider, one in (await store.refusals()).items()} == {"fleet": "start"}


def test_a_verdict_is_granted_refused_or_revoked_and_of_a_limit_limited() -> None:
    every = [decided("start", granted=True), decided("start"), decided(REVOKE), decided(LIMIT, granted=True)]
    assert [one.verdict for one in every] == ["granted", "refused", "revoked", "limited"]
