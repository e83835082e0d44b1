"""The numbers for Prometheus: read by its own parser, true of the house, and counters that never fall."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.events import ControlRevoked, SessionEnded, SessionStarted
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.metrics.exposition import counter, gauge
from ocpp_mqtt_proxy.metrics.process import of_process
from ocpp_mqtt_proxy.metrics.tally import REMEMBERED, Tally
from ocpp_mqtt_proxy.requests import Start
from tests.adapters.things import a_session, an_ended_session
from tests.backends import backend
from tests.brokers import Broker
from tests.fakes import NOON
from tests.independent import independent_charger
from tests.running import PATIENCE, Running, running

HOME: dict[str, Any] = {
    "providers": [{"id": "fleet", "presence": "any"}, {"id": "night", "presence": "any", "token": "secret"}],
}
Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def numbers(families: Iterable[Metric]) -> Numbers:
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def number(found: Numbers, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


# The text

LABEL = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(LABEL, st.floats(allow_nan=False)), unique_by=lambda sample: sample[0]))
def test_any_label_and_any_number_are_read_as_they_were_written(samples: list[tuple[str, float]]) -> None:
    text = str(gauge("one", "A number.", [({"label": label}, value) for label, value in samples]))
    found = {s.labels["label"]: s.value for family in read(text) for s in family.samples}
    assert found == dict(samples)


def test_what_has_no_number_is_not_there() -> None:
    assert str(counter("one", "None yet.", [])) == ""


def test_a_process_is_told_as_far_as_the_machine_tells(tmp_path: Path) -> None:
    started = datetime(2026, 1, 1, tzinfo=UTC)
    assert {family.name for family in of_process(started, tmp_path)} == {
        "process_cpu_seconds_total",
        "process_start_time_seconds",
    }


# What is counted


def test_sessions_energy_and_revenue_count_by_provider() -> None:
    tally = Tally()
    session = an_ended_session(1, provider="night", revenue=Decimal("0.36"))
    for fact in (SessionStarted, SessionEnded):
        tally.count(fact(charger="CP1", at=NOON, session=session))
    assert (tally.started, tally.ended.total()) == ({"night": 1}, 1)
    assert tally.energy["night"] == round(session.energy)
    assert tally.revenue == {("night", "EUR"): 36}


def test_a_session_that_its_charger_corrects_counts_once() -> None:
    tally = Tally()
    for energy in (1000.0, 1200.0):
        tally.count(SessionEnded(charger="CP1", at=NOON, session=an_ended_session(1, energy=energy)))
    assert tally.ended.total() == 1


def test_no_more_sessions_are_remembered_than_need_be() -> None:
    tally = Tally()
    for index in range(REMEMBERED + 5):
        tally.count(SessionEnded(charger="CP1", at=NOON, session=a_session(session_id=str(index))))
    assert (tally.ended.total(), len(tally._known)) == (REMEMBERED + 5, REMEMBERED)  # noqa: SLF001


def test_what_was_taken_away_counts_by_reason() -> None:
    tally = Tally()
    tally.count(
        ControlRevoked(
            charger="CP1", at=NOON, provider="fleet", control_class=ControlClass.TRANSACTIONS, reason="override"
        )
    )
    assert tally.revoked == {"override": 1}


# The whole service


@pytest.fixture
async def service(tmp_path: Path, broker: Broker) -> AsyncIterator[Running]:
    async with running(tmp_path, broker, **HOME) as started:
        yield started


async def scraped(service: Running) -> list[Metric]:
    async with httpx.AsyncClient(base_url=service.http) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


@pytest.mark.integration
async def test_a_house_at_work_is_told_in_numbers(service: Running) -> None:
    arbitration = service.app.arbitration
    async with (
        independent_charger(service.chargers, "1.6", 'C"P\\1') as charger,
        backend(service, "night", token="secret"),
    ):
        await charger.begin()
        await charger.tell_meter()
        async with httpx.AsyncClient(base_url=service.http) as client:
            await client.post("/override", json={"mode": "owner"})
        (station,) = service.app.hub.stations.values()
        await wishes.start(arbitration, "night", station.id, Start(connector=1))
        found = numbers(await scraped(service))
    where = {"charger": station.id, "connector": "1"}
    assert number(found, "ocpp_proxy_charger_connected", charger=station.id) == 1
    about = {"vendor": "ABB", "model": "Terra AC", "firmware": "1.8.21", "ocpp_version": "1.6"}
    assert number(found, "ocpp_proxy_charger_info", charger=station.id, **about) == 1
    assert number(found, "ocpp_proxy_charger_last_heard_timestamp_seconds", charger=station.id)
    assert number(found, "ocpp_proxy_connector_power_watts", **where) == 11040
    assert number(found, "ocpp_proxy_connector_status", **where, status="charging") == 1
    assert number(found, "ocpp_proxy_control_mode", charger=station.id, mode="owner") == 1
    assert number(found, "ocpp_proxy_decisions_total", verdict="refused", reason="override") == 1
    assert number(found, "ocpp_proxy_provider_links", provider="night") == 1
    assert number(found, "ocpp_proxy_sessions_running", provider="owner") == 1
    assert number(found, "ocpp_proxy_presence", state="unknown") == 1
    assert number(found, "ocpp_proxy_mqtt_connected") == 1
    assert number(found, "ocpp_proxy_store_faults") == 0
    assert number(found, "ocpp_proxy_backend_dropped_total") == 0
    assert (number(found, "process_resident_memory_bytes") or 1) > 0


@pytest.mark.integration
async def test_a_session_that_ended_is_counted_with_its_energy(service: Running) -> None:
    async with independent_charger(service.chargers, "1.6", "CP1") as charger:
        await charger.begin()
        charger.meter.register += 1500
        await charger.end()
    ended = ("ocpp_proxy_sessions_ended_total", frozenset({("provider", "owner"), ("reason", "local")}))
    async with asyncio.timeout(PATIENCE):
        while ended not in (found := numbers(await scraped(service))):
            pass
    assert found[ended] == 1
    assert number(found, "ocpp_proxy_session_energy_watt_hours_total", provider="owner") == 1500


@pytest.mark.integration
async def test_without_a_broker_nothing_is_told_of_one(tmp_path: Path) -> None:
    async with running(tmp_path, None) as service:
        found = numbers(await scraped(service))
    assert number(found, "ocpp_proxy_faults") == 0
    assert not any("mqtt" in name for name, _ in found)


@pytest.mark.integration
async def test_families_are_whole_and_counters_say_so_by_their_name(service: Running) -> None:
    async with independent_charger(service.chargers, "2.0.1", "CP1") as charger:
        await charger.begin()
        families = await scraped(service)
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
    assert all(s.name.endswith("_total") for f in families if f.type == "counter" for s in f.samples)
    every = [(s.name, frozenset(s.labels.items())) for family in families for s in family.samples]
    assert len(every) == len(set(every))


@pytest.mark.integration
async def test_counters_never_fall_while_chargers_come_and_go(service: Running) -> None:
    before: Numbers = {}
    for version in ("1.6", "2.0.1", "1.6"):
        async with independent_charger(service.chargers, version, "CP1") as charger:
            await charger.begin()
            await charger.tell_meter()
            await charger.end()
        families = await scraped(service)
        now = numbers(family for family in families if family.type == "counter")
        assert {key: value for key, value in before.items() if now.get(key, -1) < value} == {}
        before = now
    assert number(before, "ocpp_proxy_charger_connects_total", charger="CP1") == 3
