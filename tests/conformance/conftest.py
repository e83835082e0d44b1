"""A whole running service for each file, and for each test a charger of its own and what its user sees of it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.brokers import Broker
from tests.conformance.charger import Charger
from tests.conformance.house import Home, House
from tests.running import Watcher, running

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    request: pytest.FixtureRequest, shared_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """The service; a file's GIVEN is its configuration."""
    folder = tmp_path_factory.mktemp("house")
    broker = shared_broker if shared_broker.speaks_mqtt5 else Broker(folder).start()
    try:
        async with (
            running(folder, broker, **getattr(request.module, "GIVEN", {})) as service,
            Watcher.on(service) as watcher,
        ):
            yield House(service, watcher)
    finally:
        if broker is not shared_broker:
            broker.stop()


@pytest.fixture(params=["2.0.1", "2.1"])
def version(request: pytest.FixtureRequest) -> str:
    """The versions whose cases are the same."""
    return str(request.param)


@pytest.fixture
def charger_id() -> str:
    """A charger that no other test has."""
    return f"CP{next(_numbers)}"


@pytest_asyncio.fixture(loop_scope="module")
async def charger(house: House, version: str, charger_id: str) -> AsyncIterator[Charger]:
    """A charger that has booted and is available."""
    async with Charger.at(house.chargers, version, charger_id) as one:
        await one.boot()
        await one.tell_status("Available")
        yield one


@pytest.fixture
def home(house: House, charger_id: str) -> Home:
    """What the charger's owner can do and see."""
    return Home(house.watcher, charger_id)
