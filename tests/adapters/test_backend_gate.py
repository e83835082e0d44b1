"""Who comes in at /backend, and what a backend's socket does."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ocpp_mqtt_proxy.adapters.backends.gate import MAX_SOCKETS
from ocpp_mqtt_proxy.adapters.backends.link import MAX_EVENTS, MAX_RUNNING
from ocpp_mqtt_proxy.backends.frames import MAX_MESSAGE
from ocpp_mqtt_proxy.core.events import HeartbeatHeard
from ocpp_mqtt_proxy.passwords import hash_password
from tests.adapters.mqtt_rig import until
from tests.backends import Backend, address, backend, provider
from tests.running import PATIENCE, Running, running

SERVICE = {"id": "billing", "url": "wss://billing.example/ocpp"}
HOUSE: dict[str, Any] = {
    "providers": [provider("energy"), {"id": "tokenless"}, provider("blocked"), provider("other")],
    "blocked_providers": ["blocked"],
    "ocpp_services": [SERVICE],
}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


async def knock(service: Running, headers: dict[str, str] | None = None, **query: str) -> tuple[int, str]:
    """The status of a handshake, 101 where it came to be, and what was said."""
    try:
        async with connect(address(service, **query), additional_headers=headers or {}):
            return 101, ""
    except InvalidStatus as error:
        return error.response.status_code, error.response.body.decode() if error.response.body else ""


RIGHT: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "Bearer": ({"Authorization": "Bearer energy-token"}, {}),
    "bearer in small letters": ({"Authorization": "bearer energy-token"}, {}),
    "Basic": (basic("energy", "energy-token"), {}),
    "Basic without a user": (basic("", "energy-token"), {}),
    "in the query": ({}, {"token": "energy-token"}),
}
WRONG: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "none": ({}, {}),
    "empty": ({}, {"token": ""}),
    "another's": ({"Authorization": "Bearer other-token"}, {}),
    "a wrong one in the header beside the right one": ({"Authorization": "Bearer x"}, {"token": "energy-token"}),
    "of another user": (basic("other", "energy-token"), {}),
    "no base64": ({"Authorization": "Basic ***"}, {}),
}


@pytest.mark.parametrize(("headers", "query"), RIGHT.values(), ids=RIGHT)
async def test_the_right_token_opens(tmp_path: Path, headers: dict[str, str], query: dict[str, str]) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        assert await knock(service, headers, id="energy", **query) == (101, "")


async def test_a_token_may_be_kept_as_a_hash(tmp_path: Path) -> None:
    hashed = provider("energy", token=hash_password("secret"))
    async with running(tmp_path, None, providers=[hashed]) as service:
        assert await knock(service, id="energy", token="secret") == (101, "")
        assert (await knock(service, id="energy", token=hashed["token"]))[0] == 401


async def test_a_wrong_token_is_refused_with_how_to_send_it(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        for headers, query in WRONG.values():
            status, why = await knock(service, headers, id="energy", **query)
            assert (status, "send it as" in why) == (401, True)


@pytest.mark.parametrize(
    ("name", "status", "why"),
    [
        ("nobody", 401, "nobody is not configured; add providers: [{id: nobody, token: SECRET}]"),
        ("tokenless", 401, "no token is configured for tokenless; set providers: [{id: tokenless, token: SECRET}]"),
        ("blocked", 403, "blocked"),
        ("billing", 403, "the id of a service"),
        ("owner", 400, "give your id"),
        ("Auto", 400, "give your id"),
        ("", 400, "give your id"),
        ("a b", 400, "give your id"),
    ],
)
async def test_who_may_not_come_in_is_told_why(tmp_path: Path, name: str, status: int, why: str) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        told = await knock(service, id=name, token=f"{name}-token")
        assert (told[0], why in told[1]) == (status, True), told


async def test_where_some_are_allowed_others_are_not(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE, allowed_providers=["other"]) as service:
        assert (await knock(service, id="energy", token="energy-token"))[0] == 403
        assert (await knock(service, id="other", token="other-token"))[0] == 101


async def test_strangers_come_in_without_a_token_where_they_may(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE, accept_unknown_backends=True) as service:
        assert [(await knock(service, id=name))[0] for name in ("nobody", "tokenless", "energy")] == [101, 101, 401]


async def test_a_page_of_another_site_does_not_come_in_with_its_reader_s_browser(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE, accept_unknown_backends=True) as service:
        host = f"127.0.0.1:{service.app.port}"
        for origin, status in (("http://evil.example", 403), ("null", 403), (f"http://{host}", 101), ("http://[", 403)):
            assert (await knock(service, {"Origin": origin}, id="nobody"))[0] == status


async def test_wrong_tokens_are_looked_at_only_so_often(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        statuses = [(await knock(service, id="energy", token="wrong"))[0] for _ in range(12)]
        assert (statuses[0], statuses[-1]) == (401, 429)


async def test_a_backend_has_only_so_many_sockets_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        sockets = [await connect(address(service, id="energy", token="energy-token")) for _ in range(MAX_SOCKETS)]
        assert (await knock(service, id="energy", token="energy-token"))[0] == 429
        for socket in sockets:
            await socket.close()


async def test_no_token_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with running(tmp_path, None, **HOUSE) as service:
            await knock(service, id="energy", token="energy-token")
            await knock(service, {"Authorization": "Bearer my-secret"}, id="energy", token="my-secret")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("ocpp_mqtt_proxy")]
    assert ours
    assert not [line for line in ours if "energy-token" in line or "my-secret" in line]


# Inside


async def test_several_sockets_of_one_backend_are_one_provider(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        present = service.app.arbitration.house.present
        async with backend(service, "energy", "heartbeat") as one, backend(service, "energy", "heartbeat") as two:
            assert present == {"energy": 2}
            service.app.bus.publish(HeartbeatHeard(charger="CP1", at=service.app.clock.now(), seq=1))
            assert (await one.event("heartbeat"))["seq"] == (await two.event("heartbeat"))["seq"] == 1
        await until(lambda: "energy" in service.app.arbitration.absent_since)
        assert present == {}


async def test_nothing_comes_before_the_first_subscription(tmp_path: Path) -> None:
    async with (
        running(tmp_path, None, **HOUSE) as service,
        backend(service, "energy") as one,
        backend(service, "other", "heartbeat") as other,
    ):
        service.app.bus.publish(HeartbeatHeard(charger="CP1", at=service.app.clock.now(), seq=1))
        await other.event("heartbeat", seq=1)
        await one.does("subscribe")
        service.app.bus.publish(HeartbeatHeard(charger="CP1", at=service.app.clock.now(), seq=2))
        await one.event("heartbeat")
        assert [event["seq"] for event in one.events] == [2]


STRANGE = ["", "{", "[]", "7", '{"id": []}', '{"action": 7}', '{"id": "x", "action": "dance"}', "[" * 5000]


async def test_what_is_no_message_is_answered_and_the_connection_lives(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service, backend(service, "energy") as one:
        for text in [*STRANGE, "x" * (MAX_MESSAGE + 1), "x" * (2 * 1024 * 1024)]:
            await one.socket.send(text)
        await one.socket.send(b'{"id": 1, "action": "status"}')
        await one.until(lambda message: message["id"] == 1 and message["status"] == "ok")
        wrong = [message for message in one.heard if message["status"] == "error"]
        assert len(wrong) == len(STRANGE) + 2
        assert all(answer["reason"] == "invalid" and answer["message"] for answer in wrong)


async def test_ten_thousand_pieces_of_nonsense_are_answered_one_by_one(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service, backend(service, "energy") as one:
        for number in range(10_000):
            await one.socket.send(json.dumps({"id": number, "action": "start", "connector": "x"}))
        await one.until(lambda message: message["id"] == 9_999)
        assert [message["id"] for message in one.heard] == [*range(10_000)]
        assert {message["status"] for message in one.heard} == {"error"}


async def test_a_text_that_is_no_text_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service, backend(service, "energy") as one:
        await one.socket.send(b"\xff\xfe")
        assert (await one.until(lambda _: True))["reason"] == "invalid"


# A reader that stalls


async def stalled(service: Running) -> ClientConnection:
    """A backend that subscribes and then reads nothing."""
    socket = await connect(address(service, id="other", token="other-token"), max_queue=1)
    await socket.send(json.dumps({"id": 1, "action": "subscribe"}))
    await socket.recv()
    socket.transport.pause_reading()
    return socket


async def the_end(socket: ClientConnection) -> ConnectionClosed:
    """Read all that still comes; how it ended."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        return closed


