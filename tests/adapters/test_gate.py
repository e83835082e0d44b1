"""The chargers' gate, with the service running: who may come in, whose socket counts, and what is said of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocpp_mqtt_proxy.adapters import server
from ocpp_mqtt_proxy.adapters.chargers.gate import is_private
from ocpp_mqtt_proxy.adapters.chargers.handshake import ANONYMOUS
from ocpp_mqtt_proxy.app import App
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.commands import Message, Reason, Trigger
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.passwords import hash_password
from tests.adapters.raw import CLOSE, RawCharger, basic, frame, is_blocked, knocking
from tests.running import PATIENCE, QUICK, running

ROWS = [json.loads(row) for row in Path(__file__).with_name("corpus_handshakes.jsonl").read_text().splitlines()]
"""Upgrade requests of real chargers, from public threads."""

IMPATIENT = replace(QUICK, proof=0.05, pong=0.05)
OCPP16 = ["ocpp1.6"]
HEX_KEY = "0102030405060708090a0b0c0d0e0f10111213fe"


@contextlib.asynccontextmanager
async def served(folder: Path, timing: Any = QUICK, budget: Budget | None = None, **given: Any) -> AsyncIterator[App]:
    async with running(folder, None, timing, budget=budget, **given) as service:
        yield service.app


async def alive(charger: RawCharger) -> bool:
    """Whether the charger is answered."""
    return bool((await charger.call("Heartbeat"))[0] == 3)


async def gone(app: App, charger_id: str) -> None:
    """Wait until a charger's conversation is over."""
    async with asyncio.timeout(PATIENCE):
        while charger_id in app.gate.present:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.005)


# Paths, versions and subprotocols


@pytest.mark.parametrize(
    "path", ["/charger/CP1", "/CP1", "/charger/v1.6/CP1", "///any//prefix/CP1/", "/ocpp16/CP1?x=y"]
)
async def test_a_charger_is_served_at_any_path(tmp_path: Path, path: str) -> None:
    async with served(tmp_path) as app, knocking(app.port, path, OCPP16) as charger:
        assert (charger.status, charger.headers["sec-websocket-protocol"]) == (101, "ocpp1.6")
        assert await alive(charger)
        assert list(app.gate.present) == ["CP1"]


async def test_an_id_of_any_letters_is_served_and_found(tmp_path: Path) -> None:
    async with served(tmp_path) as app, knocking(app.port, "/charger/B%C3%BCro%2F1%20a", OCPP16) as charger:
        assert await alive(charger)
        assert app.hub.station("Büro/1 a").connected


@pytest.mark.parametrize("path", ["/backend?id=x", "//backend", "/backend/x", "/api/live"])
async def test_paths_of_others_are_no_charger_s(tmp_path: Path, path: str) -> None:
    async with served(tmp_path) as app, knocking(app.port, path, OCPP16) as charger:
        assert charger.status in (400, 401, 404)
        assert not app.hub.stations


@pytest.mark.parametrize("path", ["/charger/owner", "/charger/AUTO", "/none", "/charger/a%0Ab", "/charger/%FF"])
async def test_ids_that_nobody_may_have_are_refused(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path) as app, knocking(app.port, path, OCPP16) as charger:
        assert charger.status == 404
        assert not app.gate.strangers
    assert all("\n" not in record.getMessage() for record in caplog.records if record.name.endswith("gate"))


async def test_several_chargers_are_served_at_once(tmp_path: Path) -> None:
    async with served(tmp_path) as app, contextlib.AsyncExitStack() as stack:
        for version, dialect in DIALECTS.items():
            for number in range(3):
                path = f"/charger/{version}-{number}"
                charger = await stack.enter_async_context(knocking(app.port, path, [dialect.subprotocol]))
                assert await alive(charger)
        assert {(i, p.link.version) for i, p in app.gate.present.items()} == {
            (f"{version}-{number}", version) for version in DIALECTS for number in range(3)
        }


