"""The override and its twin in Home Assistant: both ways, without a loop, and never lifted by a misfortune."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.adapters.home_assistant.api import Pace
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.events import ChargerForgotten, ModeChanged
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import Presence
from tests.adapters.ha_house import BOOLEAN, PERSON, House, a_house
from tests.adapters.pretend_home_assistant import PretendHome, eventually, pretend_home
from tests.fakes import NOON, FakeLink, a_charger

HOME, AWAY, UNKNOWN = Presence


async def test_the_boolean_takes_every_charger_and_gives_them_back(house: House, home: PretendHome) -> None:
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    await home.put(BOOLEAN, "off")
    await eventually(lambda: house.modes == [AUTO, AUTO])
    assert house.switched == []


async def test_the_boolean_follows_and_is_on_while_all_are_the_owners(house: House, home: PretendHome) -> None:
    await house.put(OWNER, "CP1")
    await house.put(OWNER, "CP2")
    await eventually(lambda: home.states[BOOLEAN] == "on")
    await house.put(AUTO, "CP2")
    await eventually(lambda: home.states[BOOLEAN] == "off")
    assert house.modes == [OWNER, AUTO]
    assert house.switched == ["on", "off"]


async def test_switching_off_leaves_a_provider_in_charge(house: House, home: PretendHome) -> None:
    await house.put("night", "CP2")
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    await house.put("night", "CP2")
    await eventually(lambda: home.states[BOOLEAN] == "off")
    assert house.modes == [OWNER, "night"]


async def test_an_override_of_ours_is_shown_when_home_assistant_comes(home: PretendHome) -> None:
    await home.stop()
    async with a_house(home, "CP1") as house:
        await house.put(OWNER)
        await home.start()
        await eventually(lambda: home.states[BOOLEAN] == "on")
        assert house.modes == [OWNER]


async def test_what_we_have_on_disk_counts_at_the_start(home: PretendHome) -> None:
    home.states[BOOLEAN] = "on"
    async with a_house(home, "CP1") as house:
        await eventually(lambda: home.states[BOOLEAN] == "off")
        assert house.modes == [AUTO]


@pytest.mark.parametrize("state", ["unknown", "unavailable", "", "maybe"])
async def test_a_boolean_that_does_not_know_lifts_nothing(house: House, home: PretendHome, state: str) -> None:
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    await home.put(BOOLEAN, state)
    await home.put(BOOLEAN, "off")
    await eventually(lambda: home.states[BOOLEAN] == "on")
    assert house.modes == [OWNER, OWNER]


async def test_a_boolean_that_was_removed_and_comes_back_off_lifts_nothing(house: House, home: PretendHome) -> None:
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    await home.remove(BOOLEAN)
    await home.put(BOOLEAN, "off")
    await eventually(lambda: home.states[BOOLEAN] == "on")
    assert house.modes == [OWNER, OWNER]


async def test_a_home_assistant_that_restarts_with_it_off_lifts_nothing(house: House, home: PretendHome) -> None:
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    await home.stop()
    home.states[BOOLEAN] = "off"
    await home.start()
    await eventually(lambda: home.states[BOOLEAN] == "on")
    assert house.modes == [OWNER, OWNER]


async def test_switched_on_while_nobody_listened_it_takes_control(house: House, home: PretendHome) -> None:
    await home.stop()
    home.states[BOOLEAN] = "on"
    await home.start()
    await eventually(lambda: house.modes == [OWNER, OWNER])
    assert house.switched == []


async def test_given_back_while_home_assistant_was_away_it_is_off_there_too(house: House, home: PretendHome) -> None:
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    await home.stop()
    await house.put(AUTO, "CP1")
    await home.start()
    await eventually(lambda: home.states[BOOLEAN] == "off")
    assert house.modes == [AUTO, OWNER]


async def test_a_boolean_that_does_not_obey_lifts_nothing(house: House, home: PretendHome) -> None:
    home.broken.add(BOOLEAN)
    await house.put(OWNER, "CP1")
    await house.put(OWNER, "CP2")
    await eventually(lambda: house.switched)
    await home.put(PERSON, "home")
    await eventually(lambda: house.believed is HOME)
    assert house.modes == [OWNER, OWNER]


async def test_a_home_assistant_that_does_not_switch_it_is_told_of(
    house: House, home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    home.denies = "call_service"
    await house.put(OWNER, "CP1")
    await house.put(OWNER, "CP2")
    await eventually(lambda: f"does not switch {BOOLEAN}: Unauthorized" in caplog.text)
    assert house.modes == [OWNER, OWNER]


async def test_a_charger_that_is_new_joins_the_override(house: House, home: PretendHome) -> None:
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER, OWNER])
    a_charger(house.arbitration.hub, FakeLink(), "CP3")
    await eventually(lambda: house.modes == [OWNER, OWNER, OWNER])
    assert home.states[BOOLEAN] == "on"


async def test_a_charger_that_is_new_while_home_assistant_is_away_joins_it_too(home: PretendHome) -> None:
    await home.stop()
    async with a_house(home, "CP1") as house:
        await house.put(OWNER)
        a_charger(house.arbitration.hub, FakeLink(), "CP2")
        await eventually(lambda: house.modes == [OWNER, OWNER])
        await home.start()
        await eventually(lambda: home.states[BOOLEAN] == "on")


async def test_a_charger_that_is_new_in_an_open_house_is_open(house: House, home: PretendHome) -> None:
    a_charger(house.arbitration.hub, FakeLink(), "CP3")
    await home.put(BOOLEAN, "on")
    await eventually(lambda: house.modes == [OWNER] * 3)
    await home.put(BOOLEAN, "off")
    await eventually(lambda: house.modes == [AUTO] * 3)


async def test_a_charger_that_is_forgotten_does_not_count(house: House, home: PretendHome) -> None:
    await house.put(OWNER, "CP1")
    del house.arbitration.hub.stations["CP2"]
    house.arbitration.hub.bus.publish(ChargerForgotten(charger="CP2", at=NOON))
    await eventually(lambda: home.states[BOOLEAN] == "on")


async def test_the_first_charger_of_a_house_joins_it_too(home: PretendHome) -> None:
    async with a_house(home) as house:
        await eventually(lambda: home.followers)
        await home.put(BOOLEAN, "on")
        a_charger(house.arbitration.hub, FakeLink(), "CP1")
        await eventually(lambda: house.modes == [OWNER])


async def test_what_cannot_be_written_down_holds_all_the_same(
    house: House, home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    house.arbitration.hub.ledger.broken = True  # type: ignore[attr-defined]  # the fake's
    await home.put(BOOLEAN, "on")
    await eventually(lambda: "could not be written down" in caplog.text)
    assert house.modes == [OWNER, OWNER]
    assert house.switched == []


async def test_an_echo_that_comes_late_is_no_order(home: PretendHome) -> None:
    async with a_house(home, "CP1", pace=Pace()) as house:
        await eventually(lambda: home.followers)
        home.open.clear()
        await house.put(OWNER)
        await eventually(lambda: house.switched == ["on"])
        await house.put(AUTO)
        told = house.arbitration.hub.bus.mailbox("test", only=(ModeChanged,))
        home.open.set()
        await eventually(lambda: house.switched == ["on", "off"])
        await eventually(lambda: _alike(house, home))
        assert told.take_now() == []


async def test_what_both_sides_were_switched_to_is_agreed(
    house: House, home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    home.denies = "call_service"
    await house.put(OWNER, "CP1")
    await house.put(OWNER, "CP2")
    await eventually(lambda: "does not switch" in caplog.text)
    await home.put(BOOLEAN, "on")
    await home.put(BOOLEAN, "off")
    await eventually(lambda: house.modes == [AUTO, AUTO])


ACTS = st.lists(
    st.sampled_from(["theirs on", "theirs off", "ours on", "ours off", "drop", "unavailable", "wait"]), max_size=8
)


async def _act(house: House, home: PretendHome, act: str) -> None:
    side, _, state = act.partition(" ")
    match side:
        case "theirs":
            await home.put(BOOLEAN, state)
        case "ours":
            await house.put({"on": OWNER, "off": AUTO}[state])
        case "drop":
            home.drop()
        case "unavailable":
            before = home.states[BOOLEAN]
            await home.put(BOOLEAN, "unavailable")
            await home.put(BOOLEAN, before)
        case _:
            await eventually(lambda: _alike(house, home))


def _alike(house: House, home: PretendHome) -> bool:
    mirror = house.feed.mirror
    assert mirror is not None
    settled = mirror.theirs == mirror.ours == mirror.agreed
    return settled and (home.states[BOOLEAN] == "on") == (house.modes == [OWNER])


@settings(max_examples=60)
@given(acts=ACTS)
def test_whatever_happens_both_become_alike_and_stay_so(acts: list[str]) -> None:
    async def tried() -> None:
        async with (
            pretend_home(person__anna="home", input_boolean__override="off") as home,
            a_house(home, "CP1") as house,
        ):
            for act in acts:
                await _act(house, home, act)
            await eventually(lambda: _alike(house, home))
            said = len(home.calls)
            await home.put(PERSON, "Work")
            await eventually(lambda: house.believed is AWAY)
            assert _alike(house, home)
            assert len(home.calls) == said <= len(acts) + 1

    asyncio.run(tried())


MISFORTUNES = st.lists(st.sampled_from(["drop", "gone", "unavailable", "unknown", "restart"]), min_size=1, max_size=5)


async def _befall(home: PretendHome, misfortune: str) -> None:
    """Something that leaves the boolean off, though nobody switched it."""
    match misfortune:
        case "drop":
            home.drop()
            home.states[BOOLEAN] = "off"
        case "restart":
            await home.stop()
            home.states[BOOLEAN] = "off"
            await home.start()
        case "gone":
            await home.remove(BOOLEAN)
            await home.put(BOOLEAN, "off")
        case state:
            await home.put(BOOLEAN, state)
            await home.put(BOOLEAN, "off")


@settings(max_examples=25)
@given(misfortunes=MISFORTUNES)
def test_no_misfortune_of_home_assistant_lifts_an_override(misfortunes: list[str]) -> None:
    async def tried() -> None:
        states = {"person__anna": "home", "input_boolean__override": "off"}
        async with pretend_home(**states) as home, a_house(home, "CP1") as house:
            told = house.arbitration.hub.bus.mailbox("test", only=(ModeChanged,))
            await house.put(OWNER)
            await eventually(lambda: home.states[BOOLEAN] == "on")
            for misfortune in misfortunes:
                await _befall(home, misfortune)
            await eventually(lambda: _alike(house, home) and home.states[BOOLEAN] == "on")
            assert len(told.take_now()) == 1

    asyncio.run(tried())
