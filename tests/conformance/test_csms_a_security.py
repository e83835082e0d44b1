"""Security: who comes in with which password, and how it is changed."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.conformance.cases import case
from tests.conformance.charger import Charger
from tests.conformance.house import Home, House

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD, NEW, WRONG = "correct-horse-battery", "staple-correct-horse", "wrong-horse-battery-0"
VERSIONS = ("1.6", "2.0.1", "2.1")
CONFIGURED = [f"SAFE{number}" for number in range(40)]

GIVEN = {"chargers": [{"id": name, "password": OLD, "security_profile": 1} for name in CONFIGURED]}

_numbers = itertools.count()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def charger_id() -> str:
    """A configured charger that no other test has."""
    return CONFIGURED[next(_numbers)]


@dataclass
class Door:
    """Where one charger comes in."""

    url: str
    version: str
    charger_id: str

    def enter(self, password: str, user: str = "") -> AbstractAsyncContextManager[Charger]:
        return Charger.at(self.url, self.version, self.charger_id, user=user, password=password)

    async def refuses(self, password: str, user: str = "") -> None:
        with pytest.raises(InvalidStatus) as refused:
            await self.enter(password, user).__aenter__()
        assert refused.value.response.status_code == 401

    async def lets_in(self, password: str) -> None:
        async with self.enter(password) as charger:
            assert (await charger.boot())["status"] == "Accepted"
            await charger.tell_status("Available")


@pytest.fixture
def door(house: House, version: str, charger_id: str) -> Door:
    return Door(house.chargers, version, charger_id)


@pytest_asyncio.fixture(loop_scope="module")
async def charger(door: Door) -> AsyncIterator[Charger]:
    """A charger that came in with its configured password."""
    async with door.enter(OLD) as one:
        await one.boot()
        yield one


def declining(version: str) -> Any:
    """The answer of a charger that keeps the password it has."""
    if version == "1.6":
        return {"status": "Rejected"}
    return lambda asked: {
        "setVariableResult": [
            {"component": one["component"], "variable": one["variable"], "attributeStatus": "Rejected"}
            for one in asked["setVariableData"]
        ]
    }


def given(charger: Charger) -> str:
    """The password that the charger was given last."""
    if charger.version == "1.6":
        asked = charger.asked("ChangeConfiguration")[-1]
        assert asked["key"] == "AuthorizationKey"
        return str(asked["value"])
    (item,) = charger.asked("SetVariables")[-1]["setVariableData"]
    assert (item["component"], item["variable"]) == ({"name": "SecurityCtrlr"}, {"name": "BasicAuthPassword"})
    return str(item["attributeValue"])


@case("TC_A_01_CSMS")
async def test_its_id_and_password_let_a_charger_in(door: Door, home: Home) -> None:
    await door.lets_in(OLD)
    await home.shows("status", "available")


@case("TC_A_02_CSMS")
async def test_another_s_name_keeps_a_charger_out(house: House, door: Door) -> None:
    await door.refuses(OLD, user=f"{door.charger_id}Invalid")
    assert door.charger_id not in house.service.app.hub.stations


@case("TC_A_03_CSMS", "16_CS_SEC_BASIC")
async def test_a_wrong_password_keeps_a_charger_out(house: House, door: Door) -> None:
    await door.refuses(WRONG)
    await door.refuses("")
    assert door.charger_id not in house.service.app.hub.stations


@case("TC_A_09_CSMS", "16_CS_SEC_PASSWORD")
async def test_the_new_password_alone_counts_once_it_was_used(charger: Charger, door: Door, home: Home) -> None:
    await home.does("configuration", set={"SecurityCtrlr.BasicAuthPassword": NEW})
    assert given(charger) == NEW
    await door.lets_in(NEW)
    await door.refuses(OLD)
    await door.lets_in(NEW)


@case("TC_A_09_CSMS")
async def test_until_the_new_password_was_used_the_old_one_counts(charger: Charger, door: Door, home: Home) -> None:
    await home.does("configuration", set={"AuthorizationKey": NEW})
    await door.lets_in(OLD)
    await door.refuses(WRONG)
    await door.lets_in(NEW)
    await door.refuses(OLD)


@case("TC_A_10_CSMS")
async def test_where_the_charger_refuses_a_password_the_old_one_stays(charger: Charger, door: Door, home: Home) -> None:
    action = "ChangeConfiguration" if charger.version == "1.6" else "SetVariables"
    charger.answers[action] = declining(charger.version)
    assert await home.refused("configuration", set={"SecurityCtrlr.BasicAuthPassword": NEW}) == "charger_rejected"
    assert given(charger) == NEW
    await door.lets_in(OLD)
    await door.refuses(NEW)


async def test_no_password_is_shown(charger: Charger, door: Door, home: Home) -> None:
    await home.does("configuration", set={"SecurityCtrlr.BasicAuthPassword": NEW})
    await door.lets_in(NEW)
    said = {topic: texts for topic, texts in home.watcher.all.items() if "/request/" not in topic}
    assert [topic for topic, texts in said.items() if any(OLD in text or NEW in text for text in texts)] == []
