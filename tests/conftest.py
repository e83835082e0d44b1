"""Fixtures and rules that every test shares."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.brokers import Broker
from tests.running import Running, Watcher, running

settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile("project")
"""Property tests try the same on every run, and a busy machine is no failure."""

HERE = Path(__file__).parent
RIG = HERE.parents[1] / "shared" / "ha_rig"
"""The scripts that run a real Home Assistant; a user's clone has none."""

_skipped: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--home-assistant", action="store_true", help="run the tests with a real Home Assistant")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests with a real Home Assistant take minutes and its rig: they run when asked for."""
    asked = config.getoption("--home-assistant")
    return True if collection_path.name == "home_assistant" and not asked else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test needs shows in where it stands."""
    for item in items:
        room = item.path.relative_to(HERE).parts[0]
        if room in ("adapters", "crash"):
            item.add_marker("integration")
        elif room in ("journeys", "home_assistant"):
            item.add_marker("e2e")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """On CI a skip is a failure: there, everything is installed."""
    if _skipped and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
        print(f"\nskipped, which CI does not allow: {', '.join(_skipped)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's environment is no part of a test."""
    for name in list(os.environ):
        if name.startswith(("OCPP_MQTT_PROXY_", "MQTT_", "HA_", "SUPERVISOR_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker, shared: every test has a tree of its own on it."""
    started = Broker(tmp_path_factory.mktemp("broker")).start()
    yield started
    started.stop()


@pytest.fixture
def broker(shared_broker: Broker, tmp_path: Path) -> Iterator[Broker]:
    """The shared broker. The fallback is none to share: a subscriber gets what others have retained there too."""
    if shared_broker.speaks_mqtt5:
        yield shared_broker
        return
    own = Broker(tmp_path).start()
    yield own
    own.stop()


@pytest.fixture
def mqtt5(broker: Broker) -> Broker:
    """The broker, where it speaks MQTT 5."""
    if not broker.speaks_mqtt5:
        pytest.skip("the fallback broker speaks MQTT 3.1.1 only; install mosquitto or Docker")
    return broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may stop and start."""
    started = Broker(tmp_path).start()
    yield started
    started.stop()


@pytest.fixture
async def proxy(tmp_path: Path, broker: Broker) -> AsyncIterator[Running]:
    """The whole service, running, with a broker and a store of its own."""
    async with running(tmp_path, broker) as service:
        yield service


@pytest.fixture
async def watcher(proxy: Running) -> AsyncIterator[Watcher]:
    """What arrives at an MQTT client that listens to all the service says."""
    async with Watcher.on(proxy) as listening:
        yield listening
