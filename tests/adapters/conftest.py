"""What several tests of adapters need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.adapters.store import Store
from ocpp_mqtt_proxy.core.sharing import Presence
from tests.adapters.browser import Browser, chromium, page_of
from tests.adapters.ha_house import House, a_house
from tests.adapters.pretend_home_assistant import PretendHome, eventually, pretend_home
from tests.adapters.stores import opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a store is."""
    return tmp_path / "sessions.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    """An open store, empty."""
    async with opened(file) as store:
        yield store


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the browser takes commands."""
    with chromium(tmp_path_factory.mktemp("browser")) as where:
        yield where


@pytest.fixture
async def browser(address: str) -> AsyncIterator[Browser]:
    """A page in a real Chromium."""
    async with page_of(address) as page:
        yield page


@pytest.fixture
async def home() -> AsyncIterator[PretendHome]:
    """A pretended Home Assistant in which nobody is at home, and nothing overridden."""
    async with pretend_home(person__anna="not_home", input_boolean__override="off") as running:
        yield running


@pytest.fixture
async def house(home: PretendHome) -> AsyncIterator[House]:
    """A house of two chargers that it feeds."""
    async with a_house(home, "CP1", "CP2") as running:
        await eventually(lambda: running.believed is Presence.AWAY and home.followers)
        yield running
