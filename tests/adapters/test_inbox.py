"""The owner's commands from MQTT: every request has one answer, whatever it is like, and settings obey."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.adapters.mqtt.asking import MAX_PAYLOAD, MAX_RUNNING
from ocpp_mqtt_proxy.adapters.mqtt.inbox import BridgeVerb, Inbox
from ocpp_mqtt_proxy.adapters.mqtt.session import Incoming
from ocpp_mqtt_proxy.core import commands
from ocpp_mqtt_proxy.core.commands import Order, Outcome, Reason, done, failed, refused
from ocpp_mqtt_proxy.core.events import ModeChanged
from ocpp_mqtt_proxy.core.limit_orders import SetLimit
from ocpp_mqtt_proxy.core.model import Amps
from ocpp_mqtt_proxy.core.sharing import Rules
from ocpp_mqtt_proxy.hub import Hub
from ocpp_mqtt_proxy.requests import REQUESTS
from ocpp_mqtt_proxy.topics import Topics, slug
from tests.adapters.chargers_of_all_kinds import charging
from tests.busy import BusyLink
from tests.fakes import FakeLink, FakeMemory, a_charger, a_hub, an_arbitration, providers

Json = dict[str, Any]


@dataclass
class Answer:
    topic: str
    document: Json
    correlation: bytes | None


@dataclass
class Desk:
    """An inbox for a charger CP1, and what it answered. The charger may take its time."""

    hub: Hub = field(default_factory=a_hub)
    link: FakeLink = field(default_factory=FakeLink)
    answers: list[Answer] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    memory: FakeMemory = field(default_factory=FakeMemory)
    inbox: Inbox = field(init=False)

    def __post_init__(self) -> None:
        a_charger(self.hub, self.link)
        rules = Rules(providers=providers("night"), override_stops=True)
        self.arbitration = an_arbitration(self.hub, rules, self.memory)
        verbs: dict[str, BridgeVerb] = {"refresh": self._refresh, "break": self._break}
        self.inbox = Inbox(Topics(), self.arbitration, self, "homeassistant", verbs)

    def answer(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        self.answers.append(Answer(topic, json.loads(payload), correlation))
        self.news.set()

    async def _refresh(self, _: dict[str, object]) -> Outcome:
        return done()

    async def _break(self, _: dict[str, object]) -> Outcome:
        raise ZeroDivisionError

    async def send(self, topic: str, payload: bytes | Json | str = b"{}", **more: Any) -> list[Answer]:
        """Send a message; the answers to it."""
        before = len(self.answers)
        raw = json.dumps(payload).encode() if isinstance(payload, dict) else payload
        raw = raw.encode() if isinstance(raw, str) else raw
        self.inbox.take(Incoming(f"ocpp/{topic}", raw, more.pop("retained", False), **more))
        await self.done()
        return self.answers[before:]

    async def done(self) -> None:
        await asyncio.gather(*self.inbox.clerk.running, *self.inbox.at_once.running)

    async def ask(self, topic: str, payload: bytes | Json | str = b"{}", **more: Any) -> Json:
        """Send a message that has one answer; the answer."""
        (answer,) = await self.send(topic, payload, **more)
        return answer.document


@pytest.fixture
def desk() -> Desk:
    return Desk()


# Requests


async def test_a_request_is_answered_once_the_charger_has_answered(desk: Desk) -> None:
    (answer,) = await desk.send("charger/CP1/request/unlock", {"id": 7})
    assert answer.topic == "ocpp/charger/CP1/response/unlock"
    assert answer.document == {
        "id": 7, "status": "ok", "reason": None, "message": "", "result": {"charger_status": "Accepted"},
    }  # fmt: skip
    assert isinstance(desk.link.asked[0], commands.Unlock)


@pytest.mark.parametrize("verb", REQUESTS)
async def test_every_verb_is_answered_on_its_own_topic(desk: Desk, verb: str) -> None:
    (answer,) = await desk.send(f"charger/CP1/request/{verb}")
    assert answer.topic == f"ocpp/charger/CP1/response/{verb}"
    assert answer.document["status"] in ("ok", "refused", "error")


OUTCOMES = {
    "ok": done(),
    "refused": refused(Reason.CHARGER_REJECTED, "no"),
    "error": failed(Reason.TIMEOUT, "silence"),
}


@pytest.mark.parametrize("status", OUTCOMES)
async def test_the_answer_says_what_became_of_it(desk: Desk, status: str) -> None:
    desk.link.answer = lambda _: OUTCOMES[status]
    answer = await desk.ask("charger/CP1/request/reset")
    assert (answer["status"], answer["reason"]) == (status, OUTCOMES[status].reason)


NOT_UNDERSTOOD: dict[str, tuple[str, bytes]] = {
    "an unknown verb": ("charger/CP1/request/dance", b"{}"),
    "an unknown verb of the bridge": ("bridge/request/dance", b"{}"),
    "no JSON": ("charger/CP1/request/reset", b"soft"),
    "no object": ("charger/CP1/request/reset", b'["soft"]'),
    "no UTF-8": ("charger/CP1/request/reset", b"\xff\xfe{}"),
    "a byte order mark": ("charger/CP1/request/reset", b"\xef\xbb\xbf{}"),
    "blanks": ("charger/CP1/request/reset", b"  "),
    "half a character": ("charger/CP1/request/reset", b'{"id": "\\ud800"}'),
    "too deep": ("charger/CP1/request/reset", b'{"id":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "too long": ("charger/CP1/request/reset", b'{"id": "' + b"x" * MAX_PAYLOAD + b'"}'),
    "an id that is no word": ("charger/CP1/request/reset", b'{"id": {"a": 1}}'),
    "an unknown field": ("charger/CP1/request/reset", b'{"hard": true}'),
    "a value of another kind": ("charger/CP1/request/limit", b'{"amps": "many"}'),
    "no number at all": ("charger/CP1/request/limit", b'{"amps": NaN}'),
}


@pytest.mark.parametrize("what", NOT_UNDERSTOOD)
async def test_what_cannot_be_understood_is_an_error(desk: Desk, what: str) -> None:
    answer = await desk.ask(*NOT_UNDERSTOOD[what])
    assert (answer["status"], answer["reason"]) == ("error", "invalid")
    assert answer["message"]
    assert desk.link.asked == []


async def test_an_answer_says_what_is_allowed(desk: Desk) -> None:
    answer = await desk.ask("charger/CP1/request/dance", {"id": "x"})
    assert answer["id"] == "x"
    assert all(verb in answer["message"] for verb in REQUESTS)


REFUSED = {
    "unknown_charger": ("charger/CP9/request/reset", {}),
    "unknown_connector": ("charger/CP1/request/unlock", {"connector": 9}),
    "invalid": ("charger/CP1/request/limit", {"amps": 33}),
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_what_the_rules_forbid_is_refused(desk: Desk, reason: str) -> None:
    answer = await desk.ask(*REFUSED[reason])
    assert (answer["status"], answer["reason"]) == ("refused", reason)


async def test_a_charger_that_is_offline_is_refused(desk: Desk) -> None:
    desk.hub.disconnect("CP1", desk.link, "gone")
    answer = await desk.ask("charger/CP1/request/reset")
    assert (answer["status"], answer["reason"]) == ("refused", "charger_offline")


async def test_a_retained_request_is_refused_and_not_done(desk: Desk) -> None:
    answer = await desk.ask("charger/CP1/request/stop", {"id": 1}, retained=True)
    assert (answer["status"], answer["reason"]) == ("refused", "retained")
    assert desk.link.asked == []


@pytest.mark.parametrize("topic", ["charger/CP1/request/stop", "bridge/request/refresh", "charger/CP1/available/set"])
async def test_an_empty_payload_is_no_message(desk: Desk, topic: str) -> None:
    assert await desk.send(topic, b"") == []


@pytest.mark.parametrize("topic", ["x", "charger/CP1/info", "charger/CP1/request", "service/s/state", "bridge/state"])
async def test_what_is_no_command_is_nothing_to_answer(desk: Desk, topic: str) -> None:
    assert await desk.send(topic) == []


async def test_other_trees_are_other_peoples(desk: Desk) -> None:
    desk.inbox.take(Incoming("ocpp2/bridge/request/refresh", b"{}", retained=False))
    assert desk.answers == []


async def test_a_charger_is_found_by_its_id_in_topics() -> None:
    desk = Desk()
    a_charger(desk.hub, desk.link, "Büro 2")
    assert (await desk.ask(f"charger/{slug('Büro 2')}/request/reset"))["status"] == "ok"


async def test_the_bridge_has_verbs_of_its_own(desk: Desk) -> None:
    (answer,) = await desk.send("bridge/request/refresh", {"id": "a"})
    assert answer.topic == "ocpp/bridge/response/refresh"
    assert (answer.document["id"], answer.document["status"]) == ("a", "ok")


async def test_a_fault_of_ours_costs_nobody_the_answer(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    answer = await desk.ask("bridge/request/break", {"id": 1})
    assert (answer["id"], answer["status"]) == (1, "error")
    assert "ZeroDivisionError" in caplog.text


async def test_what_a_charger_answers_may_be_too_deep_for_us(desk: Desk) -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    desk.link.answer = lambda _: done(payload=deep)
    answer = await desk.ask("charger/CP1/request/call", {"id": 1, "ocpp_action": "DataTransfer"})
    assert (answer["id"], answer["status"], answer["result"]) == (1, "ok", {})


async def test_a_flood_is_bounded_and_answered() -> None:
    link = BusyLink()
    desk = Desk(link=link)
    for number in range(3 * MAX_RUNNING):
        payload = json.dumps({"id": number}).encode()
        desk.inbox.take(Incoming("ocpp/charger/CP1/request/reset", payload, retained=False))
    early = {answer.document["id"]: answer.document["reason"] for answer in desk.answers}
    assert early == dict.fromkeys(range(MAX_RUNNING, 3 * MAX_RUNNING), "rate_limited")
    link.free.set()
    await desk.done()
    assert sorted(answer.document["id"] for answer in desk.answers) == [*range(3 * MAX_RUNNING)]


async def test_a_slow_charger_holds_up_nobody_else() -> None:
    link = BusyLink()
    desk = Desk(link=link)
    a_charger(desk.hub, FakeLink(), "CP2")
    desk.inbox.take(Incoming("ocpp/charger/CP1/request/reset", b"{}", retained=False))
    desk.inbox.take(Incoming("ocpp/charger/CP2/request/reset", b"{}", retained=False))
    await desk.news.wait()
    assert [answer.topic for answer in desk.answers] == ["ocpp/charger/CP2/response/reset"]
    link.free.set()
    await desk.done()


# Anything at all

WORDS = st.sampled_from(
    ["bridge", "charger", "CP1", "CP9", "connector", "request", "response", "set", "charging", "1", "²", "", "#", "x"]
)
VERBS = st.sampled_from([*REQUESTS, "refresh", "dance", ""])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
PAYLOADS = st.binary(max_size=40) | DOCUMENTS


@given(place=st.sampled_from(["bridge", "charger/CP1", "charger/CP9"]), verb=VERBS, payload=PAYLOADS.filter(bool))
def test_every_request_has_exactly_one_answer(place: str, verb: str, payload: bytes) -> None:
    async def judge() -> None:
        (answer,) = await Desk().send(f"{place}/request/{verb}", payload)
        assert answer.document.keys() == {"id", "status", "reason", "message", "result"}
        assert answer.document["status"] in ("ok", "refused", "error")

    asyncio.run(judge())


@given(path=st.lists(WORDS, max_size=6).map("/".join), payload=PAYLOADS, retained=st.booleans())
def test_nothing_that_arrives_does_harm(path: str, payload: bytes, retained: bool) -> None:
    async def judge() -> None:
        assert len(await Desk().send(path, payload, retained=retained)) <= 1

    asyncio.run(judge())


# Where the answer goes


async def test_an_answer_goes_where_the_asker_wants_it(desk: Desk) -> None:
    (answer,) = await desk.send("charger/CP1/request/reset", response_topic="me/answers", correlation=b"\x00\xff")
    assert (answer.topic, answer.correlation) == ("me/answers", b"\x00\xff")


async def test_correlation_data_comes_back_without_a_response_topic_too(desk: Desk) -> None:
    (answer,) = await desk.send("charger/CP1/request/reset", correlation=b"7")
    assert (answer.topic, answer.correlation) == ("ocpp/charger/CP1/response/reset", b"7")


OURS = [
    "ocpp/bridge/state",
    "ocpp/charger/CP1/availability",
    "ocpp/charger/CP1/current_limit/set",
    "ocpp/charger/CP1/request/stop",
    "ocpp/charger/response/request/stop",
    "ocpp/charger/response/current_limit/set",
    "homeassistant/device/ocppproxy_x/config",
    "$SYS/broker",
    "a/+/b",
    "a/#",
    "",
    "a\x00b",
    "a\nb",
]


@pytest.mark.parametrize("topic", OURS)
async def test_an_asker_cannot_make_us_write_where_we_must_not(desk: Desk, topic: str) -> None:
    (answer,) = await desk.send("charger/CP1/request/reset", response_topic=topic)
    assert answer.topic == "ocpp/charger/CP1/response/reset"


THEIRS = [
    "me/answers",
    "ocpp/charger/CP1/response/mine",
    "ocpp/backend/b1/response/x/y",
    "ocpp/bridge/response/z",
    "ocpp2/x",
]


@pytest.mark.parametrize("topic", THEIRS)
async def test_any_other_topic_is_the_askers_own(desk: Desk, topic: str) -> None:
    (answer,) = await desk.send("charger/CP1/request/reset", response_topic=topic)
    assert answer.topic == topic


# Settings


def last(desk: Desk) -> Order:
    return desk.link.asked[-1]


async def test_the_current_limit_is_set(desk: Desk) -> None:
    answer = await desk.ask("charger/CP1/current_limit/set", "10.0")
    assert answer["status"] == "ok"
    order = last(desk)
    assert isinstance(order, SetLimit)
    assert order.limit == Amps(10)
    assert desk.hub.station("CP1").limit == Amps(10)


@pytest.mark.parametrize(("word", "operative"), [("ON", True), ("OFF", False), (" off\n", False)])
async def test_the_charger_goes_into_and_out_of_service(desk: Desk, word: str, operative: bool) -> None:
    await desk.ask("charger/CP1/available/set", word)
    order = last(desk)
    assert isinstance(order, commands.ChangeAvailability)
    assert order.operative == operative


async def test_charging_is_switched_on(desk: Desk) -> None:
    await desk.ask("charger/CP1/connector/1/charging/set", "ON")
    assert isinstance(last(desk), commands.StartCharging)


async def test_charging_is_switched_off() -> None:
    desk = Desk()
    charging(desk.hub, "CP2")
    (answer,) = await desk.send("charger/CP2/connector/1/charging/set", "OFF")
    assert answer.topic == "ocpp/charger/CP2/response/charging"
    assert answer.document["status"] == "ok"


async def test_a_retained_setting_is_ignored_and_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    assert await desk.send("charger/CP1/available/set", "OFF", retained=True) == []
    assert desk.link.asked == []
    assert "ocpp/charger/CP1/available/set" in caplog.text


WRONG_SETTINGS = {
    "no switch": ("charger/CP1/available", b"maybe"),
    "no UTF-8": ("charger/CP1/connector/1/charging", b"\xff"),
    "no current": ("charger/CP1/current_limit", b"much"),
    "less than nothing": ("charger/CP1/current_limit", b"-1"),
    "infinite": ("charger/CP1/current_limit", b"inf"),
    "no number": ("charger/CP1/current_limit", b"nan"),
    "huge": ("charger/CP1/current_limit", b"9" * 1_000_000),
    "not a setting": ("charger/CP1/status", b"ON"),
    "not a setting of a connector": ("charger/CP1/connector/1/available", b"ON"),
    "no connector": ("charger/CP1/connector/first/charging", b"ON"),
    "a number that is none": ("charger/CP1/connector/²/charging", b"ON"),
    "a number too long": (f"charger/CP1/connector/{'9' * 5000}/charging", b"ON"),
}


@pytest.mark.parametrize("what", WRONG_SETTINGS)
async def test_a_setting_that_cannot_be_understood_is_an_error(desk: Desk, what: str) -> None:
    topic, payload = WRONG_SETTINGS[what]
    answer = await desk.ask(f"{topic}/set", payload)
    assert (answer["status"], answer["reason"]) == ("error", "invalid")
    assert desk.link.asked == []


async def test_a_refused_setting_is_logged_and_changes_nothing(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.link.answer = lambda _: refused(Reason.CHARGER_REJECTED, "no")
    answer = await desk.ask("charger/CP1/current_limit/set", "10")
    assert answer["status"] == "refused"
    assert desk.hub.station("CP1").limit == Amps(32)
    assert "charger_rejected" in caplog.text


# Who controls


def mode(desk: Desk) -> str:
    return desk.hub.station("CP1").control.mode


SAID = {
    "override": {"ON": "owner", "OFF": "auto", " on\n": "owner"},
    "mode": {"auto": "auto", "owner": "owner", "night": "night"},
}


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, words in SAID.items() for word in words])
async def test_the_owner_says_who_is_in_charge(desk: Desk, name: str, word: str) -> None:
    answer = await desk.ask(f"charger/CP1/{name}/set", word)
    assert answer["status"] == "ok"
    assert mode(desk) == SAID[name][word]


async def test_switching_the_override_off_takes_a_provider_out_of_charge(desk: Desk) -> None:
    await desk.ask("charger/CP1/mode/set", "night")
    await desk.ask("charger/CP1/override/set", "OFF")
    assert mode(desk) == "auto"


async def test_who_takes_control_is_told(desk: Desk) -> None:
    facts = desk.hub.bus.mailbox("facts")
    await desk.ask("charger/CP1/override/set", "ON")
    assert [fact.by for fact in facts.take_now() if isinstance(fact, ModeChanged)] == ["mqtt"]


NOT_SAID = {
    "a provider that nobody knows": ("charger/CP1/mode", "stranger", "not_allowed"),
    "an id that nobody may have": ("charger/CP1/mode", "none", "invalid"),
    "no id": ("charger/CP1/mode", "a b", "invalid"),
    "no switch": ("charger/CP1/override", "maybe", "invalid"),
    "a charger that nobody knows": ("charger/CP9/override", "ON", "unknown_charger"),
    "a switch of nobody": ("backend/stranger/enabled", "OFF", "not_allowed"),
    "no switch of a provider": ("backend/night/enabled", "perhaps", "invalid"),
    "what cannot be set": ("backend/night/state", "ON", "invalid"),
}


@pytest.mark.parametrize("what", NOT_SAID)
async def test_what_cannot_be_is_refused_logged_and_changes_nothing(
    desk: Desk, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic, word, reason = NOT_SAID[what]
    answer = await desk.ask(f"{topic}/set", word)
    assert answer["reason"] == reason
    assert (mode(desk), desk.arbitration.house.disabled) == ("auto", set())
    assert reason in caplog.text


@pytest.mark.parametrize("topic", ["charger/CP1/override", "charger/CP1/mode", "backend/night/enabled"])
async def test_what_was_said_long_ago_is_not_said_again(
    desk: Desk, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await desk.send(f"{topic}/set", "ON" if "mode" not in topic else "owner", retained=True) == []
    assert mode(desk) == "auto"
    assert topic in caplog.text


async def test_a_provider_is_switched_off_and_on(desk: Desk) -> None:
    for word, disabled in {"OFF": {"night"}, "ON": set[str]()}.items():
        assert (await desk.ask("backend/night/enabled/set", word))["status"] == "ok"
        assert desk.arbitration.house.disabled == disabled


async def test_a_provider_is_found_by_its_id_in_topics() -> None:
    desk = Desk()
    desk.arbitration.rules = Rules(providers=providers("a--b"))
    assert (await desk.ask(f"backend/{slug('a--b')}/enabled/set", "OFF"))["status"] == "ok"
    assert desk.arbitration.house.disabled == {"a--b"}


async def test_a_disk_that_fails_is_told_and_the_switch_holds(desk: Desk) -> None:
    desk.memory.broken = True
    assert (await desk.ask("backend/night/enabled/set", "OFF"))["status"] == "error"
    assert desk.arbitration.house.disabled == {"night"}


async def test_the_owner_takes_control_however_many_commands_wait_for_the_charger() -> None:
    link = BusyLink()
    desk = Desk(link=link)
    for _ in range(MAX_RUNNING):
        desk.inbox.take(Incoming("ocpp/charger/CP1/request/reset", b"{}", retained=False))
    desk.inbox.take(Incoming("ocpp/charger/CP1/override/set", b"ON", retained=False))
    await desk.news.wait()
    assert mode(desk) == "owner"
    assert [answer.topic for answer in desk.answers] == ["ocpp/charger/CP1/response/override"]
    link.free.set()
    await desk.done()


async def test_the_owner_takes_control_before_a_session_is_stopped_for_it() -> None:
    """`on_override: stop`: a charger that answers late, or never, holds up no switch."""
    link = BusyLink()
    desk = Desk(link=link)
    station = charging(desk.hub, "CP2")
    (session,) = station.sessions()
    session.hand_over("night", desk.hub.clock.now(), station.plan.prices)
    station.book.add(session)
    desk.hub.links["CP2"] = link
    facts = desk.hub.bus.mailbox("facts")
    desk.inbox.take(Incoming("ocpp/charger/CP2/override/set", b"ON", retained=False))
    assert isinstance((await facts.take())[0], ModeChanged)
    assert (station.control.mode, desk.answers) == ("owner", [])
    link.free.set()
    await desk.done()
    assert isinstance(last(desk), commands.StopCharging)
