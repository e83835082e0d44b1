"""What several tests of adapters need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ocpp_mqtt_proxy.adapters.store import Store
from tests.adapters.browser import Browser, chromium, page_of
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
