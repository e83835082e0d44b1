"""A real Home Assistant of several versions, from the rig that lies beside the project."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Broker
from tests.conftest import RIG
from tests.home_assistant.home import Home
from tests.running import Running, running

VARIANTS = {"new": "device", "old": "component"}
"""The rig's names of its Home Assistants, and the discovery each understands: `old` is 2024.3."""


@dataclass(frozen=True)
class Rig:
    """One Home Assistant of the rig, running."""

    variant: str
    discovery: str
    state: dict[str, Any]

    @property
    def broker(self) -> Broker:
        """Its broker, which it shares with us."""
        return Broker(Path(), self.state["mqtt_port"], self.state["mqtt_host"])


@pytest.fixture(scope="session", params=VARIANTS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    if not RIG.exists():
        pytest.skip("no Home Assistant rig beside the project")
    variant = str(request.param)
    run("setup.sh", variant)
    said = run("start.sh", variant, "--fresh")
    found = re.search(r"state file (\S+)", said)
    assert found is not None, said
    yield Rig(variant, VARIANTS[variant], json.loads(Path(found[1]).read_text()))
    run("stop.sh", variant)


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 (the rig's own)
        [str(RIG / script), *arguments], capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
async def home(rig: Rig) -> AsyncIterator[Home]:
    async with Home.at(rig.state["url"], rig.state["token"]) as connected:
        yield connected


@pytest.fixture(scope="session")
def books(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps its books: one installation per Home Assistant, restarted for each test."""
    return tmp_path_factory.mktemp(rig.variant)


@pytest.fixture
async def house(rig: Rig, books: Path) -> AsyncIterator[Running]:
    """The service beside that Home Assistant, on its standard topics."""
    topics = {
        "base_topic": "ocpp",
        "discovery_prefix": "homeassistant",
        "status_topic": "homeassistant/status",
        "discovery": rig.discovery,
    }
    async with running(books, rig.broker, mqtt=topics) as service:
        yield service
