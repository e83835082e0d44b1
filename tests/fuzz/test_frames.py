"""Whatever a charger sends: one answer to each call, nothing in the log that tells of a fault, and books that hold."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.requests import REQUESTS
from tests.fuzz.house import House
from tests.fuzz.inputs import read, seeds
from tests.fuzz.mutations import ASKED, TIMES, Step, a_batch, a_frame, frames
from tests.ocppj.rows import CALL

VERSIONS = st.sampled_from(list(DIALECTS))
CHANCE = st.randoms(use_true_random=False)
RAW = st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TIMES),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
IDS = st.text(max_size=40) | st.integers() | JSON


def of_house(version: Version, *batches: list[Step]) -> None:
    """Let it all happen in a house of its own, which judges."""

    async def happen() -> None:
        async with House(version) as house:
            for batch in batches:
                await house.say(*batch)

    asyncio.run(happen())


def actions(version: Version) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(DIALECTS[version].hear)) | st.text(max_size=20)


@settings(max_examples=60)
@given(VERSIONS, st.lists(RAW, max_size=5))
def test_bytes_of_any_kind_break_nothing(version: Version, messages: list[bytes]) -> None:
    of_house(version, list(messages))


@settings(max_examples=60)
@given(st.data(), VERSIONS)
def test_calls_with_any_payload_are_each_answered_once(data: st.DataObject, version: Version) -> None:
    action = data.draw(actions(version))
    frame = [CALL, data.draw(IDS), action, data.draw(st.dictionaries(st.text(max_size=10), JSON) | JSON)]
    of_house(version, [json.dumps(frame)])


@settings(max_examples=60)
@given(VERSIONS, st.lists(JSON, max_size=5))
def test_json_of_any_kind_breaks_nothing(version: Version, parts: list[Any]) -> None:
    of_house(version, [json.dumps(parts)], [json.dumps([2, *parts]), json.dumps([3, *parts]), json.dumps([6, *parts])])


@settings(max_examples=100)
@given(CHANCE, VERSIONS, st.integers(1, 10))
def test_frames_of_the_corpus_made_strange_break_nothing(chance: Random, version: Version, count: int) -> None:
    of_house(version, [a_frame(chance, version) for _ in range(count)])


@pytest.mark.parametrize("version", DIALECTS)
def test_every_frame_of_the_corpus_that_is_cut_anywhere_breaks_nothing(version: Version) -> None:
    chance = Random(7)
    for frame in frames(version):
        of_house(version, [frame[: chance.randrange(len(frame))] for _ in range(4)])


@pytest.mark.parametrize("version", DIALECTS)
def test_five_hundred_things_that_happen_one_after_another_break_nothing(version: Version) -> None:
    chance = Random(1)
    of_house(version, *(a_batch(chance, version) for _ in range(500)))


def test_a_fuzzer_begins_with_every_frame_of_the_corpus_and_reaches_every_version() -> None:
    begun = [read(seed) for seed in seeds()]
    for version in DIALECTS:
        said = {step for of, batches in begun if of is version for batch in batches for step in batch}
        assert {frame.decode() for frame in frames(version)} <= said


async def test_the_judge_sees_a_call_without_an_answer() -> None:
    async with House(Version.V16) as house:
        house.wire.hold()
        with pytest.raises(AssertionError, match="unanswered"):
            await house.say('[2, "a", "Heartbeat", {}]')
        house.wire.release()


def test_the_owner_asks_all_that_can_be_asked() -> None:
    assert ASKED.keys() == REQUESTS.keys()


class StrangeCharger(RuleBasedStateMachine):
    """A charger that goes on, and makes each of its mistakes in the middle of something."""

    @initialize(version=VERSIONS)
    def switch_on(self, version: Version) -> None:
        self.loop = asyncio.new_event_loop()
        self.version = version
        self.house = House(version)
        self.loop.run_until_complete(self.house.__aenter__())

    def happen(self, *steps: Step) -> None:
        self.loop.run_until_complete(self.house.say(*steps))

    @rule(chance=CHANCE, count=st.integers(1, 4))
    def says_something_strange(self, chance: Random, count: int) -> None:
        self.happen(*(a_frame(chance, self.version) for _ in range(count)))

    @rule(data=st.data())
    def says_something_right(self, data: st.DataObject) -> None:
        self.happen(data.draw(st.sampled_from(frames(self.version))))

    @rule(message=RAW)
    def babbles(self, message: bytes) -> None:
        self.happen(message)

    @rule(verb=st.sampled_from(sorted(ASKED)))
    def is_asked(self, verb: str) -> None:
        self.happen(f"!ask {verb} {ASKED[verb]}")

    @rule(payload=st.dictionaries(st.sampled_from(["status", "configurationKey", "getVariableResult"]), JSON))
    def answers(self, payload: dict[str, Any]) -> None:
        self.happen(json.dumps([3, "$OPEN", payload]))

    @rule(answer=st.lists(JSON, max_size=4))
    def answers_with_an_error(self, answer: list[Any]) -> None:
        self.happen(json.dumps([4, "$OPEN", *answer]))

    @rule(seconds=st.sampled_from([1, 60, 3600, 10**6]))
    def lets_time_go_by(self, seconds: int) -> None:
        self.happen(f"!wait {seconds}")

    @rule(how=st.sampled_from(["fails", "works"]))
    def finds_the_disk_otherwise(self, how: str) -> None:
        self.happen(f"!disk {how}")

    @rule(chance=CHANCE)
    def goes_deaf(self, chance: Random) -> None:
        self.happen("!deaf", a_frame(chance, self.version), '[3, "$OPEN", {"status": "Accepted"}]')

    @rule()
    def comes_back(self) -> None:
        self.happen("!reconnect")

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.house.__aexit__(None, None, None))
            self.loop.close()


def test_a_strange_charger_is_served_all_its_life() -> None:
    run_state_machine_as_test(StrangeCharger, settings=settings(max_examples=25, stateful_step_count=25))
