"""Home Assistant's feed: who is at home, the override's twin, and a Home Assistant that goes, garbles or stalls."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.adapters.home_assistant.api import Endpoint, Lost, Pace
from ocpp_mqtt_proxy.adapters.home_assistant.entities import Entities
from ocpp_mqtt_proxy.adapters.home_assistant.feed import CONCERNS, Feed, Patience
from ocpp_mqtt_proxy.adapters.home_assistant.notices import Notices
from ocpp_mqtt_proxy.adapters.home_assistant.override import Mirror
from ocpp_mqtt_proxy.adapters.home_assistant.presence import NOWHERE, PresenceSensor, presence_of
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_mode, set_presence
from ocpp_mqtt_proxy.core.control import AUTO
from ocpp_mqtt_proxy.core.events import ChargerForgotten, ModeChanged, PresenceChanged
from ocpp_mqtt_proxy.core.model import OWNER
from ocpp_mqtt_proxy.core.sharing import Presence, Rules
from tests.adapters.pretend_home_assistant import TOKEN, PretendHome, eventually, pretend_home
from tests.fakes import NOON, FakeLink, a_charger, a_hub, an_arbitration, providers

HOME, AWAY, UNKNOWN = Presence
PERSON, BOOLEAN = "person.anna", "input_boolean.override"
QUICK = Pace(answer=0.3, ping=0.1)
SOON = Patience(first=0.01, most=0.02, refused=0.02)


# What a state says

SAYS = [
    *((entity, "home", HOME) for entity in (PERSON, "device_tracker.phone", "group.family")),
    *((entity, "not_home", AWAY) for entity in (PERSON, "device_tracker.phone", "group.family")),
    *((entity, "Work", AWAY) for entity in (PERSON, "device_tracker.phone")),
    *((entity, "on", HOME) for entity in ("binary_sensor.anyone", "input_boolean.here", "group.lights")),
    *((entity, "off", AWAY) for entity in ("binary_sensor.anyone", "input_boolean.here", "group.lights")),
    *(("zone.home", state, HOME) for state in ("1", "2", "17", "1.0")),
    *(("zone.home", state, AWAY) for state in ("0", "0.0")),
    *(("zone.home", state, UNKNOWN) for state in ("-1", "nan", "inf", "many")),
    *(("binary_sensor.anyone", state, UNKNOWN) for state in ("maybe", "problem", "unbekannt")),
]


@pytest.mark.parametrize(("entity", "state", "presence"), SAYS)
def test_a_state_says_whether_somebody_is_at_home(entity: str, state: str, presence: Presence) -> None:
    assert presence_of(entity, state) is presence


ENTITIES = st.sampled_from(sorted({entity for entity, _, _ in SAYS}))


@given(entity=ENTITIES, state=st.sampled_from([None, *sorted(NOWHERE), "Unknown", "UNAVAILABLE", " "]))
def test_of_an_entity_that_does_not_know_nobody_can_tell(entity: str, state: str | None) -> None:
    assert presence_of(entity, state) is UNKNOWN


@given(entity=ENTITIES, state=st.text(max_size=20))
def test_whatever_a_state_is_only_what_says_home_is_home(entity: str, state: str) -> None:
    said = state.strip().lower()
    home = said in ("home", "on", "true", "1") or (said.replace(".", "").isdecimal() and float(said) > 0)
    assert (presence_of(entity, state) is HOME) <= home


def test_all_entities_are_told_of_at_first_also_those_that_are_not_there() -> None:
    entities = Entities([PERSON, BOOLEAN])
    assert entities.take({"a": {PERSON: {"s": "home", "a": {}}}}) == {PERSON: "home", BOOLEAN: None}
    assert entities.take({"c": {PERSON: {"+": {"s": "not_home", "lc": 1.0}, "-": {"a": ["x"]}}}}) == {
        PERSON: "not_home"
    }
    assert entities.take({"c": {PERSON: {"+": {"a": {"battery": 3}}}}}) == {}
    assert entities.take({"c": {PERSON: {"-": {"a": ["battery"]}}}}) == {}
    assert entities.take({"r": [PERSON, "sun.sun"]}) == {PERSON: None}
    assert entities.take({"a": {BOOLEAN: {"s": "on"}, "sun.sun": {"s": "up"}}}) == {BOOLEAN: "on"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([PERSON, "+", "s", "x"]), inner),
    max_leaves=8,
)


@given(event=st.dictionaries(st.sampled_from("acrx"), JSON))
def test_an_event_is_read_or_ends_the_conversation(event: dict[str, Any]) -> None:
    with contextlib.suppress(Lost):
        told = Entities([PERSON]).take(event)
        assert set(told) == {PERSON}
        assert told[PERSON] is None or told[PERSON] == event["a"][PERSON]["s"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://ha:8123", "ws://ha:8123/api/websocket"),
        ("http://ha:8123/", "ws://ha:8123/api/websocket"),
        ("https://ha.example", "wss://ha.example/api/websocket"),
        ("http://ha:8123/api/websocket", "ws://ha:8123/api/websocket"),
        ("https://http.example/home", "wss://http.example/home/api/websocket"),
    ],
)
def test_home_assistant_is_found_by_the_address_that_people_know(url: str, expected: str) -> None:
    endpoint = Endpoint.of(url, TOKEN)
    assert endpoint.url == expected
    assert TOKEN not in repr(endpoint)


# The feed


@dataclass
class House:
    """A house with chargers, its arbiter, and the feed."""

    home: PretendHome
    arbitration: Arbitration
    feed: Feed

    @property
    def believed(self) -> Presence | None:
        return self.arbitration.house.presence

    @property
    def modes(self) -> list[str]:
        return [station.control.mode for station in self.arbitration.hub.stations.values()]

    @property
    def switched(self) -> list[str]:
        """What was asked of the boolean."""
        return [service.rpartition("_")[2] for service, _ in self.home.calls if service.startswith("input_boolean.")]

    async def put(self, mode: str, charger: str = "CP1") -> None:
        assert (await set_mode(self.arbitration, charger, mode, "mqtt")).ok

    async def lost(self) -> None:
        await eventually(lambda: self.home.followers == 0)


@contextlib.asynccontextmanager
async def a_house(
    home: PretendHome,
    *chargers: str,
    token: str = TOKEN,
    sensor: str = PERSON,
    boolean: str = BOOLEAN,
    pace: Pace = QUICK,
) -> AsyncIterator[House]:
    """The feed of a house, running."""
    hub = a_hub()
    for charger in chargers:
        a_charger(hub, FakeLink(), charger)
    arbitration = an_arbitration(hub, Rules(providers=providers("night")))
    set_presence(arbitration, UNKNOWN)
    feed = Feed(
        endpoint=Endpoint.of(home.url, token),
        mailbox=hub.bus.mailbox("home assistant", only=CONCERNS),
        notices=Notices(arbitration),
        sensor=PresenceSensor(arbitration, sensor) if sensor else None,
        mirror=Mirror(arbitration, boolean) if boolean else None,
        pace=pace,
        patience=SOON,
    )
    room = asyncio.create_task(feed.run())
    try:
        yield House(home, arbitration, feed)
        assert not room.done(), room.exception()
    finally:
        room.cancel()
        await asyncio.gather(room, return_exceptions=True)


@pytest.fixture
async def home() -> AsyncIterator[PretendHome]:
    async with pretend_home(person__anna="not_home", input_boolean__override="off") as running:
        yield running


@pytest.fixture
async def house(home: PretendHome) -> AsyncIterator[House]:
    async with a_house(home, "CP1", "CP2") as running:
        await eventually(lambda: running.believed is AWAY and home.followers)
        yield running


# Who is at home


async def test_coming_and_going_is_heard_by_one_subscription(house: House, home: PretendHome) -> None:
    await home.put(PERSON, "home")
    await eventually(lambda: house.believed is HOME)
    await home.put(PERSON, "Work")
    await eventually(lambda: house.believed is AWAY)
    assert home.subscribed == [[PERSON, BOOLEAN]]
    assert house.arbitration.presence_by == "home_assistant"


@pytest.mark.parametrize("state", ["unknown", "unavailable"])
async def test_an_entity_that_does_not_know_closes_until_it_does(house: House, home: PretendHome, state: str) -> None:
    await home.put(PERSON, state)
    await eventually(lambda: house.believed is UNKNOWN)
    await home.put(PERSON, "not_home")
    await eventually(lambda: house.believed is AWAY)


async def test_an_entity_that_is_removed_closes_until_it_is_back(house: House, home: PretendHome) -> None:
    await home.remove(PERSON)
    await eventually(lambda: house.believed is UNKNOWN)
    await home.put(PERSON, "home")
    await eventually(lambda: house.believed is HOME)


async def test_an_entity_that_never_was_is_told(home: PretendHome, caplog: pytest.LogCaptureFixture) -> None:
    async with a_house(home, "CP1", sensor="person.nobody") as house:
        await eventually(lambda: "has no person.nobody" in caplog.text)
        assert house.believed is UNKNOWN


async def test_a_home_assistant_that_restarts_is_heard_again(house: House, home: PretendHome) -> None:
    await home.stop()
    await eventually(lambda: house.believed is UNKNOWN)
    await home.start()
    await eventually(lambda: house.believed is AWAY)


STRANGE: list[object] = [{"a": []}, {"c": {PERSON: 7}}, {"r": 1}, {"a": {PERSON: {"s": 1}}}]
GARBAGE: list[str | bytes] = [
    *("", "{", "[]", "null", "7", '"event"', "{}", '{"type": 7}', '{"type": "event", "event": []}', b"\xff\xfe", b"{}"),
    '{"id": "1", "type": "event"}',
    *(json.dumps({"id": 1, "type": "event", "event": event}) for event in STRANGE),
    "[" * 100_000,
    "x" * 2_000_000,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda text: repr(text[:40]))
async def test_one_that_garbles_closes_and_is_called_again(house: House, home: PretendHome, garbage: str) -> None:
    told = house.arbitration.hub.bus.mailbox("test", only=(PresenceChanged,))
    await home.say(garbage)
    await eventually(lambda: len(home.subscribed) == 2 and house.believed is AWAY)
    assert [fact.presence for fact in told.take_now() if isinstance(fact, PresenceChanged)] == [UNKNOWN, AWAY]


async def test_one_that_falls_silent_closes(house: House, home: PretendHome) -> None:
    home.mute = True
    await eventually(lambda: house.believed is UNKNOWN)
    home.mute = False
    await eventually(lambda: house.believed is AWAY)


async def test_one_that_never_asks_for_the_token_is_given_up(
    home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    home.deaf = True
    async with a_house(home, "CP1") as house:
        await eventually(lambda: "Home Assistant at 127.0.0.1 is lost: TimeoutError" in caplog.text)
        assert house.believed is UNKNOWN


async def test_a_token_that_is_not_taken_is_told_once_with_what_to_do(
    home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with a_house(home, "CP1", token="s3cret") as house:
        await eventually(lambda: len(home.tokens) == 3)
        assert house.believed is UNKNOWN
        (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "long-lived access token" in told.getMessage()
    assert "s3cret" not in caplog.text


async def test_one_that_does_not_tell_of_entities_is_as_bad(
    home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    home.denies = "subscribe_entities"
    async with a_house(home, "CP1") as house:
        await eventually(lambda: len(home.tokens) == 2)
        assert house.believed is UNKNOWN
    assert f"it does not tell of {PERSON}, {BOOLEAN}: Unauthorized" in caplog.text


async def test_one_that_speaks_another_language_is_tried_again(
    home: PretendHome, caplog: pytest.LogCaptureFixture
) -> None:
    home.greeting = "hello"
    async with a_house(home, "CP1") as house:
        await eventually(lambda: "is lost: it answers the login with 'hello'" in caplog.text)
        home.greeting = "auth_required"
        await eventually(lambda: house.believed is AWAY)


async def test_what_is_lost_is_told_once(house: House, home: PretendHome, caplog: pytest.LogCaptureFixture) -> None:
    await home.stop()
    await house.lost()
    await eventually(lambda: house.believed is UNKNOWN)
    await home.start()
    await eventually(lambda: house.believed is AWAY)
    assert len([record for record in caplog.records if "is lost" in record.getMessage()]) == 1


# Two feeds


def two_feeds() -> tuple[Arbitration, PresenceSensor]:
    arbitration = an_arbitration(a_hub())
    return arbitration, PresenceSensor(arbitration, PERSON, alone=False)


def test_of_two_feeds_the_last_word_counts() -> None:
    arbitration, sensor = two_feeds()
    sensor.hear("home")
    set_presence(arbitration, AWAY, "mqtt")
    assert arbitration.house.presence is AWAY
    sensor.hear("unavailable")
    assert arbitration.house.presence is UNKNOWN


def test_what_is_heard_again_after_a_loss_is_no_news_where_the_other_spoke() -> None:
    arbitration, sensor = two_feeds()
    sensor.hear("home")
    set_presence(arbitration, AWAY, "mqtt")
    sensor.lost()
    sensor.hear("home")
    assert arbitration.house.presence is AWAY
    sensor.hear("not_home")
    sensor.hear("home")
    assert arbitration.house.presence is HOME


@pytest.mark.parametrize(("alone", "presence"), [(True, HOME), (False, UNKNOWN)])
def test_what_was_told_by_hand_and_is_lost_leaves_the_only_feed(alone: bool, presence: Presence) -> None:
    arbitration, sensor = two_feeds()
    sensor.alone = alone
    sensor.hear("home")
    for told in (AWAY, UNKNOWN):
        set_presence(arbitration, told, "mqtt")
        sensor.mind()
    assert arbitration.house.presence is presence


def test_a_feed_that_is_lost_does_not_speak_for_another_that_is() -> None:
    arbitration, sensor = two_feeds()
    sensor.alone = True
    sensor.hear("home")
    sensor.lost()
    set_presence(arbitration, AWAY, "mqtt")
    set_presence(arbitration, UNKNOWN, "mqtt")
    sensor.mind()
    assert arbitration.house.presence is UNKNOWN


# The override and its boolean


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


def test_the_next_try_waits_twice_as_long_up_to_half_a_minute() -> None:
    waits = list(itertools.accumulate(range(7), lambda waited, _: Patience().after(waited)))
    assert waits[1:] == [1, 2, 4, 8, 16, 30]


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
