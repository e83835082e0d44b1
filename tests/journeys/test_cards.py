"""Cards that providers decide on, with the whole service: backends by WebSocket and an independent charger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends import Backend, backend, provider
from tests.independent import CHARGERS, PLUGGED, independent_charger
from tests.running import PATIENCE, Running, running

TAG = "04A1B2C3"
COLLEAGUE = "04D4E5F6"

pytestmark = pytest.mark.parametrize("version", CHARGERS)


@contextlib.asynccontextmanager
async def house(folder: Path, **given: Any) -> AsyncIterator[Running]:
    """The service with three providers that may decide on cards, and one that may not."""
    names = [provider(name) for name in ("first", "second", "third")]
    balancer = provider("balancer", roles=["smart_charging"])
    options = {"providers": [*names, balancer], "preferred_provider": "first", **given}
    async with running(folder, None, **options) as service:
        yield service


async def asked(one: Backend, tag: str = TAG) -> str:
    """Wait until a backend is asked about a card; the request's id."""
    return str((await one.event("authorization_request", id_tag=tag))["request_id"])


async def answer(one: Backend, status: str, tag: str = TAG, **more: Any) -> None:
    await one.does("authorize", request_id=await asked(one, tag), status=status, **more)


async def shown(charger: Any, tag: str, *answers: Any) -> str:
    """Show a card while backends answer; the verdict."""
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        verdict = group.create_task(charger.show(tag))
        for one in answers:
            group.create_task(one)
    return str(verdict.result())


async def test_the_second_of_three_accepts_a_card_and_has_the_session(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path) as service,
        backend(service, "first", "*") as first,
        backend(service, "second", "*") as second,
        backend(service, "third", "*") as third,
        backend(service, "balancer", "*") as balancer,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        answers = answer(first, "invalid"), answer(second, "accepted"), answer(third, "blocked")
        assert await shown(charger, TAG, *answers) == "Accepted"
        await charger.tell_status(PLUGGED[version])
        await charger.begin(TAG)
        assert charger.verdict == "Accepted"
        assert (await balancer.event("transaction_started"))["provider"] == "second"
        decided = [event for event in balancer.events if event["event"].startswith("authorization")]
        assert [(event["id_tag"], event["verdict"], event["by"]) for event in decided] == [
            ("***C3", "accepted", "second")
        ]


async def test_a_start_whose_card_was_never_shown_waits_for_its_provider(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path) as service,
        backend(service, "first", "*") as first,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        await charger.tell_status(PLUGGED[version])
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(charger.begin(TAG))
            group.create_task(answer(first, "accepted"))
        assert charger.verdict == "Accepted"
        assert (await first.event("transaction_started", id_tag=TAG))["provider"] == "first"


async def test_a_card_that_nobody_answers_for_is_invalid(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path) as service,
        backend(service, "first", "*") as first,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        service.app.authority.patience = 0.05
        assert await shown(charger, TAG) == "Invalid"
        assert (await first.event("authorization"))["by"] == "nobody"
        await answer(first, "accepted")
        assert (await first.event("authorization", verdict="accepted"))["by"] == "first"
        assert await shown(charger, TAG) == "Accepted"


async def test_a_provider_that_leaves_while_it_is_asked_keeps_nobody_waiting(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path) as service,
        backend(service, "second", "*") as second,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        service.app.authority.patience = service.app.authority.grace = PATIENCE
        async with backend(service, "first", "*") as first:
            waiting = asyncio.create_task(charger.show(TAG))
            await asked(first)
            await answer(second, "accepted")
        async with asyncio.timeout(PATIENCE / 2):
            assert await waiting == "Accepted"


async def test_the_verdict_on_a_card_outlives_a_restart(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path) as service,
        backend(service, "first", "*") as first,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        assert await shown(charger, TAG, answer(first, "accepted", group="STAFF")) == "Accepted"
        group = charger.group
    async with (
        house(tmp_path) as service,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        await charger.begin(TAG)
        assert (charger.verdict, charger.group) == ("Accepted", group)
        assert next(service.app.hub.station("CP1").sessions()).provider == "first"


async def test_cards_of_one_group_are_the_same_to_the_charger_but_no_two_providers_groups(
    tmp_path: Path, version: str
) -> None:
    groups = []
    async with (
        house(tmp_path) as service,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        for name, tag in (("first", TAG), ("first", COLLEAGUE), ("second", "04FFFFFF")):
            async with backend(service, name, "*") as one:
                assert await shown(charger, tag, answer(one, "accepted", tag, group="STAFF")) == "Accepted"
                await one.does("release_control", classes=["transactions"])
            groups.append(charger.group)
    assert groups[0] is not None
    assert groups[0] == groups[1] != groups[2]


async def test_the_tag_of_a_remote_start_is_accepted_without_asking(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path) as service,
        backend(service, "first", "*") as first,
        backend(service, "second", "*") as second,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        await charger.tell_status(PLUGGED[version])
        await second.does("start", id_tag="GUEST")
        await second.event("transaction_started", provider="second", id_tag="GUEST")
        await charger.tell_meter()  # which it does after it has heard the answer to its start
        assert charger.verdict == "Accepted"
        assert [event for event in first.events if event["event"] == "authorization_request"] == []


async def test_a_card_of_the_house_is_nobody_s_business(tmp_path: Path, version: str) -> None:
    async with (
        house(tmp_path, id_tags=[{"tag": TAG, "name": "Anna"}]) as service,
        backend(service, "first", "*") as first,
        independent_charger(service.chargers, version, "CP1") as charger,
    ):
        assert await shown(charger, TAG) == "Accepted"
        assert (await first.event("authorization"))["by"] == "house"
        assert "authorization_request" not in {event["event"] for event in first.events}
