"""What several tests of adapters need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.browser import Browser, chromium, page_of


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
