"""Who knocks: a charger's id, version and credentials out of its request (contract §4)."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st
from websockets.datastructures import Headers

from ocpp_mqtt_proxy.adapters.chargers.handshake import ANONYMOUS, MAX_ID, Visit, possible_id, version_segment, visit
from ocpp_mqtt_proxy.config import Config
from ocpp_mqtt_proxy.core.model import RESERVED_IDS, Version
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS, SUBPROTOCOLS
from tests.adapters.raw import basic

Given = tuple[str, str]
V16, V201, V21 = Version


def visited(target: str, *headers: Given, **options: Any) -> Visit:
    return visit(target, Headers(headers), Config(**options))


# The id


@pytest.mark.parametrize(
    ("target", "charger_id"),
    [
        ("/charger/CP1", "CP1"),
        ("/charger/v2.0.1/CP1", "CP1"),
        ("/charger/CP1/v2.0.1", "CP1"),
        ("/CP1", "CP1"),
        ("/ocpp/1.6/CP1", "CP1"),
        ("/ocpp/CP1", "CP1"),
        ("/a/very/deep/path/to/CP1", "CP1"),
        ("///charger///CP1//", "CP1"),
        ("/charger/CP1?version=1.6&token=x", "CP1"),
        ("ws://proxy:9000/charger/CP1", "CP1"),
        ("/charger/CP%201", "CP 1"),
        ("/charger/CP%2F1", "CP/1"),
        ("/charger/CP%2f1", "CP/1"),
        ("/charger/B%C3%BCro", "Büro"),
        ("/charger/CP%7C1", "CP|1"),
        ("/charger/CP%2B1+2", "CP+1+2"),
        ("/charger/a-b_c.d*e~f;g=h,i@j:k", "a-b_c.d*e~f;g=h,i@j:k"),
        ("/charger/%2e%2e", ".."),
        ("/charger/21", "21"),
        ("/charger/v1.6/16", "16"),
        ("/charger/charger-2", "charger-2"),
    ],
)
def test_the_id_is_the_last_segment_that_is_no_version_and_not_charger(target: str, charger_id: str) -> None:
    guest = visited(target)
    assert guest.charger_id == charger_id
    assert not guest.anonymous


@given(st.text(min_size=1).filter(lambda word: word != "charger" and version_segment(word) is None))
def test_any_id_survives_the_way_through_a_path(charger_id: str) -> None:
    assert visited(f"/charger/{quote(charger_id, safe='')}").charger_id == charger_id


@given(st.binary())
def test_no_path_whatever_is_too_strange_to_read(target: bytes) -> None:
    visited("/" + target.decode("latin-1"))


NAMELESS = ["/", "", "/charger", "/charger/", "//charger//", "/charger/v2.0.1", "/charger/ocpp16", "/?version=1.6"]


@pytest.mark.parametrize("target", NAMELESS)
def test_without_an_id_it_is_the_one_configured_charger(target: str) -> None:
    guest = visited(target, ("Authorization", basic("user", "pw")), chargers=[{"id": "Garage"}])
    assert (guest.charger_id, guest.anonymous) == ("Garage", False)


@pytest.mark.parametrize("target", NAMELESS)
@pytest.mark.parametrize("configured", [[], [{"id": "A"}, {"id": "B"}]], ids=["none configured", "two configured"])
def test_else_it_is_the_user_and_else_nobody(target: str, configured: list[dict[str, str]]) -> None:
    named = visited(target, ("Authorization", basic("CP1", "")), chargers=configured)
    assert (named.charger_id, named.anonymous) == ("CP1", False)
    nobody = visited(target, ("Authorization", basic("", "pw")), chargers=configured)
    assert (nobody.charger_id, nobody.anonymous) == (ANONYMOUS, True)


@pytest.mark.parametrize(
    "charger_id",
    ["", " ", "\t", "a\nb", "a\x00b", "a\x7fb", "a\ufffdb", "\u202etxt", "x" * (MAX_ID + 1), *RESERVED_IDS, "Owner"],
)
def test_some_ids_no_charger_may_have(charger_id: str) -> None:
    assert not possible_id(charger_id)


@pytest.mark.parametrize("charger_id", ["CP1", "x" * MAX_ID, "Büro 1", "a/b", "owner2"])
def test_any_other_id_a_charger_may_have(charger_id: str) -> None:
    assert possible_id(charger_id)


# The version


def offering(*words: str) -> Given:
    return ("Sec-WebSocket-Protocol", ", ".join(words))


ALL_HINTS = ("/charger/v2.0.1/CP1?version=2.0.1", ("X-OCPP-Version", "2.0.1"))


def test_the_configured_version_counts_before_everything() -> None:
    pinned = [{"id": "CP1", "version": "1.6"}]
    guest = visited(*ALL_HINTS, offering("ocpp2.0.1", "ocpp1.6"), chargers=pinned)
    assert (guest.version, guest.subprotocol, guest.pinned) == (V16, "ocpp1.6", True)
    silent = visited(*ALL_HINTS, chargers=pinned)
    assert (silent.version, silent.subprotocol) == (V16, None)


@pytest.mark.parametrize("version", DIALECTS)
def test_a_subprotocol_counts_before_every_hint(version: Version) -> None:
    other = next(v for v in DIALECTS if v is not version)
    headers = [("X-OCPP-Version", other), ("OCPP-Version", other), offering(DIALECTS[version].subprotocol)]
    guest = visited(f"/charger/v{other}/CP1?version={other}", *headers, ocpp_version=other)
    assert (guest.version, guest.subprotocol) == (version, DIALECTS[version].subprotocol)


@pytest.mark.parametrize(
    ("offered", "confirmed"),
    [
        (("ocpp1.6", "ocpp2.0.1"), "ocpp1.6"),
        (("ocpp2.0.1", "ocpp1.6"), "ocpp2.0.1"),
        (("ocpp2.1", "ocpp2.0.1", "ocpp1.6"), "ocpp2.1"),
        (("ocpp1.2", "ocpp1.5", "ocpp1.6"), "ocpp1.6"),
        (("mqtt", "ocpp2.1"), "ocpp2.1"),
        (("mqtt", "ocpp2.0"), None),
    ],
)
def test_the_first_offer_that_we_speak_is_confirmed(offered: tuple[str, ...], confirmed: str | None) -> None:
    guest = visited("/CP1", offering(*offered))
    assert (guest.subprotocol, guest.offered) == (confirmed, offered)


@pytest.mark.parametrize(
    "sloppy", ["OCPP2.0.1", " ocpp2.0.1 ", "ocpp2.0.1,", ",ocpp2.0.1", "x;ocpp2.0.1", "x ocpp2.0.1", "x\tocpp2.0.1;"]
)
def test_a_sloppy_offer_is_understood_and_confirmed_as_it_is_spelled(sloppy: str) -> None:
    guest = visited("/CP1", ("Sec-WebSocket-Protocol", sloppy))
    assert guest.version is V201
    assert guest.subprotocol is not None
    assert guest.subprotocol in sloppy
    assert guest.subprotocol.lower() in SUBPROTOCOLS


def test_offers_may_come_in_several_headers() -> None:
    guest = visited("/CP1", offering("ocpp1.5"), offering("ocpp2.0.1"))
    assert (guest.version, guest.offered) == (V201, ("ocpp1.5", "ocpp2.0.1"))


HINTS: list[tuple[str, tuple[Given, ...]]] = [
    ("/charger/v1.6/CP1?version=1.6&ocpp_version=1.6", (("X-OCPP-Version", "2.0.1"), ("OCPP-Version", "1.6"))),
    ("/charger/v1.6/CP1?version=1.6&ocpp_version=1.6", (("OCPP-Version", "2.0.1"),)),
    ("/charger/v1.6/CP1?version=2.0.1&ocpp_version=1.6", ()),
    ("/charger/v1.6/CP1?ocpp_version=2.0.1", ()),
    ("/charger/v2.0.1/CP1", ()),
]


@pytest.mark.parametrize(
    ("target", "headers"), HINTS, ids=["X-OCPP-Version", "OCPP-Version", "version", "ocpp_version", "path"]
)
def test_without_a_subprotocol_hints_count_in_order(target: str, headers: tuple[Given, ...]) -> None:
    assert visited(target, *headers, ocpp_version="1.6").version is V201


@pytest.mark.parametrize("version", DIALECTS)
def test_without_a_hint_the_assumed_version_counts(version: Version) -> None:
    assert visited("/charger/CP1", ocpp_version=version).version is version


@pytest.mark.parametrize(("target", "headers"), HINTS)
def test_without_detection_no_hint_counts_but_the_subprotocol(target: str, headers: tuple[Given, ...]) -> None:
    blind = {"auto_detect_ocpp_version": False, "ocpp_version": "1.6"}
    assert visited(target, *headers, **blind).version is V16
    assert visited(target, *headers, offering("ocpp2.0.1"), **blind).version is V201


@pytest.mark.parametrize(
    ("word", "version"),
    [
        *((word, V16) for word in ("v1.6", "ocpp16", "OCPP1.6J", "1.6", "v16")),
        *((word, V201) for word in ("v2.0.1", "ocpp201", "V201", "2.0.1", "ocpp2.0.1")),
        *((word, V21) for word in ("v2.1", "ocpp21", "V21", "2.1", "ocpp2.1")),
    ],
)
def test_a_version_is_named_by_many_words(word: str, version: Version) -> None:
    other = next(v for v in DIALECTS if v is not version)
    assert visited(f"/charger/{word}/CP1", ocpp_version=other).version is version
    assert visited(f"/charger/CP1?version={word}", ocpp_version=other).version is version
    assert visited("/charger/CP1", ("OCPP-Version", f" {word} "), ocpp_version=other).version is version


@pytest.mark.parametrize("word", ["16", "201", "21"])
def test_bare_digits_name_a_version_in_a_header_but_not_in_a_path(word: str) -> None:
    version = {"16": V16, "201": V201, "21": V21}[word]
    other = next(v for v in DIALECTS if v is not version)
    assert visited("/charger/CP1", ("OCPP-Version", word), ocpp_version=other).version is version
    assert visited(f"/charger/{word}", ocpp_version=other).version is other


def test_a_hint_at_a_version_that_we_do_not_speak_is_passed_over() -> None:
    assert visited("/charger/v2.0.1/CP1?version=2.0", ("OCPP-Version", "9.9"), ocpp_version="1.6").version is V201


# Credentials


def test_basic_credentials_are_read() -> None:
    credentials = visited("/CP1", ("Authorization", basic("CP1", "a:b"))).credentials
    assert credentials is not None
    assert (credentials.user, credentials.password) == ("CP1", b"a:b")


def test_a_password_may_be_any_bytes() -> None:
    credentials = visited("/CP1", ("Authorization", basic("CP1", bytes(range(20))))).credentials
    assert credentials is not None
    assert credentials.password == bytes(range(20))


@pytest.mark.parametrize("value", ["", "Basic", "Basic !", "Basic Q1A", "Basic \u00fc", "Bearer Q1AxOnB3", "Digest x"])
def test_what_are_no_credentials_are_none(value: str) -> None:
    assert visited("/CP1", ("Authorization", value)).credentials is None


def test_the_scheme_is_spelled_in_any_case() -> None:
    assert visited("/CP1", ("Authorization", basic("CP1", "pw").replace("Basic", "basic"))).credentials is not None


def test_a_visit_does_not_show_its_credentials() -> None:
    guest = visited("/CP1", ("Authorization", basic("CP1", "s3cret")))
    for told in (repr(guest), str(guest), repr(guest.credentials)):
        assert "s3cret" not in told
        assert base64.b64encode(b"CP1:s3cret").decode() not in told