@pytest.mark.parametrize("version", DIALECTS)
async def test_without_a_subprotocol_the_assumed_version_is_spoken(tmp_path: Path, version: str) -> None:
    async with served(tmp_path, ocpp_version=version) as app, knocking(app.port, "/CP1") as charger:
        assert charger.status == 101
        assert "sec-websocket-protocol" not in charger.headers
        assert await alive(charger)
        assert app.gate.present["CP1"].link.version == version


async def test_without_a_subprotocol_a_strict_gate_closes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(tmp_path, strict_subprotocol=True) as app, knocking(app.port, "/CP1") as charger:
        assert charger.status == 101
        assert await charger.close_code() == 1002
        assert not app.hub.stations
    assert "CP1: closed: it offers no subprotocol" in caplog.text


@pytest.mark.parametrize("strict", [True, False])
async def test_with_foreign_subprotocols_alone_it_closes_and_says_what_was_offered(
    tmp_path: Path, strict: bool, caplog: pytest.LogCaptureFixture
) -> None:
    offered = ["ocpp1.2", "mqtt"]
    async with served(tmp_path, strict_subprotocol=strict) as app, knocking(app.port, "/CP1", offered) as charger:
        assert charger.status == 101
        assert "sec-websocket-protocol" not in charger.headers
        assert await charger.close_code() == 1002
    assert "it offers only ocpp1.2, mqtt" in caplog.text


async def test_a_version_that_is_configured_is_not_given_up_for_an_offer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pinned = [{"id": "CP1", "version": "1.6"}]
    async with served(tmp_path, chargers=pinned) as app, knocking(app.port, "/CP1", ["ocpp2.0.1"]) as charger:
        assert await charger.close_code() == 1002
    assert "it offers only ocpp2.0.1; spoken with it: OCPP 1.6" in caplog.text


async def test_what_cannot_be_spoken_with_throws_nobody_out(tmp_path: Path) -> None:
    async with served(tmp_path) as app, knocking(app.port, "/CP1", OCPP16) as charger:
        assert await alive(charger)
        async with knocking(app.port, "/CP1", ["mqtt"]) as other:
            assert await other.close_code() == 1002
        assert await alive(charger)


async def test_a_sloppy_offer_is_confirmed_in_its_own_spelling(tmp_path: Path) -> None:
    sloppy = {"Sec-WebSocket-Protocol": "OCPP1.2;OCPP2.0.1"}
    async with served(tmp_path) as app, knocking(app.port, "/CP1", headers=sloppy) as charger:
        assert charger.headers["sec-websocket-protocol"] == "OCPP2.0.1"
        assert await alive(charger)


@pytest.mark.parametrize("connection", [None, "keep-alive", "close", "keep-alive\r\nConnection: close"])
async def test_a_connection_header_that_does_not_say_upgrade_is_forgiven(
    tmp_path: Path, connection: str | None
) -> None:
    headers = {"Connection": connection}
    async with served(tmp_path) as app, knocking(app.port, "/CP1", OCPP16, headers) as charger:
        assert charger.status == 101
        assert await alive(charger)


# Handshakes of real chargers


def _asked(row: dict[str, Any]) -> tuple[str, list[str], dict[str, str]]:
    handshake = row["handshake"]
    return handshake["path"], handshake["subprotocols"], handshake.get("headers", {})


@pytest.mark.parametrize("row", ROWS, ids=[row["why"] for row in ROWS])
async def test_the_handshakes_of_real_chargers_are_served(tmp_path: Path, row: dict[str, Any]) -> None:
    path, subprotocols, headers = _asked(row)
    async with served(tmp_path) as app, knocking(app.port, path, subprotocols, headers) as charger:
        assert charger.status == 101
        assert await alive(charger)
        assert list(app.gate.present) == [path.split("/")[-1]]
        assert app.gate.present[path.split("/")[-1]].link.version == row["version"]