async def flood(service: Running, healthy: Backend, events: int) -> None:
    """So many big events, as fast as a healthy reader hears of them."""
    for seq in range(1, events + 1):
        service.app.bus.publish(HeartbeatHeard(charger="C" * 4_000, at=service.app.clock.now(), seq=seq))
        if seq % 100 == 0 or seq == events:
            await healthy.event("heartbeat", seq=seq)
    heard = [event["seq"] for event in healthy.events]
    healthy.heard.clear()
    assert heard == [*range(1, events + 1)]


async def test_a_stalled_reader_is_closed_and_costs_no_other_an_event(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service, backend(service, "energy", "*") as healthy:
        socket = await stalled(service)
        link = service.app.backends.gate.links["other"][0]
        while not link.counters.too_slow:
            await flood(service, healthy, 500)
        async with asyncio.timeout(PATIENCE):
            await link.connection.wait_closed()
        assert 0 < link.counters.dropped <= MAX_EVENTS + 1
        assert (await healthy.ask("status"))["status"] == "ok"
        await until(lambda: "other" not in service.app.backends.gate.links)
        socket.transport.abort()


async def test_a_slow_reader_that_reads_again_hears_why_it_is_closed(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service, backend(service, "energy", "*") as healthy:
        socket = await stalled(service)
        link = service.app.backends.gate.links["other"][0]
        while not link.counters.too_slow:
            await flood(service, healthy, 100)
        socket.transport.resume_reading()
        closed = await the_end(socket)
        assert closed.rcvd is not None
        assert (closed.rcvd.code, "too slow" in closed.rcvd.reason) == (1008, True)


async def test_only_so_many_requests_of_a_socket_wait_for_chargers_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service, backend(service, "energy") as one:
        gate = asyncio.Event()

        class Slow:
            async def page(self, **_: Any) -> Any:
                await gate.wait()
                raise AssertionError("never mind")

        service.app.backends.desk.records = Slow()
        for number in range(MAX_RUNNING + 1):
            await one.socket.send(json.dumps({"id": number, "action": "sessions"}))
        answer = await one.until(lambda _: True)
        assert (answer["id"], answer["reason"]) == (MAX_RUNNING, "rate_limited")
        gate.set()
        await one.until(lambda message: message["id"] == 0)


async def test_what_went_over_the_sockets_is_counted(tmp_path: Path) -> None:
    async with running(tmp_path, None, **HOUSE) as service:
        async with backend(service, "energy", "heartbeat") as one:
            service.app.bus.publish(HeartbeatHeard(charger="CP1", at=service.app.clock.now(), seq=1))
            await one.event("heartbeat")
            await one.ask("dance")
        counted = service.app.bridge.health()["backends"]
        assert (counted.requests, counted.bad_requests, counted.events, counted.dropped) == (2, 1, 1, 0)
