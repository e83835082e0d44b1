"""Authorisation: a backend that is asked about cards has them accepted, refused, and grouped."""

from __future__ import annotations

import pytest

from tests.backends import provider
from tests.conformance.cases import case
from tests.conformance.charger import CARD, Charger, token
from tests.conformance.house import Home
from tests.conformance.judge import BLOCKED, EXPIRED, PARTNER, STRANGE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("judge")]

GIVEN = {"providers": [provider("judge")]}


async def shown(charger: Charger, tag: str) -> dict[str, object]:
    """The verdict on a card that is shown."""
    return dict((await charger.say("Authorize", idToken=token(tag)))["idTokenInfo"])


@case("TC_C_02_CSMS")
async def test_an_unknown_card_is_not_accepted(charger: Charger, home: Home) -> None:
    assert (await shown(charger, STRANGE))["status"] in ("Invalid", "Unknown")
    await home.hears("authorization", verdict="invalid")


@case("TC_C_06_CSMS")
async def test_a_blocked_card_is_blocked(charger: Charger, home: Home) -> None:
    assert (await shown(charger, BLOCKED))["status"] == "Blocked"
    await home.hears("authorization", verdict="blocked")


@case("TC_C_07_CSMS")
async def test_an_expired_card_is_expired(charger: Charger, home: Home) -> None:
    assert (await shown(charger, EXPIRED))["status"] == "Expired"
    await home.hears("authorization", verdict="expired")


@case("TC_C_08_CSMS")
async def test_a_card_that_the_charger_accepted_by_itself_is_confirmed(charger: Charger, home: Home) -> None:
    await charger.tell_status("Occupied")
    await charger.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"})
    answer = await charger.event("Updated", "Authorized", idToken=token())
    assert answer["idTokenInfo"]["status"] == "Accepted"
    await home.shows("session_provider", "judge")


@case("TC_C_20_CSMS")
async def test_a_card_that_counts_no_more_is_refused_though_the_charger_accepted_it(
    charger: Charger, home: Home
) -> None:
    await charger.tell_status("Occupied")
    await charger.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"})
    answer = await charger.event("Updated", "Authorized", idToken=token(STRANGE))
    assert answer["idTokenInfo"]["status"] in ("Invalid", "Unknown")
    await home.hears("authorization", verdict="invalid")


@case("TC_C_39_CSMS")
async def test_a_card_of_the_same_group_may_end_what_another_began(charger: Charger, home: Home) -> None:
    first, second = await shown(charger, CARD), await shown(charger, PARTNER)
    assert first["status"] == second["status"] == "Accepted"
    assert first["groupIdToken"] == second["groupIdToken"]
    await charger.charge()
    answer = await charger.event(
        "Updated", "StopAuthorized", idToken=token(PARTNER), info={"chargingState": "EVConnected"}
    )
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert answer["idTokenInfo"]["groupIdToken"] == first["groupIdToken"]
    await charger.unplug()
    assert (await home.hears("transaction_ended"))["provider"] == "judge"
