"""The table of quirks: which chargers have which, and how they are switched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import Nameplate
from ocpp_mqtt_proxy.core.traits import PLAIN
from ocpp_mqtt_proxy.ocppj.quirks import NAMES, OFF, QUIRKS, Quirk, active, unknown, usual
from tests.ocppj.nameplates import KNOWN, plate

ROWS = pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: str(quirk.name))
ALWAYS = [quirk for quirk in QUIRKS if quirk.always]
SOME = [quirk for quirk in QUIRKS if not quirk.always]


def test_every_quirk_has_a_name_of_its_own_that_no_switch_is_mistaken_for() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [name for name in NAMES if name.removeprefix(OFF) in set(NAMES) - {name}] == []


@ROWS
def test_a_quirk_says_what_is_wrong_what_is_done_and_who_saw_it(quirk: Quirk) -> None:
    assert re.fullmatch(r"[a-z0-9_]+", quirk.name)
    assert all([quirk.wrong, quirk.remedy, quirk.source])


@ROWS
def test_a_quirk_does_something(quirk: Quirk) -> None:
    assert quirk.text or quirk.value or quirk.messages or quirk.traits != PLAIN


@ROWS
def test_what_everybody_has_matches_nobody_and_changes_no_treatment(quirk: Quirk) -> None:
    assert not quirk.always or (quirk.matches == () and quirk.traits == PLAIN)


@pytest.mark.parametrize(("known", "quirks"), KNOWN, ids=lambda value: getattr(value, "vendor", ""))
def test_a_nameplate_tells_a_charger_s_quirks(known: Nameplate, quirks: set[str]) -> None:
    assert set(active(known).names) == quirks


def test_every_quirk_that_is_matched_has_a_charger_that_is_known_to_have_it() -> None:
    assert {quirk.name for quirk in SOME if quirk.matches} == set().union(*(quirks for _, quirks in KNOWN))


@pytest.mark.parametrize("vendor", ["AEFA", "aefa", "Aefa Ltd."])
def test_a_nameplate_is_read_in_any_case(vendor: str) -> None:
    assert active(plate(vendor)).names == ("keys_without_values",)


@ROWS
def test_configuration_switches_a_quirk_on(quirk: Quirk) -> None:
    assert quirk in active(Nameplate(), (quirk.name,)).quirks


@pytest.mark.parametrize(("known", "quirks"), KNOWN, ids=lambda value: getattr(value, "vendor", ""))
def test_configuration_switches_a_quirk_off(known: Nameplate, quirks: set[str]) -> None:
    for name in (*quirks, *(quirk.name for quirk in ALWAYS)):
        assert name not in [quirk.name for quirk in active(known, (OFF + name,)).quirks]


def test_of_a_quirk_switched_both_ways_it_is_on() -> None:
    assert "stray_commas" in active(Nameplate(), ("no_stray_commas", "stray_commas")).names


def test_what_everybody_has_is_not_named() -> None:
    assert usual().names == ()
    assert [quirk.name for quirk in usual().quirks] == [quirk.name for quirk in ALWAYS]


@pytest.mark.parametrize("word", ["", "no_", "stray", "no_no_stray_commas", "STRAY_COMMAS"])
def test_a_switch_of_no_quirk_is_unknown(word: str) -> None:
    assert unknown([word, "stray_commas", "no_stray_commas"]) == [word]


def test_what_is_done_differently_adds_up() -> None:
    traits = active(plate("ABB", firmware="V1.8.21"), ("must_ping", "watts_only")).traits
    assert traits.quirks == ("few_measurands", "stack_level_0", "watts_only", "must_ping")
    assert [form.in_watts for form in traits.forms] == [False, True]
    assert traits.pings_unasked
    assert len(traits.measurands) == 5


@pytest.mark.parametrize("quirk", SOME, ids=lambda quirk: str(quirk.name))
def test_users_can_read_of_a_quirk_that_they_may_switch(quirk: Quirk) -> None:
    assert f"`{quirk.name}`" in (Path(__file__).parents[2] / "README.md").read_text()


@given(st.builds(Nameplate, st.text(), st.text(), st.text(), st.text()))
def test_any_nameplate_is_read(given_: Nameplate) -> None:
    assert set(active(given_).names) <= set(NAMES)
