"""Cards that a service's CSMS with authority judges: asked while it is there, known while it is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conformance.cases import case
from tests.conformance.central import USUAL_SETTINGS, V2, Central, Desk, Served, service
from tests.conformance.charger import CARD, Charger, Payload, token
from tests.running import running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("served", V2, indirect=True, scope="module"),
]

OTHER, STRANGE, LISTED = "04A1B2C4", "0400000000", "0411223344"


def judging(**verdicts: str) -> Callable[[Payload], Payload]:
    """The CSMS's word on cards, by card; it accepts others."""
    return lambda told: {"idTokenInfo": {"status": verdicts.get(told["idToken"]["idToken"], "Accepted")}}


async def verdict(box: Charger, tag: str) -> str:
    return str((await box.say("Authorize", idToken=token(tag)))["idTokenInfo"]["status"])


@pytest.mark.parametrize("word", ["Invalid", "Unknown"])
@case("TC_C_02_CS")
async def test_a_card_that_it_refuses_gets_no_energy(box: Charger, desk: Desk, word: str) -> None:
    desk.answers["Authorize"] = judging(**{STRANGE: word})
    await box.tell_status("Occupied")
    await box.event("Started", "CablePluggedIn", info={"chargingState": "EVConnected"})
    assert await verdict(box, STRANGE) == word
    assert (await desk.until("Authorize"))["idToken"] == token(STRANGE)
    await box.event("Ended", "EVCommunicationLost", info={"stoppedReason": "EVDisconnected"})
    await desk.event("Ended")
    states = [told["transactionInfo"].get("chargingState") for told in desk.told("TransactionEvent")]
    assert "Charging" not in states
    assert not any("idToken" in told for told in desk.told("TransactionEvent"))


@case("TC_C_02_CS")
async def test_a_card_that_it_refuses_when_the_charger_begins_is_refused_there_too(box: Charger, desk: Desk) -> None:
    desk.answers["Authorize"] = judging(**{STRANGE: "Invalid"})
    answer = await box.event("Started", "Authorized", idToken=token(STRANGE), info={"chargingState": "Idle"})
    assert answer["idTokenInfo"]["status"] == "Invalid"


@case("TC_C_04_CS")
async def test_another_card_is_judged_by_it_and_stops_nothing_of_another_group(box: Charger, desk: Desk) -> None:
    """Whose cards may stop whose transactions the charger knows by their groups, which are the CSMS's."""

    def groups(told: Payload) -> Payload:
        group = {"idToken": f"group of {told['idToken']['idToken']}", "type": "Central"}
        return {"idTokenInfo": {"status": "Accepted", "groupIdToken": group}}

    desk.answers["Authorize"] = groups
    own = await box.say("Authorize", idToken=token())
    await box.charge()
    other = await box.say("Authorize", idToken=token(OTHER))
    assert own["idTokenInfo"]["groupIdToken"] != other["idTokenInfo"]["groupIdToken"]
    await desk.event("Updated", "ChargingStateChanged")
    assert "Ended" not in {told["eventType"] for told in desk.told("TransactionEvent")}
    assert box.asked("RequestStopTransaction") == []


@asynccontextmanager
async def without(served: Served) -> AsyncIterator[None]:
    """The CSMS is gone meanwhile."""
    await served.central.close()
    yield
    await served.central.open()


async def list_of(desk: Desk, tag: str) -> None:
    """The CSMS sends its list of cards."""
    cards = [{"idToken": token(tag), "idTokenInfo": {"status": "Accepted"}}]
    answer = await desk.ask("SendLocalList", versionNumber=1, updateType="Full", localAuthorizationList=cards)
    assert answer == {"status": "Accepted"}


@case("TC_C_08_CS", "TC_C_21_CS", "TC_C_26_CS")
async def test_while_it_is_away_cards_that_it_accepted_or_listed_charge_and_no_others(
    served: Served, box: Charger, desk: Desk
) -> None:
    await list_of(desk, LISTED)
    assert await verdict(box, CARD) == "Accepted"
    async with without(served):
        assert await verdict(box, STRANGE) == "Invalid"
        assert await verdict(box, LISTED) == "Accepted"
        await box.charge(CARD)
        await box.unplug()
    await desk.event("Ended")
    assert [told["idToken"] for told in desk.told("Authorize")] == [token(CARD)]
    assert [told["idToken"] for told in desk.told("TransactionEvent") if "idToken" in told] == [token(CARD)]


@pytest.mark.parametrize(("rule", "word"), [("accept", "Accepted"), ("reject", "Invalid")])
@case("TC_C_26_CS")
async def test_a_strange_card_charges_while_it_is_away_where_the_owner_lets_it(
    served: Served, tmp_path: Path, rule: str, word: str
) -> None:
    """`authority_down` is what OfflineTxForUnknownIdEnabled is to a charger."""
    version = served.central.version
    async with Central.of(version) as central:
        plan = service(central, authority=["transactions"], authority_down=rule)
        async with (
            running(tmp_path, None, ocpp_services=[plan]) as one,
            Charger.at(one.chargers, version, "CP") as box,
        ):
            box.settings |= USUAL_SETTINGS[version]
            await box.boot()
            await box.tell_status("Available")
            await central.desk("CP").status("Available")
            await central.close()
            assert await verdict(box, STRANGE) == word
