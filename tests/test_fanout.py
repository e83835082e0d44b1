"""Who hears of what, and how tags look to each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ocpp_mqtt_proxy.backends.desk import Backend
from ocpp_mqtt_proxy.backends.fanout import Event, Fanout
from ocpp_mqtt_proxy.backends.subscription import KINDS, Subscription
from ocpp_mqtt_proxy.bus import Mailbox
from ocpp_mqtt_proxy.core.events import (
    AuthorizationAsked,
    CardDecided,
    Fact,
    HeartbeatHeard,
    LimitsChanged,
    NoticeHeard,
    SessionStarted,
)
from ocpp_mqtt_proxy.core.model import Verdict
from ocpp_mqtt_proxy.core.parts import Part
from ocpp_mqtt_proxy.core.session import Session
from ocpp_mqtt_proxy.framing import text_frame
from tests.fakes import NOON


@dataclass(eq=False)
class Ear:
    """A reader that keeps what it is offered, and how much that was when it was written to.

    One that is `weak` leaves at its first event, as who is too slow does.
    """

    backend: Backend
    fanout: Fanout
    weak: bool = False
    events: list[Event] = field(default_factory=list)
    flushed: list[int] = field(default_factory=list)

    def offer(self, event: Event) -> None:
        self.events.append(event)
        if self.weak:
            self.fanout.leave(self)

    def flush(self) -> None:
        self.flushed.append(len(self.events))

    def last(self) -> dict[str, Any]:
        return dict(json.loads(self.events[-1].body))


def ears(*providers: str, kinds: frozenset[str] = KINDS) -> tuple[Fanout, list[Ear]]:
    fanout = Fanout(Mailbox("backends", 100))
    listening = [Ear(Backend(provider, Subscription(kinds, begun=True)), fanout) for provider in providers]
    for ear in listening:
        fanout.join(ear)
    return fanout, listening


def tell(fanout: Fanout, *facts: Fact) -> int:
    """Hand facts on; in how many steps."""
    return sum(1 for _ in fanout.hand_on(list(facts)))


def heartbeats(number: int) -> list[HeartbeatHeard]:
    return [HeartbeatHeard(charger="CP1", at=NOON, seq=seq) for seq in range(number)]


def test_an_event_is_encoded_once_for_all_who_see_the_same_of_it() -> None:
    fanout, (one, two, mine) = ears("a", "b", "energy")
    session = Session("s1", "CP1", 1, "7", NOON, "04A1B2C3", parts=[Part("energy", NOON)])
    tell(fanout, SessionStarted(charger="CP1", at=NOON, session=session))
    assert one.events[0] is two.events[0]
    assert one.events[0] is not mine.events[0]
    assert (one.last()["id_tag"], mine.last()["id_tag"]) == ("***C3", "04A1B2C3")


def test_its_frame_is_the_event_that_says_so_itself() -> None:
    event = Event(heartbeats(1)[0], show_tags=False)
    document = {"type": "event", **json.loads(event.body)}
    assert event.frame == text_frame(json.dumps(document, separators=(",", ":")).encode())
    assert event.frame is event.frame


def test_who_decided_on_a_card_sees_it() -> None:
    fanout, (asked, other) = ears("energy", "fleet")
    tell(fanout, CardDecided(charger="CP1", at=NOON, id_tag="04A1B2C3", verdict=Verdict.ACCEPTED, by="energy"))
    assert (asked.last()["id_tag"], other.last()["id_tag"]) == ("04A1B2C3", "***C3")


def test_tags_deep_in_a_message_are_seen_by_nobody() -> None:
    fanout, (one,) = ears("energy")
    tell(fanout, NoticeHeard(charger="CP1", at=NOON, action="X", payload={"idToken": {"idToken": "04A1B2C3"}}))
    assert one.last()["payload"] == {"idToken": {"idToken": "***C3"}}


def question(provider: str) -> AuthorizationAsked:
    until = NOON + timedelta(seconds=3)
    return AuthorizationAsked(
        charger="CP1", at=NOON, provider=provider, request_id="q1", id_tag="04A1B2C3", until=until
    )


def test_of_a_card_only_the_one_who_is_asked_hears_whatever_kinds_it_named() -> None:
    fanout, (asked, other) = ears("energy", "fleet", kinds=frozenset({"status"}))
    tell(fanout, question("energy"))
    assert (asked.last()["id_tag"], asked.last()["request_id"]) == ("04A1B2C3", "q1")
    assert other.events == []


def test_who_listens_to_nothing_is_not_asked_either() -> None:
    fanout, (asked,) = ears("energy", kinds=frozenset())
    tell(fanout, question("energy"))
    assert asked.events == []


def test_what_is_no_event_is_told_to_nobody() -> None:
    fanout, (one,) = ears("energy")
    tell(fanout, LimitsChanged(charger="CP1", at=NOON))
    assert one.events == []


def test_who_left_hears_nothing_more() -> None:
    fanout, (one, two) = ears("a", "b")
    fanout.leave(one)
    tell(fanout, *heartbeats(1))
    assert (len(one.events), len(two.events)) == (0, 1)


def test_a_reader_that_leaves_while_it_is_told_is_not_written_to() -> None:
    fanout, (one, two) = ears("a", "b")
    one.weak = True
    tell(fanout, *heartbeats(2))
    assert (one.flushed, two.flushed) == ([], [2])


def test_the_chargers_have_their_turn_between_few_readers_each() -> None:
    fanout, listening = ears(*(f"b{number}" for number in range(100)))
    steps = tell(fanout, *heartbeats(10))
    assert steps >= 10 + 100 // 4
    assert all(ear.flushed == [10] for ear in listening)


def test_a_burst_is_written_before_all_of_it_is_left() -> None:
    fanout, (one,) = ears("a")
    tell(fanout, *heartbeats(200))
    assert one.flushed == [64, 128, 192, 200]
