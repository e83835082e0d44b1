"""Home Assistant's feed in the whole service: presence by entity, the override's twin, and never open without it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.adapters.supervisor import Supervisor
from ocpp_mqtt_proxy.arbitration import wishes
from ocpp_mqtt_proxy.core.commands import Outcome
from ocpp_mqtt_proxy.core.sharing import ControlClass
from ocpp_mqtt_proxy.passwords import token_hash
from tests.adapters.pretend_home_assistant import TOKEN, PretendHome, eventually, pretend_home
from tests.brokers import Broker
from tests.independent import PLUGGED, independent_charger
from tests.running import Running, Watcher, running

PERSON, BOOLEAN = "person.anna", "input_boolean.override"


def given(home: PretendHome) -> dict[str, Any]:
    return {
        "home_assistant": {"url": home.url, "token": TOKEN},
        "presence_sensor": PERSON,
        "override_input_boolean": BOOLEAN,
        "rate_limit_seconds": 0,
        "providers": [{"id": "public", "presence": "away", "tariff": {"price_per_kwh": 0.40}}],
    }


@pytest.fixture
async def home() -> AsyncIterator[PretendHome]:
    async with pretend_home(person__anna="not_home", input_boolean__override="off") as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path, broker: Broker, home: PretendHome) -> AsyncIterator[Running]:
    async with running(tmp_path, broker, **given(home)) as service:
        yield service


@pytest.fixture
async def watcher(house: Running) -> AsyncIterator[Watcher]:
    async with Watcher.on(house) as listening:
        yield listening


@pytest.fixture
async def charger(house: Running, watcher: Watcher) -> AsyncIterator[Any]:
    async with independent_charger(house.chargers, "1.6", "CP1") as connected:
        await connected.tell_status("Available")
        await watcher.value("charger/CP1/connector/1/status", "available")
        await watcher.value("presence", "away")
        yield connected


async def asked(house: Running) -> Outcome:
    """A provider that may charge while everybody is away asks for control."""
    return await wishes.request_control(house.app.arbitration, "public", "CP1", [ControlClass.TRANSACTIONS])


@pytest.mark.usefixtures("charger")
async def test_coming_home_refuses_a_provider(house: Running, watcher: Watcher, home: PretendHome) -> None:
    assert (await asked(house)).ok
    await home.put(PERSON, "home")
    await watcher.value("presence", "home")
    await watcher.value("charger/CP1/owner", "none")
    assert (await asked(house)).reason == "presence"


@pytest.mark.usefixtures("charger")
async def test_override_and_boolean_follow_each_other(house: Running, watcher: Watcher, home: PretendHome) -> None:
    await home.put(BOOLEAN, "on")
    await watcher.value("charger/CP1/mode", "owner")
    assert (await asked(house)).reason == "override"
    told = await watcher.document("charger/CP1/event/override")
    assert (told["mode"], told["by"]) == ("owner", "home_assistant")
    await watcher.set("charger/CP1/override", "OFF")
    await eventually(lambda: home.states[BOOLEAN] == "off")
    await watcher.value("charger/CP1/mode", "auto")
    assert (await asked(house)).ok


@pytest.mark.usefixtures("charger")
async def test_a_home_assistant_that_goes_opens_the_charger_to_nobody(
    house: Running, watcher: Watcher, home: PretendHome
) -> None:
    assert (await asked(house)).ok
    await home.stop()
    await watcher.value("presence", "unknown")
    await watcher.value("charger/CP1/owner", "none")
    assert (await asked(house)).reason == "presence_unknown"
    home.states |= {PERSON: "unavailable", BOOLEAN: "unavailable"}
    await home.start()
    await eventually(lambda: home.followers)
    assert (await asked(house)).reason == "presence_unknown"
    await home.put(PERSON, "not_home")
    await watcher.value("presence", "away")
    assert (await asked(house)).ok


async def test_an_override_outlasts_a_restart_of_both(tmp_path: Path, broker: Broker, home: PretendHome) -> None:
    async with (
        running(tmp_path, broker, **given(home)) as house,
        independent_charger(house.chargers, "1.6", "CP1") as charger,
    ):
        await charger.tell_status("Available")
        await eventually(lambda: home.followers)
        await home.put(BOOLEAN, "on")
        await eventually(lambda: house.app.hub.station("CP1").control.mode == "owner")
    home.states[BOOLEAN] = "off"
    async with running(tmp_path, broker, **given(home)) as house:
        await eventually(lambda: home.states[BOOLEAN] == "on")
        assert house.app.hub.station("CP1").control.mode == "owner"


async def test_a_session_of_a_provider_and_a_fault_are_notified(
    house: Running, home: PretendHome, charger: Any
) -> None:
    assert (await asked(house)).ok
    await charger.tell_status(PLUGGED["1.6"])
    started = await wishes.start(house.app.arbitration, "public", "CP1", requests.Start())
    assert started.ok
    await eventually(lambda: charger.transaction)
    charger.meter.register += 2000
    await charger.end()
    await eventually(lambda: home.notifications)
    (shown,) = home.notifications.values()
    assert shown["title"] == "CP1: charging ended"
    assert shown["message"].startswith("2.00 kWh in ")
    assert shown["message"].endswith(", 0.80 EUR from public.")
    await charger.tell_status("Faulted")
    await eventually(lambda: len(home.notifications) == 2)
    await charger.tell_status("Available")
    await eventually(lambda: len(home.notifications) == 1)


async def test_a_login_to_the_page_is_notified(house: Running, home: PretendHome) -> None:
    await house.app.store.logins.add(token_hash("code"), datetime.now(UTC) + timedelta(minutes=1))
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(f"{house.http}/login?code=code")).status_code == 303
    await eventually(lambda: home.notifications)
    assert "from 127.0.0.1." in home.notifications["ocpp_mqtt_proxy_login_127.0.0.1"]["message"]


async def test_under_the_supervisor_nothing_need_be_configured(
    tmp_path: Path, broker: Broker, home: PretendHome
) -> None:
    supervisor = Supervisor(TOKEN, home.url)
    async with running(tmp_path, broker, supervisor=supervisor, presence_sensor=PERSON) as house:
        await eventually(lambda: house.app.arbitration.house.presence == "away")


async def test_without_a_home_assistant_an_entity_is_told_to_have_no_effect(
    tmp_path: Path, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, broker, presence_sensor=PERSON) as house:
        assert house.app.arbitration.house.presence == "unknown"
    assert "presence_sensor has no effect without home_assistant.url and home_assistant.token" in caplog.text
