"""Tags that have no room in a service's version are stood in for, by a table, and never cut (semantics §5.9)."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ocpp_mqtt_proxy.core.model import IdToken, Version
from ocpp_mqtt_proxy.services import tags
from tests.services.fakes import an_outstation

LONG = "DE*ABC*E12345678*1-and-more"


def long_token(tag: str = LONG, kind: str = "eMAID") -> IdToken:
    return IdToken(tag, kind)


@pytest.mark.parametrize(("version", "room"), tags.ROOM.items())
def test_a_tag_that_fits_is_told_as_it_is(version: Version, room: int) -> None:
    out = an_outstation(version)
    token = IdToken("x" * room, "Central")
    assert tags.told(out, token) is token
    assert tags.meant(out, token.tag) == token.tag


@pytest.mark.parametrize(("version", "room"), tags.ROOM.items())
def test_a_longer_one_is_stood_in_for_and_found_again(version: Version, room: int) -> None:
    out = an_outstation(version)
    short = tags.told(out, long_token("y" * (room + 1)))
    assert len(short.tag) <= room
    assert short.kind == "eMAID"
    assert tags.meant(out, short.tag) == tags.meant(out, short.tag.upper()) == "y" * (room + 1)


def test_the_same_card_is_always_told_by_the_same_tag_whatever_its_case() -> None:
    out = an_outstation(Version.V16)
    assert tags.told(out, long_token()) == tags.told(out, long_token()) == tags.told(out, long_token(LONG.lower()))


@given(st.sets(st.text("abc*", min_size=21, max_size=36), min_size=2, max_size=20))
def test_no_two_cards_are_told_by_the_same_tag(cards: set[str]) -> None:
    out = an_outstation(Version.V16)
    assert len({tags.told(out, long_token(card)).tag for card in cards}) == len(cards)


def test_a_tag_that_stands_for_another_card_already_is_not_given_twice() -> None:
    out, other = an_outstation(Version.V16), an_outstation(Version.V16)
    taken = tags.told(other, long_token()).tag
    out.peer.tags[taken] = "a stranger's card that has the same digest"
    mine = tags.told(out, long_token()).tag
    assert mine != taken
    assert tags.meant(out, mine) == LONG
    assert tags.meant(out, taken) == "a stranger's card that has the same digest"


def test_what_a_tag_stands_for_is_written_down() -> None:
    out = an_outstation(Version.V16)
    tags.told(out, long_token())
    assert out.peer in out.hub.ledger.noted  # type: ignore[attr-defined] # the fake's


def test_a_16_charger_s_tag_that_is_too_long_by_mistake_is_its_first_20_characters() -> None:
    assert tags.told(an_outstation(Version.V16), IdToken("0123456789abcdefghij\r\n")).tag == "0123456789abcdefghij"


@pytest.mark.parametrize("charger", [Version.V201, Version.V21])
def test_a_2x_charger_s_tag_is_never_cut_though_nobody_knows_its_kind_any_more(charger: Version) -> None:
    out = an_outstation(Version.V16, charger)
    assert tags.told(out, IdToken(LONG)).tag == tags.told(out, long_token()).tag


def test_strangers_cards_do_not_fill_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MOST_TAGS", 3)
    out = an_outstation(Version.V16)
    told = [tags.told(out, long_token(f"{LONG}{number}")).tag for number in range(5)]
    assert list(out.peer.tags) == told[2:]


def test_a_transaction_that_nobody_had_to_authorise_has_a_tag_in_16_all_the_same() -> None:
    assert tags.told(an_outstation(Version.V16), IdToken("", "NoAuthorization")).tag == "NoAuthorization"
    assert tags.told(an_outstation(Version.V21), IdToken("", "NoAuthorization")).tag == ""
