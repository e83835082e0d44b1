"""Who is at home, told by MQTT: every spelling of the contract, and nobody can tell where it is none."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.mqtt.feeds import LONGEST
from ocpp_mqtt_proxy.adapters.mqtt.presence import KEYS, PresenceFeed, read
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.arbitration import Arbitration
from ocpp_mqtt_proxy.arbitration.owner import set_presence
from ocpp_mqtt_proxy.core.sharing import Presence
from ocpp_mqtt_proxy.topics import Topics
from tests.fakes import a_hub, an_arbitration

HOME, AWAY, UNKNOWN = Presence
WORDS = {
    **dict.fromkeys(("on", "home", "true", "1"), HOME),
    **dict.fromkeys(("off", "not_home", "away", "false", "0"), AWAY),
}


# What a message says


def in_any_case(word: str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.sampled_from(sorted({c.lower(), c.upper()})) for c in word)).map("".join)


def spelled(word: str) -> st.SearchStrategy[bytes]:
    """A word as it may come: in any case, with blanks around it, as JSON, in a JSON object."""
    plain = in_any_case(word)
    blanks = st.sampled_from(["", " ", "\n", "\r\n", "\t"])
    padded = st.tuples(blanks, plain, blanks).map("".join)
    quoted = plain.map(json.dumps)
    inside = st.tuples(st.sampled_from(KEYS), plain).map(lambda pair: json.dumps({pair[0]: pair[1], "battery": 90}))
    return st.one_of(padded, quoted, inside).map(str.encode)


@pytest.mark.parametrize("word", WORDS)
@given(data=st.data())
def test_every_spelling_of_the_contract_is_read(word: str, data: st.DataObject) -> None:
    assert read(data.draw(spelled(word))) is WORDS[word]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("value", "presence"), [(True, HOME), (False, AWAY), (1, HOME), (0, AWAY), (None, UNKNOWN)])
def test_json_tells_it_in_its_own_types(key: str, value: object, presence: Presence) -> None:
    assert read(json.dumps({key: value}).encode()) is presence


NONSENSE = [
    *(b"", b" ", b"unknown", b"unavailable", b"None", b"null", b"maybe", b"homeless", b"2", b"-1", b"1 0", b"on off"),
    *(b"\xff\xfe", b"\x00", b"{", b"[]", b'["home"]', b"{}", b'{"home": true}', b'{"state": {"state": "home"}}'),
    *(b"home" + b" " * LONGEST, b"[" * 10_000),
]


@pytest.mark.parametrize("payload", NONSENSE)
def test_of_nonsense_nobody_can_tell(payload: bytes) -> None:
    assert read(payload) is UNKNOWN


@given(payload=st.binary(max_size=50))
def test_whatever_comes_is_read_as_something(payload: bytes) -> None:
    known = payload.decode("utf-8", "replace").strip().strip('"').lower() in WORDS
    assert (read(payload) is UNKNOWN) or known


# The feed


@dataclass
class House:
    """A feed, and what the arbiter believes."""

    topic: str = "house/who"
    alone: bool = True
    arbitration: Arbitration = field(default_factory=lambda: an_arbitration(a_hub()))

    def __post_init__(self) -> None:
        self.feed = PresenceFeed(self.arbitration, Topics(), self.topic, alone=self.alone)

    def hear(self, topic: str, payload: str, *, retained: bool = False) -> None:
        self.feed.take(Incoming(topic, payload.encode(), retained))

    @property
    def believed(self) -> Presence | None:
        return self.arbitration.house.presence


OURS = "ocpp/presence/set"


@pytest.mark.parametrize("retained", [True, False])
@pytest.mark.parametrize("topic", ["house/who", OURS])
def test_a_feed_is_believed_retained_or_not(topic: str, retained: bool) -> None:
    house = House(topic="" if topic == OURS else topic)
    house.hear(topic, "home", retained=retained)
    assert house.believed is HOME


def test_the_last_word_counts() -> None:
    house = House()
    for topic, word in itertools.product(("house/who", OURS), ("home", "away")):
        house.hear(topic, word)
        assert house.believed == word


@pytest.mark.parametrize("house", [House(), House(topic="", alone=False)])
def test_what_lay_on_our_topic_is_no_news_where_a_feed_is_configured(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.hear(OURS, "away", retained=True)
    assert house.believed is None
    assert OURS in caplog.text


def test_our_topic_may_be_the_feed_that_is_configured() -> None:
    house = House(topic=OURS)
    assert list(house.feed.subscriptions()) == [OURS]
    house.hear(OURS, "away", retained=True)
    assert house.believed is AWAY


def test_other_topics_say_nothing() -> None:
    house = House()
    for topic in ("house/who/else", "ocpp/presence", "ocpp/charger/CP1/mode/set"):
        house.hear(topic, "home")
    assert house.believed is None


@pytest.mark.parametrize("payload", ["", "nonsense"])
def test_a_feed_that_says_neither_makes_it_unknown(payload: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    house = House()
    house.hear("house/who", "away")
    house.hear("house/who", payload)
    assert house.believed is UNKNOWN
    assert ("house/who" in caplog.text) == bool(payload)


# A broker that is lost


def spoken(house: House, topics: Iterable[str]) -> House:
    for topic in topics:
        house.hear(topic, "away")
    return house


@pytest.mark.parametrize("topics", [[], ["house/who"], [OURS]])
def test_where_the_broker_is_lost_nobody_can_tell(topics: list[str]) -> None:
    house = spoken(House(), topics)
    house.feed.lost()
    assert house.believed is UNKNOWN


def test_whoever_spoke_on_our_topic_alone_is_lost_with_the_broker() -> None:
    house = spoken(House(topic=""), [OURS])
    house.feed.lost()
    assert house.believed is UNKNOWN


def test_where_no_feed_ever_spoke_there_is_none_to_lose() -> None:
    house = House(topic="")
    house.feed.lost()
    assert house.believed is None


def test_another_feed_is_not_lost_with_the_broker() -> None:
    house = House(topic="", alone=False)
    set_presence(house.arbitration, AWAY, "home_assistant")
    house.feed.lost()
    assert house.believed is AWAY
