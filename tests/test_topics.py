"""Topics: ids become slugs that stay apart, and every topic stands below its base."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.topics import Topics, slug

PLAIN = ["CP1", "cp_1", "EVB-P17341234", "0", "A" * 48]
ODD = ["CP 1", "garage/left", "Küche", "车库", "+", "#", "a.b", "*", "", "A--B", "CP1--6d1b42", "\x00"]


@pytest.mark.parametrize("charger_id", PLAIN)
def test_an_id_that_fits_a_topic_stands_as_it_is(charger_id: str) -> None:
    assert slug(charger_id) == charger_id


@pytest.mark.parametrize("charger_id", ODD)
def test_any_other_id_is_made_to_fit(charger_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", slug(charger_id))
    assert slug(charger_id) != charger_id


def test_a_slug_never_changes_because_topics_and_unique_ids_hang_on_it() -> None:
    assert slug("CP 1") == "CP_1--03fdde"


def test_ids_that_look_alike_stay_apart() -> None:
    alike = ["CP 1", "CP_1", "CP.1", "CP/1", "CP-1", "CP--1", slug("CP 1"), slug(slug("CP 1"))]
    assert len({slug(charger_id) for charger_id in alike}) == len(alike)


@given(st.text(), st.text())
def test_different_ids_have_different_slugs(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@given(st.text())
def test_what_we_append_to_an_id_is_never_part_of_one(charger_id: str) -> None:
    """`A` with its connector 1 (`A--c1`) must not be taken for a charger called `A--c1`."""
    assert not re.search(r"--c\d{1,4}$", slug(charger_id))


def test_every_topic_stands_below_its_base() -> None:
    topics = Topics("house/ocpp")
    assert topics.bridge_state == "house/ocpp/bridge/state"
    assert topics.bridge("response", "refresh") == "house/ocpp/bridge/response/refresh"
    assert topics.charger("CP1", "info") == "house/ocpp/charger/CP1/info"
    assert topics.connector("CP1", 2, "charging") == "house/ocpp/charger/CP1/connector/2/charging"
