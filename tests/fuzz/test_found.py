"""What a fuzzer once broke the house with: every input is kept in `found/` and tried on every run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_mqtt_proxy.core.model import Version
from tests.fuzz.house import House
from tests.fuzz.mutations import FOUND, unpacked

INPUTS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text("utf-8")) for file in FOUND.glob("*.json")}


@pytest.mark.parametrize("name", sorted(INPUTS))
async def test_what_once_broke_the_house_does_not_any_more(name: str) -> None:
    found = INPUTS[name]
    async with House(Version(found["version"])) as house:
        for steps in found["steps"]:
            await house.say(*map(unpacked, steps))
