"""Dialling services: as a charger would, showing nothing but what is configured for them, and failing in words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from ocpp.v16 import call as call16
from ocpp.v21 import call as call21
from ocpp.v201 import call as call201
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from ocpp_mqtt_proxy.adapters.services.dial import Timing, agreed
from ocpp_mqtt_proxy.adapters.services.door import address_of, reach, shake_hands, wrap
from ocpp_mqtt_proxy.budget import Budget
from ocpp_mqtt_proxy.core.model import Version
from ocpp_mqtt_proxy.ocppj.dialect import Payload
from ocpp_mqtt_proxy.ocppj.dialects import DIALECTS
from ocpp_mqtt_proxy.ocppj.fields import Object
from ocpp_mqtt_proxy.services.plan import Credentials, ServicePlan
from ocpp_mqtt_proxy.services.ports import DialFailed, Step
from tests.adapters.raw import basic
from tests.adapters.services_rig import PATIENCE, PICK, a_dialer, answering, listening, nothing
from tests.independent_csms import csms_of

V16, V201, V21 = Version.V16, Version.V201, Version.V21
PASSWORD = "correcthorsebattery"
HEX_KEY = "0123456789abcdef0123456789ABCDEF01234567"
ALL = tuple(DIALECTS)


async def failure(plan: ServicePlan, *offered: Version, timing: Timing | None = None) -> DialFailed:
    """What dialling a service fails of."""
    dialer = a_dialer(timing=timing) if timing else a_dialer()
    with pytest.raises(DialFailed) as failed:
        await dialer(plan, "CP1", offered or (V16,), nothing)
    return failed.value


async def visit(plan: ServicePlan, dialer: Any = None, offered: tuple[Version, ...] = (V16,)) -> None:
    """Connect and go again."""
    link = await (dialer or a_dialer())(plan, "CP1", offered, nothing)
    link.part("seen")
    await link.wait_closed()


# Versions


@pytest.mark.parametrize("version", DIALECTS)
async def test_the_version_that_the_service_picks_is_spoken(version: Version) -> None:
    async with listening(DIALECTS[version].subprotocol) as service:
        link = await a_dialer()(service.plan(), "CP1", ALL, nothing)
        assert link.version is version
        link.part("seen")
        await link.wait_closed()


async def test_versions_are_offered_in_order_of_preference() -> None:
    async with listening() as service:
        await visit(service.plan(), offered=(V201, V21, V16))
        assert service.requests[0].headers["Sec-WebSocket-Protocol"] == "ocpp2.0.1, ocpp2.1, ocpp1.6"


AGREED: list[tuple[str | None, tuple[Version, ...], Version | None]] = [
    ("ocpp1.6", (V16,), V16),
    ("ocpp2.0.1", ALL, V201),
    ("OCPP1.6", ALL, V16),
    (None, (V201,), V201),
    ("", (V201,), V201),
    ("ocpp1.6, ocpp2.0.1", (V16,), V16),
    (None, (V16, V201), None),
    ("ocpp1.6, ocpp2.0.1", (V16, V201), None),
    ("ocpp1.6, ocpp2.0.1", (V16, V21), None),
    ("ocpp2.0.1", (V16,), None),
    ("mqtt", ALL, None),
]


@pytest.mark.parametrize(("named", "offered", "version"), AGREED)
def test_a_version_is_spoken_where_nobody_could_take_the_answer_for_another(
    named: str | None, offered: tuple[Version, ...], version: Version | None
) -> None:
    if version is not None:
        assert agreed(named, offered) is version
        return
    with pytest.raises(DialFailed) as failed:
        agreed(named, offered)
    assert failed.value.step is Step.SUBPROTOCOL


@pytest.mark.parametrize("named", ["ocpp2.0.1", "soap", "x" * 500])
async def test_a_service_that_picks_what_was_not_offered_is_left_with_a_protocol_error(named: str) -> None:
    async with listening(named) as service:
        error = await failure(service.plan())
        assert error.step is Step.SUBPROTOCOL
        assert error.why.isprintable()
        assert len(error.why) < 200
        socket = await service.socket()
        await socket.wait_closed()
        assert socket.close_code == 1002


async def test_a_service_that_names_no_version_is_spoken_with_in_the_only_one_offered() -> None:
    async with listening(None) as service:
        link = await a_dialer()(service.plan(), "CP1", (V201,), nothing)
        assert link.version is V201
        link.part("seen")
        await link.wait_closed()


async def test_a_service_that_names_no_version_and_closes_at_once_perhaps_speaks_another() -> None:
    async def close(socket: ServerConnection) -> None:
        await socket.close(1002, "no")

    async with listening(None, converse=close) as service:
        link = await a_dialer()(service.plan(), "CP1", (V201,), nothing)
        assert "perhaps does not speak OCPP 2.0.1" in await link.wait_closed()


async def test_a_service_that_takes_the_handshake_and_closes_at_once_is_survived() -> None:
    async def close(socket: ServerConnection) -> None:
        await socket.close(1008, "the charger is not registered")

    async with listening(converse=close) as service:
        link = await a_dialer()(service.plan(), "CP1", (V16,), nothing)
        assert "the charger is not registered" in await link.wait_closed()


async def test_a_service_that_takes_the_handshake_and_hangs_up_is_survived() -> None:
    async def abort(socket: ServerConnection) -> None:
        socket.transport.abort()

    async with listening(converse=abort) as service:
        link = await a_dialer()(service.plan(), "CP1", (V16,), nothing)
        assert await link.wait_closed()


# What a service is shown


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "/ocpp/CP1"),
        ({"identities": {"CP1": "DE*ABC 1"}}, "/ocpp/DE%2AABC%201"),
        ({"identities": {"CP2": "other"}}, "/ocpp/CP1"),
    ],
)
async def test_a_charger_goes_by_its_identity_there(given: dict[str, Any], path: str) -> None:
    async with listening() as service:
        await visit(service.plan(**given))
        assert service.requests[0].path == path


async def test_a_charger_stands_where_the_url_says() -> None:
    async with listening() as service:
        await visit(service.plan(url=f"ws://127.0.0.1:{service.port}/x/{{charger}}/y?z=1"))
        assert service.requests[0].path == "/x/CP1/y?z=1"


async def test_the_handshake_says_no_more_than_it_must() -> None:
    async with listening() as service:
        await visit(service.plan())
        names = {name.lower() for name in service.requests[0].headers}
        assert names == {
            "host",
            "upgrade",
            "connection",
            "sec-websocket-key",
            "sec-websocket-version",
            "sec-websocket-protocol",
            "user-agent",
        }


SHOWN: list[tuple[dict[str, str], str | None]] = [
    ({"kind": "none"}, None),
    ({"kind": "none", "password": PASSWORD, "token": "t0ken"}, None),
    ({"kind": "basic", "password": PASSWORD}, basic("CP1", PASSWORD)),
    ({"kind": "basic", "username": "fleet", "password": PASSWORD}, basic("fleet", PASSWORD)),
    ({"kind": "basic", "password": "pässwörd:with:colons"}, basic("CP1", "pässwörd:with:colons")),
    ({"kind": "basic"}, basic("CP1", "")),
    ({"kind": "token", "token": "t0ken"}, "Bearer t0ken"),
    ({"kind": "token", "token": "t0ken\n"}, "Bearer t0ken"),
]


@pytest.mark.parametrize(("credentials", "header"), SHOWN)
async def test_a_service_is_shown_its_own_credentials(credentials: dict[str, str], header: str | None) -> None:
    async with listening() as service:
        await visit(service.plan(**credentials))
        assert service.header == header


async def test_the_user_is_the_identity_there() -> None:
    async with listening() as service:
        await visit(service.plan(kind="basic", password=PASSWORD, identities={"CP1": "ABC"}))
        assert service.header == basic("ABC", PASSWORD)


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ({}, basic("me", PASSWORD)),
        ({"kind": "basic"}, basic("me", PASSWORD)),
        ({"kind": "basic", "password": "configured"}, basic("CP1", "configured")),
        ({"kind": "token", "token": "t0ken"}, "Bearer t0ken"),
    ],
)
async def test_credentials_in_the_url_count_where_none_are_configured(credentials: dict[str, str], header: str) -> None:
    async with listening() as service:
        await visit(service.plan(url=f"ws://me:{PASSWORD}@127.0.0.1:{service.port}/ocpp", **credentials))
        assert [request.headers.get_all("Authorization") for request in service.requests] == [[header]]


def takes(*headers: str) -> Callable[[ServerConnection, Request], Response | None]:
    """A service that lets in who shows one of these."""

    def judge(socket: ServerConnection, request: Request) -> Response | None:
        known = request.headers.get("Authorization") in headers
        return None if known else socket.respond(HTTPStatus.UNAUTHORIZED, "no\n")

    return judge


AS_BYTES = basic("CP1", bytes.fromhex(HEX_KEY))
AS_TEXT = basic("CP1", HEX_KEY)


async def test_a_key_in_hex_is_tried_as_text_then_as_bytes_and_what_worked_is_remembered() -> None:
    dialer = a_dialer()
    async with listening(refuse=takes(AS_BYTES)) as service:
        plan = service.plan(kind="basic", password=HEX_KEY)
        await visit(plan, dialer)
        await visit(plan, dialer)
        assert [request.headers["Authorization"] for request in service.requests] == [AS_TEXT, AS_BYTES, AS_BYTES]


async def test_a_service_that_changes_its_mind_about_a_key_is_followed() -> None:
    dialer = a_dialer()
    wanted = [AS_BYTES]

    def judge(socket: ServerConnection, request: Request) -> Response | None:
        return takes(*wanted)(socket, request)

    async with listening(refuse=judge) as service:
        plan = service.plan(kind="basic", password=HEX_KEY)
        await visit(plan, dialer)
        wanted[:] = [AS_TEXT]
        await visit(plan, dialer)
        await visit(plan, dialer)
        shown = [request.headers["Authorization"] for request in service.requests]
        assert shown == [AS_TEXT, AS_BYTES, AS_BYTES, AS_TEXT, AS_TEXT]


@pytest.mark.parametrize("password", [PASSWORD, HEX_KEY])
async def test_a_wrong_password_is_shown_once_in_each_of_its_readings(password: str) -> None:
    async with listening(refuse=takes()) as service:
        error = await failure(service.plan(kind="basic", password=password))
        assert error.step is Step.HANDSHAKE
        assert "does not take our credentials" in error.why
        assert len(service.requests) == (2 if password == HEX_KEY else 1)


UNSAYABLE: list[tuple[dict[str, str], str]] = [
    ({"kind": "basic", "username": "a:b", "password": PASSWORD}, "no colon"),
    ({"kind": "token"}, "no token is configured"),
    ({"kind": "token", "token": "a\r\nHost: evil"}, "characters that no header may hold"),
    ({"kind": "token", "token": "töken"}, "characters that no header may hold"),
]


@pytest.mark.parametrize(("credentials", "why"), UNSAYABLE)
async def test_credentials_that_no_header_can_hold_are_not_sent(credentials: dict[str, str], why: str) -> None:
    async with listening() as service:
        error = await failure(service.plan(**credentials))
        assert error.step is Step.HANDSHAKE
        assert why in error.why
        assert not service.requests


# What fails


@pytest.mark.parametrize(
    "url",
    ["http://csms.example/", "ws://", "ws:///ocpp", "ws://csms.example:port/x", "wss://csms.example/#x", "ws://me@h/x"],
)
async def test_a_url_that_is_none_fails_at_the_address(url: str) -> None:
    assert (await failure(ServicePlan("x", url))).step is Step.ADDRESS


async def test_where_nothing_listens_is_said() -> None:
    async with listening() as service:
        plan = service.plan()
    error = await failure(plan)
    assert error.step is Step.CONNECT
    assert f"no connection to 127.0.0.1:{service.port}: nothing listens there" in error.why


async def test_a_name_that_is_unknown_is_said() -> None:
    error = await failure(ServicePlan("x", "ws://no-such-host.invalid/ocpp"))
    assert error.step is Step.CONNECT
    assert "no-such-host.invalid is not found" in error.why


@pytest.mark.parametrize("host", ["a..b", "x" * 70])
async def test_a_name_that_no_host_may_have_fails_at_the_address(host: str) -> None:
    error = await failure(ServicePlan("x", f"ws://{host}/ocpp"))
    assert (error.step, error.why) == (Step.ADDRESS, f"{host} is no name that a host may have")


async def test_an_address_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    error = await failure(ServicePlan("x", "ws://127.0.0.1:1/ocpp"), timing=Timing(open=0.02))
    assert (error.step, error.why) == (Step.CONNECT, "nothing came back within 0.02 s")


async def test_of_a_name_with_several_addresses_the_one_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as service:
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def two(host: str, port: int, **given: Any) -> Any:
            monkeypatch.setattr(loop, "getaddrinfo", real)
            found = await real("127.0.0.1", port, **given)
            return [(*found[0][:4], ("127.0.0.1", 1)), *found]

        monkeypatch.setattr(loop, "getaddrinfo", two)
        await visit(service.plan())


STATUSES: list[tuple[int, str]] = [
    (400, "is the address right, or the version?"),
    (401, "does not take our credentials"),
    (403, "lets us not in"),
    (404, "knows no such charger"),
    (418, "no WebSocket is served there"),
    (426, "wants another protocol"),
    (429, "come too often"),
    (500, "a fault of its own"),
    (503, "a fault of its own"),
    (200, "no WebSocket is served there"),
]


@pytest.mark.parametrize(("status", "why"), STATUSES)
async def test_a_refusal_is_told_in_words_and_by_its_number(status: int, why: str) -> None:
    async with answering(lambda _: f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()) as port:
        error = await failure(ServicePlan("x", f"ws://127.0.0.1:{port}/ocpp"))
    assert error.step is Step.HANDSHAKE
    assert why in error.why
    assert f"({status})" in error.why


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("wss://other.example/ocpp?token=SECRET7", "wss://other.example"),
        ("/elsewhere/SECRET7", "another path"),
        ("http://[SECRET7", "elsewhere"),
        ("", "another path"),
    ],
)
async def test_a_redirection_is_told_and_not_followed(location: str, told: str) -> None:
    async with listening() as other:
        where = location.replace("other.example", f"127.0.0.1:{other.port}") if "other" in location else location
        head = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
        async with answering(lambda _: head.encode()) as port:
            error = await failure(ServicePlan("x", f"ws://127.0.0.1:{port}/ocpp"))
        assert error.step is Step.HANDSHAKE
        assert told.replace("other.example", "127.0.0.1") in error.why
        assert "SECRET" not in error.why
        assert not other.requests


UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
SPOILT: list[tuple[bytes, str]] = [
    (b"SSH-2.0-OpenSSH_9.6\r\n", "not in HTTP"),
    (b"", "closed without an answer"),
    (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "no WebSocket's"),
    (UPGRADED + b"Sec-WebSocket-Accept: \x1b[31mwrong\r\n\r\n", "not in HTTP"),
    (UPGRADED + b"Sec-WebSocket-Accept: " + b"wrong" * 100 + b"\r\n\r\n", "no WebSocket's"),
]


@pytest.mark.parametrize(("said", "why"), SPOILT)
async def test_what_answers_and_is_no_csms_is_told_from_one(said: bytes, why: str) -> None:
    async with answering(lambda _: said) as port:
        error = await failure(ServicePlan("x", f"ws://127.0.0.1:{port}/ocpp"))
    assert error.step is Step.HANDSHAKE
    assert why in error.why
    assert error.why.isprintable()
    assert len(error.why) < 200


async def test_a_service_that_says_nothing_is_given_up() -> None:
    async with answering(lambda _: None) as port:
        error = await failure(ServicePlan("x", f"ws://127.0.0.1:{port}/ocpp"), timing=Timing(open=0.05))
    assert (error.step, error.why) == (Step.HANDSHAKE, "nothing came back within 0.05 s")


async def test_a_service_that_says_nothing_to_tls_is_given_up() -> None:
    async with answering(lambda _: None) as port:
        error = await failure(ServicePlan("x", f"wss://127.0.0.1:{port}/ocpp"), timing=Timing(open=0.05))
    assert (error.step, error.why) == (Step.TLS, "nothing came back within 0.05 s")


async def test_a_dial_that_is_called_off_leaves_nothing_behind() -> None:
    knocked = asyncio.Event()

    def hold(_: bytes) -> None:
        knocked.set()

    async with answering(hold) as port:
        plan = ServicePlan("x", f"ws://127.0.0.1:{port}/ocpp")
        dialling = asyncio.create_task(a_dialer()(plan, "CP1", (V16,), nothing))
        await knocked.wait()
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling


SECRET_PLAN: list[tuple[str, Credentials]] = [
    ("ws://127.0.0.1:{port}/SECRET7/ocpp?key=SECRET7", Credentials()),
    ("ws://me:SECRET7@127.0.0.1:{port}/ocpp", Credentials()),
    ("ws://127.0.0.1:{port}/ocpp", Credentials("basic", password="SECRET7")),
    ("ws://127.0.0.1:{port}/ocpp", Credentials("token", token="SECRET7")),
    ("ws://127.0.0.1:{port}/ocpp#SECRET7", Credentials()),
    ("ws://127.0.0.1:{port}/ocpp", Credentials("token", token="SECRET7\x00")),
]


@pytest.mark.parametrize(("url", "credentials"), SECRET_PLAN)
@pytest.mark.parametrize("named", [PICK, "soap"])
async def test_no_secret_is_in_a_failure_or_the_log(
    url: str, credentials: Credentials, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with listening(named, refuse=takes() if named == PICK else lambda _, __: None) as service:
        error = await failure(ServicePlan("x", url.format(port=service.port), credentials=credentials))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("ocpp_mqtt_proxy")]
    assert "SECRET" not in "".join([error.why, str(error), *ours])


async def test_what_was_shown_is_not_kept() -> None:
    async with listening() as service:
        address = address_of(f"ws://127.0.0.1:{service.port}/ocpp/SECRET7")
        sock = await reach(address, PATIENCE)
        connection = await wrap(sock, address, ["ocpp1.6"], None, Budget(), PATIENCE)
        await shake_hands(connection, "Bearer SECRET7", PATIENCE)
        assert service.header == "Bearer SECRET7"
        assert connection.request is not None
        assert (connection.request.path, list(connection.request.headers)) == ("", [])
        connection.part("seen")
        await connection.wait_closed()


# Life


@asynccontextmanager
async def deaf() -> AsyncIterator[int]:
    """A service that takes the handshake and then neither reads nor says anything, pongs included."""
    held: list[ServerConnection] = []

    async def pause(socket: ServerConnection) -> None:
        held.append(socket)
        socket.transport.pause_reading()
        await socket.wait_closed()

    async with listening(converse=pause) as service:
        yield service.port
        for socket in held:
            socket.transport.abort()


async def test_a_service_that_is_silent_and_sends_no_pong_is_given_up() -> None:
    async with deaf() as port:
        dialer = a_dialer(timing=Timing(ping=0.02, pong=0.05))
        link = await dialer(ServicePlan("x", f"ws://127.0.0.1:{port}/ocpp"), "CP1", (V16,), nothing)
        async with asyncio.timeout(PATIENCE):
            assert "no pong within 0.05 s" in await link.wait_closed()


async def test_a_service_that_is_silent_but_sends_pongs_stays() -> None:
    pinged = asyncio.Event()

    async def count(socket: ServerConnection) -> None:
        real, pings = socket.process_event, 0

        def process(event: Any) -> None:
            nonlocal pings
            pings += 1
            if pings >= 3:
                pinged.set()
            real(event)

        socket.process_event = process  # type: ignore[method-assign]
        await socket.wait_closed()

    async with listening(converse=count) as service:
        dialer = a_dialer(timing=Timing(ping=0.01, pong=5))
        link = await dialer(service.plan(), "CP1", (V16,), nothing)
        async with asyncio.timeout(PATIENCE):
            await pinged.wait()
        link.part("seen")
        assert await link.wait_closed() == "seen"


# Against CSMSs that are not ours

STATION: Payload = {"reason": "PowerUp", "chargingStation": {"vendorName": "Alfen", "model": "Eve Single"}}
BOOT: dict[Version, Payload] = {
    V16: {"chargePointVendor": "Alfen", "chargePointModel": "Eve Single"},
    V201: STATION,
    V21: STATION,
}
STARTED: Payload = {
    "eventType": "Started",
    "timestamp": "2026-03-14T12:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t1"},
    "idToken": {"idToken": "04A1B2C3", "type": "ISO14443"},
}
ENDED: Payload = STARTED | {"eventType": "Ended"}
SESSION: dict[Version, list[tuple[str, Payload]]] = {
    V16: [
        ("StartTransaction", {"connectorId": 1, "idTag": "04A1B2C3", "meterStart": 5, "timestamp": "2026-03-14T12:00:00Z"}),
        ("StopTransaction", {"transactionId": 701, "meterStop": 9, "timestamp": "2026-03-14T13:00:00Z"}),
    ],
    V201: [("TransactionEvent", STARTED), ("TransactionEvent", ENDED)],
    V21: [("TransactionEvent", STARTED), ("TransactionEvent", ENDED)],
}  # fmt: skip
ASKS: dict[Version, Any] = {
    V16: call16.ChangeAvailability(connector_id=0, type="Operative"),
    V201: call201.ChangeAvailability(operational_status="Operative"),
    V21: call21.ChangeAvailability(operational_status="Operative"),
}


@pytest.mark.parametrize("version", DIALECTS)
async def test_an_independent_csms_is_spoken_with_both_ways(version: Version) -> None:
    async def agree(_: str, __: Object) -> Payload:
        return {"status": "Accepted"}

    async with csms_of(version) as csms:
        link = await a_dialer()(ServicePlan("billing", csms.url), "CP1", (version,), agree)
        assert (await link.call("BootNotification", BOOT[version]))["status"] == "Accepted"
        asking = asyncio.create_task(csms.ask(ASKS[version]))
        for action, payload in SESSION[version]:
            await link.call(action, payload)
        assert (await asking).status == "Accepted"
        assert csms.faults == []
        link.part("seen")
        await link.wait_closed()
