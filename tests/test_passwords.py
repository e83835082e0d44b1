"""Passwords and tokens at rest."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given, settings, strategies as st

from ocpp_mqtt_proxy.passwords import hash_password, is_hashed, is_usable, matches, token_hash

STORED = hash_password("correct horse")


def test_a_hash_matches_its_password_and_no_other() -> None:
    assert matches("correct horse", STORED)
    assert not matches("correct horse ", STORED)
    assert not matches("", STORED)


def test_a_hash_is_no_password() -> None:
    assert not matches(STORED, STORED)


def test_a_hash_does_not_hold_its_password() -> None:
    assert "correct" not in STORED
    assert is_hashed(STORED)


def test_a_password_has_many_hashes() -> None:
    assert hash_password("correct horse") != STORED


def test_a_hash_made_elsewhere_from_the_same_parts_matches() -> None:
    _, cost, block, salt, _ = STORED.split("$")
    digest = hashlib.scrypt(b"other", salt=base64.b64decode(salt), n=int(cost), r=int(block), p=1, maxmem=2**26)
    assert matches("other", "$".join(("scrypt", cost, block, salt, base64.b64encode(digest).decode())))


@settings(max_examples=5)
@given(password=st.text(min_size=1))
def test_any_password_can_be_hashed(password: str) -> None:
    assert matches(password, hash_password(password))


@given(password=st.text(), other=st.text())
def test_a_plain_password_matches_itself_alone(password: str, other: str) -> None:
    if not is_hashed(password):
        assert matches(other, password) == (other == password)


BROKEN = [
    "scrypt$",
    "scrypt$16384$8$c2FsdA==",
    "scrypt$16384$8$c2FsdA==$aGFzaA==$more",
    "scrypt$many$8$c2FsdA==$aGFzaA==",
    "scrypt$16383$8$c2FsdA==$aGFzaA==",
    "scrypt$0$8$c2FsdA==$aGFzaA==",
    "scrypt$1$8$c2FsdA==$aGFzaA==",
    "scrypt$-2$8$c2FsdA==$aGFzaA==",
    "scrypt$16384$0$c2FsdA==$aGFzaA==",
    "scrypt$1073741824$8$c2FsdA==$aGFzaA==",
    "scrypt$16384$99999999999999999999$c2FsdA==$aGFzaA==",
    "scrypt$16384$8$not base64$aGFzaA==",
    "scrypt$16384$8$c2FsdA==$ä",
]


@pytest.mark.parametrize("stored", BROKEN)
def test_what_only_begins_like_a_hash_matches_nothing(stored: str) -> None:
    assert not is_usable(stored)
    assert not matches(stored, stored)
    assert not matches("", stored)


@pytest.mark.parametrize("stored", ["", "correct horse", "scrypt", STORED])
def test_plain_passwords_and_whole_hashes_are_of_use(stored: str) -> None:
    assert is_usable(stored)


def test_a_token_at_rest_is_its_digest() -> None:
    assert token_hash("abc") == hashlib.sha256(b"abc").hexdigest()
