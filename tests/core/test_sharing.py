from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.schedule import Window
from ocpp_mqtt_proxy.core.sharing import EVERYBODYS, EXCLUSIVE, ControlClass, PresenceRule, Rules, Terms
from tests.core.court import MANAGEMENT, ME, OTHER, SMART_CHARGING, TRANSACTIONS

STRANGERS = Terms("", priority=-1)
RULES = Rules(providers={ME: Terms(ME, priority=5), OTHER: Terms(OTHER, priority=5)})


def test_one_provider_has_transactions_and_one_management_and_all_share_the_rest() -> None:
    assert EXCLUSIVE == (TRANSACTIONS, MANAGEMENT)
    assert set(ControlClass) - set(EXCLUSIVE) == {SMART_CHARGING}


def test_management_is_given_by_name_only() -> None:
    assert Terms(ME).roles == EVERYBODYS == {TRANSACTIONS, SMART_CHARGING}


def test_a_provider_acts_while_nobody_is_at_home_unless_it_says_otherwise() -> None:
    assert Terms(ME).presence is PresenceRule.AWAY


def test_who_is_not_named_has_the_terms_of_strangers_if_there_are_any() -> None:
    assert RULES.terms("stranger") is None
    assert replace(RULES, strangers=STRANGERS).terms("stranger") == STRANGERS
    assert replace(RULES, strangers=STRANGERS).terms(ME) == Terms(ME, priority=5)


@pytest.mark.parametrize(("allowed", "strangers", "come"), [
    ((), None, [ME, OTHER]),
    ((), STRANGERS, [ME, OTHER, "stranger"]),
    ((ME,), None, [ME]),
    ((ME,), STRANGERS, [ME]),
    (("stranger",), None, []),
    (("stranger",), STRANGERS, ["stranger"]),
])  # fmt: skip
def test_who_may_come_in(allowed: tuple[str, ...], strangers: Terms | None, come: list[str]) -> None:
    rules = replace(RULES, allowed=frozenset(allowed), strangers=strangers)
    assert [provider for provider in (ME, OTHER, "stranger") if rules.may_come(provider)] == come


def test_hours_are_those_of_the_house() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    terms = Terms(ME, schedule=(Window(time(14), time(15)),))
    assert not Rules().is_open(terms, noon)
    assert Rules(zone=ZoneInfo("Europe/Amsterdam")).is_open(terms, noon)


IDS = st.sampled_from(["a", "b", "c", "stranger"])
HOUSES = st.builds(
    lambda priorities, preferred, strangers: Rules(
        providers={name: Terms(name, priority=one) for name, one in priorities.items()},
        preferred=preferred,
        strangers=strangers,
    ),
    st.fixed_dictionaries({name: st.integers(-2, 2) for name in "abc"}),
    st.sampled_from(["", "a", "b", "gone"]),
    st.sampled_from([None, STRANGERS]),
)


@given(HOUSES, IDS, IDS, IDS)
def test_ranks_are_an_order(rules: Rules, one: str, two: str, three: str) -> None:
    assert not (rules.outranks(one, two) and rules.outranks(two, one))
    if rules.outranks(one, two) and rules.outranks(two, three):
        assert rules.outranks(one, three)


@given(HOUSES, IDS)
def test_nobody_outranks_the_preferred(rules: Rules, one: str) -> None:
    assert not rules.preferred or not rules.outranks(one, rules.preferred)


@given(HOUSES, IDS)
def test_the_preferred_outranks_everybody_else(rules: Rules, one: str) -> None:
    assert rules.preferred in ("", one) or rules.outranks(rules.preferred, one)