@pytest.mark.parametrize("row", [r for r in ROWS if not _asked(r)[1]], ids=lambda row: str(row["why"]))
async def test_those_without_a_subprotocol_are_closed_where_that_is_strict(tmp_path: Path, row: dict[str, Any]) -> None:
    path, subprotocols, headers = _asked(row)
    async with served(tmp_path, strict_subprotocol=True) as app, knocking(app.port, path, subprotocols, headers) as c:
        assert await c.close_code() == 1002


@pytest.mark.parametrize("row", [r for r in ROWS if "Authorization" in _asked(r)[2]], ids=lambda row: str(row["why"]))
async def test_those_with_an_empty_password_are_refused_where_one_is_configured(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    path, subprotocols, headers = _asked(row)
    known = [{"id": path.split("/")[-1], "password": "something"}]
    async with served(tmp_path, chargers=known) as app, knocking(app.port, path, subprotocols, headers) as charger:
        assert charger.status == 401


# Without an id


async def test_a_second_nameless_charger_is_refused_while_the_first_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as app, knocking(app.port, "/charger", OCPP16) as first:
        assert await alive(first)
        answering = asyncio.create_task(first.message())
        async with knocking(app.port, "/charger", OCPP16) as second:
            assert second.status == 409
        answering.cancel()
        assert list(app.gate.present) == [ANONYMOUS]


async def test_a_second_nameless_charger_takes_over_where_the_first_is_dead(tmp_path: Path) -> None:
    async with served(tmp_path, IMPATIENT) as app, knocking(app.port, "/charger", OCPP16) as first:
        assert await alive(first)
        async with knocking(app.port, "/charger", OCPP16) as second:
            assert second.status == 101
            assert await alive(second)
        assert await first.close_code() == 1001


async def test_the_one_configured_charger_needs_no_id(tmp_path: Path) -> None:
    async with served(tmp_path, chargers=[{"id": "Garage"}]) as app, knocking(app.port, "/charger", OCPP16) as charger:
        assert await alive(charger)
        assert list(app.gate.present) == ["Garage"]


# Passwords

STORED = {"plain": "correct horse", "hashed": hash_password("correct horse")}
KEYS = {"plain": HEX_KEY, "upper case": HEX_KEY.upper(), "hashed": hash_password(HEX_KEY)}
GIVEN = {"raw": bytes.fromhex(HEX_KEY), "hex": HEX_KEY, "upper case": HEX_KEY.upper()}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
async def test_the_right_password_opens(tmp_path: Path, stored: str) -> None:
    known, right = [{"id": "CP1", "password": stored}], {"Authorization": basic("CP1", "correct horse")}
    async with served(tmp_path, chargers=known) as app:
        for _ in range(2):  # what was right once is remembered, and has to stay right
            async with knocking(app.port, "/CP1", OCPP16, right) as charger:
                assert await alive(charger)


@pytest.mark.parametrize("stored", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
async def test_a_key_opens_in_hex_and_as_raw_bytes(tmp_path: Path, stored: str, given: str | bytes) -> None:
    """1.6 J §6 sends the 20 bytes, the white paper the text (semantics §9.2)."""
    known, right = [{"id": "CP1", "password": stored}], {"Authorization": basic("CP1", given)}
    async with served(tmp_path, chargers=known) as app, knocking(app.port, "/CP1", OCPP16, right) as charger:
        assert charger.status == 101


WRONG = {
    "another password": basic("CP1", "s3cret"),
    "another user": basic("CP2", "correct horse"),
    "nothing": None,
    "an empty password": basic("CP1", ""),
    "a broken header": "Basic s3cret",
    "another scheme": "Bearer s3cret",
}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
@pytest.mark.parametrize("given", WRONG.values(), ids=WRONG)
async def test_anything_else_is_refused_and_nothing_of_it_logged(
    tmp_path: Path, stored: str, given: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    known, wrong = [{"id": "CP1", "password": stored}], {"Authorization": given}
    async with served(tmp_path, chargers=known) as app:
        async with knocking(app.port, "/CP1?token=s3cret", OCPP16, wrong) as charger:
            assert charger.status == 401
            assert charger.headers["www-authenticate"].startswith("Basic")
            assert b"s3cret" not in await charger.read_body()
        assert not app.gate.present
    assert "CP1: refused from 127.0.0.1: 401" in caplog.text
    for secret in ("s3cret", "correct horse", stored, *(given.split()[1:] if given else ())):
        assert secret not in caplog.text


async def test_a_password_that_was_changed_in_the_configuration_does_not_open_any_more(tmp_path: Path) -> None:
    right = {"Authorization": basic("CP1", "correct horse")}
    async with served(tmp_path, chargers=[{"id": "CP1", "password": "correct horse"}]) as app:
        async with knocking(app.port, "/CP1", OCPP16, right) as charger:
            assert charger.status == 101
        wrong = {"Authorization": basic("CP1", "correct horsf")}
        async with knocking(app.port, "/CP1", OCPP16, wrong) as charger:
            assert charger.status == 401


async def test_tokens_and_passwords_of_those_let_in_are_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = {"Authorization": basic("CP1", "s3cret")}
    async with served(tmp_path, log={"level": "debug", "frames": True}) as app:
        async with knocking(app.port, "/CP1?token=s3cret", OCPP16, given) as charger:
            assert await alive(charger)
        await gone(app, "CP1")
    assert "CP1: connected from 127.0.0.1, OCPP 1.6" in caplog.text
    for secret in ("s3cret", basic("CP1", "s3cret").split()[1]):
        assert secret not in caplog.text


async def test_wrong_passwords_are_looked_at_only_so_often_and_the_right_one_that_was_known_still_opens(
    tmp_path: Path,
) -> None:
    known = [{"id": "CP1", "password": STORED["hashed"]}, {"id": "CP2", "password": "pw"}]
    right, wrong = ({"Authorization": basic("CP1", password)} for password in ("correct horse", "s3cret"))
    async with served(tmp_path, budget=Budget(attempts=3, attempts_per_second=0.001), chargers=known) as app:
        async with knocking(app.port, "/CP1", OCPP16, right) as charger:
            assert await alive(charger)
        assert await statuses(app, "/CP1", 5, wrong) == [401, 401, 401, 429, 429]
        async with knocking(app.port, "/CP1", OCPP16, right) as charger:
            assert await alive(charger)
        async with knocking(app.port, "/CP2", OCPP16, {"Authorization": basic("CP2", "pw")}) as other:
            assert await alive(other)
        async with knocking(app.port, "/CP1", OCPP16, wrong, source="127.0.0.2") as elsewhere:
            assert elsewhere.status == 401
        assert app.gate.refused == {401: 4, 429: 2}


async def statuses(app: App, path: str, times: int, headers: dict[str, str] | None = None) -> list[int]:
    """How a charger is answered that knocks so often."""
    answers = []
    for _ in range(times):
        async with knocking(app.port, path, OCPP16, headers) as charger:
            answers.append(charger.status)
    return answers


async def test_of_many_wrong_passwords_at_once_only_a_few_wait_to_be_looked_at(tmp_path: Path) -> None:
    known = [{"id": f"CP{n}", "password": STORED["hashed"]} for n in range(6)]
    async with served(tmp_path, budget=Budget(hashes=2), chargers=known) as app, contextlib.AsyncExitStack() as stack:
        knocks = [
            stack.enter_async_context(knocking(app.port, f"/CP{n}", OCPP16, {"Authorization": basic(f"CP{n}", "x")}))
            for n in range(6)
        ]
        answers = sorted(charger.status for charger in await asyncio.gather(*knocks))
        assert (answers[0], answers[-1]) == (401, 429)


# Unknown chargers


async def test_the_first_charger_comes_in_and_later_ones_wait_for_a_click(tmp_path: Path) -> None:
    async with served(tmp_path, accept_unknown_chargers="first") as app:
        async with knocking(app.port, "/CP1", OCPP16) as first, knocking(app.port, "/CP2", OCPP16) as second:
            assert await alive(first)
            assert second.status == 404
            assert b"accept it on the page" in await second.read_body()
        assert [(s.charger_id, s.address) for s in app.gate.strangers.values()] == [("CP2", "127.0.0.1")]
        app.gate.accept("CP2")
        assert not app.gate.strangers
        async with knocking(app.port, "/CP2", OCPP16) as second:
            assert await alive(second)


async def test_a_charger_known_from_before_a_restart_comes_in(tmp_path: Path) -> None:
    for _ in range(2):
        async with (
            served(tmp_path, accept_unknown_chargers="first") as app,
            knocking(app.port, "/CP1", OCPP16) as charger,
        ):
            assert await alive(charger)
    async with served(tmp_path, accept_unknown_chargers=False) as app, knocking(app.port, "/CP1", OCPP16) as charger:
        assert await alive(charger)


async def test_where_a_charger_is_configured_no_other_is_the_first(tmp_path: Path) -> None:
    given: dict[str, Any] = {"accept_unknown_chargers": "first", "chargers": [{"id": "CP1"}]}
    async with served(tmp_path, **given) as app, knocking(app.port, "/CP2", OCPP16) as charger:
        assert charger.status == 404


@pytest.mark.parametrize(("policy", "status"), [(True, 101), (False, 404)])
async def test_unknown_chargers_come_in_or_not_as_configured(tmp_path: Path, policy: bool, status: int) -> None:
    async with served(tmp_path, accept_unknown_chargers=policy) as app:
        for charger_id in ("CP1", "CP2"):
            async with knocking(app.port, f"/{charger_id}", OCPP16) as charger:
                assert charger.status == status


async def test_the_first_has_to_come_from_the_house(tmp_path: Path) -> None:
    async with served(tmp_path, accept_unknown_chargers="first") as app:
        assert app.gate.is_welcome("CP1", "192.168.1.7")
        assert not app.gate.is_welcome("CP1", "203.0.114.7")
        app.gate.accept("CP1")
        assert app.gate.is_welcome("CP1", "203.0.114.7")


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("192.168.1.7", True),
        ("10.0.0.1", True),
        ("172.30.32.1", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("fd12::1", True),
        ("fe80::1%eth0", True),
        ("::ffff:192.168.1.7", True),
        ("8.8.8.8", False),
        ("2a00:1450::1", False),
        ("::ffff:8.8.8.8", False),
        ("", False),
        ("somewhere", False),
    ],
)
def test_private_addresses_are_told_from_public_ones(address: str, private: bool) -> None:
    assert is_private(address) is private


async def test_what_never_spoke_is_not_taken_for_the_first_charger(tmp_path: Path) -> None:
    async with served(tmp_path, accept_unknown_chargers="first") as app:
        async with knocking(app.port, "/browser", OCPP16) as visitor:
            visitor.write(frame(1, b"hello?"))
            visitor.write(frame(CLOSE, b"\x03\xe8"))
            assert await visitor.close_code() == 1000
        await gone(app, "browser")
        async with knocking(app.port, "/CP1", OCPP16) as charger:
            assert await alive(charger)
        assert list(app.hub.stations) == ["CP1"]


async def test_a_forgotten_charger_has_to_be_accepted_anew(tmp_path: Path) -> None:
    async with served(tmp_path, accept_unknown_chargers=False) as app:
        app.gate.accept("CP1")
        async with knocking(app.port, "/CP1", OCPP16) as charger:
            assert await alive(charger)
        await gone(app, "CP1")
        await app.hub.forget("CP1")
        async with knocking(app.port, "/CP1", OCPP16) as charger:
            assert charger.status == 404


async def test_an_accepted_charger_may_come_after_a_restart_too(tmp_path: Path) -> None:
    async with served(tmp_path, accept_unknown_chargers=False) as app:
        app.gate.accept("CP1")
    async with served(tmp_path, accept_unknown_chargers=False) as app, knocking(app.port, "/CP1", OCPP16) as charger:
        assert charger.status == 101


async def test_only_so_many_strangers_are_remembered_the_latest(tmp_path: Path) -> None:
    async with served(tmp_path, budget=Budget(strangers=3), accept_unknown_chargers=False) as app:
        for number in range(5):
            async with knocking(app.port, f"/CP{number}", OCPP16) as charger:
                assert charger.status == 404
        assert list(app.gate.strangers) == ["CP2", "CP3", "CP4"]


async def test_where_strangers_come_in_there_are_only_so_many(tmp_path: Path) -> None:
    async with (
        served(tmp_path, budget=Budget(chargers=2)) as app,
        knocking(app.port, "/CP1", OCPP16) as first,
        knocking(app.port, "/CP2", OCPP16) as second,
    ):
        assert await alive(first)
        assert await alive(second)
        assert await statuses(app, "/CP3", 1) == [404]
        assert list(app.gate.strangers) == ["CP3"]
        app.gate.accept("CP3")
        assert await statuses(app, "/CP3", 1) == [101]


# Two sockets of one charger


async def test_a_charger_that_comes_anew_again_and_again_has_to_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    budget = Budget(visits=3, visits_per_second=0.01)
    async with served(tmp_path, budget=budget) as app:
        assert await statuses(app, "/CP1", 5) == [101, 101, 101, 429, 429]
        assert await statuses(app, "/CP2", 1) == [101]
    assert "CP1: refused from 127.0.0.1: 429" in caplog.text


async def test_who_is_refused_takes_nobody_s_visits(tmp_path: Path) -> None:
    budget = Budget(visits=2, visits_per_second=0.01)
    async with served(tmp_path, budget=budget) as app, knocking(app.port, "/CP1", OCPP16) as charger:
        assert await alive(charger)
        answering = asyncio.create_task(charger.message())
        for _ in range(3):
            async with knocking(app.port, "/CP1", OCPP16, source="127.0.0.2") as thief:
                assert thief.status == 409
        answering.cancel()
        assert await statuses(app, "/CP1", 1) == [101]


async def test_a_new_socket_from_the_same_address_takes_over_at_once(tmp_path: Path) -> None:
    async with served(tmp_path) as app, knocking(app.port, "/CP1", OCPP16) as old:
        assert await alive(old)
        async with knocking(app.port, "/CP1", OCPP16) as new:
            assert await alive(new)
            assert await old.close_code() == 1001
            old.writer.close()
            assert await alive(new)
            assert app.hub.station("CP1").connected


async def test_a_new_socket_from_elsewhere_is_refused_while_the_old_one_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as app, knocking(app.port, "/CP1", OCPP16) as old:
        assert await alive(old)
        answering = asyncio.create_task(old.message())
        async with knocking(app.port, "/CP1", OCPP16, source="127.0.0.2") as new:
            assert new.status == 409
        answering.cancel()


async def test_a_new_socket_from_elsewhere_takes_over_where_the_old_one_is_dead(tmp_path: Path) -> None:
    async with served(tmp_path, IMPATIENT) as app, knocking(app.port, "/CP1", OCPP16) as old:
        assert await alive(old)
        async with knocking(app.port, "/CP1", OCPP16, source="127.0.0.2") as new:
            assert await alive(new)
            assert app.hub.station("CP1").address == "127.0.0.2"


async def test_a_new_socket_with_valid_credentials_takes_over_from_anywhere(tmp_path: Path) -> None:
    right = {"Authorization": basic("CP1", "pw")}
    async with (
        served(tmp_path, chargers=[{"id": "CP1", "password": "pw"}]) as app,
        knocking(app.port, "/CP1", OCPP16, right) as old,
    ):
        assert await alive(old)
        async with knocking(app.port, "/CP1", OCPP16, right, source="127.0.0.2") as new:
            assert await alive(new)


async def test_a_call_that_was_open_on_the_old_socket_fails(tmp_path: Path) -> None:
    async with served(tmp_path) as app, knocking(app.port, "/CP1", OCPP16) as old:
        await old.call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
        link = app.gate.present["CP1"].link
        asking = asyncio.create_task(link.send(Trigger(Message.HEARTBEAT)))
        while (await old.message())[2] != "GetConfiguration":
            pass
        async with knocking(app.port, "/CP1", OCPP16) as new:
            assert await alive(new)
            assert await old.close_code() == 1001
            old.writer.close()
            assert (await asking).reason is Reason.CHARGER_OFFLINE


async def test_a_charger_may_come_back_in_another_version(tmp_path: Path) -> None:
    async with served(tmp_path) as app:
        for version, dialect in DIALECTS.items():
            async with knocking(app.port, "/CP1", [dialect.subprotocol]) as charger:
                assert await alive(charger)
                assert app.hub.station("CP1").version is version


# Dead links and the end


async def test_a_charger_that_never_pongs_is_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with (
        served(tmp_path, IMPATIENT, chargers=[{"id": "CP1", "ping_interval": 1}]) as app,
        knocking(app.port, "/CP1", OCPP16) as charger,
    ):
        assert await alive(charger)
        await charger.rest()
        await gone(app, "CP1")
        assert not app.hub.station("CP1").connected
    assert "CP1: disconnected: no pong within 0.05 s" in caplog.text


async def test_a_charger_that_leaves_without_a_word_is_disconnected(tmp_path: Path) -> None:
    async with served(tmp_path) as app:
        async with knocking(app.port, "/CP1", OCPP16) as charger:
            assert await alive(charger)
        await gone(app, "CP1")
        assert not app.hub.links


async def test_a_stalled_charger_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLOSE_SECONDS", 0.05)
    async with asyncio.timeout(10), contextlib.AsyncExitStack() as stack:
        async with served(tmp_path) as app:
            chargers = [await stack.enter_async_context(knocking(app.port, f"/CP{n}", OCPP16)) for n in (1, 2)]
            assert all([await alive(charger) for charger in chargers])
        assert [await charger.close_code() for charger in chargers] == [1001, 1001]


async def test_a_replaced_charger_that_does_not_even_read_is_cut(tmp_path: Path) -> None:
    """Its answers are as long as its message ids, so it soon blocks our writing."""
    async with served(tmp_path, budget=Budget(close_seconds=0.05)) as app, knocking(app.port, "/CP1", OCPP16) as old:
        assert await alive(old)
        connection = app.gate.present["CP1"].connection
        flooding = asyncio.create_task(_flood(old))
        async with asyncio.timeout(PATIENCE):
            while not is_blocked(connection):  # noqa: ASYNC110 (no event tells)
                await asyncio.sleep(0.005)
        async with knocking(app.port, "/CP1", OCPP16) as new:
            assert await alive(new)
            async with asyncio.timeout(PATIENCE):
                await connection.wait_closed()
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def _flood(charger: RawCharger) -> None:
    while True:
        charger.send([2, "x" * 500_000, "Heartbeat", {}])
        await charger.writer.drain()


async def test_nobody_is_let_in_at_the_end(tmp_path: Path) -> None:
    async with served(tmp_path) as app:
        port = app.port
    with pytest.raises(ConnectionRefusedError):
        async with knocking(port, "/CP1", OCPP16):
            pass


async def test_two_strangers_at_once_are_not_both_the_first(tmp_path: Path) -> None:
    async with served(tmp_path, accept_unknown_chargers="first") as app, contextlib.AsyncExitStack() as stack:
        knocks = [stack.enter_async_context(knocking(app.port, f"/CP{n}", OCPP16)) for n in range(5)]
        chargers = await asyncio.gather(*knocks)
        assert sorted(charger.status for charger in chargers) == [101, 404, 404, 404, 404]
