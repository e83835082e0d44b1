"""A whole running service for each file, and for each test a charger of its own and what its user sees of it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.brokers import Broker
from tests.conformance.central import USUAL_SETTINGS, Central, Desk, Served, provider, service
from tests.conformance.charger import Charger
from tests.conformance.house import Home, House
from tests.conformance.judge import judging
from tests.running import Watcher, running

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    request: pytest.FixtureRequest, shared_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """The service; a file's GIVEN is its configuration."""
    given: dict[str, Any] = getattr(request.module, "GIVEN", {})
    folder = tmp_path_factory.mktemp("house")
    broker = shared_broker if shared_broker.speaks_mqtt5 else Broker(folder).start()
    try:
        async with (
            running(folder, broker, **given) as service,
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge(house: House) -> AsyncIterator[None]:
    """A backend decides on cards."""
    async with judging(house.service):
        yield


# Behind a service: we are the charger of its CSMS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The service with a CSMS of the version that is asked for, maybe with roles; a file's SERVICE configures it."""
    version, roles = (request.param, ()) if isinstance(request.param, str) else request.param
    plan = {"authority": ["transactions"], **getattr(request.module, "SERVICE", {})}
    async with Central.of(version) as central:
        given: dict[str, Any] = {
            "ocpp_services": [service(central, **plan)],
            "providers": [provider("billing", *roles)],
            "rate_limit_seconds": 0,
        }
        async with running(tmp_path_factory.mktemp("served"), None, **given) as one:
            yield Served(central, one.chargers, roles)


@pytest_asyncio.fixture(loop_scope="module")
async def box(served: Served, charger_id: str) -> AsyncIterator[Charger]:
    """A charger that is available, and of which the CSMS knows that."""
    async with Charger.at(served.chargers, served.central.version, charger_id) as one:
        one.settings |= USUAL_SETTINGS[one.version]
        await one.boot()
        await one.tell_status("Available")
        await served.central.desk(charger_id).status("Available")
        yield one


@pytest.fixture
def desk(served: Served, box: Charger) -> Desk:
    """What the CSMS has of the charger."""
    return served.central.desk(box.id)


@pytest.fixture
def early(served: Served, charger_id: str) -> Desk:
    """The desk of a charger that is yet to come."""
    return served.central.desk(charger_id)
