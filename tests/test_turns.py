"""One at a time through a turnstile, and everybody else in between."""

from __future__ import annotations

import asyncio

from ocpp_mqtt_proxy.turns import Turnstile, within


async def test_one_goes_through_in_each_step_of_the_loop_in_order() -> None:
    turnstile, steps, went = Turnstile(), iter(range(1000)), {}
    now = next(steps)

    async def go(number: int) -> None:
        await turnstile.turn()
        assert now not in went, "one had this step's turn already"
        went[now] = number

    tasks = [asyncio.create_task(go(number)) for number in range(5)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        now = next(steps)
    await asyncio.gather(*tasks)
    assert list(went.values()) == list(range(5))


async def test_where_nobody_else_goes_one_goes_at_once() -> None:
    turnstile, went = Turnstile(), False

    async def others() -> None:
        nonlocal went
        went = True

    other = asyncio.create_task(others())
    await turnstile.turn()
    assert not went
    await other


async def test_who_waits_no_more_holds_up_nobody() -> None:
    turnstile = Turnstile()
    await turnstile.turn()
    gone, next_ = asyncio.create_task(turnstile.turn()), asyncio.create_task(turnstile.turn())
    await asyncio.sleep(0)
    gone.cancel()
    async with asyncio.timeout(10):
        await next_


async def test_it_is_known_whether_an_event_comes_in_time() -> None:
    event = asyncio.Event()
    assert not await within(0.0, event)
    event.set()
    assert await within(10.0, event)
