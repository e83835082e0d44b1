"""Passwords of chargers that are changed from here: over restarts, by raw calls, and beside the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from ocpp_mqtt_proxy import requests
from ocpp_mqtt_proxy.core.commands import ClearCache, Order, RawCall, SetConfiguration
from ocpp_mqtt_proxy.renewal import password_in
from tests.conformance.charger import Charger, Unable
from tests.running import Running, running

FIRST, SECOND, THIRD, CONFIGURED_ANEW = (f"{word}-password-0123" for word in ("first", "second", "third", "fourth"))

WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "1.6": ("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECOND}),
    "2.0.1": (
        "SetVariables",
        {
            "setVariableData": [
                {
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                    "attributeValue": SECOND,
                }
            ]
        },
    ),
}


@asynccontextmanager
async def house(folder: Path, password: str = FIRST) -> AsyncIterator[Running]:
    """The service with one charger, whose password is configured; its store stays in the folder."""
    async with running(folder, None, chargers=[{"id": "CP1", "password": password}]) as service:
        yield service


async def change(service: Running, charger: Charger, password: str) -> None:
    request = requests.Configuration(set={"AuthorizationKey": password})
    assert (await service.app.dispatcher.submit(charger.id, request)).ok


@asynccontextmanager
async def inside(service: Running, password: str, version: str = "1.6") -> AsyncIterator[Charger]:
    async with Charger.at(service.chargers, version, "CP1", password=password) as charger:
        await charger.boot()
        yield charger


async def comes_in(service: Running, password: str) -> bool:
    with suppress(InvalidStatus):
        async with inside(service, password):
            return True
    return False


async def which_count(service: Running, *passwords: str) -> list[bool]:
    return [await comes_in(service, password) for password in passwords]


async def test_a_new_password_outlasts_a_restart_before_and_after_it_was_used(tmp_path: Path) -> None:
    async with house(tmp_path) as service, inside(service, FIRST) as charger:
        await change(service, charger, SECOND)
    async with house(tmp_path) as service:
        assert await which_count(service, FIRST, SECOND, FIRST) == [True, True, False]
    async with house(tmp_path) as service:
        assert await which_count(service, FIRST, SECOND) == [False, True]


async def test_a_password_that_is_configured_anew_counts_alone(tmp_path: Path) -> None:
    async with house(tmp_path) as service, inside(service, FIRST) as charger:
        await change(service, charger, SECOND)
        assert await comes_in(service, SECOND)
    async with house(tmp_path, CONFIGURED_ANEW) as service:
        assert await which_count(service, SECOND, CONFIGURED_ANEW) == [False, True]


async def test_of_several_that_it_never_came_with_the_last_counts_and_the_one_it_had(tmp_path: Path) -> None:
    async with house(tmp_path) as service, inside(service, FIRST) as charger:
        await change(service, charger, SECOND)
        await change(service, charger, THIRD)
        assert await which_count(service, SECOND, FIRST, THIRD, FIRST) == [False, True, True, False]


async def test_a_charger_without_a_password_needs_the_one_it_came_with(tmp_path: Path) -> None:
    async with house(tmp_path, password="") as service, inside(service, "") as charger:
        await change(service, charger, SECOND)
        assert await which_count(service, "", SECOND, "") == [True, True, False]


@pytest.mark.parametrize("version", WRITES)
async def test_a_call_as_it_is_may_change_it_too(tmp_path: Path, version: str) -> None:
    action, payload = WRITES[version]
    async with house(tmp_path) as service, inside(service, FIRST, version) as charger:
        request = requests.Call(ocpp_action=action, payload=payload)
        assert (await service.app.dispatcher.submit("CP1", request)).ok
        assert charger.asked(action)[-1] == payload
        assert await which_count(service, SECOND, FIRST) == [True, False]


@pytest.mark.parametrize("answer", [{"status": "Rejected"}, {"status": "NotSupported"}, Unable("NotSupported")])
async def test_a_charger_that_will_not_keeps_the_one_it_has(tmp_path: Path, answer: Any) -> None:
    action, payload = WRITES["1.6"]
    async with house(tmp_path) as service, inside(service, FIRST) as charger:
        charger.answers[action] = answer
        await service.app.dispatcher.submit("CP1", requests.Call(ocpp_action=action, payload=payload))
        assert charger.asked(action)[-1] == payload
        assert await which_count(service, SECOND, FIRST) == [False, True]


OTHERS: list[Mapping[str, object]] = [{}, {"key": "HeartbeatInterval", "value": "5"}, {"setVariableData": ["?", {}]}]


@pytest.mark.parametrize(
    "order",
    [ClearCache(), SetConfiguration((("HeartbeatInterval", "5"),)), *(RawCall("Any", payload) for payload in OTHERS)],
)
def test_other_orders_give_no_password(order: Order) -> None:
    assert password_in(order) is None
