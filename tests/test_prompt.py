"""Futures whose hearer hears at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocpp_mqtt_proxy.prompt import Prompt, tell

SETTLINGS = pytest.mark.parametrize(
    "settle", [lambda future: future.set_result("said"), lambda future: future.set_exception(ValueError("said"))]
)


@SETTLINGS
async def test_a_hearer_is_told_in_the_step_in_which_it_is_settled(settle: Any) -> None:
    heard: list[asyncio.Future[str]] = []
    future: Prompt[str] = Prompt()
    tell(future, heard.append)
    settle(future)
    assert heard == [future]
    assert str(future.exception() or future.result()) == "said"


@SETTLINGS
async def test_one_that_comes_late_is_told_at_once(settle: Any) -> None:
    heard: list[asyncio.Future[str]] = []
    future: Prompt[str] = Prompt()
    settle(future)
    tell(future, heard.append)
    assert heard == [future]
    assert future.exception() or future.result()


async def test_others_wait_for_it_as_for_any() -> None:
    future: Prompt[str] = Prompt()
    waiting = asyncio.gather(future, asyncio.shield(future))
    future.set_result("said")
    assert list(await waiting) == ["said", "said"]


async def test_of_any_other_future_a_hearer_is_told_in_the_next_step() -> None:
    heard: list[asyncio.Future[str]] = []
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tell(future, heard.append)
    future.set_result("said")
    assert heard == []
    await asyncio.sleep(0)
    assert heard == [future]
