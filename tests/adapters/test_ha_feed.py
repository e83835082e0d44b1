"""Home Assistant's feed: who is at home, the override's twin, and a Home Assistant that goes, garbles or stalls."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.home_assistant.api import Endpoint, Lost
from ocpp_mqtt_proxy.adapters.home_assistant.entities import Entities
from ocpp_mqtt_proxy.adapters.home_assistant.feed import Patience
from ocpp_mqtt_proxy.adapters.home_assistant.presence import NOWHERE, PresenceSensor, presence_of
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_presence
from ocpp_mqtt_proxy.core.events import PresenceChanged
from ocpp_mqtt_proxy.core.sharing import Presence
from tests.adapters.ha_house import BOOLEAN, PERSON, House, a_house
from tests.adapters.pretend_home_assistant import TOKEN, PretendHome, eventually
from tests.fakes import a_hub, an_arbitration

HOME, AWAY, UNKNOWN = Presence


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


def test_the_next_try_waits_twice_as_long_up_to_half_a_minute() -> None:
    waits = list(itertools.accumulate(range(7), lambda waited, _: Patience().after(waited)))
    assert waits[1:] == [1, 2, 4, 8, 16, 30]


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
